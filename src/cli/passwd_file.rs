//! Changing a password file without ever leaving half of one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use super::passwd::Failure;
use crate::auth::Credential;

/// The lines of a file. What is not changed stays as it is, comments included.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<String>);

impl Lines {
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        match fs::read_to_string(path) {
            Ok(text) => Ok(Self(text.lines().map(str::to_owned).collect())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(format!("there is no file {}; -c makes one.", path.display()))
            }
            Err(error) => Err(format!("{} cannot be read: {error}.", path.display())),
        }
    }

    /// The file's content.
    pub(super) fn text(&self) -> String {
        self.0.iter().map(|line| format!("{line}\n")).collect()
    }

    /// Gives the user this hash, in its old place or at the end.
    pub(super) fn set(&mut self, user: &str, encoded: &str) {
        let line = format!("{user}:{encoded}");
        match self.0.iter_mut().find(|line| user_of(line) == Some(user)) {
            Some(old) => *old = line,
            None => self.0.push(line),
        }
    }

    /// Takes the user out; false when it is not there.
    pub(super) fn delete(&mut self, user: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|line| user_of(line) != Some(user));
        self.0.len() < before
    }

    /// Hashes the plain text after each user's colon.
    pub(super) fn hash_all(
        &mut self,
        make: impl Fn(&[u8]) -> Result<Credential, Failure>,
    ) -> Result<(), Failure> {
        for (number, line) in (1..).zip(&mut self.0) {
            if line.starts_with('#') || line.trim().is_empty() {
                continue;
            }
            let Some((user, password)) = line.split_once(':') else {
                return Err(format!("line {number} has no colon: user:password is expected."));
            };
            if user.trim().is_empty() || password.is_empty() {
                return Err(format!("line {number} lacks the user or the password."));
            }
            *line = format!("{}:{}", user.trim(), make(password.as_bytes())?.encoded());
        }
        Ok(())
    }
}

fn user_of(line: &str) -> Option<&str> {
    let (user, _) = line.split_once(':').filter(|_| !line.starts_with('#'))?;
    Some(user.trim())
}

/// Puts the new file in place of the old one in one step: whoever reads it finds all of the one or
/// all of the other, even after a loss of power. A new file is its owner's alone; one that was
/// there keeps owner and permissions, so that the broker can still read it.
pub(super) fn replace(path: &Path, lines: &Lines) -> Result<(), Failure> {
    // A link stays a link.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let failed = |error: io::Error| format!("{} cannot be written: {error}.", path.display());
    let mut name =
        path.file_name().ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?.to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let new = path.with_file_name(name);
    let written = write(&new, &path, lines).and_then(|()| fs::rename(&new, &path));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&new);
    }
    written.and_then(|()| sync_directory(&path)).map_err(failed)
}

fn write(new: &Path, old: &Path, lines: &Lines) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(new)?;
    if let Ok(was) = fs::metadata(old) {
        let is = file.metadata()?;
        if (is.uid(), is.gid()) != (was.uid(), was.gid()) {
            fchown(&file, Some(was.uid()), Some(was.gid()))?;
        }
        file.set_permissions(fs::Permissions::from_mode(was.mode() & 0o7777))?;
    }
    file.write_all(lines.text().as_bytes())?;
    file.sync_all()
}

/// Makes the new name last, too.
fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Scheme;

    fn lines(text: &str) -> Lines {
        Lines(text.lines().map(str::to_owned).collect())
    }

    #[test]
    fn one_user_is_changed_and_the_rest_stays() {
        let mut file = lines("# head\n\nann:1\n bob :2\n#bob:old\n");
        file.set("bob", "3");
        file.set("eve", "4");
        assert_eq!(file.text(), "# head\n\nann:1\nbob:3\n#bob:old\neve:4\n");
        assert!(file.delete("ann"));
        assert!(!file.delete("ann"));
        assert_eq!(file.text(), "# head\n\nbob:3\n#bob:old\neve:4\n");
    }

    #[test]
    fn plain_text_is_hashed_line_by_line() {
        let make = |password: &[u8]| Ok(Credential::make(Scheme::Sha512, password, &[1; 64]));
        let mut file = lines("# head\nann:pass:word\n\n");
        file.hash_all(make).expect("is good");
        let encoded = user_line(&file, 1);
        assert!(Credential::parse(encoded).expect("hashed").verify(b"pass:word"));
        for bad in ["garbage", "ann:", ":pw"] {
            assert!(lines(&format!("a:b\n{bad}\n")).hash_all(make).unwrap_err().contains("line 2"));
        }
    }

    fn user_line(file: &Lines, at: usize) -> &str {
        file.0[at].split_once(':').expect("user:hash").1
    }

    #[test]
    fn a_new_file_is_private_and_an_old_one_keeps_its_permissions() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("passwd");
        let mode = || fs::metadata(&path).expect("is there").mode() & 0o777;
        replace(&path, &lines("a:1\n")).expect("write");
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("chmod");
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&path, &link).expect("symlink");
        replace(&link, &lines("b:2\n")).expect("write");
        assert_eq!((mode(), fs::read_to_string(&path).expect("read")), (0o640, "b:2\n".into()));
        assert!(fs::symlink_metadata(&link).expect("is there").is_symlink());
        assert_eq!(fs::read_dir(directory.path()).expect("list").count(), 2, "nothing is left");
    }

    #[test]
    fn what_cannot_be_written_leaves_the_old_file() {
        let missing = Path::new("/nowhere/passwd");
        assert!(replace(missing, &lines("a:1\n")).expect_err("no directory").contains("/nowhere"));
        assert!(Lines::read(missing).expect_err("no file").contains("-c makes one"));
    }
}

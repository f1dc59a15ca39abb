//! Reading files that others must not: hashes of passwords, private keys.
//!
//! Symbolic links are followed, since that is how Kubernetes gives secrets to a container: the name
//! is a link into a directory that is a link itself and is exchanged as a whole. So it is the file
//! behind them that is asked; where it is read here, the very one that was opened. What is wrong
//! with its rights is a warning, as in Mosquitto.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf, absolute};

/// Everybody may read it; everybody may change it.
const READ: u32 = 0o004;
const WRITE: u32 = 0o002;

/// The content of a file, and what the operator should know about its rights.
///
/// # Errors
/// When it cannot be read.
pub(super) fn read(path: &Path) -> io::Result<(Vec<u8>, Option<String>)> {
    let mut file = File::open(path)?;
    let warning = rights(path, &file.metadata()?, nix::unistd::geteuid().as_raw());
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    Ok((content, warning))
}

/// What the operator should know about the rights of a file, which somebody else reads.
pub(super) fn warning(path: &Path) -> Option<String> {
    // Not opened: if it were a pipe, that would wait for somebody to write.
    rights(path, &fs::metadata(path).ok()?, nix::unistd::geteuid().as_raw())
}

/// What is wrong with the rights of a file that the user `own` has opened under that path.
fn rights(path: &Path, metadata: &Metadata, own: u32) -> Option<String> {
    // A pipe or a terminal is nobody else's.
    if !metadata.is_file() {
        return None;
    }
    let (mode, owner) = (metadata.mode(), metadata.uid());
    let (what, mend) = if mode & (READ | WRITE) != 0 {
        let verb = if mode & WRITE != 0 { "changed" } else { "read" };
        (format!("can be {verb} by every user of this machine"), "Make it private: chmod 0640")
    } else if owner != own && owner != 0 && own != 0 {
        // Root may be about to become the owner: it opens files before it gives up its rights.
        let mend = "Give it to the broker's user or to root: chown";
        (format!("belongs to another user ({owner}), who can change it"), mend)
    } else {
        return None;
    };
    let link = behind(path);
    let target = link.as_deref().unwrap_or(path).display();
    let name = match &link {
        Some(target) => format!("{} (a link to {})", path.display(), target.display()),
        None => path.display().to_string(),
    };
    Some(format!("{name} {what}. {mend} {target}"))
}

/// Where a path leads if there are links on the way.
fn behind(path: &Path) -> Option<PathBuf> {
    let target = path.canonicalize().ok()?;
    (target != absolute(path).ok()?).then_some(target)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// A secret as Kubernetes mounts it, with this mode; the directory, the link to it.
    fn mounted(mode: u32) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let at = directory.path();
        fs::create_dir(at.join("..1")).expect("a directory");
        fs::write(at.join("..1/passwd"), "secret").expect("write");
        fs::set_permissions(at.join("..1/passwd"), fs::Permissions::from_mode(mode))
            .expect("chmod");
        symlink("..1", at.join("..data")).expect("a link");
        symlink("..data/passwd", at.join("passwd")).expect("a link");
        let path = at.join("passwd");
        (directory, path)
    }

    #[test]
    fn the_file_behind_links_is_read_and_looked_at() {
        let (directory, path) = mounted(0o644);
        let (content, warning) = read(&path).expect("it can be read");
        assert_eq!(content, b"secret");
        let target = directory.path().canonicalize().expect("it is there").join("..1/passwd");
        let said = warning.expect("everybody can read it");
        assert!(said.starts_with(&format!("{} (a link to {})", path.display(), target.display())));
        assert!(said.ends_with(&format!("chmod 0640 {}", target.display())), "{said}");
        assert_eq!(warning_of(&path), Some(said));
        // The link itself may look open to everybody, as links do.
        let (_directory, path) = mounted(0o640);
        assert_eq!(warning_of(&path), None);
        let (_directory, path) = mounted(0o642);
        assert!(warning_of(&path).expect("anybody can write").contains("can be changed by every"));
    }

    #[test]
    fn a_path_without_links_is_not_called_one() {
        let (directory, _) = mounted(0o644);
        let place = directory.path().canonicalize().expect("it is there");
        let said = warning_of(&place.join("./..1/./passwd")).expect("everybody can read it");
        assert!(!said.contains("a link to"), "{said}");
    }

    fn warning_of(path: &Path) -> Option<String> {
        super::warning(path)
    }

    #[test]
    fn a_file_of_another_user_is_told_of() {
        let (_directory, path) = mounted(0o600);
        let metadata = fs::metadata(&path).expect("it is there");
        let own = metadata.uid();
        assert_eq!(rights(&path, &metadata, own), None);
        assert_eq!(rights(&path, &metadata, 0), None, "root, which may become the owner");
        let said = rights(&path, &metadata, own + 1);
        assert_eq!(said.is_some(), own != 0, "root's file is nobody else's: {said:?}");
    }

    #[test]
    fn what_is_no_file_has_no_rights_to_speak_of() {
        assert_eq!(warning_of(Path::new("/dev/null")), None);
        assert!(read(Path::new("/nowhere/passwd")).is_err());
    }
}

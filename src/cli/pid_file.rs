//! The file with the number of the process.

use std::path::{Path, PathBuf};
use std::{fs, io, process};

/// The file; removed when dropped, as far as the user of the process may.
#[derive(Debug)]
pub(super) struct PidFile(PathBuf);

impl PidFile {
    /// Writes the number of this process.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn write(path: &Path) -> io::Result<Self> {
        fs::write(path, process::id().to_string())?;
        Ok(Self(path.into()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Its directory may belong to root alone; a stale file is overwritten by the next start.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_the_number_and_goes_with_the_process() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("pid");
        let file = PidFile::write(&path).expect("it can be written");
        assert_eq!(fs::read_to_string(&path).expect("it is there"), process::id().to_string());
        drop(file);
        assert!(!path.exists());
        assert!(PidFile::write(Path::new("/nowhere/pid")).is_err());
    }
}

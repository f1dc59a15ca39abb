//! The files of an `include_dir`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The files of `directory` whose names end in `.conf`, in the order in which Mosquitto reads
/// them: alphabetical, upper case of a letter before its lower case.
///
/// # Errors
/// When the directory cannot be read.
pub fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        if name.len() > ".conf".len() && name.as_bytes().ends_with(b".conf") {
            names.push(name);
        }
    }
    names.sort_by_cached_key(order);
    Ok(names.into_iter().map(|name| directory.join(name)).collect())
}

fn order(name: &OsString) -> Vec<(u8, u8)> {
    name.as_bytes().iter().map(|&byte| (byte.to_ascii_uppercase(), byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_in_mosquittos_order() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for name in ["b.conf", "A.conf", "a.conf", "B.conf", "00.conf", "01.conf", ".conf", "x"] {
            fs::write(directory.path().join(name), "").expect("write a file");
        }
        let found = files(directory.path()).expect("it can be read");
        let names: Vec<_> = found.iter().filter_map(|path| path.file_name()?.to_str()).collect();
        assert_eq!(names, ["00.conf", "01.conf", "A.conf", "a.conf", "B.conf", "b.conf"]);
    }
}

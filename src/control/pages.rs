//! Reads the files that plain HTTP requests ask for, on a thread of its own.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::thread;

use crate::shard::{Ask, Handle};

/// The largest file that is served, in bytes: it is held in memory until it is sent.
const FILE_MAX: u64 = 16 << 20;

/// Starts the thread, which ends with the shards.
///
/// # Errors
/// When the system refuses a thread.
pub fn serve_pages(handle: Handle) -> io::Result<()> {
    let run = move || {
        while let Some(ask) = handle.next_page() {
            let (shard, page) = answer(ask);
            handle.send_page(shard, page);
        }
    };
    thread::Builder::new().name("pages".into()).spawn(run).map(drop)
}

fn answer(ask: Ask) -> (u16, crate::shard::Page) {
    match read(&ask.directory, &ask.request.path) {
        Ok(body) => ask.answer(200, body),
        Err((status, words)) => ask.answer(status, words.into()),
    }
}

/// Reads a file below `directory`; links that lead out of it are not followed.
fn read(directory: &Path, path: &str) -> Result<Vec<u8>, (u16, &'static str)> {
    let missing = |_: io::Error| (404, "there is no such file");
    let directory = fs::canonicalize(directory).map_err(missing)?;
    let file = fs::canonicalize(directory.join(path)).map_err(missing)?;
    let metadata = fs::metadata(&file).map_err(missing)?;
    // A pipe or a device could keep the thread waiting.
    if !file.starts_with(&directory) || !metadata.is_file() {
        return Err((404, "there is no such file"));
    }
    if metadata.len() > FILE_MAX {
        return Err((413, "the file is too large"));
    }
    let mut body = Vec::with_capacity(metadata.len() as usize);
    File::open(&file)
        .and_then(|file| file.take(FILE_MAX).read_to_end(&mut body))
        .map_err(|_| (403, "the file cannot be read"))?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_below_the_directory_are_read_and_no_others() {
        let outer = tempfile::tempdir().unwrap();
        let directory = outer.path().join("public");
        fs::create_dir_all(directory.join("app")).unwrap();
        fs::write(directory.join("app/index.html"), "<p>").unwrap();
        fs::write(outer.path().join("secret"), "s").unwrap();
        std::os::unix::fs::symlink(outer.path().join("secret"), directory.join("link")).unwrap();
        assert_eq!(read(&directory, "app/index.html").unwrap(), b"<p>");
        for wrong in ["app", "none", "link", "../secret"] {
            assert_eq!(read(&directory, wrong).unwrap_err().0, 404, "{wrong}");
        }
        File::create(directory.join("big")).unwrap().set_len(FILE_MAX + 1).unwrap();
        assert_eq!(read(&directory, "big").unwrap_err().0, 413);
    }
}

//! A Unix domain socket's name in the file system.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

/// Who may connect: as with Mosquitto, everybody who can reach the directory; its permissions, or
/// passwords, say who that is.
const MODE: u32 = 0o777;

/// What tells one socket's name from a later one's: device, inode, and, since inodes are used
/// again, the time of its making.
type Id = (u64, u64, (i64, i64));

fn id(path: &Path) -> io::Result<Id> {
    let metadata = fs::symlink_metadata(path)?;
    let changed = (metadata.ctime(), metadata.ctime_nsec());
    Ok((metadata.dev(), metadata.ino(), changed))
}

/// Removes the name when dropped, if it is still that of the same socket.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    id: Id,
}

impl SocketFile {
    /// Opens a listening socket at `path`. A name that a broker which was killed has left behind,
    /// so that nobody listens there, is removed first. `mode` are its permissions; without, they
    /// are everybody's.
    ///
    /// # Errors
    /// When somebody listens there, when something else has that name, or as the system says.
    pub fn bind(path: &Path, mode: Option<u32>, backlog: i32) -> io::Result<(UnixListener, Self)> {
        remove_stale(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SockAddr::unix(path)?)?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode.unwrap_or(MODE)))?;
        let file = Self { path: path.into(), id: id(path)? };
        socket.listen(backlog)?;
        Ok((socket.into(), file))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if id(&self.path).is_ok_and(|id| id == self.id) {
            // The next start removes it, too.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn remove_stale(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(io::Error::new(
                ErrorKind::AlreadyExists,
                "something that is not a socket has this name",
            ));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        // Somebody accepts, or has a backlog that is full.
        Ok(_) => Err(ErrorKind::AddrInUse.into()),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Err(ErrorKind::AddrInUse.into()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_left_behind_is_taken_over_and_one_in_use_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let (socket, file) = SocketFile::bind(&path, None, 1).unwrap();
        let error = SocketFile::bind(&path, None, 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        drop(socket);
        // As if killed: nobody listens, the name stays.
        let (_socket, again) = SocketFile::bind(&path, None, 1).unwrap();
        drop(file);
        assert!(path.exists(), "the first's name is the second's by now");
        drop(again);
        assert!(!path.exists());
        let (_socket, _file) = SocketFile::bind(&path, Some(0o600), 1).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_is_no_socket_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("precious");
        fs::write(&path, "data").unwrap();
        assert_eq!(SocketFile::bind(&path, None, 1).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"data");
    }
}

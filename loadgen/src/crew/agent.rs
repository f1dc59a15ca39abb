//! `loadgen agent`: starts a worker for each connection.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::thread;

use crate::failure::Failure;
use crate::result::Verdict;

/// Serves until it is killed.
///
/// # Errors
/// If the address is taken.
pub fn run(listen: SocketAddr) -> Result<Verdict, Failure> {
    let listener =
        TcpListener::bind(listen).map_err(|e| Failure::of(&format!("listen on {listen}"), e))?;
    let mut out = io::stdout();
    writeln!(out, "listening on {}", listener.local_addr()?)?;
    out.flush()?;
    for stream in listener.incoming() {
        let started = stream.and_then(serve);
        if let Err(error) = started {
            writeln!(io::stderr(), "loadgen: {error}")?;
        }
    }
    Ok(Verdict::Kept)
}

/// Starts a worker that speaks over `stream`: each has its own descriptors, and one that fails
/// takes no other along.
fn serve(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let output = OwnedFd::from(stream.try_clone()?);
    let mut child = Command::new(std::env::current_exe()?)
        .arg("worker")
        .stdin(Stdio::from(OwnedFd::from(stream)))
        .stdout(Stdio::from(output))
        .spawn()?;
    // Waited for, so that it leaves no zombie; how it ended its conductor knows.
    thread::spawn(move || child.wait());
    Ok(())
}

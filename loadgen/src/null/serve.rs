//! The listener and the threads.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;

use mio::net::TcpListener;

use crate::args::NullArgs;
use crate::failure::Failure;
use crate::net::raise_descriptor_limit;
use crate::result::Verdict;

use super::node::Node;
use super::peers::Peers;

/// Runs until it is killed.
///
/// # Errors
/// If the port is taken or the system fails.
pub fn run(args: &NullArgs) -> Result<Verdict, Failure> {
    raise_descriptor_limit(0)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let listener =
        TcpListener::bind(address).map_err(|e| Failure::of(&format!("listen on {address}"), e))?;
    let mut out = io::stdout();
    writeln!(out, "listening on {}", listener.local_addr()?)?;
    out.flush()?;
    let (peers, ends) = Peers::new(args.threads.max(1))?;
    let mut listener = Some(listener);
    let mut nodes = Vec::new();
    for end in ends {
        nodes.push(Node::new(end, peers.clone(), listener.take(), args.mode)?);
    }
    let threads = nodes.into_iter().enumerate().map(|(index, node)| {
        thread::Builder::new().name(format!("null-{index}")).spawn(move || node.run())
    });
    for thread in threads.collect::<io::Result<Vec<_>>>()? {
        thread.join().map_err(|_| "a thread panicked".to_owned())??;
    }
    Ok(Verdict::Kept)
}

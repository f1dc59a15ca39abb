//! The null broker: what the sockets of a broker cost, and nothing else.
//!
//! It receives, sends and polls as a good broker does: one receive for each readable event into a
//! shared buffer, output gathered per destination, one send for each destination and turn,
//! readiness edge-triggered and registered once. MQTT happens only at the beginning: it answers
//! CONNECT, SUBSCRIBE and PINGREQ, and looks at the first PUBLISH of a connection. From then on
//! that publisher's frames, which must all have the length of the first, are copied to the
//! subscribers of that topic unread. A PUBACK is the packet identifier at its known place.
//!
//! So its CPU time per delivered message is the floor for any broker that uses the same system
//! calls. It has no limits, queues or QoS 2, and must not face a network.

mod node;
mod peers;
mod relay;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;

use mio::net::TcpListener;

use crate::args::{NullArgs, NullMode};
use crate::engine::raise_descriptor_limit;
use crate::failure::Failure;
use crate::report::Verdict;

use node::Node;
use peers::Peers;

/// Runs until it is killed.
///
/// # Errors
/// If the port is taken or the system fails.
pub fn run(args: &NullArgs) -> Result<Verdict, Failure> {
    let NullMode::Broker = args.mode;
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
        nodes.push(Node::new(end, peers.clone(), listener.take())?);
    }
    let threads = nodes.into_iter().enumerate().map(|(index, node)| {
        thread::Builder::new().name(format!("null-{index}")).spawn(move || node.run())
    });
    for thread in threads.collect::<io::Result<Vec<_>>>()? {
        thread.join().map_err(|_| "a thread panicked".to_owned())??;
    }
    Ok(Verdict::Kept)
}

//! What an idle connection costs on each transport. Not a test of behaviour: run it with
//! `cargo test --release --test transports -- --ignored --nocapture idle_connections`.

use crate::site::{KINDS, Kind, Site};
use crate::support::Version::V311;
use crate::support::bytes::Connect;
use crate::support::client::Client;
use crate::support::fresh;

/// Connections of each kind.
const COUNT: usize = 2000;

#[test]
#[ignore = "a measurement"]
#[allow(clippy::print_stdout)]
fn idle_connections_take_these_bytes() {
    println!("{:<10} {:>26}", "transport", "broker's bytes/connection");
    for kind in [Kind::Plain].into_iter().chain(KINDS) {
        // A broker of its own: memory is not given back to the system at once.
        let site = Site::start(1);
        // Whatever is allocated once is there before the first figure.
        let warm: Vec<Client> = (0..64).map(|_| connected(&site, kind)).collect();
        let before = site.broker.memory();
        let clients: Vec<Client> = (0..COUNT).map(|_| connected(&site, kind)).collect();
        let bytes = site.broker.memory().saturating_sub(before) / COUNT as u64;
        println!("{:<10} {bytes:>26}", format!("{kind:?}"));
        drop((warm, clients));
    }
}

fn connected(site: &Site, kind: Kind) -> Client {
    let mut client = site.client(kind, V311);
    client.send(Connect::new(V311, &fresh("idle")).keep_alive(0).bytes());
    assert_eq!(client.connack().code, 0);
    client.ping();
    client
}

//! What a connection costs on each transport: that the broker counts it, and how much it is. The
//! latter is no test of behaviour: run it with
//! `cargo test --release --test transports -- --ignored --nocapture idle_connections`.

use crate::site::{KINDS, Kind, Site};
use crate::support::Version::V311;
use crate::support::broker::SHARDS;
use crate::support::bytes::{Connect, subscribe};
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

/// Reads from `$SYS` how many bytes the broker says that it holds.
struct Watcher {
    client: Client,
    sockets: u64,
    held: u64,
}

impl Watcher {
    fn new(site: &Site) -> Self {
        let mut client = Client::connect(&site.broker, V311, &fresh("watcher"));
        let topics = ["uptime", "connections/socket/count", "heap/current"];
        let topics = topics.map(|topic| format!("$SYS/broker/{topic}"));
        client.send(subscribe(V311, 1, &topics.each_ref().map(|topic| (&**topic, 0))));
        assert_eq!(client.answer(0x90).codes, [0, 0, 0]);
        Self { client, sockets: 0, held: 0 }
    }

    /// Reads one interval's values. Only what has changed is told, but the time first and always.
    fn interval(&mut self) {
        loop {
            let delivery = self.client.receive();
            match delivery.topic.rsplit('/').next() {
                Some("uptime") => return,
                Some("count") => self.sockets = delivery.text().parse().expect("a number"),
                _ => self.held = delivery.text().parse().expect("a number"),
            }
        }
    }

    /// The bytes held with so many clients beside this one, when that has lasted an interval.
    fn held_with(&mut self, clients: u64) -> u64 {
        let mut lasted = 0;
        while lasted < 2 {
            self.interval();
            lasted = if self.sockets == clients + 1 { lasted + 1 } else { 0 };
        }
        self.held
    }
}

#[test]
fn what_layers_hold_is_counted_and_given_back() {
    /// Connections of each kind.
    const EACH: u64 = 40;
    // An open TLS session takes about 3500 bytes; a WebSocket and PROXY's line 105 on average.
    const WITH_TLS: [Kind; 2] = [Kind::Tls, Kind::SecureWeb];
    const WITHOUT: [Kind; 2] = [Kind::Web, Kind::Proxied];
    std::thread::scope(|scope| {
        for shards in SHARDS {
            scope.spawn(move || {
                let site = Site::start_with(shards, |options| options.set("sys_interval", 1));
                let mut watcher = Watcher::new(&site);
                let connect = |kinds: [Kind; 2]| -> Vec<Client> {
                    let each = |kind| (0..EACH).map(move |_| kind);
                    kinds.into_iter().flat_map(each).map(|kind| connected(&site, kind)).collect()
                };
                let clients = connect([Kind::Plain; 2]);
                let plain = watcher.held_with(2 * EACH);
                drop(clients);
                let before = watcher.held_with(0);
                let clients = connect(WITHOUT);
                let without = watcher.held_with(2 * EACH);
                drop(clients);
                let clients = connect(WITH_TLS);
                let tls = watcher.held_with(2 * EACH);
                drop(clients);
                let after = watcher.held_with(0);
                assert!(without > plain + 2 * EACH * 80, "{without}, plain {plain}");
                assert!(tls > without + 2 * EACH * 3000, "{tls}, without TLS {without}");
                // What `$SYS` holds of its own values changes with their digits.
                assert!(after < before + 1000, "{after} bytes from {before}");
            });
        }
    });
}

//! A subscriber of everything that stops reading costs nobody else anything.

use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::clients::{Connect, KINDS, Kind, Library, Message, Peer, Version};
use crate::lines::{follow, wait_for};
use crate::support::broker::Broker;

/// A `mosquitto_sub` of `#` that has been stopped. Killed when dropped.
struct Stalled(Child);

impl Stalled {
    fn start(broker: &Broker, qos: u8) -> Stalled {
        // Without a terminal its output would be held back.
        let mut child = Command::new("stdbuf")
            .args(["-oL", "mosquitto_sub", "-d", "-t", "#", "-F", "%t"])
            .args(["-p", &broker.address.port().to_string(), "-q", &qos.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("start mosquitto_sub; tests/run installs it");
        let lines = follow(child.stdout.take().expect("stdout is piped"));
        wait_for(&lines, |line| line.contains("received SUBACK").then_some(()));
        let stalled = Stalled(child);
        stalled.signal(Signal::SIGSTOP);
        stalled
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id() as i32), signal).expect("signal the stalled client");
    }
}

impl Drop for Stalled {
    fn drop(&mut self) {
        // Both fail only when the process has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn pair(broker: &Broker, kind: Kind) -> (Peer, Peer) {
    let mut subscriber = kind.connect(broker, &Connect::fresh());
    subscriber.subscribe("busy", 2);
    (kind.connect(broker, &Connect::fresh()), subscriber)
}

/// Far more than the sockets between broker and subscriber hold, then one of each kind of client.
#[test]
fn a_stopped_subscriber_of_everything_hurts_nobody() {
    const MESSAGES: usize = 1000;
    let broker = crate::broker(4);
    let stalled: Vec<_> = (0..=2).map(|qos| Stalled::start(&broker, qos)).collect();
    let rumqttc = Kind { library: Library::Rumqttc, version: Version::V5 };
    let (mut publisher, mut subscriber) = pair(&broker, rumqttc);
    for n in 0..MESSAGES {
        let mut payload = vec![b'.'; 64 << 10];
        payload[..4].copy_from_slice(&(n as u32).to_be_bytes());
        let message = Message::new("busy", payload, (n % 3) as u8);
        publisher.publish(&message);
        assert!(subscriber.receive() == message, "message {n}");
    }
    publisher.leave();
    subscriber.leave();
    for kind in KINDS {
        let (mut publisher, mut subscriber) = pair(&broker, kind);
        let message = Message::new("busy", format!("{kind:?}"), 1);
        publisher.publish(&message);
        subscriber.expect(&message);
    }
    for client in &stalled {
        client.signal(Signal::SIGCONT);
    }
}

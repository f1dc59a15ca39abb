//! Every option that is a number, at the ends of its range: the broker starts and serves, and
//! nothing divides by zero, overflows or waits for ever.

use std::fs;
use std::process::{Command, Stdio};

use crate::support::Version::{self, V5, V311};
use crate::support::broker::{Broker, Options};
use crate::support::bytes::{
    Connect, Publish, Will, disconnect, disconnect_with, prop, puback, pubcomp, pubrec, pubrel,
    subscribe,
};
use crate::support::client::Client;
use crate::support::{Scope, fresh};

/// An option whose value is an integer, as docs/options.md has it.
struct Number {
    name: String,
    of_listener: bool,
    low: i64,
    high: i64,
    /// Zero is allowed even where it is below the range.
    zero: bool,
}

/// The generated page names every option there is; a test of its own keeps it up to date.
fn numbers() -> Vec<Number> {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/options.md"))
        .expect("docs/options.md");
    let (mut all, mut section, mut name) = (Vec::new(), "", "");
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title;
        } else if let Some(title) = line.strip_prefix("### `") {
            name = title.trim_end_matches('`');
        } else if let Some(value) = line.strip_prefix("- Value: an integer ") {
            let mut numbers = value
                .split(|c: char| !c.is_ascii_digit() && c != '-')
                .filter_map(|word| word.parse::<i64>().ok());
            let low = numbers.next().expect("a lower bound");
            let high = if value.starts_with("from") { numbers.next() } else { Some(i64::MAX) };
            all.push(Number {
                name: name.into(),
                of_listener: section.starts_with("Listener"),
                low,
                zero: value.contains(", or 0 for "),
                high: high.expect("an upper bound"),
            });
        }
    }
    assert!(all.len() >= 20, "the page has changed its form: {} numbers found", all.len());
    all
}

impl Number {
    fn set(&self, options: Options, value: i64) -> Options {
        if self.of_listener {
            options.listener(self.name.clone(), value)
        } else {
            options.set(self.name.clone(), value)
        }
    }

    /// Its bounds, and the values next to the lower one, zero and one among them where allowed.
    fn ends(&self) -> Vec<i64> {
        let mut ends = vec![self.low, self.low + 1, 0, 1, self.high];
        ends.retain(|value| (self.low..=self.high).contains(value));
        ends.sort_unstable();
        ends.dedup();
        ends
    }
}

/// Which value a number has while another one is tried, so that the broker can be used at all.
fn is_left_alone(number: &Number) -> bool {
    // The port is not a limit, as many threads as the highest number are no test of anything, and
    // a mode needs a Unix socket.
    ["port", "shards", "unix_socket_mode"].contains(&number.name.as_str())
}

/// What a client may see of a broker whose limits are as tight as can be: it is served or turned
/// away, with an answer and without delay. Gives how many of the conversations were whole.
fn exercise(broker: &Broker) -> u32 {
    let mut whole = 0;
    for version in [V311, V5] {
        let topic = fresh("a14");
        let will = Will::new(&topic, "w").qos(1);
        let mut connect = Connect::persistent(version, &fresh("a14")).will(will).keep_alive(1);
        if version == V5 {
            connect = connect
                .with(prop::receive_maximum(1))
                .with(prop::topic_alias_maximum(u16::MAX))
                .with(prop::maximum_packet_size(u32::MAX));
        }
        let mut client = Client::open(broker, version);
        client.send(connect.bytes());
        match client.try_packet() {
            Some(packet) if packet.connack(version).code == 0 => {
                whole += u32::from(converse(&mut client, version, &topic));
            }
            Some(_) => client.closed(),
            None => {}
        }
        client.cut();
        // The Session again, for what waits in it, and then its end.
        let mut client = Client::open(broker, version);
        client.send(connect.clone().keep_alive(u16::MAX).bytes());
        client.send(if version == V5 { disconnect_with(0, &[]) } else { disconnect() });
        client.drain();
    }
    whole
}

fn converse(client: &mut Client, version: Version, topic: &str) -> bool {
    client.send(subscribe(version, 1, &[(topic, 1), ("$share/a14/+", 2)]));
    for id in 2..6 {
        let mut publish = Publish::new(version, topic, "payload").retain().qos(2, id);
        if version == V5 {
            publish = publish.with(prop::message_expiry(1));
        }
        client.send(publish.bytes());
        client.send(pubrel(id));
    }
    client.send(Publish::new(version, topic, "").retain().bytes());
    client.send([0xC0, 0x00]);
    while let Some(packet) = client.try_packet() {
        match packet.first {
            0xD0 => return true,
            0x62 => client.send(pubcomp(packet.answer(0x62, version).id)),
            first if first & 0xF0 == 0x30 => {
                let delivery = packet.delivery(version);
                match delivery.qos {
                    1 => client.send(puback(delivery.id)),
                    2 => client.send(pubrec(delivery.id)),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    false
}

#[test]
fn a14_every_number_at_the_ends_of_its_range() {
    std::thread::scope(|scope| {
        for shards in crate::support::broker::SHARDS {
            scope.spawn(move || {
                for number in numbers().iter().filter(|number| !is_left_alone(number)) {
                    for value in number.ends() {
                        let _scope = Scope(format!("{} = {value}, {shards} shards", number.name));
                        let options = number.set(Options::default(), value);
                        let broker = Broker::start(shards, &options);
                        exercise(&broker);
                        broker.signal(nix::sys::signal::Signal::SIGTERM);
                        assert_eq!(broker.wait_exit().code(), Some(0));
                    }
                }
            });
        }
    });
}

#[test]
fn a14_all_numbers_at_once_at_the_ends_of_their_ranges() {
    for shards in crate::support::broker::SHARDS {
        for high in [false, true] {
            let numbers = numbers();
            let options = numbers
                .iter()
                .filter(|number| !is_left_alone(number))
                .fold(Options::default(), |options, number| {
                    number.set(options, if high { number.high } else { number.low })
                });
            let broker = Broker::start(shards, &options);
            let whole = exercise(&broker);
            assert!(!high || whole == 2, "nothing is tight at the upper ends");
            broker.signal(nix::sys::signal::Signal::SIGTERM);
            assert_eq!(broker.wait_exit().code(), Some(0));
        }
    }
}

#[test]
fn a14_a_number_outside_its_range_is_refused_at_the_start() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("pondhawk.toml");
    for number in numbers() {
        let beyond = [number.low.checked_sub(1), number.high.checked_add(1)];
        let outside = |value: &i64| *value != 0 || !number.zero;
        for value in beyond.into_iter().flatten().filter(outside) {
            let line = format!("{} = {value}\n", number.name);
            let text =
                if number.of_listener { format!("[[listener]]\n{line}") } else { line.clone() };
            fs::write(&path, text).expect("write the configuration");
            let output = Command::new(env!("CARGO_BIN_EXE_pondhawk"))
                .args(["--test-config", "-c"])
                .arg(&path)
                .stdin(Stdio::null())
                .output()
                .expect("run the broker");
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success() && told.contains(&number.name), "{line}{told}");
        }
    }
}

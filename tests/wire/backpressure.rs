//! A client that does not take its answers is read no further, and loses nothing by it. One that
//! does not take its messages costs nobody else.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use crate::support::Version::{V5, V311};
use crate::support::broker::{Broker, Options, each_own_broker};
use crate::support::bytes::{Connect, Publish};
use crate::support::client::{Bystanders, Client};
use crate::support::fresh;

/// Bytes; far above what the sockets' buffers and the broker's own limit take together.
const FAR_TOO_MUCH: usize = 64 << 20;

/// Sends PINGREQ packets until the broker takes no more of them; how many bytes it took.
fn flood(socket: &mut TcpStream, others: &mut Bystanders) -> usize {
    let block = [0xC0, 0].repeat(32_768);
    let mut sent = 0;
    let mut rests = 0;
    socket.set_nonblocking(true).expect("a socket that does not block");
    while rests < 100 && sent < FAR_TOO_MUCH {
        match socket.write(&block[sent % 2..]) {
            Ok(n) => (sent, rests) = (sent + n, 0),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                // The broker's turns go on meanwhile.
                others.exchange();
                rests += 1;
            }
            Err(error) => panic!("the broker has hung up: {error}"),
        }
    }
    socket.set_nonblocking(false).expect("a socket that blocks");
    sent
}

/// Shows 5.0 [MQTT-3.12.4-1]; 3.1.1 [MQTT-3.12.4-1].
#[test]
fn who_sends_without_reading_is_held_back_and_answered_in_the_end() {
    // A turn takes all that was read, so that a hundred turns would empty any socket.
    let options = Options::default().set("read_budget_packets", 1 << 20);
    each_own_broker(&options, |broker| {
        let mut others = Bystanders::new(broker);
        let mut greedy = Client::open_narrow(broker, V311, 4096);
        greedy.send(Connect::new(V311, &fresh("greedy")).bytes());
        assert_eq!(greedy.connack().code, 0);
        let mut socket = greedy.sender();
        let sent = flood(&mut socket, &mut others);
        assert!(sent < FAR_TOO_MUCH, "the broker piles up answers without a bound");
        let mut writer = socket.try_clone().expect("another handle");
        let last = std::thread::spawn(move || {
            // What is left of the packet that was cut, and one more.
            writer.write_all(&[0xC0, 0, 0xC0, 0][sent % 2..]).expect("the rest is taken");
        });
        let mut answers = vec![0; sent - sent % 2 + 4];
        socket.read_exact(&mut answers).expect("an answer to each");
        assert!(answers.chunks(2).all(|answer| answer == [0xD0, 0]), "nothing but PINGRESP");
        last.join().expect("the writer");
        greedy.ping();
        others.exchange();
    });
}

/// Publishes that many messages at QoS 1, a window at a time; the processor time that the broker
/// used, in clock ticks.
fn publish(broker: &Broker, publisher: &mut Client, topic: &str, count: usize) -> u64 {
    const WINDOW: usize = 20;
    let before = broker.processor_ticks();
    let one = |id| Publish::new(V311, topic, "x").qos(1, id).bytes();
    let window: Vec<u8> = (1..=WINDOW as u16).flat_map(one).collect();
    for _ in 0..count / WINDOW {
        publisher.send(&window);
        (0..WINDOW).for_each(|_| drop(publisher.answer(0x40)));
    }
    broker.processor_ticks() - before
}

/// What compares is processor time, of which a busy machine takes nothing away. A broker that looks
/// at every message of a full queue for each one that it refuses needs a hundred times as much.
#[test]
fn a_message_for_a_full_queue_costs_no_more_than_one_for_an_empty_queue() {
    const QUEUE: usize = 40_000;
    let options = Options::default().set("max_queued_messages", QUEUE);
    each_own_broker(&options, |broker| {
        let (topic, away) = (fresh("full"), fresh("away"));
        let mut subscriber = Client::with(broker, &Connect::persistent(V5, &away));
        assert_eq!(subscriber.subscribe(&topic, 1), 1);
        subscriber.cut();
        let mut publisher = Client::connect(broker, V311, &fresh("publisher"));
        let filling = publish(broker, &mut publisher, &topic, QUEUE);
        let refused = publish(broker, &mut publisher, &topic, QUEUE / 4);
        broker.wait_log("The session's queue had reached its limit of messages");
        assert!(
            refused <= filling + 10,
            "{filling} ticks to fill it, {refused} for a quarter more"
        );
    });
}

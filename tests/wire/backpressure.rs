//! A client that does not take its answers is read no further, and loses nothing by it.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use crate::support::Version::V311;
use crate::support::broker::{Options, each_own_broker};
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
        greedy.send(crate::support::bytes::Connect::new(V311, &fresh("greedy")).bytes());
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

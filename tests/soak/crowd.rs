//! Thousands of clients that connect at the same moment from one process.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::support::Version::V5;
use crate::support::broker::Broker;
use crate::support::bytes::{Connect, Publish, disconnect_with, prop};
use crate::support::client::Client;

/// A connection takes up to this long when the queue of the listening socket overflows and the
/// kernel sends SYN again after 1, 3, 7, 15, … seconds.
const PATIENCE: Duration = Duration::from_secs(180);

/// Threads that look after them.
const HANDS: usize = 8;

/// Source addresses; each has about 28,000 ports, a reset connection frees its own at once.
const SOURCES: usize = 64;

/// Begins a connection without waiting for it. What is written waits for its end.
pub fn begin(broker: &Broker, number: usize) -> TcpStream {
    let source = Ipv4Addr::new(127, 0, 1, (1 + number % SOURCES) as u8);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((source, 0)).into()).expect("a free port");
    socket.set_nonblocking(true).expect("O_NONBLOCK");
    if let Err(error) = socket.connect(&broker.address.into()) {
        assert_eq!(error.raw_os_error(), Some(nix::errno::Errno::EINPROGRESS as i32), "{error}");
    }
    socket.set_nonblocking(false).expect("O_NONBLOCK");
    socket.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
    socket.set_write_timeout(Some(PATIENCE)).expect("a write timeout");
    TcpStream::from(socket)
}

/// Does `work` for the numbers below `count` on some threads; the results are in no order.
pub fn share<T: Send>(count: usize, work: impl Fn(Vec<usize>) -> Vec<T> + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let work = &work;
        let hands: Vec<_> = (0..HANDS)
            .map(|hand| scope.spawn(move || work((hand..count).step_by(HANDS).collect())))
            .collect();
        hands.into_iter().flat_map(|hand| hand.join().expect("a hand failed")).collect()
    })
}

/// What a client of the crowd is called, and the topic it subscribes to.
pub fn name(number: usize) -> String {
    format!("crowd/{number}")
}

/// All of them begin to connect before the first is waited for. Each comes with a session that
/// stays; wants it to be there already, or not.
pub fn connect(broker: &Broker, count: usize, present: bool) -> Vec<(usize, Client)> {
    share(count, |numbers| {
        let streams: Vec<_> = numbers.iter().map(|&number| begin(broker, number)).collect();
        let opened = numbers.into_iter().zip(streams);
        let mut clients: Vec<_> = opened
            .map(|(number, stream)| {
                let mut client = Client::over(Box::new(stream), V5);
                let connect = Connect::new(V5, &name(number)).clean(false).keep_alive(0);
                client.send(connect.with(prop::session_expiry(3600)).bytes());
                (number, client)
            })
            .collect();
        for (number, client) in &mut clients {
            let connack = client.connack();
            assert_eq!((connack.code, connack.session_present), (0, present), "client {number}");
        }
        clients
    })
}

/// Publishes one message at QoS 1 to each client of the crowd, `window` at a time.
pub fn publish(publisher: &mut Client, count: usize, payload: &str, window: usize) {
    let numbers: Vec<usize> = (0..count).collect();
    for chunk in numbers.chunks(window) {
        let mut bytes = Vec::new();
        for (at, number) in chunk.iter().enumerate() {
            let publish = Publish::new(V5, &name(*number), payload).qos(1, 1 + at as u16);
            bytes.extend(publish.bytes());
        }
        publisher.send(bytes);
        for _ in chunk {
            assert_eq!(publisher.answer(0x40).codes.first().copied().unwrap_or(0), 0);
        }
    }
}

/// Ends the clients' sessions with them.
pub fn end(clients: Vec<(usize, Client)>) {
    for (_, mut client) in clients {
        client.send(disconnect_with(0, &[prop::session_expiry(0)]));
        client.drain();
    }
}

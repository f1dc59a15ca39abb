//! A client over one TCP connection that sends exactly the bytes it is given and checks exactly
//! what comes back. Every wait has an end, and none is a sleep.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::broker::{Broker, PATIENCE};
use super::bytes::{
    Connect, PINGREQ, PINGRESP, Publish, disconnect, puback, pubcomp, pubrec, pubrel, subscribe,
    text, unsubscribe,
};
use super::link::Link;
use super::parse::{Answer, Connack, Delivery, Packet};
use super::{Version, fresh};

/// One network connection.
pub struct Client {
    stream: Box<dyn Link>,
    input: Vec<u8>,
    start: usize,
    /// Packets that came while another one was waited for.
    passed: VecDeque<Packet>,
    next_id: u16,
    /// The version its answers are read as.
    pub version: Version,
}

/// Where the helpers' own Packet Identifiers begin.
const FIRST_ID: u16 = 0x4000;

fn gone(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted
    )
}

impl Client {
    /// A network connection on which nothing has been said.
    pub fn open(broker: &Broker, version: Version) -> Client {
        Client::dial(broker.address, version)
    }

    /// Like [`Client::open`], to a broker at this address.
    pub fn dial(address: SocketAddr, version: Version) -> Client {
        let stream = TcpStream::connect(address).expect("connect to the broker");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a write timeout");
        Client::over(Box::new(stream), version)
    }

    /// Like [`Client::open`], with a receive buffer of about `bytes`, so that a client that does
    /// not read fills its socket soon.
    pub fn open_narrow(broker: &Broker, version: Version, bytes: usize) -> Client {
        use socket2::{Domain, Socket, Type};
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_recv_buffer_size(bytes).expect("SO_RCVBUF");
        socket.connect(&broker.address.into()).expect("connect to the broker");
        socket.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
        Client::over(Box::new(TcpStream::from(socket)), version)
    }

    /// Over a stream on which nothing of MQTT has been said.
    pub fn over(stream: Box<dyn Link>, version: Version) -> Client {
        let passed = VecDeque::new();
        Client { stream, input: Vec::new(), start: 0, passed, next_id: FIRST_ID, version }
    }

    /// Connects with a clean session.
    pub fn connect(broker: &Broker, version: Version, id: &str) -> Client {
        Client::with(broker, &Connect::new(version, id))
    }

    /// Connects, and wants to be accepted.
    pub fn with(broker: &Broker, connect: &Connect) -> Client {
        Client::accepted(broker, connect).0
    }

    /// Connects, wants to be accepted, and gives the CONNACK too.
    pub fn accepted(broker: &Broker, connect: &Connect) -> (Client, Connack) {
        let mut client = Client::open(broker, connect.version);
        client.send(connect.bytes());
        let connack = client.connack();
        assert_eq!(connack.code, 0, "refused: {connack:?}");
        (client, connack)
    }

    /// Connects, wants a CONNACK that refuses and a closed connection; gives the CONNACK.
    pub fn refused(broker: &Broker, connect: &Connect) -> Connack {
        let mut client = Client::open(broker, connect.version);
        client.send(connect.bytes());
        let connack = client.connack();
        assert_ne!(connack.code, 0, "accepted: {connack:?}");
        client.closed();
        connack
    }

    /// Reads a CONNACK.
    pub fn connack(&mut self) -> Connack {
        self.packet().connack(self.version)
    }

    /// Sends bytes. A connection the broker closed already is found by what is expected next.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        if let Err(error) = self.stream.write_all(bytes.as_ref()) {
            assert!(gone(error.kind()), "send: {error}");
        }
    }

    /// Sends bytes one by one, each in a write of its own.
    pub fn dribble(&mut self, bytes: impl AsRef<[u8]>) {
        for byte in bytes.as_ref() {
            self.send([*byte]);
        }
    }

    /// Sends `head`, makes sure that the broker has read it, then sends `tail`. Only after
    /// CONNECT: a PINGREQ in front of `head` in the same segment is what proves it.
    pub fn split(&mut self, head: &[u8], tail: &[u8]) {
        self.send([&PINGREQ, head].concat());
        self.expect(PINGRESP);
        self.send(tail);
    }

    fn available(&self) -> &[u8] {
        &self.input[self.start..]
    }

    /// Reads more; false at the end of the connection.
    fn fill(&mut self) -> bool {
        if self.start > 0 && self.start * 2 >= self.input.len() {
            self.input.drain(..self.start);
            self.start = 0;
        }
        let mut chunk = [0; 65536];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return false,
                Ok(count) => {
                    self.input.extend_from_slice(&chunk[..count]);
                    return true;
                }
                Err(error) if gone(error.kind()) => return false,
                // With a timeout the system does not go on by itself after a process was stopped.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("nothing came: {error}; have {:02x?}", self.available()),
            }
        }
    }

    /// Reads exactly these bytes.
    pub fn expect(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        assert!(self.passed.is_empty(), "not read yet: {:?}", self.passed);
        while self.available().len() < bytes.len() {
            let mismatch = !bytes.starts_with(self.available());
            if mismatch || !self.fill() {
                panic!("expected {bytes:02x?}, got {:02x?}", self.available());
            }
        }
        let got = &self.available()[..bytes.len()];
        assert_eq!(got, bytes, "expected {bytes:02x?}, got {got:02x?}");
        self.start += bytes.len();
    }

    /// The next Control Packet, or nothing when the connection ended between two packets.
    pub fn try_packet(&mut self) -> Option<Packet> {
        if let Some(packet) = self.passed.pop_front() {
            return Some(packet);
        }
        self.next_packet()
    }

    fn next_packet(&mut self) -> Option<Packet> {
        loop {
            if let Some(packet) = self.take_packet() {
                return Some(packet);
            }
            if !self.fill() {
                let rest = self.available();
                assert!(rest.is_empty(), "the connection ended inside a packet: {rest:02x?}");
                return None;
            }
        }
    }

    fn take_packet(&mut self) -> Option<Packet> {
        let input = &self.input[self.start..];
        let (mut length, mut at) = (0, 1);
        loop {
            let byte = *input.get(at)?;
            length |= ((byte & 0x7F) as usize) << (7 * (at - 1));
            at += 1;
            if byte & 0x80 == 0 {
                break;
            }
            assert!(at < 5, "Remaining Length of more than four bytes");
        }
        let body = input.get(at..at + length)?.to_vec();
        let packet = Packet { first: input[0], body };
        self.start += at + length;
        Some(packet)
    }

    /// The next Control Packet.
    pub fn packet(&mut self) -> Packet {
        self.try_packet().expect("a packet, but the connection was closed")
    }

    /// Wants the connection to be closed with nothing more said.
    pub fn closed(&mut self) {
        if let Some(packet) = self.try_packet() {
            panic!("expected the end of the connection, got {packet:?}");
        }
    }

    /// Wants the connection to be closed for `reason`: version 5 is told so in a DISCONNECT.
    pub fn closed_for(&mut self, reason: u8) {
        self.closed_for_any(&[reason]);
    }

    /// Like [`Client::closed_for`] where the specification leaves a choice.
    pub fn closed_for_any(&mut self, reasons: &[u8]) {
        if self.version == Version::V5 {
            let (reason, _) = self.packet().disconnect();
            assert!(reasons.contains(&reason), "DISCONNECT {reason:#04x}, not {reasons:02x?}");
        }
        self.closed();
    }

    /// Wants nothing to have come that is not read yet, as of a PINGREQ sent now.
    pub fn ping(&mut self) {
        self.send(PINGREQ);
        self.expect(PINGRESP);
    }

    /// Wants nothing of what `publisher` published before now to reach this client: a message sent
    /// after it, which arrives after it whatever shards the two are on, must be the next to come.
    pub fn quiet(&mut self, publisher: &mut Client) {
        let topic = fresh("fence");
        assert_eq!(self.subscribe(&topic, 0), 0, "the fence's subscription");
        publisher.send(Publish::new(publisher.version, &topic, "fence").bytes());
        let delivery = self.delivery();
        assert_eq!(delivery.topic, topic, "nothing but the fence was to come: {delivery:?}");
        self.unsubscribe(&topic);
    }

    /// Receives and acknowledges everything that `publisher` published before now; gives the
    /// payloads.
    pub fn receive_until_fence(&mut self, publisher: &mut Client) -> Vec<String> {
        let fence = fresh("fence");
        let mut got = Vec::new();
        let id = self.fresh_id();
        self.send(subscribe(self.version, id, &[(&fence, 0)]));
        self.collect(&mut got, |packet| packet.first == 0x90);
        loop {
            // What was acknowledged may let more in, and the fence overtakes what waits.
            let before = got.len();
            self.send(PINGREQ);
            self.collect(&mut got, |packet| packet.first == 0xD0);
            publisher.send(Publish::new(publisher.version, &fence, "").bytes());
            let name = text(&fence);
            self.collect(&mut got, |packet| packet.body.starts_with(&name));
            if got.len() == before {
                self.unsubscribe(&fence);
                return got;
            }
        }
    }

    /// Receives messages until another packet comes, which must be the awaited one.
    fn collect(&mut self, got: &mut Vec<String>, awaited: impl Fn(&Packet) -> bool) {
        loop {
            let packet = self.packet();
            if awaited(&packet) {
                return;
            }
            let delivery = packet.delivery(self.version);
            self.acknowledge(&delivery);
            got.push(delivery.text().to_owned());
        }
    }

    /// A Packet Identifier for the helpers below, far from the small ones scenarios choose.
    fn fresh_id(&mut self) -> u16 {
        self.next_id = self.next_id.checked_add(1).unwrap_or(FIRST_ID);
        self.next_id
    }

    /// Subscribes with one Topic Filter and its options byte; gives the code of the SUBACK.
    pub fn subscribe(&mut self, filter: &str, options: u8) -> u8 {
        let id = self.fresh_id();
        self.send(subscribe(self.version, id, &[(filter, options)]));
        let answer = self.answer(0x90);
        assert_eq!(answer.id, id);
        assert_eq!(answer.codes.len(), 1, "{answer:?}");
        answer.codes[0]
    }

    /// Unsubscribes from one Topic Filter; gives the code of the UNSUBACK, 0 before version 5.
    pub fn unsubscribe(&mut self, filter: &str) -> u8 {
        let id = self.fresh_id();
        self.send(unsubscribe(self.version, id, &[filter]));
        let answer = self.answer(0xB0);
        assert_eq!(answer.id, id);
        answer.codes.first().copied().unwrap_or(0)
    }

    /// Reads the answer with this first byte.
    pub fn answer(&mut self, first: u8) -> Answer {
        self.packet().answer(first, self.version)
    }

    /// Publishes and goes through the whole exchange of the QoS; gives the Reason Code of the
    /// first answer.
    pub fn publish(&mut self, topic: &str, payload: impl AsRef<[u8]>, qos: u8) -> u8 {
        let publish = Publish::new(self.version, topic, payload);
        self.publish_with(publish, qos)
    }

    /// Publishes retained, as [`Client::publish`] does.
    pub fn publish_retained(&mut self, topic: &str, payload: impl AsRef<[u8]>, qos: u8) -> u8 {
        let publish = Publish::new(self.version, topic, payload).retain();
        self.publish_with(publish, qos)
    }

    /// Publishes this packet at `qos` with an identifier of its own, as [`Client::publish`] does.
    /// At QoS 0 a PINGREQ afterwards proves that the broker has taken it.
    pub fn publish_with(&mut self, publish: Publish, qos: u8) -> u8 {
        let id = self.fresh_id();
        self.send(publish.qos(qos, id).bytes());
        if qos == 0 {
            self.ping();
            return 0;
        }
        let answer = self.answer(if qos == 1 { 0x40 } else { 0x50 });
        assert_eq!(answer.id, id);
        let code = answer.codes.first().copied().unwrap_or(0);
        if qos == 2 && code < 0x80 {
            self.send(pubrel(id));
            let answer = self.answer(0x70);
            assert_eq!((answer.id, answer.codes.first().copied().unwrap_or(0)), (id, 0));
        }
        code
    }

    /// Reads a PUBLISH and leaves it unacknowledged.
    pub fn delivery(&mut self) -> Delivery {
        self.packet().delivery(self.version)
    }

    /// Reads a PUBLISH and goes through the whole exchange of its QoS.
    pub fn receive(&mut self) -> Delivery {
        let delivery = self.delivery();
        self.acknowledge(&delivery);
        delivery
    }

    /// Reads a PUBLISH as [`Client::receive`] does and compares topic, payload and QoS.
    pub fn receive_this(&mut self, topic: &str, payload: impl AsRef<[u8]>, qos: u8) -> Delivery {
        let delivery = self.receive();
        assert_eq!(
            (delivery.topic.as_str(), delivery.payload.as_slice(), delivery.qos),
            (topic, payload.as_ref(), qos),
        );
        delivery
    }

    /// Goes through the whole exchange of a delivery's QoS.
    pub fn acknowledge(&mut self, delivery: &Delivery) {
        match delivery.qos {
            1 => self.send(puback(delivery.id)),
            2 => {
                self.send(pubrec(delivery.id));
                self.released(delivery.id);
                self.send(pubcomp(delivery.id));
            }
            _ => {}
        }
    }

    /// Reads the PUBREL of `id`; packets that come before it are kept for later.
    pub fn released(&mut self, id: u16) {
        loop {
            let packet = self.next_packet().expect("PUBREL, but the connection was closed");
            if packet.first != 0x62 {
                self.passed.push_back(packet);
            } else {
                assert_eq!(packet.answer(0x62, self.version).id, id);
                return;
            }
        }
    }

    /// Sends DISCONNECT and waits until the broker has closed the connection, by when it has done
    /// all that the packet asks for.
    pub fn leave(mut self) {
        self.send(disconnect());
        self.drain();
    }

    /// Reads until the broker has closed the connection.
    pub fn drain(&mut self) {
        while self.fill() {
            self.start = self.input.len();
        }
    }

    /// Cuts the connection: the broker sees a reset.
    pub fn cut(self) {
        let socket = self.stream.socket();
        let socket = socket2::SockRef::from(&socket);
        socket.set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
    }

    /// Ends the sending side and waits until the broker has closed the connection.
    pub fn hang_up(mut self) {
        // Fails only when the broker has closed already.
        let socket = self.stream.socket();
        let _ = socket2::SockRef::from(&socket).shutdown(Shutdown::Write);
        self.drain();
    }

    /// A second handle of the same connection, to send on while another thread reads.
    pub fn sender(&self) -> TcpStream {
        let stream = self.stream.tcp().expect("a plain connection");
        stream.try_clone().expect("clone the socket")
    }
}

/// A pair of clients that has nothing to do with a scenario, to show that it was not disturbed.
pub struct Bystanders {
    publisher: Client,
    subscriber: Client,
    topic: String,
    sent: u32,
}

impl Bystanders {
    /// Connects the pair.
    pub fn new(broker: &Broker) -> Bystanders {
        let mut subscriber = Client::connect(broker, Version::V311, &fresh("stander-s"));
        let publisher = Client::connect(broker, Version::V5, &fresh("stander-p"));
        let topic = fresh("bystanders");
        assert_eq!(subscriber.subscribe(&topic, 1), 1);
        Bystanders { publisher, subscriber, topic, sent: 0 }
    }

    /// Exchanges one message.
    pub fn exchange(&mut self) {
        self.sent += 1;
        let payload = self.sent.to_string();
        assert_eq!(self.publisher.publish(&self.topic, &payload, 1), 0);
        self.subscriber.receive_this(&self.topic, &payload, 1);
    }

    /// Disconnects the pair.
    pub fn leave(self) {
        self.publisher.leave();
        self.subscriber.leave();
    }
}

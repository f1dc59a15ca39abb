//! The interface through which scenarios move every client library.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

use crate::rumqtt::Rumqtt;
use crate::script::Script;
use crate::support::Scope;
use crate::support::broker::{Broker, PATIENCE};

/// A client library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// paho-mqtt, Python.
    Paho,
    /// gmqtt, Python.
    Gmqtt,
    /// MQTT.js, Node.js.
    MqttJs,
    /// rumqttc, Rust.
    Rumqttc,
}

/// The protocol versions, by the number that stands in CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// MQTT 3.1.
    V31 = 3,
    /// MQTT 3.1.1.
    V311 = 4,
    /// MQTT 5.0.
    V5 = 5,
}

/// A library speaking one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    pub library: Library,
    pub version: Version,
}

const fn kind(library: Library, version: Version) -> Kind {
    Kind { library, version }
}

/// Every library in every version it speaks.
pub const KINDS: [Kind; 10] = [
    kind(Library::Paho, Version::V31),
    kind(Library::Paho, Version::V311),
    kind(Library::Paho, Version::V5),
    kind(Library::Gmqtt, Version::V311),
    kind(Library::Gmqtt, Version::V5),
    kind(Library::MqttJs, Version::V31),
    kind(Library::MqttJs, Version::V311),
    kind(Library::MqttJs, Version::V5),
    kind(Library::Rumqttc, Version::V311),
    kind(Library::Rumqttc, Version::V5),
];

/// An Application Message, sent or received.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    pub topic: String,
    pub payload: Vec<u8>,
    pub qos: u8,
    pub retain: bool,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Message { topic, payload, qos, retain } = self;
        let start = String::from_utf8_lossy(&payload[..payload.len().min(32)]);
        let length = payload.len();
        write!(out, "{topic} {start:?} ({length} bytes), QoS {qos}, retain {retain}")
    }
}

impl Message {
    /// A message that is not retained.
    pub fn new(topic: &str, payload: impl Into<Vec<u8>>, qos: u8) -> Message {
        Message { topic: topic.into(), payload: payload.into(), qos, retain: false }
    }

    /// The same, retained.
    pub fn retained(self) -> Message {
        Message { retain: true, ..self }
    }
}

/// How to connect.
#[derive(Clone, Debug)]
pub struct Connect {
    pub id: String,
    /// Clean Session or Clean Start; if false, the session outlives the connection.
    pub clean: bool,
    pub will: Option<Message>,
    /// Whether the library uses Topic Aliases of its own accord and takes them from the broker,
    /// where it knows how to.
    pub aliases: bool,
}

impl Connect {
    /// A clean session with a name of its own, at most 23 bytes as MQTT 3.1 wants it.
    pub fn fresh() -> Connect {
        Connect { id: fresh("c"), clean: true, will: None, aliases: false }
    }
}

/// A name no other scenario uses.
pub fn fresh(stem: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{stem}{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What a library can be told. Each call returns when the broker has answered.
pub trait Client {
    /// Connects to the broker at 127.0.0.1; returns Session Present.
    fn connect(&mut self, port: u16, version: Version, options: &Connect) -> bool;
    /// Subscribes; returns the granted QoS.
    fn subscribe(&mut self, filter: &str, qos: u8) -> u8;
    /// Publishes, with a Topic Alias if one is given; returns whether the alias stood alone.
    fn publish(&mut self, message: &Message, alias: Option<u16>) -> bool;
    /// Sends DISCONNECT.
    fn leave(&mut self);
    /// Loses the connection without DISCONNECT.
    fn cut(&mut self);
}

/// Messages that came, with the Client Identifier of who got them.
pub type Inbox = Receiver<(String, Message)>;

/// A connected client.
pub struct Peer {
    client: Box<dyn Client + Send>,
    inbox: Option<Inbox>,
    /// Session Present in the CONNACK.
    pub session_present: bool,
}

impl Kind {
    /// Connects a client with an inbox of its own.
    pub fn connect(self, broker: &Broker, options: &Connect) -> Peer {
        let (sender, inbox) = channel();
        let mut peer = self.connect_to(broker, options, sender);
        peer.inbox = Some(inbox);
        peer
    }

    /// Connects a client whose messages go to `inbox`, which it may share with others.
    pub fn connect_to(
        self,
        broker: &Broker,
        options: &Connect,
        inbox: Sender<(String, Message)>,
    ) -> Peer {
        let id = options.id.clone();
        // An inbox that is gone belongs to a scenario that is over.
        let deliver = Box::new(move |message| drop(inbox.send((id.clone(), message))));
        let mut client: Box<dyn Client + Send> = match self.library {
            Library::Rumqttc => Box::new(Rumqtt::new(deliver)),
            script => Box::new(Script::start(script, deliver)),
        };
        let session_present = client.connect(broker.address.port(), self.version, options);
        Peer { client, inbox: None, session_present }
    }
}

impl Peer {
    /// Subscribes, and checks that the QoS is granted.
    pub fn subscribe(&mut self, filter: &str, qos: u8) {
        assert_eq!(self.client.subscribe(filter, qos), qos, "granted QoS for {filter}");
    }

    /// Publishes and waits for the acknowledgement.
    pub fn publish(&mut self, message: &Message) {
        self.client.publish(message, None);
    }

    /// Publishes with a Topic Alias; returns whether it stood alone.
    pub fn publish_aliased(&mut self, message: &Message, alias: u16) -> bool {
        self.client.publish(message, Some(alias))
    }

    /// The next message.
    pub fn receive(&mut self) -> Message {
        let inbox = self.inbox.as_ref().expect("an inbox of its own");
        match inbox.recv_timeout(PATIENCE) {
            Ok((_, message)) => message,
            Err(RecvTimeoutError::Timeout) => panic!("no message came"),
            Err(RecvTimeoutError::Disconnected) => panic!("the client ended"),
        }
    }

    /// Checks that the next message is this one.
    pub fn expect(&mut self, message: &Message) {
        assert_eq!(self.receive(), *message);
    }

    /// The next `count` messages by topic, in the order in which they came.
    pub fn receive_by_topic(&mut self, count: usize) -> BTreeMap<String, Vec<Message>> {
        let mut topics: BTreeMap<String, Vec<Message>> = BTreeMap::new();
        for _ in 0..count {
            let message = self.receive();
            topics.entry(message.topic.clone()).or_default().push(message);
        }
        topics
    }

    /// Sends DISCONNECT.
    pub fn leave(mut self) {
        self.client.leave();
    }

    /// Loses the connection without DISCONNECT.
    pub fn cut(mut self) {
        self.client.cut();
    }
}

/// Runs `scenario` with each kind against one broker.
pub fn each_kind(scenario: impl Fn(&Broker, Kind)) {
    let broker = crate::broker(4);
    for kind in KINDS {
        let _scope = Scope(format!("{kind:?}"));
        scenario(&broker, kind);
    }
}

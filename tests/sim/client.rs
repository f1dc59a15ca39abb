//! A Client: what it remembers as the specification wants it, and what it says.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::packet::{Naming, Reader, Said, encode, offence};
use crate::spec::{ConnectSpec, PublishSpec, Sent, SubSpec};

/// One network connection as its Client sees it; its number is that of the broker's socket.
#[derive(Debug)]
pub struct Line {
    pub client: usize,
    pub spec: ConnectSpec,
    /// Encoded and not yet under way.
    pub out: VecDeque<u8>,
    /// Packets sent and not yet handled by the broker, oldest first, with their sizes.
    pub sent: VecDeque<(Sent, usize)>,
    /// Bytes of those that it has handled.
    pub handled: usize,
    /// Bytes of the largest packet sent.
    pub largest: usize,
    /// Reads the broker's side where it leaves the broker.
    pub reader: Reader,
    /// What the broker said, with the offset of its end, until the Client has read so far.
    pub said: VecDeque<(usize, Said)>,
    /// Bytes that the Client has read.
    read: usize,
    /// CONNACK was read.
    pub connected: bool,
    /// The Client has ended it or gone away.
    pub left: bool,
    /// The broker kept a session that the Client knows nothing of any more: it has to close the
    /// connection [MQTT-3.2.2-4].
    pub gives_up: bool,
    said_disconnect: bool,
    /// Outgoing aliases set on this connection.
    aliases: BTreeMap<u16, String>,
}

/// An own message that is not acknowledged.
#[derive(Clone, Debug)]
struct Outgoing {
    id: u16,
    message: PublishSpec,
    /// PUBREC has come.
    released: bool,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Client {
    pub id: String,
    /// The connection in use.
    pub line: Option<usize>,
    /// Connections left behind open.
    pub old: Vec<usize>,
    outgoing: Vec<Outgoing>,
    /// QoS 2 identifiers between PUBLISH and PUBREL.
    incoming: BTreeSet<u16>,
    /// Acknowledgements owed for what was read on the present connection.
    owed: VecDeque<Sent>,
    next_id: u16,
    /// How often each QoS 2 message was taken, for the promise of exactly once.
    pub taken_twice: BTreeMap<u32, u32>,
    receive_maximum: u16,
    /// It has asked for a clean start, and no CONNACK has said since that it has one.
    pub forgotten: bool,
}

impl Line {
    fn new(client: usize, spec: ConnectSpec) -> Self {
        Self {
            client,
            spec,
            out: VecDeque::new(),
            sent: VecDeque::new(),
            handled: 0,
            largest: 0,
            reader: Reader::default(),
            said: VecDeque::new(),
            read: 0,
            connected: false,
            left: false,
            gives_up: false,
            said_disconnect: false,
            aliases: BTreeMap::new(),
        }
    }

    fn say(&mut self, client_id: &str, sent: Sent) {
        self.say_named(client_id, sent, Naming::Spelled);
    }

    fn say_named(&mut self, client_id: &str, sent: Sent, naming: Naming) {
        if self.left || self.said_disconnect {
            return;
        }
        self.said_disconnect = matches!(sent, Sent::Disconnect { .. } | Sent::Offence { .. });
        let bytes = encode(client_id, self.spec.level, &sent, naming);
        self.largest = self.largest.max(bytes.len());
        self.sent.push_back((sent, bytes.len()));
        self.out.extend(bytes);
    }

    /// The broker has handled the oldest packet.
    pub fn pop_sent(&mut self) -> Option<Sent> {
        let (sent, size) = self.sent.pop_front()?;
        self.handled += size;
        Some(sent)
    }

    /// The packets that the Client has read when it has read `bytes` more.
    pub fn hear(&mut self, bytes: usize) -> Vec<Said> {
        self.read += bytes;
        let mut heard = Vec::new();
        while self.said.front().is_some_and(|(end, _)| *end <= self.read) {
            heard.extend(self.said.pop_front().map(|(_, said)| said));
        }
        heard
    }
}

impl Client {
    pub fn new(number: usize, receive_maximum: u16) -> Self {
        Self {
            id: format!("client-{number}"),
            line: None,
            old: Vec::new(),
            outgoing: Vec::new(),
            incoming: BTreeSet::new(),
            owed: VecDeque::new(),
            next_id: 1,
            taken_twice: BTreeMap::new(),
            receive_maximum,
            forgotten: false,
        }
    }

    /// A new connection with a CONNECT.
    pub fn connect(&mut self, number: usize, spec: ConnectSpec, socket: usize) -> Line {
        self.old.extend(self.line.replace(socket));
        self.owed.clear();
        if spec.clean {
            self.forgotten = true;
            self.forget();
        }
        let mut line = Line::new(number, spec.clone());
        line.say(&self.id, Sent::Connect(spec));
        line
    }

    fn forget(&mut self) {
        self.outgoing.clear();
        self.incoming.clear();
    }

    /// Whether it may say something beyond CONNECT now.
    pub fn may_speak(&self, line: &Line) -> bool {
        !line.left && (line.connected || (line.spec.eager && line.spec.clean))
    }

    fn id(&mut self) -> u16 {
        loop {
            let id = self.next_id;
            self.next_id = if id == u16::MAX { 1 } else { id + 1 };
            if self.outgoing.iter().all(|one| one.id != id) {
                return id;
            }
        }
    }

    pub fn publish(&mut self, line: &mut Line, message: PublishSpec, alias: u16) {
        let mut id = 0;
        if message.qos > 0 {
            // Own flow control [MQTT-4.9]; before CONNACK it does not know how far it may go.
            let limit = if line.connected { usize::from(self.receive_maximum) } else { 1 };
            if self.outgoing.len() >= limit {
                return;
            }
            id = self.id();
            self.outgoing.push(Outgoing { id, message: message.clone(), released: false });
        }
        let mut naming = Naming::Spelled;
        // The broker's maximum is 10 by default, and known only after CONNACK.
        if alias != 0 && line.spec.is_v5() && line.connected {
            let known = line.aliases.get(&alias) == Some(&message.topic);
            line.aliases.insert(alias, message.topic.clone());
            naming = if known { Naming::Alias(alias) } else { Naming::Bind(alias) };
        }
        line.say_named(&self.id, Sent::Publish { message, id, dup: false }, naming);
    }

    pub fn subscribe(&mut self, line: &mut Line, filters: Vec<SubSpec>, subscription_id: u32) {
        let v5 = line.spec.is_v5();
        let plain = |mut filter: SubSpec| {
            if !v5 {
                filter.no_local = false;
                filter.retain_as_published = false;
                filter.retain_handling = 0;
            }
            filter
        };
        let filters = filters.into_iter().map(plain).collect();
        let subscription_id = if v5 { subscription_id } else { 0 };
        let id = self.id();
        line.say(&self.id, Sent::Subscribe { id, subscription_id, filters });
    }

    pub fn unsubscribe(&mut self, line: &mut Line, filter: SubSpec) {
        let id = self.id();
        line.say(&self.id, Sent::Unsubscribe { id, filters: vec![filter] });
    }

    /// Says what no Client may say, and nothing after it.
    pub fn offend(&self, line: &mut Line, kind: u8, properties: usize) {
        line.say(&self.id, offence(&self.id, line.spec.level, kind, properties));
    }

    /// A connection that asks for enhanced authentication; who has it is not let in.
    pub fn knock(&mut self, number: usize, spec: ConnectSpec, socket: usize) -> Line {
        self.old.push(socket);
        let mut line = Line::new(number, spec.clone());
        line.say(&self.id, Sent::Connect(spec));
        line
    }

    pub fn ping(&self, line: &mut Line) {
        line.say(&self.id, Sent::Pingreq);
    }

    pub fn disconnect(&self, line: &mut Line, reason: u8, expiry_s: Option<u32>) {
        let v5 = line.spec.is_v5();
        let reason = if v5 { reason } else { 0 };
        // It may not bring an ended session back to life [MQTT-3.14.2-2].
        let expiry_s = expiry_s.filter(|s| v5 && (line.spec.expiry_s != 0 || *s == 0));
        line.say(&self.id, Sent::Disconnect { reason, expiry_s });
    }

    /// Takes note of what it has read.
    pub fn heard(&mut self, line: &mut Line, said: Said) {
        match said {
            Said::Connack { present, code } => {
                assert_eq!(code, 0, "{} is refused", self.id);
                line.connected = true;
                line.gives_up = present && self.forgotten;
                self.forgotten &= present;
                if present {
                    self.send_again(line);
                } else if !line.spec.clean {
                    // Version 3.1 is not told; then it goes by its own memory.
                    if line.spec.level != 3 { self.forget() } else { self.send_again(line) }
                }
            }
            Said::Publish(delivery) => match delivery.qos {
                1 => self.owed.push_back(Sent::Puback(delivery.id)),
                2 => {
                    if self.incoming.insert(delivery.id)
                        && let Some(mid) = delivery.tagged.or(delivery.mid)
                    {
                        *self.taken_twice.entry(mid).or_insert(0) += 1;
                    }
                    self.owed.push_back(Sent::Pubrec(delivery.id));
                }
                _ => {}
            },
            Said::Puback { id, .. } => self.outgoing.retain(|one| one.id != id),
            Said::Pubrec { id, code } => {
                if code.is_some_and(|code| code >= 0x80) {
                    self.outgoing.retain(|one| one.id != id);
                } else {
                    let one = self.outgoing.iter_mut().find(|one| one.id == id);
                    if let Some(one) = one {
                        one.released = true;
                    }
                    self.owed.push_back(Sent::Pubrel(id));
                }
            }
            Said::Pubrel { id, .. } => {
                self.incoming.remove(&id);
                self.owed.push_back(Sent::Pubcomp(id));
            }
            Said::Pubcomp { id, .. } => self.outgoing.retain(|one| one.id != id),
            Said::Suback { .. } | Said::Unsuback { .. } | Said::Pingresp => {}
            Said::Disconnect { .. } => line.left = true,
        }
    }

    /// What was not acknowledged, in its order [MQTT-4.4.0-1].
    fn send_again(&mut self, line: &mut Line) {
        for one in self.outgoing.clone() {
            if one.released {
                line.say(&self.id, Sent::Pubrel(one.id));
            } else {
                let again = Sent::Publish { message: one.message, id: one.id, dup: true };
                line.say(&self.id, again);
            }
        }
    }

    /// Sends acknowledgements that it owes.
    pub fn answer(&mut self, line: &mut Line, count: usize, from: usize) {
        for _ in 0..count {
            let at = if from < self.owed.len() { from } else { 0 };
            let Some(answer) = self.owed.remove(at) else { return };
            line.say(&self.id, answer);
        }
    }

    /// Whether an acknowledgement is owed.
    pub fn owes(&self) -> bool {
        !self.owed.is_empty()
    }
}

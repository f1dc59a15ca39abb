//! Bytes of what Clients send and a reading of what the broker says, by way of the hand-written
//! builders and the strict parser that the tests over sockets use.

use crate::spec::{ConnectSpec, Sent, WillSpec, named, payload};
use crate::support::Version;
use crate::support::bytes::{self, prop};
use crate::support::parse::{Packet, Properties};

/// The version with that protocol level.
pub fn version(level: u8) -> Version {
    match level {
        3 => Version::V31,
        4 => Version::V311,
        _ => Version::V5,
    }
}

/// How a topic is named in a PUBLISH of version 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    Spelled,
    /// Spelled out and bound to this alias.
    Bind(u16),
    /// The alias alone.
    Alias(u16),
}

/// The bytes of one packet of a connection with that protocol level.
pub fn encode(client_id: &str, level: u8, sent: &Sent, naming: Naming) -> Vec<u8> {
    let version = version(level);
    match sent {
        Sent::Connect(spec) => connect(client_id, spec),
        Sent::Publish { message, id, dup } => {
            let mut publish = bytes::Publish::new(version, &message.topic, message.payload());
            publish = publish.qos(message.qos, *id);
            (publish.retain, publish.dup) = (message.retain, *dup);
            if let Some(seconds) = message.expiry_s {
                publish = publish.with(prop::message_expiry(seconds));
            }
            match naming {
                Naming::Spelled => {}
                Naming::Bind(alias) => publish = publish.with(prop::topic_alias(alias)),
                Naming::Alias(alias) => {
                    publish.topic.clear();
                    publish = publish.with(prop::topic_alias(alias));
                }
            }
            publish.with(prop::user("m", &message.mid.to_string())).bytes()
        }
        Sent::Puback(id) => bytes::puback(*id),
        Sent::Pubrec(id) => bytes::pubrec(*id),
        Sent::Pubrel(id) => bytes::pubrel(*id),
        Sent::Pubcomp(id) => bytes::pubcomp(*id),
        Sent::Subscribe { id, subscription_id, filters } => {
            let names: Vec<(String, u8)> =
                filters.iter().map(|filter| (filter.full(), filter.options())).collect();
            let list: Vec<(&str, u8)> =
                names.iter().map(|(name, options)| (name.as_str(), *options)).collect();
            let with = if *subscription_id == 0 {
                Vec::new()
            } else {
                vec![prop::subscription_id(*subscription_id)]
            };
            bytes::subscribe_with(version, *id, &with, &list)
        }
        Sent::Unsubscribe { id, filters } => {
            let names: Vec<String> = filters.iter().map(|filter| filter.full()).collect();
            let list: Vec<&str> = names.iter().map(String::as_str).collect();
            bytes::unsubscribe(version, *id, &list)
        }
        Sent::Pingreq => bytes::PINGREQ.to_vec(),
        Sent::Disconnect { reason: 0, expiry_s: None } => bytes::disconnect(),
        Sent::Disconnect { reason, expiry_s } => {
            let list: Vec<Vec<u8>> = expiry_s.iter().map(|s| prop::session_expiry(*s)).collect();
            bytes::disconnect_with(*reason, &list)
        }
        Sent::Offence { bytes, .. } => bytes.clone(),
    }
}

fn connect(client_id: &str, spec: &ConnectSpec) -> Vec<u8> {
    let mut connect = bytes::Connect::new(version(spec.level), client_id)
        .clean(spec.clean)
        .keep_alive(spec.keep_alive_s);
    if spec.is_v5() {
        connect = connect.with(prop::session_expiry(spec.expiry_s));
        if spec.receive_maximum != u16::MAX {
            connect = connect.with(prop::receive_maximum(spec.receive_maximum));
        }
        if spec.maximum_packet_size != u32::MAX {
            connect = connect.with(prop::maximum_packet_size(spec.maximum_packet_size));
        }
        if spec.alias_maximum != 0 {
            connect = connect.with(prop::topic_alias_maximum(spec.alias_maximum));
        }
    }
    if let Some(name) = &spec.username {
        connect = connect.login(name, "nobody asks for it");
    }
    if spec.unknown_method {
        connect = connect.with(prop::auth_method("unheard-of"));
    }
    match &spec.will {
        Some(will) => connect.will(will_of(will)).bytes(),
        None => connect.bytes(),
    }
}

fn will_of(spec: &WillSpec) -> bytes::Will {
    let mut will = bytes::Will::new(&spec.topic, payload(spec.mid, 0)).qos(spec.qos);
    will.retain = spec.retain;
    if spec.delay_s != 0 {
        will = will.with(prop::will_delay(spec.delay_s));
    }
    if let Some(seconds) = spec.expiry_s {
        will = will.with(prop::message_expiry(seconds));
    }
    will.with(prop::user("m", &spec.mid.to_string()))
}

/// Something that no Client of that protocol level may send, and the Reason Codes that the broker
/// may have for it. `properties`: how many User Properties are too many.
pub fn offence(client_id: &str, level: u8, kind: u8, properties: usize) -> Sent {
    let version = version(level);
    let (malformed, protocol, quota) = (0x81, 0x82, 0x97);
    let many = || vec![prop::user("more", "of it"); properties];
    let (bytes, codes) = match (kind, level) {
        (0, 5) => {
            let publish = bytes::Publish::new(version, "a", "x").qos(1, 1);
            (many().into_iter().fold(publish, bytes::Publish::with).bytes(), vec![quota])
        }
        (1, 5) => (bytes::subscribe_with(version, 1, &many(), &[("a", 0)]), vec![quota]),
        (2, 5) => (vec![0xF0, 0], vec![protocol]),
        (3, _) => (bytes::Connect::new(version, client_id).bytes(), vec![protocol]),
        (4, _) => (bytes::Publish::new(version, "a/#", "x").bytes(), vec![0x90, malformed]),
        (5, _) => (bytes::subscribe(version, 1, &[]), vec![malformed, protocol]),
        (6, 4 | 5) => (vec![0x60, 2, 0, 1], vec![malformed]), // PUBREL's flags.
        _ => (vec![0x36, 5, 0, 1, b'a', 0, 1], vec![malformed]), // QoS 3.
    };
    Sent::Offence { bytes, codes }
}

/// A PUBLISH that the broker sent.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub topic: String,
    /// The message that its payload names; `None` when it is empty.
    pub mid: Option<u32>,
    /// The message that its User Property names.
    pub tagged: Option<u32>,
    pub qos: u8,
    pub id: u16,
    pub dup: bool,
    pub retain: bool,
    pub expiry_s: Option<u32>,
    pub subscription_ids: Vec<u32>,
    /// Bytes of the packet as sent.
    pub size: usize,
}

/// What the broker says.
#[derive(Clone, Debug)]
pub enum Said {
    Connack { present: bool, code: u8 },
    Publish(Delivery),
    Puback { id: u16, code: Option<u8> },
    Pubrec { id: u16, code: Option<u8> },
    Pubrel { id: u16, code: Option<u8> },
    Pubcomp { id: u16, code: Option<u8> },
    Suback { id: u16, codes: Vec<u8> },
    Unsuback { id: u16, codes: Vec<u8> },
    Pingresp,
    Disconnect { reason: u8 },
}

/// Reads the broker's side of one connection, whatever pieces it comes in.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
    /// Topic Aliases that the broker has set, by number less one.
    aliases: Vec<Option<String>>,
    /// Bytes read, to the end of the last packet.
    pub offset: usize,
}

impl Reader {
    /// Takes bytes; gives the packets that are complete now, each with the offset of its end.
    pub fn read(&mut self, bytes: &[u8], level: u8, alias_maximum: u16) -> Vec<(usize, Said)> {
        self.buffer.extend_from_slice(bytes);
        let mut said = Vec::new();
        let mut at = 0;
        while let Some((first, body, size)) = cut(&self.buffer[at..]) {
            at += size;
            self.offset += size;
            let packet = Packet { first, body };
            said.push((self.offset, self.interpret(&packet, size, level, alias_maximum)));
        }
        self.buffer.drain(..at);
        said
    }

    fn interpret(&mut self, packet: &Packet, size: usize, level: u8, alias_maximum: u16) -> Said {
        let version = version(level);
        let first = packet.first;
        let ack = |packet: &Packet| {
            let answer = packet.answer(first, version);
            (answer.id, answer.codes.first().copied())
        };
        let list = |packet: &Packet| {
            let answer = packet.answer(first, version);
            (answer.id, answer.codes)
        };
        match first >> 4 {
            2 => {
                let connack = packet.connack(version);
                Said::Connack { present: connack.session_present, code: connack.code }
            }
            3 => {
                let delivery = packet.delivery(version);
                let topic = self.topic(delivery.topic, &delivery.properties, alias_maximum);
                Said::Publish(Delivery {
                    topic,
                    mid: named(&delivery.payload),
                    tagged: delivery
                        .properties
                        .users()
                        .iter()
                        .find(|(name, _)| *name == "m")
                        .and_then(|(_, mid)| mid.parse().ok()),
                    qos: delivery.qos,
                    id: delivery.id,
                    dup: delivery.dup,
                    retain: delivery.retain,
                    expiry_s: delivery.properties.int(2),
                    subscription_ids: delivery.properties.ints(0x0B),
                    size,
                })
            }
            4 => {
                let (id, code) = ack(packet);
                Said::Puback { id, code }
            }
            5 => {
                let (id, code) = ack(packet);
                Said::Pubrec { id, code }
            }
            6 => {
                let (id, code) = ack(packet);
                Said::Pubrel { id, code }
            }
            7 => {
                let (id, code) = ack(packet);
                Said::Pubcomp { id, code }
            }
            9 => {
                let (id, codes) = list(packet);
                Said::Suback { id, codes }
            }
            11 => {
                let (id, codes) = list(packet);
                Said::Unsuback { id, codes }
            }
            13 => {
                assert!(packet.body.is_empty(), "PINGRESP with a body");
                Said::Pingresp
            }
            14 => Said::Disconnect { reason: packet.disconnect().0 },
            other => panic!("a broker does not send packets of type {other}"),
        }
    }

    /// The Topic Name, by its alias if it was left out [MQTT-3.3.2-8] and following.
    fn topic(&mut self, topic: String, properties: &Properties, alias_maximum: u16) -> String {
        let Some(alias) = properties.int(0x23) else {
            assert!(!topic.is_empty(), "neither Topic Name nor Topic Alias");
            return topic;
        };
        assert!(
            alias > 0 && alias <= u32::from(alias_maximum),
            "Topic Alias {alias} above the Client's maximum {alias_maximum} [MQTT-3.1.2-26]"
        );
        let index = alias as usize - 1;
        if self.aliases.len() <= index {
            self.aliases.resize(index + 1, None);
        }
        if topic.is_empty() {
            return self.aliases[index].clone().expect("an alias that was never set");
        }
        self.aliases[index] = Some(topic.clone());
        topic
    }
}

/// The first packet in `bytes`, if it is whole: first byte, body, size.
fn cut(bytes: &[u8]) -> Option<(u8, Vec<u8>, usize)> {
    let (mut length, mut at) = (0usize, 1);
    loop {
        let byte = *bytes.get(at)?;
        length |= usize::from(byte & 0x7F) << (7 * (at - 1));
        at += 1;
        if byte & 0x80 == 0 {
            break;
        }
        assert!(at <= 4, "a Remaining Length of more than four bytes");
    }
    let body = bytes.get(at..at + length)?;
    Some((bytes[0], body.to_vec(), at + length))
}

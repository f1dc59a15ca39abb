//! Control Packets as bytes. A builder writes what it is told, right or wrong: nothing here checks
//! that a packet is legal.

use super::Version;

/// PINGREQ.
pub const PINGREQ: [u8; 2] = [0xC0, 0x00];
/// PINGRESP.
pub const PINGRESP: [u8; 2] = [0xD0, 0x00];

/// A fixed header with the length of `parts`, then `parts`.
pub fn packet(first: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [&[first], varint(body.len() as u32).as_slice(), &body].concat()
}

/// A Variable Byte Integer in its shortest form.
pub fn varint(mut value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value % 128) as u8;
        value /= 128;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// A string or binary field: two bytes of length, then the bytes.
pub fn text(value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    [&(value.len() as u16).to_be_bytes(), value].concat()
}

/// Properties with their length in front; nothing at all before version 5.
pub fn properties(version: Version, list: &[Vec<u8>]) -> Vec<u8> {
    match version {
        Version::V5 => {
            let body = list.concat();
            [varint(body.len() as u32), body].concat()
        }
        Version::V31 | Version::V311 => Vec::new(),
    }
}

/// One function for each property, named as the specification names it.
pub mod prop {
    use super::{text, varint};

    fn byte(id: u8, value: u8) -> Vec<u8> {
        vec![id, value]
    }
    fn two(id: u8, value: u16) -> Vec<u8> {
        [&[id], value.to_be_bytes().as_slice()].concat()
    }
    fn four(id: u8, value: u32) -> Vec<u8> {
        [&[id], value.to_be_bytes().as_slice()].concat()
    }
    fn string(id: u8, value: impl AsRef<[u8]>) -> Vec<u8> {
        [vec![id], text(value)].concat()
    }

    pub fn payload_format(value: u8) -> Vec<u8> {
        byte(0x01, value)
    }
    pub fn message_expiry(seconds: u32) -> Vec<u8> {
        four(0x02, seconds)
    }
    pub fn content_type(value: &str) -> Vec<u8> {
        string(0x03, value)
    }
    pub fn response_topic(value: &str) -> Vec<u8> {
        string(0x08, value)
    }
    pub fn correlation_data(value: &[u8]) -> Vec<u8> {
        string(0x09, value)
    }
    pub fn subscription_id(value: u32) -> Vec<u8> {
        [vec![0x0B], varint(value)].concat()
    }
    pub fn session_expiry(seconds: u32) -> Vec<u8> {
        four(0x11, seconds)
    }
    pub fn assigned_id(value: &str) -> Vec<u8> {
        string(0x12, value)
    }
    pub fn server_keep_alive(seconds: u16) -> Vec<u8> {
        two(0x13, seconds)
    }
    pub fn auth_method(value: &str) -> Vec<u8> {
        string(0x15, value)
    }
    pub fn auth_data(value: &[u8]) -> Vec<u8> {
        string(0x16, value)
    }
    pub fn request_problem(value: u8) -> Vec<u8> {
        byte(0x17, value)
    }
    pub fn will_delay(seconds: u32) -> Vec<u8> {
        four(0x18, seconds)
    }
    pub fn request_response(value: u8) -> Vec<u8> {
        byte(0x19, value)
    }
    pub fn response_information(value: &str) -> Vec<u8> {
        string(0x1A, value)
    }
    pub fn server_reference(value: &str) -> Vec<u8> {
        string(0x1C, value)
    }
    pub fn reason_string(value: &str) -> Vec<u8> {
        string(0x1F, value)
    }
    pub fn receive_maximum(value: u16) -> Vec<u8> {
        two(0x21, value)
    }
    pub fn topic_alias_maximum(value: u16) -> Vec<u8> {
        two(0x22, value)
    }
    pub fn topic_alias(value: u16) -> Vec<u8> {
        two(0x23, value)
    }
    pub fn maximum_qos(value: u8) -> Vec<u8> {
        byte(0x24, value)
    }
    pub fn retain_available(value: u8) -> Vec<u8> {
        byte(0x25, value)
    }
    pub fn user(name: &str, value: &str) -> Vec<u8> {
        [vec![0x26], text(name), text(value)].concat()
    }
    pub fn maximum_packet_size(bytes: u32) -> Vec<u8> {
        four(0x27, bytes)
    }
    pub fn wildcard_available(value: u8) -> Vec<u8> {
        byte(0x28, value)
    }
    pub fn subscription_ids_available(value: u8) -> Vec<u8> {
        byte(0x29, value)
    }
    pub fn shared_available(value: u8) -> Vec<u8> {
        byte(0x2A, value)
    }

    /// One well-formed instance of every property there is, with its name.
    pub fn every() -> Vec<(&'static str, Vec<u8>)> {
        vec![
            ("Payload Format Indicator", payload_format(1)),
            ("Message Expiry Interval", message_expiry(60)),
            ("Content Type", content_type("text/plain")),
            ("Response Topic", response_topic("answer/here")),
            ("Correlation Data", correlation_data(&[0, 255, 7])),
            ("Subscription Identifier", subscription_id(9)),
            ("Session Expiry Interval", session_expiry(30)),
            ("Assigned Client Identifier", assigned_id("auto-1")),
            ("Server Keep Alive", server_keep_alive(20)),
            ("Authentication Method", auth_method("PLAIN")),
            ("Authentication Data", auth_data(b"secret")),
            ("Request Problem Information", request_problem(1)),
            ("Will Delay Interval", will_delay(1)),
            ("Request Response Information", request_response(1)),
            ("Response Information", response_information("answers/")),
            ("Server Reference", server_reference("elsewhere:1883")),
            ("Reason String", reason_string("because")),
            ("Receive Maximum", receive_maximum(5)),
            ("Topic Alias Maximum", topic_alias_maximum(5)),
            ("Topic Alias", topic_alias(1)),
            ("Maximum QoS", maximum_qos(1)),
            ("Retain Available", retain_available(1)),
            ("User Property", user("name", "value")),
            ("Maximum Packet Size", maximum_packet_size(1000)),
            ("Wildcard Subscription Available", wildcard_available(1)),
            ("Subscription Identifier Available", subscription_ids_available(1)),
            ("Shared Subscription Available", shared_available(1)),
        ]
    }
}

/// The Will part of a CONNECT.
#[derive(Clone)]
pub struct Will {
    pub topic: String,
    pub payload: Vec<u8>,
    pub qos: u8,
    pub retain: bool,
    pub properties: Vec<Vec<u8>>,
}

impl Will {
    /// A Will Message at QoS 0, not retained, without properties.
    pub fn new(topic: &str, payload: impl AsRef<[u8]>) -> Will {
        Will {
            topic: topic.into(),
            payload: payload.as_ref().to_vec(),
            qos: 0,
            retain: false,
            properties: Vec::new(),
        }
    }

    /// Adds a property.
    pub fn with(mut self, property: Vec<u8>) -> Will {
        self.properties.push(property);
        self
    }

    /// Sets the QoS.
    pub fn qos(mut self, qos: u8) -> Will {
        self.qos = qos;
        self
    }

    /// Sets Will Retain.
    pub fn retained(mut self) -> Will {
        self.retain = true;
        self
    }
}

/// A CONNECT.
#[derive(Clone)]
pub struct Connect {
    pub version: Version,
    pub id: String,
    pub clean: bool,
    pub keep_alive: u16,
    pub will: Option<Will>,
    pub username: Option<String>,
    pub password: Option<Vec<u8>>,
    pub properties: Vec<Vec<u8>>,
}

impl Connect {
    /// With Clean Session or Clean Start, Keep Alive 60, and nothing else.
    pub fn new(version: Version, id: &str) -> Connect {
        Connect {
            version,
            id: id.into(),
            clean: true,
            keep_alive: 60,
            will: None,
            username: None,
            password: None,
            properties: Vec::new(),
        }
    }

    /// Without Clean Session; in version 5 with Clean Start 0 and a Session Expiry Interval of
    /// five minutes.
    pub fn persistent(version: Version, id: &str) -> Connect {
        let mut connect = Connect::new(version, id);
        connect.clean = false;
        connect.with(prop::session_expiry(300))
    }

    /// Adds a property.
    pub fn with(mut self, property: Vec<u8>) -> Connect {
        self.properties.push(property);
        self
    }

    /// Sets User Name and Password.
    pub fn login(mut self, username: &str, password: &str) -> Connect {
        self.username = Some(username.into());
        self.password = Some(password.into());
        self
    }

    /// Sets the Will.
    pub fn will(mut self, will: Will) -> Connect {
        self.will = Some(will);
        self
    }

    /// Sets Clean Session or Clean Start.
    pub fn clean(mut self, clean: bool) -> Connect {
        self.clean = clean;
        self
    }

    /// Sets Keep Alive, in seconds.
    pub fn keep_alive(mut self, seconds: u16) -> Connect {
        self.keep_alive = seconds;
        self
    }

    /// The protocol name and level.
    pub fn protocol(version: Version) -> Vec<u8> {
        match version {
            Version::V31 => b"\x00\x06MQIsdp\x03".to_vec(),
            Version::V311 => b"\x00\x04MQTT\x04".to_vec(),
            Version::V5 => b"\x00\x04MQTT\x05".to_vec(),
        }
    }

    fn flags(&self) -> u8 {
        let will = self
            .will
            .as_ref()
            .map_or(0, |will| 0x04 | will.qos << 3 | if will.retain { 0x20 } else { 0 });
        let clean = if self.clean { 0x02 } else { 0 };
        let username = if self.username.is_some() { 0x80 } else { 0 };
        let password = if self.password.is_some() { 0x40 } else { 0 };
        clean | will | username | password
    }

    /// The packet.
    pub fn bytes(&self) -> Vec<u8> {
        let mut body = Connect::protocol(self.version);
        body.push(self.flags());
        body.extend(self.keep_alive.to_be_bytes());
        body.extend(properties(self.version, &self.properties));
        body.extend(text(&self.id));
        if let Some(will) = &self.will {
            body.extend(properties(self.version, &will.properties));
            body.extend(text(&will.topic));
            body.extend(text(&will.payload));
        }
        body.extend(self.username.iter().flat_map(text));
        body.extend(self.password.iter().flat_map(text));
        packet(0x10, &[&body])
    }
}

/// A PUBLISH.
#[derive(Clone)]
pub struct Publish {
    pub version: Version,
    pub topic: String,
    pub payload: Vec<u8>,
    pub qos: u8,
    pub id: u16,
    pub dup: bool,
    pub retain: bool,
    pub properties: Vec<Vec<u8>>,
}

impl Publish {
    /// At QoS 0, not retained.
    pub fn new(version: Version, topic: &str, payload: impl AsRef<[u8]>) -> Publish {
        Publish {
            version,
            topic: topic.into(),
            payload: payload.as_ref().to_vec(),
            qos: 0,
            id: 0,
            dup: false,
            retain: false,
            properties: Vec::new(),
        }
    }

    /// Sets the QoS and the Packet Identifier.
    pub fn qos(mut self, qos: u8, id: u16) -> Publish {
        (self.qos, self.id) = (qos, id);
        self
    }

    /// Sets RETAIN.
    pub fn retain(mut self) -> Publish {
        self.retain = true;
        self
    }

    /// Sets DUP.
    pub fn dup(mut self) -> Publish {
        self.dup = true;
        self
    }

    /// Adds a property.
    pub fn with(mut self, property: Vec<u8>) -> Publish {
        self.properties.push(property);
        self
    }

    /// The packet.
    pub fn bytes(&self) -> Vec<u8> {
        let first = 0x30 | (self.dup as u8) << 3 | self.qos << 1 | self.retain as u8;
        let id = self.id.to_be_bytes();
        packet(
            first,
            &[
                &text(&self.topic),
                if self.qos > 0 { &id } else { &[] },
                &properties(self.version, &self.properties),
                &self.payload,
            ],
        )
    }
}

/// SUBSCRIBE with the options byte of each Topic Filter.
pub fn subscribe(version: Version, id: u16, filters: &[(&str, u8)]) -> Vec<u8> {
    subscribe_with(version, id, &[], filters)
}

/// SUBSCRIBE with properties.
pub fn subscribe_with(
    version: Version,
    id: u16,
    list: &[Vec<u8>],
    filters: &[(&str, u8)],
) -> Vec<u8> {
    let filters: Vec<u8> = filters
        .iter()
        .flat_map(|(filter, options)| [text(filter), vec![*options]].concat())
        .collect();
    packet(0x82, &[&id.to_be_bytes(), &properties(version, list), &filters])
}

/// UNSUBSCRIBE.
pub fn unsubscribe(version: Version, id: u16, filters: &[&str]) -> Vec<u8> {
    let filters: Vec<u8> = filters.iter().flat_map(text).collect();
    packet(0xA2, &[&id.to_be_bytes(), &properties(version, &[]), &filters])
}

/// PUBACK in its short form, which every version has.
pub fn puback(id: u16) -> Vec<u8> {
    packet(0x40, &[&id.to_be_bytes()])
}

/// PUBREC in its short form.
pub fn pubrec(id: u16) -> Vec<u8> {
    packet(0x50, &[&id.to_be_bytes()])
}

/// PUBREL in its short form.
pub fn pubrel(id: u16) -> Vec<u8> {
    packet(0x62, &[&id.to_be_bytes()])
}

/// PUBCOMP in its short form.
pub fn pubcomp(id: u16) -> Vec<u8> {
    packet(0x70, &[&id.to_be_bytes()])
}

/// A PUBACK, PUBREC, PUBREL or PUBCOMP (by its first byte) of version 5 in its long form.
pub fn acknowledge(first: u8, id: u16, reason: u8, list: &[Vec<u8>]) -> Vec<u8> {
    packet(first, &[&id.to_be_bytes(), &[reason], &properties(Version::V5, list)])
}

/// DISCONNECT in its short form.
pub fn disconnect() -> Vec<u8> {
    vec![0xE0, 0x00]
}

/// DISCONNECT of version 5 in its long form.
pub fn disconnect_with(reason: u8, list: &[Vec<u8>]) -> Vec<u8> {
    packet(0xE0, &[&[reason], &properties(Version::V5, list)])
}

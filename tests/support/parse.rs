//! Reading what the broker sent, by hand, and strictly: anything the specification does not allow
//! there fails the test.

use super::Version;

/// A Control Packet as it came.
#[derive(Clone, PartialEq, Eq)]
pub struct Packet {
    pub first: u8,
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Packet {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const NAMES: [&str; 16] = [
            "type 0",
            "CONNECT",
            "CONNACK",
            "PUBLISH",
            "PUBACK",
            "PUBREC",
            "PUBREL",
            "PUBCOMP",
            "SUBSCRIBE",
            "SUBACK",
            "UNSUBSCRIBE",
            "UNSUBACK",
            "PINGREQ",
            "PINGRESP",
            "DISCONNECT",
            "AUTH",
        ];
        let shown = &self.body[..self.body.len().min(64)];
        write!(out, "{} {:02x} {:02x?}", NAMES[self.first as usize >> 4], self.first, shown)
    }
}

/// A property's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Int(u32),
    Bytes(Vec<u8>),
    Pair(String, String),
}

/// Properties in the order they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties(pub Vec<(u8, Value)>);

impl Properties {
    /// The value of an integer property.
    pub fn int(&self, id: u8) -> Option<u32> {
        self.ints(id).first().copied()
    }

    /// All values of an integer property.
    pub fn ints(&self, id: u8) -> Vec<u32> {
        let of = |(key, value): &(u8, Value)| match value {
            Value::Int(value) if *key == id => Some(*value),
            _ => None,
        };
        self.0.iter().filter_map(of).collect()
    }

    /// The value of a string or binary property.
    pub fn bytes(&self, id: u8) -> Option<&[u8]> {
        self.0.iter().find_map(|(key, value)| match value {
            Value::Bytes(value) if *key == id => Some(value.as_slice()),
            _ => None,
        })
    }

    /// The value of a string property.
    pub fn text(&self, id: u8) -> Option<String> {
        self.bytes(id).map(|bytes| String::from_utf8(bytes.to_vec()).expect("UTF-8"))
    }

    /// The User Properties in order.
    pub fn users(&self) -> Vec<(&str, &str)> {
        self.0
            .iter()
            .filter_map(|(_, value)| match value {
                Value::Pair(name, value) => Some((name.as_str(), value.as_str())),
                Value::Int(_) | Value::Bytes(_) => None,
            })
            .collect()
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        assert!(self.0.len() >= count, "the packet ends too early");
        let (head, rest) = self.0.split_at(count);
        self.0 = rest;
        head
    }
    fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }
    fn two(&mut self) -> u16 {
        u16::from_be_bytes(self.take(2).try_into().unwrap())
    }
    fn four(&mut self) -> u32 {
        u32::from_be_bytes(self.take(4).try_into().unwrap())
    }
    fn varint(&mut self) -> u32 {
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte();
            value |= u32::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return value;
            }
        }
        panic!("a Variable Byte Integer of more than four bytes");
    }
    fn bytes(&mut self) -> Vec<u8> {
        let length = self.two();
        self.take(length as usize).to_vec()
    }
    fn text(&mut self) -> String {
        String::from_utf8(self.bytes()).expect("UTF-8")
    }

    fn property(&mut self) -> (u8, Value) {
        let id = self.byte();
        let value = match id {
            0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28 | 0x29 | 0x2A => Value::Int(self.byte().into()),
            0x13 | 0x21 | 0x22 | 0x23 => Value::Int(self.two().into()),
            0x02 | 0x11 | 0x18 | 0x27 => Value::Int(self.four()),
            0x0B => Value::Int(self.varint()),
            0x03 | 0x08 | 0x09 | 0x12 | 0x15 | 0x16 | 0x1A | 0x1C | 0x1F => {
                Value::Bytes(self.bytes())
            }
            0x26 => Value::Pair(self.text(), self.text()),
            _ => panic!("no such property: {id:#04x}"),
        };
        (id, value)
    }

    fn properties(&mut self, allowed: &[u8]) -> Properties {
        let length = self.varint();
        let mut inner = Reader(self.take(length as usize));
        let mut list: Vec<(u8, Value)> = Vec::new();
        while !inner.0.is_empty() {
            let (id, value) = inner.property();
            assert!(allowed.contains(&id), "property {id:#04x} may not stand here");
            let repeatable = id == 0x26 || id == 0x0B;
            assert!(repeatable || list.iter().all(|(other, _)| *other != id), "{id:#04x} twice");
            list.push((id, value));
        }
        Properties(list)
    }

    fn end(&self) {
        assert!(self.0.is_empty(), "bytes after the packet's end: {:02x?}", self.0);
    }
}

/// CONNACK.
#[derive(Clone, Debug)]
pub struct Connack {
    pub session_present: bool,
    pub code: u8,
    pub properties: Properties,
}

/// PUBLISH from the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub dup: bool,
    pub qos: u8,
    pub retain: bool,
    pub topic: String,
    pub id: u16,
    pub properties: Properties,
    pub payload: Vec<u8>,
}

impl Delivery {
    /// The payload as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.payload).expect("UTF-8")
    }
}

/// PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK or UNSUBACK.
#[derive(Clone, Debug)]
pub struct Answer {
    pub id: u16,
    /// The Reason Codes; one for the publish acknowledgements, none where the version has none.
    pub codes: Vec<u8>,
    pub properties: Properties,
}

impl Packet {
    /// Reads it as CONNACK.
    pub fn connack(&self, version: Version) -> Connack {
        assert_eq!(self.first, 0x20, "CONNACK expected, not {self:?}");
        let mut reader = Reader(&self.body);
        let flags = reader.byte();
        assert!(flags <= 1, "reserved CONNACK flags are set");
        let code = reader.byte();
        let allowed = [
            0x11, 0x12, 0x13, 0x15, 0x16, 0x1A, 0x1C, 0x1F, 0x21, 0x22, 0x24, 0x25, 0x26, 0x27,
            0x28, 0x29, 0x2A,
        ];
        let properties = match version {
            Version::V5 => reader.properties(&allowed),
            Version::V31 | Version::V311 => Properties::default(),
        };
        reader.end();
        assert!(code == 0 || flags == 0, "Session Present in a refusal [MQTT-3.2.2-6]");
        Connack { session_present: flags == 1, code, properties }
    }

    /// Reads it as PUBLISH.
    pub fn delivery(&self, version: Version) -> Delivery {
        assert_eq!(self.first & 0xF0, 0x30, "PUBLISH expected, not {self:?}");
        let qos = self.first >> 1 & 3;
        assert!(qos < 3, "QoS 3");
        let dup = self.first & 8 != 0;
        assert!(!(dup && qos == 0), "DUP at QoS 0 [MQTT-3.3.1-2]");
        let mut reader = Reader(&self.body);
        let topic = reader.text();
        let id = if qos > 0 { reader.two() } else { 0 };
        assert!(qos == 0 || id != 0, "Packet Identifier 0");
        let properties = match version {
            Version::V5 => reader.properties(&[0x01, 0x02, 0x03, 0x08, 0x09, 0x0B, 0x23, 0x26]),
            Version::V31 | Version::V311 => Properties::default(),
        };
        let payload = reader.0.to_vec();
        let retain = self.first & 1 != 0;
        Delivery { dup, qos, retain, topic, id, properties, payload }
    }

    /// Reads it as the answer whose first byte is `first`.
    pub fn answer(&self, first: u8, version: Version) -> Answer {
        assert_eq!(self.first, first, "answer {first:#04x} expected, not {self:?}");
        let mut reader = Reader(&self.body);
        let id = reader.two();
        let lists = first == 0x90 || first == 0xB0;
        let mut properties = Properties::default();
        let mut codes = Vec::new();
        if version == Version::V5 && lists {
            properties = reader.properties(&[0x1F, 0x26]);
            codes = reader.0.to_vec();
        } else if version == Version::V5 {
            codes.push(if reader.0.is_empty() { 0 } else { reader.byte() });
            if !reader.0.is_empty() {
                properties = reader.properties(&[0x1F, 0x26]);
            }
            reader.end();
        } else if first == 0x90 {
            codes = reader.0.to_vec();
        } else {
            reader.end();
        }
        Answer { id, codes, properties }
    }

    /// Reads it as DISCONNECT of version 5: the Reason Code and the properties.
    pub fn disconnect(&self) -> (u8, Properties) {
        assert_eq!(self.first, 0xE0, "DISCONNECT expected, not {self:?}");
        let mut reader = Reader(&self.body);
        if reader.0.is_empty() {
            return (0, Properties::default());
        }
        let reason = reader.byte();
        if reader.0.is_empty() {
            return (reason, Properties::default());
        }
        // A server sends no Session Expiry Interval [MQTT-3.14.2-2].
        let properties = reader.properties(&[0x1C, 0x1F, 0x26]);
        reader.end();
        (reason, properties)
    }
}

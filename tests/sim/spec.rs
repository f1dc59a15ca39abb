//! Words that the plan, the Clients and the model share: what a Client asks for.

/// Session Expiry Interval of a session that does not end.
pub const NEVER: u32 = u32::MAX;

/// A Will as the Client sets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WillSpec {
    pub mid: u32,
    pub topic: String,
    pub qos: u8,
    pub retain: bool,
    pub delay_s: u32,
    pub expiry_s: Option<u32>,
}

/// A CONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectSpec {
    /// 3, 4 or 5, as in the packet.
    pub level: u8,
    pub clean: bool,
    /// Version 5 only; version 3 has 0 or [`NEVER`] by `clean`.
    pub expiry_s: u32,
    pub keep_alive_s: u16,
    pub receive_maximum: u16,
    pub maximum_packet_size: u32,
    pub alias_maximum: u16,
    pub will: Option<WillSpec>,
    pub username: Option<String>,
    /// Asks for enhanced authentication, by a method that the broker does not know.
    pub unknown_method: bool,
    /// Sends what follows without waiting for the CONNACK.
    pub eager: bool,
}

impl ConnectSpec {
    pub fn is_v5(&self) -> bool {
        self.level == 5
    }

    /// The Session Expiry Interval that the session gets.
    pub fn session_expiry_s(&self) -> u32 {
        match (self.level, self.clean) {
            (5, _) => self.expiry_s,
            (_, true) => 0,
            (_, false) => NEVER,
        }
    }
}

/// One Topic Filter of a SUBSCRIBE, with its options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubSpec {
    /// Without `$share` and ShareName.
    pub filter: String,
    pub group: Option<String>,
    pub qos: u8,
    pub no_local: bool,
    pub retain_as_published: bool,
    pub retain_handling: u8,
}

impl SubSpec {
    /// The filter as the packet has it.
    pub fn full(&self) -> String {
        match &self.group {
            Some(group) => format!("$share/{group}/{}", self.filter),
            None => self.filter.clone(),
        }
    }

    /// The options byte; version 3 has the QoS alone.
    pub fn options(&self) -> u8 {
        self.qos
            | u8::from(self.no_local) << 2
            | u8::from(self.retain_as_published) << 3
            | self.retain_handling << 4
    }
}

/// A PUBLISH as its Client means it; `mid` names the message for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishSpec {
    pub mid: u32,
    pub topic: String,
    pub qos: u8,
    pub retain: bool,
    /// An empty payload, which clears the Retained Message.
    pub empty: bool,
    pub size: usize,
    pub expiry_s: Option<u32>,
}

impl PublishSpec {
    /// `m<mid>.` and filling, or nothing.
    pub fn payload(&self) -> Vec<u8> {
        if self.empty { Vec::new() } else { payload(self.mid, self.size) }
    }
}

/// The payload that names a message.
pub fn payload(mid: u32, size: usize) -> Vec<u8> {
    let mut bytes = format!("m{mid}.").into_bytes();
    if bytes.len() < size {
        bytes.resize(size, b'x');
    }
    bytes
}

/// The message that a payload names.
pub fn named(payload: &[u8]) -> Option<u32> {
    let end = payload.iter().position(|byte| *byte == b'.')?;
    std::str::from_utf8(payload.get(1..end)?).ok()?.parse().ok()
}

/// A packet that a Client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    Connect(ConnectSpec),
    Publish {
        message: PublishSpec,
        id: u16,
        dup: bool,
    },
    Puback(u16),
    Pubrec(u16),
    Pubrel(u16),
    Pubcomp(u16),
    Subscribe {
        id: u16,
        subscription_id: u32,
        filters: Vec<SubSpec>,
    },
    Unsubscribe {
        id: u16,
        filters: Vec<SubSpec>,
    },
    Pingreq,
    Disconnect {
        reason: u8,
        expiry_s: Option<u32>,
    },
    /// What no Client may send; the Reason Codes that the broker may have for it.
    Offence {
        bytes: Vec<u8>,
        codes: Vec<u8>,
    },
}

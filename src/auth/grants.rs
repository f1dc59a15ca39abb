//! What access rules say about a topic.

/// What the rules that match a topic grant and deny, all of them together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grants(u8);

/// What a Client wants of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To be sent its messages.
    Read,
    /// To publish to it.
    Write,
}

impl Grants {
    /// No rule matches.
    pub const NONE: Self = Self(0);
    /// `read`
    pub const READ: Self = Self(1);
    /// `write`
    pub const WRITE: Self = Self(2);
    /// `readwrite`
    pub const BOTH: Self = Self(3);
    /// `deny`
    pub const DENY: Self = Self(4);

    /// Adds what another rule says.
    pub fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// A rule refuses the topic, whatever others grant.
    pub fn denies(self) -> bool {
        self.0 & Self::DENY.0 != 0
    }

    /// Whether what is granted, and not denied, is enough.
    pub fn allow(self, access: Access) -> bool {
        let wanted = match access {
            Access::Read => Self::READ,
            Access::Write => Self::WRITE,
        };
        !self.denies() && self.0 & wanted.0 != 0
    }
}

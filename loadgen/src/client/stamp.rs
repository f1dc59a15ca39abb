//! What a payload says of its message.

/// Bytes of a stamp at the front of each payload.
pub const STAMP_LEN: usize = 16;

/// Flow, sequence number and intended time of one Application Message.
///
/// On the wire: intended time (8 bytes), flow (4), sequence (4), all little endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When the message was due to be sent, [`crate::clock::now_ns`].
    pub intended_ns: u64,
    /// Which publisher.
    pub flow: u32,
    /// Counts the publisher's messages from 0, wrapping.
    pub sequence: u32,
}

impl Stamp {
    /// Writes the stamp over the first [`STAMP_LEN`] bytes of a payload.
    #[inline]
    pub fn write(self, payload: &mut [u8; STAMP_LEN]) {
        payload[..8].copy_from_slice(&self.intended_ns.to_le_bytes());
        payload[8..12].copy_from_slice(&self.flow.to_le_bytes());
        payload[12..].copy_from_slice(&self.sequence.to_le_bytes());
    }

    /// Reads the stamp of a payload; `None` if the payload is too short to carry one.
    #[inline]
    pub fn read(payload: &[u8]) -> Option<Self> {
        let bytes: &[u8; STAMP_LEN] = payload.first_chunk()?;
        let (intended, rest) = bytes.split_first_chunk::<8>()?;
        let (flow, sequence) = rest.split_first_chunk::<4>()?;
        Some(Self {
            intended_ns: u64::from_le_bytes(*intended),
            flow: u32::from_le_bytes(*flow),
            sequence: u32::from_le_bytes(*sequence.first_chunk()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_survives_the_payload() {
        let stamp = Stamp { intended_ns: 0x0102_0304_0506_0708, flow: 7, sequence: u32::MAX };
        let mut payload = [0; STAMP_LEN];
        stamp.write(&mut payload);
        assert_eq!(Stamp::read(&payload), Some(stamp));
        assert_eq!(Stamp::read(&payload[..STAMP_LEN - 1]), None);
    }
}

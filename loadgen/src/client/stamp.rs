//! What a payload says of its message.

use std::sync::LazyLock;

/// Bytes of a stamp at the front of each payload.
pub const STAMP_LEN: usize = 16;

/// The flow of Will Messages, which no publisher has.
pub const WILL_FLOW: u32 = u32::MAX;

/// Bits of the time in a stamp: it wraps after 78 hours.
const TIME_MASK: u64 = (1 << 48) - 1;

/// Length after which the filling repeats, bytes.
const PERIOD: usize = 4096;

/// What stands behind the stamp: bytes that follow from their position, so that a payload cut,
/// shifted or overwritten shows.
static FILLING: LazyLock<Box<[u8]>> =
    LazyLock::new(|| (0..PERIOD).map(|at| (at * 31 + at / 251) as u8).collect());

/// Flow, sequence number and intended time of one Application Message.
///
/// On the wire: intended time modulo 2^48 (6 bytes), flow (4), sequence (4), all little endian,
/// and a check value (2) over them and the payload's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When the message was due to be sent, [`crate::clock::now_ns`].
    pub intended_ns: u64,
    /// Which publisher and topic.
    pub flow: u32,
    /// Counts the flow's messages from 0, wrapping.
    pub sequence: u32,
}

/// Why a payload has no stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoStamp {
    /// It is too short for one.
    Short,
    /// Its check value or its filling is wrong; with the flow if the check value is right.
    Corrupted(Option<u32>),
}

impl Stamp {
    /// Writes stamp and filling over a payload of at least [`STAMP_LEN`] bytes.
    pub fn fill(self, payload: &mut [u8]) {
        let (stamp, filling) = payload.split_at_mut(STAMP_LEN);
        for chunk in filling.chunks_mut(PERIOD) {
            chunk.copy_from_slice(&FILLING[..chunk.len()]);
        }
        let len = filling.len() + STAMP_LEN;
        if let Some(stamp) = stamp.first_chunk_mut() {
            self.write(stamp, len);
        }
    }

    /// Writes the stamp of a payload of `len` bytes that is filled already.
    #[inline]
    pub fn write(self, stamp: &mut [u8; STAMP_LEN], len: usize) {
        let time = self.intended_ns & TIME_MASK;
        let low = time | u64::from(self.flow) << 48;
        let high = u64::from(self.flow >> 16) | u64::from(self.sequence) << 16;
        stamp[..8].copy_from_slice(&low.to_le_bytes());
        let check = check(low, high, len);
        stamp[8..].copy_from_slice(&(high | u64::from(check) << 48).to_le_bytes());
    }

    /// Reads the stamp of a payload that arrived at `now_ns`.
    ///
    /// # Errors
    /// If the payload is not one that a publisher of this program sent.
    #[inline]
    pub fn read(payload: &[u8], now_ns: u64) -> Result<Self, NoStamp> {
        let (stamp, filling) = payload.split_first_chunk::<STAMP_LEN>().ok_or(NoStamp::Short)?;
        let word = |at: usize| stamp[at..].first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
        let (low, checked) = (word(0), word(8));
        let high = checked & TIME_MASK;
        let filled = filling.chunks(PERIOD).all(|chunk| *chunk == FILLING[..chunk.len()]);
        let flow = (low >> 48) as u32 | ((high & 0xFFFF) << 16) as u32;
        if (checked >> 48) as u16 != check(low, high, payload.len()) {
            return Err(NoStamp::Corrupted(None));
        }
        if !filled {
            return Err(NoStamp::Corrupted(Some(flow)));
        }
        let age = now_ns.wrapping_sub(low) & TIME_MASK;
        // More than half the range ago is a little in the future: another clock, or none.
        let age = if age > TIME_MASK / 2 { 0 } else { age };
        Ok(Self { intended_ns: now_ns.saturating_sub(age), flow, sequence: (high >> 16) as u32 })
    }
}

/// Sixteen bits that each bit of the stamp changes.
#[inline]
fn check(low: u64, high: u64, len: usize) -> u16 {
    // Multiplications by odd constants without structure (the digits of π), folded.
    let product = (low ^ 0x243F_6A88_85A3_08D3) as u128
        * ((high ^ (len as u64) << 48) ^ 0x1319_8A2E_0370_7345 | 1) as u128;
    let folded = (product as u64) ^ (product >> 64) as u64;
    let mixed = (folded ^ low.rotate_left(29) ^ high).wrapping_mul(0xA409_3822_299F_31D1);
    (mixed >> 48) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 0x0A_0102_0304_0506;
    const STAMP: Stamp = Stamp { intended_ns: NOW - 77, flow: 0xABCD_1234, sequence: u32::MAX };

    #[test]
    fn a_stamp_survives_the_payload() {
        for len in [STAMP_LEN, STAMP_LEN + 1, 5000, 20_000] {
            let mut payload = vec![0; len];
            STAMP.fill(&mut payload);
            assert_eq!(Stamp::read(&payload, NOW), Ok(STAMP));
        }
        assert_eq!(Stamp::read(&[0; STAMP_LEN - 1], NOW), Err(NoStamp::Short));
    }

    #[test]
    fn every_single_bit_is_watched() {
        let mut payload = vec![0; 300];
        STAMP.fill(&mut payload);
        for bit in 0..payload.len() * 8 {
            payload[bit / 8] ^= 1 << (bit % 8);
            let flow = (bit >= STAMP_LEN * 8).then_some(STAMP.flow);
            assert_eq!(Stamp::read(&payload, NOW), Err(NoStamp::Corrupted(flow)), "bit {bit}");
            payload[bit / 8] ^= 1 << (bit % 8);
        }
        assert_eq!(Stamp::read(&payload[..299], NOW), Err(NoStamp::Corrupted(None)), "cut");
    }

    #[test]
    fn the_time_may_wrap_between_sending_and_arrival() {
        let now = (3 << 48) + 5;
        let stamp = Stamp { intended_ns: now - 10, ..STAMP };
        let mut payload = [0; STAMP_LEN];
        stamp.fill(&mut payload);
        assert_eq!(Stamp::read(&payload, now), Ok(stamp));
        assert_eq!(
            Stamp::read(&payload, now - 20).unwrap().intended_ns,
            now - 20,
            "no age below 0"
        );
    }
}

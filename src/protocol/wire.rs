//! The data types of section 1.5: a reader over a received slice, and the writers.

use super::error::DecodeError;
use super::text;

const TRUNCATED: DecodeError = DecodeError::malformed("", "packet ends too early");

#[cfg(debug_assertions)]
thread_local! {
    static BYTES_READ: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Bytes that this thread's decoders have read, each time they read them: the measure by which a
/// test tells linear work from worse. Counted with debug assertions only; 0 without.
pub fn bytes_read() -> u64 {
    #[cfg(debug_assertions)]
    return BYTES_READ.get();
    #[cfg(not(debug_assertions))]
    0
}

#[inline]
fn count_read(_bytes: usize) {
    #[cfg(debug_assertions)]
    BYTES_READ.set(BYTES_READ.get() + _bytes as u64);
}

/// A cursor over the bytes of one packet; never reads past them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    #[inline]
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The number of bytes not read yet.
    #[inline]
    pub(super) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Everything not read yet.
    #[inline]
    pub(super) fn into_rest(self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(super) fn bytes(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(TRUNCATED)?;
        self.rest = rest;
        count_read(len);
        Ok(head)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(TRUNCATED)?;
        self.rest = rest;
        count_read(N);
        Ok(*head)
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    #[inline]
    pub(super) fn two(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    #[inline]
    pub(super) fn four(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    /// A byte that may only be 0 or 1; every such property calls another value a Protocol Error.
    #[inline]
    pub(super) fn boolean(&mut self) -> Result<bool, DecodeError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::protocol("", "property value is neither 0 nor 1")),
        }
    }

    /// A Variable Byte Integer in its shortest form [MQTT-1.5.5-1].
    #[inline]
    pub(super) fn varint(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            value |= u32::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    let what = "variable byte integer is not in its shortest form";
                    return Err(DecodeError::malformed("MQTT-1.5.5-1", what));
                }
                return Ok(value);
            }
        }
        let what = "variable byte integer is longer than four bytes";
        Err(DecodeError::malformed("MQTT-1.5.5-1", what))
    }

    /// Binary Data: a two-byte length and that many bytes.
    #[inline]
    pub(super) fn binary(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.two()?;
        self.bytes(len.into())
    }

    /// A UTF-8 Encoded String.
    #[inline]
    pub(super) fn text(&mut self) -> Result<&'a str, DecodeError> {
        text::check(self.binary()?)
    }

    /// A UTF-8 String Pair.
    #[inline]
    pub(super) fn pair(&mut self) -> Result<(&'a str, &'a str), DecodeError> {
        Ok((self.text()?, self.text()?))
    }

    /// A Packet Identifier, which is never zero [MQTT-2.2.1-3].
    #[inline]
    pub(super) fn packet_id(&mut self) -> Result<u16, DecodeError> {
        match self.two()? {
            0 => Err(DecodeError::protocol("MQTT-2.2.1-3", "packet identifier is zero")),
            id => Ok(id),
        }
    }

    /// Checks that nothing is left over.
    #[inline]
    pub(super) fn finish(self) -> Result<(), DecodeError> {
        if self.is_empty() {
            return Ok(());
        }
        Err(DecodeError::malformed("", "bytes left over at the end of the packet"))
    }
}

/// The number of bytes a Variable Byte Integer takes.
#[inline]
pub(super) const fn varint_len(value: usize) -> usize {
    match value {
        0..=0x7F => 1,
        0x80..=0x3FFF => 2,
        0x4000..=0x1F_FFFF => 3,
        _ => 4,
    }
}

/// Writers, named as the readers are; all append.
pub(super) mod put {
    use super::varint_len;

    #[inline]
    pub(in super::super) fn boolean(out: &mut Vec<u8>, value: bool) {
        out.push(value.into());
    }

    #[inline]
    pub(in super::super) fn two(out: &mut Vec<u8>, value: u16) {
        out.extend_from_slice(&value.to_be_bytes());
    }

    #[inline]
    pub(in super::super) fn four(out: &mut Vec<u8>, value: u32) {
        out.extend_from_slice(&value.to_be_bytes());
    }

    /// At most 268 435 455, which is the caller's duty.
    #[inline]
    pub(in super::super) fn varint(out: &mut Vec<u8>, value: u32) {
        let (bytes, len) = varint_bytes(value as usize);
        out.extend_from_slice(&bytes[..len]);
    }

    /// Cut at 65 535 bytes, the most the length can say; callers keep within it.
    #[inline]
    pub(in super::super) fn binary(out: &mut Vec<u8>, value: &[u8]) {
        debug_assert!(value.len() <= u16::MAX.into(), "the caller checks lengths");
        let len = value.len().min(u16::MAX.into());
        two(out, len as u16);
        out.extend_from_slice(&value[..len]);
    }

    /// As [`binary`], cut at a character.
    #[inline]
    pub(in super::super) fn text(out: &mut Vec<u8>, value: &str) {
        debug_assert!(value.len() <= u16::MAX.into(), "the caller checks lengths");
        let mut len = value.len().min(u16::MAX.into());
        while !value.is_char_boundary(len) {
            len -= 1;
        }
        binary(out, &value.as_bytes()[..len]);
    }

    #[inline]
    pub(in super::super) fn pair(out: &mut Vec<u8>, (name, value): (&str, &str)) {
        text(out, name);
        text(out, value);
    }

    /// Writes what `body` writes, preceded by its length as a Variable Byte Integer.
    ///
    /// Control packets are short: one length byte is set aside, and only a longer body is moved.
    pub(in super::super) fn with_length(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
        let start = out.len();
        out.push(0);
        body(out);
        let (bytes, len) = varint_bytes(out.len() - start - 1);
        out[start] = bytes[0];
        if len > 1 {
            out.splice(start + 1..start + 1, bytes[1..len].iter().copied());
        }
    }

    #[inline]
    fn varint_bytes(value: usize) -> ([u8; 4], usize) {
        debug_assert!(value <= super::super::MAX_REMAINING_LENGTH, "the caller checks lengths");
        let len = varint_len(value);
        let mut bytes = [0; 4];
        for (i, byte) in bytes[..len].iter_mut().enumerate() {
            *byte = (value >> (7 * i)) as u8 & 0x7F | 0x80;
        }
        bytes[len - 1] &= 0x7F;
        (bytes, len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ReasonCode;

    #[test]
    fn variable_byte_integers_round_trip_at_their_borders() {
        for value in [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455] {
            let mut out = Vec::new();
            put::varint(&mut out, value);
            assert_eq!(out.len(), varint_len(value as usize));
            let mut reader = Reader::new(&out);
            assert_eq!(reader.varint(), Ok(value));
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn overlong_variable_byte_integers_are_malformed() {
        for bytes in [&[0x80, 0][..], &[0xFF, 0x80, 0], &[0xFF, 0xFF, 0xFF, 0xFF, 1]] {
            let error = Reader::new(bytes).varint().unwrap_err();
            assert_eq!(error.reason, ReasonCode::MALFORMED_PACKET, "{bytes:?}");
        }
    }

    #[test]
    fn a_length_is_put_before_a_body_of_any_size() {
        for len in [0_usize, 1, 127, 128, 20_000, 3_000_000] {
            let mut out = vec![9];
            put::with_length(&mut out, |out| out.extend((0..len).map(|i| i as u8)));
            let mut reader = Reader::new(&out[1..]);
            assert_eq!(reader.varint(), Ok(len as u32));
            let body = reader.into_rest();
            assert_eq!(body.len(), len);
            assert!(body.iter().enumerate().all(|(i, &byte)| byte == i as u8));
        }
    }
}

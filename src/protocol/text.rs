//! UTF-8 Encoded Strings, and the fused check of a Topic Name.

use super::error::DecodeError;
use super::reason::ReasonCode;
use super::topic::MAX_LEVELS;

const NOT_UTF8: DecodeError = DecodeError::malformed("MQTT-1.5.4-1", "string is not UTF-8");
const HAS_NUL: DecodeError = DecodeError::malformed("MQTT-1.5.4-2", "string holds U+0000");

/// Checks a UTF-8 Encoded String: well formed, without surrogates [MQTT-1.5.4-1] and without
/// U+0000 [MQTT-1.5.4-2]. U+FEFF stays in place [MQTT-1.5.4-3].
#[inline]
pub(super) fn check(bytes: &[u8]) -> Result<&str, DecodeError> {
    let text = std::str::from_utf8(bytes).map_err(|_| NOT_UTF8)?;
    if bytes.contains(&0) { Err(HAS_NUL) } else { Ok(text) }
}

/// Checks a received Topic Name: a UTF-8 Encoded String without wildcards, not too deep.
/// The empty name passes, since only the packet can tell whether it is allowed.
#[inline]
pub(super) fn check_topic_name(bytes: &[u8]) -> Result<&str, DecodeError> {
    let text = std::str::from_utf8(bytes).map_err(|_| NOT_UTF8)?;
    if has_special(bytes) {
        return Err(special_in_topic_name(bytes));
    }
    // A deep name is a long one, so short names are not counted.
    if bytes.len() >= MAX_LEVELS && too_deep(bytes) {
        return Err(DecodeError::new(
            ReasonCode::TOPIC_NAME_INVALID,
            "",
            "topic name has too many levels",
        ));
    }
    Ok(text)
}

/// Whether a string has more levels than [`MAX_LEVELS`].
pub(super) fn too_deep(bytes: &[u8]) -> bool {
    bytes.iter().filter(|&&byte| byte == b'/').count() >= MAX_LEVELS
}

/// Whether a string holds a wildcard character.
pub(super) fn has_wildcard(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| matches!(byte, b'+' | b'#'))
}

#[cold]
fn special_in_topic_name(bytes: &[u8]) -> DecodeError {
    if bytes.contains(&0) {
        return HAS_NUL;
    }
    let what = "topic name holds a wildcard";
    DecodeError::new(ReasonCode::TOPIC_NAME_INVALID, "MQTT-3.3.2-2", what)
}

/// Whether any byte is NUL, `+` or `#`, eight bytes at a time; the last word overlaps.
#[inline]
fn has_special(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk::<8>() else {
        return bytes.iter().any(|byte| matches!(byte, 0 | b'+' | b'#'));
    };
    let mut found = special_in_word(*last);
    for word in bytes.as_chunks::<8>().0 {
        found |= special_in_word(*word);
    }
    found != 0
}

/// Non-zero when one of eight bytes is NUL, `+` or `#`.
#[inline]
fn special_in_word(word: [u8; 8]) -> u64 {
    let word = u64::from_ne_bytes(word);
    // `+` (0x2B) and `#` (0x23) differ in bit 3 alone, so one comparison finds both.
    let wildcard = (word & repeat(0xF7)) ^ repeat(b'#');
    zero_byte(word) | zero_byte(wildcard)
}

/// Non-zero exactly when `word` holds a zero byte.
#[inline]
const fn zero_byte(word: u64) -> u64 {
    word.wrapping_sub(repeat(0x01)) & !word & repeat(0x80)
}

#[inline]
const fn repeat(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ill_formed_strings_are_refused() {
        let bad: [&[u8]; 5] = [
            b"\xFF",
            b"ok\xC0\x80",         // overlong NUL
            b"\xED\xA0\x80",       // surrogate U+D800
            b"\xF4\x90\x80\x80",   // above U+10FFFF
            b"cut short \xE2\x82", // two of three bytes
        ];
        for bytes in bad {
            assert_eq!(check(bytes), Err(NOT_UTF8), "{bytes:?}");
            assert_eq!(check_topic_name(bytes), Err(NOT_UTF8), "{bytes:?}");
        }
        assert_eq!(check(b"a\0b"), Err(HAS_NUL));
        assert_eq!(check("\u{FEFF}\u{10FFFF}\u{7F}é".as_bytes()), Ok("\u{FEFF}\u{10FFFF}\u{7F}é"));
    }

    #[test]
    fn a_special_byte_is_found_wherever_it_stands() {
        for len in 0..40 {
            let clean: Vec<u8> = (0..len).map(|i| [b'/', b'"', b'3', 0x01, 0x7F][i % 5]).collect();
            assert!(!has_special(&clean), "{len}");
            for at in 0..len {
                for special in [0, b'+', b'#'] {
                    let mut bytes = clean.clone();
                    bytes[at] = special;
                    assert!(has_special(&bytes), "{special} at {at} of {len}");
                }
            }
        }
        for byte in 0..=u8::MAX {
            let special = matches!(byte, 0 | b'+' | b'#');
            assert_eq!(has_special(&[byte; 8]), special, "{byte}");
            assert_eq!(has_special(&[b'x', b'y', byte]), special, "{byte}");
        }
    }

    #[test]
    fn topic_names_name_the_fault() {
        let reason = |bytes: &[u8]| check_topic_name(bytes).err().map(|error| error.reason);
        assert_eq!(check_topic_name(b""), Ok(""));
        assert_eq!(reason(b"a/b+"), Some(ReasonCode::TOPIC_NAME_INVALID));
        assert_eq!(reason(b"a/long/topic/name/#"), Some(ReasonCode::TOPIC_NAME_INVALID));
        assert_eq!(reason(b"a/\0/+"), Some(ReasonCode::MALFORMED_PACKET));
        assert_eq!(reason(&b"/".repeat(MAX_LEVELS - 1)), None);
        assert_eq!(reason(&b"/".repeat(MAX_LEVELS)), Some(ReasonCode::TOPIC_NAME_INVALID));
    }
}

//! Spans of time as Mosquitto writes them: a whole number and one letter.

/// Letters and their seconds. A month has 30 days and a year 365, as in Mosquitto.
const UNITS: [(char, u64); 6] = [
    ('s', 1),
    ('h', 3600),
    ('d', 86_400),
    ('w', 7 * 86_400),
    ('m', 30 * 86_400),
    ('y', 365 * 86_400),
];

/// Seconds of a span such as `2d`; `None` unless it is a positive number and one of `shdwmy`.
pub(super) fn parse(text: &str) -> Option<u64> {
    let letter = text.chars().next_back()?;
    let (_, seconds) = UNITS.iter().find(|(unit, _)| *unit == letter)?;
    let digits = &text[..text.len() - letter.len_utf8()];
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok().filter(|&count| count > 0)?.checked_mul(*seconds)
}

/// The span in the largest unit that divides it: the inverse of [`parse`].
pub(super) fn show(seconds: u64) -> String {
    let (unit, size) =
        UNITS.iter().rev().find(|(_, size)| seconds.is_multiple_of(*size)).unwrap_or(&UNITS[0]);
    format!("{}{unit}", seconds / size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        let spans = [
            ("1s", 1),
            ("2h", 7200),
            ("3d", 259_200),
            ("1w", 604_800),
            ("2m", 5_184_000),
            ("1y", 31_536_000),
        ];
        for (text, seconds) in spans {
            assert_eq!(parse(text), Some(seconds), "{text}");
            assert_eq!(show(seconds), text);
        }
    }

    #[test]
    fn anything_else_is_not_a_span() {
        for text in ["", "d", "5", "0s", "-1d", "+1d", "1 d", "1x", "1.5h", "1dd", "1é"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse("600000000000000000y"), None);
    }
}

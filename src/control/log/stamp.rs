//! The time before a line.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use crate::config::TimeFormat;

/// How times are written.
#[derive(Clone, Debug)]
pub(super) enum Stamp {
    /// Seconds since 1970.
    Epoch,
    /// By a format, in the machine's time zone.
    Format(Box<Format>),
}

/// A format made ready, and its result for the second written last: most lines share it.
#[derive(Clone, Debug)]
pub(super) struct Format {
    format: String,
    zone: TimeZone,
    last: Option<(u64, String)>,
}

impl Stamp {
    /// By this format, or seconds since 1970.
    pub(super) fn new(format: Option<&TimeFormat>) -> Self {
        Self::in_zone(format, TimeZone::system())
    }

    fn in_zone(format: Option<&TimeFormat>, zone: TimeZone) -> Self {
        match format {
            None => Self::Epoch,
            Some(format) => {
                let format = expand(format.as_str());
                Self::Format(Box::new(Format { format, zone, last: None }))
            }
        }
    }

    /// The time as text.
    pub(super) fn text(&mut self, at: SystemTime) -> String {
        let seconds = epoch_s(at);
        match self {
            Self::Epoch => seconds.to_string(),
            Self::Format(format) => format.text(seconds),
        }
    }
}

impl Format {
    fn text(&mut self, seconds: u64) -> String {
        if let Some((second, text)) = &self.last
            && *second == seconds
        {
            return text.clone();
        }
        let text = Timestamp::from_second(seconds as i64)
            .and_then(|at| strtime::format(&self.format, &at.to_zoned_datetime(self.zone.clone())))
            .unwrap_or_else(|_| "Time error".into()); // Mosquitto's words for it.
        self.last = Some((seconds, text.clone()));
        text
    }
}

/// Seconds since 1970.
pub(super) fn epoch_s(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The conversions that stand for several, written out as in C's own locale.
fn expand(format: &str) -> String {
    let mut expanded = String::with_capacity(format.len());
    let mut chars = format.chars();
    while let Some(char) = chars.next() {
        if char != '%' {
            expanded.push(char);
            continue;
        }
        match chars.next() {
            Some('c') => expanded.push_str("%a %b %e %H:%M:%S %Y"),
            Some('x') => expanded.push_str("%m/%d/%y"),
            Some('X') => expanded.push_str("%H:%M:%S"),
            Some('r') => expanded.push_str("%I:%M:%S %p"),
            Some(other) => expanded.extend(['%', other]),
            None => {}
        }
    }
    expanded
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn stamped(format: &str) -> String {
        let format = TimeFormat::parse(format).expect("known conversions");
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let mut stamp = Stamp::in_zone(Some(&format), zone);
        stamp.text(UNIX_EPOCH + Duration::from_secs(1_700_000_000))
    }

    #[test]
    fn formats_are_those_of_strftime() {
        assert_eq!(stamped("%Y-%m-%dT%H:%M:%S%z"), "2023-11-15T00:13:20+0200");
        assert_eq!(
            stamped("%c|%x|%X|%r"),
            "Wed Nov 15 00:13:20 2023|11/15/23|00:13:20|12:13:20 AM"
        );
        assert_eq!(
            stamped("%e %j %a %A %b %B %y %s"),
            "15 319 Wed Wednesday Nov November 23 1700000000"
        );
        assert_eq!(stamped("100%% %%Y"), "100% %Y");
    }

    #[test]
    fn every_conversion_that_is_accepted_can_be_written() {
        for letter in ('A'..='z').filter(char::is_ascii_alphabetic) {
            if TimeFormat::parse(&format!("%{letter}")).is_ok() {
                let text = stamped(&format!("%{letter}"));
                assert!(!text.contains("error") && !text.is_empty(), "%{letter}: {text}");
            }
        }
    }

    #[test]
    fn without_a_format_it_is_seconds() {
        let at = UNIX_EPOCH + Duration::from_millis(1_700_000_000_999);
        assert_eq!(Stamp::new(None).text(at), "1700000000");
    }
}

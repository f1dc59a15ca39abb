//! Topic Names and Topic Filters: what is well formed, and the reference matcher.

use super::error::DecodeError;
use super::reason::ReasonCode;
use super::text;

/// The most levels a Topic Name or Topic Filter may have, as in Mosquitto.
pub const MAX_LEVELS: usize = 200;

/// Checks a Topic Name: not empty [MQTT-4.7.3-1], no U+0000 [MQTT-4.7.3-2], no wildcards
/// [MQTT-3.3.2-2], at most [`MAX_LEVELS`] levels.
///
/// # Errors
/// 0x90, or 0x81 for U+0000.
pub fn check_topic_name(topic: &str) -> Result<(), DecodeError> {
    if topic.is_empty() {
        let what = "topic name is empty";
        return Err(DecodeError::new(ReasonCode::TOPIC_NAME_INVALID, "MQTT-4.7.3-1", what));
    }
    text::check_topic_name(topic.as_bytes()).map(|_| ())
}

/// Checks a Topic Filter: not empty [MQTT-4.7.3-1], no U+0000 [MQTT-4.7.3-2], `#` only as the last
/// level [MQTT-4.7.1-1], `+` only as a whole level [MQTT-4.7.1-2], at most [`MAX_LEVELS`] levels.
///
/// A Shared Subscription's filter may be given whole or without its `$share/group/`.
///
/// # Errors
/// 0x8F.
pub fn check_topic_filter(filter: &str) -> Result<(), DecodeError> {
    let invalid = |clause, what| Err(DecodeError::new(FILTER_INVALID, clause, what));
    if filter.is_empty() {
        return invalid("MQTT-4.7.3-1", "topic filter is empty");
    }
    let bytes = filter.as_bytes();
    if bytes.contains(&0) {
        return invalid("MQTT-4.7.3-2", "topic filter holds U+0000");
    }
    if text::too_deep(bytes) {
        return invalid("", "topic filter has too many levels");
    }
    for (i, byte) in bytes.iter().enumerate() {
        let starts_level = i == 0 || bytes[i - 1] == b'/';
        let next = bytes.get(i + 1);
        match byte {
            b'#' if !starts_level || next.is_some() => {
                return invalid("MQTT-4.7.1-1", "# is not the last level of the topic filter");
            }
            b'+' if !starts_level || next.is_some_and(|&next| next != b'/') => {
                return invalid("MQTT-4.7.1-2", "+ is not a whole level of the topic filter");
            }
            _ => {}
        }
    }
    Ok(())
}

const FILTER_INVALID: ReasonCode = ReasonCode::TOPIC_FILTER_INVALID;

/// Takes `$share/group/filter` apart; `Ok(None)` for a filter that is not shared.
///
/// The filter inside is not checked further than being there: see [`check_topic_filter`].
///
/// # Errors
/// 0x8F when the group is missing or holds a wildcard, or no filter follows: [MQTT-4.8.2-1],
/// [MQTT-4.8.2-2].
pub fn split_shared(filter: &str) -> Result<Option<(&str, &str)>, DecodeError> {
    let Some(rest) = filter.strip_prefix("$share") else { return Ok(None) };
    let Some(rest) = rest.strip_prefix('/') else {
        let not_shared = !rest.is_empty();
        return if not_shared { Ok(None) } else { Err(share_invalid("MQTT-4.8.2-1")) };
    };
    match rest.split_once('/') {
        Some((group, _)) if text::has_wildcard(group.as_bytes()) => {
            Err(share_invalid("MQTT-4.8.2-2"))
        }
        Some((group, filter)) if !group.is_empty() && !filter.is_empty() => {
            Ok(Some((group, filter)))
        }
        _ => Err(share_invalid("MQTT-4.8.2-1")),
    }
}

#[cold]
fn share_invalid(clause: &'static str) -> DecodeError {
    DecodeError::new(FILTER_INVALID, clause, "not of the form $share/group/filter")
}

/// Whether a well-formed Topic Filter matches a Topic Name: plain and obviously right, the
/// reference for faster matchers.
///
/// Wildcards at the start do not match a name that begins with `$` [MQTT-4.7.2-1].
pub fn filter_matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut names = topic.split('/');
    for level in filter.split('/') {
        if level == "#" {
            // Also the parent itself: `a/#` matches `a`.
            return true;
        }
        match names.next() {
            Some(name) if level == "+" || level == name => {}
            _ => return false,
        }
    }
    names.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_names() {
        for name in ["a", "/", "a//b", " ", "$SYS/x", "$", "é/ü", &"/".repeat(MAX_LEVELS - 1)] {
            assert_eq!(check_topic_name(name), Ok(()), "{name}");
        }
        for name in ["", "+", "#", "a/#", "a+b", "a#", &"/".repeat(65_535)] {
            let reason = check_topic_name(name).map_err(|error| error.reason);
            assert_eq!(reason, Err(ReasonCode::TOPIC_NAME_INVALID), "{name}");
        }
        assert!(check_topic_name("a\0").is_err());
    }

    #[test]
    fn topic_filters() {
        let deepest = "/".repeat(MAX_LEVELS - 1);
        for filter in ["#", "+", "a/#", "/#", "+/+", "a/+/b", "/+/", "$SYS/#", " ", &deepest] {
            assert_eq!(check_topic_filter(filter), Ok(()), "{filter}");
        }
        let deeper = "/".repeat(MAX_LEVELS);
        for filter in ["", "#/", "#/a", "a#", "a/b#", "##", "a+", "+a", "++", "a/+b/c", "a\0"]
            .into_iter()
            .chain([deeper.as_str()])
        {
            let reason = check_topic_filter(filter).map_err(|error| error.reason);
            assert_eq!(reason, Err(ReasonCode::TOPIC_FILTER_INVALID), "{filter}");
        }
    }

    #[test]
    fn shared_filters() {
        assert_eq!(split_shared("$share/g/a/+"), Ok(Some(("g", "a/+"))));
        assert_eq!(split_shared("$share/g//"), Ok(Some(("g", "/"))));
        assert_eq!(split_shared("$share/g/#"), Ok(Some(("g", "#"))));
        for filter in ["a", "$SYS/a", "$shared/g/a", "$shar", "x/$share/g/a"] {
            assert_eq!(split_shared(filter), Ok(None), "{filter}");
        }
        for filter in
            ["$share", "$share/", "$share/g", "$share/g/", "$share//a", "$share/+/a", "$share/g#/a"]
        {
            let reason = split_shared(filter).map_err(|error| error.reason);
            assert_eq!(reason, Err(ReasonCode::TOPIC_FILTER_INVALID), "{filter}");
        }
    }

    #[test]
    fn matching_by_the_specifications_examples() {
        let matching = [
            ("sport/tennis/player1/#", "sport/tennis/player1"),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"),
            ("sport/#", "sport"),
            ("#", "a"),
            ("#", "/"),
            ("sport/tennis/+", "sport/tennis/player1"),
            ("sport/+", "sport/"),
            ("+/+", "/finance"),
            ("/+", "/finance"),
            ("$SYS/#", "$SYS/a"),
            ("$SYS/monitor/+", "$SYS/monitor/Clients"),
            ("a", "a"),
            ("+", ""),
        ];
        for (filter, topic) in matching {
            assert!(filter_matches(filter, topic), "{filter} {topic}");
        }
        let different = [
            ("sport/tennis/+", "sport/tennis/player1/ranking"),
            ("sport/+", "sport"),
            ("+", "/finance"),
            ("#", "$SYS/a"),
            ("+/monitor/Clients", "$SYS/monitor/Clients"),
            ("ACCOUNTS", "Accounts"),
            ("a", "/a"),
            ("a/b", "a"),
            ("a", "a/"),
        ];
        for (filter, topic) in different {
            assert!(!filter_matches(filter, topic), "{filter} {topic}");
        }
    }
}

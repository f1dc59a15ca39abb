//! Mount points: what is put in front of every topic that a listener's Clients name, and taken off
//! the topics that they are sent.
//!
//! Only the network connection knows of it: sessions, the router and access control see whole
//! topics. A Response Topic stays as it is [MQTT-3.3.2-15]; it leads back to a Client behind the
//! same mount point, or to one without any that puts the prefix in itself.

use std::borrow::Cow;

use super::Link;
use crate::protocol::check_topic_filter;

/// Below the mount point the topic has more bytes or levels than a topic may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// A Topic Name or Topic Filter, well formed, as the broker knows it.
pub(super) fn mounted<'t>(mount: Option<&str>, topic: &'t str) -> Result<Cow<'t, str>, TooLong> {
    let Some(mount) = mount else { return Ok(Cow::Borrowed(topic)) };
    let whole = [mount, topic].concat();
    if whole.len() > usize::from(u16::MAX) || check_topic_filter(&whole).is_err() {
        return Err(TooLong);
    }
    Ok(Cow::Owned(whole))
}

impl Link {
    /// A topic as the Client knows it. `None`: it is outside of the Client's mount point, as can
    /// be when its session was made behind another one, or when `mount/#` matches `mount`.
    pub(super) fn shown<'t>(&self, topic: &'t str) -> Option<&'t str> {
        let Some(listener) = &self.mounted else { return Some(topic) };
        let mount = listener.mount_point.as_deref().unwrap_or_default();
        topic.strip_prefix(mount).filter(|rest| !rest.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_go_below_the_mount_point_and_have_a_length() {
        assert!(matches!(mounted(None, "a"), Ok(Cow::Borrowed("a"))));
        assert_eq!(mounted(Some("m/"), "+/#").as_deref(), Ok("m/+/#"));
        let long = "x".repeat(65_533);
        assert!(mounted(Some("m/"), &long).is_ok());
        assert_eq!(mounted(Some("mm/"), &long), Err(TooLong));
        let deep = "/".repeat(198);
        assert!(mounted(Some("m/"), &deep[1..]).is_ok());
        assert_eq!(mounted(Some("m/m/"), &deep), Err(TooLong));
    }
}

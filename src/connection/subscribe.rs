//! SUBSCRIBE and UNSUBSCRIBE.

use smallvec::SmallVec;

use super::mount::mounted;
use super::within::{ANSWER_TOO_LARGE, write_within};
use super::{Close, Connection, Event, Flow, Host, SubscribeRequest, Traced, Way};
use crate::protocol::{
    Packet, PacketType, QoS, ReasonCode, Suback, Subscribe, SubscribeOptions, Unsubscribe,
    UserProperties, Version, check_topic_filter, split_shared,
};
use crate::util::Key;

type Codes = SmallVec<[u8; 16]>;

impl Connection {
    pub(super) fn handle_subscribe<H: Host>(
        &mut self,
        host: &mut H,
        session: Key,
        subscribe: &Subscribe<'_>,
    ) -> Flow {
        if subscribe.subscription_id.is_some() && !host.config().features.subscription_ids {
            let reason = ReasonCode::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED;
            return Close::refused(reason, "subscription identifiers not available").into();
        }
        let id = subscribe.subscription_id.unwrap_or(0);
        let mut codes = Codes::new();
        for (filter, options) in subscribe.filters.iter() {
            host.trace(session, Way::Received, || Traced::Filter {
                filter: filter.into(),
                qos: Some(options.qos as u8),
            });
            let code = match self.subscribe_one(host, session, filter, options, id) {
                Ok(code) => code,
                Err(close) => return close.into(),
            };
            if host.wants().subscriptions {
                let client_id = (*host.session(session).client_id).into();
                host.log(Event::Subscribed { client_id, filter: filter.into(), code });
            }
            codes.push(self.suback_code(code));
        }
        let suback = Suback {
            packet_id: subscribe.packet_id,
            reason_string: None,
            user_properties: UserProperties::default(),
            codes: &codes,
        };
        if !write_within(host, self.key, self.version, &Packet::Suback(suback)) {
            return ANSWER_TOO_LARGE.into();
        }
        host.trace(session, Way::Sending, || Traced::Plain(PacketType::Suback));
        host.start_replays(session);
        Flow::Continue
    }

    fn subscribe_one<H: Host>(
        &self,
        host: &mut H,
        session: Key,
        filter: &str,
        mut options: SubscribeOptions,
        subscription_id: u32,
    ) -> Result<ReasonCode, Close> {
        let (group, plain) = match split_shared(filter) {
            Ok(Some((group, plain))) => (Some(group), plain),
            Ok(None) => (None, filter),
            Err(error) => return Ok(error.reason),
        };
        if let Err(error) = check_topic_filter(plain) {
            return Ok(error.reason);
        }
        if group.is_some() && options.no_local {
            // [MQTT-3.8.3-4]
            return Err(Close::refused(
                ReasonCode::PROTOCOL_ERROR,
                "No Local on a shared subscription",
            ));
        }
        let config = host.config();
        if group.is_some() && !config.features.shared {
            return Ok(ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED);
        }
        if !config.features.wildcards && plain.contains(['+', '#']) {
            return Ok(ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED);
        }
        options.qos = options.qos.min(QoS::from_u8(self.listener.max_qos).unwrap_or(options.qos));
        let Ok(filter) = mounted(self.listener.mount_point.as_deref(), plain) else {
            return Ok(ReasonCode::TOPIC_FILTER_INVALID);
        };
        let request = SubscribeRequest { filter: &filter, group, options, subscription_id };
        Ok(ReasonCode(host.subscribe(session, request) as u8))
    }

    /// Version 3.1.1 has one failure code, 3.1 none: there the filter is granted QoS 0 and
    /// nothing will match it.
    fn suback_code(&self, code: ReasonCode) -> u8 {
        match self.version {
            Version::V5 => code.0,
            Version::V311 if code.is_error() => 0x80,
            Version::V31 if code.is_error() => 0,
            Version::V311 | Version::V31 => code.0,
        }
    }

    pub(super) fn handle_unsubscribe<H: Host>(
        &mut self,
        host: &mut H,
        session: Key,
        unsubscribe: &Unsubscribe<'_>,
    ) -> Flow {
        let mut codes = Codes::new();
        for filter in unsubscribe.filters.iter() {
            host.trace(session, Way::Received, || Traced::Filter {
                filter: filter.into(),
                qos: None,
            });
            let mount = self.listener.mount_point.as_deref();
            let code = unsubscribe_one(host, session, mount, filter);
            if host.wants().subscriptions {
                let client_id = (*host.session(session).client_id).into();
                host.log(Event::Unsubscribed { client_id, filter: filter.into() });
            }
            codes.push(code.0);
        }
        let unsuback = Suback {
            packet_id: unsubscribe.packet_id,
            reason_string: None,
            user_properties: UserProperties::default(),
            codes: &codes,
        };
        if !write_within(host, self.key, self.version, &Packet::Unsuback(unsuback)) {
            return ANSWER_TOO_LARGE.into();
        }
        host.trace(session, Way::Sending, || Traced::Plain(PacketType::Unsuback));
        Flow::Continue
    }
}

fn unsubscribe_one<H: Host>(
    host: &mut H,
    session: Key,
    mount: Option<&str>,
    filter: &str,
) -> ReasonCode {
    let (group, plain) = match split_shared(filter) {
        Ok(Some((group, plain))) => (Some(group), plain),
        Ok(None) => (None, filter),
        Err(error) => return error.reason,
    };
    if let Err(error) = check_topic_filter(plain) {
        return error.reason;
    }
    let Ok(plain) = mounted(mount, plain) else { return ReasonCode::TOPIC_FILTER_INVALID };
    if host.unsubscribe(session, &plain, group) {
        ReasonCode::SUCCESS
    } else {
        ReasonCode::NO_SUBSCRIPTION_EXISTED // [MQTT-3.11.3-2]
    }
}

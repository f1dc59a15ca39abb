//! Incoming PUBLISH.

use super::commit::acknowledge_message;
use super::machine::TOO_MANY_USER_PROPERTIES;
use super::mount::{TooLong, mounted};
use super::{AliasTable, Close, Connection, Event, Flow, Host, Outgoing, Traced, Way};
use crate::metrics::DropReason;
use crate::protocol::{MessageInit, Publish, QoS, ReasonCode, Version};
use crate::util::Key;

impl Connection {
    pub(super) fn handle_publish<H: Host>(
        &mut self,
        host: &mut H,
        session: Key,
        publish: &Publish<'_>,
    ) -> Flow {
        if let Err(close) = self.check_publish(host, session, publish) {
            return close.into();
        }
        let again = publish.qos == QoS::ExactlyOnce
            && host.session(session).received.contains(publish.packet_id);
        #[cfg(feature = "canary")]
        let again = again && !crate::util::canary::Canary::SecondCopyAtQos2.sings();
        if again {
            // Routed when it came first [MQTT-4.3.3-10].
            host.session(session).received.insert(publish.packet_id);
            self.bind_alias(publish);
            host.trace(session, Way::Received, || Traced::publish(publish.topic, publish));
            return self.acknowledge_publish(host, publish, ReasonCode::SUCCESS, 0);
        }
        let (reason, commit) = match self.route(host, session, publish) {
            Ok(routed) => routed,
            Err(close) => return close.into(),
        };
        if publish.qos == QoS::ExactlyOnce && !reason.is_error() {
            host.session(session).received.insert(publish.packet_id);
        }
        self.acknowledge_publish(host, publish, reason, commit)
    }

    fn check_publish<H: Host>(
        &mut self,
        host: &mut H,
        session: Key,
        publish: &Publish<'_>,
    ) -> Result<(), Close> {
        if publish.qos as u8 > self.listener.max_qos {
            // [MQTT-3.2.2-11]
            return Err(Close::refused(ReasonCode::QOS_NOT_SUPPORTED, "QoS above the maximum"));
        }
        if publish.retain && !host.config().features.retain {
            // [MQTT-3.2.2-14]
            return Err(Close::refused(ReasonCode::RETAIN_NOT_SUPPORTED, "retain not available"));
        }
        let limit = host.config().packets.user_properties as usize;
        if publish.forward.has_more_user_properties_than(limit) {
            return Err(TOO_MANY_USER_PROPERTIES);
        }
        if publish.qos != QoS::AtMostOnce && self.version == Version::V5 {
            return self.check_receive_maximum(host, session, publish.packet_id);
        }
        Ok(())
    }

    /// Counts QoS 2 exchanges that were begun on this connection and are open, and QoS 1 messages
    /// whose acknowledgement waits [MQTT-3.3.4-9].
    fn check_receive_maximum<H: Host>(
        &mut self,
        host: &mut H,
        session: Key,
        packet_id: u16,
    ) -> Result<(), Close> {
        let maximum = usize::from(host.config().packets.receive_maximum);
        let waiting = host.link(self.key).commits.as_ref().map_or(0, |queue| queue.pubacks());
        let received = &host.session(session).received;
        if received.counted() + waiting < maximum || received.is_counted(packet_id) {
            return Ok(());
        }
        host.metrics().receive_maximum_exceeded.add(1);
        if host.config().packets.strict {
            let reason = ReasonCode::RECEIVE_MAXIMUM_EXCEEDED;
            return Err(Close::refused(reason, "receive maximum exceeded"));
        }
        if !std::mem::replace(&mut self.exceeded_receive_maximum, true) {
            let client_id = (*host.session(session).client_id).into();
            host.log(Event::ReceiveMaximumExceeded { client_id });
        }
        Ok(())
    }

    /// Keeps the alias table right for a PUBLISH that is not routed again.
    fn bind_alias(&mut self, publish: &Publish<'_>) {
        if let (Some(alias), Some(table)) = (publish.topic_alias, &mut self.aliases)
            && !publish.topic.is_empty()
        {
            table.set(alias, publish.topic);
        }
    }

    fn route<H: Host>(
        &mut self,
        host: &mut H,
        session: Key,
        publish: &Publish<'_>,
    ) -> Result<(ReasonCode, u64), Close> {
        let key = self.key;
        let topic = match publish.topic_alias {
            None => publish.topic,
            Some(alias) => {
                let maximum = self.listener.topic_alias_maximum;
                resolve(self.aliases.as_deref_mut(), maximum, alias, publish.topic)?
            }
        };
        let topic = mounted(self.listener.mount_point.as_deref(), topic).map_err(|TooLong| {
            Close::refused(ReasonCode::TOPIC_NAME_INVALID, "topic too long at its mount point")
        })?;
        let metrics = host.metrics();
        match publish.qos {
            QoS::AtMostOnce => &metrics.publish_received_qos0,
            QoS::AtLeastOnce => &metrics.publish_received_qos1,
            QoS::ExactlyOnce => &metrics.publish_received_qos2,
        }
        .increment();
        metrics.publish_bytes_received.add(publish.payload.len() as u64);
        if publish.payload.len() as u64 > host.config().packets.payload_size {
            host.metrics().dropped(DropReason::PayloadTooLarge);
            host.trace(session, Way::Denied, || Traced::publish(&topic, publish));
            return Ok((ReasonCode::PACKET_TOO_LARGE, 0));
        }
        if !host.may_publish(session, &topic) {
            host.trace(session, Way::Denied, || Traced::publish(&topic, publish));
            return Ok((ReasonCode::NOT_AUTHORIZED, 0));
        }
        host.trace(session, Way::Received, || Traced::publish(&topic, publish));
        let now = host.now().mono_ms;
        let mut outgoing = Outgoing::borrowed(MessageInit {
            topic: &topic,
            forward: publish.forward,
            payload: publish.payload,
            qos: publish.qos,
            retain: publish.retain,
            expires_at_ms: publish.message_expiry.map(|s| now.saturating_add(u64::from(s) * 1000)),
            publisher: host.session(session).id,
            ..MessageInit::default()
        });
        let routed = host.publish(key, &mut outgoing);
        let matched =
            if routed.matched { ReasonCode::SUCCESS } else { ReasonCode::NO_MATCHING_SUBSCRIBERS };
        Ok((matched, routed.commit))
    }

    fn acknowledge_publish<H: Host>(
        &self,
        host: &mut H,
        publish: &Publish<'_>,
        reason: ReasonCode,
        commit: u64,
    ) -> Flow {
        acknowledge_message(host, self.key, publish.qos, publish.packet_id, reason, commit);
        Flow::Continue
    }
}

/// The topic that `alias` stands for, or is bound to by this packet.
fn resolve<'t>(
    table: Option<&'t mut AliasTable>,
    maximum: u16,
    alias: u16,
    topic: &'t str,
) -> Result<&'t str, Close> {
    let invalid = Close::refused(ReasonCode::TOPIC_ALIAS_INVALID, "topic alias above the maximum");
    let Some(table) = table else { return Err(invalid) };
    if !topic.is_empty() {
        return if table.set(alias, topic) { Ok(topic) } else { Err(invalid) };
    }
    if alias > maximum {
        return Err(invalid); // [MQTT-3.3.2-9]
    }
    table.get(alias).ok_or(Close::refused(
        ReasonCode::PROTOCOL_ERROR, // [MQTT-3.3.2-7]
        "topic alias was never set",
    ))
}

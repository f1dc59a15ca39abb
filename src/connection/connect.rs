//! CONNECT: decode → limits → authenticate → find home → move → take over → resume → CONNACK.
//! Each step is a function here or a call of the host; decoding was done before.

use super::admission::Admitted;
use super::auth::Exchange;
use super::machine::{Running, State};
use super::mount::{TooLong, mounted};
use super::within::write_within;
use super::{
    AliasLearner, AliasTable, Close, Connection, Event, Flow, Host, OpenSession, Opened, Traced,
    Way, client_id, flags,
};
use crate::config::Runtime;
use crate::protocol::{
    Connack, ConnackProperties, Connect, Message, MessageInit, Packet, PacketType, QoS, ReasonCode,
    Version, encode,
};
use crate::session::{NEVER_EXPIRES, Will};
use crate::sync::Arc;

impl Connection {
    pub(super) fn handle_connect<H: Host>(
        &mut self,
        host: &mut H,
        connect: &Connect<'_>,
        raw: &[u8],
    ) -> Flow {
        self.version = connect.version;
        self.request_problem_information = connect.properties.request_problem_information;
        // It holds for whatever the answer is.
        host.link(self.key).maximum_packet_size = connect.properties.maximum_packet_size;
        if let Err(close) = self.check_limits(host, connect) {
            return close.into();
        }
        if let Some(admitted) = self.take_admitted(host) {
            return self.open_session(host, connect, admitted);
        }
        match self.authenticate(host, connect, raw) {
            Ok(Some(admitted)) => self.open_session(host, connect, admitted),
            Ok(None) => Flow::Continue,
            Err(close) => close.into(),
        }
    }

    /// Goes on with a CONNECT that was kept until its Client was admitted.
    pub(super) fn connect_admitted<H: Host>(
        &mut self,
        host: &mut H,
        connect: &Connect<'_>,
        raw: &[u8],
        admitted: Admitted,
    ) -> Flow {
        let flow = self.open_session(host, connect, admitted);
        if matches!(flow, Flow::Move(_)) {
            self.connecting.get_or_insert_default().held = raw.to_vec();
        }
        flow
    }

    fn check_limits<H: Host>(&self, host: &mut H, connect: &Connect<'_>) -> Result<(), Close> {
        let refuse = |reason, what| Err(Close::refused(reason, what));
        let config = host.config();
        if !self.listener.versions.has(connect.version as u8) {
            return refuse(
                ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
                "protocol version not enabled",
            );
        }
        if config.connect.max_keep_alive != 0
            && connect.version != Version::V5
            && (connect.keep_alive == 0 || connect.keep_alive > config.connect.max_keep_alive)
        {
            // 3.x has no Server Keep Alive to lower it with; refused as an identifier, like
            // Mosquitto, because no return code fits better.
            return refuse(ReasonCode::CLIENT_IDENTIFIER_NOT_VALID, "keep alive above the maximum");
        }
        let Some(will) = &connect.will else { return Ok(()) };
        if will.qos as u8 > self.listener.max_qos {
            // [MQTT-3.2.2-12]
            return refuse(ReasonCode::QOS_NOT_SUPPORTED, "will QoS above the maximum");
        }
        if will.retain && !config.features.retain {
            // [MQTT-3.2.2-13]
            return refuse(ReasonCode::RETAIN_NOT_SUPPORTED, "retained will");
        }
        Ok(())
    }

    fn open_session<H: Host>(
        &mut self,
        host: &mut H,
        connect: &Connect<'_>,
        admitted: Admitted,
    ) -> Flow {
        let identity = admitted.identity.clone();
        let name = match client_id::choose(&self.listener, host, connect, &identity) {
            Ok(name) => name,
            Err(close) => return close.into(),
        };
        let Ok(will) = will_of(connect, self.listener.mount_point.as_deref()) else {
            let reason = ReasonCode::TOPIC_NAME_INVALID;
            return Close::refused(reason, "will topic too long at its mount point").into();
        };
        let client_id: Arc<str> = name.as_str().into();
        let expiry_s = session_expiry(connect, host.config().session.expiry_s);
        let keep_alive = self.settle_keep_alive(host, connect);
        let assigned = name.assigned();
        let answer = Answer { present: false, assigned, expiry_s, keep_alive };
        self.admit(admitted);
        if !self.takes_connack(host, connect, answer) {
            return Close::Silent { what: "maximum packet size too small for CONNACK" }.into();
        }
        let request = OpenSession {
            client_id: Arc::clone(&client_id),
            clean_start: connect.clean_start,
            expiry_s,
            version: connect.version,
            will: will.map(Box::new),
            identity: identity.clone(),
            listener: self.listener.id,
        };
        let (session, present) = match host.open(self.key, request) {
            Opened::Here { session, present } => (session, present),
            Opened::Elsewhere(shard) => return Flow::Move(shard),
            Opened::Refused => {
                let reason = ReasonCode::CLIENT_IDENTIFIER_NOT_VALID;
                return Close::refused(reason, "client identifier belongs to another user").into();
            }
            Opened::Full => {
                let reason = ReasonCode::SERVER_BUSY;
                return Close::refused(reason, "global_max_clients exceeded").into();
            }
        };
        self.configure_link(host, connect, session);
        let auth = connect.properties.authentication_method.map(Exchange::running);
        self.state = State::Running(Running { session, auth });
        self.maximum_packet_size = host.config().packets.maximum_packet_size;
        if host.wants().connections {
            host.log(Event::Connected {
                peer: self.peer(),
                client_id: (*client_id).into(),
                version: connect.version,
                clean_start: connect.clean_start,
                keep_alive: connect.keep_alive,
                username: identity.username.as_deref().map(Box::from),
            });
        }
        host.trace(session, Way::Received, || Traced::Will(traced_will(connect)));
        self.write_connack(host, connect, Answer { present, ..answer });
        host.trace(session, Way::Sending, || Traced::Connack {
            session_present: present && connect.version != Version::V31,
            code: 0,
        });
        self.connecting = None;
        host.pump(session);
        Flow::Continue
    }

    /// Returns the Server Keep Alive to announce, when it is not the Client's own.
    fn settle_keep_alive<H: Host>(&mut self, host: &H, connect: &Connect<'_>) -> Option<u16> {
        let maximum = host.config().connect.max_keep_alive;
        let asked = connect.keep_alive;
        let lowered = maximum != 0 && (asked == 0 || asked > maximum);
        let kept = if lowered { maximum } else { asked };
        self.keep_alive_ms = u32::from(kept) * 1500; // [MQTT-3.1.2-22]
        lowered.then_some(kept) // [MQTT-3.1.2-21]
    }

    fn configure_link<H: Host>(
        &mut self,
        host: &mut H,
        connect: &Connect<'_>,
        session: crate::util::Key,
    ) {
        let window = host.config().session.inflight_messages;
        let aliases =
            connect.properties.topic_alias_maximum.min(self.listener.topic_alias_maximum_out);
        let link = host.link(self.key);
        link.version = connect.version;
        link.session = Some(session);
        link.mounted = self.listener.mount_point.as_ref().map(|_| Arc::clone(&self.listener));
        link.send_quota = connect.properties.receive_maximum.min(window);
        link.maximum_packet_size = connect.properties.maximum_packet_size;
        link.aliases = (aliases > 0).then(|| Box::new(AliasLearner::new(aliases)));
        let incoming = self.listener.topic_alias_maximum;
        self.aliases = (connect.version == Version::V5 && incoming > 0)
            .then(|| Box::new(AliasTable::new(incoming)));
    }

    /// Whether the CONNACK is within the Client's Maximum Packet Size [MQTT-3.1.2-24]. Asked before
    /// the Session is touched: a Client that can't be told of its Session gets none.
    fn takes_connack<H: Host>(&self, host: &H, connect: &Connect<'_>, answer: Answer<'_>) -> bool {
        let limit = connect.properties.maximum_packet_size;
        if limit == u32::MAX {
            return true;
        }
        let mut bytes = Vec::new();
        let connack = self.connack(host.config(), connect, answer);
        encode(&Packet::Connack(connack), connect.version, &mut bytes);
        bytes.len() <= limit as usize
    }

    fn write_connack<H: Host>(&self, host: &mut H, connect: &Connect<'_>, answer: Answer<'_>) {
        let config = Arc::clone(host.config());
        let packet = Packet::Connack(self.connack(&config, connect, answer));
        encode(&packet, connect.version, host.link(self.key).out.bytes());
        host.sent(self.key, PacketType::Connack);
    }

    /// The CONNACK of success.
    fn connack<'a>(
        &'a self,
        config: &'a Runtime,
        connect: &Connect<'a>,
        answer: Answer<'a>,
    ) -> Connack<'a> {
        let Answer { present, assigned, expiry_s, keep_alive } = answer;
        let listener = &self.listener;
        let asked = &connect.properties;
        let unless = |available: bool| (!available).then_some(false);
        let response = config.response_information.as_deref();
        let properties = ConnackProperties {
            session_expiry: (expiry_s != asked.session_expiry).then_some(expiry_s),
            receive_maximum: (config.packets.receive_maximum != u16::MAX)
                .then_some(config.packets.receive_maximum),
            maximum_qos: QoS::from_u8(listener.max_qos).filter(|qos| *qos != QoS::ExactlyOnce),
            retain_available: unless(config.features.retain),
            maximum_packet_size: config
                .packets
                .announce_maximum
                .then_some(config.packets.maximum_packet_size),
            assigned_client_id: assigned,
            topic_alias_maximum: (listener.topic_alias_maximum != 0)
                .then_some(listener.topic_alias_maximum),
            wildcard_available: unless(config.features.wildcards),
            subscription_ids_available: unless(config.features.subscription_ids),
            shared_available: unless(config.features.shared),
            server_keep_alive: keep_alive,
            response_information: response.filter(|_| asked.request_response_information),
            authentication_method: asked.authentication_method,
            authentication_data: self
                .connecting
                .as_ref()
                .and_then(|one| one.admitted.as_ref()?.data.as_deref())
                .filter(|_| asked.authentication_method.is_some()),
            ..ConnackProperties::default()
        };
        // [MQTT-3.2.2-1]: 3.1 has no Session Present flag.
        let session_present = present && connect.version != Version::V31;
        Connack { session_present, reason: ReasonCode::SUCCESS, properties }
    }

    /// CONNACK with a failure [MQTT-3.2.2-7]; version 3 knows fewer reasons.
    pub(super) fn refuse_connect<H: Host>(
        &self,
        host: &mut H,
        reason: ReasonCode,
        what: &'static str,
    ) {
        host.metrics().connects_refused.increment();
        let config = Arc::clone(host.config());
        let v5 = self.version == Version::V5;
        if !v5 && is_malformed(reason) {
            return; // 3.x has no return code for it: close without a word.
        }
        let mut properties = ConnackProperties::default();
        if v5 {
            properties.reason_string = Some(what);
            properties.server_reference = config.server_reference.as_deref().filter(|_| {
                matches!(reason, ReasonCode::SERVER_BUSY | ReasonCode::USE_ANOTHER_SERVER)
            });
        }
        let reason = if v5 { reason } else { ReasonCode(reason.connack_v3()) };
        let refusal =
            |properties| Packet::Connack(Connack { session_present: false, reason, properties });
        // [MQTT-3.2.2-19]: without the words if they are too much, and without an answer if even
        // the reason is.
        let _written = write_within(host, self.key, self.version, &refusal(properties))
            || write_within(host, self.key, self.version, &refusal(ConnackProperties::default()));
        if host.wants().messages {
            let client_id = self.peer().host().into();
            let packet = Traced::Connack { session_present: false, code: reason.0 };
            host.log(Event::Packet { client_id, way: Way::Sending, packet });
        }
    }
}

/// What a CONNACK says of the Session.
#[derive(Clone, Copy)]
struct Answer<'a> {
    present: bool,
    /// The Client Identifier the broker made.
    assigned: Option<&'a str>,
    expiry_s: u32,
    /// Server Keep Alive in seconds, where it is not the Client's own.
    keep_alive: Option<u16>,
}

fn is_malformed(reason: ReasonCode) -> bool {
    matches!(
        reason,
        ReasonCode::MALFORMED_PACKET | ReasonCode::PROTOCOL_ERROR | ReasonCode::PACKET_TOO_LARGE
    )
}

/// Version 3's Clean Session is Clean Start with an interval of 0 or of no end.
fn session_expiry(connect: &Connect<'_>, maximum: u32) -> u32 {
    let asked = match connect.version {
        Version::V5 => connect.properties.session_expiry,
        Version::V31 | Version::V311 if connect.clean_start => 0,
        Version::V31 | Version::V311 => NEVER_EXPIRES,
    };
    asked.min(maximum)
}

fn traced_will(connect: &Connect<'_>) -> Option<(Box<str>, usize, u8)> {
    let will = connect.will.as_ref()?;
    Some((will.topic.into(), will.payload.len(), flags(false, will.qos, will.retain)))
}

/// The Will of the connection, its topic below the listener's mount point.
fn will_of(connect: &Connect<'_>, mount_point: Option<&str>) -> Result<Option<Will>, TooLong> {
    let Some(will) = connect.will.as_ref() else { return Ok(None) };
    let topic = mounted(mount_point, will.topic)?;
    let message = Message::new(MessageInit {
        topic: &topic,
        forward: will.forward,
        payload: will.payload,
        qos: will.qos,
        retain: will.retain,
        ..MessageInit::default()
    });
    Ok(Some(Will { message, delay_s: will.delay_s, message_expiry_s: will.message_expiry }))
}

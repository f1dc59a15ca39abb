//! Properties of all packets, on generated ones.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

/// The parts that packets borrow, owned.
#[derive(Clone, Debug)]
struct Parts {
    texts: [Option<String>; 5],
    topic: String,
    data: Option<Vec<u8>>,
    payload: Vec<u8>,
    pairs: Vec<(String, String)>,
    options: Vec<(String, u8)>,
    numbers: [Option<u32>; 3],
    shorts: [Option<u16>; 4],
    flags: [Option<bool>; 6],
    qos: QoS,
    packet_id: u16,
    codes: Vec<u8>,
    ids: Vec<u32>,
    choice: u8,
}

fn text() -> impl Strategy<Value = String> {
    "[^\0]{0,12}"
}

fn topic() -> impl Strategy<Value = String> {
    "[^\0+#]{1,30}"
}

fn qos() -> impl Strategy<Value = QoS> {
    (0..3_u8).prop_map(|value| QoS::from_u8(value).unwrap())
}

fn options_byte() -> impl Strategy<Value = u8> {
    (0..3_u8, any::<bool>(), any::<bool>(), 0..3_u8).prop_map(|(qos, local, retain, handling)| {
        qos | u8::from(local) << 2 | u8::from(retain) << 3 | handling << 4
    })
}

fn parts() -> impl Strategy<Value = Parts> {
    let strings = (
        prop::array::uniform5(option::of(text())),
        topic(),
        option::of(vec(any::<u8>(), 0..9)),
        vec(any::<u8>(), 0..200),
        vec((text(), text()), 0..4),
        vec((text(), options_byte()), 1..4),
    );
    let numbers = (
        prop::array::uniform3(option::of(1..u32::MAX)),
        prop::array::uniform4(option::of(1..u16::MAX)),
        prop::array::uniform6(option::of(any::<bool>())),
        qos(),
        1..=u16::MAX,
        vec(prop::sample::select(&[0_u8, 1, 2, 0x80][..]), 1..5),
        vec(1..=268_435_455_u32, 0..7),
        any::<u8>(),
    );
    (strings, numbers).prop_map(|(strings, numbers)| {
        let (texts, topic, data, payload, pairs, options) = strings;
        let (numbers, shorts, flags, qos, packet_id, codes, ids, choice) = numbers;
        Parts {
            texts,
            topic,
            data,
            payload,
            pairs,
            options,
            numbers,
            shorts,
            flags,
            qos,
            packet_id,
            codes,
            ids,
            choice,
        }
    })
}

/// Views into [`Parts`] that outlive the packets made of them.
struct Views<'a> {
    parts: &'a Parts,
    pairs: Vec<(&'a str, &'a str)>,
    subscriptions: Vec<(&'a str, SubscribeOptions)>,
    filters: Vec<&'a str>,
    forward: Vec<u8>,
}

impl<'a> Views<'a> {
    fn new(parts: &'a Parts, version: Version) -> Self {
        let pairs: Vec<_> = parts.pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let mask = if version.is_v5() { 0xFF } else { 0x03 };
        let options = |byte: u8| SubscribeOptions::from_u8(byte & mask).unwrap();
        let mut forward = Vec::new();
        ForwardValues {
            payload_format: parts.flags[0],
            content_type: parts.texts[0].as_deref(),
            response_topic: parts.texts[1].is_some().then_some(&parts.topic),
            correlation_data: parts.data.as_deref(),
            user_properties: UserProperties::from_pairs(&pairs),
        }
        .write_to(&mut forward);
        Self {
            parts,
            pairs,
            subscriptions: parts.options.iter().map(|(f, o)| (f.as_str(), options(*o))).collect(),
            filters: parts.options.iter().map(|(f, _)| f.as_str()).collect(),
            forward,
        }
    }

    fn text(&self, i: usize) -> Option<&str> {
        self.parts.texts[i].as_deref()
    }

    fn method(&self) -> Option<&str> {
        self.text(4).or(self.parts.data.as_ref().map(|_| "method"))
    }

    fn forward(&self) -> ForwardProperties<'_> {
        ForwardProperties::from_slice(&self.forward)
    }

    fn users(&self) -> UserProperties<'_> {
        UserProperties::from_pairs(&self.pairs)
    }

    /// A packet of the type, with all that the version can say.
    fn packet(&self, ty: PacketType, version: Version, role: Role) -> Packet<'_> {
        use PacketType::*;
        match ty {
            Connect => Packet::Connect(Box::new(self.connect(version))),
            Connack => Packet::Connack(self.connack(version)),
            Publish => Packet::Publish(self.publish(version, role)),
            Puback => Packet::Puback(self.ack(version, ReasonCode::QUOTA_EXCEEDED)),
            Pubrec => Packet::Pubrec(self.ack(version, ReasonCode::NO_MATCHING_SUBSCRIBERS)),
            Pubrel => Packet::Pubrel(self.ack(version, ReasonCode::PACKET_IDENTIFIER_NOT_FOUND)),
            Pubcomp => Packet::Pubcomp(self.ack(version, ReasonCode::PACKET_IDENTIFIER_NOT_FOUND)),
            Subscribe => Packet::Subscribe(self.subscribe(version)),
            Suback => Packet::Suback(self.suback(version, &self.parts.codes)),
            Unsubscribe => Packet::Unsubscribe(self.unsubscribe(version)),
            Unsuback if version.is_v5() => Packet::Unsuback(self.suback(version, &[0, 0x11, 0x87])),
            Unsuback => Packet::Unsuback(self.suback(version, &[])),
            Pingreq => Packet::Pingreq,
            Pingresp => Packet::Pingresp,
            Disconnect => Packet::Disconnect(self.disconnect(version, role)),
            Auth => Packet::Auth(self.auth()),
        }
    }

    fn connect(&self, version: Version) -> Connect<'_> {
        let v5 = version.is_v5();
        let p = self.parts;
        let will = p.flags[1].map(|retain| Will {
            qos: p.qos,
            retain,
            topic: &p.topic,
            payload: &p.payload,
            delay_s: p.numbers[0].filter(|_| v5).unwrap_or(0),
            message_expiry: p.numbers[1].filter(|_| v5),
            forward: if v5 { self.forward() } else { ForwardProperties::default() },
        });
        let username = self.text(1);
        let properties = ConnectProperties {
            session_expiry: p.numbers[0].unwrap_or(0),
            receive_maximum: p.shorts[0].unwrap_or(u16::MAX),
            maximum_packet_size: p.numbers[1].unwrap_or(u32::MAX),
            topic_alias_maximum: p.shorts[1].unwrap_or(0),
            request_response_information: p.flags[3] == Some(true),
            request_problem_information: p.flags[4] != Some(false),
            authentication_method: self.method(),
            authentication_data: p.data.as_deref(),
            user_properties: self.users(),
        };
        Connect {
            version,
            bridge: !v5 && p.flags[2].is_some(),
            clean_start: p.flags[2] == Some(true),
            keep_alive: p.shorts[2].unwrap_or(0),
            client_id: self.text(0).unwrap_or(""),
            username,
            password: p.data.as_deref().filter(|_| v5 || username.is_some()),
            will,
            properties: if v5 { properties } else { ConnectProperties::default() },
        }
    }

    fn connack(&self, version: Version) -> Connack<'_> {
        let p = self.parts;
        let session_present = version > Version::V31 && p.flags[0] == Some(true);
        let refusal = if version.is_v5() { ReasonCode::BANNED } else { ReasonCode(4) };
        let reason = if session_present { ReasonCode::SUCCESS } else { refusal };
        if !version.is_v5() {
            return Connack { session_present, reason, ..Connack::default() };
        }
        let qos = |flag| if flag { QoS::AtLeastOnce } else { QoS::AtMostOnce };
        let properties = ConnackProperties {
            session_expiry: p.numbers[0],
            receive_maximum: p.shorts[0],
            maximum_qos: p.flags[1].map(qos),
            retain_available: p.flags[2],
            maximum_packet_size: p.numbers[1],
            assigned_client_id: self.text(0),
            topic_alias_maximum: p.shorts[1],
            reason_string: self.text(1),
            user_properties: self.users(),
            wildcard_available: p.flags[3],
            subscription_ids_available: p.flags[4],
            shared_available: p.flags[5],
            server_keep_alive: p.shorts[2],
            response_information: self.text(2),
            server_reference: self.text(3),
            authentication_method: self.method(),
            authentication_data: p.data.as_deref(),
        };
        Connack { session_present, reason, properties }
    }

    fn publish(&self, version: Version, role: Role) -> Publish<'_> {
        let p = self.parts;
        let plain = Publish {
            dup: p.qos != QoS::AtMostOnce && p.flags[1] == Some(true),
            qos: p.qos,
            retain: p.flags[2] == Some(true),
            topic: &p.topic,
            packet_id: if p.qos == QoS::AtMostOnce { 0 } else { p.packet_id },
            payload: &p.payload,
            ..Publish::default()
        };
        if !version.is_v5() {
            return plain;
        }
        let by_alias = p.shorts[0].is_some() && p.flags[3].is_some();
        Publish {
            topic: if by_alias { "" } else { plain.topic },
            topic_alias: p.shorts[0],
            message_expiry: p.numbers[0],
            subscription_ids: if role == Role::Client {
                p.ids.iter().copied().collect()
            } else {
                SubscriptionIds::new()
            },
            forward: self.forward(),
            ..plain
        }
    }

    fn ack(&self, version: Version, failure: ReasonCode) -> Ack<'_> {
        let packet_id = self.parts.packet_id;
        if !version.is_v5() {
            return Ack { packet_id, ..Ack::default() };
        }
        let reason = if self.parts.flags[0].is_some() { failure } else { ReasonCode::SUCCESS };
        Ack { packet_id, reason, reason_string: self.text(0), user_properties: self.users() }
    }

    fn subscribe(&self, version: Version) -> Subscribe<'_> {
        let v5 = version.is_v5();
        Subscribe {
            packet_id: self.parts.packet_id,
            subscription_id: self.parts.ids.first().copied().filter(|_| v5),
            user_properties: if v5 { self.users() } else { UserProperties::default() },
            filters: SubscribeFilters::from_slice(&self.subscriptions),
        }
    }

    fn unsubscribe(&self, version: Version) -> Unsubscribe<'_> {
        let v5 = version.is_v5();
        Unsubscribe {
            packet_id: self.parts.packet_id,
            user_properties: if v5 { self.users() } else { UserProperties::default() },
            filters: UnsubscribeFilters::from_slice(&self.filters),
        }
    }

    fn suback<'b>(&'b self, version: Version, codes: &'b [u8]) -> Suback<'b> {
        let plain = Suback { packet_id: self.parts.packet_id, codes, ..Suback::default() };
        if !version.is_v5() {
            return plain;
        }
        Suback { reason_string: self.text(0), user_properties: self.users(), ..plain }
    }

    fn disconnect(&self, version: Version, role: Role) -> Disconnect<'_> {
        if !version.is_v5() {
            return Disconnect::default();
        }
        let codes = [ReasonCode::SUCCESS, ReasonCode::QUOTA_EXCEEDED];
        Disconnect {
            reason: codes[usize::from(self.parts.choice) % 2],
            session_expiry: self.parts.numbers[0].filter(|_| role == Role::Server),
            reason_string: self.text(0),
            user_properties: self.users(),
            server_reference: self.text(1),
        }
    }

    fn auth(&self) -> Auth<'_> {
        Auth {
            reason: ReasonCode::CONTINUE_AUTHENTICATION,
            method: self.method(),
            data: self.parts.data.as_deref(),
            reason_string: self.text(0),
            user_properties: self.users(),
        }
    }
}

/// All packets that exist in some version, for whoever hears them.
fn kinds() -> impl Iterator<Item = (PacketType, Version, Role)> {
    use PacketType::*;
    PacketType::ALL.into_iter().flat_map(|ty| {
        let versions = [Version::V31, Version::V311, Version::V5];
        let roles: &[Role] = match ty {
            Connect | Subscribe | Unsubscribe | Pingreq => &[Role::Server],
            Connack | Suback | Unsuback | Pingresp => &[Role::Client],
            _ => &[Role::Server, Role::Client],
        };
        versions.into_iter().flat_map(move |version| {
            let v5_only = move |role: Role| ty == Auth || ty == Disconnect && role == Role::Client;
            let exists = move |&role: &Role| version.is_v5() || !v5_only(role);
            roles.iter().copied().filter(exists).map(move |role| (ty, version, role))
        })
    })
}

proptest! {
    #[test]
    fn what_is_encoded_decodes_to_the_same(parts in parts()) {
        for (ty, version, role) in kinds() {
            let views = Views::new(&parts, version);
            let packet = views.packet(ty, version, role);
            let mut bytes = Vec::new();
            encode(&packet, version, &mut bytes);
            let decoded = read(&bytes, version, role);
            prop_assert_eq!(decoded.as_ref(), Ok(&packet), "{:?} {:?} {:?}", ty, version, role);
            let mut again = Vec::new();
            encode(&decoded.unwrap(), version, &mut again);
            prop_assert_eq!(again, bytes, "{:?} {:?} {:?}", ty, version, role);
        }
    }

    #[test]
    fn a_packet_cut_anywhere_is_incomplete_or_refused(parts in parts()) {
        for (ty, version, role) in kinds() {
            let views = Views::new(&parts, version);
            let mut bytes = Vec::new();
            encode(&views.packet(ty, version, role), version, &mut bytes);
            let whole = split(&bytes, u32::MAX).unwrap().unwrap();
            for end in 0..bytes.len() {
                prop_assert_eq!(split(&bytes[..end], u32::MAX), Ok(None));
            }
            // A shorter body with a length that agrees: never a panic, and where the end is not
            // open, never accepted.
            for end in 0..whole.body.len() {
                let mut short = vec![whole.first];
                wire::put::varint(&mut short, end as u32);
                short.extend_from_slice(&whole.body[..end]);
                let result = read(&short, version, role);
                let closed_end = matches!(ty, PacketType::Connack | PacketType::Pubrel)
                    && !version.is_v5();
                prop_assert!(!(closed_end && result.is_ok()), "{:?} cut at {}", ty, end);
            }
        }
    }

    #[test]
    fn one_changed_byte_never_panics(parts in parts(), at in any::<prop::sample::Index>(), to: u8) {
        for (ty, version, role) in kinds() {
            let views = Views::new(&parts, version);
            let mut bytes = Vec::new();
            encode(&views.packet(ty, version, role), version, &mut bytes);
            let at = at.index(bytes.len());
            bytes[at] = to;
            visit(&bytes);
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        visit(&bytes);
    }

    #[test]
    fn random_bodies_never_panic(first: u8, mut body in vec(0..0x30_u8, 0..120)) {
        let mut bytes = vec![first, body.len() as u8];
        bytes.append(&mut body);
        visit(&bytes);
    }

    #[test]
    fn the_head_of_a_publish_knows_its_length(parts in parts()) {
        for version in [Version::V31, Version::V311, Version::V5] {
            let views = Views::new(&parts, version);
            let head = PublishHead {
                version,
                dup: false,
                qos: parts.qos,
                retain: false,
                packet_id: parts.packet_id,
                topic: &parts.topic,
                alias: parts.shorts[0],
                message_expiry: parts.numbers[0],
                subscription_ids: &parts.ids,
                forward: views.forward(),
                payload_len: parts.payload.len(),
            };
            let mut out = Vec::new();
            let at = head.encode(&mut out);
            prop_assert_eq!(at.is_some(), parts.qos != QoS::AtMostOnce);
            if let Some(at) = at {
                prop_assert_eq!(&out[at..at + 2], parts.packet_id.to_be_bytes());
            }
            out.extend_from_slice(&parts.payload);
            prop_assert_eq!(head.encoded_len(), out.len());
            let size = split(&out, u32::MAX).unwrap().map(|frame| frame.size);
            prop_assert_eq!(size, Some(out.len()));
        }
    }

    #[test]
    fn a_message_gives_back_what_it_was_made_of(parts in parts(), expires_at_ms: Option<u32>) {
        let views = Views::new(&parts, Version::V5);
        let init = MessageInit {
            topic: &parts.topic,
            forward: views.forward(),
            payload: &parts.payload,
            qos: parts.qos,
            retain: parts.flags[0] == Some(true),
            expires_at_ms: expires_at_ms.map(u64::from),
            ..MessageInit::default()
        };
        let message = Message::new(init);
        prop_assert_eq!(message.topic(), init.topic);
        prop_assert_eq!(message.forward(), init.forward);
        prop_assert_eq!(message.payload(), init.payload);
        prop_assert_eq!((message.qos(), message.retain()), (init.qos, init.retain));
        prop_assert_eq!(message.expires_at_ms(), init.expires_at_ms);
    }
}

/// Decodes in every way, and looks at all that came out.
fn visit(bytes: &[u8]) {
    let Ok(Some(frame)) = split(bytes, u32::MAX) else { return };
    for version in [Version::V31, Version::V311, Version::V5] {
        for role in [Role::Server, Role::Client] {
            if let Ok(packet) = decode(frame, version, role) {
                let version = match &packet {
                    Packet::Connect(connect) => connect.version,
                    _ => version,
                };
                // Debug walks every view; encoding it again must mean the same.
                assert!(!format!("{packet:?}").is_empty());
                let mut out = Vec::new();
                encode(&packet, version, &mut out);
                let again = split(&out, u32::MAX).unwrap().unwrap();
                assert_eq!(decode(again, version, role).as_ref(), Ok(&packet));
            }
        }
    }
}

//! From messages to bytes on a link: what a session may be sent now, and what has to wait.

use super::outgoing::{Expired, Lifetime};
use super::shape::SPLICE_MIN;
use super::{Chosen, Link, Outgoing, PayloadRef, Shapes, Traced, flags};
use crate::metrics::DropReason;
use crate::protocol::{Message, PublishHead, QoS, encode_ack};
use crate::protocol::{PacketType, ReasonCode};
use crate::session::{
    Delivery, Enqueued, QueueFull, QueueLimits, Resend, Session, SubscriptionIds,
};

/// Limits on deliveries, as plain values.
#[derive(Clone, Copy, Debug)]
pub struct DeliverLimits {
    /// Bounds of the session's queue.
    pub queue: QueueLimits,
    /// Unsent bytes on a blocked connection above which QoS 0 is dropped.
    pub qos0_buffer: usize,
    /// Also queue QoS 0 for disconnected sessions.
    pub queue_qos0: bool,
    /// Bytes of unacknowledged messages in flight; 0 means unlimited. One message alone may
    /// exceed it.
    pub inflight_bytes: usize,
    /// Unsent bytes of a connection above which queued messages stay queued.
    pub output_high_water: usize,
    /// Tell of every packet.
    pub trace: bool,
    /// Monotonic ms.
    pub now_ms: u64,
    /// Whether a subscription's QoS counts even where the message was published with a lower one.
    pub upgrade_qos: bool,
}

impl DeliverLimits {
    /// The QoS of a message of QoS `published` for a subscription of QoS `granted`
    /// [MQTT-3.8.4-8].
    pub fn qos(&self, published: QoS, granted: QoS) -> QoS {
        if self.upgrade_qos { granted } else { published.min(granted) }
    }
}

impl DeliverLimits {
    /// Unsent bytes of a blocked connection above which nothing more is read from it. What is
    /// delivered to a Client stays below by itself, but for one message; the answers to what it
    /// sends would not.
    pub fn answers_high_water(&self) -> usize {
        let qos0 = if self.qos0_buffer == usize::MAX { 0 } else { self.qos0_buffer };
        self.output_high_water.max(qos0)
    }
}

/// How a subscription wants the message.
#[derive(Debug)]
pub struct Target {
    /// Maximum QoS of the subscription.
    pub qos: QoS,
    /// RETAIN bit to send.
    pub retain: bool,
    /// Identifiers of the matching subscriptions.
    pub ids: SubscriptionIds,
    /// Shared-subscription group, 0 for none.
    pub group: u64,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its bytes are in the link's buffer.
    Sent,
    /// It waits in the session's queue.
    Queued,
    /// It is lost, for that reason.
    Dropped(DropReason),
    /// It is lost, and the configuration wants the connection closed for it.
    Overflow(DropReason),
    /// QoS 0 for a session without a connection: nobody is owed it.
    NotOwed,
}

/// Delivers a message to a session: at once if its connection and window allow, else by queue.
/// What the queue has dropped for it is told apart.
pub fn deliver(
    session: &mut Session,
    link: Option<&mut Link>,
    outgoing: &mut Outgoing<'_>,
    target: Target,
    shapes: &mut Shapes,
    limits: &DeliverLimits,
) -> (Outcome, Enqueued) {
    match deliver_now(session, link, outgoing, &target, shapes, limits) {
        Some(outcome) => (outcome, Enqueued::default()),
        None => queue(session, outgoing, target, limits),
    }
}

/// `None`: it has to be queued.
fn deliver_now(
    session: &mut Session,
    link: Option<&mut Link>,
    outgoing: &mut Outgoing<'_>,
    target: &Target,
    shapes: &mut Shapes,
    limits: &DeliverLimits,
) -> Option<Outcome> {
    let qos = limits.qos(outgoing.qos, target.qos);
    let Ok(expiry) = outgoing.lifetime(limits.now_ms).property() else {
        return Some(Outcome::Dropped(DropReason::Expired));
    };
    let Some(link) = link.filter(|link| !link.closing) else {
        if qos == QoS::AtMostOnce && !limits.queue_qos0 {
            return Some(Outcome::NotOwed);
        }
        return None;
    };
    if qos == QoS::AtMostOnce {
        let too_much = link.blocked && link.out.pending() > limits.qos0_buffer;
        #[cfg(feature = "canary")]
        let too_much = too_much && !crate::util::canary::Canary::NoOutputLimit.sings();
        if too_much {
            return Some(Outcome::Dropped(DropReason::Qos0Backpressure));
        }
        if !session.queue.is_empty() && limits.queue_qos0 {
            return None;
        }
        if !may_overtake(session, outgoing) {
            return Some(Outcome::Dropped(DropReason::Qos0Backpressure));
        }
        let ids = target.ids.as_slice();
        let sent = send(link, outgoing, qos, target.retain, ids, 0, expiry, shapes);
        return Some(sent.map_or_else(Outcome::Dropped, |()| Outcome::Sent));
    }
    let size = outgoing.topic.len() + outgoing.payload.len();
    let waiting = !session.queue.is_empty();
    #[cfg(feature = "canary")]
    let waiting = waiting && !crate::util::canary::Canary::QueuePassed.sings();
    if waiting || !window_open(session, link, size, limits) || !may_overtake(session, outgoing) {
        return None;
    }
    if link.maximum_packet_size != u32::MAX
        && packet_len(link, qos, outgoing, target.ids.as_slice(), expiry)
            > link.maximum_packet_size as usize
    {
        return Some(Outcome::Dropped(DropReason::Oversize));
    }
    let needed_again = shapes.is_shared() || outgoing.payload.len() >= SPLICE_MIN;
    let delivery = Delivery {
        message: if needed_again { outgoing.message() } else { outgoing.only_message() },
        subscription_ids: target.ids.clone(),
        group: target.group,
        replay: None,
        qos,
        retain: target.retain,
    };
    let id = session.inflight.push(delivery);
    let ids = target.ids.as_slice();
    match send(link, outgoing, qos, target.retain, ids, id, expiry, shapes) {
        Ok(()) => Some(Outcome::Sent),
        Err(reason) => {
            session.inflight.abandon(id);
            Some(Outcome::Dropped(reason))
        }
    }
}

/// A live message is about to be sent while Retained Messages are being replayed. One that was
/// not retained itself leaves what is stored as new as it was.
fn may_overtake(session: &mut Session, outgoing: &Outgoing<'_>) -> bool {
    let replay = session.replay.as_mut().filter(|_| outgoing.retain);
    replay.is_none_or(|replay| replay.overtake(outgoing.topic))
}

fn window_open(session: &Session, link: &Link, size: usize, limits: &DeliverLimits) -> bool {
    let inflight = &session.inflight;
    #[cfg(feature = "canary")]
    let size = if crate::util::canary::Canary::NoWindowBytes.sings() { 0 } else { size };
    inflight.can_push()
        && link.out.pending() < limits.output_high_water
        && inflight.quota_used() < link.send_quota
        && (limits.inflight_bytes == 0
            || inflight.bytes() == 0
            || inflight.bytes() + size <= limits.inflight_bytes)
}

fn queue(
    session: &mut Session,
    outgoing: &mut Outgoing<'_>,
    target: Target,
    limits: &DeliverLimits,
) -> (Outcome, Enqueued) {
    let delivery = Delivery {
        message: outgoing.message(),
        subscription_ids: target.ids,
        group: target.group,
        replay: session.replay.as_ref().and_then(|replay| replay.newest()),
        qos: limits.qos(outgoing.qos, target.qos),
        retain: target.retain,
    };
    let enqueued = session.queue.enqueue(delivery, limits.now_ms, limits.queue);
    let outcome = match enqueued.refused {
        None => Outcome::Queued,
        Some(reason) if limits.queue.policy == QueueFull::Disconnect => Outcome::Overflow(reason),
        Some(reason) => Outcome::Dropped(reason),
    };
    (outcome, enqueued)
}

fn packet_len(
    link: &Link,
    qos: QoS,
    outgoing: &Outgoing<'_>,
    ids: &[u32],
    expiry: Option<u32>,
) -> usize {
    head(link, outgoing, qos, ids, expiry).map_or(0, |head| head.encoded_len())
}

/// Fails for a topic outside of the Client's mount point.
fn head<'a>(
    link: &Link,
    outgoing: &Outgoing<'a>,
    qos: QoS,
    ids: &'a [u32],
    expiry: Option<u32>,
) -> Result<PublishHead<'a>, DropReason> {
    Ok(PublishHead {
        version: link.version,
        dup: false,
        qos,
        retain: false,
        packet_id: 0,
        topic: link.shown(outgoing.topic).ok_or(DropReason::NotAuthorised)?,
        alias: None,
        message_expiry: expiry,
        subscription_ids: ids,
        forward: outgoing.forward,
        payload_len: outgoing.payload.len(),
    })
}

/// Writes a first PUBLISH of a message being routed, from the encoded shape where one serves.
#[allow(clippy::too_many_arguments)] // One call site each for QoS 0 and above; all are needed.
fn send(
    link: &mut Link,
    outgoing: &mut Outgoing<'_>,
    qos: QoS,
    retain: bool,
    ids: &[u32],
    packet_id: u16,
    expiry: Option<u32>,
    shapes: &mut Shapes,
) -> Result<(), DropReason> {
    let own = !ids.is_empty() || link.aliases.is_some() || link.mounted.is_some();
    if own || !shapes.is_shared() {
        let mut head = head(link, outgoing, qos, ids, expiry)?;
        head.retain = retain;
        head.packet_id = packet_id;
        let large = (outgoing.payload.len() >= SPLICE_MIN).then(|| outgoing.message());
        return write(link, head, outgoing.payload, large);
    }
    let frame = shapes.frame(outgoing, link.version, qos, retain, expiry);
    if frame.packet_len > link.maximum_packet_size as usize {
        return Err(DropReason::Oversize);
    }
    let out = link.out.bytes();
    let start = out.len();
    out.extend_from_slice(&frame.bytes);
    if let Some(at) = frame.id_at {
        out[start + at..start + at + 2].copy_from_slice(&packet_id.to_be_bytes());
    }
    if outgoing.payload.len() >= SPLICE_MIN {
        link.out.splice(PayloadRef(outgoing.message()));
    }
    Ok(())
}

/// Writes a PUBLISH of its own for this Client, with a Topic Alias where it takes one.
fn write(
    link: &mut Link,
    mut head: PublishHead<'_>,
    payload: &[u8],
    large: Option<Message>,
) -> Result<(), DropReason> {
    let limit = link.maximum_packet_size as usize;
    let unlimited = link.maximum_packet_size == u32::MAX;
    let len = if unlimited { 0 } else { head.encoded_len() };
    if len > limit {
        return Err(DropReason::Oversize);
    }
    if let Some(aliases) = &mut link.aliases {
        // Room for the alias, its identifier and a longer length field.
        if len + 8 <= limit {
            match aliases.choose(head.topic) {
                Chosen::Spelled => {}
                Chosen::Bind(alias) => head.alias = Some(alias),
                Chosen::Alias(alias) => {
                    head.alias = Some(alias);
                    head.topic = "";
                }
            }
        }
    }
    head.encode(link.out.bytes());
    match large {
        Some(message) => link.out.splice(PayloadRef(message)),
        None => link.out.bytes().extend_from_slice(payload),
    }
    Ok(())
}

/// What [`pump`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pumped {
    /// Packets written.
    pub sent: u32,
    /// PUBLISH packets among them, by QoS.
    pub published: [u32; 3],
    /// Payload bytes in them.
    pub payload_bytes: u64,
    /// Every packet written, if they are to be told of.
    pub traced: Vec<Traced>,
    /// PUBLISH packets sent again with DUP.
    pub redelivered: u32,
    /// Queued messages dropped because their lifetime was over.
    pub expired: u32,
    /// Messages dropped because the Client takes no packet of that size.
    pub oversize: u32,
    /// Messages dropped because they are outside of the Client's mount point.
    pub not_authorised: u32,
}

/// Sends what waits, as far as the window allows: first what an earlier connection left
/// unacknowledged, in its order and with DUP [MQTT-4.4.0-1], then the queue, at most `budget`
/// packets.
pub fn pump(session: &mut Session, link: &mut Link, limits: &DeliverLimits, budget: u32) -> Pumped {
    let mut pumped = Pumped::default();
    while pumped.sent < budget
        && link.out.pending() < limits.output_high_water
        && resend(session, link, limits, &mut pumped)
    {}
    while pumped.sent < budget && send_queued(session, link, limits, &mut pumped) {}
    pumped
}

fn resend(
    session: &mut Session,
    link: &mut Link,
    limits: &DeliverLimits,
    pumped: &mut Pumped,
) -> bool {
    let (id, reason) = match session.inflight.next_resend(link.send_quota) {
        None => return false,
        #[cfg(feature = "canary")]
        Some(Resend::Pubrel(_)) if crate::util::canary::Canary::DroppedPubrel.sings() => {
            return true;
        }
        Some(Resend::Pubrel(id)) => {
            let out = link.out.bytes();
            encode_ack(PacketType::Pubrel, link.version, id, ReasonCode::SUCCESS, out);
            pumped.sent += 1;
            if limits.trace {
                let kind = PacketType::Pubrel;
                pumped.traced.push(Traced::Ack { kind, packet_id: id, code: 0 });
            }
            return true;
        }
        Some(Resend::Publish(id, delivery)) => {
            match write_kept(link, delivery, id, true, limits.now_ms) {
                Ok(()) => {
                    pumped.published(delivery.qos, delivery.message.payload().len());
                    pumped.redelivered += 1;
                    if limits.trace {
                        pumped.traced.push(traced(delivery, id, true));
                    }
                    return true;
                }
                Err(reason) => (id, reason),
            }
        }
    };
    session.inflight.abandon(id);
    pumped.count(reason);
    true
}

fn send_queued(
    session: &mut Session,
    link: &mut Link,
    limits: &DeliverLimits,
    pumped: &mut Pumped,
) -> bool {
    let Some(next) = session.queue.front() else { return false };
    let size = next.message.footprint();
    let room = match next.qos {
        QoS::AtMostOnce => link.out.pending() < limits.output_high_water,
        QoS::AtLeastOnce | QoS::ExactlyOnce => window_open(session, link, size, limits),
    };
    if !room {
        return false;
    }
    let Some(delivery) = session.queue.pop_front() else { return false };
    if let Some(replay) = &mut session.replay
        && delivery.message.retain()
    {
        replay.overtake_late(delivery.message.topic(), delivery.replay);
    }
    let (qos, payload) = (delivery.qos, delivery.message.payload().len());
    let trace = limits.trace.then(|| delivery.clone());
    let result = if qos == QoS::AtMostOnce {
        write_kept(link, &delivery, 0, false, limits.now_ms)
    } else {
        let kept = delivery.clone();
        let id = session.inflight.push(delivery);
        let result = write_kept(link, &kept, id, false, limits.now_ms);
        if result.is_err() {
            session.inflight.abandon(id);
        }
        result
    };
    match result {
        Ok(()) => {
            pumped.published(qos, payload);
            let id = if qos == QoS::AtMostOnce { 0 } else { session.inflight.newest() };
            pumped.traced.extend(trace.map(|delivery| traced(&delivery, id, false)));
        }
        Err(reason) => pumped.count(reason),
    }
    true
}

fn traced(delivery: &Delivery, packet_id: u16, dup: bool) -> Traced {
    Traced::Publish {
        flags: flags(dup, delivery.qos, delivery.retain),
        packet_id,
        topic: delivery.message.topic().into(),
        payload: delivery.message.payload().len(),
    }
}

impl Pumped {
    fn published(&mut self, qos: QoS, payload: usize) {
        self.sent += 1;
        self.published[qos as usize] += 1;
        self.payload_bytes += payload as u64;
    }

    fn count(&mut self, reason: DropReason) {
        match reason {
            DropReason::Oversize => self.oversize += 1,
            DropReason::NotAuthorised => self.not_authorised += 1,
            _ => self.expired += 1,
        }
    }
}

/// Writes a PUBLISH of a kept message.
fn write_kept(
    link: &mut Link,
    delivery: &Delivery,
    packet_id: u16,
    dup: bool,
    now_ms: u64,
) -> Result<(), DropReason> {
    let message = &delivery.message;
    // A message that was sent before and not acknowledged is sent again even if its lifetime is
    // over: the exchange has begun [MQTT-4.4.0-1].
    let expiry = match Lifetime::until(message.expires_at_ms(), now_ms).property() {
        Ok(expiry) => expiry,
        Err(Expired) if dup => Some(0),
        Err(Expired) => return Err(DropReason::Expired),
    };
    let head = PublishHead {
        version: link.version,
        dup,
        qos: delivery.qos,
        retain: delivery.retain,
        packet_id,
        topic: link.shown(message.topic()).ok_or(DropReason::NotAuthorised)?,
        alias: None,
        message_expiry: expiry,
        subscription_ids: delivery.subscription_ids.as_slice(),
        forward: message.forward(),
        payload_len: message.payload().len(),
    };
    let large = (message.payload().len() >= SPLICE_MIN).then(|| message.clone());
    write(link, head, message.payload(), large)
}

/// Sends one Retained Message to a new subscription. `Ok(false)`: the window is closed, come
/// again.
pub fn send_retained(
    session: &mut Session,
    link: &mut Link,
    message: &Message,
    qos: QoS,
    subscription_id: u32,
    limits: &DeliverLimits,
) -> Result<bool, DropReason> {
    let qos = limits.qos(message.qos(), qos);
    let delivery = Delivery {
        message: message.clone(),
        subscription_ids: SubscriptionIds::from_one(subscription_id),
        group: 0,
        replay: None,
        qos,
        retain: true,
    };
    if qos == QoS::AtMostOnce {
        return write_kept(link, &delivery, 0, false, limits.now_ms).map(|()| true);
    }
    if !window_open(session, link, message.footprint(), limits) {
        return Ok(false);
    }
    let id = session.inflight.push(delivery.clone());
    write_kept(link, &delivery, id, false, limits.now_ms)
        .inspect_err(|_| {
            session.inflight.abandon(id);
        })
        .map(|()| true)
}

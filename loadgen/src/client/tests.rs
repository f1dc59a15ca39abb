//! Clients against bytes written by hand.

use std::sync::Arc;

use pondhawk::protocol::Version;

use crate::plan::{Expected, Plan, Share};
use crate::result::LatencyKind;
use crate::scenario::{Scenario, Setting};

use super::stamp::{STAMP_LEN, Stamp};
use super::*;

const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

/// Two publishers to "t" and a subscriber.
const SCENARIO: &str = r#"
schema = 1
[[group]]
name = "sub"
count = 1
subscribe = "t"
[[group]]
name = "pub"
count = 2
publish = "t"
"#;

/// A client with everything around it.
struct Bench {
    client: Client,
    kind: Arc<Kind>,
    expected: Option<Arc<Expected>>,
    board: Board,
    recorder: Recorder,
    progress: Vec<u32>,
    out: Vec<u8>,
}

/// What is outside of the client, for one call.
macro_rules! context {
    ($bench:expr, $now_ns:expr) => {
        Context {
            board: &$bench.board,
            recorder: &mut $bench.recorder,
            now_ns: $now_ns,
            record_from: 0,
            record_until: u64::MAX,
            progress: &mut |first| $bench.progress.push(first),
            clock: None,
        }
    };
}

impl Bench {
    /// The first client of a group, whose CONNECT has been written.
    fn new(group: usize, settings: &[&str]) -> Self {
        let settings: Vec<Setting> = settings.iter().map(|s| s.parse().unwrap()).collect();
        let scenario = Scenario::read("test", SCENARIO, &settings).unwrap();
        let plan = Plan::new(Arc::new(scenario), Share::WHOLE).unwrap();
        let kind = Kind::all(&plan).swap_remove(group);
        let flow = plan.flows.first_of(group, 0);
        let publisher = flow.map(|flow| Publisher::new(&kind, 0, flow));
        let mut client = Client::new(group as u16, 0, publisher);
        let mut out = Vec::new();
        client.connect(&kind, 0, &mut out);
        assert_eq!(out[0], 0x10);
        out.clear();
        let expected = plan.expectations.for_client(group, 0).cloned();
        // Each message goes to one subscriber.
        let board = Board::new([(0, 1), (1, 1)].into_iter(), 1);
        board.record_between(0, u64::MAX);
        let (recorder, progress) = (Recorder::new(), Vec::new());
        Self { client, kind, expected, board, recorder, progress, out }
    }

    fn publisher(settings: &[&str]) -> Self {
        Self::new(1, settings)
    }

    /// A subscriber that has its SUBACK.
    fn subscriber(settings: &[&str]) -> Self {
        let mut bench = Self::new(0, settings);
        let granted = bench.kind.group.subscribe_qos as u8;
        let (connack, suback) = match bench.kind.group.version {
            Version::V5 => (vec![0x20, 3, 0, 0, 0], vec![0x90, 4, 0xFF, 0xFF, 0, granted]),
            _ => (CONNACK.to_vec(), vec![0x90, 3, 0xFF, 0xFF, granted]),
        };
        bench.receive(&connack, 0).unwrap();
        bench.receive(&suback, 0).unwrap();
        bench
    }

    /// What the client answers to `bytes` at `now_ns`.
    fn receive(&mut self, bytes: &[u8], now_ns: u64) -> Result<Vec<u8>, Ended> {
        let ours = Ours { kind: &self.kind, expected: self.expected.as_ref() };
        let mut context = context!(self, now_ns);
        let used = self.client.receive(bytes, ours, &mut context, &mut self.out)?;
        assert_eq!(used, bytes.len(), "whole packets are taken");
        Ok(std::mem::take(&mut self.out))
    }

    /// The bytes of one batch; `None` if there is no room.
    fn write(&mut self) -> Option<usize> {
        let mut context = context!(self, 1000);
        let publisher = self.client.publisher.as_mut().unwrap();
        self.out.clear();
        publisher.write_batch(1000, 1000, &mut context, &mut self.out).then_some(self.out.len())
    }

    fn check_stall(&mut self, now_ns: u64) -> bool {
        let mut context = context!(self, now_ns);
        self.client.publisher.as_mut().unwrap().check_stall(now_ns, &mut context)
    }

    fn p50_us(&self, kind: LatencyKind) -> u64 {
        self.recorder.latencies.summary(kind).unwrap().p50_us
    }
}

/// A PUBLISH to "t" as a broker sends it.
fn publish(first: u8, packet_id: Option<[u8; 2]>, flow: u32, sequence: u32) -> Vec<u8> {
    let mut body = vec![0, 1, b't'];
    body.extend(packet_id.into_iter().flatten());
    let mut payload = [0; STAMP_LEN];
    Stamp { intended_ns: 5_000, flow, sequence }.fill(&mut payload);
    body.extend_from_slice(&payload);
    [vec![first, body.len() as u8], body].concat()
}

#[test]
fn a_subscriber_subscribes_once_it_is_connected() {
    let mut bench = Bench::new(0, &["sub.qos=1"]);
    let subscribe = bench.receive(&CONNACK, 9).unwrap();
    assert_eq!(subscribe, [0x82, 6, 0xFF, 0xFF, 0, 1, b't', 1]);
    assert_eq!(bench.client.stage(), Stage::AwaitSuback);
    bench.receive(&[0x90, 3, 0xFF, 0xFF, 1], 9).unwrap();
    assert_eq!(bench.client.stage(), Stage::Ready);
    assert_eq!((bench.recorder.totals.connected, bench.recorder.totals.subscribed), (1, 1));
}

#[test]
fn a_session_that_was_kept_is_not_subscribed_again() {
    let mut bench = Bench::new(0, &["sub.clean=false"]);
    assert!(bench.receive(&[0x20, 2, 1, 0], 9).unwrap().is_empty());
    assert_eq!(bench.client.stage(), Stage::Ready);
}

#[test]
fn a_refusal_ends_the_client() {
    assert!(Bench::publisher(&[]).receive(&[0x20, 2, 0, 5], 0).is_err());
    let mut bench = Bench::new(0, &[]);
    bench.receive(&CONNACK, 0).unwrap();
    assert!(bench.receive(&[0x90, 3, 0xFF, 0xFF, 0x80], 0).is_err());
}

#[test]
fn a_takeover_is_told_from_other_ends() {
    let mut bench = Bench::subscriber(&["sub.version=5.0"]);
    assert!(bench.receive(&[0xE0, 2, 0x8E, 0], 0).unwrap_err().taken_over);
    assert!(!bench.receive(&[0xE0, 2, 0x8B, 0], 0).unwrap_err().taken_over);
}

#[test]
fn deliveries_are_acknowledged_by_their_qos() {
    let mut bench = Bench::subscriber(&["sub.qos=2"]);
    let stream = [
        publish(0x30, None, 0, 0),
        publish(0x32, Some([0, 8]), 0, 1),
        publish(0x34, Some([0, 9]), 1, 0),
    ]
    .concat();
    let acks = bench.receive(&stream, 7_000).unwrap();
    assert_eq!(acks, [0x40, 2, 0, 8, 0x50, 2, 0, 9]);
    assert_eq!(bench.receive(&[0x62, 2, 0, 9], 7_000).unwrap(), [0x70, 2, 0, 9]);
    assert_eq!(bench.progress, [0, 1], "one report for each run of a flow");
    assert_eq!(bench.p50_us(LatencyKind::EndToEnd), 2);
}

#[test]
fn a_retained_message_counts_from_the_subscription() {
    let mut bench = Bench::subscriber(&[]);
    bench.receive(&publish(0x31, None, 0, 0), 8_000).unwrap();
    assert_eq!(bench.p50_us(LatencyKind::Retained), 8);
    assert!(bench.recorder.latencies.summary(LatencyKind::EndToEnd).is_none());
}

#[test]
fn a_repetition_makes_no_room() {
    let mut bench = Bench::subscriber(&["sub.qos=1"]);
    let first = publish(0x30, None, 0, 0);
    bench.receive(&[first.clone(), first].concat(), 0).unwrap();
    assert_eq!(bench.progress, [0]);
    assert_eq!(bench.recorder.totals.delivered, 1);
}

#[test]
fn foreign_and_corrupted_messages_are_told_apart() {
    let mut bench = Bench::subscriber(&[]);
    bench.receive(&publish(0x30, None, 7, 0), 0).unwrap();
    bench.receive(&[0x30, 4, 0, 1, b't', b'x'], 0).unwrap();
    assert_eq!(bench.recorder.counts.foreign, 2);
    let mut damaged = publish(0x30, None, 0, 0);
    *damaged.last_mut().unwrap() ^= 1;
    bench.receive(&damaged, 0).unwrap();
    assert_eq!((bench.recorder.counts.foreign, bench.recorder.counts.corrupted), (2, 1));
    assert!(bench.progress.is_empty());
    bench.receive(&damaged, 0).unwrap();
    let subscriber = bench.client.subscriber.as_ref().unwrap();
    assert_eq!(subscriber.damages(), [Damage { topic: "t".into(), flow: None, count: 2 }]);
}

#[test]
fn the_window_opens_with_deliveries_at_qos_0() {
    let mut bench = Bench::publisher(&["pub.batch=2", "pub.window=4"]);
    bench.receive(&CONNACK, 0).unwrap();
    let batch = bench.write().unwrap();
    assert_eq!(bench.write(), Some(batch));
    assert_eq!(bench.write(), None);
    bench.board.deliver(0, 1);
    assert_eq!(bench.write(), None, "half a batch");
    bench.board.deliver(0, 1);
    assert_eq!(bench.write(), Some(batch));
}

#[test]
fn the_window_opens_with_delivery_and_acknowledgement_at_qos_1() {
    let mut bench = Bench::publisher(&["pub.qos=1"]);
    bench.receive(&CONNACK, 0).unwrap();
    assert!(bench.write().is_some());
    bench.board.deliver(0, 1);
    assert_eq!(bench.write(), None);
    bench.receive(&[0x40, 2, 0, 1], 9_000).unwrap();
    assert!(bench.write().is_some());
    assert_eq!(bench.p50_us(LatencyKind::Puback), 8);
    assert!(bench.receive(&[0x40, 2, 0, 1], 0).is_err(), "acknowledged twice");
}

#[test]
fn a_receive_maximum_below_the_batch_makes_batches_smaller() {
    let settings = ["pub.version=5.0", "pub.qos=1", "pub.batch=4"];
    let mut bench = Bench::publisher(&settings);
    let frame = 2 + 3 + 2 + 1 + STAMP_LEN;
    // CONNACK with Receive Maximum 2.
    bench.receive(&[0x20, 6, 0, 0, 3, 0x21, 0, 2], 0).unwrap();
    assert_eq!(bench.write(), Some(2 * frame));
    assert_eq!(bench.write(), None);
}

#[test]
fn a_limit_of_messages_ends_a_publisher_exactly() {
    let mut bench = Bench::publisher(&["run.messages=5", "pub.batch=2", "pub.window=100"]);
    bench.receive(&CONNACK, 0).unwrap();
    let publisher = |bench: &Bench| bench.client.publisher.as_ref().unwrap().due(0, u64::MAX);
    // Three of the five are this publisher's.
    let frame = 2 + 3 + STAMP_LEN;
    assert_eq!(publisher(&bench), Due::Now(0));
    assert_eq!(bench.write(), Some(2 * frame));
    assert_eq!(bench.write(), Some(frame));
    assert_eq!(publisher(&bench), Due::Later(None));
}

#[test]
fn a_qos_2_exchange_has_four_packets() {
    let mut bench = Bench::publisher(&["pub.qos=2"]);
    bench.receive(&CONNACK, 0).unwrap();
    bench.write().unwrap();
    assert_eq!(bench.out[0], 0x34);
    bench.out.clear();
    assert_eq!(bench.receive(&[0x50, 2, 0, 1], 3_000).unwrap(), [0x62, 2, 0, 1]);
    assert_eq!(bench.recorder.totals.acked, 0);
    bench.receive(&[0x70, 2, 0, 1], 5_000).unwrap();
    assert_eq!(bench.recorder.totals.acked, 1);
    assert_eq!((bench.p50_us(LatencyKind::Pubrec), bench.p50_us(LatencyKind::Pubcomp)), (2, 4));
}

#[test]
fn missing_deliveries_are_written_off_after_a_second() {
    let mut bench = Bench::publisher(&[]);
    bench.receive(&CONNACK, 0).unwrap();
    bench.write().unwrap();
    assert!(!bench.check_stall(0));
    assert!(!bench.check_stall(999_999_999));
    assert_eq!(bench.write(), None);
    assert!(bench.check_stall(1_000_000_000));
    assert!(bench.write().is_some());
    assert_eq!(bench.recorder.counts.stalls, 1);
}

#[test]
fn what_was_open_when_the_connection_ended_is_uncertain() {
    let mut bench = Bench::publisher(&["pub.qos=1", "pub.window=2"]);
    bench.receive(&CONNACK, 0).unwrap();
    bench.write().unwrap();
    bench.client.disconnected();
    let publisher = bench.client.publisher.as_ref().unwrap();
    assert_eq!((publisher.unacknowledged(), publisher.uncertain()), (0, 1));
    assert_eq!(bench.client.stage(), Stage::New);
}

#[test]
fn a_pingreq_without_an_answer_shows() {
    let mut bench = Bench::publisher(&[]);
    bench.receive(&CONNACK, 0).unwrap();
    let version = bench.kind.group.version;
    assert!(bench.client.ping(version, &mut bench.out));
    assert_eq!(bench.out, [0xC0, 0]);
    bench.out.clear();
    bench.receive(&[0xD0, 0], 0).unwrap();
    assert!(bench.client.ping(version, &mut bench.out));
    assert!(!bench.client.ping(version, &mut bench.out));
}

#[test]
fn half_a_packet_is_left() {
    let mut bench = Bench::publisher(&[]);
    let ours = Ours { kind: &bench.kind, expected: None };
    let mut context = context!(bench, 0);
    let used = bench.client.receive(&CONNACK[..3], ours, &mut context, &mut bench.out);
    assert_eq!(used.unwrap(), 0);
}

//! Clients against bytes written by hand.

use pondhawk::protocol::{QoS, Version};

use super::stamp::{STAMP_LEN, Stamp};
use super::*;

const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

/// A client with everything around it.
struct Bench {
    client: Client,
    board: Board,
    recorder: Recorder,
    progress: Vec<(u32, u64, u64)>,
    out: Vec<u8>,
}

impl Bench {
    fn publisher(qos: QoS, batch: u64, window: Option<u64>) -> Self {
        Self::publisher_of(Version::V311, qos, batch, window)
    }

    fn publisher_of(version: Version, qos: QoS, batch: u64, window: Option<u64>) -> Self {
        let load = Load { qos, version, size: STAMP_LEN, batch, window };
        Self::new(version, None, Role::Publisher(Publisher::new(0, "t", load)))
    }

    fn subscriber(qos: QoS) -> Self {
        let flows = FlowRange { first: 0, step: 1, count: 2 };
        let subscriber = Subscriber::new(flows, Version::V311, STAMP_LEN);
        Self::new(Version::V311, Some(("t".to_owned(), qos)), Role::Subscriber(subscriber))
    }

    fn new(version: Version, subscription: Option<(String, QoS)>, role: Role) -> Self {
        let board = Board::new(2, 1, 1);
        board.record_between(0, u64::MAX);
        let client = Client::new("c".to_owned(), version, subscription, role);
        let recorder = Recorder::new();
        let mut bench = Self { client, board, recorder, progress: Vec::new(), out: Vec::new() };
        bench.client.connect(0, &mut bench.out);
        assert_eq!(bench.out[0], 0x10);
        bench.out.clear();
        bench
    }

    /// What the client answers to `bytes` at `now_ns`.
    fn receive(&mut self, bytes: &[u8], now_ns: u64) -> Result<Vec<u8>, Ended> {
        let mut progress = |flow, before, after| self.progress.push((flow, before, after));
        let mut context = Context {
            board: &self.board,
            recorder: &mut self.recorder,
            now_ns,
            record_from: 0,
            record_until: u64::MAX,
            progress: &mut progress,
        };
        let used = self.client.receive(bytes, &mut context, &mut self.out)?;
        assert_eq!(used, bytes.len(), "whole packets are taken");
        Ok(std::mem::take(&mut self.out))
    }

    /// The frames of one batch; `None` if there is no room.
    fn write(&mut self) -> Option<usize> {
        let mut context = Context {
            board: &self.board,
            recorder: &mut self.recorder,
            now_ns: 1000,
            record_from: 0,
            record_until: u64::MAX,
            progress: &mut |_, _, _| {},
        };
        let Role::Publisher(publisher) = &mut self.client.role else { panic!("a publisher") };
        self.out.clear();
        publisher.write_batch(1000, 1000, &mut context, &mut self.out).then_some(self.out.len())
    }

    fn check_stall(&mut self, now_ns: u64) -> bool {
        let mut context = Context {
            board: &self.board,
            recorder: &mut self.recorder,
            now_ns,
            record_from: 0,
            record_until: u64::MAX,
            progress: &mut |_, _, _| {},
        };
        let Role::Publisher(publisher) = &mut self.client.role else { panic!("a publisher") };
        publisher.check_stall(now_ns, &mut context)
    }
}

/// A PUBLISH to "t" as a broker sends it.
fn publish(first: u8, packet_id: Option<[u8; 2]>, flow: u32, sequence: u32) -> Vec<u8> {
    let mut body = vec![0, 1, b't'];
    body.extend(packet_id.into_iter().flatten());
    let mut payload = [0; STAMP_LEN];
    Stamp { intended_ns: 5_000, flow, sequence }.write(&mut payload);
    body.extend_from_slice(&payload);
    [vec![first, body.len() as u8], body].concat()
}

#[test]
fn a_subscriber_subscribes_once_it_is_connected() {
    let mut bench = Bench::subscriber(QoS::AtLeastOnce);
    let subscribe = bench.receive(&CONNACK, 9).unwrap();
    assert_eq!(subscribe, [0x82, 6, 0, 1, 0, 1, b't', 1]);
    assert_eq!(bench.client.stage(), Stage::AwaitSuback);
    bench.receive(&[0x90, 3, 0, 1, 1], 9).unwrap();
    assert_eq!(bench.client.stage(), Stage::Ready);
    assert_eq!((bench.recorder.totals.connected, bench.recorder.totals.subscribed), (1, 1));
}

#[test]
fn a_refusal_ends_the_client() {
    assert!(Bench::publisher(QoS::AtMostOnce, 1, None).receive(&[0x20, 2, 0, 5], 0).is_err());
    let mut bench = Bench::subscriber(QoS::AtMostOnce);
    bench.receive(&CONNACK, 0).unwrap();
    assert!(bench.receive(&[0x90, 3, 0, 1, 0x80], 0).is_err());
}

#[test]
fn deliveries_are_acknowledged_by_their_qos() {
    let mut bench = Bench::subscriber(QoS::ExactlyOnce);
    bench.receive(&CONNACK, 0).unwrap();
    bench.receive(&[0x90, 3, 0, 1, 2], 0).unwrap();
    let stream = [
        publish(0x30, None, 0, 0),
        publish(0x32, Some([0, 8]), 0, 1),
        publish(0x34, Some([0, 9]), 1, 0),
    ]
    .concat();
    let acks = bench.receive(&stream, 7_000).unwrap();
    assert_eq!(acks, [0x40, 2, 0, 8, 0x50, 2, 0, 9]);
    assert_eq!(bench.receive(&[0x62, 2, 0, 9], 7_000).unwrap(), [0x70, 2, 0, 9]);
    assert_eq!(bench.progress, [(0, 0, 2), (1, 0, 1)], "one report for each run of a flow");
    assert_eq!(bench.recorder.end_to_end.summary().unwrap().p50_us, 2);
}

#[test]
fn a_repetition_makes_no_room() {
    let mut bench = Bench::subscriber(QoS::AtLeastOnce);
    bench.receive(&CONNACK, 0).unwrap();
    bench.receive(&[0x90, 3, 0, 1, 1], 0).unwrap();
    let first = publish(0x30, None, 0, 0);
    bench.receive(&[first.clone(), first].concat(), 0).unwrap();
    assert_eq!(bench.progress, [(0, 0, 1)]);
    assert_eq!(bench.recorder.totals.delivered, 1);
}

#[test]
fn a_message_of_another_run_is_foreign() {
    let mut bench = Bench::subscriber(QoS::AtMostOnce);
    bench.receive(&CONNACK, 0).unwrap();
    bench.receive(&[0x90, 3, 0, 1, 0], 0).unwrap();
    bench.receive(&publish(0x30, None, 7, 0), 0).unwrap();
    bench.receive(&[0x30, 4, 0, 1, b't', b'x'], 0).unwrap();
    assert_eq!(bench.recorder.integrity.foreign, 2);
    assert!(bench.progress.is_empty());
}

#[test]
fn the_window_opens_with_deliveries_at_qos_0() {
    let mut bench = Bench::publisher(QoS::AtMostOnce, 2, Some(4));
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
    let mut bench = Bench::publisher(QoS::AtLeastOnce, 1, Some(1));
    bench.receive(&CONNACK, 0).unwrap();
    assert!(bench.write().is_some());
    bench.board.deliver(0, 1);
    assert_eq!(bench.write(), None);
    bench.receive(&[0x40, 2, 0, 1], 9_000).unwrap();
    assert!(bench.write().is_some());
    assert_eq!(bench.recorder.acknowledge.summary().unwrap().p50_us, 8);
    assert!(bench.receive(&[0x40, 2, 0, 1], 0).is_err(), "acknowledged twice");
}

#[test]
fn a_receive_maximum_below_the_batch_makes_batches_smaller() {
    let mut bench = Bench::publisher_of(Version::V5, QoS::AtLeastOnce, 4, Some(4));
    let frame = 2 + 3 + 2 + 1 + STAMP_LEN;
    // CONNACK with Receive Maximum 2.
    bench.receive(&[0x20, 6, 0, 0, 3, 0x21, 0, 2], 0).unwrap();
    assert_eq!(bench.write(), Some(2 * frame));
    assert_eq!(bench.write(), None);
}

#[test]
fn a_qos_2_exchange_has_four_packets() {
    let mut bench = Bench::publisher(QoS::ExactlyOnce, 1, Some(1));
    bench.receive(&CONNACK, 0).unwrap();
    bench.write().unwrap();
    assert_eq!(bench.out[0], 0x34);
    bench.out.clear();
    assert_eq!(bench.receive(&[0x50, 2, 0, 1], 0).unwrap(), [0x62, 2, 0, 1]);
    assert_eq!(bench.recorder.totals.acked, 0);
    bench.receive(&[0x70, 2, 0, 1], 0).unwrap();
    assert_eq!(bench.recorder.totals.acked, 1);
}

#[test]
fn missing_deliveries_are_written_off_after_a_second() {
    let mut bench = Bench::publisher(QoS::AtMostOnce, 1, Some(1));
    bench.receive(&CONNACK, 0).unwrap();
    bench.write().unwrap();
    assert!(!bench.check_stall(0));
    assert!(!bench.check_stall(999_999_999));
    assert_eq!(bench.write(), None);
    assert!(bench.check_stall(1_000_000_000));
    assert!(bench.write().is_some());
    assert_eq!(bench.recorder.integrity.stalls, 1);
}

#[test]
fn half_a_packet_is_left() {
    let mut bench = Bench::publisher(QoS::AtMostOnce, 1, None);
    let mut context = Context {
        board: &bench.board,
        recorder: &mut bench.recorder,
        now_ns: 0,
        record_from: 0,
        record_until: 0,
        progress: &mut |_, _, _| {},
    };
    let used = bench.client.receive(&CONNACK[..3], &mut context, &mut bench.out);
    assert_eq!(used.unwrap(), 0);
}

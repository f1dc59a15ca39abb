//! What each topic says, and which have something new to say.

use std::collections::HashMap;
use std::time::Duration;

use super::load::{Load, SPANS};
use crate::control::metrics::held_bytes;
use crate::metrics::{DropReason, Snapshot};
use crate::protocol::PacketType;

/// What all topics begin with.
const ROOT: &str = "$SYS/broker/";

/// A load average moves a topic only by this much.
const MOVED: f64 = 0.01;

/// Drops that Mosquitto counts: a limit of a queue or of memory was met.
const LIMITS: [DropReason; 5] = [
    DropReason::QueueFull,
    DropReason::QueueBytesFull,
    DropReason::QueueOldest,
    DropReason::Qos0Backpressure,
    DropReason::MemoryPressure,
];

/// Everything that was published, and what the next values follow from.
#[derive(Debug, Default)]
pub struct Tree {
    said: HashMap<String, String>,
    loads: HashMap<&'static str, Load>,
    shown: HashMap<String, f64>,
    clients_maximum: u64,
    heap_maximum: u64,
    last: Option<Duration>,
}

/// The totals at one time.
struct Totals<'s> {
    snapshot: &'s Snapshot,
}

impl Totals<'_> {
    fn value(&self, name: &str) -> u64 {
        debug_assert!(self.snapshot.value(name).is_some(), "{name}");
        self.snapshot.value(name).and_then(|value| u64::try_from(value).ok()).unwrap_or(0)
    }

    fn sum(&self, names: &[&str]) -> u64 {
        names.iter().map(|name| self.value(name)).sum()
    }

    fn published_in(&self) -> u64 {
        self.sum(&["publish_received_qos0", "publish_received_qos1", "publish_received_qos2"])
    }

    fn published_out(&self) -> u64 {
        self.sum(&["publish_sent_qos0", "publish_sent_qos1", "publish_sent_qos2"])
    }

    fn dropped(&self) -> u64 {
        LIMITS.iter().map(|reason| self.snapshot.dropped(*reason)).sum()
    }
}

impl Tree {
    /// Takes in the counters `uptime` after the start; returns the topics whose value is another
    /// than was said before, with it.
    pub fn update(&mut self, uptime: Duration, snapshot: &Snapshot) -> Vec<(String, String)> {
        let mut changed = Changed { said: &mut self.said, topics: Vec::new() };
        let totals = Totals { snapshot };
        let uptime_s = uptime.as_secs();
        changed.set("version", format!("pondhawk version {}", env!("CARGO_PKG_VERSION")));
        changed.set("uptime", format!("{uptime_s} seconds"));
        let sessions = totals.value("sessions");
        self.clients_maximum = self.clients_maximum.max(sessions);
        clients(&mut changed, &totals, self.clients_maximum);
        let heap = held_bytes(snapshot);
        self.heap_maximum = self.heap_maximum.max(heap);
        changed.count("heap/current", heap);
        changed.count("heap/maximum", self.heap_maximum);
        stored(&mut changed, &totals);
        traffic(&mut changed, &totals);
        packets(&mut changed, &totals);
        let elapsed = self.last.map_or(0.0, |last| uptime.saturating_sub(last).as_secs_f64());
        self.last = Some(uptime);
        for (name, counted) in loads(&totals) {
            let averages = self.loads.entry(name).or_default().update(counted, elapsed);
            for (average, (_, span)) in averages.into_iter().zip(SPANS) {
                let topic = format!("load/{name}/{span}");
                let moved = self.shown.get(&topic).is_none_or(|old| (old - average).abs() >= MOVED);
                if moved {
                    changed.set(&topic, format!("{average:.2}"));
                    self.shown.insert(topic, average);
                }
            }
        }
        changed.topics
    }
}

fn clients(changed: &mut Changed<'_>, totals: &Totals<'_>, maximum: u64) {
    let sessions = totals.value("sessions");
    let connected = totals.value("clients_connected");
    let away = sessions.saturating_sub(connected);
    changed.count("clients/total", sessions);
    changed.count("clients/maximum", maximum);
    changed.count("clients/connected", connected);
    changed.count("clients/active", connected);
    changed.count("clients/disconnected", away);
    changed.count("clients/inactive", away);
    changed.count("clients/expired", totals.value("sessions_expired"));
    changed.count("connections/socket/count", totals.value("connections"));
}

fn stored(changed: &mut Changed<'_>, totals: &Totals<'_>) {
    let messages = totals.sum(&["retained_messages", "queued_messages", "inflight_messages"]);
    let bytes = totals.sum(&["retained_bytes", "queued_bytes", "inflight_bytes"]);
    changed.count("messages/stored", messages);
    changed.count("store/messages/count", messages);
    changed.count("store/messages/bytes", bytes);
    changed.count("retained messages/count", totals.value("retained_messages"));
    let shared = totals.value("subscriptions_shared");
    changed.count("subscriptions/count", totals.value("subscriptions").saturating_sub(shared));
    changed.count("shared_subscriptions/count", shared);
    changed.count("packet/out/count", totals.value("queued_messages"));
    changed.count("packet/out/bytes", totals.sum(&["queued_bytes", "output_bytes"]));
}

fn traffic(changed: &mut Changed<'_>, totals: &Totals<'_>) {
    changed.count("messages/received", totals.value("messages_received"));
    changed.count("messages/sent", totals.value("messages_sent"));
    changed.count("bytes/received", totals.value("bytes_received"));
    changed.count("bytes/sent", totals.value("bytes_sent"));
    changed.count("publish/messages/received", totals.published_in());
    changed.count("publish/messages/sent", totals.published_out());
    changed.count("publish/messages/dropped", totals.dropped());
    changed.count("publish/bytes/received", totals.value("publish_bytes_received"));
    changed.count("publish/bytes/sent", totals.value("publish_bytes_sent"));
}

/// Every type of packet by itself: Mosquitto's manual has these topics, its code does not.
fn packets(changed: &mut Changed<'_>, totals: &Totals<'_>) {
    for packet_type in PacketType::ALL {
        let (received, sent) = match packet_type {
            PacketType::Publish => (totals.published_in(), totals.published_out()),
            other => (
                totals.snapshot.packets_received(other as u8),
                totals.snapshot.packets_sent(other as u8),
            ),
        };
        let name = format!("{packet_type:?}").to_lowercase();
        changed.count(&format!("mqtt/{name}/received"), received);
        changed.count(&format!("mqtt/{name}/sent"), sent);
    }
}

/// What is averaged, by its name below `load/`.
fn loads(totals: &Totals<'_>) -> [(&'static str, u64); 9] {
    [
        ("messages/received", totals.value("messages_received")),
        ("messages/sent", totals.value("messages_sent")),
        ("publish/dropped", totals.dropped()),
        ("publish/received", totals.published_in()),
        ("publish/sent", totals.published_out()),
        ("bytes/received", totals.value("bytes_received")),
        ("bytes/sent", totals.value("bytes_sent")),
        ("sockets", totals.value("connections_opened")),
        ("connections", totals.snapshot.packets_received(PacketType::Connect as u8)),
    ]
}

/// Collects what is new.
struct Changed<'t> {
    said: &'t mut HashMap<String, String>,
    topics: Vec<(String, String)>,
}

impl Changed<'_> {
    fn count(&mut self, name: &str, value: u64) {
        self.set(name, value.to_string());
    }

    fn set(&mut self, name: &str, payload: String) {
        let topic = format!("{ROOT}{name}");
        // The time always tells: the topic is a sign of life.
        if self.said.get(&topic) == Some(&payload) && name != "uptime" {
            return;
        }
        self.said.insert(topic.clone(), payload.clone());
        self.topics.push((topic, payload));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::ShardMetrics;

    fn second(tree: &mut Tree, at_s: u64, metrics: &ShardMetrics) -> HashMap<String, String> {
        let changed = tree.update(Duration::from_secs(at_s), &metrics.snapshot());
        let all = changed.iter().cloned().collect::<HashMap<_, _>>();
        assert_eq!(all.len(), changed.len(), "each topic once: {changed:?}");
        all
    }

    /// What Debian's mosquitto 2.0.11 publishes on a subscription to `$SYS/#`.
    const MOSQUITTO: &str = "version uptime clients/total clients/inactive clients/disconnected \
         clients/active clients/connected clients/expired clients/maximum messages/stored \
         messages/received messages/sent store/messages/count store/messages/bytes \
         subscriptions/count shared_subscriptions/count heap/current heap/maximum \
         publish/messages/dropped publish/messages/received publish/messages/sent \
         publish/bytes/received publish/bytes/sent bytes/received bytes/sent";

    #[test]
    fn at_the_start_every_topic_of_mosquitto_is_published() {
        let first = second(&mut Tree::default(), 0, &ShardMetrics::new());
        for name in MOSQUITTO.split_whitespace().chain(["retained messages/count"]) {
            assert!(first.contains_key(&format!("$SYS/broker/{name}")), "{name}");
        }
        for (name, _) in loads(&Totals { snapshot: &Snapshot::zero() }) {
            for span in ["1min", "5min", "15min"] {
                assert_eq!(first[&format!("$SYS/broker/load/{name}/{span}")], "0.00");
            }
        }
        assert_eq!(first["$SYS/broker/uptime"], "0 seconds");
        assert_eq!(first["$SYS/broker/mqtt/connect/received"], "0");
    }

    #[test]
    fn later_only_what_has_changed_is_published_and_the_time() {
        let (mut tree, metrics) = (Tree::default(), ShardMetrics::new());
        second(&mut tree, 0, &metrics);
        let idle = second(&mut tree, 10, &metrics);
        assert_eq!(
            idle.into_iter().collect::<Vec<_>>(),
            [("$SYS/broker/uptime".to_string(), "10 seconds".to_string())]
        );
        metrics.sessions.set(3);
        metrics.clients_connected.set(1);
        metrics.received(1);
        let busy = second(&mut tree, 20, &metrics);
        assert_eq!(busy["$SYS/broker/clients/total"], "3");
        assert_eq!(busy["$SYS/broker/clients/active"], "1");
        assert_eq!(busy["$SYS/broker/clients/inactive"], "2");
        assert_eq!(busy["$SYS/broker/mqtt/connect/received"], "1");
        assert_eq!(busy["$SYS/broker/load/connections/1min"], "0.92");
        assert!(!busy.contains_key("$SYS/broker/version"));
        metrics.sessions.set(1);
        let fewer = second(&mut tree, 30, &metrics);
        assert_eq!(fewer["$SYS/broker/clients/total"], "1");
        assert!(!fewer.contains_key("$SYS/broker/clients/maximum"), "it stays at 3");
    }

    #[test]
    fn subscriptions_and_shared_ones_are_apart() {
        let metrics = ShardMetrics::new();
        metrics.subscriptions.set(5);
        metrics.subscriptions_shared.set(2);
        let first = second(&mut Tree::default(), 0, &metrics);
        assert_eq!(first["$SYS/broker/subscriptions/count"], "3");
        assert_eq!(first["$SYS/broker/shared_subscriptions/count"], "2");
    }

    #[test]
    fn drops_for_a_limit_are_counted_and_others_are_not() {
        let metrics = ShardMetrics::new();
        metrics.dropped(DropReason::QueueFull);
        metrics.dropped(DropReason::Qos0Offline);
        let first = second(&mut Tree::default(), 0, &metrics);
        assert_eq!(first["$SYS/broker/publish/messages/dropped"], "1");
    }
}

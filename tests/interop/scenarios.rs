//! What every client library must be able to do with the broker, in each version it speaks.

use std::sync::mpsc::channel;

use crate::clients::{Connect, KINDS, Kind, Library, Message, Version, each_kind, fresh};
use crate::support::Scope;
use crate::support::broker::PATIENCE;

/// Each library hears each library, in every pair of versions, at every QoS and in order.
fn exchange(shards: u32) {
    const MESSAGES: u8 = 3;
    let broker = crate::broker(shards);
    let connect = |kind: &Kind| kind.connect(&broker, &Connect::fresh());
    let mut subscribers: Vec<_> = KINDS.iter().map(connect).collect();
    for subscriber in &mut subscribers {
        subscriber.subscribe("exchange/#", 2);
    }
    let mut sent = Vec::new();
    for (index, kind) in KINDS.iter().enumerate() {
        let _scope = Scope(format!("{kind:?} publishes"));
        let mut publisher = connect(kind);
        for qos in 0..=2 {
            let topic = format!("exchange/{index}/{qos}");
            let list = (0..MESSAGES).map(|n| Message::new(&topic, format!("{kind:?} {n}"), qos));
            let list: Vec<_> = list.collect();
            list.iter().for_each(|message| publisher.publish(message));
            sent.push((topic, list));
        }
        publisher.leave();
    }
    for (kind, subscriber) in KINDS.iter().zip(&mut subscribers) {
        let _scope = Scope(format!("{kind:?} receives"));
        let mut came = subscriber.receive_by_topic(sent.len() * usize::from(MESSAGES));
        for (topic, list) in &sent {
            assert_eq!(came.remove(topic).as_ref(), Some(list), "on {topic}");
        }
    }
}

/// Shows 3.1.1 [MQTT-7.0.0-2].
#[test]
fn every_client_hears_every_client_on_one_shard() {
    exchange(1);
}

/// Shows 3.1.1 [MQTT-7.0.0-2].
#[test]
fn every_client_hears_every_client_across_shards() {
    exchange(4);
}

#[test]
fn a_retained_message_reaches_whoever_comes_later() {
    each_kind(|broker, kind| {
        let topic = fresh("retained/");
        // Who sees it live can tell that the broker has it, at QoS 0, too.
        let mut watcher = kind.connect(broker, &Connect::fresh());
        watcher.subscribe(&topic, 2);
        let mut publisher = kind.connect(broker, &Connect::fresh());
        for qos in 0..=2 {
            let message = Message::new(&topic, format!("QoS {qos}"), qos).retained();
            publisher.publish(&message);
            watcher.expect(&Message { retain: false, ..message.clone() });
            let mut late = kind.connect(broker, &Connect::fresh());
            late.subscribe(&topic, 2);
            late.expect(&message);
            late.leave();
        }
        publisher.publish(&Message::new(&topic, "", 1).retained());
        watcher.expect(&Message::new(&topic, "", 1));
        let mut late = kind.connect(broker, &Connect::fresh());
        late.subscribe(&topic, 2);
        let live = Message::new(&topic, "live", 1);
        publisher.publish(&live);
        late.expect(&live);
    });
}

#[test]
fn a_will_is_published_when_the_connection_is_lost() {
    each_kind(|broker, kind| {
        let topic = fresh("will/");
        let mut watcher = kind.connect(broker, &Connect::fresh());
        watcher.subscribe(&topic, 2);
        for qos in 0..=2 {
            let will = Message::new(&topic, format!("lost at QoS {qos}"), qos);
            kind.connect(broker, &Connect { will: Some(will.clone()), ..Connect::fresh() }).cut();
            watcher.expect(&will);
        }
    });
}

#[test]
fn a_will_is_dropped_by_disconnect() {
    each_kind(|broker, kind| {
        let topic = fresh("will/");
        let mut watcher = kind.connect(broker, &Connect::fresh());
        watcher.subscribe(&topic, 2);
        let will = Some(Message::new(&topic, "unwanted", 1));
        kind.connect(broker, &Connect { will, ..Connect::fresh() }).leave();
        // Published after the cut, so it would come after the unwanted one.
        let last = Message::new(&topic, "last", 1);
        kind.connect(broker, &Connect { will: Some(last.clone()), ..Connect::fresh() }).cut();
        watcher.expect(&last);
    });
}

#[test]
fn a_retained_will_is_kept() {
    each_kind(|broker, kind| {
        let topic = fresh("will/");
        let mut watcher = kind.connect(broker, &Connect::fresh());
        watcher.subscribe(&topic, 1);
        let will = Message::new(&topic, "offline", 1).retained();
        kind.connect(broker, &Connect { will: Some(will.clone()), ..Connect::fresh() }).cut();
        watcher.expect(&Message { retain: false, ..will.clone() });
        let mut late = kind.connect(broker, &Connect::fresh());
        late.subscribe(&topic, 1);
        late.expect(&will);
    });
}

#[test]
fn a_shared_subscription_gives_each_message_to_one_member() {
    const MESSAGES: usize = 30;
    each_kind(|broker, kind| {
        let topic = fresh("shared/");
        let (sender, inbox) = channel();
        let mut members: Vec<_> =
            (0..3).map(|_| kind.connect_to(broker, &Connect::fresh(), sender.clone())).collect();
        for member in &mut members {
            member.subscribe(&format!("$share/group/{topic}"), 1);
        }
        let mut publisher = kind.connect(broker, &Connect::fresh());
        for n in 0..MESSAGES {
            publisher.publish(&Message::new(&topic, format!("{n:02}"), 1));
        }
        let take = || inbox.recv_timeout(PATIENCE).expect("a message for some member");
        let mut taken: Vec<_> = (0..MESSAGES).map(|_| take()).collect();
        // A message given to two would still be on its way: the next one must be this.
        publisher.publish(&Message::new(&topic, "last", 1));
        assert_eq!(take().1.payload, b"last");
        let who = |id: &String| taken.iter().filter(|(taker, _)| taker == id).count();
        let ids: Vec<String> = taken.iter().map(|(id, _)| id.clone()).collect();
        assert!(ids.iter().all(|id| who(id) < MESSAGES), "one member had everything");
        taken.sort_by(|(_, a), (_, b)| a.payload.cmp(&b.payload));
        let payloads: Vec<_> = taken.into_iter().map(|(_, message)| message.payload).collect();
        let sent: Vec<_> = (0..MESSAGES).map(|n| format!("{n:02}").into_bytes()).collect();
        assert_eq!(payloads, sent);
    });
}

#[test]
fn a_session_waits_for_its_client() {
    each_kind(|broker, kind| {
        let topic = fresh("session/");
        let options = Connect { clean: false, ..Connect::fresh() };
        let mut sleeper = kind.connect(broker, &options);
        assert!(!sleeper.session_present);
        sleeper.subscribe(&topic, 2);
        sleeper.leave();
        let mut publisher = kind.connect(broker, &Connect::fresh());
        let kept = [(1, 1), (1, 2), (2, 1), (2, 2), (1, 3)];
        let kept = kept.map(|(qos, n)| Message::new(&topic, format!("{n} at {qos}"), qos));
        kept.iter().for_each(|message| publisher.publish(message));
        let mut sleeper = kind.connect(broker, &options);
        // MQTT 3.1 has no Session Present.
        assert_eq!(sleeper.session_present, kind.version != Version::V31);
        let mut waited: Vec<_> = kept.iter().map(|_| sleeper.receive()).collect();
        // Order is kept at each QoS: libraries hand a message of QoS 2 over at its PUBREL.
        waited.sort_by_key(|message| message.qos == 2);
        let in_order = [0, 1, 4, 2, 3].map(|at: usize| kept[at].clone());
        assert_eq!(waited, in_order);
        let live = Message::new(&topic, "live", 0);
        publisher.publish(&live);
        sleeper.expect(&live);
    });
}

/// At QoS 1: MQTT.js 5.16 hands over a message of QoS 2 whose alias stands alone without its topic.
#[test]
fn a_topic_alias_stands_for_its_topic() {
    each_kind(|broker, kind| {
        if kind.version != Version::V5 {
            return;
        }
        let aliases = || Connect { aliases: true, ..Connect::fresh() };
        let mut watcher = kind.connect(broker, &aliases());
        watcher.subscribe("alias/#", 1);
        let mut publisher = kind.connect(broker, &aliases());
        // MQTT.js sees to its aliases itself; the others are told to use 1 and 2.
        for round in 0..3 {
            for alias in [1, 2] {
                let topic = format!("alias/of/{alias}");
                let message = Message::new(&topic, format!("round {round}"), 1);
                let alone = publisher.publish_aliased(&message, alias);
                assert_eq!(alone, round > 0, "{topic} in round {round}");
                watcher.expect(&message);
            }
        }
    });
}

#[test]
fn a_large_payload_arrives_whole() {
    const BYTES: usize = 8 << 20;
    each_kind(|broker, kind| {
        let topic = fresh("large/");
        let mut subscriber = kind.connect(broker, &Connect::fresh());
        subscriber.subscribe(&topic, 2);
        let mut publisher = kind.connect(broker, &Connect::fresh());
        for qos in 0..=2 {
            // No byte repeats with a period that a buffer might have.
            let payload: Vec<u8> = (0..BYTES).map(|at| (at % 251) as u8).collect();
            let message = Message::new(&topic, payload, qos);
            publisher.publish(&message);
            // Two such payloads make no readable report.
            assert!(subscriber.receive() == message, "the payload was changed at QoS {qos}");
        }
    });
}

#[test]
fn the_list_of_kinds_has_each_library() {
    for library in [Library::Paho, Library::Gmqtt, Library::MqttJs, Library::Rumqttc] {
        assert!(KINDS.iter().any(|kind| kind.library == library), "{library:?}");
    }
}

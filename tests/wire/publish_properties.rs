//! The properties of a message arrive as they were sent; versions without properties lose them.

use crate::support::Version::{V5, V311};
use crate::support::broker::{Options, each_broker};
use crate::support::bytes::{
    Connect, Publish, disconnect_with, packet, prop, properties, subscribe, subscribe_with, text,
};
use crate::support::client::Client;
use crate::support::fresh;
use crate::support::parse::Value;

fn full(topic: &str) -> Publish {
    Publish::new(V5, topic, "{\"a\":1}")
        .with(prop::user("z", "first"))
        .with(prop::payload_format(1))
        .with(prop::content_type("application/json"))
        .with(prop::user("a", "second"))
        .with(prop::response_topic("answer/to/me"))
        .with(prop::correlation_data(&[0, 1, 255]))
        .with(prop::user("z", "third"))
        .with(prop::user("", ""))
}

/// Shows 5.0 [MQTT-3.3.2-4], [MQTT-3.3.2-15], [MQTT-3.3.2-16], [MQTT-3.3.2-17], [MQTT-3.3.2-18],
/// [MQTT-3.3.2-20].
#[test]
fn every_property_is_forwarded_unaltered() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("props");
        let mut five = Client::connect(broker, V5, &fresh("props-5"));
        let mut three = Client::connect(broker, V311, &fresh("props-3"));
        five.subscribe(&topic, 2);
        three.subscribe(&topic, 2);
        let mut publisher = Client::connect(broker, V5, &fresh("props-p"));
        for qos in 0..=2 {
            publisher.publish_with(full(&topic), qos);
            let delivery = five.receive_this(&topic, "{\"a\":1}", qos);
            let properties = &delivery.properties;
            assert_eq!(properties.int(0x01), Some(1));
            assert_eq!(properties.text(0x03).as_deref(), Some("application/json"));
            assert_eq!(properties.text(0x08).as_deref(), Some("answer/to/me"));
            assert_eq!(properties.bytes(0x09), Some(&[0, 1, 255][..]));
            let users = [("z", "first"), ("a", "second"), ("z", "third"), ("", "")];
            assert_eq!(properties.users(), users, "in the order they were sent [MQTT-3.3.2-18]");
            assert_eq!(properties.0.len(), 8, "nothing added: {properties:?}");
            three.receive_this(&topic, "{\"a\":1}", qos);
        }
    });
}

#[test]
fn each_property_alone() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("alone");
        let mut subscriber = Client::connect(broker, V5, &fresh("alone-s"));
        subscriber.subscribe(&topic, 0);
        let mut publisher = Client::connect(broker, V5, &fresh("alone-p"));
        for (property, arrived) in [
            (prop::payload_format(0), (0x01, Value::Int(0))),
            (prop::payload_format(1), (0x01, Value::Int(1))),
            (prop::content_type(""), (0x03, Value::Bytes(vec![]))),
            (prop::response_topic("r"), (0x08, Value::Bytes(b"r".to_vec()))),
            (prop::correlation_data(&[]), (0x09, Value::Bytes(vec![]))),
            (prop::user("k", "v"), (0x26, Value::Pair("k".into(), "v".into()))),
        ] {
            publisher.publish_with(Publish::new(V5, &topic, "x").with(property), 0);
            assert_eq!(subscriber.delivery().properties.0, [arrived]);
        }
    });
}

#[test]
fn retained_messages_keep_their_properties() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("kept");
        let mut publisher = Client::connect(broker, V5, &fresh("kept-p"));
        publisher.publish_with(full(&topic).retain(), 1);
        let mut subscriber = Client::connect(broker, V5, &fresh("kept-s"));
        subscriber.subscribe(&topic, 1);
        let delivery = subscriber.receive();
        assert!(delivery.retain);
        assert_eq!(delivery.properties.0.len(), 8, "{delivery:?}");
        assert_eq!(delivery.properties.users()[1], ("a", "second"));
        publisher.publish_retained(&topic, "", 0);
    });
}

#[test]
fn queued_messages_keep_their_properties() {
    each_broker(&Options::default(), |broker| {
        let (topic, id) = (fresh("queued"), fresh("queued"));
        let mut subscriber = Client::with(broker, &Connect::persistent(V5, &id));
        subscriber.subscribe(&topic, 1);
        subscriber.leave();
        let mut publisher = Client::connect(broker, V5, &fresh("queued-p"));
        publisher.publish_with(full(&topic), 1);
        let mut subscriber = Client::with(broker, &Connect::persistent(V5, &id));
        assert_eq!(subscriber.receive().properties.0.len(), 8);
    });
}

#[test]
fn user_properties_are_accepted_in_every_packet() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("user");
        let user = || vec![prop::user("who", "me")];
        let mut client =
            Client::with(broker, &Connect::new(V5, &fresh("user")).with(prop::user("a", "b")));
        client.send(subscribe_with(V5, 1, &user(), &[(&topic, 0)]));
        assert_eq!(client.answer(0x90).codes, [0]);
        client.send(packet(0xA2, &[&[0, 2], &properties(V5, &user()), &text(&topic)]));
        assert_eq!(client.answer(0xB0).codes, [0]);
        client.send(disconnect_with(0, &user()));
        client.closed();
    });
}

/// Shows 5.0 [MQTT-3.3.2-17], [MQTT-3.3.2-18].
#[test]
fn a_long_list_of_user_properties_keeps_its_order() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("users");
        let mut subscriber = Client::connect(broker, V5, &fresh("users-s"));
        subscriber.subscribe(&topic, 1);
        let mut publisher = Client::connect(broker, V5, &fresh("users-p"));
        let mut publish = Publish::new(V5, &topic, "x");
        publish.properties = (0..500)
            .map(|index| prop::user(&format!("n{}", index % 7), &index.to_string()))
            .collect();
        publisher.publish_with(publish, 1);
        let delivery = subscriber.receive();
        let values: Vec<u32> = delivery
            .properties
            .users()
            .iter()
            .map(|(_, value)| value.parse().expect("a number"))
            .collect();
        assert_eq!(values, (0..500).collect::<Vec<u32>>());
    });
}

#[test]
fn request_and_response() {
    each_broker(&Options::default(), |broker| {
        let (service, answers) = (fresh("service"), fresh("answers"));
        let mut responder = Client::connect(broker, V5, &fresh("responder"));
        responder.subscribe(&service, 1);
        let mut requester = Client::connect(broker, V5, &fresh("requester"));
        requester.subscribe(&answers, 1);
        let request = Publish::new(V5, &service, "6*7")
            .with(prop::response_topic(&answers))
            .with(prop::correlation_data(b"q1"));
        requester.publish_with(request, 1);
        let asked = responder.receive();
        let to = asked.properties.text(0x08).expect("Response Topic");
        let correlation = asked.properties.bytes(0x09).expect("Correlation Data").to_vec();
        let answer = Publish::new(V5, &to, "42").with(prop::correlation_data(&correlation));
        responder.publish_with(answer, 1);
        let got = requester.receive_this(&answers, "42", 1);
        assert_eq!(got.properties.bytes(0x09), Some(&b"q1"[..]));
    });
}

/// Shows 5.0 [MQTT-3.1.2-28].
#[test]
fn response_information_is_given_when_asked_for() {
    let options = Options::default().set("response_information", "\"answers/here/\"");
    each_broker(&options, |broker| {
        let given = |connect: &Connect| Client::accepted(broker, connect).1.properties.text(0x1A);
        let connect = Connect::new(V5, &fresh("info"));
        assert_eq!(given(&connect), None);
        let not_asked = connect.clone().with(prop::request_response(0));
        assert_eq!(given(&not_asked), None, "[MQTT-3.1.2-28]");
        let asked = connect.with(prop::request_response(1));
        assert_eq!(given(&asked).as_deref(), Some("answers/here/"));
    });
}

/// Shows 5.0 [MQTT-3.1.2-29].
#[test]
fn request_problem_information_0_silences_reasons() {
    each_broker(&Options::default(), |broker| {
        let connect = Connect::new(V5, &fresh("silent")).with(prop::request_problem(0));
        let mut client = Client::with(broker, &connect);
        client.send(Publish::new(V5, "$SYS/x", "x").qos(1, 1).bytes());
        let answer = client.answer(0x40);
        assert!(answer.properties.0.is_empty(), "[MQTT-3.1.2-29] {answer:?}");
        client.send(subscribe(V5, 2, &[("$share/g", 0)]));
        assert!(client.answer(0x90).properties.0.is_empty());
    });
}

/// Shows 5.0 [MQTT-1.5.7-1], [MQTT-3.3.2-13], [MQTT-3.3.2-19].
#[test]
fn texts_among_the_properties_must_be_text() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("no-text");
        let mut watcher = Client::connect(broker, V5, &fresh("no-text-w"));
        watcher.subscribe(&topic, 0);
        for wrong in [&b"\xFF"[..], b"a\x00b", b"\xED\xA0\x80"] {
            let with = |head: &[u8]| [head, &text(wrong)].concat();
            for property in [
                with(&[0x03]),
                with(&[0x08]),
                with(&[[0x26].as_slice(), &text("name")].concat()),
                [with(&[0x26]), text("value")].concat(),
            ] {
                let mut client = Client::connect(broker, V5, &fresh("no-text"));
                client.send(Publish::new(V5, &topic, "x").with(property).bytes());
                client.closed_for_any(&[0x81, 0x82]);
            }
        }
        watcher.quiet(&mut Client::connect(broker, V5, &fresh("no-text-p")));
    });
}

//! Properties of CONNECT and of the Will: those that may not stand there, stand twice or have a
//! value that is not allowed are answered with a CONNACK and the end of the connection.

use std::slice::from_ref;

use crate::support::Version::V5;
use crate::support::broker::{Broker, Options, each_broker, each_own_broker};
use crate::support::bytes::{Connect, Will, packet, prop, text, varint};
use crate::support::client::{Bystanders, Client};
use crate::support::fresh;

const OF_CONNECT: [&str; 9] = [
    "Session Expiry Interval",
    "Authentication Method",
    "Authentication Data",
    "Request Problem Information",
    "Request Response Information",
    "Receive Maximum",
    "Topic Alias Maximum",
    "User Property",
    "Maximum Packet Size",
];

const OF_WILL: [&str; 7] = [
    "Payload Format Indicator",
    "Message Expiry Interval",
    "Content Type",
    "Response Topic",
    "Correlation Data",
    "Will Delay Interval",
    "User Property",
];

fn connect() -> Connect {
    Connect::new(V5, &fresh("prop"))
}

fn with_will(properties: &[Vec<u8>]) -> Connect {
    let mut will = Will::new("will/props", "x");
    will.properties = properties.to_vec();
    connect().will(will)
}

fn refused_with(broker: &Broker, connect: &Connect, codes: &[u8], what: &str) {
    let code = Client::refused(broker, connect).code;
    assert!(codes.contains(&code), "{what}: CONNACK {code:#04x}, not {codes:02x?}");
}

/// Shows 5.0 [MQTT-4.13.1-1], [MQTT-4.13.2-1].
#[test]
fn properties_of_other_packets() {
    each_broker(&Options::default(), |broker| {
        for (name, property) in prop::every() {
            if !OF_CONNECT.contains(&name) {
                refused_with(broker, &connect().with(property), &[0x81, 0x82], name);
            }
        }
    });
}

#[test]
fn properties_of_other_packets_in_the_will() {
    each_broker(&Options::default(), |broker| {
        for (name, property) in prop::every() {
            if OF_WILL.contains(&name) {
                Client::with(broker, &with_will(&[property])).leave();
            } else {
                refused_with(broker, &with_will(&[property]), &[0x81, 0x82], name);
            }
        }
    });
}

#[test]
fn properties_that_may_stand_once_stand_twice() {
    each_broker(&Options::default(), |broker| {
        for (name, property) in prop::every() {
            if name == "User Property" || name.starts_with("Authentication") {
                continue;
            }
            let twice = [property.clone(), property];
            if OF_CONNECT.contains(&name) {
                let mut connect = connect();
                connect.properties = twice.to_vec();
                refused_with(broker, &connect, &[0x82], name);
            } else if OF_WILL.contains(&name) {
                refused_with(broker, &with_will(&twice), &[0x82], name);
            }
        }
    });
}

#[test]
fn values_that_are_not_allowed() {
    each_broker(&Options::default(), |broker| {
        for (what, property) in [
            ("Receive Maximum 0", prop::receive_maximum(0)),
            ("Maximum Packet Size 0", prop::maximum_packet_size(0)),
            ("Request Problem Information 2", prop::request_problem(2)),
            ("Request Response Information 2", prop::request_response(2)),
            ("Authentication Data without a method", prop::auth_data(b"x")),
        ] {
            refused_with(broker, &connect().with(property), &[0x82], what);
        }
        for (what, property) in [
            ("Payload Format Indicator 2", prop::payload_format(2)),
            ("Response Topic with a wildcard", prop::response_topic("a/#")),
        ] {
            refused_with(broker, &with_will(&[property]), &[0x81, 0x82, 0x90], what);
        }
    });
}

/// Shows 5.0 [MQTT-1.5.7-1], [MQTT-4.13.1-1].
#[test]
fn property_bytes_that_make_no_sense() {
    // CONNECT up to its properties, then these bytes, then the Client Identifier.
    let cases: [(&str, Vec<u8>); 8] = [
        ("an identifier that does not exist", vec![2, 0x7F, 0]),
        ("identifier 0", vec![2, 0x00, 0]),
        ("an identifier of two bytes", vec![3, 0x80, 0x01, 0]),
        ("a value longer than the properties", vec![3, 0x11, 0, 0]),
        ("properties longer than the packet", vec![200, 1, 0x11, 0, 0, 0, 9]),
        ("a property length of five bytes", vec![0x80, 0x80, 0x80, 0x80, 0x00]),
        ("a User Property without its value", [vec![4, 0x26], text("n")].concat()),
        ("a string that is no UTF-8", [varint(7), vec![0x26], text(b"\xFF"), text("v")].concat()),
    ];
    each_broker(&Options::default(), |broker| {
        for (what, bytes) in &cases {
            let head = [&Connect::protocol(V5)[..], &[0x02, 0, 60]].concat();
            let mut client = Client::open(broker, V5);
            client.send(packet(0x10, &[&head, bytes, &text("odd")]));
            let code = client.connack().code;
            assert!([0x81, 0x82].contains(&code), "{what}: CONNACK {code:#04x}");
            client.closed();
        }
    });
}

/// A CONNECT for each way in which its properties or those of its Will can be wrong.
fn every_bad_connect() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (name, property) in prop::every() {
        let twice = [property.clone(), property.clone()];
        let own = OF_CONNECT.contains(&name);
        let of_will = OF_WILL.contains(&name);
        if !own {
            all.push(connect().with(property.clone()).bytes());
        }
        if !of_will {
            all.push(with_will(from_ref(&property)).bytes());
        }
        if own && name != "User Property" {
            let mut connect = connect();
            connect.properties = twice.to_vec();
            all.push(connect.bytes());
        }
        if of_will && name != "User Property" {
            all.push(with_will(&twice).bytes());
        }
        // The value cut off at every byte, in both places; the packet's lengths stay right.
        for length in 1..property.len() {
            let cut = property[..length].to_vec();
            all.push(connect().with(cut.clone()).bytes());
            all.push(with_will(&[cut]).bytes());
        }
    }
    all
}

#[test]
fn a5_wrong_properties_again_and_again_leave_nothing_behind() {
    each_own_broker(&Options::default(), |broker| {
        let mut others = Bystanders::new(broker);
        let all = every_bad_connect();
        let try_all = || {
            for bytes in &all {
                let mut client = Client::open(broker, V5);
                client.send(bytes);
                let code = client.connack().code;
                assert!([0x81, 0x82].contains(&code), "CONNACK {code:#04x} for {bytes:02x?}");
                client.closed();
            }
        };
        // The first rounds fill what is kept for reuse.
        try_all();
        try_all();
        let before = broker.memory();
        for _ in 0..30 {
            try_all();
            others.exchange();
        }
        assert!(broker.memory() < before + (2 << 20), "{} from {before}", broker.memory());
        others.exchange();
    });
}

/// Shows 5.0 [MQTT-4.12.0-1].
#[test]
fn an_authentication_method_nobody_offers() {
    each_broker(&Options::default(), |broker| {
        let with = connect().with(prop::auth_method("SCRAM-SHA-1"));
        refused_with(broker, &with, &[0x8C], "a method alone");
        let with = with.with(prop::auth_data(b"n,,n=user,r=abc"));
        refused_with(broker, &with, &[0x8C], "a method with data");
    });
}

/// Shows 5.0 [MQTT-4.12.0-6], [MQTT-4.12.0-7].
#[test]
fn auth_without_a_method_is_refused() {
    each_broker(&Options::default(), |broker| {
        for bytes in [
            vec![0xF0, 0x00],
            packet(0xF0, &[&[0x19, 0x00]]),
            packet(0xF0, &[&[0x18], &[10], &prop::auth_method("GSSAPI!")]),
        ] {
            let mut client = Client::with(broker, &connect());
            client.send(bytes);
            client.closed_for_any(&[0x82, 0x8C]);
        }
    });
}

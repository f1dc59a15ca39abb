//! Names that come from a certificate, as the transport hands them over.

use std::sync::Arc;

use pondhawk::auth::{Methods, PeerIdentity, Policies, Policy, parse_acl_file};
use pondhawk::config::table::Listener;
use pondhawk::config::{Config, Runtime};
use pondhawk::shard::Settings;
use pondhawk::shard::memory::Memory;

use crate::client::{connect3, connect5, packets, publish3};

fn runtime(change: impl FnOnce(&mut Listener)) -> Runtime {
    let mut config = Config { listeners: vec![Listener::default()], ..Config::default() };
    change(&mut config.listeners[0]);
    config.compile(1)
}

fn broker(shards: usize) -> Memory {
    let (acl, _) = parse_acl_file(b"user dev1\ntopic write a\n").expect("is good");
    let policy = Policy { acl: Some(Arc::new(acl)), ..Policy::open(false) };
    let mut settings =
        Settings::from(runtime(|listener| listener.tls.use_identity_as_username = true));
    settings.policies = Arc::new(Policies::new(1, [(0, Arc::new(policy))]));
    Memory::with(shards, Arc::new(settings), Methods::default())
}

fn named(name: &str) -> PeerIdentity {
    PeerIdentity { common_name: Some(name.into()), subject: None }
}

#[test]
fn the_name_in_the_certificate_is_the_user() {
    let mut broker = broker(1);
    let wire = broker.connect(0);
    broker.identify(wire, named("dev1"));
    broker.send(wire, &connect3("c", true));
    for topic in ["a", "b"] {
        broker.send(wire, &publish3(topic, 1, false, 7, b"x"));
    }
    broker.settle();
    assert_eq!(broker.receive(wire), [0x20, 2, 0, 0, 0x40, 2, 0, 7, 0x40, 2, 0, 7]);
    use pondhawk::metrics::DropReason::NotAuthorised;
    assert_eq!(broker.shards()[0].metrics().snapshot().dropped(NotAuthorised), 1);
}

#[test]
fn without_the_name_nobody_gets_in() {
    let mut broker = broker(1);
    let none = broker.connect(0);
    broker.send(none, &connect3("c", true));
    let nameless = broker.connect(0);
    broker.identify(nameless, PeerIdentity::default());
    broker.send(nameless, &connect5("c", true, &[]));
    broker.settle();
    assert_eq!(broker.receive(none), [0x20, 2, 0, 4]);
    assert_eq!(packets(&broker.receive(nameless))[0].1[1], 0x86);
}

#[test]
fn the_name_goes_along_to_the_shard_of_the_session() {
    let mut broker = broker(2);
    let first = broker.connect(0);
    broker.identify(first, named("dev1"));
    broker.send(first, &connect3("c", false));
    broker.settle();
    let thief = broker.connect(1);
    broker.identify(thief, named("dev2"));
    broker.send(thief, &connect3("c", false));
    let second = broker.connect(1);
    broker.identify(second, named("dev1"));
    broker.send(second, &connect3("c", false));
    broker.settle();
    assert_eq!(broker.receive(thief), [0x20, 2, 0, 2], "the session is another's");
    assert_eq!(broker.receive(second), [0x20, 2, 1, 0]);
    assert!(!broker.is_open(first));
}

#[test]
fn where_names_come_from_is_asked_again_at_a_reload() {
    let mut broker = broker(1);
    let wire = broker.connect(0);
    broker.identify(wire, named("dev1"));
    broker.send(wire, &connect3("c", true));
    broker.settle();
    broker.apply(0, Arc::new(Settings::from(runtime(|_| {}))));
    broker.settle();
    assert!(!broker.is_open(wire), "certificates name nobody now");
}

//! Who may connect: passwords, and what waits while one is checked.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use crate::support::Version::{V5, V311};
use crate::support::broker::{Broker, Options, each_broker, each_own_broker};
use crate::support::bytes::{Connect, PINGREQ, Publish, Will, prop, subscribe};
use crate::support::client::Client;
use crate::support::files::Files;
use crate::support::{ALL, Version, each_version, fresh};

/// The code of the CONNACK that refuses.
fn refusal(broker: &Broker, connect: &Connect) -> u8 {
    Client::refused(broker, connect).code
}

fn of(version: Version, v5: u8, v3: u8) -> u8 {
    if version == V5 { v5 } else { v3 }
}

#[test]
fn only_a_right_password_lets_a_user_in() {
    let files = Files::of(&["bob"]);
    each_broker(&files.options(), |broker| {
        each_version(&ALL, |version| {
            let connect = || Connect::new(version, &fresh("login"));
            assert_eq!(refusal(broker, &connect()), of(version, 0x87, 5), "no name");
            let wrong = of(version, 0x86, 5);
            assert_eq!(refusal(broker, &connect().login("bob", "Secret")), wrong);
            assert_eq!(refusal(broker, &connect().login("bob", "")), wrong);
            assert_eq!(refusal(broker, &connect().login("eve", "secret")), wrong, "no such user");
            let mut nameless = connect().login("bob", "");
            nameless.password = None;
            assert_eq!(refusal(broker, &nameless), wrong, "no password");
            // The second time it is remembered.
            for _ in 0..2 {
                Client::with(broker, &connect().login("bob", "secret")).ping();
                assert_eq!(refusal(broker, &connect().login("bob", "wrong")), wrong);
            }
        });
    });
}

/// Nor does it end it. The parser refuses Session Present in a refusal.
///
/// Shows 5.0 [MQTT-3.2.2-6]; 3.1.1 [MQTT-3.2.2-4].
#[test]
fn a_refusal_does_not_tell_of_the_session_that_is_there() {
    let files = Files::of(&["bob"]);
    each_broker(&files.options(), |broker| {
        each_version(&ALL, |version| {
            let connect = Connect::persistent(version, &fresh("refused"));
            let right = connect.clone().login("bob", "secret");
            Client::with(broker, &right).leave();
            refusal(broker, &connect.login("bob", "wrong"));
            let (client, connack) = Client::accepted(broker, &right);
            assert_eq!(connack.session_present, version != Version::V31);
            client.leave();
        });
    });
}

#[test]
fn anonymous_clients_may_be_let_in_beside_users() {
    let files = Files::of(&["bob"]);
    let options = Options::default()
        .set("allow_anonymous", true)
        .set("password_file", format!("{:?}", files.path("passwd")));
    each_broker(&options, |broker| {
        Client::connect(broker, V311, &fresh("nameless")).ping();
        let connect = Connect::new(V5, &fresh("named")).login("eve", "secret");
        assert_eq!(refusal(broker, &connect), 0x86, "a name has to be proven all the same");
        Client::with(broker, &Connect::new(V5, &fresh("named")).login("bob", "secret")).ping();
    });
}

#[test]
fn an_unknown_method_is_refused_whatever_the_password() {
    let files = Files::of(&["bob"]);
    each_broker(&files.options(), |broker| {
        let connect = Connect::new(V5, &fresh("method")).login("bob", "secret");
        assert_eq!(refusal(broker, &connect.with(prop::auth_method("none"))), 0x8C);
    });
}

#[test]
fn c17_a_password_file_without_users_lets_nobody_in() {
    let files = Files::of(&[]);
    files.write("passwd", "\n# bob:secret\ngarbage\n");
    each_own_broker(&files.options(), |broker| {
        broker.wait_log("passwd:3: skipped, since it has no colon");
        for (user, password) in [("garbage", ""), ("# bob", "secret"), ("bob", "secret"), ("", "")]
        {
            let connect = Connect::new(V311, &fresh("nobody")).login(user, password);
            assert_eq!(refusal(broker, &connect), 5);
        }
    });
}

#[test]
fn c4_a_refused_connect_leaves_no_will() {
    let files = Files::of(&["bob"]);
    each_broker(&files.options(), |broker| {
        each_version(&ALL, |version| {
            let login = |id: &str| Connect::new(version, &fresh(id)).login("bob", "secret");
            let topic = fresh("no/will");
            let mut watcher = Client::with(broker, &login("watch"));
            watcher.subscribe(&topic, 1);
            for user in ["bob", "eve"] {
                let mut will = Will::new(&topic, "never").qos(1);
                will.retain = true;
                let connect = Connect::new(version, &fresh("bad")).login(user, "wrong");
                Client::refused(broker, &connect.will(will));
            }
            let mut publisher = Client::with(broker, &login("pub"));
            watcher.quiet(&mut publisher);
            let mut late = Client::with(broker, &login("late"));
            late.subscribe(&topic, 1);
            late.ping();
        });
    });
}

#[test]
fn what_follows_connect_waits_for_the_password() {
    let files = Files::of(&[]);
    files.slow("bob", "pw", 5_000);
    each_broker(&files.options(), |broker| {
        each_version(&ALL, |version| {
            let mut client = Client::open(broker, version);
            let connect = Connect::new(version, &fresh("eager")).login("bob", "pw");
            let packets = [connect.bytes(), subscribe(version, 7, &[("a", 0)]), PINGREQ.to_vec()];
            client.send(packets.concat());
            assert_eq!(client.connack().code, 0);
            assert_eq!(client.answer(0x90).id, 7);
            client.expect([0xD0, 0]);
            // Nothing of it is done for a Client that is refused.
            let mut client = Client::open(broker, version);
            let connect = Connect::new(version, &fresh("eager")).login("bob", "wrong");
            client.send([connect.bytes(), PINGREQ.to_vec()].concat());
            assert_ne!(client.connack().code, 0);
            client.closed();
        });
    });
}

#[test]
fn what_follows_connect_stays_in_the_socket_until_the_password_is_checked() {
    const CLIENTS: usize = 200;
    let files = Files::of(&["bob"]);
    files.slow("slow", "pw", 100_000);
    files.repeat("slow", CLIENTS);
    let options = files.options().set("password_threads", 1).set("connect_timeout", 600);
    each_own_broker(&options, |broker| {
        // Enough of them that each shard serves one.
        let login = || Connect::new(V311, &fresh("known")).login("bob", "secret");
        let mut known: Vec<Client> = (0..12).map(|_| Client::with(broker, &login())).collect();
        let early = Publish::new(V311, "early", vec![b'x'; 1000]).bytes().repeat(64);
        let before = broker.memory();
        let mut storm: Vec<Client> = (0..CLIENTS)
            .map(|n| {
                let mut client = Client::open(broker, V311);
                let connect = Connect::new(V311, &fresh("early")).login(&format!("slow{n}"), "pw");
                client.send([connect.bytes(), early.clone(), PINGREQ.to_vec()].concat());
                client
            })
            .collect();
        for _ in 0..2 {
            known.iter_mut().for_each(Client::ping);
        }
        let held = broker.memory().saturating_sub(before);
        assert!(held < 5 << 20, "{held} bytes for {CLIENTS} clients that nobody knows yet");
        // And nothing of it is lost.
        let mut first = storm.swap_remove(0);
        assert_eq!(first.connack().code, 0);
        first.expect([0xD0, 0]);
        storm.into_iter().for_each(Client::cut);
    });
}

#[test]
fn a_takeover_waits_for_the_password() {
    let files = Files::of(&["bob"]);
    each_broker(&files.options(), |broker| {
        let id = fresh("kept");
        let login = |password| Connect::persistent(V5, &id).login("bob", password);
        let mut first = Client::with(broker, &login("secret"));
        first.subscribe("kept/#", 1);
        assert_eq!(refusal(broker, &login("wrong").clean(true)), 0x86);
        first.ping();
        let (mut second, connack) = Client::accepted(broker, &login("secret"));
        assert!(connack.session_present);
        first.closed_for(0x8E);
        let mut other = Connect::new(V5, &fresh("other")).login("bob", "secret");
        other.clean = true;
        Client::with(broker, &other).publish("kept/a", "still subscribed", 1);
        second.receive_this("kept/a", "still subscribed", 1);
    });
}

#[test]
fn two_hundred_logins_hold_up_no_message() {
    let files = Files::of(&["bob"]);
    files.slow("slow", "pw", 20_000);
    // Users of their own, so that no answer is remembered from another.
    files.repeat("slow", 200);
    // However slow the machine is, the checks may take their time.
    let options = files.options().set("password_threads", 1).set("connect_timeout", 600);
    each_own_broker(&options, |broker| {
        let login = |id: &str| Connect::new(V311, &fresh(id)).login("bob", "secret");
        let mut publisher = Client::with(broker, &login("pub"));
        let mut subscriber = Client::with(broker, &login("sub"));
        subscriber.subscribe("busy", 1);
        let mut storm: Vec<Client> = (0..200)
            .map(|n| {
                let mut client = Client::open(broker, V311);
                let user = format!("slow{n}");
                let connect = Connect::new(V311, &format!("storm-{n}")).login(&user, "pw");
                client.send(connect.bytes());
                client
            })
            .collect();
        let mut last = TcpStream::connect(broker.address).expect("connect to the broker");
        let connect = Connect::new(V311, "storm-last").login("slow", "pw");
        last.write_all(&connect.bytes()).expect("send CONNECT");
        for n in 0..20 {
            assert_eq!(publisher.publish("busy", n.to_string(), 1), 0);
            subscriber.receive_this("busy", n.to_string(), 1);
        }
        last.set_nonblocking(true).expect("not to wait");
        let early = last.read(&mut [0]).expect_err("the checks take longer than twenty messages");
        assert_eq!(early.kind(), ErrorKind::WouldBlock);
        last.set_nonblocking(false).expect("to wait again");
        for client in &mut storm {
            assert_eq!(client.connack().code, 0);
        }
    });
}

/// Shows 3.1.1 [MQTT-4.8.0-2].
#[test]
fn a_full_queue_of_passwords_says_that_the_broker_is_busy() {
    let files = Files::of(&[]);
    files.slow("slow", "pw", 600_000);
    let options = files.options().set("password_threads", 1).set("password_queue", 1);
    each_own_broker(&options, |broker| {
        for version in [V311, V5] {
            let mut clients: Vec<Client> = (0..8)
                .map(|_| {
                    let mut client = Client::open(broker, version);
                    let connect = Connect::new(version, &fresh("crowd"));
                    client.send(connect.login("slow", "wrong").bytes());
                    client
                })
                .collect();
            let codes: Vec<u8> = clients.iter_mut().map(|one| one.connack().code).collect();
            let (busy, wrong) = (of(version, 0x89, 3), of(version, 0x86, 5));
            assert!(codes.contains(&busy) && codes.contains(&wrong), "{codes:02x?}");
            assert!(codes.iter().all(|code| [busy, wrong].contains(code)), "{codes:02x?}");
            clients.iter_mut().for_each(Client::closed);
        }
        Client::with(broker, &Connect::new(V311, &fresh("later")).login("slow", "pw")).ping();
    });
}

#[test]
fn a14_the_least_and_the_most_of_each_limit_work() {
    let files = Files::of(&["bob"]);
    for (threads, queue, prefix) in [(1, 1, String::new()), (256, 65_536, "p".repeat(50))] {
        let options = files
            .options()
            .set("password_threads", threads)
            .set("password_queue", queue)
            .set("auto_id_prefix", format!("{prefix:?}"));
        each_own_broker(&options, |broker| {
            for _ in 0..3 {
                let connect = Connect::new(V5, "").login("bob", "secret");
                let (_, connack) = Client::accepted(broker, &connect);
                let assigned = connack.properties.text(0x12).expect("an assigned identifier");
                assert_eq!(assigned.strip_prefix(&prefix).map(str::len), Some(36), "{assigned}");
            }
        });
    }
}

//! Rights that change while Clients are connected, or away.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::support::Version::{V5, V311};
use crate::support::broker::{Broker, Options, each_own_broker};
use crate::support::bytes::{Connect, Will, pubrec};
use crate::support::client::Client;
use crate::support::files::Files;
use crate::support::{Version, fresh};

fn login(broker: &Broker, version: Version, name: &str, password: &str) -> Client {
    Client::with(broker, &Connect::new(version, &fresh(name)).login(name, password))
}

#[test]
fn c22_a_reload_ends_those_whose_right_is_gone_and_nobody_else() {
    let files = Files::of(&["ann", "bob", "eve"]);
    let options = files.options().set("allow_anonymous", true);
    each_own_broker(&options, |broker| {
        files.secret(&["ann", "bob", "eve"], &[]);
        broker.reload();
        let mut ann = login(broker, V5, "ann", "secret");
        let mut old_ann = login(broker, V311, "ann", "secret");
        let mut bob = login(broker, V5, "bob", "secret");
        let mut old_eve = login(broker, V311, "eve", "secret");
        let mut nameless = Client::connect(broker, V5, &fresh("nameless"));
        for client in [&mut ann, &mut old_ann, &mut nameless] {
            client.subscribe("gone", 1);
        }
        // What logrotate does all day: nothing has changed.
        for _ in 0..3 {
            broker.reload();
        }
        for client in [&mut ann, &mut old_ann, &mut bob, &mut old_eve, &mut nameless] {
            client.ping();
        }
        let will = Will::new("gone", "bob's will").qos(1);
        let connect = Connect::new(V5, &fresh("bob")).login("bob", "secret").will(will);
        let mut with_will = Client::with(broker, &connect);
        files.secret(&["ann"], &["bob"]);
        broker.reload();
        bob.closed_for(0x98);
        with_will.closed_for(0x98);
        old_eve.closed();
        for client in [&mut ann, &mut old_ann, &mut nameless] {
            client.receive_this("gone", "bob's will", 1);
            client.ping();
        }
        let again = |password| Connect::new(V5, &fresh("again")).login("bob", password);
        assert_eq!(Client::refused(broker, &again("secret")).code, 0x86);
        Client::with(broker, &again("other")).ping();
    });
}

#[test]
fn c17_files_that_are_wrong_leave_the_old_rules_in_force() {
    let files = Files::of(&["ann"]).acl("user ann\ntopic a\n");
    each_own_broker(&files.options(), |broker| {
        files.secret(&["ann"], &[]);
        files.write("acl", "user ann\ntopic a\n");
        broker.reload();
        let mut ann = login(broker, V5, "ann", "secret");
        for (name, text) in [("acl", "user ann\ntopik b\n"), ("passwd", "ann:plain text\n")] {
            files.write(name, text);
            broker.reload_refused();
            ann.ping();
            assert_eq!(ann.publish("b", "x", 1), 0x87);
            assert_eq!(Client::refused(broker, &Connect::new(V5, "nobody")).code, 0x87);
        }
        broker.wait_log("acl:2: \"topik\" is none of user, topic and pattern.");
        broker.wait_log("passwd:1: user \"ann\" cannot be read");
        std::fs::remove_file(files.path("passwd")).expect("remove the file");
        broker.reload_refused();
        login(broker, V5, "ann", "secret").ping();
        // For the next broker's start.
        files.secret(&["ann"], &[]);
        files.write("acl", "");
    });
}

#[test]
fn a_changed_access_control_file_counts_at_once() {
    let files = Files::of(&["ann"]).acl("user ann\ntopic a\n");
    each_own_broker(&files.options(), |broker| {
        files.write("acl", "user ann\ntopic a\n");
        broker.reload();
        let mut ann = login(broker, V5, "ann", "secret");
        let mut reader = login(broker, V5, "ann", "secret");
        reader.subscribe("#", 1);
        for _ in 0..2 {
            assert_eq!(ann.publish("a", "1", 1), 0);
            reader.receive_this("a", "1", 1);
            assert_eq!(ann.publish("b", "1", 1), 0x87);
        }
        files.write("acl", "user ann\ntopic b\n");
        broker.reload();
        for _ in 0..2 {
            assert_eq!(ann.publish("a", "2", 1), 0x87);
            assert_eq!(ann.publish("b", "2", 1), 0);
            reader.receive_this("b", "2", 1);
        }
    });
}

#[test]
fn c19_nothing_flows_to_a_session_whose_right_was_revoked_while_it_was_away() {
    let files = Files::of(&["ann", "boss"]).acl("");
    let before = "user boss\ntopic #\nuser ann\ntopic read a/#\ntopic read b/#\n";
    each_own_broker(&files.options(), |broker| {
        files.write("acl", before);
        broker.reload();
        let mut boss = login(broker, V5, "boss", "secret");
        let id = fresh("ann");
        let ann = || Connect::persistent(V5, &id).login("ann", "secret");
        let mut client = Client::with(broker, &ann());
        client.subscribe("a/#", 2);
        client.subscribe("b/#", 2);
        // One exchange stands before PUBREC, one behind it.
        boss.publish("a/open", "x", 2);
        boss.publish("a/half", "x", 2);
        let open = client.delivery();
        let half = client.delivery();
        assert_eq!((&*open.topic, &*half.topic), ("a/open", "a/half"));
        client.send(pubrec(half.id));
        client.released(half.id);
        client.cut();
        for topic in ["a/queued", "b/queued", "a/too"] {
            boss.publish(topic, "x", 1);
        }
        files.write("acl", "user boss\ntopic #\nuser ann\ntopic read b/#\n");
        broker.reload();
        let (mut client, connack) = Client::accepted(broker, &ann().clean(false));
        assert!(connack.session_present);
        // The exchange that had begun is ended; its message came before.
        client.released(half.id);
        client.receive_this("b/queued", "x", 1);
        boss.publish("a/new", "x", 1);
        boss.publish("b/new", "x", 1);
        client.receive_this("b/new", "x", 1);
        client.ping();
    });
}

#[test]
fn c19_a_retained_message_goes_with_the_right_of_its_publisher() {
    let files = Files::of(&["ann", "boss"]).acl("");
    for checked in [true, false] {
        let options = files.options().set("check_retain_source", checked);
        each_own_broker(&options, |broker| {
            files
                .write("acl", "user boss\ntopic read #\ntopic hers/boss\nuser ann\ntopic hers/#\n");
            broker.reload();
            let mut ann = login(broker, V311, "ann", "secret");
            let mut boss = login(broker, V5, "boss", "secret");
            for n in 0..4 {
                ann.publish_retained(&format!("hers/{n}"), "kept", 1);
            }
            boss.publish_retained("hers/boss", "kept", 1);
            let seen = |broker: &Broker| {
                let mut reader = login(broker, V5, "boss", "secret");
                reader.subscribe("hers/#", 0);
                let mut topics = Vec::new();
                reader.send(crate::support::bytes::PINGREQ);
                while let Some(packet) = reader.try_packet().filter(|one| one.first != 0xD0) {
                    topics.push(packet.delivery(V5).topic);
                }
                topics.sort();
                topics
            };
            let all = ["hers/0", "hers/1", "hers/2", "hers/3", "hers/boss"];
            // The answers of other shards may come after PINGRESP.
            while seen(broker).len() < all.len() {}
            files.write("acl", "user boss\ntopic read #\ntopic hers/boss\n");
            broker.reload();
            if checked {
                assert!(seen(broker).iter().all(|topic| topic == "hers/boss"));
            } else {
                while seen(broker) != all {}
            }
        });
    }
}

#[test]
fn a_password_file_that_is_exchanged_behind_links_is_read_anew() {
    // As Kubernetes mounts a secret: `passwd` leads through `..data`, which is exchanged.
    let (first, second) = (Files::of(&["ann"]), Files::of(&["bob"]));
    each_own_broker(&Options::default(), |broker| {
        let at = broker.directory();
        for (name, files) in [("..1", &first), ("..2", &second)] {
            fs::create_dir(at.join(name)).expect("a directory");
            let file = at.join(name).join("passwd");
            fs::copy(files.path("passwd"), &file).expect("a copy");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("chmod");
        }
        symlink("..1", at.join("..data")).expect("a link");
        symlink("..data/passwd", at.join("passwd")).expect("a link");
        let path = at.join("passwd").display().to_string();
        broker.reconfigure(&Options::default().set("password_file", format!("{path:?}")));
        let target = at.canonicalize().expect("it is there").join("..1/passwd");
        broker.wait_log(&format!(
            "{path} (a link to {}) can be read by every user of this machine",
            target.display()
        ));
        let mut ann = login(broker, V5, "ann", "secret");
        symlink("..2", at.join("..new")).expect("a link");
        fs::rename(at.join("..new"), at.join("..data")).expect("exchange them");
        broker.reload();
        ann.closed_for(0x98);
        login(broker, V5, "bob", "secret").ping();
    });
}

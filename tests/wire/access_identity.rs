//! Under which name a Client is known, and whose a session is.

use crate::support::Version::{V5, V311};
use crate::support::broker::{Broker, Options, each_broker};
use crate::support::bytes::Connect;
use crate::support::client::Client;
use crate::support::files::Files;
use crate::support::{ALL, each_version, fresh};

fn user(id: &str, name: &str) -> Connect {
    Connect::persistent(V5, id).login(name, "secret")
}

#[test]
fn c20_a_session_belongs_to_the_user_who_made_it() {
    let files = Files::of(&["ann", "bob"]);
    let options = files.options().set("allow_anonymous", true);
    each_broker(&options, |broker| {
        let id = fresh("hers");
        let mut ann = Client::with(broker, &user(&id, "ann"));
        ann.subscribe("letters", 1);
        let others = |broker: &Broker| {
            for clean in [false, true] {
                let bob = user(&id, "bob").clean(clean);
                assert_eq!(Client::refused(broker, &bob).code, 0x85);
                let nobody = Connect::new(V311, &id).clean(clean);
                assert_eq!(Client::refused(broker, &nobody).code, 2);
            }
        };
        others(broker);
        ann.ping();
        ann.leave();
        others(broker);
        Client::connect(broker, V5, &fresh("pub")).publish("letters", "for ann", 1);
        let (mut ann, connack) = Client::accepted(broker, &user(&id, "ann"));
        assert!(connack.session_present);
        ann.receive_this("letters", "for ann", 1);
    });
}

#[test]
fn c20_anonymous_clients_share_their_sessions_and_users_keep_out_of_them() {
    let files = Files::of(&["ann"]);
    let options = files.options().set("allow_anonymous", true);
    each_broker(&options, |broker| {
        let id = fresh("anyone");
        Client::with(broker, &Connect::persistent(V5, &id)).leave();
        let (_, connack) = Client::accepted(broker, &Connect::persistent(V5, &id));
        assert!(connack.session_present);
        assert_eq!(Client::refused(broker, &user(&id, "ann")).code, 0x85);
    });
}

#[test]
fn c20_a_site_may_let_any_user_take_a_session_over() {
    let files = Files::of(&["ann", "bob"]);
    each_broker(&files.options().set("bind_sessions_to_users", false), |broker| {
        let id = fresh("ours");
        let mut ann = Client::with(broker, &user(&id, "ann"));
        let (_, connack) = Client::accepted(broker, &user(&id, "bob"));
        assert!(connack.session_present);
        ann.closed_for(0x8E);
    });
}

#[test]
fn without_a_password_file_names_bind_nothing() {
    each_broker(&Options::default(), |broker| {
        let id = fresh("plain");
        Client::with(broker, &user(&id, "ann")).leave();
        let (_, connack) = Client::accepted(broker, &user(&id, "bob"));
        assert!(connack.session_present);
    });
}

#[test]
fn the_user_name_may_become_the_client_identifier() {
    let files = Files::of(&["ann", "bob"]);
    let options =
        files.options().set("allow_anonymous", true).listener("use_username_as_clientid", true);
    each_broker(&options, |broker| {
        let login = |version, id: &str, name: &str| Connect::new(version, id).login(name, "secret");
        let mut first = Client::with(broker, &login(V5, "one", "ann"));
        let mut bob = Client::with(broker, &login(V5, "one", "bob"));
        first.ping();
        let (_second, connack) = Client::accepted(broker, &login(V5, "", "ann"));
        assert_eq!(connack.properties.text(0x12).as_deref(), Some("ann"));
        first.closed_for(0x8E);
        bob.ping();
        assert_eq!(Client::refused(broker, &Connect::new(V5, "x")).code, 0x87);
        assert_eq!(Client::refused(broker, &Connect::new(V311, "x")).code, 5);
        bob.leave();
    });
}

#[test]
fn client_identifiers_may_have_to_begin_with_a_prefix() {
    let options = Options::default()
        .set("clientid_prefixes", "\"dev-\"")
        .set("auto_id_prefix", "\"dev-auto-\"");
    each_broker(&options, |broker| {
        each_version(&ALL, |version| {
            Client::connect(broker, version, &fresh("dev-")).ping();
            for bad in ["other", "de", "Dev-1"] {
                let code = Client::refused(broker, &Connect::new(version, bad)).code;
                assert_eq!(code, if version == V5 { 0x87 } else { 5 });
            }
        });
        let (_, connack) = Client::accepted(broker, &Connect::new(V5, ""));
        let assigned = connack.properties.text(0x12).expect("an assigned identifier");
        assert!(assigned.starts_with("dev-auto-"), "{assigned}");
    });
}

#[test]
fn identifiers_made_by_the_broker_and_their_absence_are_the_listeners_affair() {
    let options = Options::default()
        .set("auto_id_prefix", "\"global-\"")
        .listener("auto_id_prefix", "\"mine-\"");
    each_broker(&options, |broker| {
        let (_, connack) = Client::accepted(broker, &Connect::new(V5, ""));
        let assigned = connack.properties.text(0x12).expect("an assigned identifier");
        assert_eq!((assigned.get(..5), assigned.len()), (Some("mine-"), 5 + 36));
    });
    let options = Options::default().listener("allow_zero_length_clientid", false);
    each_broker(&options, |broker| {
        assert_eq!(Client::refused(broker, &Connect::new(V5, "")).code, 0x85);
        assert_eq!(Client::refused(broker, &Connect::new(V311, "")).code, 2);
    });
}

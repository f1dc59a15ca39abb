//! The parser's rules, one by one. Whole files are in tests/configs.

use super::*;

fn read(text: &str) -> Read {
    parse("m.conf", text.as_bytes())
}

fn config(text: &str) -> Config {
    let Read { config, mistakes, .. } = read(text);
    assert_eq!(mistakes, [], "{text}");
    config
}

fn said(text: &str) -> String {
    let mistakes = read(text).mistakes;
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_text_takes_the_rest_of_the_line_and_a_number_its_next_word() {
    let text = "password_file  /etc/my file # no comment \r\nmax_keepalive 0x10 # a comment\n";
    let config = config(text);
    let file = config.security.password_file.as_deref();
    assert_eq!(file, Some("/etc/my file # no comment"));
    assert_eq!(config.clients.max_keepalive, 16);
}

#[test]
fn numbers_are_octal_with_a_leading_zero_and_end_at_the_word() {
    assert_eq!(config("max_inflight_messages 010\n").queues.max_inflight_messages, 8);
    assert_eq!(config("max_queued_messages -1\n").queues.max_queued_messages, 0);
    assert!(said("max_keepalive 10s\n").contains("option 'max_keepalive' is \"10s\""));
    assert!(said("max_keepalive\n").contains("m.conf:1: option 'max_keepalive' has no value"));
}

#[test]
fn truths_are_true_false_1_and_0() {
    assert!(config("queue_qos0_messages 1\n").queues.queue_qos0_messages);
    assert!(!config("connection_messages false\n").logging.connection_messages);
    let said = said("connection_messages yes\n");
    assert!(said.contains("option 'connection_messages' is \"yes\". It must be true or false"));
}

#[test]
fn a_text_given_twice_is_a_mistake_unless_mosquitto_takes_the_later_one() {
    assert!(said("pid_file /a\npid_file /b\n").contains("m.conf:2: option 'pid_file' is given"));
    let config = config("acl_file /a\nacl_file /b\n");
    assert_eq!(config.security.acl_file.as_deref(), Some("/b"));
}

#[test]
fn options_belong_to_the_listener_above_them() {
    let config = config("listener 1883\nmax_qos 1\nlistener 0 /run/m.sock\nmax_qos 0\n");
    assert_eq!(config.listeners[0].max_qos, 1);
    assert_eq!(config.listeners[1].unix_socket.as_deref(), Some("/run/m.sock"));
    assert_eq!(config.listeners[1].max_qos, 0);
}

#[test]
fn a_comment_after_the_listeners_port_is_no_address() {
    let config = config("listener 1884 # local\nlistener 1885 127.0.0.1 # other\n");
    assert_eq!(config.listeners[0].bind_address, None);
    assert_eq!(config.listeners[1].bind_address.as_deref(), Some("127.0.0.1"));
}

#[test]
fn without_a_listener_some_options_make_one_and_others_are_refused() {
    let read = read("max_connections 10\nport 1999\n");
    assert_eq!((read.config.listeners.len(), read.config.listeners[0].port), (1, 1999));
    assert_eq!(read.config.listeners[0].max_connections, 10);
    let stands = "m.conf:1: 'max_connections' stands above";
    assert!(read.warnings.iter().any(|it| it.starts_with(stands)), "{:?}", read.warnings);
    let said = said("mount_point a/\n");
    assert!(said.contains("option 'mount_point' stands above the first listener"), "{said}");
}

#[test]
fn rules_are_the_brokers_unless_per_listener_settings_came_first() {
    let shared = config("listener 1883\nallow_anonymous true\n");
    assert_eq!(shared.security.allow_anonymous, Some(true));
    assert_eq!(shared.listeners[0].access.allow_anonymous, None);
    let own = config("per_listener_settings true\nlistener 1883\nallow_anonymous true\n");
    assert_eq!(own.security.allow_anonymous, None);
    assert_eq!(own.listeners[0].access.allow_anonymous, Some(true));
    let said = said("allow_anonymous true\nper_listener_settings true\n");
    assert!(said.contains("m.conf:2: per_listener_settings stands below a rule"), "{said}");
}

/// CVE-like: rules above the first listener must not be lost.
#[test]
fn c17_rules_of_the_default_listener_apply_to_it() {
    let config = config("per_listener_settings true\nacl_file /a\nport 1883\nlistener 1884\n");
    assert_eq!(config.listeners[0].access.acl_file.as_deref(), Some("/a"));
    assert_eq!(config.listeners[1].access.acl_file, None);
}

#[test]
fn a_bridge_is_refused_once_with_all_its_options() {
    let said = said("connection b\naddress x\ntopic # out 0\nconnection c\naddress y\n");
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].starts_with("m.conf:1: option 'connection' is refused: this version has no"));
    assert!(lines[1].starts_with("m.conf:4: "));
}

#[test]
fn what_has_no_meaning_gets_one_warning() {
    let read = read("retry_interval 20\nretry_interval 30\nset_tcp_nodelay true\n");
    assert_eq!(read.warnings.len(), 1, "{:?}", read.warnings);
    assert!(read.warnings[0].contains("'retry_interval' has no meaning here"));
    assert!(said("enable_control_api false\n").is_empty());
    assert!(said("enable_control_api true\n").contains("this version has no $CONTROL topics"));
}

#[test]
fn persistence_gets_one_loud_warning() {
    let read = read("persistence true\npersistence_location /var/lib/mosquitto/\n");
    assert_eq!(read.warnings, [PERSISTENCE]);
}

#[test]
fn a_line_that_is_not_text_matters_only_outside_of_comments() {
    assert!(parse("m", b"# caf\xe9\nmax_keepalive 5\n").mistakes.is_empty());
    let mistakes = parse("m", b"\npassword_file /caf\xe9\n").mistakes;
    assert_eq!((mistakes[0].line, mistakes[0].what.as_str()), (2, "the line is not UTF-8 text"));
}

#[test]
fn an_included_file_begins_without_a_listener_and_leaves_the_outer_one_alone() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().display();
    fs::write(directory.path().join("a.conf"), "listener 1884\nmax_qos 0\n").expect("write");
    let config = config(&format!("listener 1883\ninclude_dir {path}\nmax_qos 1\n"));
    assert_eq!(config.listeners[0].max_qos, 1);
    assert_eq!((config.listeners[1].port, config.listeners[1].max_qos), (1884, 0));
    fs::write(directory.path().join("b.conf"), "include_dir /x\n").expect("write");
    let said = said(&format!("include_dir {path}\n"));
    assert!(said.contains("b.conf:1: include_dir stands in an included file"), "{said}");
}

#[test]
fn an_unknown_option_is_told_with_the_nearest() {
    assert!(said("max_qso 1\n").ends_with("The nearest known name is 'max_qos'."));
    assert!(said("\tport 1883\n").contains("Write blanks instead of tabs"));
}

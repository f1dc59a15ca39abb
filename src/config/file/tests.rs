//! Every option is read, and every mistake is told in full.

use super::parse as read;
use super::*;
use crate::config::checks::check;
use crate::config::error::Mistakes;
use crate::config::options::Spec;

/// The configuration, or its mistakes in the order of the lines.
pub(in crate::config) fn parse(file: &str, text: &str) -> Result<Config, Mistakes> {
    let Read { config, places, mut mistakes, .. } = read(file, text);
    mistakes.extend(check(&config).into_iter().map(|fault| places.mistake(fault)));
    mistakes.sort_by_key(|mistake| mistake.line);
    if mistakes.is_empty() { Ok(config) } else { Err(Mistakes(mistakes)) }
}

/// A value other than the default for each global option.
const GLOBAL_SAMPLES: &[(&str, &str)] = &[
    ("shards", "3"),
    ("pin_shards", "true"),
    ("memory_limit", "1_000_000"),
    ("sys_interval", "60"),
    ("persistence", "true"),
    ("pid_file", "\"/run/pondhawk.pid\""),
    ("user", "\"mqtt\""),
    ("shutdown_timeout", "3"),
    ("allow_anonymous", "true"),
    ("password_file", "\"/etc/pondhawk/passwd\""),
    ("acl_file", "\"/etc/pondhawk/acl\""),
    ("per_listener_settings", "true"),
    ("allow_zero_length_clientid", "false"),
    ("auto_id_prefix", "\"made-\""),
    ("clientid_prefixes", "\"site-\""),
    ("password_threads", "3"),
    ("password_queue", "64"),
    ("check_retain_source", "false"),
    ("bind_sessions_to_users", "false"),
    ("connect_timeout", "5"),
    ("max_connect_packet_size", "0x1000"),
    ("max_unauthenticated_per_address", "8"),
    ("max_keepalive", "600"),
    ("global_max_connections", "1000"),
    ("global_max_clients", "2000"),
    ("persistent_client_expiration", "\"2d\""),
    ("server_reference", "\"other.example:1883\""),
    ("response_information", "\"answers/\""),
    ("max_packet_size", "2_000_000"),
    ("message_size_limit", "65536"),
    ("receive_maximum", "50"),
    ("strict", "true"),
    ("max_user_properties", "10"),
    ("websockets_headers_size", "8192"),
    ("max_inflight_messages", "0"),
    ("max_inflight_bytes", "65536"),
    ("max_queued_messages", "0"),
    ("max_queued_bytes", "1048576"),
    ("queue_qos0_messages", "true"),
    ("upgrade_outgoing_qos", "true"),
    ("queue_full_policy", "\"drop-oldest\""),
    ("max_qos0_buffer_bytes", "0"),
    ("retain_available", "false"),
    ("retain_expiry_interval", "5"),
    ("wildcard_subscription_available", "false"),
    ("subscription_identifiers_available", "false"),
    ("shared_subscription_available", "false"),
    ("shared_subscription_strategy", "\"hash-topic\""),
    ("allow_duplicate_messages", "true"),
    ("log_type", "[\"error\", \"subscribe\"]"),
    ("log_dest", "[\"syslog\", \"file /var/log/pondhawk.log\"]"),
    ("log_format", "\"json\""),
    ("log_timestamp", "false"),
    ("log_timestamp_format", "\"%FT%T\""),
    ("log_facility", "5"),
    ("connection_messages", "false"),
    ("mailbox_high_water", "128"),
    ("read_budget_bytes", "4096"),
    ("read_budget_packets", "16"),
    ("output_high_water", "2048"),
];

const LISTENER_SAMPLES: &[(&str, &str)] = &[
    ("port", "0"),
    ("bind_address", "\"::1\""),
    ("unix_socket", "\"/run/pondhawk/socket\""),
    ("unix_socket_mode", "0o660"),
    ("bind_interface", "\"eth0\""),
    ("socket_domain", "\"ipv4\""),
    ("protocol", "\"websockets\""),
    ("max_connections", "10"),
    ("max_qos", "1"),
    ("max_topic_alias", "0"),
    ("max_topic_alias_broker", "65535"),
    ("accept_protocol_versions", "[4, 5]"),
    ("allow_anonymous", "true"),
    ("password_file", "\"passwd\""),
    ("acl_file", "\"acl\""),
    ("allow_zero_length_clientid", "false"),
    ("auto_id_prefix", "\"\""),
    ("use_username_as_clientid", "true"),
    ("mount_point", "\"site/\""),
    ("certfile", "[\"a.pem\", \"b.pem\"]"),
    ("keyfile", "\"a.key\""),
    ("cafile", "\"ca.pem\""),
    ("capath", "\"ca\""),
    ("crlfile", "\"crl.pem\""),
    ("require_certificate", "true"),
    ("disable_client_cert_date_checks", "true"),
    ("use_identity_as_username", "true"),
    ("use_subject_as_username", "true"),
    ("tls_version", "\"tlsv1.3\""),
    ("ciphers", "\"ECDHE-RSA-AES128-GCM-SHA256\""),
    ("ciphers_tls13", "\"TLS_AES_128_GCM_SHA256\""),
    ("websockets_origin", "\"https://app.example\""),
    ("http_dir", "\"/srv/www\""),
    ("websockets_trusted_proxies", "[\"10.0.0.0/8\", \"::1\"]"),
    ("enable_proxy_protocol", "2"),
    ("proxy_protocol_trusted", "\"192.0.2.1\""),
    ("proxy_protocol_v2_require_tls", "true"),
];

fn lines(samples: &[(&str, &str)]) -> String {
    samples.iter().map(|(name, value)| format!("{name} = {value}\n")).collect()
}

/// A file that sets every global option to something else than its default.
pub(in crate::config) fn samples() -> String {
    lines(GLOBAL_SAMPLES)
}

/// A listener that sets every option to something else than its default.
pub(in crate::config) fn listener_samples() -> Listener {
    let text = format!("[[listener]]\n{}", lines(LISTENER_SAMPLES));
    read("t", &text).config.listeners.remove(0)
}

fn said(text: &str) -> String {
    parse("p.toml", text).expect_err("there is a mistake").to_string()
}

#[test]
fn every_global_option_is_read() {
    for option in global() {
        let sample = GLOBAL_SAMPLES.iter().find(|(name, _)| *name == option.name);
        let (name, value) = sample.unwrap_or_else(|| panic!("{} has no sample", option.name));
        let config = parse("p.toml", &format!("{name} = {value}")).expect("the sample is valid");
        assert!(!option.same(&config, &Config::default()), "{name} was not stored");
        let others = global().filter(|other| other.name != *name);
        for other in others {
            assert!(other.same(&config, &Config::default()), "{name} changed {}", other.name);
        }
    }
}

#[test]
fn every_listener_option_is_read() {
    assert_eq!(LISTENER_SAMPLES.len(), of_listeners().count());
    let text = format!("[[listener]]\n{}", lines(LISTENER_SAMPLES));
    // The samples do not go together, so they are not checked against each other.
    let Read { config, mistakes, .. } = read("p.toml", &text);
    assert_eq!(mistakes, []);
    for option in of_listeners() {
        assert!(!option.same(&config.listeners[0], &Listener::default()), "{}", option.name);
    }
}

/// What a value shows as is what the file would have to say.
#[test]
fn defaults_read_back_as_themselves() {
    let default = Config::default();
    for option in global() {
        let Some(value) = (option.show)(&default) else { continue };
        let text = format!("{} = {value}", option.name);
        let config = parse("p.toml", &text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(config, default, "{text}");
    }
}

#[test]
fn a_value_of_the_wrong_type_is_refused_for_every_option() {
    for option in global() {
        let name = option.name;
        let mistakes = parse("p.toml", &format!("\n{name} = 1979-05-27")).expect_err(name);
        let allowed = (option.allowed)(&option.spec);
        assert_eq!(
            mistakes.to_string(),
            format!("p.toml:2: option '{name}' is a date. It must be {allowed}.")
        );
        assert_eq!((mistakes.0[0].option.as_str(), mistakes.0[0].line), (name, 2));
    }
}

#[test]
fn bounds_are_kept_by_every_number() {
    for option in global() {
        let Spec { min, max, zero, .. } = option.spec;
        let a_number = |value: i64| parse("p.toml", &format!("{} = {value}", option.name));
        if !(option.allowed)(&option.spec).starts_with("an integer") {
            continue;
        }
        assert!(a_number(min).is_ok() && a_number(max).is_ok(), "{}", option.name);
        assert_eq!(a_number(0).is_ok(), zero.is_some() || min <= 0, "{}", option.name);
        assert!(a_number(-2).is_err(), "{}", option.name);
        if max < i64::MAX {
            assert!(a_number(max + 1).is_err(), "{}", option.name);
        }
    }
}

/// Each text is refused with the message beside it.
fn each_is_told(cases: &[(&str, &str)]) {
    for (text, message) in cases {
        assert_eq!(said(text), *message, "{text}");
    }
}

#[test]
fn of_an_unknown_option_the_message_names_the_nearest() {
    each_is_told(&[
        (
            "max_queued_mesages = 5",
            "p.toml:1: option 'max_queued_mesages' is unknown. \
             The nearest known name is 'max_queued_messages'.",
        ),
        (
            "# words\nwhatever = 5",
            "p.toml:2: option 'whatever' is unknown. docs/options.md lists what there is.",
        ),
        (
            "[[listener]]\nmax_qs = 1",
            "p.toml:2: option 'max_qs' is unknown. The nearest known name is 'max_qos'.",
        ),
        (
            "max_qs = 1",
            "p.toml:1: option 'max_qs' is unknown. The nearest known name is 'max_qos', an option \
             of a listener.",
        ),
        (
            "[[listener]]\nstrickt = true",
            "p.toml:2: option 'strickt' is unknown. The nearest known name is 'strict', above the \
             listeners.",
        ),
        (
            "psk_file = \"p\"",
            "p.toml:1: Mosquitto's option 'psk_file' is not supported. Remove it; \
             docs/options.md lists what there is.",
        ),
    ]);
}

#[test]
fn of_a_wrong_value_the_message_says_what_it_must_be() {
    each_is_told(&[
        (
            "max_keepalive = 65536",
            "p.toml:1: option 'max_keepalive' is 65536. It must be an integer from 0 to 65535 \
             (seconds), or 0 for no limit.",
        ),
        (
            "strict = \"yes\"",
            "p.toml:1: option 'strict' is the string \"yes\". It must be true or false.",
        ),
        (
            "queue_full_policy = \"drop_oldest\"",
            "p.toml:1: option 'queue_full_policy' is \"drop_oldest\". It must be \"drop-newest\", \
             \"drop-oldest\" or \"disconnect\"; perhaps \"drop-oldest\" is meant.",
        ),
        (
            "log_type = [\"error\", \"subcribe\"]",
            "p.toml:1: option 'log_type' is \"subcribe\". It must be a list of \"error\", \
             \"warning\", \"notice\", \"information\", \"debug\", \"subscribe\", \"unsubscribe\", \
             \"websockets\", \"internal\", \"none\" or \"all\"; perhaps \"subscribe\" is meant.",
        ),
        (
            "auto_id_prefix = \"123456789012345678901234567890123456789012345678901\"",
            "p.toml:1: option 'auto_id_prefix' is 51 bytes long. It must be a string of at most \
             50 bytes.",
        ),
        (
            "persistent_client_expiration = \"5\"",
            "p.toml:1: option 'persistent_client_expiration' is the string \"5\". It must be a \
             number and one of s, h, d, w, m (30 days), y (365 days) in quotes, such as \"2d\", a \
             number of seconds, or \"never\".",
        ),
        (
            "[[listener]]\naccept_protocol_versions = [4, 6]",
            "p.toml:2: option 'accept_protocol_versions' is 6. It must be a list of 3 (MQTT 3.1), \
             4 (MQTT 3.1.1) and 5 (MQTT 5.0), such as [4, 5].",
        ),
    ]);
}

#[test]
fn of_what_stands_in_the_wrong_place_the_message_names_the_right_one() {
    each_is_told(&[
        (
            "max_qos = 1",
            "p.toml:1: option 'max_qos' belongs to a listener. Put it below a line [[listener]].",
        ),
        (
            "[[listener]]\nport = 1\nmax_queued_messages = 1",
            "p.toml:3: option 'max_queued_messages' is not one of a listener. Put it above the \
             first [[listener]].",
        ),
        (
            "[limits]\nx = 1",
            "p.toml:1: section 'limits' is unknown. The only section is [[listener]]; every other \
             option stands above it.",
        ),
        (
            "[listener]\nport = 1",
            "p.toml:1: section 'listener' must be a list. Write [[listener]] with two brackets.",
        ),
        ("listener = [1]", "p.toml:1: section 'listener' must hold options. Write [[listener]]."),
        (
            "[[listener]]\n\n[[listener]]\n",
            "p.toml:3: another listener has port 1883 already. Give each listener its own port or \
             bind_address.",
        ),
        (
            "# mine\nlistener 1883\nallow_anonymous true",
            "p.toml:2: this file is in Mosquitto's format (\"listener 1883\"). Pondhawk reads \
             TOML: write \"option = value\", and for a listener a line [[listener]] followed by \
             \"port = 1883\".",
        ),
    ]);
}

#[test]
fn text_that_is_not_toml_is_located() {
    let said = said("strict = true\nlog_dest = stderr\n");
    assert!(said.starts_with("p.toml:2: this is not TOML: "), "{said}");
    assert!(said.ends_with("Write \"option = value\", strings in quotes."), "{said}");
}

#[test]
fn an_option_given_twice_is_refused() {
    let said = said("strict = true\nstrict = false\n");
    assert!(said.starts_with("p.toml:2: this is not TOML: duplicate key"), "{said}");
}

#[test]
fn every_mistake_is_reported_in_the_order_of_the_lines() {
    let mistakes = parse("p.toml", "strict = 1\naaa = 1\n[[listener]]\nport = -1\nmax_qos = 3\n");
    let lines: Vec<_> = mistakes.expect_err("four").0.iter().map(|mistake| mistake.line).collect();
    assert_eq!(lines, [1, 2, 4, 5]);
}

#[test]
fn the_same_port_on_two_addresses_is_fine() {
    let text = "[[listener]]\nbind_address = \"127.0.0.1\"\n[[listener]]\nbind_address = \"::1\"";
    assert_eq!(parse("p.toml", text).expect("valid").listeners.len(), 2);
}

#[test]
fn an_empty_file_is_the_default() {
    assert_eq!(parse("p.toml", "").expect("valid"), Config::default());
}

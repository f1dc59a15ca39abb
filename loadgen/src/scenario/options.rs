//! The table of options: the reader checks names against it, the documentation prints it.

use std::fmt::Write;

/// Where an option stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// Before any table.
    Top,
    /// In `[run]`.
    Run,
    /// In a `[[group]]`.
    Group,
}

/// One option.
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    /// Where it stands.
    pub section: Section,
    /// Its key.
    pub key: &'static str,
    /// The form of its value, in words.
    pub form: &'static str,
    /// What holds without it; empty if it must be given.
    pub default: &'static str,
    /// What it does.
    pub help: &'static str,
}

const fn option(
    section: Section,
    key: &'static str,
    form: &'static str,
    default: &'static str,
    help: &'static str,
) -> OptionSpec {
    OptionSpec { section, key, form, default, help }
}

use Section::{Group, Run, Top};

/// All options.
pub const OPTIONS: &[OptionSpec] = &[
    option(Top, "schema", "1", "", "Version of this schema."),
    option(Top, "about", "text", "", "One line on what the scenario measures."),
    option(Run, "warmup", "duration", "1s", "Load before the measurement window opens."),
    option(
        Run,
        "duration",
        "duration",
        "10s",
        "Length of the measurement window; with `messages`, the longest it may last.",
    ),
    option(
        Run,
        "drain",
        "duration",
        "2s",
        "After the load, how long to wait for messages while none arrives.",
    ),
    option(
        Run,
        "messages",
        "count",
        "0",
        "Messages to send, over all publishers; 0 for as many as the duration allows. Exactly \
         that many are sent, warm-up included.",
    ),
    option(
        Run,
        "connect_rate",
        "per second",
        "0",
        "Connections opened per second over all clients; 0 for no limit.",
    ),
    option(
        Run,
        "connect_window",
        "count",
        "64",
        "Connections of one thread that are being opened at the same time. Keep it below the \
         listener's backlog.",
    ),
    option(
        Run,
        "retries",
        "count",
        "0",
        "How often a client that was refused or lost tries again before it counts as lost.",
    ),
    option(
        Run,
        "retry_delay",
        "duration",
        "1s",
        "Time before the first new try; doubled for each further one.",
    ),
    option(Run, "threads", "count", "1", "Generator threads in one process."),
    option(
        Run,
        "seed",
        "number",
        "1",
        "Seed of arrivals, sizes and topics drawn at random: the same seed gives the same \
         messages.",
    ),
    option(
        Run,
        "max_lag",
        "duration",
        "1ms",
        "In an open loop, the greatest p99 of the generator's own lateness that is accepted.",
    ),
    option(Run, "interval", "duration", "1s", "Length of one interval of the series over time."),
    option(
        Run,
        "spin",
        "true or false",
        "false",
        "Never sleep: schedules to the microsecond for a core of CPU time per thread.",
    ),
    option(
        Group,
        "name",
        "name",
        "",
        "Name of the group, in results and for `--set NAME.option=value`.",
    ),
    option(Group, "count", "count", "", "Clients."),
    option(Group, "first", "number", "0", "The index `%i` of the first client."),
    option(Group, "version", "3.1, 3.1.1 or 5.0", "3.1.1", "Protocol version."),
    option(Group, "client_id", "template", "lg-NAME-%i", "ClientId."),
    option(
        Group,
        "keep_alive",
        "duration",
        "0s",
        "Keep Alive; a PINGREQ is sent when that much time has gone by. 0 for none.",
    ),
    option(Group, "clean", "true or false", "true", "Clean Session, Clean Start in 5.0."),
    option(Group, "session_expiry", "duration", "0s", "Session Expiry Interval (5.0)."),
    option(
        Group,
        "receive_maximum",
        "count",
        "65535",
        "Receive Maximum that the client announces (5.0).",
    ),
    option(Group, "username", "template", "none", "User Name."),
    option(Group, "password", "template", "none", "Password."),
    option(
        Group,
        "subscribe",
        "filter template, or a list",
        "none",
        "What each client subscribes to.",
    ),
    option(Group, "publish", "topic template", "none", "Where each client publishes."),
    option(Group, "qos", "0, 1 or 2", "0", "QoS of publications and subscriptions."),
    option(Group, "publish_qos", "0, 1 or 2", "`qos`", "QoS of publications alone."),
    option(Group, "subscribe_qos", "0, 1 or 2", "`qos`", "QoS of subscriptions alone."),
    option(Group, "retain", "true or false", "false", "Publish Retained Messages."),
    option(
        Group,
        "size",
        "bytes or a distribution",
        "16",
        "Payload: `512`, `16..1024` (each length equally often), or `64:9, 1024:1` (lengths with \
         weights). At least 16 bytes.",
    ),
    option(Group, "batch", "count", "1", "Messages in each write of a publisher."),
    option(
        Group,
        "rate",
        "per second, or steps",
        "0",
        "Messages per second over the whole group: `5000`, or steps: `1000 for 10s, 1000..5000 \
         for 20s, 5000`. 0 for a closed loop.",
    ),
    option(
        Group,
        "rate_per_client",
        "per second",
        "0",
        "The same for one client: `rate` = `rate_per_client` × `count`.",
    ),
    option(
        Group,
        "arrivals",
        "even, poisson or bursts of N",
        "even",
        "How batches are spread over time: evenly, at random with that mean, or N at once.",
    ),
    option(
        Group,
        "window",
        "count",
        "0",
        "Closed loop: messages outstanding for each publisher; 0 for one batch.",
    ),
    option(
        Group,
        "read_rate",
        "bytes per second",
        "unlimited",
        "A slow consumer reads no faster; 0 never reads after its SUBACK.",
    ),
    option(
        Group,
        "may_lose",
        "true or false",
        "false",
        "What does not reach this group breaks no promise: for slow consumers, and for clean \
         sessions that come and go.",
    ),
    option(
        Group,
        "churn",
        "per second",
        "0",
        "Clients that leave and come back per second, in turn.",
    ),
    option(
        Group,
        "churn_clean",
        "true or false",
        "true",
        "They leave with a DISCONNECT; otherwise the socket is just closed, and Will Messages \
         are due.",
    ),
    option(Group, "churn_pause", "duration", "0s", "How long they stay away."),
    option(
        Group,
        "storm_at",
        "duration",
        "none",
        "Drops all connections of the group at once, that long after the load began.",
    ),
    option(Group, "storm_within", "duration", "1s", "They come back spread over this time."),
    option(Group, "storm_every", "duration", "none", "Repeats the storm."),
    option(
        Group,
        "takeover",
        "per second",
        "0",
        "Of two clients with the same ClientId one is connected; this many times a second the \
         other one takes over. `count` is the number of connections that stand.",
    ),
    option(Group, "will_topic", "topic template", "none", "Will Topic."),
    option(Group, "will_qos", "0, 1 or 2", "0", "Will QoS."),
    option(Group, "will_retain", "true or false", "false", "Will Retain."),
    option(
        Group,
        "start",
        "first or last",
        "first",
        "`last`: the group connects when all `messages` have been sent, and its deliveries count \
         from SUBSCRIBE.",
    ),
];

/// The option `key` of a section.
pub fn find(section: Section, key: &str) -> Option<&'static OptionSpec> {
    OPTIONS.iter().find(|spec| spec.section == section && spec.key == key)
}

/// The keys of a section.
pub fn keys(section: Section) -> impl Iterator<Item = &'static str> + Clone {
    OPTIONS.iter().filter(move |spec| spec.section == section).map(|spec| spec.key)
}

/// The table as Markdown, one for each section.
pub fn markdown() -> String {
    let mut text = String::new();
    for (section, title) in [
        (Top, "At the top"),
        (Run, "`[run]`: the whole run"),
        (Group, "`[[group]]`: clients that do the same"),
    ] {
        // Writing to a String does not fail.
        let _ = write!(text, "### {title}\n\n| option | value | default | |\n|---|---|---|---|\n");
        for spec in OPTIONS.iter().filter(|spec| spec.section == section) {
            let default = match spec.default {
                "" => "required".to_owned(),
                words @ ("none" | "unlimited") => words.to_owned(),
                quoted if quoted.starts_with('`') => quoted.to_owned(),
                value => format!("`{value}`"),
            };
            let _ =
                writeln!(text, "| `{}` | {} | {default} | {} |", spec.key, spec.form, spec.help);
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_the_table() {
        let document = include_str!("../../../docs/scenarios.md");
        assert!(
            document.ends_with(&markdown()),
            "docs/scenarios.md must end with what `loadgen scenarios --options` prints"
        );
    }

    #[test]
    fn keys_are_unique_in_their_section() {
        for (index, spec) in OPTIONS.iter().enumerate() {
            let twin =
                OPTIONS[..index].iter().find(|o| (o.section, o.key) == (spec.section, spec.key));
            assert!(twin.is_none(), "{} stands twice", spec.key);
        }
    }
}

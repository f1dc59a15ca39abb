//! Flags and what they ask for.

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::config::Source;
use crate::config::options::Opt;
use crate::config::table::global;

/// How often `--port` may be given, as in Mosquitto.
const PORTS_MAX: usize = 10;

/// What the command line asks for.
#[derive(Debug)]
pub enum Action {
    /// Run the broker.
    Serve,
    /// Check the configuration and say so.
    TestConfig,
    /// Write the page of options.
    PrintReference,
    /// Write the table of Mosquitto's options.
    PrintMosquittoTable,
}

/// A command line, taken apart.
#[derive(Debug)]
pub struct Invocation {
    /// What to do.
    pub action: Action,
    /// Where the configuration comes from.
    pub source: Source,
    /// Whether to go to the background.
    pub daemon: bool,
}

impl Invocation {
    /// Takes the command line apart.
    ///
    /// # Errors
    /// A text to print: a mistake, or the help or version that was asked for.
    pub fn parse(words: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Self, clap::Error> {
        let matches = command().try_get_matches_from(words)?;
        let ports: Vec<u16> = matches.get_many("port").into_iter().flatten().copied().collect();
        if ports.len() > PORTS_MAX {
            let what = format!("--port may be given at most {PORTS_MAX} times\n");
            return Err(command().error(clap::error::ErrorKind::TooManyValues, what));
        }
        Ok(Self {
            action: action(&matches),
            source: Source {
                file: matches.get_one("config").cloned(),
                ports,
                verbose: matches.get_flag("verbose"),
                quiet: matches.get_flag("quiet"),
                shards: matches.get_one("shards").copied(),
            },
            daemon: matches.get_flag("daemon"),
        })
    }
}

fn action(matches: &ArgMatches) -> Action {
    if matches.get_flag("print-options-reference") {
        Action::PrintReference
    } else if matches.get_flag("print-mosquitto-table") {
        Action::PrintMosquittoTable
    } else if matches.get_flag("test-config") {
        Action::TestConfig
    } else {
        Action::Serve
    }
}

/// The option that a flag of this name overrides.
fn option(name: &str) -> Option<&'static Opt<crate::config::Config>> {
    global().find(|option| option.name == name)
}

fn shards() -> Arg {
    let arg = Arg::new("shards").long("shards").value_name("N");
    match option("shards") {
        Some(option) => arg
            .help(option.about.trim_start())
            .value_parser(value_parser!(i64).range(option.spec.min..=option.spec.max)),
        None => arg.value_parser(value_parser!(i64)),
    }
}

fn command() -> Command {
    Command::new("pondhawk")
        .version(env!("CARGO_PKG_VERSION"))
        .about("An MQTT broker for 3.1, 3.1.1 and 5.0.")
        .after_help(
            "Without arguments the broker listens on port 1883 of the loopback interface and \
             accepts clients without credentials. The options of the configuration file are \
             listed in docs/options.md.",
        )
        .disable_version_flag(true)
        .arg(
            Arg::new("config")
                .short('c')
                .long("config")
                .visible_alias("config-file")
                .value_name("FILE")
                .value_parser(value_parser!(std::path::PathBuf))
                .help("Read the configuration from this TOML file"),
        )
        .arg(
            Arg::new("port")
                .short('p')
                .long("port")
                .value_name("PORT")
                .action(ArgAction::Append)
                .value_parser(value_parser!(u16))
                .help(
                    "Listen on this port of the loopback interface; may be given up to 10 times, \
                     and is ignored if the configuration has a listener",
                ),
        )
        .arg(shards())
        .arg(switch("verbose", "Log everything, as log_type = \"all\" does").short('v'))
        .arg(switch("quiet", "Log nothing, whatever else says what to log").short('q'))
        .arg(switch("daemon", "Run in the background").short('d'))
        .arg(switch("test-config", "Check the configuration, say what is wrong, and exit"))
        .arg(switch("print-options-reference", "Write the page of options").hide(true))
        .arg(switch("print-mosquitto-table", "Write the table of Mosquitto's options").hide(true))
        .arg(
            Arg::new("version")
                .long("version")
                .action(ArgAction::Version)
                .help("Print the version and exit"),
        )
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::table::of_listeners;

    fn parse(words: &[&str]) -> Result<Invocation, clap::Error> {
        Invocation::parse(std::iter::once("pondhawk").chain(words.iter().copied()).map(Into::into))
    }

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn without_arguments_it_serves_with_defaults() {
        let invocation = parse(&[]).expect("nothing is fine");
        assert!(matches!(invocation.action, Action::Serve));
        assert!(invocation.source.file.is_none() && invocation.source.ports.is_empty());
        assert!(!invocation.daemon && !invocation.source.verbose);
    }

    #[test]
    fn every_flag_reaches_its_place() {
        let words = ["-c", "a.toml", "-p", "1884", "--port", "1885", "-v", "-d", "--shards", "3"];
        let Invocation { source, daemon, .. } = parse(&words).expect("valid");
        assert_eq!(source.file.as_deref(), Some("a.toml".as_ref()));
        assert_eq!(source.ports, [1884, 1885]);
        assert!(source.verbose && daemon);
        assert_eq!(source.shards, Some(3));
        assert!(matches!(parse(&["--test-config"]).expect("valid").action, Action::TestConfig));
        let reference = parse(&["--print-options-reference"]).expect("valid");
        assert!(matches!(reference.action, Action::PrintReference));
    }

    #[test]
    fn mistakes_are_refused() {
        let eleven = ["-p", "1"].repeat(11);
        for words in [&["--frobnicate"][..], &["-p", "65536"], &["--shards", "0"], &["x"], &eleven]
        {
            let error = parse(words).expect_err("a mistake");
            assert!(error.use_stderr(), "{words:?}");
        }
        assert!(parse(&["-p", "1"].repeat(10)).is_ok());
    }

    #[test]
    fn help_lists_every_flag_of_the_command_and_of_the_option_table() {
        let help = command().render_help().to_string();
        for arg in command().get_arguments().filter(|arg| !arg.is_hide_set()) {
            let long = arg.get_long().expect("every flag has a long form");
            assert!(help.contains(&format!("--{long}")), "{long}");
            assert!(arg.get_help().is_some(), "{long} has no help");
        }
        let flags = global().filter_map(|option| option.flag);
        for flag in flags.chain(of_listeners().filter_map(|option| option.flag)) {
            assert!(help.contains(flag), "{flag}");
        }
    }

    #[test]
    fn help_and_version_are_no_errors() {
        for words in [["-h"], ["--help"], ["--version"]] {
            assert!(!parse(&words).expect_err("a text to print").use_stderr());
        }
    }
}

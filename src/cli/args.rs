//! Flags and subcommands, and what they ask for.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::passwd;
use super::program::Program;
use super::signal::{Errand, Whom};
use crate::config::options::Opt;
use crate::config::table::global;
use crate::config::{Extent, Source};

/// How often `--port` may be given, as in Mosquitto.
const PORTS_MAX: usize = 10;

/// What the command line asks for.
#[derive(Debug)]
pub enum Action {
    /// Run the broker.
    Serve,
    /// Check the configuration and what it names, and say so.
    TestConfig,
    /// Write the configuration that is in effect.
    ShowConfig(Extent),
    /// Write the configuration as a TOML file.
    ConvertConfig,
    /// Send a signal to running brokers.
    Signal(Errand, Whom),
    /// Write the page of options.
    PrintReference,
    /// Write the table of Mosquitto's options.
    PrintMosquittoTable,
}

/// A command line, taken apart.
#[derive(Debug)]
pub struct Invocation {
    /// Who is called.
    pub program: Program,
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
    pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut words: Vec<OsString> = words.into_iter().collect();
        let program = Program::of(&mut words);
        let mut command = command(program);
        let matches = command.try_get_matches_from_mut(words)?;
        if let Some(("signal", matches)) = matches.subcommand() {
            let errand = *matches.get_one("errand").unwrap_or(&Errand::Shutdown);
            let whom = matches.get_one("pid").map_or(Whom::All, |pid| Whom::Process(*pid));
            let (action, source) = (Action::Signal(errand, whom), Source::default());
            return Ok(Self { program, action, source, daemon: false });
        }
        let ports: Vec<u16> = matches.get_many("port").into_iter().flatten().copied().collect();
        if ports.len() > PORTS_MAX {
            let what = format!("--port may be given at most {PORTS_MAX} times\n");
            return Err(command.error(ErrorKind::TooManyValues, what));
        }
        let action = action(&matches);
        let source = Source {
            file: file(&matches),
            ports,
            verbose: matches.get_flag("verbose"),
            quiet: matches.get_flag("quiet"),
            shards: matches.try_get_one("shards").ok().flatten().copied(),
            tls_keylog: matches.get_one("tls-keylog").cloned(),
        };
        if matches!(action, Action::TestConfig) && source.file.is_none() {
            let what = "--test-config needs a file: add -c FILE\n";
            return Err(command.error(ErrorKind::MissingRequiredArgument, what));
        }
        Ok(Self { program, action, source, daemon: matches.get_flag("daemon") })
    }
}

fn action(matches: &ArgMatches) -> Action {
    if let Some(("config", of_config)) = matches.subcommand() {
        return match of_config.subcommand() {
            Some(("convert", _)) => Action::ConvertConfig,
            Some((_, show)) if show.get_flag("changed") => Action::ShowConfig(Extent::Changed),
            _ => Action::ShowConfig(Extent::All),
        };
    }
    let asked = |name| matches.try_get_one::<bool>(name).ok().flatten().copied().unwrap_or(false);
    if asked("print-options-reference") {
        Action::PrintReference
    } else if asked("print-mosquitto-table") {
        Action::PrintMosquittoTable
    } else if asked("test-config") {
        Action::TestConfig
    } else {
        Action::Serve
    }
}

/// The configuration file, of the command or of its subcommand.
fn file(matches: &ArgMatches) -> Option<PathBuf> {
    match matches.subcommand() {
        Some((_, inner)) => file(inner),
        None => matches.try_get_one("config").ok().flatten().cloned(),
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

fn command(program: Program) -> Command {
    let command = Command::new(program.name())
        .version(env!("CARGO_PKG_VERSION"))
        .disable_version_flag(true)
        .disable_help_subcommand(true)
        .args(shared_flags());
    match program {
        Program::Pondhawk => own(command),
        Program::Mosquitto => command
            .about(concat!(
                "mosquitto version ",
                env!("CARGO_PKG_VERSION"),
                " (Pondhawk)\n\nmosquitto is an MQTT v5.0/v3.1.1/v3.1 broker."
            ))
            .version(concat!("version ", env!("CARGO_PKG_VERSION"), " (Pondhawk)")),
    }
}

/// Flags that Mosquitto has, too.
fn shared_flags() -> [Arg; 8] {
    [
        config_flag().short('c').long("config-file").visible_alias("config"),
        Arg::new("port")
            .short('p')
            .long("port")
            .value_name("PORT")
            .action(ArgAction::Append)
            .value_parser(value_parser!(u16))
            .help(
                "Listen on this port of the loopback interface; may be given up to 10 times, and \
                 is ignored if the configuration has a listener",
            ),
        switch("verbose", "Log everything, as log_type = \"all\" does").short('v'),
        switch("quiet", "Log nothing, whatever else says what to log").short('q'),
        switch("daemon", "Run in the background").short('d'),
        switch(
            "test-config",
            "Check the configuration and the files it names, say what is wrong, and exit",
        ),
        Arg::new("tls-keylog")
            .long("tls-keylog")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("Write the keys of TLS connections to a file, to look into them; not for use"),
        Arg::new("version")
            .long("version")
            .action(ArgAction::Version)
            .help("Print the version and exit"),
    ]
}

fn own(command: Command) -> Command {
    command
        .about("An MQTT broker for 3.1, 3.1.1 and 5.0.")
        .after_help(
            "Without arguments the broker listens on port 1883 of the loopback interface and \
             accepts clients without credentials. The options of the configuration file are \
             listed in docs/options.md.",
        )
        .args_conflicts_with_subcommands(true)
        .arg(shards())
        .arg(switch("print-options-reference", "Write the page of options").hide(true))
        .arg(switch("print-mosquitto-table", "Write the table of Mosquitto's options").hide(true))
        .subcommand(
            Command::new("config")
                .about("Look at a configuration, or turn it into TOML")
                .subcommand_required(true)
                .subcommand(
                    Command::new("show")
                        .about("Write the configuration that is in effect")
                        .arg(config_flag().short('c').long("config-file").visible_alias("config"))
                        .arg(switch("changed", "Leave out what is as without a configuration")),
                )
                .subcommand(
                    Command::new("convert")
                        .about("Write a configuration, Mosquitto's for example, as TOML")
                        .arg(config_flag().required(true)),
                ),
        )
        // Runs on its own words, see `serve::main`; here so that the help names it.
        .subcommand(passwd::command().name("passwd"))
        .subcommand(signal())
}

fn signal() -> Command {
    Command::new("signal")
        .about("Send a signal to running brokers, as mosquitto_signal does")
        .arg(
            Arg::new("pid")
                .short('p')
                .value_name("PID")
                .value_parser(value_parser!(i32).range(1..))
                .help("To the process of that number"),
        )
        .arg(switch("all", "To every broker that runs").short('a'))
        .group(clap::ArgGroup::new("whom").args(["pid", "all"]).required(true))
        .arg(
            Arg::new("errand")
                .required(true)
                .value_name("SIGNAL")
                .value_parser(value_parser!(Errand))
                .help("What to do"),
        )
}

fn config_flag() -> Arg {
    Arg::new("config")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Read the configuration from this file, in TOML or in Mosquitto's format")
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
    fn the_definitions_are_sound() {
        command(Program::Pondhawk).debug_assert();
        command(Program::Mosquitto).debug_assert();
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
        let source = parse(&["-q", "--tls-keylog", "keys"]).expect("valid").source;
        assert!(source.quiet);
        assert_eq!(source.tls_keylog.as_deref(), Some("keys".as_ref()));
        let test = parse(&["--test-config", "--config", "a"]).expect("valid");
        assert!(matches!(test.action, Action::TestConfig));
        let reference = parse(&["--print-options-reference"]).expect("valid");
        assert!(matches!(reference.action, Action::PrintReference));
    }

    #[test]
    fn subcommands_take_their_file() {
        let show = parse(&["config", "show", "-c", "m.conf", "--changed"]).expect("valid");
        assert!(matches!(show.action, Action::ShowConfig(Extent::Changed)));
        assert_eq!(show.source.file.as_deref(), Some("m.conf".as_ref()));
        let convert = parse(&["config", "convert", "m.conf"]).expect("valid");
        assert!(matches!(convert.action, Action::ConvertConfig));
        assert_eq!(convert.source.file.as_deref(), Some("m.conf".as_ref()));
        let signal = parse(&["signal", "-p", "7", "config-reload"]).expect("valid");
        assert!(matches!(signal.action, Action::Signal(Errand::ConfigReload, Whom::Process(7))));
        let all = parse(&["signal", "-a", "shutdown"]).expect("valid");
        assert!(matches!(all.action, Action::Signal(Errand::Shutdown, Whom::All)));
    }

    #[test]
    fn mistakes_are_refused() {
        let eleven = ["-p", "1"].repeat(11);
        for words in [
            &["--frobnicate"][..],
            &["-p", "65536"],
            &["--shards", "0"],
            &["x"],
            &eleven,
            &["--test-config"],
            &["config"],
            &["config", "convert"],
            &["signal", "shutdown"],
            &["signal", "-p", "0", "shutdown"],
        ] {
            let error = parse(words).expect_err("a mistake");
            assert!(error.use_stderr(), "{words:?}");
        }
        assert!(parse(&["-p", "1"].repeat(10)).is_ok());
    }

    #[test]
    fn help_lists_every_flag_of_the_command_and_of_the_option_table() {
        let help = command(Program::Pondhawk).render_help().to_string();
        let command = command(Program::Pondhawk);
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
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
    fn called_as_mosquitto_it_says_so() {
        let words = ["/usr/sbin/mosquitto", "-h"].map(OsString::from);
        let help = Invocation::parse(words).expect_err("a text to print").to_string();
        assert!(help.starts_with("mosquitto version "), "{help}");
        assert!(help.contains("Usage: mosquitto") && !help.contains("--shards"), "{help}");
        let words = ["mosquitto", "--version"].map(OsString::from);
        let version = Invocation::parse(words).expect_err("a text to print").to_string();
        assert!(version.starts_with("mosquitto version "), "{version}");
    }

    #[test]
    fn help_and_version_are_no_errors() {
        for words in [["-h"], ["--help"], ["--version"]] {
            assert!(!parse(&words).expect_err("a text to print").use_stderr());
        }
    }
}

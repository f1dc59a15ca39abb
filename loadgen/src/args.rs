//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::ab::Placement;
use crate::compare::{Allowance, Measure, Side};
use crate::load_args::{LayerArgs, LoadArgs, RunArgs, ShapeArgs, ShortArgs, address};
use crate::peers::Case;
use crate::run;
use crate::scenario::{Scenario, Setting, duration};

/// Load generator for MQTT brokers.
///
/// Exit codes: 0 promises kept, 1 a promise of the QoS was broken (or clients were lost), 2 usage
/// or set-up error, 3 the generator itself was too slow for the asked rate.
#[derive(Debug, Parser)]
#[command(name = "loadgen", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs a scenario: a file, or a built-in one by its name.
    Run(RunArgs),
    /// Searches the greatest rate at which a scenario keeps bounds of loss and latency.
    Search(SearchArgs),
    /// Checks a scenario file.
    Check(CheckArgs),
    /// Lists the built-in scenarios, or prints one.
    Scenarios(ScenariosArgs),
    /// Connections that are opened and held.
    Conn(ShortArgs),
    /// Pairs: each publisher has its own topic and its own subscriber.
    P2p(ShortArgs),
    /// Many publishers, few subscribers; every message reaches one subscriber.
    Fanin(ShortArgs),
    /// Few publishers, many subscribers; every message reaches all of them.
    Fanout(ShortArgs),
    /// Many publishers, and subscribers that share one subscription.
    Shared(ShortArgs),
    /// All clients lose their connections at once and come back.
    Storm(ShortArgs),
    /// Memory that a broker needs for an idle connection and for one subscription.
    ///
    /// Start the broker anew for each run: memory that it kept from an earlier one hides the
    /// growth.
    Idle(ShortArgs),
    /// Retained Messages, then subscribers that want all of them.
    Retained(ShortArgs),
    /// Clients that take over each other's sessions.
    Takeover(ShortArgs),
    /// The null broker: a broker's socket work and nothing else.
    Null(NullArgs),
    /// Compares brokers in alternating slices.
    Ab(AbArgs),
    /// Runs the standard cases against a list of brokers, in turns, and writes a table.
    Peers(PeersArgs),
    /// Compares the results of two builds, several runs each.
    ///
    /// Exit codes: 0 not shown to be slower, 1 slower, 2 usage error or runs that are not alike.
    Compare(CompareArgs),
    /// Writes results as one HTML file that needs no network.
    Report(ReportArgs),
    /// Adds up the results of generators that loaded one broker together.
    Merge(MergeArgs),
    /// Waits for a run on another machine that wants help: `--agents`.
    Agent(AgentArgs),
    /// A worker process: takes orders on the standard input.
    #[command(hide = true)]
    Worker,
}

/// `loadgen search`.
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// A scenario file or the name of a built-in one, with a parameter `rate`.
    #[arg(value_name = "SCENARIO")]
    pub scenario: String,
    /// The first rate, messages per second; it doubles until a bound is broken.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = rate())]
    pub from: u64,
    /// The greatest rate to try.
    #[arg(long = "to", value_name = "N", default_value_t = 10_000_000, value_parser = rate())]
    pub most: u64,
    /// Deliveries that may be lost, where their QoS allows it.
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0)]
    pub max_lost: f64,
    /// The greatest p99 of the latency end to end [default: any].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub max_p99: Option<Duration>,
    /// The gap between what was kept and what was not at which the search ends.
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0)]
    pub precision: f64,
    #[command(flatten)]
    pub load: LoadArgs,
}

/// `loadgen check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Scenario files.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<String>,
    /// Sets a parameter, or an option: run.OPTION or GROUP.OPTION.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<Setting>,
}

/// `loadgen scenarios`.
#[derive(Debug, Args)]
pub struct ScenariosArgs {
    /// Print the text of this one.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Print the table of all options, as docs/scenarios.md has it.
    #[arg(long, conflicts_with = "name")]
    pub options: bool,
}

/// `loadgen agent`.
#[derive(Debug, Args)]
pub struct AgentArgs {
    /// Where to listen. Whoever can connect can make this machine load any other: choose an
    /// address that only the generators reach.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0", value_parser = address)]
    pub listen: SocketAddr,
}

/// What to print.
#[derive(Debug, Args)]
pub struct OutputArgs {
    /// Print the result as JSON instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Print nothing but errors.
    #[arg(long)]
    pub quiet: bool,
    /// Write the result as JSON to a file.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Write each histogram as text, `KIND.hgrm`, into a folder.
    #[arg(long, value_name = "DIR")]
    pub hgrm: Option<PathBuf>,
    /// Note something in the result, such as broker=pondhawk-0.1.0; may be given several times.
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    pub label: Vec<(String, String)>,
}

/// The null broker.
#[derive(Debug, Args)]
pub struct NullArgs {
    /// Port on 127.0.0.1; 0 lets the system choose, and the port is printed.
    #[arg(long)]
    pub port: u16,
    /// What to imitate.
    #[arg(long, value_enum, default_value_t = NullMode::Broker)]
    pub mode: NullMode,
    /// Threads; clients of one topic meet on one thread.
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
}

/// What the null broker imitates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NullMode {
    /// A broker: relays each publisher to the subscribers of its first topic.
    Broker,
    /// A sink: acknowledges and relays nothing.
    Sink,
}

/// A comparison.
#[derive(Debug, Args)]
pub struct AbArgs {
    /// The load, for example 'p2p --pairs 64 --qos 0 --batch 8', or a scenario with its settings:
    /// 'mqttbs-p2p-small batch=8'.
    #[arg(long, value_name = "LOAD", value_parser = load)]
    pub scenario: Load,
    /// A broker to start, `name=command`, where {port} stands for a free port. The first one is the
    /// reference. Just `null` is the null broker of this program.
    #[arg(long = "broker", value_name = "NAME=CMD", required = true, value_parser = broker)]
    pub brokers: Vec<BrokerCommand>,
    /// Processors of the brokers and of the generator, for example 0/1 or 0,1/2,3.
    #[arg(long, value_name = "BROKER/GENERATOR")]
    pub cpus: Option<Placement>,
    /// Rounds; every broker gets one slice in each.
    #[arg(long, default_value_t = 7)]
    pub rounds: usize,
    /// Length of one slice.
    #[arg(long, value_name = "SECS", default_value = "0.5", value_parser = duration)]
    pub slice: Duration,
    #[command(flatten)]
    pub layers: LayerArgs,
    /// Load before each slice that is not measured.
    #[arg(long, value_name = "SECS", default_value = "0.1", value_parser = duration)]
    pub warmup: Duration,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Brokers to run the standard cases against.
#[derive(Debug, Args)]
pub struct PeersArgs {
    /// A broker to start, as `loadgen ab` takes it; the first is the reference.
    #[arg(long, value_name = "NAME=CMD", required = true)]
    pub broker: Vec<String>,
    /// A load to run instead of the standard ones; or the name of one of those.
    #[arg(long, value_name = "NAME=LOAD")]
    pub case: Vec<Case>,
    /// Folder for the result of each case and the table.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Processors of the brokers and of the generator, for example 0/1.
    #[arg(long, value_name = "BROKER/GENERATOR")]
    pub cpus: Option<String>,
    /// Rounds of each case.
    #[arg(long, default_value_t = 7)]
    pub rounds: usize,
    /// Length of one slice.
    #[arg(long, value_name = "SECS", default_value = "0.5")]
    pub slice: String,
    /// Load before each slice that is not measured.
    #[arg(long, value_name = "SECS", default_value = "0.1")]
    pub warmup: String,
}

/// Results to compare.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Runs of the base: result files and folders of them, joined by commas.
    #[arg(value_name = "BASE")]
    pub base: Side,
    /// Runs to hold against it, in the same form; each NEW is compared by itself.
    #[arg(value_name = "NEW", required = true)]
    pub new: Vec<Side>,
    /// How often equal builds may be called different, over all measures that are judged.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, value_parser = share)]
    pub alpha: f64,
    /// The least difference that matters.
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0)]
    pub threshold: f64,
    /// With too few runs for a test, the factor that is called a difference.
    #[arg(long, value_name = "FACTOR", default_value_t = 2.0)]
    pub coarse: f64,
    /// Measures that decide: throughput, cpu, or KIND:PERCENTILE such as puback:p99 [default:
    /// throughput, cpu and end_to_end at p50, p99 and p99.9].
    #[arg(long, value_name = "MEASURE", value_delimiter = ',')]
    pub judge: Vec<Measure>,
    /// Compare although this differs.
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    pub allow: Vec<Allowance>,
    /// Write a page with the curves over each other; for one NEW.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Print JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Results to report on.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Result files.
    #[arg(value_name = "RESULT", required = true)]
    pub results: Vec<PathBuf>,
    /// The page [default: the first result's name, ending in .html].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Results to add up.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// Result files of one run: scenario and environment are taken from the first.
    #[arg(value_name = "RESULT", required = true)]
    pub results: Vec<PathBuf>,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// A load named on one line.
#[derive(Clone, Debug)]
pub struct Load {
    /// The line as given.
    pub text: String,
    /// The scenario.
    pub scenario: Arc<Scenario>,
}

/// A broker that `ab` starts.
#[derive(Clone, Debug)]
pub struct BrokerCommand {
    /// Name in the report.
    pub name: String,
    /// Shell command with `{port}`; `None` for this program's null broker.
    pub command: Option<String>,
}

#[derive(Parser)]
#[command(no_binary_name = true)]
struct LoadLine {
    /// A short form or a scenario.
    name: String,
    #[command(flatten)]
    shape: ShapeArgs,
    /// Settings.
    set: Vec<Setting>,
}

fn load(text: &str) -> Result<Load, String> {
    let line =
        LoadLine::try_parse_from(text.split_whitespace()).map_err(|error| error.to_string())?;
    let scenario =
        run::short_form(&line.name, &line.shape, line.set).map_err(|error| error.to_string())?;
    Ok(Load { text: text.to_owned(), scenario: Arc::new(scenario) })
}

fn broker(text: &str) -> Result<BrokerCommand, String> {
    match text.split_once('=') {
        Some((name, command)) if !name.is_empty() && command.contains("{port}") => {
            Ok(BrokerCommand { name: name.to_owned(), command: Some(command.to_owned()) })
        }
        Some(_) => Err("expected name=command with {port} in the command".to_owned()),
        None if text == "null" => Ok(BrokerCommand { name: "null".to_owned(), command: None }),
        None => Err("expected name=command, or null".to_owned()),
    }
}

/// A rate that can be doubled.
fn rate() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(1..=1_000_000_000)
}

/// A probability, neither never nor always.
fn share(text: &str) -> Result<f64, String> {
    let value = text.parse().ok().filter(|value| *value > 0.0 && *value < 1.0);
    value.ok_or_else(|| "expected a number between 0 and 1".to_owned())
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pondhawk::protocol::{QoS, Version};

    #[test]
    fn a_load_is_read_like_a_command_line() {
        let scenario = load("fanout --subs 500 --qos 1 --batch 8 --version 5").unwrap().scenario;
        assert_eq!(scenario.groups[0].count, 500);
        assert_eq!(scenario.groups[0].subscribe_qos, QoS::AtLeastOnce);
        assert_eq!(scenario.groups[1].batch, 8);
        assert_eq!(scenario.groups[1].version, Version::V5);
        assert_eq!(load("p2p pairs=3").unwrap().scenario.groups[0].count, 3);
    }

    #[test]
    fn an_option_that_a_short_form_does_not_have_is_refused() {
        let error = load("p2p --pubs 3").unwrap_err();
        assert!(error.contains("p2p takes no --pubs"), "{error}");
        assert!(load("fanout --pairs 3").is_err());
    }

    #[test]
    fn a_broker_command_must_name_its_port() {
        assert!(broker("mosquitto=mosquitto -p {port}").is_ok());
        assert!(broker("mosquitto=mosquitto -p 1883").is_err());
        assert_eq!(broker("null").unwrap().command, None);
        assert!(broker("other").is_err());
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
        LoadLine::command().debug_assert();
    }
}

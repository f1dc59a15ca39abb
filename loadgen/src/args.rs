//! The command line.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use pondhawk::protocol::{QoS, Version};

use crate::ab::Placement;
use crate::client::stamp::STAMP_LEN;
use crate::compare::{Allowance, Measure, Side};
use crate::peers::Case;

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
    /// Pairs: each publisher has its own topic and its own subscriber.
    P2p(RunArgs),
    /// Many publishers, few subscribers; every message reaches one subscriber.
    Fanin(RunArgs),
    /// Few publishers, many subscribers; every message reaches all of them.
    Fanout(RunArgs),
    /// Memory that a broker needs for an idle connection and for one subscription.
    ///
    /// Start the broker anew for each run: memory that it kept from an earlier one hides the
    /// growth.
    Idle(IdleArgs),
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
}

/// How publishers and subscribers are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// One subscriber for each publisher.
    P2p,
    /// Each subscriber hears a share of the publishers.
    Fanin,
    /// Each subscriber hears every publisher.
    Fanout,
}

/// One load run against one broker.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub shape: ShapeArgs,
    /// Length of the measurement window.
    #[arg(long, value_name = "SECS", default_value = "10", value_parser = seconds)]
    pub duration: Duration,
    /// Load before the measurement window opens.
    #[arg(long, value_name = "SECS", default_value = "1", value_parser = seconds)]
    pub warmup: Duration,
    /// After the run, how long to wait for messages while none arrives.
    #[arg(long, value_name = "SECS", default_value = "2", value_parser = seconds)]
    pub drain: Duration,
    /// In an open loop, the greatest p99 of the generator's own lateness that is accepted.
    #[arg(long, value_name = "MS", default_value_t = 1.0)]
    pub max_lag_ms: f64,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Whom to load, and how to reach it.
#[derive(Debug, Args)]
pub struct TargetArgs {
    /// The broker.
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    pub target: SocketAddr,
    /// Process to account CPU time and memory to.
    #[arg(long, value_name = "PID")]
    pub broker_pid: Option<u32>,
    /// Source addresses; loopback targets get as many as they need by themselves.
    #[arg(long, value_name = "IP", value_delimiter = ',')]
    pub source: Vec<IpAddr>,
    /// Connections opened per second; 0 for no limit.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub connect_rate: u32,
}

/// The shape of the load.
#[derive(Clone, Debug, Args)]
pub struct ShapeArgs {
    /// Publisher and subscriber pairs (p2p) [default: 64].
    #[arg(long, conflicts_with_all = ["pubs", "subs"])]
    pub pairs: Option<u32>,
    /// Publishers [default: 100 for fanin, 1 for fanout].
    #[arg(long)]
    pub pubs: Option<u32>,
    /// Subscribers [default: 1 for fanin, 500 for fanout].
    #[arg(long)]
    pub subs: Option<u32>,
    /// QoS of publications and subscriptions.
    #[arg(long, default_value = "0", value_parser = qos)]
    pub qos: QoS,
    /// Protocol version: 3 (3.1), 4 (3.1.1) or 5.
    #[arg(long, default_value = "4", value_parser = version)]
    pub version: Version,
    /// Payload bytes, at least 16.
    #[arg(long, value_name = "BYTES", default_value_t = STAMP_LEN)]
    pub size: usize,
    /// Messages in each write of a publisher.
    #[arg(long, value_name = "B", default_value_t = 1)]
    pub batch: u32,
    /// Messages per second over all publishers, open loop; 0 for a closed loop.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub rate: u64,
    /// Closed loop: messages outstanding per publisher [default: one batch].
    #[arg(long, value_name = "W")]
    pub window: Option<u32>,
    /// Generator threads.
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// First level of every topic.
    #[arg(long, value_name = "P", default_value = "lg")]
    pub topic_prefix: String,
    /// Never sleep: schedules to the microsecond for a core of CPU time per thread.
    #[arg(long)]
    pub spin: bool,
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

/// Idle connections.
#[derive(Debug, Args)]
pub struct IdleArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// Connections to open.
    #[arg(long, value_name = "N")]
    pub connections: u32,
    /// Then give each connection one subscription of three levels, its own.
    #[arg(long)]
    pub subscribe: bool,
    /// Connections opened per second; 0 for no limit.
    #[arg(long, value_name = "CONN/S", default_value_t = 2000)]
    pub rate: u32,
    /// How long to hold the connections once all are open.
    #[arg(long, value_name = "S", default_value = "1", value_parser = seconds)]
    pub hold: Duration,
    /// Protocol version: 3 (3.1), 4 (3.1.1) or 5.
    #[arg(long, default_value = "4", value_parser = version)]
    pub version: Version,
    /// Generator threads.
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    #[command(flatten)]
    pub output: OutputArgs,
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
}

/// A comparison.
#[derive(Debug, Args)]
pub struct AbArgs {
    /// The load, for example 'p2p --pairs 64 --qos 0 --batch 8'.
    #[arg(long, value_name = "LOAD", value_parser = scenario)]
    pub scenario: Scenario,
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
    #[arg(long, value_name = "SECS", default_value = "0.5", value_parser = seconds)]
    pub slice: Duration,
    /// Load before each slice that is not measured.
    #[arg(long, value_name = "SECS", default_value = "0.1", value_parser = seconds)]
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
pub struct Scenario {
    /// The line as given.
    pub text: String,
    /// How clients are joined.
    pub pattern: Pattern,
    /// The rest.
    pub shape: ShapeArgs,
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
struct ScenarioLine {
    #[command(subcommand)]
    load: ScenarioLoad,
}

#[derive(Subcommand)]
enum ScenarioLoad {
    P2p(ShapeArgs),
    Fanin(ShapeArgs),
    Fanout(ShapeArgs),
}

fn scenario(text: &str) -> Result<Scenario, String> {
    let line =
        ScenarioLine::try_parse_from(text.split_whitespace()).map_err(|error| error.to_string())?;
    let (pattern, shape) = match line.load {
        ScenarioLoad::P2p(shape) => (Pattern::P2p, shape),
        ScenarioLoad::Fanin(shape) => (Pattern::Fanin, shape),
        ScenarioLoad::Fanout(shape) => (Pattern::Fanout, shape),
    };
    Ok(Scenario { text: text.to_owned(), pattern, shape })
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

/// Seconds with a fraction (`0.5`, `0.5s`) or milliseconds (`500ms`).
fn seconds(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1e-3),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let value: f64 = number.parse().map_err(|_| format!("'{text}' is no time in seconds"))?;
    Duration::try_from_secs_f64(value * unit).map_err(|error| error.to_string())
}

fn qos(text: &str) -> Result<QoS, String> {
    text.parse().ok().and_then(QoS::from_u8).ok_or_else(|| "expected 0, 1 or 2".to_owned())
}

fn version(text: &str) -> Result<Version, String> {
    match text {
        "3" | "3.1" => Ok(Version::V31),
        "4" | "3.1.1" => Ok(Version::V311),
        "5" | "5.0" => Ok(Version::V5),
        _ => Err("expected 3, 4 or 5".to_owned()),
    }
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

fn address(text: &str) -> Result<SocketAddr, String> {
    let mut found = text.to_socket_addrs().map_err(|error| error.to_string())?;
    found.next().ok_or_else(|| format!("'{text}' has no address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_take_fractions_and_milliseconds() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(seconds("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(seconds("250ms"), Ok(Duration::from_millis(250)));
        assert!(seconds("-1").is_err());
        assert!(seconds("soon").is_err());
    }

    #[test]
    fn a_scenario_line_is_read_like_a_command_line() {
        let scenario = scenario("fanout --subs 500 --qos 1 --batch 8 --version 5").unwrap();
        assert_eq!(scenario.pattern, Pattern::Fanout);
        assert_eq!(scenario.shape.subs, Some(500));
        assert_eq!(scenario.shape.qos, QoS::AtLeastOnce);
        assert_eq!(scenario.shape.batch, 8);
        assert_eq!(scenario.shape.version, Version::V5);
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
        ScenarioLine::command().debug_assert();
    }
}

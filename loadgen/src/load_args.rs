//! Options of the commands that load a broker.

use std::net::{SocketAddr, ToSocketAddrs};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::args::OutputArgs;
use crate::net::{Endpoint, Network, TlsSettings};
use crate::scenario::{Setting, duration};

/// `loadgen run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// A scenario file, or the name of a built-in scenario.
    #[arg(value_name = "SCENARIO")]
    pub scenario: String,
    #[command(flatten)]
    pub load: LoadArgs,
}

/// A short form: a built-in scenario with its parameters as options.
#[derive(Debug, Args)]
pub struct ShortArgs {
    #[command(flatten)]
    pub shape: ShapeArgs,
    #[command(flatten)]
    pub load: LoadArgs,
}

/// What all loads have in common.
#[derive(Debug, Args)]
pub struct LoadArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub course: CourseArgs,
    #[command(flatten)]
    pub conduct: ConductArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Whom to load, and how to reach it.
#[derive(Debug, Args)]
pub struct TargetArgs {
    /// The broker: HOST:PORT, or a mqtt, mqtts, ws or wss URL. Clients take several in turn.
    #[arg(long, value_name = "TARGET", value_delimiter = ',', required = true)]
    pub target: Vec<Endpoint>,
    #[command(flatten)]
    pub layers: LayerArgs,
    /// Source addresses or networks, 10.0.0.0/24; loopback targets get as many as they need by
    /// themselves.
    #[arg(long, value_name = "IP", value_delimiter = ',')]
    pub source: Vec<Network>,
    /// Source ports that are taken explicitly [default: the system chooses].
    #[arg(long, value_name = "LOW-HIGH", value_parser = ports)]
    pub source_ports: Option<RangeInclusive<u16>>,
    /// The broker's process, to account CPU time and memory to.
    #[arg(long, value_name = "PID")]
    pub broker_pid: Option<u32>,
}

/// What is spoken between TCP and MQTT.
#[derive(Debug, Args)]
pub struct LayerArgs {
    /// Speak TLS.
    #[arg(long)]
    pub tls: bool,
    /// Speak WebSocket, to this resource.
    #[arg(long, value_name = "PATH", num_args = 0..=1, default_missing_value = "/mqtt",
          require_equals = true)]
    pub ws: Option<String>,
    /// Trusted authorities, PEM [default: the system's].
    #[arg(long, value_name = "FILE")]
    pub cafile: Option<PathBuf>,
    /// The clients' certificate, PEM.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,
    /// Its key, PEM.
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
    /// Trust any certificate.
    #[arg(long)]
    pub insecure: bool,
    /// Resume TLS sessions of earlier connections; without it each handshake is a full one.
    #[arg(long)]
    pub tls_resume: bool,
}

/// The course of the run.
#[derive(Debug, Default, Args)]
pub struct CourseArgs {
    /// Length of the measurement window: 500ms, 10s, 5m.
    #[arg(long, value_name = "TIME")]
    pub duration: Option<String>,
    /// Load before the measurement window opens.
    #[arg(long, value_name = "TIME")]
    pub warmup: Option<String>,
    /// After the load, how long to wait for messages while none arrives.
    #[arg(long, value_name = "TIME")]
    pub drain: Option<String>,
    /// Messages to send over all publishers, exactly.
    #[arg(long, value_name = "N")]
    pub messages: Option<String>,
    /// Time over which connections are opened, evenly.
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "connect_rate")]
    pub ramp: Option<Duration>,
    /// Connections opened per second; 0 for no limit.
    #[arg(long, value_name = "N")]
    pub connect_rate: Option<String>,
    /// Connections of one thread being opened at the same time.
    #[arg(long, value_name = "N")]
    pub connect_window: Option<String>,
    /// New tries of a client that was refused or lost.
    #[arg(long, value_name = "N")]
    pub retries: Option<String>,
    /// Seed of all that is drawn at random.
    #[arg(long, value_name = "N")]
    pub seed: Option<String>,
    /// In an open loop, the greatest p99 of the generator's own lateness that is accepted.
    #[arg(long, value_name = "MS")]
    pub max_lag_ms: Option<f64>,
    /// Sets a parameter, or an option of the scenario: run.OPTION or GROUP.OPTION.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<Setting>,
}

/// How the generator itself runs.
#[derive(Debug, Args)]
pub struct ConductArgs {
    /// Worker processes [default: as many as the limit of descriptors asks for].
    #[arg(long, value_name = "N", conflicts_with = "agents")]
    pub processes: Option<u32>,
    /// Agents on other machines, started with `loadgen agent`.
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', value_parser = address)]
    pub agents: Vec<SocketAddr>,
    /// Say whether this machine can hold the load, and what to change; load nothing.
    #[arg(long)]
    pub preflight: bool,
    /// Do not measure the generator's own ceiling against its null broker.
    #[arg(long)]
    pub no_calibrate: bool,
    /// Accept a result for which the generator itself set the pace.
    #[arg(long)]
    pub allow_generator_bound: bool,
}

/// Parameters of the short forms. Each form takes those that its scenario has.
#[derive(Clone, Debug, Default, Args)]
pub struct ShapeArgs {
    /// Publisher and subscriber pairs.
    #[arg(long, value_name = "N")]
    pub pairs: Option<String>,
    /// Publishers.
    #[arg(long, value_name = "N")]
    pub pubs: Option<String>,
    /// Subscribers.
    #[arg(long, value_name = "N")]
    pub subs: Option<String>,
    /// Clients, where they are all alike.
    #[arg(long, value_name = "N", visible_alias = "connections")]
    pub clients: Option<String>,
    /// QoS of publications and subscriptions.
    #[arg(long)]
    pub qos: Option<String>,
    /// QoS of publications alone.
    #[arg(long, value_name = "QOS")]
    pub pub_qos: Option<String>,
    /// QoS of subscriptions alone.
    #[arg(long, value_name = "QOS")]
    pub sub_qos: Option<String>,
    /// Protocol version: 3.1, 3.1.1 or 5.0.
    #[arg(long)]
    pub version: Option<String>,
    /// Payload bytes, or a distribution: 16..1024, or 64:9,1024:1.
    #[arg(long, value_name = "BYTES")]
    pub size: Option<String>,
    /// Messages in each write of a publisher.
    #[arg(long, value_name = "B")]
    pub batch: Option<String>,
    /// Messages per second over all publishers, open loop; 0 for a closed loop.
    #[arg(long, value_name = "N")]
    pub rate: Option<String>,
    /// How batches are spread: even, poisson, or 'bursts of N'.
    #[arg(long, value_name = "HOW")]
    pub arrivals: Option<String>,
    /// Closed loop: messages outstanding per publisher [default: one batch].
    #[arg(long, value_name = "W")]
    pub window: Option<String>,
    /// Topics, where each publisher has several.
    #[arg(long, value_name = "N")]
    pub topics: Option<String>,
    /// Keep Alive.
    #[arg(long, value_name = "TIME")]
    pub keep_alive: Option<String>,
    /// Takeovers per second.
    #[arg(long, value_name = "N")]
    pub takeovers: Option<String>,
    /// When the connections drop, after the load began.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// The time over which they come back.
    #[arg(long, value_name = "TIME")]
    pub within: Option<String>,
    /// Give each idle connection one subscription of its own, behind all connections.
    #[arg(long)]
    pub subscribe: bool,
    /// First level of every topic.
    #[arg(long, value_name = "P")]
    pub topic_prefix: Option<String>,
    /// Generator threads in each process.
    #[arg(long, value_name = "N")]
    pub threads: Option<String>,
    /// Never sleep: schedules to the microsecond for a core of CPU time per thread.
    #[arg(long)]
    pub spin: bool,
}

impl ShapeArgs {
    /// The options given, with the parameters that each stands for.
    pub fn settings(&self) -> Vec<(&'static str, Vec<Setting>)> {
        let given: [(&'static str, &[&str], &Option<String>); 19] = [
            ("--pairs", &["pairs"], &self.pairs),
            ("--pubs", &["pubs"], &self.pubs),
            ("--subs", &["subs"], &self.subs),
            ("--clients", &["clients"], &self.clients),
            ("--qos", &["qos_pub", "qos_sub"], &self.qos),
            ("--pub-qos", &["qos_pub"], &self.pub_qos),
            ("--sub-qos", &["qos_sub"], &self.sub_qos),
            ("--version", &["version"], &self.version),
            ("--size", &["size"], &self.size),
            ("--batch", &["batch"], &self.batch),
            ("--rate", &["rate"], &self.rate),
            ("--arrivals", &["arrivals"], &self.arrivals),
            ("--window", &["window"], &self.window),
            ("--topics", &["topics"], &self.topics),
            ("--keep-alive", &["keep_alive"], &self.keep_alive),
            ("--takeovers", &["takeovers"], &self.takeovers),
            ("--at", &["at"], &self.at),
            ("--within", &["within"], &self.within),
            ("--topic-prefix", &["prefix"], &self.topic_prefix),
        ];
        let mut settings: Vec<_> = given
            .into_iter()
            .filter_map(|(option, params, value)| {
                let value = value.as_ref()?;
                Some((option, params.iter().map(|param| Setting::new(param, value)).collect()))
            })
            .collect();
        if let Some(threads) = &self.threads {
            settings.push(("--threads", vec![Setting::new("run.threads", threads)]));
        }
        if self.spin {
            settings.push(("--spin", vec![Setting::new("run.spin", true)]));
        }
        settings
    }
}

impl CourseArgs {
    /// The options given, as settings; `--set` comes last and outweighs them.
    pub fn settings(&self) -> Vec<Setting> {
        let given = [
            ("run.duration", &self.duration),
            ("run.warmup", &self.warmup),
            ("run.drain", &self.drain),
            ("run.messages", &self.messages),
            ("run.connect_rate", &self.connect_rate),
            ("run.connect_window", &self.connect_window),
            ("run.retries", &self.retries),
            ("run.seed", &self.seed),
        ];
        let setting = |(key, value): (&str, &Option<String>)| {
            value.as_ref().map(|value| Setting::new(key, value))
        };
        let mut settings: Vec<_> = given.into_iter().filter_map(setting).collect();
        if let Some(lag) = self.max_lag_ms {
            settings.push(Setting::new("run.max_lag", format!("{lag}ms")));
        }
        settings.extend(self.set.iter().cloned());
        settings
    }
}

impl TargetArgs {
    /// The targets, with what is spoken to them.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.target.iter().map(|target| self.layers.over(target)).collect()
    }
}

impl LayerArgs {
    /// A target with what `--tls` and `--ws` say of it.
    pub fn over(&self, target: &Endpoint) -> Endpoint {
        Endpoint {
            tls: target.tls || self.tls,
            websocket: target.websocket.clone().or_else(|| self.ws.clone()),
            ..target.clone()
        }
    }

    /// What TLS trusts and shows.
    pub fn settings(&self) -> TlsSettings {
        TlsSettings {
            cafile: self.cafile.clone(),
            cert: self.cert.clone(),
            key: self.key.clone(),
            insecure: self.insecure,
            resume: self.tls_resume,
        }
    }
}

fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (low, high) = text.split_once('-').ok_or("expected LOW-HIGH")?;
    let port = |text: &str| text.parse::<u16>().map_err(|_| format!("'{text}' is no port"));
    match (port(low)?, port(high)?) {
        (low @ 1.., high) if low <= high => Ok(low..=high),
        _ => Err("expected LOW-HIGH from 1 to 65535".to_owned()),
    }
}

/// The address of a host and port.
///
/// # Errors
/// If there is none.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let mut found = text.to_socket_addrs().map_err(|error| error.to_string())?;
    found.next().ok_or_else(|| format!("'{text}' has no address"))
}

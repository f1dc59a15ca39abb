//! The generator's own ceiling: the same load against the null broker of this program.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::now_ns;
use crate::crew::{Crew, Job, Parts};
use crate::net::{Endpoint, Sources};
use crate::plan::{Plan, Share};
use crate::scenario::{BUILTIN, Group, Scenario, Setting, Start};

use super::conduct::Conduct;
use super::signals::Signals;

/// Most pairs of the calibration.
const MAX_PAIRS: u32 = 64;

/// Length of its window.
const LENGTH: Duration = Duration::from_millis(400);

/// Ceilings measured before, by what was measured.
type Cache = BTreeMap<String, f64>;

/// Deliveries a second that this generator reaches against its null broker with the QoS, batch and
/// size of the scenario's first publishers, in a closed loop; `None` if nothing is published or it
/// could not be measured. Kept for later runs of the same program on the same machine.
pub fn ceiling(scenario: &Scenario, signals: &Signals) -> Option<f64> {
    let group = scenario.groups.iter().find(|group| group.publish.is_some())?;
    let settings = settings(scenario, group);
    let key = key(&settings);
    let cached = cache_file().and_then(|path| fs::read_to_string(path).ok());
    let mut cache: Cache =
        cached.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    if let Some(ceiling) = cache.get(&key) {
        return Some(*ceiling);
    }
    let ceiling = measure(&settings, signals).ok()?;
    cache.insert(key, ceiling);
    if let (Some(path), Ok(text)) = (cache_file(), serde_json::to_string_pretty(&cache)) {
        // Without a cache the next run measures again.
        let _ = path.parent().map(fs::create_dir_all);
        let _ = fs::write(path, text);
    }
    Some(ceiling)
}

fn settings(scenario: &Scenario, group: &Group) -> Vec<Setting> {
    let pairs = group.count.min(MAX_PAIRS);
    let batch = group.batch;
    vec![
        Setting::new("pairs", pairs),
        Setting::new("qos_pub", group.publish_qos as u8),
        Setting::new("qos_sub", group.publish_qos as u8),
        Setting::new("version", group.version.name()),
        Setting::new("size", group.sizes.greatest()),
        Setting::new("batch", batch),
        Setting::new("run.threads", scenario.run.threads),
        Setting::new("run.warmup", "100ms"),
        Setting::new("run.duration", format!("{}ms", LENGTH.as_millis())),
        Setting::new("run.drain", "500ms"),
    ]
}

/// What the ceiling depends on: the program, the processor and the load.
fn key(settings: &[Setting]) -> String {
    let environment = crate::result::Environment::read();
    let load: Vec<_> =
        settings.iter().map(|setting| format!("{}={}", setting.key, setting.value)).collect();
    let (commit, cpu, cpus) = (environment.loadgen_commit, environment.cpu, environment.cpus);
    let built = if cfg!(debug_assertions) { "debug" } else { "release" };
    format!("{commit} {built}, {cpus} × {cpu}: {}", load.join(" "))
}

fn cache_file() -> Option<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))?;
    Some(base.join("loadgen").join("ceilings.json"))
}

fn measure(settings: &[Setting], signals: &Signals) -> Result<f64, String> {
    let null = NullBroker::start()?;
    let text = BUILTIN.iter().find(|builtin| builtin.name == "p2p").map_or("", |b| b.text);
    let scenario = Scenario::read("p2p", text, settings).map_err(|_| "calibration".to_owned())?;
    let plan = Plan::new(Arc::new(scenario), Share::WHOLE)?;
    let target: Endpoint = null.address.to_string().parse()?;
    let clients = plan.clients(Start::First) as u64;
    let sources = Sources::plan(target.address, 1, &[], None, clients)?;
    let epoch_ns = now_ns();
    let job = Job { epoch_ns, ..Job::new(&plan.scenario, vec![target], sources) };
    let crew = Crew::launch(&job, &Parts::Here, |_| clients)?;
    let conduct = Conduct { signals: Some(signals), ..Conduct::new(crew, &plan, epoch_ns) };
    let finished = conduct.run()?;
    let window = finished.window.filter(|_| finished.interrupted.is_none());
    let rate = window.map(|window| window.delivery_rate());
    rate.filter(|rate| *rate > 0.0).ok_or_else(|| "nothing was delivered".to_owned())
}

/// This program's null broker, as long as it is needed.
struct NullBroker {
    child: Child,
    address: SocketAddr,
}

impl NullBroker {
    fn start() -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut child = Command::new(program)
            .args(["null", "--port", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut line = String::new();
        let output = child.stdout.take().ok_or("no pipe")?;
        let read = BufReader::new(output).read_line(&mut line);
        let address = line.trim().rsplit(' ').next().and_then(|word| word.parse().ok());
        match (read, address) {
            (Ok(_), Some(address)) => Ok(Self { child, address }),
            _ => Err("the null broker does not start".to_owned()),
        }
    }
}

impl Drop for NullBroker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

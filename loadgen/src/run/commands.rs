//! The commands: run, check, scenarios, and the short forms.

use std::fs;
use std::sync::Arc;

use crate::args::{CheckArgs, ScenariosArgs};
use crate::clock::now_ns;
use crate::crew::{Crew, Job, Parts};
use crate::failure::Failure;
use crate::load_args::{LoadArgs, RunArgs, ShapeArgs, ShortArgs};
use crate::net::{Endpoint, Sources, descriptor_limit};
use crate::output::{emit_run, say};
use crate::plan::{Plan, Share};
use crate::result::{RunResult, Verdict};
use crate::scenario::{BUILTIN, Problem, Scenario, Setting, load, markdown};

use super::calibrate;
use super::conduct::{Conduct, Measure};
use super::fill::{describe, fill};
use super::preflight::{self, Wanted};
use super::progress;
use super::signals::Signals;
use super::watch::Watch;

/// Runs a scenario by file or name.
///
/// # Errors
/// If the scenario has problems, or the load cannot be set up.
pub fn run(args: &RunArgs) -> Result<Verdict, Failure> {
    let scenario = load(&args.scenario, &args.load.course.settings())?;
    conduct(scenario, &args.load, false)
}

/// Runs a short form.
///
/// # Errors
/// If an option makes no sense, or the load cannot be set up.
pub fn short(name: &str, args: &ShortArgs) -> Result<Verdict, Failure> {
    let scenario = short_form(name, &args.shape, args.load.course.settings())?;
    if name == "idle" && args.load.target.broker_pid.is_none() {
        return Err("idle needs --broker-pid: it measures that process's memory".to_owned().into());
    }
    if args.shape.subscribe && name != "idle" {
        return Err(format!("{name} takes no --subscribe").into());
    }
    conduct(scenario, &args.load, args.shape.subscribe)
}

/// The scenario that a short form stands for: a built-in one with its parameters set.
///
/// # Errors
/// If the scenario has no such parameter.
pub fn short_form(name: &str, shape: &ShapeArgs, set: Vec<Setting>) -> Result<Scenario, Failure> {
    let plain = load(name, &[])?;
    let mut settings = Vec::new();
    for (option, given) in shape.settings() {
        let known: Vec<_> = given
            .into_iter()
            .filter(|s| s.key.contains('.') || plain.params.contains_key(&s.key))
            .collect();
        if known.is_empty() {
            let names: Vec<_> = plain.params.keys().map(String::as_str).collect();
            let names = names.join(", ");
            return Err(format!("{name} takes no {option}; its parameters are {names}").into());
        }
        settings.extend(known);
    }
    settings.extend(set);
    load(name, &settings)
}

/// Checks scenario files.
///
/// # Errors
/// If one has problems; all of them are named.
pub fn check(args: &CheckArgs) -> Result<Verdict, Failure> {
    let mut problems = Vec::new();
    for file in &args.files {
        let text = fs::read_to_string(file).map_err(|error| Failure::of(file, error))?;
        match Scenario::read(file, &text, &args.set).map(|scenario| (scenario.seats(), scenario)) {
            Ok((clients, scenario)) => {
                let flows = Plan::new(Arc::new(scenario), Share::WHOLE)
                    .map_err(|error| Failure::of(file, error))?
                    .flows
                    .count();
                say(&format!("{file}: ok, {clients} clients, {flows} flows\n"))?;
            }
            Err(found) => problems.extend(found.iter().map(Problem::to_string)),
        }
    }
    match problems.is_empty() {
        true => Ok(Verdict::Kept),
        false => Err(problems.join("\n").into()),
    }
}

/// Lists the built-in scenarios, or prints one.
///
/// # Errors
/// If there is none of that name.
pub fn scenarios(args: &ScenariosArgs) -> Result<Verdict, Failure> {
    if args.options {
        say(&markdown())?;
        return Ok(Verdict::Kept);
    }
    if let Some(name) = &args.name {
        let builtin = BUILTIN.iter().find(|builtin| builtin.name == name);
        let unknown = || format!("no scenario '{name}'; `loadgen scenarios` lists them");
        say(builtin.ok_or_else(unknown)?.text)?;
        return Ok(Verdict::Kept);
    }
    let width = BUILTIN.iter().map(|builtin| builtin.name.len()).max().unwrap_or(0);
    let mut list = String::new();
    for builtin in BUILTIN {
        let about = load(builtin.name, &[])?.about;
        list.push_str(&format!("{:width$}  {about}\n", builtin.name));
    }
    say(&list)?;
    Ok(Verdict::Kept)
}

/// Sets a run up, conducts it and reports.
fn conduct(scenario: Scenario, args: &LoadArgs, subscribe: bool) -> Result<Verdict, Failure> {
    let Some(mut result) = measure(scenario, args, subscribe)? else { return Ok(Verdict::Kept) };
    emit_run(&mut result, &args.output)?;
    reached(&result)?;
    Ok(result.verdict)
}

/// Sets a run up and conducts it; `None` if only its preflight was asked for.
///
/// # Errors
/// If the load cannot be set up.
pub fn measure(
    scenario: Scenario,
    args: &LoadArgs,
    subscribe: bool,
) -> Result<Option<RunResult>, Failure> {
    let targets = args.target.endpoints();
    let parts = parts(&scenario, args)?;
    let sources = sources(&scenario, args, &targets);
    if !preflight_allows(&scenario, args, &targets, &sources, &parts)? {
        return Ok(None);
    }
    let signals = Signals::block()?;
    let plan = Plan::new(Arc::new(scenario), Share::WHOLE)?;
    let scenario = Arc::clone(&plan.scenario);
    let ceiling = match args.conduct.no_calibrate {
        true => None,
        false => calibrate::ceiling(&scenario, &signals),
    };
    let epoch_ns = now_ns();
    let watch = args.target.broker_pid.map(|pid| Watch::begin(pid, epoch_ns, sample_ns(&scenario)));
    let watch = watch.transpose().map_err(|error| Failure::of("broker process", error))?;
    let job = Job {
        tls: args.target.layers.settings(),
        wait_to_subscribe: subscribe || scenario.name == "idle",
        epoch_ns,
        ..Job::new(&scenario, targets.clone(), sources?)
    };
    let crew = Crew::launch(&job, &parts, |share| seats(&scenario, share))?;
    let shown: Vec<_> = targets.iter().map(ToString::to_string).collect();
    let mut result = RunResult::begin(describe(&scenario, crew.len()), shown.join(","));
    let conduct = Conduct {
        signals: Some(&signals),
        watch,
        connect_rate: connect_rate(&scenario, args),
        show: Box::new(progress::live(&args.output, &scenario)),
        measure: Measure { memory: scenario.name == "idle", subscribe },
        ..Conduct::new(crew, &plan, epoch_ns)
    };
    let finished = conduct.run()?;
    fill(&mut result, &plan, finished, ceiling);
    if args.conduct.allow_generator_bound && result.verdict == Verdict::GeneratorBound {
        result.verdict = Verdict::Kept;
    }
    Ok(Some(result))
}

/// If nobody was ever connected, nothing was set up, whatever the result says.
///
/// # Errors
/// Then.
pub fn reached(result: &RunResult) -> Result<(), Failure> {
    if result.counts.connected > 0 {
        return Ok(());
    }
    let reason = result.interrupted.as_deref().unwrap_or("no connection");
    let complaints: Vec<_> =
        std::iter::once(reason).chain(result.complaints.iter().map(String::as_str)).collect();
    Err(Failure::of(&result.target, complaints.join("; ")))
}

/// How often the broker is looked at, ns.
fn sample_ns(scenario: &Scenario) -> u64 {
    (scenario.run.interval.as_nanos() as u64).clamp(100_000_000, 10_000_000_000)
}

fn connect_rate(scenario: &Scenario, args: &LoadArgs) -> f64 {
    match args.course.ramp {
        Some(ramp) if !ramp.is_zero() => scenario.seats() as f64 / ramp.as_secs_f64(),
        _ => scenario.run.connect_rate,
    }
}

/// As many processes as were asked for, or as the limit of descriptors asks for.
fn parts(scenario: &Scenario, args: &LoadArgs) -> Result<Parts, Failure> {
    let each = descriptor_limit()?.connections().max(1);
    let needed = scenario.seats().div_ceil(each) as u32;
    if !args.conduct.agents.is_empty() {
        let agents = args.conduct.agents.clone();
        let workers = needed.div_ceil(agents.len() as u32).max(1);
        return Ok(Parts::Agents(agents, workers));
    }
    Ok(match args.conduct.processes.unwrap_or(needed) {
        0 | 1 => Parts::Here,
        count => Parts::Workers(count),
    })
}

fn sources(scenario: &Scenario, args: &LoadArgs, targets: &[Endpoint]) -> Result<Sources, String> {
    let first = targets.first().ok_or("no target")?;
    let (given, ports) = (&args.target.source, args.target.source_ports.clone());
    Sources::plan(first.address, targets.len(), given, ports, scenario.seats())
}

/// Seats of a share.
fn seats(scenario: &Scenario, share: Share) -> u64 {
    let of = |count: u32| (0..count).filter(|client| share.has(*client)).count() as u64;
    scenario.groups.iter().map(|group| of(group.count)).sum()
}

/// Says what stands in the way; `false` if nothing more is to be done.
fn preflight_allows(
    scenario: &Scenario,
    args: &LoadArgs,
    targets: &[Endpoint],
    sources: &Result<Sources, String>,
    parts: &Parts,
) -> Result<bool, Failure> {
    let wanted = Wanted { scenario, targets, sources, parts };
    let findings = preflight::check(&wanted, &preflight::Machine::read()?);
    let text = preflight::text(&findings);
    let fails = findings.iter().any(|finding| finding.mend.is_some());
    match (args.conduct.preflight, fails) {
        (_, true) => Err(Failure::of("preflight", format!("\n{}", text.trim_end()))),
        (true, false) => {
            say(&text)?;
            Ok(false)
        }
        (false, false) => Ok(true),
    }
}

//! From the command line to a running broker, and to an exit code.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::args::{Action, Invocation};
use super::limits::raise_open_files;
use super::panics::log_panics;
use super::passwd;
use super::pid_file::PidFile;
use super::privileges::{self, Target};
use super::program::Program;
use super::signal;
use crate::auth::Methods;
use crate::config::{Loaded, LogDest, Mistakes, Source, mosquitto_page, reference};
use crate::control::log::{Log, LogHandle, publish_through};
use crate::control::{
    AccessFiles, Checked, Fresh, Inherited, Outcome, Passwords, Remote, Secure, Setup, Steps,
    keep_until_trimmed, open_all, prepare, run, serve_pages,
};
use crate::shard::{Settings, Shards};
use crate::transport::KeyLog;

/// Mosquitto's exit code for everything that is wrong with flags or configuration.
const MOSQUITTO_INVALID: u8 = 3;

/// Runs the program on the process's arguments.
///
/// Exits with 0 after an orderly stop, and with 1 after any error and when it was stopped a second
/// time. Called as Mosquitto it exits with 3 where that does.
pub fn main() -> ExitCode {
    let mut words = std::env::args_os();
    // Under that tool's name, say by a link, the program is that tool.
    let tool = words.next().is_some_and(|name| Path::new(&name).ends_with("mosquitto_passwd"));
    if tool || std::env::args_os().nth(1).is_some_and(|word| word == "passwd") {
        return passwd::main(words.skip(usize::from(!tool)));
    }
    let invocation = match Invocation::parse(std::env::args_os()) {
        Ok(invocation) => invocation,
        Err(text) => return misunderstood(&text),
    };
    let program = invocation.program;
    let source = &invocation.source;
    let done = match invocation.action {
        Action::PrintReference => print(&reference()),
        Action::PrintMosquittoTable => print(&mosquitto_page()),
        Action::TestConfig => test_config(program, source),
        Action::ShowConfig(extent) => load(source).and_then(|it| print(&it.config.to_toml(extent))),
        Action::ConvertConfig => convert_config(source),
        Action::Signal(errand, whom) => signal::send(errand, whom)
            .map_err(|error| refuse(format!("The signal cannot be sent: {error}.")))
            .and_then(|count| print(&format!("Told {count} process(es).\n"))),
        Action::Serve => {
            keep_until_trimmed();
            serve(invocation)
        }
    };
    done.unwrap_or_else(|Refused| failure(program))
}

fn failure(program: Program) -> ExitCode {
    match program {
        Program::Pondhawk => ExitCode::FAILURE,
        Program::Mosquitto => ExitCode::from(MOSQUITTO_INVALID),
    }
}

/// Says what is wrong with the command line, or the help or version that was asked for.
fn misunderstood(text: &clap::Error) -> ExitCode {
    let words: Vec<_> = std::env::args_os().take(1).collect();
    let program = Program::of(&mut words.clone());
    // Nobody is left to tell if this cannot be printed.
    let _ = match (program, text.kind(), text.get(ContextKind::InvalidArg)) {
        (Program::Mosquitto, ErrorKind::UnknownArgument, Some(ContextValue::String(flag))) => {
            writeln!(io::stderr(), "Error: Unknown option '{flag}'.")
        }
        _ => text.print(),
    };
    match program {
        Program::Pondhawk if !text.use_stderr() => ExitCode::SUCCESS,
        // Mosquitto counts a question for its help among what it cannot run with.
        _ => failure(program),
    }
}

/// Something failed and was said on standard error.
struct Refused;

fn refuse(error: impl Display) -> Refused {
    // Nobody is left to tell if this cannot be printed.
    let _ = writeln!(io::stderr(), "{error}");
    Refused
}

fn print(text: &str) -> Result<ExitCode, Refused> {
    io::stdout().write_all(text.as_bytes()).map_err(refuse)?;
    Ok(ExitCode::SUCCESS)
}

fn load(source: &Source) -> Result<Loaded, Refused> {
    source.load().map_err(refuse)
}

fn test_config(program: Program, source: &Source) -> Result<ExitCode, Refused> {
    let loaded = load(source)?;
    warn(&loaded.warnings);
    let (_, note) = target(&loaded)?;
    // Nothing is written, not even a file of --tls-keylog.
    let checked = check(&loaded, &steps(KeyLog::default()))?;
    warn(note.iter().chain(&checked.warnings));
    match program {
        Program::Pondhawk => print("configuration OK\n"),
        Program::Mosquitto => print("Configuration file is OK.\n"),
    }
}

/// Says on standard error what the operator should know about a configuration.
fn warn<'w>(warnings: impl IntoIterator<Item = &'w String>) {
    for warning in warnings {
        // A warning that cannot be printed changes nothing about the configuration.
        let _ = writeln!(io::stderr(), "Warning: {warning}");
    }
}

fn convert_config(source: &Source) -> Result<ExitCode, Refused> {
    let loaded = load(source)?;
    let mut text = String::from("# Written by `pondhawk config convert`.\n");
    for warning in &loaded.warnings {
        text.push_str(&format!("# {warning}\n"));
    }
    text.push('\n');
    text.push_str(&loaded.config.to_toml(crate::config::Extent::Changed));
    print(&text)
}

/// What is ready before there is a log or a second thread.
struct Prepared {
    loaded: Loaded,
    steps: Steps,
    settings: Arc<Settings>,
    inherited: Inherited,
    target: Target,
    /// Sentences about the start that wait for the log.
    notes: Vec<String>,
    open_files: Option<u64>,
}

/// Starts the broker. What can be wrong is looked for before it leaves the terminal.
fn serve(invocation: Invocation) -> Result<ExitCode, Refused> {
    let Invocation { program, source, daemon, .. } = invocation;
    let prepared = prepare_start(&source)?;
    let fresh = open_all(&prepared.settings.runtime.listeners, &prepared.inherited)
        .map_err(|error| error.to_string())
        .and_then(|fresh| prepared.inherited.check_taken().map(|()| fresh));
    let pid_path = prepared.loaded.config.process.pid_file.clone();
    if daemon {
        if let Err(error) = &fresh {
            return Err(refuse(format!("Error: {error}")));
        }
        // Before any thread: threads do not survive the fork. The working directory stays, since
        // paths in the configuration may be relative.
        nix::unistd::daemon(true, false)
            .map_err(|error| refuse(format!("Cannot go to the background: {error}.")))?;
    }
    let pid_file = pid_path.map(|path| {
        PidFile::write(path.as_ref())
            .map_err(|error| refuse(format!("The pid_file {path} cannot be written: {error}.")))
    });
    let pid_file = pid_file.transpose()?;
    let log = Log::start(program.name(), &prepared.loaded.config.logging)
        .map_err(|error| refuse(format!("The log_dest cannot be opened: {error}.")))?;
    tracing::subscriber::set_global_default(log.subscriber).map_err(refuse)?;
    log_panics();
    announce(program, &source, &prepared);
    let code = match fresh {
        Ok(fresh) => start(program, source, prepared, fresh, log.handle),
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    };
    drop(pid_file);
    // Writes what the log still holds.
    drop(log.guard);
    Ok(code)
}

fn prepare_start(source: &Source) -> Result<Prepared, Refused> {
    let inherited = Inherited::take().map_err(refuse)?;
    let loaded = load(source)?;
    let (target, note) = target(&loaded)?;
    privileges::set_umask().map_err(refuse)?;
    let open_files = raise_open_files();
    let steps = steps(key_log(source)?);
    let Checked { settings, warnings } = check(&loaded, &steps)?;
    let notes = note.into_iter().chain(warnings).collect();
    Ok(Prepared { loaded, steps, settings, inherited, target, notes, open_files })
}

fn target(loaded: &Loaded) -> Result<(Target, Option<String>), Refused> {
    privileges::target(loaded.config.process.user.as_deref()).map_err(refuse)
}

/// Reads and checks all that the configuration names.
fn check(loaded: &Loaded, steps: &Steps) -> Result<Checked, Refused> {
    prepare(steps, loaded.config.compile(cores())).map_err(|mistakes: Mistakes| refuse(mistakes))
}

/// How many cores the process may use.
fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn start(
    program: Program,
    source: Source,
    prepared: Prepared,
    fresh: Vec<Fresh>,
    log: LogHandle,
) -> ExitCode {
    let Prepared { loaded, steps, settings, inherited, target, .. } = prepared;
    for dest in &loaded.config.logging.log_dest.0 {
        if let LogDest::File(path) = dest {
            privileges::give(path, &target);
        }
    }
    // All that needs root is open.
    if let Err(error) = privileges::drop_to(&target) {
        tracing::error!("{error}");
        return ExitCode::FAILURE;
    }
    let started =
        methods(&settings).and_then(|methods| Shards::start_with(Arc::clone(&settings), methods));
    let shards = match started {
        Ok(shards) => shards,
        Err(error) => {
            tracing::error!("The shards cannot be started: {error}.");
            return ExitCode::FAILURE;
        }
    };
    log.attach(publish_through(shards.handle()));
    if let Err(error) = serve_pages(shards.handle()) {
        tracing::error!("The thread that reads http_dir cannot be started: {error}.");
        return ExitCode::FAILURE;
    }
    let outcome = run(Setup {
        plane: Rc::new(shards.handle()),
        source,
        config: loaded.config,
        settings,
        steps,
        program: program.name(),
        fresh,
        inherited,
        cores: cores(),
        log,
        exporters: Rc::new(Vec::new),
        remote: Remote::default(),
    });
    if matches!(outcome, Outcome::Forced) {
        return ExitCode::FAILURE;
    }
    shards.join();
    ExitCode::SUCCESS
}

/// What has to be read and checked before a configuration comes into force.
fn steps(key_log: KeyLog) -> Steps {
    vec![Box::new(AccessFiles::default()), Box::new(Secure::new(key_log))]
}

fn key_log(source: &Source) -> Result<KeyLog, Refused> {
    let Some(path) = &source.tls_keylog else { return Ok(KeyLog::default()) };
    KeyLog::open(path)
        .map_err(|error| refuse(format!("The file {} of --tls-keylog: {error}.", path.display())))
}

/// The ways to authenticate.
fn methods(settings: &Settings) -> io::Result<Methods> {
    let mut methods = Methods::default();
    methods.verify_with(Arc::new(Passwords::start(settings.runtime.passwords)?));
    Ok(methods)
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn announce(program: Program, source: &Source, prepared: &Prepared) {
    tracing::info!(target: "notice", "{} version {VERSION} starting", program.name());
    match &source.file {
        Some(file) => tracing::info!("Config loaded from {}.", file.display()),
        None => tracing::info!("Using default config."),
    }
    if let Some(files) = prepared.open_files {
        tracing::info!("Up to {files} files can be open, one for each connection.");
    }
    if prepared.loaded.config.local_only {
        tracing::info!(
            target: "notice",
            "Starting in local only mode. Connections will only be possible from clients running \
             on this machine."
        );
        tracing::info!(
            target: "notice",
            "Create a configuration file which defines a listener to allow remote access."
        );
    }
    if let Target::User { name, .. } = &prepared.target {
        tracing::info!("Going on as user {name}.");
    }
    let warnings = prepared.loaded.warnings.iter().chain(&prepared.notes);
    warnings.for_each(|warning| tracing::warn!("{warning}"));
}

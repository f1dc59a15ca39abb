//! From the command line to a running broker, and to an exit code.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use super::args::{Action, Invocation};
use super::limits::raise_open_files;
use super::panics::log_panics;
use super::passwd;
use crate::auth::Methods;
use crate::config::{Loaded, Source, mosquitto_page, reference};
use crate::control::log::{Log, LogHandle, publish_through};
use crate::control::{
    AccessFiles, Outcome, Passwords, Remote, Secure, Setup, Steps, prepare, run, serve_pages,
};
use crate::shard::{Settings, Shards};

/// Runs the program on the process's arguments.
///
/// Exits with 0 after an orderly stop, and with 1 after any error and when it was stopped a second
/// time.
pub fn main() -> ExitCode {
    let mut words = std::env::args_os();
    // Under that tool's name, say by a link, the program is that tool.
    let tool = words.next().is_some_and(|name| Path::new(&name).ends_with("mosquitto_passwd"));
    if tool || std::env::args_os().nth(1).is_some_and(|word| word == "passwd") {
        return passwd::main(words.skip(usize::from(!tool)));
    }
    let invocation = match Invocation::parse(std::env::args_os()) {
        Ok(invocation) => invocation,
        Err(text) => {
            // Nobody is left to tell if this cannot be printed.
            let _ = text.print();
            return if text.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    let done = match invocation.action {
        Action::PrintReference => print(&reference()),
        Action::PrintMosquittoTable => print(&mosquitto_page()),
        Action::TestConfig => test_config(&invocation.source),
        Action::Serve => serve(invocation),
    };
    done.unwrap_or(ExitCode::FAILURE)
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

fn test_config(source: &Source) -> Result<ExitCode, Refused> {
    let loaded = load(source)?;
    for warning in loaded.warnings {
        // A warning that cannot be printed changes nothing about the configuration.
        let _ = writeln!(io::stderr(), "Warning: {warning}");
    }
    print("configuration OK\n")
}

fn serve(invocation: Invocation) -> Result<ExitCode, Refused> {
    let loaded = load(&invocation.source)?;
    if invocation.daemon {
        // Before any thread: threads do not survive the fork. The working directory stays, since
        // paths in the configuration may be relative.
        nix::unistd::daemon(true, false)
            .map_err(|error| refuse(format!("Cannot go to the background: {error}.")))?;
    }
    let log = Log::start(PROGRAM, &loaded.config.logging)
        .map_err(|error| refuse(format!("The log_dest cannot be opened: {error}.")))?;
    tracing::subscriber::set_global_default(log.subscriber).map_err(refuse)?;
    log_panics();
    let code = start(invocation.source, loaded, log.handle);
    // Writes what the log still holds.
    drop(log.guard);
    Ok(code)
}

fn start(source: Source, loaded: Loaded, log: LogHandle) -> ExitCode {
    announce(&source, &loaded);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let steps = steps();
    let settings = match prepare(&steps, loaded.config.compile(cores)) {
        Ok(settings) => settings,
        Err(mistakes) => {
            mistakes.0.iter().for_each(|mistake| tracing::error!("{mistake}"));
            return ExitCode::FAILURE;
        }
    };
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
        cores,
        log,
        exporters: Rc::new(Vec::new),
        remote: Remote::default(),
    });
    if matches!(outcome, Outcome::Forced) {
        return ExitCode::FAILURE;
    }
    shards.join();
    match outcome {
        Outcome::Clean | Outcome::TimedOut(_) => ExitCode::SUCCESS,
        Outcome::NotListening(_) | Outcome::Forced => ExitCode::FAILURE,
    }
}

/// What has to be read and checked before a configuration comes into force.
fn steps() -> Steps {
    vec![Box::new(AccessFiles::default()), Box::new(Secure::default())]
}

/// The ways to authenticate.
fn methods(settings: &Settings) -> io::Result<Methods> {
    let mut methods = Methods::default();
    methods.verify_with(Arc::new(Passwords::start(settings.runtime.passwords)?));
    Ok(methods)
}

/// The name in the system's log.
const PROGRAM: &str = env!("CARGO_PKG_NAME");

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn announce(source: &Source, loaded: &Loaded) {
    tracing::info!(target: "notice", "pondhawk version {VERSION} starting");
    match &source.file {
        Some(file) => tracing::info!("Config loaded from {}.", file.display()),
        None => tracing::info!("Using default config."),
    }
    if let Some(files) = raise_open_files() {
        tracing::info!("Up to {files} files can be open, one for each connection.");
    }
    if loaded.config.local_only {
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
    loaded.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
}

//! Load generator for MQTT brokers.
//!
//! | module | what it does |
//! |---|---|
//! | `args`, `load_args` | the command line |
//! | `scenario` | scenario files: read, checked, built in |
//! | `plan` | the clients of a scenario, and what each must hear |
//! | `net` | TCP, TLS, WebSocket, source addresses |
//! | `client` | one MQTT client as a state machine: bytes in, bytes out |
//! | `engine` | threads, sockets and pacing that drive many clients |
//! | `crew` | one run in several processes and on several machines |
//! | `run` | conducts a run: preflight, phases, verdict |
//! | `measure` | histograms, gap detection, what `/proc` says of a process |
//! | `peers` | the standard cases against a list of brokers |
//! | `plot` | charts and pages: SVG and HTML that load nothing |
//! | `report` | results as a page |
//! | `compare` | several runs of two builds, side by side |
//! | `result` | the result of one run: measured, written, read back, merged |
//! | `merge` | adds up the results of several machines |
//! | `output` | what the terminal shows: summary, tables |
//! | `null` | the null broker: the floor that real brokers are measured against |
//! | `ab` | alternating comparison of several brokers |

mod ab;
mod args;
mod client;
mod clock;
mod compare;
mod crew;
mod engine;
mod failure;
mod load_args;
mod measure;
mod merge;
mod net;
mod null;
mod output;
mod peers;
mod plan;
mod plot;
mod report;
mod result;
mod run;
mod scenario;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use failure::Failure;
use result::Verdict;

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Search(args) => run::search(&args),
        Command::Check(args) => run::check(&args),
        Command::Scenarios(args) => run::scenarios(&args),
        Command::Conn(args) => run::short("conn", &args),
        Command::P2p(args) => run::short("p2p", &args),
        Command::Fanin(args) => run::short("fanin", &args),
        Command::Fanout(args) => run::short("fanout", &args),
        Command::Shared(args) => run::short("shared", &args),
        Command::Storm(args) => run::short("storm", &args),
        Command::Idle(args) => run::short("idle", &args),
        Command::Retained(args) => run::short("retained", &args),
        Command::Takeover(args) => run::short("takeover", &args),
        Command::Agent(args) => crew::run_agent(args.listen),
        Command::Worker => crew::run_worker(),
        Command::Null(args) => null::run(&args),
        Command::Ab(args) => ab::run(&args),
        Command::Compare(args) => {
            return exit(compare::run(&args).map(compare::Conclusion::exit_code));
        }
        Command::Peers(args) => peers::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Merge(args) => merge::run(&args),
    };
    exit(outcome.map(Verdict::exit_code))
}

fn exit(outcome: Result<u8, Failure>) -> ExitCode {
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // Nothing sensible is left to do when stderr is gone too.
            let _ = writeln!(std::io::stderr(), "loadgen: {error}");
            ExitCode::from(Failure::EXIT_CODE)
        }
    }
}

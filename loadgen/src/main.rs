//! Load generator for MQTT brokers.
//!
//! | module | what it does |
//! |---|---|
//! | `args` | the command line |
//! | `client` | one MQTT client as a state machine: bytes in, bytes out |
//! | `engine` | threads, sockets and pacing that drive many clients |
//! | `measure` | histograms, gap detection, what `/proc` says of a process |
//! | `peers` | the standard cases against a list of brokers |
//! | `plot` | charts and pages: SVG and HTML that load nothing |
//! | `report` | results as a page |
//! | `compare` | several runs of two builds, side by side |
//! | `result` | the result of one run: measured, written, read back, merged |
//! | `fill` | fills a result from what the engine measured |
//! | `merge` | adds up the results of several machines |
//! | `output` | what the terminal shows: summary, tables |
//! | `null` | the null broker: the floor that real brokers are measured against |
//! | `ab` | alternating comparison of several brokers |
//! | `idle` | memory per idle connection |

mod ab;
mod args;
mod client;
mod clock;
mod compare;
mod engine;
mod failure;
mod fill;
mod idle;
mod measure;
mod merge;
mod null;
mod output;
mod peers;
mod plot;
mod report;
mod result;
mod run;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command, Pattern};
use failure::Failure;
use result::Verdict;

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::P2p(args) => run::run(Pattern::P2p, &args),
        Command::Fanin(args) => run::run(Pattern::Fanin, &args),
        Command::Fanout(args) => run::run(Pattern::Fanout, &args),
        Command::Idle(args) => idle::run(&args),
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

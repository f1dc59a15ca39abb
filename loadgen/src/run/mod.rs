//! Conducts a run: preflight, ramp, hold, drain, verdict.
//!
//! The one who conducts holds no client: a [`Crew`](crate::crew::Crew) does, in this process or in
//! others. Whatever ends a run early (Ctrl-C, a broker that dies, a refused connection), what was
//! measured until then is reported.

mod calibrate;
mod commands;
mod conduct;
mod fill;
mod growth;
mod judge;
mod preflight;
mod progress;
mod search;
mod signals;
mod watch;

pub use commands::{check, run, scenarios, short, short_form};
pub use conduct::Conduct;
pub use judge::judge;
pub use search::search;
pub use signals::Signals;

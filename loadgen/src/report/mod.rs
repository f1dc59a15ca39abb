//! The result of one run: verdict, JSON and table.

mod emit;
mod environment;
mod run;
mod table;
mod verdict;

pub use emit::{Show, emit};
pub use environment::Environment;
pub use run::{Findings, RunReport};
pub use table::Table;
pub use verdict::{Verdict, broken_promises};

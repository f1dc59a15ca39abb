//! What the person at the terminal sees: tables, the summary of a run, JSON.

mod emit;
mod summary;
mod table;

pub use emit::{Show, emit, emit_run};
pub use table::Table;

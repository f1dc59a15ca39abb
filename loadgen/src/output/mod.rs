//! What the person at the terminal sees: tables, the live view and the summary of a run, JSON.

mod emit;
mod live;
mod summary;
mod table;

pub use emit::{Show, emit, emit_run};
pub use live::{Live, Progress};
pub use table::Table;

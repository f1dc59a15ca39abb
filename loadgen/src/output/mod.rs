//! What the person at the terminal sees: tables, the live view and the summary of a run, JSON.

mod emit;
mod live;
mod say;
mod summary;
mod table;

pub use emit::{Show, emit, emit_run};
pub use live::{Live, Progress};
pub use say::say;
pub use table::Table;

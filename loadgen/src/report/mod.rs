//! `loadgen report`: results as one HTML file that needs no network.

mod curves;
mod run;
mod tables;

pub use curves::{percentile_chart, percentile_line};
pub use run::run;

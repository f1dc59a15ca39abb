//! `loadgen compare`: two builds, each run several times, side by side.
//!
//! docs/comparing.md has the statistics and what they can and cannot show.

mod conclusion;
mod judge;
mod measures;
#[cfg(test)]
mod numbers;
mod page;
mod run;
mod same;
mod sides;
mod stats;
mod text;

pub use conclusion::Conclusion;
pub use measures::Measure;
pub use run::run;
pub use same::Allowance;
pub use sides::Side;

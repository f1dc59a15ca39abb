//! The pages that `loadgen report` and `loadgen compare --html` write, in a browser.

mod browser;
mod compared;
mod fixture;
mod reported;

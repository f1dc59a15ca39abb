//! Memory that a broker needs for an idle connection, and for one subscription more.
//!
//! Connections are opened in steps; a line through the broker's memory after each step gives the
//! bytes of one connection, without what the broker needs anyway.

mod report;
mod steps;

pub use steps::run;

//! Scenario files: what clients there are, and what they do.
//!
//! A file is TOML of a versioned schema. [`OPTIONS`](options::OPTIONS) is the one table of its
//! options: it tells the reader which keys exist, and `docs/scenarios.md` what to say of them.
//! Reading goes in three steps: [`Document`](document::Document) is the file with its lines,
//! parameters put in and `--set` applied; [`Scenario`] is what it means. Every problem names the
//! line, the option and the mend.

mod builtin;
mod document;
mod expect;
mod expression;
mod group;
mod model;
mod options;
mod problem;
mod profile;
mod size;
mod topic;
mod values;

pub use builtin::{BUILTIN, load};
pub use group::{Group, Start};
pub use model::Scenario;
pub use options::markdown;
pub use problem::Problem;
pub use profile::{Arrivals, Profile};
pub use size::Sizes;
pub use topic::{Template, Zipf};
pub use values::{Setting, duration};

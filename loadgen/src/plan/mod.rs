//! Which clients a scenario has, where they live, and what each of them must hear.
//!
//! A **flow** is the messages of one publisher to one topic. [`Flows`] numbers them.
//! [`Expectations`](expectations::Expectations) says for each subscriber which flows match its
//! filters, found once at the start with a trie of all filters. A [`Plan`] is one process's share:
//! every process computes the same flows, so that what they count can be added up.

mod closed;
mod expectations;
mod filters;
mod flows;
mod seats;

pub use expectations::{CLASSES, Expected, UNJUDGED, class};
pub use flows::Flows;
pub use seats::{Plan, Seated, Share};

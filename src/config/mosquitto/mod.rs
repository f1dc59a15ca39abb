//! Mosquitto's configuration format.
//!
//! - [`text`] takes lines apart and knows the format when it sees it;
//! - [`names`] maps Mosquitto's spellings to the names of our table;
//! - [`foreign`] lists the options that have no place in it, each with its fate;
//! - [`parse()`] reads files, [`mod@include`] finds those of `include_dir`;
//! - [`page()`] writes the table of docs/mosquitto.md.

mod foreign;
mod include;
mod names;
mod page;
mod parse;
mod text;

pub(super) use foreign::is_foreign;
pub use page::{options, page};
pub(super) use parse::parse;
pub(super) use text::{first_line, is_toml};

//! The entry points: each takes bytes and panics when something is not as it must be. Shared with
//! the cargo-fuzz targets in `tests/fuzz/cargo-fuzz`.

pub mod config;
pub mod decoder;
pub mod machine;
pub mod matching;

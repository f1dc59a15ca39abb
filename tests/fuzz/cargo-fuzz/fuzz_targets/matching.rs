//! See `tests/fuzz/entry/matching.rs`.
#![no_main]

#[path = "../../entry/matching.rs"]
#[allow(dead_code)]
mod entry;

libfuzzer_sys::fuzz_target!(|data: &[u8]| entry::run(data));

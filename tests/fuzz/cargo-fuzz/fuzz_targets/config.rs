//! See `tests/fuzz/entry/config.rs`.
#![no_main]

#[path = "../../entry/config.rs"]
#[allow(dead_code)]
mod entry;

libfuzzer_sys::fuzz_target!(|data: &[u8]| entry::run(data));

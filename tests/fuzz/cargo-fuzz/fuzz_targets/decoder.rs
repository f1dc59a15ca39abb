//! See `tests/fuzz/entry/decoder.rs`.
#![no_main]

#[path = "../../entry/decoder.rs"]
#[allow(dead_code)]
mod entry;

libfuzzer_sys::fuzz_target!(|data: &[u8]| entry::run(data));

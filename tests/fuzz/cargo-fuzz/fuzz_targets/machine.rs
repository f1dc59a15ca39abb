//! See `tests/fuzz/entry/machine.rs`.
#![no_main]

#[path = "../../entry/machine.rs"]
#[allow(dead_code)]
mod entry;

libfuzzer_sys::fuzz_target!(|data: &[u8]| entry::run(data));

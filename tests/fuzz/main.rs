//! Fuzzing on the stable toolchain: inputs that grow out of a committed corpus by mutation, from a
//! seed that is printed, against the entry points that the cargo-fuzz targets use too.
//!
//! ```sh
//! cargo test --test fuzz                                    # a bounded number of inputs
//! POND_FUZZ_SECONDS=3600 cargo test --release --test fuzz -- --nocapture   # hours
//! POND_FUZZ_SEED=7 POND_FUZZ_INPUTS=100000 cargo test --test fuzz decoder
//! ```
//!
//! A failing input is made smaller and written below `target/fuzz/`; put it into the corpus of its
//! target, with a name that says what it shows, when the fault is mended.
#![cfg(feature = "broker")]

mod allocation;
mod entry;
mod runner;

use entry::{config, decoder, machine, matching};

/// What decoding may allocate: a table of a few entries, and never what a length declares.
fn decoder_allocates_by_what_is_there(data: &[u8]) {
    let bytes = allocation::bytes_allocated(|| decoder::decode_all(data));
    assert!(bytes <= 4096 + 16 * data.len(), "{bytes} bytes for an input of {}", data.len());
    decoder::run(data);
}

#[test]
fn the_decoder_takes_any_bytes() {
    runner::run("decoder", 60_000, 600, decoder_allocates_by_what_is_there);
}

#[test]
fn the_broker_takes_any_conversation() {
    runner::run("machine", 3_000, 3_000, machine::run);
}

#[test]
fn matching_is_what_the_letter_says() {
    runner::run("matching", 10_000, 800, matching::run);
}

#[test]
fn the_configuration_takes_any_text() {
    runner::run("config", 4_000, 1_500, config::run);
}

/// Work is counted, not timed: an input twice as long may take about twice the work.
#[test]
fn decoding_is_linear_in_the_size() {
    for make in [decoder::stuffed_publish, decoder::stuffed_connect, decoder::stuffed_subscribe] {
        let work = |count| {
            let bytes = make(count);
            let work = decoder::work_of(&bytes);
            assert!(work <= 8 * bytes.len() as u64, "{work} for {} bytes", bytes.len());
            work
        };
        let (small, large) = (work(1000), work(16_000));
        assert!(large <= small * 20, "16 times the size took {large}, from {small}");
    }
}

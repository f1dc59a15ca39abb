//! Interoperability: the real broker with client libraries and tools that other people wrote, each
//! in every protocol version it speaks.
//!
//! The libraries are moved by one small interface, so that a scenario is told once and holds for
//! each of them. What they need is installed by `tests/run`.
#![cfg(feature = "broker")]

mod clients;
mod lines;
#[path = "../transports/pki.rs"]
#[allow(dead_code)]
mod pki;
mod rumqtt;
mod scenarios;
mod script;
#[path = "../transports/site.rs"]
#[allow(dead_code)]
mod site;
mod stalled;
#[path = "../support/mod.rs"]
mod support;
mod tools;
mod transports;

/// A broker whose packets may be as large as the largest payload here.
fn broker(shards: u32) -> support::broker::Broker {
    let options = support::broker::Options::default().set("max_packet_size", 16 << 20);
    support::broker::Broker::start(shards, &options)
}

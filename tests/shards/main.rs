//! Several shards at once: what holds between clients that different threads of the broker serve.
//!
//! New connections are given to the shards in turn, so a handful of clients is spread over all of
//! them. Every scenario runs with one shard too, where it must hold all the same.
#![cfg(feature = "broker")]

#[path = "../support/mod.rs"]
mod support;

mod exactly_once;
mod order;
mod retained_race;
mod session_races;
mod storms;
mod takeover;
mod visibility;

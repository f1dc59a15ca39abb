//! Wire tests: the real broker, spoken to in bytes written by hand, in every protocol version it
//! applies to, with one shard and with four.
//!
//! One theme a file; a test's name says what the broker must do. Names that begin with a letter
//! and a number (`a1_`, `b14_`) guard against a class of faults known from other brokers.
#![cfg(feature = "broker")]

#[path = "../support/mod.rs"]
mod support;

mod access_identity;
mod access_login;
mod access_reload;
mod access_topics;
mod acknowledge_errors;
mod answer_size;
mod backpressure;
mod connect_accept;
mod connect_malformed;
mod connect_properties;
mod descriptors;
mod flow_control;
mod hostile_bytes;
mod hostile_pieces;
mod limits;
mod mount_point;
mod option_bounds;
mod packet_size;
mod publish_delivery;
mod publish_errors;
mod publish_properties;
mod retained;
mod server_options;
mod session_expiry;
mod session_resume;
mod session_takeover;
mod shutdown;
mod subscribe_basics;
mod subscribe_matching;
mod subscribe_options;
mod subscribe_shared;
mod sys_topics;
mod time_limits;
mod topic_alias;
mod will;

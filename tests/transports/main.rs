//! Transports from outside: TLS, WebSocket, Unix domain sockets and the PROXY protocol, with one
//! shard and with four.
//!
//! One theme a file; a test's name says what the broker must do. Names that begin with a letter
//! and a number (`a2_`, `c21_`) guard against a class of faults known from other brokers.
#![cfg(feature = "broker")]

#[path = "../support/mod.rs"]
mod support;

mod hostile;
mod http;
mod memory;
mod pki;
mod proxy;
mod reload;
mod site;
mod streams;
mod tls;
mod websocket;

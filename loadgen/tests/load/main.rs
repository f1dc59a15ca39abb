//! The built program against brokers.

mod mosquitto;
mod null_broker;
mod results;
mod support;

//! The built program against brokers.

mod compare;
mod live;
mod mosquitto;
mod null_broker;
mod results;
mod support;

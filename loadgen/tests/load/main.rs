//! The built program against brokers.

mod compare;
mod live;
mod mosquitto;
mod null_broker;
mod peers;
mod results;
mod support;

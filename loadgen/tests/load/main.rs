//! The built program against brokers.

mod compare;
mod course;
mod crew;
mod live;
mod mosquitto;
mod null_broker;
mod peers;
mod pondhawk;
mod results;
mod scenarios;
mod search;
mod secure;
mod support;

//! Decisions about who may connect. Pure: a method keeps its state as bytes that the connection
//! owns, so that a half-done exchange is plain data.

mod method;

pub use method::{Method, Methods, Request, Step};

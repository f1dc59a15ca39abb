//! One event on its way to the writer thread.

use std::fmt;
use std::time::SystemTime;

use serde_json::Value;
use tracing::field::{Field, Visit};

use crate::config::LogType;

/// An event, taken apart.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) at: SystemTime,
    pub(super) kind: LogType,
    pub(super) said: Said,
}

/// An event's message and fields.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) message: String,
    pub(super) fields: Vec<(&'static str, Value)>,
    /// What the line is one of many of.
    pub(super) like: Option<Box<str>>,
}

impl Said {
    /// A message without fields.
    pub(super) fn plain(message: String) -> Self {
        Self { message, ..Self::default() }
    }

    fn add(&mut self, field: &Field, value: Value) {
        self.fields.push((field.name(), value));
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            _ => self.add(field, format!("{value:?}").into()),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message = value.into(),
            "like" => self.like = Some(value.into()),
            _ => self.add(field, value.into()),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }
}

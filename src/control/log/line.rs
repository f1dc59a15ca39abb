//! One event as one line.

use std::fmt::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::kinds::kind;
use crate::config::{LogFormat, LogType};

/// Writes events as lines.
#[derive(Clone, Copy)]
pub(super) struct Line {
    pub(super) format: LogFormat,
    pub(super) timestamp: bool,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut said = Said::default();
        event.record(&mut said);
        let kind = kind(event.metadata()).unwrap_or(LogType::Information);
        match self.format {
            LogFormat::Mosquitto => self.plain(&mut out, kind, &said),
            LogFormat::Json => self.json(&mut out, kind, said),
        }
    }
}

impl Line {
    /// `1700000000: Warning: message name=value`
    fn plain(self, out: &mut impl Write, kind: LogType, said: &Said) -> fmt::Result {
        if self.timestamp {
            write!(out, "{}: ", epoch_s())?;
        }
        match kind {
            LogType::Error => out.write_str("Error: ")?,
            LogType::Warning => out.write_str("Warning: ")?,
            _ => {}
        }
        one_line(out, &said.message)?;
        for (name, value) in &said.fields {
            write!(out, " {name}=")?;
            match value {
                Value::String(text) => one_line(out, text)?,
                other => write!(out, "{other}")?,
            }
        }
        out.write_char('\n')
    }

    /// `{"time":1700000000,"type":"warning","message":"…","name":"value"}`
    fn json(self, out: &mut impl Write, kind: LogType, said: Said) -> fmt::Result {
        let mut object = Map::new();
        if self.timestamp {
            object.insert("time".into(), epoch_s().into());
        }
        object.insert("type".into(), kind.name().into());
        object.insert("message".into(), said.message.into());
        object.extend(said.fields);
        writeln!(out, "{}", Value::Object(object))
    }
}

/// Seconds since 1970.
fn epoch_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Writes text that clients may have chosen: a control character must not forge a line.
fn one_line(out: &mut impl Write, text: &str) -> fmt::Result {
    text.chars().try_for_each(|char| match char.is_control() {
        true => write!(out, "{}", char.escape_default()),
        false => out.write_char(char),
    })
}

/// An event's message and fields.
#[derive(Default)]
struct Said {
    message: String,
    fields: Vec<(String, Value)>,
}

impl Said {
    fn add(&mut self, field: &Field, value: Value) {
        self.fields.push((field.name().into(), value));
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

//! A record as one line of text.

use std::fmt::{self, Write};

use serde_json::{Map, Value};

use super::record::Record;
use super::stamp::{Stamp, epoch_s};
use crate::config::table::Logging;
use crate::config::{LogFormat, LogType};

/// How lines are written.
#[derive(Clone, Debug)]
pub(super) struct Style {
    format: LogFormat,
    stamp: Option<Stamp>,
}

impl Style {
    pub(super) fn new(options: &Logging) -> Self {
        let stamp = Stamp::new(options.log_timestamp_format.as_ref());
        Self { format: options.log_format, stamp: options.log_timestamp.then_some(stamp) }
    }

    /// The line, without its end.
    pub(super) fn line(&mut self, record: Record) -> String {
        let mut line = String::with_capacity(record.said.message.len() + 32);
        let written = match self.format {
            LogFormat::Mosquitto => self.plain(&mut line, &record),
            LogFormat::Json => self.json(&mut line, record),
        };
        // A String takes everything.
        debug_assert!(written.is_ok());
        line
    }

    /// `1700000000: Warning: message`
    fn plain(&mut self, out: &mut String, record: &Record) -> fmt::Result {
        if let Some(stamp) = &mut self.stamp {
            write!(out, "{}: ", stamp.text(record.at))?;
        }
        match record.kind {
            LogType::Error => out.write_str("Error: ")?,
            LogType::Warning => out.write_str("Warning: ")?,
            _ => {}
        }
        one_line(out, &record.said.message)
    }

    /// `{"time":1700000000,"type":"warning","message":"…","name":"value"}`
    fn json(&mut self, out: &mut String, record: Record) -> fmt::Result {
        let mut object = Map::new();
        match &mut self.stamp {
            None => {}
            Some(Stamp::Epoch) => drop(object.insert("time".into(), epoch_s(record.at).into())),
            Some(stamp) => drop(object.insert("time".into(), stamp.text(record.at).into())),
        }
        object.insert("type".into(), record.kind.name().into());
        object.insert("message".into(), record.said.message.into());
        object.extend(record.said.fields.into_iter().map(|(name, value)| (name.into(), value)));
        write!(out, "{}", Value::Object(object))
    }
}

/// Writes text that clients may have chosen: a control character must not forge a line. A tab is
/// none to fear, and Mosquitto's lines have them.
fn one_line(out: &mut impl Write, text: &str) -> fmt::Result {
    text.chars().try_for_each(|char| match char.is_control() && char != '\t' {
        true => write!(out, "{}", char.escape_default()),
        false => out.write_char(char),
    })
}

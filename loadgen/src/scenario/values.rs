//! Values as a file or the command line gives them, and what they mean.

use std::time::Duration;

use pondhawk::protocol::{QoS, Version};

/// A value before its option says what it means.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A string, and whatever `--set` gives.
    Text(String),
    /// An integer.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A list of strings.
    List(Vec<String>),
}

/// A `KEY=VALUE` of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// A parameter, `run.OPTION`, or `GROUP.OPTION`.
    pub key: String,
    /// The value as text.
    pub value: String,
}

impl std::str::FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                Ok(Self { key: key.trim().to_owned(), value: value.trim().to_owned() })
            }
            _ => Err("expected KEY=VALUE".to_owned()),
        }
    }
}

impl Setting {
    /// A setting from its parts.
    pub fn new(key: &str, value: impl ToString) -> Self {
        Self { key: key.to_owned(), value: value.to_string() }
    }
}

impl Value {
    /// The value as text; a list has none.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Integer(number) => Some(number.to_string()),
            Self::Float(number) => Some(number.to_string()),
            Self::Bool(truth) => Some(truth.to_string()),
            Self::List(_) => None,
        }
    }

    /// The value as JSON, for results.
    pub fn json(&self) -> serde_json::Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Integer(number) => (*number).into(),
            Self::Float(number) => (*number).into(),
            Self::Bool(truth) => (*truth).into(),
            Self::List(texts) => texts.clone().into(),
        }
    }
}

/// A time: `500ms`, `10s`, `5m`, `1h`, or plain seconds.
///
/// # Errors
/// If the text is none.
pub fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let units = [("ms", 1e-3), ("us", 1e-6), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let found = units.iter().find_map(|(unit, scale)| Some((text.strip_suffix(unit)?, *scale)));
    let (number, scale) = found.unwrap_or((text, 1.0));
    let value: f64 = number
        .trim()
        .parse()
        .map_err(|_| format!("'{text}' is no time; write 500ms, 10s, 5m or 1h"))?;
    Duration::try_from_secs_f64(value * scale).map_err(|error| format!("'{text}': {error}"))
}

/// A whole number, `_` and the endings k (thousand) and M (million) allowed.
///
/// # Errors
/// If the text is none.
pub fn count(text: &str) -> Result<u64, String> {
    let plain: String = text.trim().chars().filter(|c| *c != '_').collect();
    let scaled = [("k", 1_000), ("M", 1_000_000)];
    let found = scaled.iter().find_map(|(unit, scale)| Some((plain.strip_suffix(unit)?, *scale)));
    let (number, scale) = found.unwrap_or((&plain, 1));
    let whole = number.parse::<u64>().ok().and_then(|number| number.checked_mul(scale));
    // A fraction is of use before an ending only: 1.5k.
    let scaled =
        || number.parse::<f64>().ok().map(|n| n * scale as f64).filter(|n| n.fract() == 0.0);
    whole
        .or_else(|| scaled().filter(|n| *n >= 0.0 && *n < 1e18).map(|n| n as u64))
        .ok_or_else(|| format!("'{text}' is no whole number"))
}

/// A number that is not negative.
///
/// # Errors
/// If the text is none.
pub fn number(text: &str) -> Result<f64, String> {
    if let Ok(whole) = count(text) {
        return Ok(whole as f64);
    }
    let value: Option<f64> = text.trim().parse().ok();
    value
        .filter(|value| value.is_finite() && *value >= 0.0)
        .ok_or_else(|| format!("'{text}' is no number of 0 or more"))
}

/// `true` or `false`.
///
/// # Errors
/// If the text is neither.
pub fn truth(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("'{text}' is neither true nor false"))
}

/// A QoS.
///
/// # Errors
/// If the text is none.
pub fn qos(text: &str) -> Result<QoS, String> {
    let level = text.parse().ok().and_then(QoS::from_u8);
    level.ok_or_else(|| format!("'{text}' is no QoS; write 0, 1 or 2"))
}

/// A protocol version by name or level.
///
/// # Errors
/// If the text is none.
pub fn version(text: &str) -> Result<Version, String> {
    match text {
        "3" | "3.1" => Ok(Version::V31),
        "4" | "3.1.1" => Ok(Version::V311),
        "5" | "5.0" => Ok(Version::V5),
        _ => Err(format!("'{text}' is no MQTT version; write 3.1, 3.1.1 or 5.0")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert!(duration("soon").unwrap_err().contains("10s"));
        assert!(duration("-1s").is_err());
    }

    #[test]
    fn counts_have_endings() {
        assert_eq!(count("1_000"), Ok(1000));
        assert_eq!(count("50k"), Ok(50_000));
        assert_eq!(count("1.5k"), Ok(1500));
        assert_eq!(count("1M"), Ok(1_000_000));
        assert!(count("-1").is_err());
        assert!(count("2.5").is_err());
    }

    #[test]
    fn a_setting_has_a_key() {
        assert_eq!("a=b=c".parse(), Ok(Setting::new("a", "b=c")));
        assert!("=b".parse::<Setting>().is_err());
        assert!("b".parse::<Setting>().is_err());
    }
}

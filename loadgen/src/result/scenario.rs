//! What was run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The load, as far as it is the same for every broker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// Its name; for a scenario file, the name that the file gives.
    pub name: String,
    /// Where it comes from.
    pub source: Source,
    /// The scenario file as it was run; none for a short form.
    pub text: Option<String>,
    /// Whether the load waits for the broker.
    #[serde(rename = "loop")]
    pub pacing: Loop,
    /// Every parameter with the value it had, defaults included. Units are in the names.
    pub parameters: BTreeMap<String, Value>,
}

impl Scenario {
    /// The parameters that have a value, as text.
    pub fn given(&self) -> Vec<(String, String)> {
        let given = self.parameters.iter().filter(|(_, value)| !value.is_null());
        given.map(|(name, value)| (name.clone(), plain(value))).collect()
    }
}

/// A value as text, without quotes.
pub fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Where a scenario comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The options of a short form, such as `loadgen p2p`.
    CommandLine,
    /// A built-in scenario.
    BuiltIn,
    /// A scenario file.
    File,
}

/// Whether the load waits for the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loop {
    /// Each publication has an intended time that does not depend on the broker; latency counts
    /// from there, so that a broker that stalls shows it.
    Open,
    /// A publisher waits for the broker. A stall stops the load, too, and is hardly seen in the
    /// latencies.
    Closed,
    /// Nothing is published.
    Silent,
}

impl Loop {
    /// For people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Open => "open loop: latency from the intended time",
            Self::Closed => "closed loop: latencies hide what a slow broker held back",
            Self::Silent => "nothing published",
        }
    }
}

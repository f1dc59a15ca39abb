//! The scenarios that the program brings along.

use std::fs;

use crate::failure::Failure;

use super::model::Scenario;
use super::problem::{Problem, nearest};
use super::values::Setting;

/// A scenario of the program.
#[derive(Clone, Copy, Debug)]
pub struct Builtin {
    /// Its name.
    pub name: &'static str,
    /// The file's text.
    pub text: &'static str,
}

macro_rules! builtin {
    ($($name:literal),* $(,)?) => {
        /// All of them: the files of `loadgen/scenarios`.
        pub const BUILTIN: &[Builtin] = &[$(Builtin {
            name: $name,
            text: include_str!(concat!("../../scenarios/", $name, ".toml")),
        }),*];
    };
}

builtin!(
    "conn",
    "p2p",
    "fanin",
    "fanout",
    "shared",
    "storm",
    "idle",
    "retained",
    "takeover",
    "bifromq-fanout-100k",
    "bifromq-fanout-small",
    "bifromq-p2p-100k",
    "bifromq-p2p-2k",
    "bifromq-p2p-small",
    "churn",
    "emqx-100m-shape",
    "emqx-100m-shape-small",
    "emqx-2m",
    "emqx-2m-small",
    "emqx-reference-fanin",
    "emqx-reference-fanin-small",
    "emqx-reference-fanout",
    "emqx-reference-fanout-small",
    "emqx-reference-p2p",
    "emqx-reference-p2p-small",
    "flashmq-chart",
    "flashmq-chart-small",
    "million-messages",
    "million-messages-small",
    "mqttbs-conn-tcp-10k-100",
    "mqttbs-conn-tcp-1m-5k",
    "mqttbs-conn-tcp-small",
    "mqttbs-fanout-1-1k-1-1k",
    "mqttbs-fanout-1-small",
    "mqttbs-fanout-5-1000-5-250k",
    "mqttbs-fanout-5-small",
    "mqttbs-p2p-1k-1k-1k-1k",
    "mqttbs-p2p-50k-50k-50k-50k",
    "mqttbs-p2p-5k",
    "mqttbs-p2p-small",
    "mqttbs-sharedsub-1k-5-1k-1k",
    "mqttbs-sharedsub-50k-500-50k-50k",
    "mqttbs-sharedsub-5k-50",
    "mqttbs-sharedsub-small",
    "nanomq-broadcast",
    "nanomq-broadcast-small",
    "ramp",
    "reconnect-storm",
    "reconnect-storm-small",
    "slow-consumer",
    "tbmq-3m",
    "tbmq-3m-small",
    "tbmq-p2p",
    "tbmq-p2p-small",
);

/// Reads a scenario: a built-in one by its name, otherwise a file.
///
/// # Errors
/// If there is no such scenario, or it has problems; all of them are named.
pub fn load(name: &str, settings: &[Setting]) -> Result<Scenario, Failure> {
    let builtin = BUILTIN.iter().find(|builtin| builtin.name == name);
    let read = match builtin {
        Some(builtin) => Scenario::read(name, builtin.text, settings),
        None => {
            let text = fs::read_to_string(name).map_err(|error| missing(name, &error))?;
            Scenario::read(name, &text, settings)
        }
    };
    read.map_err(|problems| listed(&problems))
}

fn missing(name: &str, error: &std::io::Error) -> Failure {
    let known = nearest(name, BUILTIN.iter().map(|builtin| builtin.name));
    let hint = known.map_or_else(
        || "`loadgen scenarios` lists the built-in ones".to_owned(),
        |near| format!("did you mean the built-in '{near}'?"),
    );
    Failure::of(&format!("scenario '{name}'"), format!("{error}; {hint}"))
}

/// All problems, a line each.
fn listed(problems: &[Problem]) -> Failure {
    let lines: Vec<_> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_built_in_and_right() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
        let mut files: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        files.sort();
        let mut names: Vec<_> = BUILTIN.iter().map(|builtin| builtin.name).collect();
        names.sort_unstable();
        assert_eq!(names, files, "builtin! lists the files of {folder}");
        for builtin in BUILTIN {
            let scenario =
                Scenario::read(builtin.name, builtin.text, &[]).unwrap_or_else(|found| {
                    panic!(
                        "{}",
                        found.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
                    )
                });
            assert!(!scenario.about.is_empty(), "{} says what it measures", builtin.name);
        }
    }

    #[test]
    fn every_case_that_publishes_takes_a_batch() {
        for builtin in BUILTIN.iter().filter(|builtin| builtin.name != "retained") {
            let plain = Scenario::read(builtin.name, builtin.text, &[]).unwrap();
            if plain.groups.iter().all(|group| group.publish.is_none()) {
                continue;
            }
            let settings = [Setting::new("batch", 8)];
            let scenario = Scenario::read(builtin.name, builtin.text, &settings).unwrap();
            let publishes = scenario.groups.iter().filter(|group| group.publish.is_some());
            assert!(publishes.into_iter().all(|group| group.batch == 8), "{}", builtin.name);
        }
    }

    #[test]
    fn a_misspelt_name_is_hinted_at() {
        let error = load("p2q", &[]).unwrap_err().to_string();
        assert!(error.contains("did you mean the built-in 'p2p'?"), "{error}");
    }
}

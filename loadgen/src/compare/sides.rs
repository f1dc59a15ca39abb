//! The sides of a comparison: result files, grouped by case.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::failure::Failure;
use crate::result::{RunResult, read_all};

/// The label that tells cases with the same scenario name apart.
const CASE: &str = "case";

/// Where the runs of one side are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// As given; the name in the report.
    pub name: String,
    paths: Vec<PathBuf>,
}

impl FromStr for Side {
    type Err = String;

    /// Files and folders, joined by commas.
    fn from_str(text: &str) -> Result<Self, String> {
        let paths: Vec<_> = text.split(',').filter(|part| !part.is_empty()).collect();
        match paths.is_empty() {
            true => Err("expected a result file or a folder of them".to_owned()),
            false => Ok(Self {
                name: text.to_owned(),
                paths: paths.into_iter().map(PathBuf::from).collect(),
            }),
        }
    }
}

impl Side {
    /// Reads the runs, by case: the label `case`, or else the scenario's name.
    ///
    /// # Errors
    /// If a file cannot be read, or a folder has none.
    pub fn read(&self) -> Result<BTreeMap<String, Vec<RunResult>>, Failure> {
        let mut files = Vec::new();
        for path in &self.paths {
            match path.is_dir() {
                true => files.extend(results_in(path)?),
                false => files.push(path.clone()),
            }
        }
        let mut cases = BTreeMap::<_, Vec<_>>::new();
        for result in read_all(&files)? {
            let case = result.labels.get(CASE).unwrap_or(&result.scenario.name).clone();
            cases.entry(case).or_default().push(result);
        }
        Ok(cases)
    }
}

/// The result files of a folder, by name.
fn results_in(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let of = |error| Failure::of(&folder.display().to_string(), error);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(of)? {
        let path = entry.map_err(of)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    match files.is_empty() {
        true => Err(Failure::of(&folder.display().to_string(), "has no result file (*.json)")),
        false => Ok(files),
    }
}

//! Options of one table, taken with what they must be.

use std::collections::BTreeMap;

use super::options::Section;
use super::problem::Problem;
use super::values::Value;

/// A value with its line; what `--set` brought has none.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The value.
    pub value: Value,
    /// Line in the file, from 1.
    pub line: Option<usize>,
}

/// The options of one table, known to exist.
#[derive(Clone, Debug)]
pub struct Fields {
    file: String,
    /// Which table.
    pub section: Section,
    /// What it is called in messages.
    pub label: String,
    /// Where it begins.
    pub line: Option<usize>,
    /// Its options.
    pub entries: BTreeMap<&'static str, Entry>,
}

impl Fields {
    /// An empty table.
    pub fn new(file: &str, section: Section, label: String, line: Option<usize>) -> Self {
        Self { file: file.to_owned(), section, label, line, entries: BTreeMap::new() }
    }

    /// The name of a group, as its label has it.
    pub fn name(&self) -> String {
        self.label.trim_start_matches("group '").trim_end_matches('\'').to_owned()
    }

    /// Whether the option was given.
    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// What `read` makes of the option's text; `None` if it was not given, or is wrong, which goes
    /// to `problems`.
    pub fn take<T>(
        &self,
        key: &'static str,
        problems: &mut Vec<Problem>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let entry = self.entries.get(key)?;
        let text = entry.value.text().ok_or_else(|| "is a list; write one value".to_owned());
        match text.and_then(|text| read(&text)) {
            Ok(value) => Some(value),
            Err(why) => {
                problems.push(self.problem(key, &why));
                None
            }
        }
    }

    /// As [`Fields::take`], for one text or a list of them.
    pub fn take_all<T>(
        &self,
        key: &'static str,
        problems: &mut Vec<Problem>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let texts = match self.entries.get(key).map(|entry| &entry.value) {
            None => return Vec::new(),
            Some(Value::List(texts)) => texts.clone(),
            Some(value) => value.text().into_iter().collect(),
        };
        let mut taken = Vec::new();
        for text in texts.iter().filter(|text| !text.is_empty()) {
            match read(text) {
                Ok(value) => taken.push(value),
                Err(why) => problems.push(self.problem(key, &why)),
            }
        }
        taken
    }

    /// A problem with one option. `why` says what is wrong and, behind a semicolon, the mend.
    pub fn problem(&self, key: &str, why: &str) -> Problem {
        let (what, mend) = why.split_once("; ").unwrap_or((why, "see docs/scenarios.md"));
        let line = self.entries.get(key).map_or(self.line, |entry| entry.line);
        Problem {
            file: self.file.clone(),
            line,
            option: format!("{}: {key}", self.label),
            what: what.to_owned(),
            mend: mend.to_owned(),
        }
    }
}

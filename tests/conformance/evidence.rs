//! What the tests say of themselves: read from their doc comments and names.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;

/// The specifications with numbered statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    V5,
    V311,
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Version::V5 => "5.0",
            Version::V311 => "3.1.1",
        })
    }
}

/// Statement number → names of the tests that show it.
pub type Shown = BTreeMap<String, Vec<String>>;

/// Everything the tests say.
#[derive(Default)]
pub struct Evidence {
    v5: Shown,
    v311: Shown,
    /// Names of all tests.
    tests: Vec<String>,
    /// Doc comments that begin with "Shows" and do not go on as they should.
    pub mistakes: Vec<String>,
}

/// One test as it stands in a file.
struct Found<'a> {
    name: &'a str,
    doc: Vec<&'a str>,
}

impl Evidence {
    /// Reads every test below `tests/` and `src/`.
    pub fn collect(root: &Path) -> Evidence {
        let mut evidence = Evidence::default();
        let mut files = Vec::new();
        list(&root.join("src"), &mut files);
        list(&root.join("tests"), &mut files);
        files.sort();
        for file in files {
            let text = fs::read_to_string(root.join(&file)).expect("a source file");
            let within = file.strip_prefix(root).expect("below the root").to_string_lossy();
            evidence.read(&target(&within), &text);
        }
        evidence
    }

    fn read(&mut self, target: &str, text: &str) {
        for found in tests(text) {
            let name = format!("{target}::{}", found.name);
            if let Err(mistake) = self.note(&name, &found.doc) {
                self.mistakes.push(format!("{name}: {mistake}"));
            }
            self.tests.push(name);
        }
    }

    fn note(&mut self, name: &str, doc: &[&str]) -> Result<(), String> {
        let Some(start) = doc.iter().position(|line| line.starts_with("Shows ")) else {
            return match doc.iter().find(|line| line.contains("Shows")) {
                Some(line) => Err(format!("{line:?}: \"Shows\" begins a paragraph of its own")),
                None => Ok(()),
            };
        };
        let paragraph = doc[start..].iter().take_while(|line| !line.is_empty());
        let mut version = None;
        for word in paragraph.flat_map(|line| line.split_whitespace()).skip(1) {
            match word {
                "5.0" => version = Some(Version::V5),
                "3.1.1" => version = Some(Version::V311),
                _ => {
                    let number = word
                        .trim_end_matches([',', ';', '.'])
                        .strip_prefix("[MQTT-")
                        .and_then(|rest| rest.strip_suffix(']'))
                        .ok_or_else(|| format!("{word:?} is no statement"))?;
                    let shown = match version {
                        Some(Version::V5) => &mut self.v5,
                        Some(Version::V311) => &mut self.v311,
                        None => return Err(format!("{word}: of 5.0 or of 3.1.1?")),
                    };
                    shown.entry(number.into()).or_default().push(name.into());
                }
            }
        }
        Ok(())
    }

    /// What is shown of one specification.
    pub fn of(&self, version: Version) -> &Shown {
        match version {
            Version::V5 => &self.v5,
            Version::V311 => &self.v311,
        }
    }

    /// The tests named after a fault.
    pub fn guards(&self, id: &str) -> Vec<&str> {
        let prefix = format!("{}_", id.to_lowercase());
        let has = |name: &&String| name.rsplit("::").next().unwrap().starts_with(&prefix);
        self.tests.iter().filter(has).map(String::as_str).collect()
    }

    /// The numbers of faults that tests are named after.
    pub fn guarded(&self) -> BTreeSet<String> {
        let id = |name: &String| {
            let (id, _) = name.rsplit("::").next()?.split_once('_')?;
            let digits = id.strip_prefix(['a', 'b', 'c'])?;
            (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
                .then(|| id.to_uppercase())
        };
        self.tests.iter().filter_map(id).collect()
    }
}

fn list(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if path.is_dir() && !hidden && entry.file_name() != "conformance" {
            list(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// What the tests of a file are called in front of their names.
fn target(path: &str) -> String {
    let path = path.strip_suffix(".rs").unwrap_or(path).replace('/', "::");
    match path.strip_prefix("tests::") {
        Some(inner) => inner.trim_end_matches("::main").into(),
        None => path.replacen("src", "lib", 1),
    }
}

fn tests(text: &str) -> Vec<Found<'_>> {
    let (mut all, mut doc, mut is_test) = (Vec::new(), Vec::new(), false);
    for line in text.lines().map(str::trim_start) {
        if let Some(comment) = line.strip_prefix("///") {
            doc.push(comment.trim());
        } else if line == "#[test]" {
            is_test = true;
        } else if !line.starts_with("#[") {
            if let (true, Some(rest)) = (is_test, line.strip_prefix("fn ")) {
                let name = rest.split(['(', '<']).next().unwrap_or(rest);
                all.push(Found { name, doc: std::mem::take(&mut doc) });
            }
            doc.clear();
            is_test = false;
        }
    }
    all
}

#[test]
fn a_doc_comment_is_read() {
    let text = "/// Goal: x.\n///\n/// Shows 5.0 [MQTT-1.2.3-4],\n/// [MQTT-2.2.2-2]; 3.1.1 \
                [MQTT-9.9.9-9].\n#[test]\nfn b7_name() {\n/// Shows 5.0 nothing\n#[test]\nfn w() {";
    let mut evidence = Evidence::default();
    evidence.read("wire::x", text);
    assert_eq!(evidence.v5.keys().collect::<Vec<_>>(), ["1.2.3-4", "2.2.2-2"]);
    assert_eq!(evidence.v311["9.9.9-9"], ["wire::x::b7_name"]);
    assert_eq!(evidence.mistakes, ["wire::x::w: \"nothing\" is no statement"]);
    assert_eq!(evidence.guards("B7"), ["wire::x::b7_name"]);
    assert_eq!(evidence.guarded().into_iter().collect::<Vec<_>>(), ["B7"]);
}

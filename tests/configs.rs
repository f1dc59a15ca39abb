//! Files in Mosquitto's format, each with what it has to mean.
//!
//! Beside each `tests/configs/*.conf` stands a `.toml` with its warnings, as comments, and the
//! configuration that it makes, or a `.txt` with what is wrong with it. `POND_WRITE_EXPECTED=1`
//! writes them anew; read the difference before you keep it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pondhawk::config::{Config, Extent, Source, mosquitto_options};
use proptest::prelude::*;

/// Where they are.
const DIRECTORY: &str = "tests/configs";

fn files() -> Vec<PathBuf> {
    let entries = fs::read_dir(DIRECTORY).expect("the corpus is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let mut files: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|e| e == "conf")).collect();
    files.sort();
    files
}

fn load(path: &Path) -> Result<(Config, Vec<String>), String> {
    let source = Source { file: Some(path.into()), ..Source::default() };
    let loaded = source.load().map_err(|mistakes| mistakes.to_string())?;
    Ok((loaded.config, loaded.warnings))
}

/// What the file beside a configuration has to say, and its ending.
fn meaning(path: &Path) -> (&'static str, String) {
    match load(path) {
        Ok((config, warnings)) => {
            let warnings = warnings.iter().map(|warning| format!("# {warning}\n"));
            ("toml", warnings.collect::<String>() + &config.to_toml(Extent::Changed))
        }
        Err(mistakes) => ("txt", mistakes + "\n"),
    }
}

#[test]
fn every_file_means_what_stands_beside_it() {
    let files = files();
    assert!(files.len() >= 60, "only {} files", files.len());
    let write = std::env::var_os("POND_WRITE_EXPECTED").is_some();
    let mut wrong = Vec::new();
    for path in files {
        let (ending, meaning) = meaning(&path);
        let beside = path.with_extension(ending);
        if write {
            fs::write(&beside, &meaning).expect("write what was meant");
        }
        let other = path.with_extension(if ending == "toml" { "txt" } else { "toml" });
        let expected = fs::read_to_string(&beside).unwrap_or_default();
        if expected != meaning || other.exists() {
            wrong.push(format!("{}: expected\n{expected}\nbut got\n{meaning}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `pondhawk config convert` writes what is in the file, no more and no less.
#[test]
fn what_is_converted_to_toml_is_the_same_configuration() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let toml = directory.path().join("converted.toml");
    for path in files() {
        let Ok((config, _)) = load(&path) else { continue };
        for extent in [Extent::Changed, Extent::All] {
            fs::write(&toml, config.to_toml(extent)).expect("write the conversion");
            let converted = load(&toml).unwrap_or_else(|said| panic!("{}: {said}", path.display()));
            assert_eq!(converted.0, config, "{}", path.display());
        }
    }
}

#[test]
fn every_option_of_mosquitto_stands_in_one_of_the_files() {
    let words: BTreeSet<String> = files()
        .iter()
        .flat_map(|path| {
            let text = fs::read_to_string(path).expect("it is text");
            text.lines()
                .filter_map(|l| Some(l.split_whitespace().next()?.into()))
                .collect::<Vec<_>>()
        })
        .collect();
    let named = |name: &str| match name.strip_suffix('*') {
        Some(beginning) => words.iter().any(|word| word.starts_with(beginning)),
        None => words.contains(name),
    };
    let missing: Vec<_> =
        mosquitto_options().into_iter().map(|(name, _)| name).filter(|name| !named(name)).collect();
    assert_eq!(missing, [""; 0], "these stand in none of the files");
}

/// Lines as they are in the files, cut, doubled, joined and strewn with anything.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let lines: Vec<Vec<u8>> = files()
        .iter()
        .flat_map(|path| {
            let bytes = fs::read(path).expect("it can be read");
            bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>()
        })
        // An include would read the machine's own files.
        .filter(|line| !line.windows(11).any(|part| part == b"include_dir"))
        .collect();
    let line = prop_oneof![
        8 => proptest::sample::select(lines),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
    ];
    let noise = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (proptest::collection::vec(line, 0..12), noise).prop_map(|(lines, noise)| {
        let mut bytes = lines.join(&b'\n');
        for (at, byte) in noise {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Whatever stands in a file, it is read or refused, in either format; and what is read can be
    /// written.
    #[test]
    fn no_text_is_too_much(bytes in mutated(), toml in any::<bool>()) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let name = if toml { "mutated.toml" } else { "mutated.conf" };
        let path = directory.path().join(name);
        fs::write(&path, &bytes).expect("write the mutation");
        match load(&path) {
            Ok((config, _)) => {
                let written = directory.path().join("written.toml");
                fs::write(&written, config.to_toml(Extent::Changed)).expect("write it");
                prop_assert_eq!(load(&written).map(|read| read.0), Ok(config));
            }
            Err(said) => prop_assert!(said.contains(name), "{}", said),
        }
    }
}

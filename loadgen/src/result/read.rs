//! Reading result files: what is wrong with one is said with its name, the field and the mend.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::failure::Failure;

use super::run::{FORMAT, RunResult, SCHEMA};

/// Reads a result file.
///
/// # Errors
/// If it cannot be read, is no result, one of another version, or damaged.
pub fn read(path: &Path) -> Result<RunResult, Failure> {
    let text = fs::read_to_string(path);
    let name = path.display().to_string();
    let text = text.map_err(|error| Failure::of(&name, error))?;
    parse(&text).map_err(|error| Failure::of(&name, error))
}

/// Reads several result files.
///
/// # Errors
/// As [`read`], for the first that cannot be read.
pub fn read_all(paths: &[PathBuf]) -> Result<Vec<RunResult>, Failure> {
    paths.iter().map(|path| read(path)).collect()
}

/// Reads a result's text.
///
/// # Errors
/// As [`read`].
pub fn parse(text: &str) -> Result<RunResult, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| {
        format!("no JSON ({error}): a result is the file that --out names, whole")
    })?;
    check_version(&value)?;
    serde_path_to_error::deserialize(value).map_err(|error| {
        let (field, what) = (error.path().to_string(), error.inner().to_string());
        format!("field {field}: {what}; the file was damaged or edited, record it again")
    })
}

fn check_version(value: &Value) -> Result<(), String> {
    let format = value.get("format").and_then(Value::as_str);
    if format == Some(FORMAT) {
        let schema = value.get("schema").and_then(Value::as_u64);
        return match schema {
            Some(schema) if schema == u64::from(SCHEMA) => Ok(()),
            Some(schema) if schema > u64::from(SCHEMA) => Err(format!(
                "field schema: version {schema}, and this loadgen reads version {SCHEMA}: read it \
                 with the loadgen that wrote it, or a later one"
            )),
            Some(schema) => Err(format!(
                "field schema: version {schema} is no longer read (this is {SCHEMA}): record it \
                 again"
            )),
            None => Err("field schema: missing or no number; record the result again".to_owned()),
        };
    }
    // The first form of the generator named its layouts so.
    let old = value.get("schema").and_then(Value::as_str);
    match (format, old) {
        (Some(other), _) => {
            Err(format!("field format: '{other}'; a result of a run has '{FORMAT}'"))
        }
        (None, Some(old)) if old.starts_with("loadgen-") => Err(format!(
            "field schema: '{old}' is no result of a run, or one from before version 1, which has \
             no histograms: record it again with --out"
        )),
        (None, _) => Err(format!(
            "field format: missing, so this is no result of loadgen; it would be '{FORMAT}'"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::sample;

    fn refusal(change: impl FnOnce(&mut Value)) -> String {
        let mut value = serde_json::from_str(&sample::full().to_json()).unwrap();
        change(&mut value);
        parse(&value.to_string()).unwrap_err()
    }

    #[test]
    fn a_result_is_read_as_it_was_written() {
        let result = sample::full();
        assert_eq!(parse(&result.to_json()).unwrap(), result);
    }

    #[test]
    fn fields_of_a_later_addition_are_passed_over() {
        let mut value: Value = serde_json::from_str(&sample::full().to_json()).unwrap();
        value["counts"]["new"] = 1.into();
        value["latency"]["new"] = serde_json::json!({"histogram": "?"});
        assert_eq!(parse(&value.to_string()).unwrap(), sample::full());
    }

    #[test]
    fn a_damaged_field_is_named() {
        let error = refusal(|value| value["counts"]["sent"] = "many".into());
        assert!(error.contains("field counts.sent: invalid type"), "{error}");
        let error = refusal(|value| value["series"][1]["at_s"] = Value::Null);
        assert!(error.contains("field series[1].at_s"), "{error}");
        let error = refusal(|value| value["latency"]["puback"]["histogram"] = "?".into());
        assert!(error.contains("field latency: puback.histogram: no base64"), "{error}");
        let error = refusal(|value| drop(value.as_object_mut().unwrap().remove("scenario")));
        assert!(error.contains("missing field `scenario`"), "{error}");
    }

    #[test]
    fn another_version_says_what_to_do() {
        let error = refusal(|value| value["schema"] = 2.into());
        assert!(error.contains("version 2") && error.contains("later one"), "{error}");
        let error = refusal(|value| value["schema"] = 0.into());
        assert!(error.contains("record it again"), "{error}");
    }

    #[test]
    fn other_files_are_told_apart() {
        for (text, said) in [
            ("", "no JSON"),
            ("{\"format\": \"loadgen-res", "no JSON"),
            ("{}", "no result of loadgen"),
            ("[1]", "no result of loadgen"),
            ("{\"schema\":\"loadgen-run/1\"}", "from before version 1"),
            ("{\"format\":\"wrk\",\"schema\":1}", "'wrk'"),
            ("{\"format\":\"loadgen-result\"}", "field schema"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}

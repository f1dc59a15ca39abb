//! A scenario file with its lines, parameters put in and settings applied.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::expect::{Entry, Fields};
use super::options::{self, Section};
use super::problem::{Problem, suggest};
use super::values::{Setting, Value};

/// The version of the schema that this program reads.
const SCHEMA: i64 = 1;

/// A file before its options say what they mean.
#[derive(Debug)]
pub struct Document {
    /// What stands before any table.
    pub top: Fields,
    /// `[run]`.
    pub run: Fields,
    /// The groups in the file's order.
    pub groups: Vec<Fields>,
    /// Parameters with the values that hold.
    pub params: BTreeMap<String, Value>,
}

/// Reads with the file's name and lines at hand.
struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    params: BTreeMap<String, Value>,
    problems: Vec<Problem>,
}

impl Document {
    /// Reads `text`, the content of `file`, and applies `settings`.
    ///
    /// # Errors
    /// All problems found.
    pub fn read(file: &str, text: &str, settings: &[Setting]) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader { file, text, params: BTreeMap::new(), problems: Vec::new() };
        let table = match DeTable::parse(text) {
            Ok(table) => table.into_inner(),
            Err(error) => return Err(vec![reader.syntax(&error)]),
        };
        reader.read_params(&table, settings);
        let mut document = reader.read_tables(&table);
        document.apply(settings, &mut reader);
        document.check_schema(&mut reader);
        document.params = reader.params;
        if reader.problems.is_empty() { Ok(document) } else { Err(reader.problems) }
    }

    fn apply(&mut self, settings: &[Setting], reader: &mut Reader<'_>) {
        for setting in settings {
            let Some((table, key)) = setting.key.split_once('.') else { continue };
            let (section, fields) = match table {
                "run" => (Section::Run, Some(&mut self.run)),
                name => {
                    let named = |fields: &&mut Fields| fields.label == format!("group '{name}'");
                    (Section::Group, self.groups.iter_mut().find(named))
                }
            };
            let Some(fields) = fields else {
                let names: Vec<_> = self.groups.iter().map(Fields::name).collect();
                let tables = std::iter::once("run").chain(names.iter().map(String::as_str));
                reader.setting_problem(setting, "no such table", suggest(table, tables));
                continue;
            };
            match options::find(section, key) {
                Some(spec) => {
                    let value = Value::Text(setting.value.clone());
                    fields.entries.insert(spec.key, Entry { value, line: None });
                }
                None => {
                    let mend = suggest(key, options::keys(section));
                    reader.setting_problem(setting, "no such option", mend);
                }
            }
        }
    }

    fn check_schema(&self, reader: &mut Reader<'_>) {
        let found = self.top.entries.get("schema");
        let mend = format!("write schema = {SCHEMA} on the first line");
        match found.map(|entry| (&entry.value, entry.line)) {
            Some((Value::Integer(SCHEMA), _)) => {}
            Some((value, line)) => {
                let written = value.text().unwrap_or_default();
                reader.problem(line, "schema", format!("version {written} is unknown"), mend);
            }
            None => reader.problem(None, "schema", "missing".to_owned(), mend),
        }
    }
}

impl Reader<'_> {
    fn syntax(&self, error: &toml::de::Error) -> Problem {
        Problem {
            file: self.file.to_owned(),
            line: error.span().map(|span| self.line(span.start)),
            option: "TOML".to_owned(),
            what: error.message().to_owned(),
            mend: "correct the line".to_owned(),
        }
    }

    fn line(&self, at: usize) -> usize {
        self.text.as_bytes()[..at.min(self.text.len())].iter().filter(|&&b| b == b'\n').count() + 1
    }

    fn problem(&mut self, line: Option<usize>, option: &str, what: String, mend: String) {
        let (file, option) = (self.file.to_owned(), option.to_owned());
        self.problems.push(Problem { file, line, option, what, mend });
    }

    fn setting_problem(&mut self, setting: &Setting, what: &str, mend: String) {
        self.problem(None, &format!("--set {}", setting.key), what.to_owned(), mend);
    }

    /// Parameters come first, since all else may name them.
    fn read_params(&mut self, table: &DeTable<'_>, settings: &[Setting]) {
        let params = table.get("params").map(|value| (self.line(value.span().start), value));
        if let Some((line, value)) = params {
            match value.get_ref() {
                DeValue::Table(entries) => {
                    for (key, value) in entries {
                        if let Some(plain) = self.plain(key.get_ref(), value) {
                            self.params.insert(key.get_ref().to_string(), plain);
                        }
                    }
                }
                _ => self.problem(
                    Some(line),
                    "params",
                    "is no table".to_owned(),
                    "write [params] on a line of its own".to_owned(),
                ),
            }
        }
        for setting in settings.iter().filter(|setting| !setting.key.contains('.')) {
            if let Some(value) = self.params.get_mut(&setting.key) {
                *value = Value::Text(setting.value.clone());
                continue;
            }
            let names: Vec<_> = self.params.keys().cloned().collect();
            let mend = match names.is_empty() {
                true => {
                    "this scenario has no parameters; name an option as GROUP.option".to_owned()
                }
                false => suggest(&setting.key, names.iter().map(String::as_str)),
            };
            self.setting_problem(setting, "no such parameter", mend);
        }
    }

    fn read_tables(&mut self, table: &DeTable<'_>) -> Document {
        let mut document = Document {
            top: Fields::new(self.file, Section::Top, "file".to_owned(), None),
            run: Fields::new(self.file, Section::Run, "[run]".to_owned(), None),
            groups: Vec::new(),
            params: BTreeMap::new(),
        };
        for (key, value) in table {
            let line = self.line(key.span().start);
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("params", _) => {}
                ("run", DeValue::Table(entries)) => {
                    document.run.line = Some(line);
                    self.read_fields(entries, &mut document.run);
                }
                ("group", DeValue::Array(groups)) => {
                    for group in groups.iter() {
                        document.groups.extend(self.read_group(group));
                    }
                }
                ("run" | "group", _) => {
                    let mend = "write [run] once and [[group]] for each group".to_owned();
                    self.problem(Some(line), key.get_ref(), "is no such table".to_owned(), mend);
                }
                (name, _) => self.read_field(name, line, value, &mut document.top),
            }
        }
        document
    }

    fn read_group(&mut self, group: &Spanned<DeValue<'_>>) -> Option<Fields> {
        let line = self.line(group.span().start);
        let DeValue::Table(entries) = group.get_ref() else {
            let mend = "write [[group]] on a line of its own".to_owned();
            self.problem(Some(line), "group", "is no table".to_owned(), mend);
            return None;
        };
        let name = match entries.get("name").map(|value| value.get_ref()) {
            Some(DeValue::String(name)) => name.to_string(),
            _ => String::new(),
        };
        let label = format!("group '{name}'");
        let mut fields = Fields::new(self.file, Section::Group, label, Some(line));
        self.read_fields(entries, &mut fields);
        Some(fields)
    }

    fn read_fields(&mut self, entries: &DeTable<'_>, fields: &mut Fields) {
        for (key, value) in entries {
            let line = self.line(key.span().start);
            self.read_field(key.get_ref(), line, value, fields);
        }
    }

    fn read_field(
        &mut self,
        key: &str,
        line: usize,
        value: &Spanned<DeValue<'_>>,
        fields: &mut Fields,
    ) {
        let Some(spec) = options::find(fields.section, key) else {
            let known = options::keys(fields.section);
            let tables = ["params", "run", "group"].into_iter();
            let tables = tables.filter(|_| fields.section == Section::Top);
            let mend = suggest(key, known.chain(tables));
            let option = format!("{}: {key}", fields.label);
            return self.problem(Some(line), &option, "no such option".to_owned(), mend);
        };
        let Some(plain) = self.plain(key, value) else { return };
        match self.put_in(plain) {
            Ok(value) => drop(fields.entries.insert(spec.key, Entry { value, line: Some(line) })),
            Err((what, mend)) => {
                let option = format!("{}: {key}", fields.label);
                self.problem(Some(line), &option, what, mend);
            }
        }
    }

    /// A scalar or a list of strings.
    fn plain(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Value> {
        let line = self.line(value.span().start);
        let plain = match value.get_ref() {
            DeValue::String(text) => Some(Value::Text(text.to_string())),
            DeValue::Integer(number) => {
                let digits = number.as_str();
                i64::from_str_radix(digits, number.radix()).ok().map(Value::Integer)
            }
            DeValue::Float(number) => number.as_str().parse().ok().map(Value::Float),
            DeValue::Boolean(truth) => Some(Value::Bool(*truth)),
            DeValue::Array(values) => {
                let text = |value: &Spanned<DeValue<'_>>| match value.get_ref() {
                    DeValue::String(text) => Some(text.to_string()),
                    _ => None,
                };
                values.iter().map(text).collect::<Option<_>>().map(Value::List)
            }
            _ => None,
        };
        if plain.is_none() {
            let mend = "write a number, a string, true or false, or a list of strings".to_owned();
            self.problem(Some(line), key, "has a value of no use here".to_owned(), mend);
        }
        plain
    }

    /// The value with parameters put in: `"$name"` as a whole, `${name}` within text.
    fn put_in(&self, value: Value) -> Result<Value, (String, String)> {
        match value {
            Value::Text(text) => {
                let whole = text.strip_prefix('$').filter(|name| is_name(name));
                match whole {
                    Some(name) => self.param(name).cloned(),
                    None => self.fill(&text).map(Value::Text),
                }
            }
            Value::List(texts) => {
                let filled = texts.iter().map(|text| self.fill(text));
                Ok(Value::List(filled.collect::<Result<_, _>>()?))
            }
            other => Ok(other),
        }
    }

    fn fill(&self, text: &str) -> Result<String, (String, String)> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, behind) = after.split_once('}').ok_or_else(|| {
                (format!("'{text}' has no closing brace"), "write ${name}".to_owned())
            })?;
            filled.push_str(before);
            filled.push_str(&self.param(name)?.text().unwrap_or_default());
            rest = behind;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn param(&self, name: &str) -> Result<&Value, (String, String)> {
        self.params.get(name).ok_or_else(|| {
            let names = self.params.keys().map(String::as_str);
            let mend = match self.params.is_empty() {
                true => format!("add it: [params] {name} = …"),
                false => suggest(name, names),
            };
            (format!("there is no parameter '{name}'"), mend)
        })
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

#[cfg(test)]
mod tests {
    use crate::scenario::{Scenario, Setting};

    const PLAIN: &str = "schema = 1\n[params]\nn = 3\n[[group]]\nname = \"a\"\ncount = \"$n\"\n";

    fn problems(text: &str, settings: &[&str]) -> String {
        let settings: Vec<Setting> = settings.iter().map(|s| s.parse().unwrap()).collect();
        let found = Scenario::read("f.toml", text, &settings).unwrap_err();
        found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_problem_has_file_line_option_and_mend() {
        for (more, expected) in [
            (
                "subscirbe = \"x\"",
                "f.toml:7: group 'a': subscirbe: no such option; did you mean 'subscribe'?",
            ),
            ("qos = 3", "f.toml:7: group 'a': qos: '3' is no QoS; write 0, 1 or 2"),
            ("size = 8", "f.toml:7: group 'a': size: 8 bytes do not hold the 16 bytes"),
            ("publish = \"a/#\"", "f.toml:7: group 'a': publish: 'a/#' is no Topic Name"),
            ("subscribe = \"$share/x\"", "f.toml:7: group 'a': subscribe: '$share/x' is no Topic"),
            ("username = \"${m}\"", "f.toml:7: group 'a': username: there is no parameter 'm'"),
            ("rate = 5", "f.toml:7: group 'a': rate: nothing is published; add publish"),
            ("[runn]\nx = 1", "f.toml:7: file: runn: no such option; did you mean 'run'?"),
            ("= 3", "f.toml:7: TOML:"),
        ] {
            let found = problems(&format!("{PLAIN}{more}\n"), &[]);
            assert!(found.contains(expected), "{more}: {found}");
        }
    }

    #[test]
    fn all_problems_are_named_at_once() {
        let found = problems(&format!("{PLAIN}qos = 3\nretain = 7\n"), &[]);
        assert_eq!(found.lines().count(), 2, "{found}");
    }

    #[test]
    fn settings_reach_parameters_and_options() {
        let settings: Vec<Setting> =
            ["n=5", "a.qos=2", "run.duration=3s"].iter().map(|s| s.parse().unwrap()).collect();
        let scenario = Scenario::read("f.toml", PLAIN, &settings).unwrap();
        assert_eq!(scenario.groups[0].count, 5);
        assert_eq!(scenario.groups[0].publish_qos as u8, 2);
        assert_eq!(scenario.run.duration.as_secs(), 3);
        for (setting, expected) in [
            ("m=1", "--set m: no such parameter; did you mean 'n'?"),
            ("b.qos=1", "--set b.qos: no such table; did you mean 'a'?"),
            ("a.qoz=1", "--set a.qoz: no such option; did you mean 'qos'?"),
        ] {
            let found = problems(PLAIN, &[setting]);
            assert!(found.contains(expected), "{found}");
        }
    }

    #[test]
    fn another_schema_is_refused() {
        let found = problems(&PLAIN.replace("schema = 1", "schema = 2"), &[]);
        assert!(found.contains("version 2 is unknown; write schema = 1"), "{found}");
    }
}

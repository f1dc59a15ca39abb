//! Files in Mosquitto's format to a [`Config`], with every mistake reported.
//!
//! The parser keeps Mosquitto's rules about order: options of a listener belong to the last line
//! `listener` of the same file; some make a listener on port 1883 where there was none; the rules
//! about access belong to the whole broker unless `per_listener_settings` came first.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeArray, DeValue};

use super::foreign::{self, Fate, Foreign};
use super::{include, names, text};
use crate::config::error::Mistake;
use crate::config::nearest::nearest;
use crate::config::options::{Opt, Problem};
use crate::config::places::{LISTENER, Places};
use crate::config::read::{PERSISTENCE, Read};
use crate::config::schema::Config;
use crate::config::table::{Listener, global, of_listeners};
use crate::config::value::{first_word, text as text_value};

/// Options of which several lines make a list.
const REPEATED: [&str; 3] = ["log_dest", "log_type", "websockets_origin"];

/// Reads `bytes` of the file called `name`, and the files that it includes.
pub fn parse(name: &str, bytes: &[u8]) -> Read {
    let mut parser = Parser { main: name.into(), ..Parser::default() };
    parser.file(name, bytes, true);
    parser.finish()
}

#[derive(Default)]
struct Parser {
    /// The main file.
    main: String,
    config: Config,
    places: Places,
    mistakes: Vec<Mistake>,
    warnings: Vec<String>,
    /// Index of the listener that options made without a line `listener`.
    default: Option<usize>,
    /// What is said about it if it stays.
    default_warnings: Vec<String>,
    /// A rule about access has been read.
    rule_read: bool,
    /// Lines of the options that make lists.
    lists: HashMap<(Option<usize>, &'static str), Vec<String>>,
    /// Options that have been warned about.
    warned: BTreeSet<&'static str>,
}

/// Where in the files the parser is.
struct At<'a> {
    file: &'a str,
    line: usize,
    /// Whether this is the main file.
    main: bool,
    /// The listener that options belong to.
    listener: Option<usize>,
    /// What was refused as a whole with all options that belong to it.
    refused: Option<Fate>,
}

impl Parser {
    fn file(&mut self, name: &str, bytes: &[u8], main: bool) {
        let mut at = At { file: name, line: 0, main, listener: None, refused: None };
        for line in bytes.split(|&byte| byte == b'\n') {
            at.line += 1;
            if line.starts_with(b"#") {
                continue;
            }
            let Ok(line) = std::str::from_utf8(line) else {
                let mend = "Write the file in UTF-8";
                self.report(&at, "", "the line is not UTF-8 text".into(), mend);
                continue;
            };
            let Some((name, rest)) = text::split(line.trim_end_matches('\r')) else { continue };
            if name.starts_with('#') {
                continue;
            }
            self.line(&mut at, name, rest);
        }
    }

    fn finish(mut self) -> Read {
        self.settle_default();
        if self.config.process.persistence {
            self.warnings.push(PERSISTENCE.into());
        }
        Read {
            config: self.config,
            places: self.places,
            mistakes: self.mistakes,
            warnings: self.warnings,
        }
    }

    /// The default listener goes again if nothing about it was said but its defaults: that makes
    /// none in Mosquitto 2.0 either, and files for it begin like that.
    fn settle_default(&mut self) {
        let Some(index) = self.default else { return };
        let addressed = ["port", "bind_address"];
        let is_addressed = addressed.iter().any(|name| self.places.has((Some(index), name)));
        if !is_addressed && self.config.listeners[index] == Listener::default() {
            self.config.listeners.remove(index);
            self.places.remove_listener(index);
        } else {
            self.warnings.append(&mut self.default_warnings);
        }
    }

    fn report(&mut self, at: &At<'_>, option: &str, what: String, mend: &str) {
        self.mistakes.push(Mistake {
            file: at.file.into(),
            line: at.line,
            option: option.into(),
            what,
            mend: mend.into(),
        });
    }

    fn warn(&mut self, at: &At<'_>, what: &str) {
        self.warnings.push(format!("{}:{}: {what}", at.file, at.line));
    }

    fn line(&mut self, at: &mut At<'_>, name: &str, rest: &str) {
        if let Some(today) = names::today(name) {
            self.warn(at, &format!("'{name}' is an old spelling; write {today}."));
        }
        if first_word(rest).is_empty() && foreign::find(name).is_none() {
            if self.is_known(name) {
                let what = format!("option '{name}' has no value");
                return self.report(at, name, what, "Write one after a blank");
            }
            return self.unknown(at, name);
        }
        match name {
            "listener" => self.listener(at, rest),
            "port" | "bind_address" => self.default_socket(at, name, rest),
            "include_dir" => self.include_dir(at, rest.trim()),
            "per_listener_settings" => self.per_listener_settings(at, rest),
            _ => match foreign::find(name) {
                Some(foreign) => self.foreign(at, name, foreign, rest),
                None => self.option(at, name, rest),
            },
        }
    }

    fn is_known(&self, name: &str) -> bool {
        let ours = names::ours(name);
        ["listener", "include_dir"].contains(&name)
            || global().any(|option| option.name == ours)
            || of_listeners().any(|option| option.name == ours)
    }

    fn listener(&mut self, at: &mut At<'_>, rest: &str) {
        let mut words = rest.split(' ').filter(|word| !word.is_empty());
        let port = words.next().unwrap_or("");
        let host = words.next().filter(|host| !host.starts_with('#'));
        let index = self.add_listener(at);
        at.listener = Some(index);
        at.refused = None;
        self.set_listener(at, index, "port", port);
        let unix = self.config.listeners[index].port == 0;
        match host {
            Some(path) if unix => self.set_listener(at, index, "unix_socket", path),
            Some(host) => self.set_listener(at, index, "bind_address", host),
            None if unix => {
                let what = "a listener on port 0 has no path".into();
                self.report(at, LISTENER, what, "Write the path of a Unix socket after the 0");
            }
            None => {}
        }
    }

    fn add_listener(&mut self, at: &At<'_>) -> usize {
        let index = self.config.listeners.len();
        self.config.listeners.push(Listener::default());
        self.places.note((Some(index), LISTENER), at.file, at.line);
        index
    }

    /// The listener on port 1883 for options without a line `listener` above them.
    fn default_listener(&mut self, at: &mut At<'_>) -> usize {
        let index = match self.default {
            Some(index) => index,
            None => self.add_listener(at),
        };
        self.default = Some(index);
        at.listener = Some(index);
        index
    }

    fn default_socket(&mut self, at: &mut At<'_>, name: &str, rest: &str) {
        let index = self.default_listener(at);
        let rest = if name == "port" { rest } else { rest.trim() };
        self.set_listener(at, index, name, rest);
        if name == "port" && self.config.listeners[index].port == 0 {
            let mend = "Write the port's number, such as 1883";
            self.report(at, "port", "option 'port' is \"0\"".into(), mend);
        }
    }

    fn include_dir(&mut self, at: &At<'_>, directory: &str) {
        if !at.main {
            let what = "include_dir stands in an included file".into();
            return self.report(at, "include_dir", what, "Put it into the main file");
        }
        let files = match include::files(Path::new(directory)) {
            Ok(files) => files,
            Err(error) => {
                let what = format!("the directory {directory} cannot be read: {error}");
                return self.report(at, "include_dir", what, "Check its name and permissions");
            }
        };
        for path in files {
            if same_file(&path, Path::new(&self.main)) {
                let what = format!("the directory {directory} holds this file itself");
                self.report(at, "include_dir", what, "Name another directory");
                continue;
            }
            let name = path.display().to_string();
            match fs::read(&path) {
                Ok(bytes) => self.file(&name, &bytes, false),
                Err(error) => {
                    let what = format!("{name} cannot be read: {error}");
                    self.report(at, "include_dir", what, "Check its permissions");
                }
            }
        }
    }

    fn per_listener_settings(&mut self, at: &At<'_>, rest: &str) {
        if self.config.security.per_listener_settings {
            return; // As in Mosquitto: once it is on it stays on.
        }
        self.set_global(at, "per_listener_settings", rest);
        if self.config.security.per_listener_settings && self.rule_read {
            let what = "per_listener_settings stands below a rule about access".into();
            self.report(at, "per_listener_settings", what, "Put it at the top of the file");
        }
    }

    fn foreign(&mut self, at: &mut At<'_>, name: &str, foreign: &'static Foreign, rest: &str) {
        let value = first_word(rest);
        let warns = match foreign.fate {
            Fate::Meaningless => true,
            Fate::Always(as_is) => !is_value(value, as_is),
            Fate::Must(as_is) if is_value(value, as_is) => return,
            Fate::Persistence => return,
            Fate::Bridge | Fate::Plugin if self.belongs(at, name, foreign.fate) => return,
            Fate::Bridge | Fate::Plugin | Fate::Refused | Fate::Must(_) => {
                let what = format!("option '{name}' is refused: {}", first_small(foreign.why));
                return self.report(at, name, what, foreign.mend);
            }
        };
        if warns && self.warned.insert(foreign.name) {
            self.warn(at, &format!("option '{name}' has no meaning here. {}.", foreign.why));
        }
    }

    /// Whether the option belongs to a bridge or plugin that was refused already.
    fn belongs(&mut self, at: &mut At<'_>, name: &str, fate: Fate) -> bool {
        let begins =
            ["connection", "plugin", "auth_plugin", "global_plugin", "plugin_load", "plugin_use"];
        let within = at.refused == Some(fate) && !begins.contains(&name);
        at.refused = Some(fate);
        within
    }

    fn option(&mut self, at: &mut At<'_>, name: &str, rest: &str) {
        if (name, first_word(rest)) == ("protocol", "http_api") {
            let what = "option 'protocol' is refused: this version has no HTTP interface".into();
            let mend = "Remove the listener; the topics below $SYS have the same figures";
            return self.report(at, name, what, mend);
        }
        let ours = names::ours(name);
        let of_listener = of_listeners().any(|option| option.name == ours);
        if names::RULES.contains(&name) {
            self.rule_read = true;
            if !self.config.security.per_listener_settings {
                return self.set_global(at, ours, rest);
            }
        } else if !of_listener {
            return match global().any(|option| option.name == ours) {
                true => self.set_global(at, ours, rest),
                false => self.unknown(at, name),
            };
        }
        let index = match at.listener {
            Some(index) => index,
            None if names::needs_listener(name) => {
                let what = format!("option '{name}' stands above the first listener");
                return self.report(at, name, what, "Put it below a line 'listener PORT'");
            }
            None => {
                self.default_warnings.push(format!(
                    "{}:{}: '{name}' stands above the first listener and makes one on port 1883; \
                     put it below a line 'listener 1883'.",
                    at.file, at.line
                ));
                self.default_listener(at)
            }
        };
        self.set_listener(at, index, ours, rest);
    }

    fn unknown(&mut self, at: &At<'_>, name: &str) {
        if name.contains('\t') {
            let what = format!("option '{}' is unknown", name.escape_debug());
            return self.report(at, name, what, "Write blanks instead of tabs");
        }
        let known = global()
            .map(|option| option.name)
            .chain(of_listeners().map(|option| option.name))
            .chain(foreign::FOREIGN.iter().map(|foreign| foreign.name))
            .chain(names::ALIASES.iter().map(|(theirs, _)| *theirs))
            .chain(["listener", "include_dir"]);
        let mend = match nearest(name, known) {
            Some(near) => format!("The nearest known name is '{near}'"),
            None => "docs/mosquitto.md and docs/options.md list what there is".into(),
        };
        self.report(at, name, format!("option '{name}' is unknown"), &mend);
    }

    fn set_global(&mut self, at: &At<'_>, name: &str, rest: &str) {
        let Some(option) = global().find(|option| option.name == name) else { return };
        let mut config = std::mem::take(&mut self.config);
        self.set(at, option, None, &mut config, rest);
        self.config = config;
    }

    fn set_listener(&mut self, at: &At<'_>, index: usize, name: &str, rest: &str) {
        let Some(option) = of_listeners().find(|option| option.name == name) else { return };
        let mut listener = std::mem::take(&mut self.config.listeners[index]);
        self.set(at, option, Some(index), &mut listener, rest);
        self.config.listeners[index] = listener;
    }

    fn set<T>(
        &mut self,
        at: &At<'_>,
        option: &'static Opt<T>,
        listener: Option<usize>,
        target: &mut T,
        rest: &str,
    ) {
        let name = option.name;
        let key = (listener, name);
        let first = self.places.note(key, at.file, at.line);
        if !first && option.is_text && !names::REPLACED.contains(&name) {
            let what = format!("option '{name}' is given a second time");
            return self.report(at, name, what, "Keep one of the two lines");
        }
        let result = if REPEATED.contains(&name) {
            let lines = self.lists.entry(key).or_default();
            lines.push(list_entry(name, rest));
            let array: DeArray<'_> = lines.iter().map(|line| spanned(line)).collect();
            (option.set)(target, &DeValue::Array(array), &option.spec)
        } else {
            (option.set_line)(target, &clamped(name, rest), &option.spec)
        };
        if let Err(Problem { given, meant }) = result {
            if let Some(lines) = self.lists.get_mut(&key) {
                lines.pop(); // Or each further line would be told about it again.
            }
            let mut mend = format!("It must be {}", (option.allowed)(&option.spec));
            if let Some(word) = meant {
                mend.push_str(&format!("; perhaps \"{word}\" is meant"));
            }
            self.report(at, name, format!("option '{name}' is {given}"), &mend);
        }
    }
}

/// The entry that a line adds to a list.
fn list_entry(name: &str, rest: &str) -> String {
    match name {
        "log_type" => first_word(rest).into(),
        _ => rest.trim().into(),
    }
}

fn spanned(line: &str) -> Spanned<DeValue<'_>> {
    Spanned::new(0..0, text_value(line))
}

/// The rest of a line with what Mosquitto takes for "no limit" as ours has it.
fn clamped<'r>(name: &str, rest: &'r str) -> Cow<'r, str> {
    let negative = first_word(rest).starts_with('-');
    match name {
        _ if !negative => rest.into(),
        "max_connections" | "global_max_connections" | "global_max_clients" => "-1".into(),
        _ if names::NEGATIVE_IS_ZERO.contains(&name) => "0".into(),
        _ => rest.into(),
    }
}

/// Whether a line says what holds anyway; truths may be written as numbers.
fn is_value(given: &str, as_is: &str) -> bool {
    given == as_is || matches!((given, as_is), ("1", "true") | ("0", "false"))
}

fn same_file(one: &Path, other: &Path) -> bool {
    matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(a), Ok(b)) if a == b)
}

/// The sentence as one that goes on after a colon.
fn first_small(sentence: &str) -> String {
    let mut chars = sentence.chars();
    match chars.next() {
        // "TLS" and "TCP_NODELAY" stay.
        Some(first) if !chars.as_str().starts_with(char::is_uppercase) => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => sentence.into(),
    }
}

#[cfg(test)]
mod tests;

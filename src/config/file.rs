//! The configuration file in TOML: text to a [`Config`], with every mistake reported.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::Mistake;
use super::mosquitto;
use super::nearest::nearest;
use super::options::{Opt, Problem};
use super::places::{LISTENER, Places};
use super::read::{PERSISTENCE, Read};
use super::schema::Config;
use super::table::{Listener, global, of_listeners};

/// Reads `text`, calling it `file` in messages. If the text is not TOML, that is the only mistake.
pub(super) fn parse(file: &str, text: &str) -> Read {
    let mut reader = Reader { file, text, mistakes: Vec::new(), places: Places::default() };
    let mut config = Config::default();
    match DeTable::parse(text) {
        Ok(table) => reader.table(table.get_ref(), &mut config),
        Err(error) => {
            let mistake = reader.not_toml(&error);
            reader.mistakes.push(mistake);
        }
    }
    let mut warnings = Vec::new();
    if config.process.persistence {
        warnings.push(PERSISTENCE.into());
    }
    Read { config, places: reader.places, mistakes: reader.mistakes, warnings }
}

struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    mistakes: Vec<Mistake>,
    places: Places,
}

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>, config: &mut Config) {
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if name == LISTENER {
                config.listeners = self.listeners(value);
            } else if let Some(option) = global().find(|option| option.name == name) {
                self.set(option, config, None, key.span().start, value.get_ref());
            } else {
                self.unknown(key.span().start, name, value.get_ref(), false);
            }
        }
    }

    fn line(&self, offset: usize) -> usize {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        1 + before.iter().filter(|&&byte| byte == b'\n').count()
    }

    fn mistake(&self, offset: usize, option: &str, what: String, mend: String) -> Mistake {
        Mistake {
            file: self.file.into(),
            line: self.line(offset),
            option: option.into(),
            what,
            mend,
        }
    }

    fn report(&mut self, offset: usize, option: &str, what: String, mend: String) {
        let mistake = self.mistake(offset, option, what, mend);
        self.mistakes.push(mistake);
    }

    fn not_toml(&self, error: &toml::de::Error) -> Mistake {
        if let Some((line, given)) = mosquitto::first_line(self.text) {
            return Mistake {
                file: self.file.into(),
                line,
                option: String::new(),
                what: format!("this file is in Mosquitto's format (\"{given}\")"),
                mend: "Pondhawk reads TOML: write \"option = value\", and for a listener a line \
                       [[listener]] followed by \"port = 1883\""
                    .into(),
            };
        }
        let said = error.message().lines().collect::<Vec<_>>().join(", ");
        let offset = error.span().map_or(0, |span| span.start);
        let mend = "Write \"option = value\", strings in quotes".into();
        self.mistake(offset, "", format!("this is not TOML: {said}"), mend)
    }

    fn set<T>(
        &mut self,
        option: &Opt<T>,
        target: &mut T,
        listener: Option<usize>,
        offset: usize,
        raw: &DeValue<'_>,
    ) {
        let line = self.line(offset);
        self.places.note((listener, option.name), self.file, line);
        let Err(Problem { given, meant }) = (option.set)(target, raw, &option.spec) else { return };
        let mut mend = format!("It must be {}", (option.allowed)(&option.spec));
        if let Some(word) = meant {
            mend.push_str(&format!("; perhaps \"{word}\" is meant"));
        }
        let what = format!("option '{}' is {given}", option.name);
        self.report(offset, option.name, what, mend);
    }

    fn unknown(&mut self, offset: usize, name: &str, raw: &DeValue<'_>, in_listener: bool) {
        let (what, mend) = if let DeValue::Table(_) = raw {
            let mend = "The only section is [[listener]]; every other option stands above it";
            (format!("section '{name}' is unknown"), mend.into())
        } else if in_listener && global().any(|option| option.name == name) {
            let mend = "Put it above the first [[listener]]";
            (format!("option '{name}' is not one of a listener"), mend.into())
        } else if !in_listener && of_listeners().any(|option| option.name == name) {
            let mend = "Put it below a line [[listener]]";
            (format!("option '{name}' belongs to a listener"), mend.into())
        } else if mosquitto::is_foreign(name) {
            let mend = "Remove it; docs/options.md lists what there is";
            (format!("Mosquitto's option '{name}' is not supported"), mend.into())
        } else {
            (format!("option '{name}' is unknown"), known_name(name, in_listener))
        };
        self.report(offset, name, what, mend);
    }

    fn listeners(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<Listener> {
        let Some(list) = value.get_ref().as_array() else {
            let what = "section 'listener' must be a list".into();
            let mend = "Write [[listener]] with two brackets".into();
            self.report(value.span().start, LISTENER, what, mend);
            return Vec::new();
        };
        let mut listeners: Vec<Listener> = Vec::with_capacity(list.len());
        for item in list.iter() {
            let Some(table) = item.get_ref().as_table() else {
                let what = "section 'listener' must hold options".into();
                self.report(item.span().start, LISTENER, what, "Write [[listener]]".into());
                continue;
            };
            let line = self.line(item.span().start);
            self.places.note((Some(listeners.len()), LISTENER), self.file, line);
            let listener = self.listener(listeners.len(), table);
            listeners.push(listener);
        }
        listeners
    }

    fn listener(&mut self, index: usize, table: &DeTable<'_>) -> Listener {
        let mut listener = Listener::default();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            match of_listeners().find(|option| option.name == name) {
                Some(option) => {
                    let offset = key.span().start;
                    self.set(option, &mut listener, Some(index), offset, value.get_ref());
                }
                None => self.unknown(key.span().start, name, value.get_ref(), true),
            }
        }
        listener
    }
}

/// The mend for an unknown name: names of the same place first, then of the other.
fn known_name(name: &str, in_listener: bool) -> String {
    let own = nearest(name, of_listeners().map(|option| option.name));
    let shared = nearest(name, global().map(|option| option.name).chain([LISTENER]));
    match (own, shared) {
        (Some(near), _) if in_listener => format!("The nearest known name is '{near}'"),
        (_, Some(near)) if !in_listener => format!("The nearest known name is '{near}'"),
        (Some(near), _) => format!("The nearest known name is '{near}', an option of a listener"),
        (_, Some(near)) => format!("The nearest known name is '{near}', above the listeners"),
        (None, None) => "docs/options.md lists what there is".into(),
    }
}

#[cfg(test)]
pub(super) mod tests;

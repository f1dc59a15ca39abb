//! How a TOML value becomes a typed one, and how each type describes what it allows.

use toml::de::DeValue;

use super::duration;
use super::nearest::nearest;

/// What is allowed beside the type, and what the documentation says about it.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// The least integer, or the shortest text in bytes.
    pub min: i64,
    /// The greatest integer, or the longest text in bytes.
    pub max: i64,
    /// What the number counts; empty when nothing.
    pub unit: &'static str,
    /// What 0 means where it means something special; it is then allowed below `min` too.
    pub zero: Option<&'static str>,
    /// What holds while the option is not set, for options without a default value.
    pub unset: &'static str,
}

impl Spec {
    /// No bounds beside the type's own.
    pub const ANY: Self = Self { min: 0, max: i64::MAX, unit: "", zero: None, unset: "" };

    /// Bounds on an integer, both included.
    pub const fn between(min: i64, max: i64) -> Self {
        Self { min, max, ..Self::ANY }
    }

    /// Bounds on the length of a text in bytes.
    pub const fn bytes_long(min: i64, max: i64) -> Self {
        Self::between(min, max)
    }

    /// Names what is counted.
    pub const fn unit(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }

    /// Allows 0 and says what it means.
    pub const fn zero(self, meaning: &'static str) -> Self {
        Self { zero: Some(meaning), ..self }
    }

    /// Says what holds while the option is not set.
    pub const fn unset(self, meaning: &'static str) -> Self {
        Self { unset: meaning, ..self }
    }

    /// Whether a text is one that is allowed: its length, and no null character, since texts end
    /// up in MQTT strings [MQTT-1.5.4-2] or in names that the system takes.
    pub(super) fn check_text(&self, text: &str) -> Result<(), Problem> {
        let long = i64::try_from(text.len()).unwrap_or(i64::MAX);
        if !(self.min..=self.max).contains(&long) {
            return Err(Problem { given: format!("{long} bytes long"), meant: None });
        }
        if text.contains('\0') {
            return Err(Problem { given: "a string with a null character".into(), meant: None });
        }
        Ok(())
    }
}

/// Why a value was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The value, or the part of it, that is wrong, as the operator wrote it.
    pub given: String,
    /// The word that was probably meant.
    pub meant: Option<&'static str>,
}

impl Problem {
    /// The value itself is wrong.
    pub fn with(raw: &DeValue<'_>) -> Self {
        Self { given: describe(raw), meant: None }
    }
}

/// A type an option can have.
pub trait Value: Sized + Clone {
    /// Reads a TOML value that must be within `spec`.
    fn read(raw: &DeValue<'_>, spec: &Spec) -> Result<Self, Problem>;
    /// Reads what follows an option's name on a line of Mosquitto's format: one word, unless the
    /// type says otherwise.
    fn read_line(rest: &str, spec: &Spec) -> Result<Self, Problem> {
        Self::read(&text(first_word(rest)), spec)
    }
    /// The value in TOML; `None` when it is unset.
    fn show(&self) -> Option<String>;
    /// "an integer from 0 to 2": completes "it must be …".
    fn allowed(spec: &Spec) -> String;
    /// Whether it is a text, of which Mosquitto takes a second line for a mistake.
    const TEXT: bool = false;
}

/// A text as a TOML value.
pub(super) fn text(text: &str) -> DeValue<'_> {
    DeValue::String(text.into())
}

/// The first word of the rest of a line in Mosquitto's format.
pub(super) fn first_word(rest: &str) -> &str {
    rest.split(' ').find(|word| !word.is_empty()).unwrap_or("")
}

/// The words of the rest of a line, between blanks, tabs and commas.
pub(super) fn split_words(rest: &str) -> impl Iterator<Item = &str> {
    rest.split([' ', ',', '\t']).filter(|word| !word.is_empty())
}

/// An integer as C's `strtol` reads it with base 0: decimal, `0x` hexadecimal, `0` octal.
fn strtol(word: &str) -> Option<i64> {
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    let (digits, radix) = match unsigned.strip_prefix('0') {
        Some(rest) if rest.starts_with(['x', 'X']) => (&rest[1..], 16),
        Some(rest) if !rest.is_empty() => (rest, 8),
        _ => (unsigned, 10),
    };
    let digits = digits.bytes().all(|byte| byte.is_ascii_alphanumeric()).then_some(digits)?;
    let value = i64::from_str_radix(digits, radix).ok()?;
    Some(if word.starts_with('-') { -value } else { value })
}

/// The value as the operator wrote it, with its type where that is what went wrong.
fn describe(raw: &DeValue<'_>) -> String {
    match raw {
        DeValue::String(text) => format!("the string \"{text}\""),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(_) => "a date".into(),
        DeValue::Array(_) => "an array".into(),
        DeValue::Table(_) => "a table".into(),
    }
}

/// The integer, if `raw` is one that 64 bits can hold.
pub(super) fn integer(raw: &DeValue<'_>) -> Option<i64> {
    let number = raw.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

impl Value for bool {
    fn read(raw: &DeValue<'_>, _: &Spec) -> Result<Self, Problem> {
        raw.as_bool().ok_or_else(|| Problem::with(raw))
    }

    fn read_line(rest: &str, _: &Spec) -> Result<Self, Problem> {
        match first_word(rest) {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            other => Err(Problem { given: format!("\"{other}\""), meant: None }),
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }

    fn allowed(_: &Spec) -> String {
        "true or false".into()
    }
}

impl Value for i64 {
    fn read(raw: &DeValue<'_>, spec: &Spec) -> Result<Self, Problem> {
        integer(raw)
            .filter(|n| (spec.min..=spec.max).contains(n) || (*n == 0 && spec.zero.is_some()))
            .ok_or_else(|| Problem::with(raw))
    }

    fn read_line(rest: &str, spec: &Spec) -> Result<Self, Problem> {
        let word = first_word(rest);
        strtol(word)
            .filter(|n| (spec.min..=spec.max).contains(n) || (*n == 0 && spec.zero.is_some()))
            .ok_or_else(|| Problem { given: format!("\"{word}\""), meant: None })
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }

    fn allowed(spec: &Spec) -> String {
        let mut text = match spec.max {
            i64::MAX => format!("an integer of {} or more", spec.min),
            max => format!("an integer from {} to {max}", spec.min),
        };
        if !spec.unit.is_empty() {
            text.push_str(&format!(" ({})", spec.unit));
        }
        if let Some(meaning) = spec.zero {
            text.push_str(&format!(", or 0 for {meaning}"));
        }
        text
    }
}

/// A string as TOML writes it: what Rust escapes otherwise (`{:?}`) TOML does not read.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\t' => quoted.push_str("\\t"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            other if other.is_control() => {
                quoted.push_str(&format!("\\u{:04X}", u32::from(other)));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

impl Value for String {
    fn read(raw: &DeValue<'_>, spec: &Spec) -> Result<Self, Problem> {
        let text = raw.as_str().ok_or_else(|| Problem::with(raw))?;
        spec.check_text(text)?;
        Ok(text.into())
    }

    fn read_line(rest: &str, spec: &Spec) -> Result<Self, Problem> {
        Self::read(&text(rest.trim()), spec)
    }

    const TEXT: bool = true;

    fn show(&self) -> Option<String> {
        Some(quoted(self))
    }

    fn allowed(spec: &Spec) -> String {
        match (spec.min, spec.max) {
            (0, i64::MAX) => "a string".into(),
            (0, max) => format!("a string of at most {max} bytes"),
            (min, max) => format!("a string of {min} to {max} bytes"),
        }
    }
}

impl<T: Value> Value for Option<T> {
    fn read(raw: &DeValue<'_>, spec: &Spec) -> Result<Self, Problem> {
        T::read(raw, spec).map(Some)
    }

    fn read_line(rest: &str, spec: &Spec) -> Result<Self, Problem> {
        T::read_line(rest, spec).map(Some)
    }

    const TEXT: bool = T::TEXT;

    fn show(&self) -> Option<String> {
        self.as_ref().and_then(T::show)
    }

    fn allowed(spec: &Spec) -> String {
        T::allowed(spec)
    }
}

/// Seconds after which something expires; `None` means never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expiry(pub Option<u64>);

impl Value for Expiry {
    fn read(raw: &DeValue<'_>, _: &Spec) -> Result<Self, Problem> {
        let seconds = match raw.as_str() {
            Some("never") => return Ok(Self(None)),
            Some(text) => duration::parse(text),
            None => integer(raw).and_then(|n| u64::try_from(n).ok()).filter(|&n| n > 0),
        };
        seconds.map(|seconds| Self(Some(seconds))).ok_or_else(|| Problem::with(raw))
    }

    fn show(&self) -> Option<String> {
        Some(format!("\"{}\"", self.0.map_or("never".into(), duration::show)))
    }

    fn allowed(_: &Spec) -> String {
        "a number and one of s, h, d, w, m (30 days), y (365 days) in quotes, such as \"2d\", \
         a number of seconds, or \"never\""
            .into()
    }
}

/// The entry of `words` that `text` names.
pub(super) fn word<T: Copy>(text: &str, words: &[(&'static str, T)]) -> Result<T, Problem> {
    match words.iter().find(|(name, _)| *name == text) {
        Some((_, value)) => Ok(*value),
        None => Err(Problem {
            given: format!("\"{text}\""),
            meant: nearest(text, words.iter().map(|(name, _)| *name)),
        }),
    }
}

/// The names in `words`: `"a", "b" or "c"`.
pub(super) fn one_of<T>(words: &[(&'static str, T)]) -> String {
    let quoted: Vec<_> = words.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// The strings of a list; a single string counts as a list of one.
pub(super) fn strings<'v>(raw: &'v DeValue<'_>) -> Result<Vec<&'v str>, Problem> {
    if let Some(one) = raw.as_str() {
        return Ok(vec![one]);
    }
    let list = raw.as_array().ok_or_else(|| Problem::with(raw))?;
    list.iter()
        .map(|item| item.get_ref().as_str().ok_or_else(|| Problem::with(item.get_ref())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_quoted_as_toml_reads_it() {
        let every = (0..0x300).chain([0x200B, 0xFEFF, 0x10FFFF]).filter_map(char::from_u32);
        let text: String = every.collect();
        let read: toml::Table = toml::from_str(&format!("it = {}", quoted(&text))).expect("TOML");
        assert_eq!(read["it"].as_str(), Some(&*text));
        assert_eq!(quoted("a\"b\\c\td\u{1}"), r#""a\"b\\c\td\u0001""#);
    }

    #[test]
    fn integers_are_read_as_c_reads_them() {
        for (word, value) in
            [("10", 10), ("0", 0), ("-0", 0), ("0x1F", 31), ("010", 8), ("-3", -3), ("+7", 7)]
        {
            assert_eq!(strtol(word), Some(value), "{word}");
        }
        for word in
            ["", "-", "0x", "08", "10k", "1_000", "--1", "+-1", "0x-1", "9999999999999999999"]
        {
            assert_eq!(strtol(word), None, "{word}");
        }
    }
}

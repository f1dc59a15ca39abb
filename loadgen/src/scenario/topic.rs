//! Templates of topics, filters and names.

use std::fmt::Write;
use std::sync::Arc;

use pondhawk::util::Rng;

use super::expression::Expression;

/// Most topics that one client may choose from.
const MAX_CHOICES: u64 = 1 << 20;

/// Text with places: `%i` or `%{i mod 10}` for the client's index, `%{random 100}` or `%{zipf 1000
/// 1.1}` for a topic drawn anew for each message.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    parts: Arc<[Part]>,
    choices: u32,
    /// Exponent of Zipf's distribution; `None` if each choice is as likely.
    skew: Option<f64>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Index(Expression),
    Choice,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// If a place is not understood, or more than one is drawn at random.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let (mut choices, mut skew) = (1, None);
        let mut rest = text;
        while let Some(at) = rest.find('%') {
            push_text(&mut parts, &rest[..at]);
            let (place, after) = place(&rest[at + 1..])?;
            rest = after;
            match place {
                Place::Percent => push_text(&mut parts, "%"),
                Place::Index(expression) => parts.push(Part::Index(expression)),
                Place::Choice(..) if choices != 1 => {
                    return Err("only one place can be drawn at random".to_owned());
                }
                Place::Choice(count, exponent) => {
                    (choices, skew) = (count, exponent);
                    parts.push(Part::Choice);
                }
            }
        }
        push_text(&mut parts, rest);
        Ok(Self { parts: parts.into(), choices, skew })
    }

    /// Topics that one client chooses from.
    pub fn choices(&self) -> u32 {
        self.choices
    }

    /// How choices are drawn, if they are not equally likely.
    pub fn zipf(&self) -> Option<Zipf> {
        self.skew.map(|skew| Zipf::new(self.choices, skew))
    }

    /// The text for one client and choice.
    pub fn render(&self, index: u64, choice: u32) -> String {
        let mut text = String::new();
        for part in self.parts.iter() {
            match part {
                Part::Text(fixed) => text.push_str(fixed),
                // Writing to a String does not fail.
                Part::Index(expression) => {
                    let (value, width) = (expression.value(index), expression.width());
                    let _ = write!(text, "{value:0width$}");
                }
                Part::Choice => {
                    let _ = write!(text, "{choice}");
                }
            }
        }
        text
    }

    /// Whether each client has the same text.
    pub fn is_constant(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Text(_)))
    }
}

enum Place {
    Percent,
    Index(Expression),
    Choice(u32, Option<f64>),
}

/// Reads what stands behind a percent sign, and returns the rest.
fn place(text: &str) -> Result<(Place, &str), String> {
    if let Some(rest) = text.strip_prefix('%') {
        return Ok((Place::Percent, rest));
    }
    if let Some(rest) = text.strip_prefix('i') {
        return Ok((Place::Index(Expression::default()), rest));
    }
    let unknown = || {
        format!(
            "'%{text}' is no place; write %i, %{{i mod 10}}, %{{random 100}}, \
             or %% for a percent sign"
        )
    };
    let (inside, rest) =
        text.strip_prefix('{').and_then(|text| text.split_once('}')).ok_or_else(unknown)?;
    let words: Vec<_> = inside.split_whitespace().collect();
    let choices = |word: &str| match super::values::count(word) {
        Ok(count @ 1..=MAX_CHOICES) => Ok(count as u32),
        _ => Err(format!("'{word}' topics to choose from; write 1 to {MAX_CHOICES}")),
    };
    let place = match words[..] {
        ["random", count] => Place::Choice(choices(count)?, None),
        ["zipf", count] => Place::Choice(choices(count)?, Some(1.0)),
        ["zipf", count, skew] => Place::Choice(choices(count)?, Some(super::values::number(skew)?)),
        _ => Place::Index(Expression::read(inside)?),
    };
    Ok((place, rest))
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        _ if text.is_empty() => {}
        Some(Part::Text(before)) => before.push_str(text),
        _ => parts.push(Part::Text(text.to_owned())),
    }
}

/// Zipf's distribution: choice k is drawn with a probability like 1 / (k + 1)^skew.
#[derive(Clone, Debug)]
pub struct Zipf(Arc<[f64]>);

impl Zipf {
    fn new(choices: u32, skew: f64) -> Self {
        let mut sum = 0.0;
        let sums = (1..=choices).map(|rank| {
            sum += f64::from(rank).powf(-skew);
            sum
        });
        Self(sums.collect())
    }

    /// Draws a choice.
    pub fn draw(&self, rng: &mut Rng) -> u32 {
        let total = self.0.last().copied().unwrap_or(0.0);
        let point = (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64 * total;
        self.0.partition_point(|sum| *sum <= point).min(self.0.len() - 1) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(text: &str, index: u64) -> String {
        Template::read(text).unwrap().render(index, 9)
    }

    #[test]
    fn places_are_filled() {
        assert_eq!(render("bench/%i/#", 7), "bench/7/#");
        assert_eq!(render("a/%{i:04}/%{i mod 3}", 17), "a/0017/2");
        assert_eq!(render("100%%/%{random 50}", 0), "100%/9");
        assert!(Template::read("all").unwrap().is_constant());
    }

    #[test]
    fn what_is_no_place_is_named() {
        for text in ["%n", "%{", "%{j}", "%{random 0}", "%{zipf x}", "%{random 2}/%{random 2}"] {
            assert!(Template::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn zipf_prefers_the_first() {
        let zipf = Template::read("%{zipf 100 1.0}").unwrap().zipf().unwrap();
        let mut rng = Rng::new(3);
        let mut seen = [0_u32; 100];
        for _ in 0..100_000 {
            seen[zipf.draw(&mut rng) as usize] += 1;
        }
        // 1 / H(100) = 19.3 % for the first, half of that for the second.
        assert!((18_000..21_000).contains(&seen[0]), "{}", seen[0]);
        assert!((8_500..10_800).contains(&seen[1]), "{}", seen[1]);
        assert!(seen.iter().all(|&count| count > 0));
    }
}

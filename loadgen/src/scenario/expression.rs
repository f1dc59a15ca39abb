//! The arithmetic of indices in templates.

/// `i`, then `+ K`, `div K` and `mod K` as often as wanted, from left to right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expression {
    steps: Box<[Step]>,
    width: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Plus(u64),
    Div(u64),
    Mod(u64),
}

impl Expression {
    /// Reads `i + 1 mod 5` or `i:04`.
    ///
    /// # Errors
    /// If the text is something else.
    pub fn read(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no index; write i, i:04, i + 1, i div 10 or i mod 10");
        let (sum, width) = match text.split_once(':') {
            Some((sum, width)) => (sum, width.trim().parse().map_err(|_| wrong())?),
            None => (text, 0),
        };
        let spaced = sum.replace('+', " + ");
        let mut words = spaced.split_whitespace();
        if words.next() != Some("i") || width > 20 {
            return Err(wrong());
        }
        let mut steps = Vec::new();
        while let Some(word) = words.next() {
            let number: u64 = words.next().and_then(|n| n.parse().ok()).ok_or_else(wrong)?;
            steps.push(match (word, number) {
                ("+", _) => Step::Plus(number),
                ("div", 1..) => Step::Div(number),
                ("mod", 1..) => Step::Mod(number),
                _ => return Err(wrong()),
            });
        }
        Ok(Self { steps: steps.into(), width })
    }

    /// Digits to fill up to with zeros.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The value for one client.
    pub fn value(&self, index: u64) -> u64 {
        self.steps.iter().fold(index, |value, step| match step {
            Step::Plus(number) => value.wrapping_add(*number),
            Step::Div(number) => value / number,
            Step::Mod(number) => value % number,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_go_from_left_to_right() {
        let value = |text: &str, index| Expression::read(text).unwrap().value(index);
        assert_eq!(value("i", 7), 7);
        assert_eq!(value("i+1 mod 5", 4), 0);
        assert_eq!(value("i div 10 mod 3", 57), 2);
        assert_eq!(Expression::read("i:04").unwrap().width(), 4);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "j", "i mod 0", "i mod", "i - 1", "i:x", "i:99"] {
            assert!(Expression::read(text).is_err(), "{text}");
        }
    }
}

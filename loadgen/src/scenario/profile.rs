//! Rates over time, and when each message is due.

use super::values::{duration, number};

/// How batches are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// At equal distances of the schedule.
    Even,
    /// At random, independently, with that mean.
    Poisson,
    /// So many batches at once.
    Bursts(u32),
}

impl Arrivals {
    /// Reads `even`, `poisson` or `bursts of 10`.
    ///
    /// # Errors
    /// If the text is something else.
    pub fn read(text: &str) -> Result<Self, String> {
        match text.split_whitespace().collect::<Vec<_>>()[..] {
            ["even"] => Ok(Self::Even),
            ["poisson"] => Ok(Self::Poisson),
            ["bursts", "of", count] => match count.parse() {
                Ok(count @ 1..) => Ok(Self::Bursts(count)),
                _ => Err(format!("'{count}' batches in a burst; write bursts of 10")),
            },
            _ => Err(format!("'{text}' is none of even, poisson, bursts of N")),
        }
    }
}

/// A rate over time: pieces in which it is constant or grows evenly. The last one has no end.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    pieces: Box<[Piece]>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    /// When it begins, s.
    start_s: f64,
    /// Messages due before it.
    before: f64,
    /// Length, s; infinite for the last.
    length_s: f64,
    /// Rate at its beginning and end, per second.
    from: f64,
    to: f64,
}

impl Profile {
    /// Reads `5000` or `1000 for 10s, 1000..5000 for 20s, 5000`.
    ///
    /// # Errors
    /// If the text is something else. The last step has no `for` and must not be 0, unless it is
    /// the only one: then there is no schedule and the answer is `None`.
    pub fn read(text: &str) -> Result<Option<Self>, String> {
        let mut pieces: Vec<Piece> = Vec::new();
        let steps: Vec<_> = text.split(',').map(str::trim).collect();
        for (index, step) in steps.iter().enumerate() {
            let last = index + 1 == steps.len();
            let piece = Piece::read(step, pieces.last(), last)?;
            pieces.push(piece);
        }
        match pieces[..] {
            [Piece { from: 0.0, .. }] => Ok(None),
            _ if pieces.iter().all(|piece| piece.from == 0.0 && piece.to == 0.0) => {
                Err(format!("'{text}' never sends anything"))
            }
            _ => Ok(Some(Self { pieces: pieces.into() })),
        }
    }

    /// A constant rate, greater than 0.
    #[cfg(test)]
    pub fn constant(rate: f64) -> Self {
        let piece =
            Piece { start_s: 0.0, before: 0.0, length_s: f64::INFINITY, from: rate, to: rate };
        Self { pieces: [piece].into() }
    }

    /// All rates multiplied.
    pub fn scaled(&self, factor: f64) -> Self {
        let scale = |piece: &Piece| Piece {
            before: piece.before * factor,
            from: piece.from * factor,
            to: piece.to * factor,
            ..*piece
        };
        Self { pieces: self.pieces.iter().map(scale).collect() }
    }

    /// When message `number`, counted from 0, is due, ns after the start; `None` if never.
    pub fn due_ns(&self, number: f64) -> Option<u64> {
        let next = self.pieces.partition_point(|piece| piece.before <= number);
        let piece = &self.pieces[next.saturating_sub(1)];
        let seconds = piece.start_s + piece.time_of(number - piece.before)?;
        Some((seconds * 1e9).round() as u64)
    }
}

impl Piece {
    fn read(text: &str, before: Option<&Self>, last: bool) -> Result<Self, String> {
        let (rates, length) = match text.split_once(" for ") {
            Some((rates, length)) => (rates, Some(duration(length)?.as_secs_f64())),
            None => (text, None),
        };
        let (from, to) = match rates.split_once("..") {
            Some((from, to)) => (number(from)?, number(to)?),
            None => (number(rates)?, number(rates)?),
        };
        let length_s = match length {
            Some(length) if length > 0.0 && !last => length,
            Some(_) if last => {
                return Err(format!("'{text}' is the last step; leave its 'for' out"));
            }
            None if last && from == to => f64::INFINITY,
            None if last => {
                return Err(format!("'{text}' has no end; write '{text} for 10s, {to}'"));
            }
            _ => return Err(format!("'{text}' has no length; write '{rates} for 10s'")),
        };
        let (start_s, before) = before.map_or((0.0, 0.0), |piece| {
            (piece.start_s + piece.length_s, piece.before + piece.messages_by(piece.length_s))
        });
        Ok(Self { start_s, before, length_s, from, to })
    }

    /// Messages due in its first `seconds`.
    fn messages_by(&self, seconds: f64) -> f64 {
        let growth = (self.to - self.from) / self.length_s;
        self.from * seconds + growth * seconds * seconds / 2.0
    }

    /// When `messages` of it are due, s after its beginning.
    fn time_of(&self, messages: f64) -> Option<f64> {
        let growth = (self.to - self.from) / self.length_s;
        if growth.abs() < 1e-12 {
            return (self.from > 0.0).then(|| messages / self.from);
        }
        // messages = from · t + growth · t² / 2, solved in the form that does not cancel.
        let root = (self.from * self.from + 2.0 * growth * messages).max(0.0).sqrt();
        Some(2.0 * messages / (self.from + root).max(f64::MIN_POSITIVE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(text: &str, number: f64) -> f64 {
        Profile::read(text).unwrap().unwrap().due_ns(number).unwrap() as f64 / 1e9
    }

    #[test]
    fn a_constant_rate_does_not_drift() {
        let profile = Profile::constant(3_000_007.0);
        let hour = profile.due_ns(3_000_007.0 * 3600.0).unwrap();
        assert!(hour.abs_diff(3_600_000_000_000) < 10_000, "{hour}");
    }

    #[test]
    fn steps_and_ramps_follow_each_other() {
        let text = "100 for 10s, 100..300 for 10s, 300";
        assert!((due(text, 500.0) - 5.0).abs() < 1e-9);
        assert!((due(text, 1000.0) - 10.0).abs() < 1e-9);
        // The ramp sends 2000 in its 10 s, and 750 in the first 5.
        assert!((due(text, 1750.0) - 15.0).abs() < 1e-9);
        assert!((due(text, 3000.0) - 20.0).abs() < 1e-9);
        assert!((due(text, 3300.0) - 21.0).abs() < 1e-9);
    }

    #[test]
    fn a_pause_is_waited_for() {
        assert!((due("100 for 1s, 0 for 5s, 100", 100.0) - 6.0).abs() < 1e-9);
    }

    #[test]
    fn no_rate_is_no_schedule() {
        assert_eq!(Profile::read("0"), Ok(None));
        for text in ["1 for 3s", "1..2", "1, 2", "x", "0 for 1s, 0"] {
            assert!(Profile::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn arrivals_have_names() {
        assert_eq!(Arrivals::read("bursts of 20"), Ok(Arrivals::Bursts(20)));
        assert_eq!(Arrivals::read("poisson"), Ok(Arrivals::Poisson));
        assert!(Arrivals::read("bursty").is_err());
    }
}

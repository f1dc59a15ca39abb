//! From values to places on an axis.

use super::units::Unit;

/// About as many ticks as fit beside each other on a phone.
const TICKS: f64 = 5.0;

/// Most ticks of a logarithmic axis; it is the upright one.
const LOG_TICKS: usize = 9;

/// A logarithmic axis is of use from this ratio of the greatest to the least value.
const LOG_RATIO: f64 = 30.0;

/// An axis: what it spans, and how.
#[derive(Clone, Debug)]
pub enum Scale {
    /// Equal steps.
    Linear {
        /// Least value.
        min: f64,
        /// Greatest value.
        max: f64,
    },
    /// Equal ratios.
    Log {
        /// Least value, above 0.
        min: f64,
        /// Greatest value.
        max: f64,
    },
    /// Percentiles: equal steps for each further nine. Values are nines: 0 is 0 %, 1 is 90 %,
    /// 2 is 99 %.
    Nines {
        /// Most nines.
        max: f64,
    },
}

impl Scale {
    /// From 0 to a little above the greatest of `values`.
    pub fn from_zero(values: impl Iterator<Item = f64>) -> Self {
        let max = values.fold(0.0, f64::max);
        Self::Linear { min: 0.0, max: if max > 0.0 { max * 1.05 } else { 1.0 } }
    }

    /// From the least to the greatest of `values`, for times.
    pub fn spanning(values: impl Iterator<Item = f64>) -> Self {
        let (min, max) = bounds(values);
        Self::Linear { min, max: if max > min { max } else { min + 1.0 } }
    }

    /// Logarithmic if the values differ widely, otherwise from 0.
    pub fn fitting(values: impl Iterator<Item = f64>) -> Self {
        let (min, max) = bounds(values.filter(|value| *value > 0.0));
        // Nothing above 0 gives no ratio.
        if min <= 0.0 || max / min < LOG_RATIO {
            return Self::from_zero([max].into_iter());
        }
        Self::Log { min: min / 1.2, max: max * 1.2 }
    }

    /// Where `value` lies between the ends, 0 to 1.
    pub fn place(&self, value: f64) -> f64 {
        let part = match *self {
            Self::Linear { min, max } => (value - min) / (max - min),
            Self::Log { min, max } => (value.max(min) / min).ln() / (max / min).ln(),
            Self::Nines { max } => value / max,
        };
        part.clamp(0.0, 1.0)
    }

    /// Values to mark, each with its text.
    pub fn ticks(&self, unit: Unit) -> Vec<(f64, String)> {
        match *self {
            Self::Linear { min, max } => {
                // Round in the unit that is shown: MiB are no round number of bytes.
                let unit_bytes = match unit {
                    Unit::Bytes => 1024f64.powf(max.max(1.0).log(1024.0).floor()),
                    _ => 1.0,
                };
                let ticks = linear(min / unit_bytes, max / unit_bytes);
                ticks.map(|tick| tick * unit_bytes).map(|v| (v, unit.show(v))).collect()
            }
            Self::Log { min, max } => {
                logarithmic(min, max).into_iter().map(|value| (value, unit.show(value))).collect()
            }
            Self::Nines { max } => (0..=max as u32).map(|n| (f64::from(n), percent(n))).collect(),
        }
    }

    /// What an axis title must say of the scale.
    pub fn note(&self) -> &'static str {
        match self {
            Self::Linear { .. } => "",
            Self::Log { .. } => ", logarithmic",
            Self::Nines { .. } => ", a step for each further nine",
        }
    }
}

fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (min, max) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), value| {
        (min.min(value), max.max(value))
    });
    if min <= max { (min, max) } else { (0.0, 1.0) }
}

fn linear(min: f64, max: f64) -> impl Iterator<Item = f64> {
    let rough = (max - min) / TICKS;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    let step = step.into_iter().find(|step| *step >= rough).unwrap_or(power * 10.0);
    let first = (min / step).ceil() as i64;
    (first..).map(move |n| n as f64 * step).take_while(move |value| *value <= max)
}

/// 1, 2 and 5 of each power of ten, or the powers alone if that were too many.
fn logarithmic(min: f64, max: f64) -> Vec<f64> {
    let powers = (min.log10().floor() as i32)..=(max.log10().ceil() as i32);
    let marks = |factors: &[f64]| -> Vec<f64> {
        let all = powers.clone().flat_map(|power| {
            factors.iter().map(move |factor| factor * 10f64.powi(power)).collect::<Vec<_>>()
        });
        all.filter(|value| (min..=max).contains(value)).collect()
    };
    let fine = marks(&[1.0, 2.0, 5.0]);
    if fine.len() <= LOG_TICKS { fine } else { marks(&[1.0]) }
}

/// `nines` of 1 as a percentage: 0, 90, 99, 99.9, ...
fn percent(nines: u32) -> String {
    match nines {
        0 => "0\u{a0}%".to_owned(),
        1 => "90\u{a0}%".to_owned(),
        2 => "99\u{a0}%".to_owned(),
        more => format!("99.{}", "9".repeat(more as usize - 2)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(scale: &Scale, unit: Unit) -> Vec<String> {
        scale.ticks(unit).into_iter().map(|(_, text)| text.replace('\u{a0}', " ")).collect()
    }

    #[test]
    fn linear_ticks_are_round() {
        let scale = Scale::from_zero([9.3].into_iter());
        assert_eq!(texts(&scale, Unit::Seconds), ["0 s", "2 s", "4 s", "6 s", "8 s"]);
        assert!((scale.place(4.8825) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn ticks_of_bytes_are_round_in_their_unit() {
        let scale = Scale::from_zero([(10 << 20) as f64].into_iter());
        let expected = ["0 B", "5 MiB", "10 MiB"];
        assert_eq!(texts(&scale, Unit::Bytes), expected);
    }

    #[test]
    fn wide_values_get_a_logarithmic_axis() {
        let scale = Scale::fitting([101.0, 80_000.0].into_iter());
        assert!(matches!(scale, Scale::Log { .. }));
        assert_eq!(
            texts(&scale, Unit::Micros),
            ["100 µs", "200 µs", "500 µs", "1 ms", "2 ms", "5 ms", "10 ms", "20 ms", "50 ms"]
        );
        assert!(matches!(Scale::fitting([100.0, 200.0].into_iter()), Scale::Linear { .. }));
    }

    #[test]
    fn percentiles_step_by_nines() {
        let scale = Scale::Nines { max: 4.2 };
        assert_eq!(texts(&scale, Unit::Count), ["0 %", "90 %", "99 %", "99.9", "99.99"]);
        assert!((scale.place(2.1) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn no_values_are_no_panic() {
        for scale in [
            Scale::fitting(std::iter::empty()),
            Scale::spanning(std::iter::empty()),
            Scale::from_zero(std::iter::empty()),
            Scale::spanning([3.0].into_iter()),
        ] {
            assert!(!scale.ticks(Unit::Count).is_empty(), "{scale:?}");
            assert!((0.0..=1.0).contains(&scale.place(3.0)));
        }
    }
}

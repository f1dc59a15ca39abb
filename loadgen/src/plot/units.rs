//! Figures with their units, for people.

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Microseconds; shown as µs, ms or s.
    Micros,
    /// Events a second.
    PerSecond,
    /// Bytes; shown as B, KiB, MiB or GiB.
    Bytes,
    /// Percent of one processor.
    Percent,
    /// Seconds.
    Seconds,
    /// Plain number.
    Count,
}

impl Unit {
    /// `value` with three significant digits and a unit.
    pub fn show(self, value: f64) -> String {
        let scaled = |steps: &[(f64, &str)]| {
            let found = steps.iter().rev().find(|(factor, _)| value.abs() >= *factor);
            let (factor, name) = found.unwrap_or(&steps[0]);
            // A no-break space keeps figure and unit together.
            format!("{}\u{a0}{name}", digits(value / factor)).trim_end().to_owned()
        };
        match self {
            Self::Micros => scaled(&[(1.0, "µs"), (1e3, "ms"), (1e6, "s")]),
            Self::PerSecond => scaled(&[(1.0, "/s"), (1e3, "k/s"), (1e6, "M/s")]),
            Self::Bytes => scaled(&[
                (1.0, "B"),
                (1024.0, "KiB"),
                (1024.0 * 1024.0, "MiB"),
                (1024.0 * 1024.0 * 1024.0, "GiB"),
            ]),
            Self::Percent => scaled(&[(1.0, "%")]),
            Self::Seconds => scaled(&[(1.0, "s")]),
            Self::Count => scaled(&[(1.0, ""), (1e3, "k"), (1e6, "M")]),
        }
    }
}

/// Three significant digits, without zeros that say nothing.
fn digits(value: f64) -> String {
    let places = match value.abs() {
        v if v >= 99.95 || v == 0.0 => 0,
        v if v >= 9.995 => 1,
        v if v >= 0.9995 => 2,
        _ => 3,
    };
    let text = format!("{value:.places$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_a_unit() {
        let show = |unit: Unit, value| unit.show(value).replace('\u{a0}', " ");
        assert_eq!(show(Unit::Micros, 0.5), "0.5 µs");
        assert_eq!(show(Unit::Micros, 123.4), "123 µs");
        assert_eq!(show(Unit::Micros, 2_345.0), "2.35 ms");
        assert_eq!(show(Unit::Micros, 60_000_000.0), "60 s");
        assert_eq!(show(Unit::PerSecond, 1_234_567.0), "1.23 M/s");
        assert_eq!(show(Unit::Bytes, 1536.0), "1.5 KiB");
        assert_eq!(show(Unit::Count, 0.0), "0");
        assert_eq!(show(Unit::Percent, 99.97), "100 %");
    }
}

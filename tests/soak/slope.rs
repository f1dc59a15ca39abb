//! A straight line through samples, with the standard error of its slope.

/// Samples are averaged to that many. Memory wanders, so that neighbouring samples say nearly the
/// same; taken as independent they would make the error look far too small.
const BLOCKS: usize = 20;

/// The most that neighbouring means are taken to have in common: a line through values that stay
/// where they once are has no error that 20 of them could tell.
const MOST_COMMON: f64 = 0.8;

/// A line through samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slope {
    /// Change of the value for each unit of time.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
}

/// The least-squares line through means of blocks of `(time, value)`. Memory that moves in steps
/// leaves neighbouring means on the same side of the line; what they have in common, the
/// correlation of the residuals at lag one, widens the error as for a process of first order.
pub fn of(samples: &[(f64, f64)]) -> Slope {
    let size = (samples.len() / BLOCKS).max(1);
    let means: Vec<(f64, f64)> = samples
        .chunks_exact(size)
        .map(|block| {
            let count = block.len() as f64;
            let sum = block.iter().fold((0.0, 0.0), |sum, at| (sum.0 + at.0, sum.1 + at.1));
            (sum.0 / count, sum.1 / count)
        })
        .collect();
    assert!(means.len() > 2, "a slope needs three samples, there are {}", samples.len());
    let count = means.len() as f64;
    let time = means.iter().map(|at| at.0).sum::<f64>() / count;
    let level = means.iter().map(|at| at.1).sum::<f64>() / count;
    let spread: f64 = means.iter().map(|at| (at.0 - time).powi(2)).sum();
    let value = means.iter().map(|at| (at.0 - time) * (at.1 - level)).sum::<f64>() / spread;
    let residuals: Vec<f64> = means.iter().map(|at| at.1 - level - value * (at.0 - time)).collect();
    let squares: f64 = residuals.iter().map(|residual| residual * residual).sum();
    let common = residuals.windows(2).map(|two| two[0] * two[1]).sum::<f64>() / squares;
    // Not a number where the line meets every point.
    let common = if common > 0.0 { common.min(MOST_COMMON) } else { 0.0 };
    let variance = squares / (count - 2.0) / spread;
    Slope { value, error: (variance * (1.0 + common) / (1.0 - common)).sqrt() }
}

#[test]
fn a_line_has_its_slope_and_no_error() {
    let samples: Vec<_> = (0..100).map(|at| (f64::from(at), 7.0 + 3.0 * f64::from(at))).collect();
    let slope = of(&samples);
    assert!((slope.value - 3.0).abs() < 1e-9 && slope.error < 1e-9, "{slope:?}");
}

/// Four points by hand: the slope is 0.5, the squares of the residuals add up to 1.5, neighbours
/// are on different sides of the line; its error is √(0.75 / 5).
#[test]
fn scatter_makes_the_error() {
    let slope = of(&[(0.0, 1.0), (1.0, 3.0), (2.0, 2.0), (3.0, 3.0)]);
    assert!((slope.value - 0.5).abs() < 1e-9, "{slope:?}");
    assert!((slope.error - (0.75_f64 / 5.0).sqrt()).abs() < 1e-9, "{slope:?}");
}

/// Steps of three: the residuals' correlation at lag one is 0.391, which widens an error of 0.0413.
#[test]
fn what_neighbours_have_in_common_widens_the_error() {
    let values = [0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1].into_iter().enumerate();
    let slope = of(&values.map(|(at, value)| (at as f64, f64::from(value))).collect::<Vec<_>>());
    assert!((slope.error - 0.0623).abs() < 1e-4, "{slope:?}");
}

//! A straight line through samples, with the standard error of its slope.

/// Samples averaged to one. Memory wanders, so that neighbouring samples say nearly the same;
/// taken as independent they would make the error look far too small.
const BLOCKS: usize = 20;

/// A line through samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slope {
    /// Change of the value for each unit of time.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
}

/// The least-squares line through means of blocks of `(time, value)`.
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
    let residual = |at: &(f64, f64)| (at.1 - level - value * (at.0 - time)).powi(2);
    let variance = means.iter().map(residual).sum::<f64>() / (count - 2.0);
    Slope { value, error: (variance / spread).sqrt() }
}

#[test]
fn a_line_has_its_slope_and_no_error() {
    let samples: Vec<_> = (0..100).map(|at| (f64::from(at), 7.0 + 3.0 * f64::from(at))).collect();
    let slope = of(&samples);
    assert!((slope.value - 3.0).abs() < 1e-9 && slope.error < 1e-9, "{slope:?}");
}

/// Four points by hand: the slope is 0.5, the squares of the residuals add up to 1.5, its
/// error is √(0.75 / 5).
#[test]
fn scatter_makes_the_error() {
    let slope = of(&[(0.0, 1.0), (1.0, 3.0), (2.0, 2.0), (3.0, 3.0)]);
    assert!((slope.value - 0.5).abs() < 1e-9, "{slope:?}");
    assert!((slope.error - (0.75_f64 / 5.0).sqrt()).abs() < 1e-9, "{slope:?}");
}

//! Small statistics over few values.

use serde::Serialize;

/// The median; `None` for no values.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        len if len % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

/// A straight line through points.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Fit {
    /// Growth of y for each unit of x.
    pub slope: f64,
    /// Standard error of the slope; `None` with fewer than three points.
    pub error: Option<f64>,
    /// Share of the variance that the line explains, 0..=1.
    pub r_squared: f64,
}

/// Least squares through `(x, y)`; `None` if x does not vary.
pub fn fit_line(points: &[(f64, f64)]) -> Option<Fit> {
    let count = points.len() as f64;
    let mean = |pick: fn(&(f64, f64)) -> f64| points.iter().map(pick).sum::<f64>() / count;
    let (mean_x, mean_y) = (mean(|point| point.0), mean(|point| point.1));
    let sum = |term: &dyn Fn(f64, f64) -> f64| -> f64 {
        points.iter().map(|&(x, y)| term(x - mean_x, y - mean_y)).sum()
    };
    let (xx, xy, yy) = (sum(&|x, _| x * x), sum(&|x, y| x * y), sum(&|_, y| y * y));
    // Not `xx > 0.0`: no points make it NaN.
    if xx.is_nan() || xx <= 0.0 {
        return None;
    }
    let r_squared = if yy > 0.0 { xy * xy / (xx * yy) } else { 1.0 };
    let residual = (yy - xy * xy / xx).max(0.0);
    let error = (count > 2.0).then(|| (residual / (count - 2.0) / xx).sqrt());
    Some(Fit { slope: xy / xx, error, r_squared })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_line_is_found_again() {
        let fit = fit_line(&[(0.0, 5.0), (1.0, 7.0), (2.0, 9.0), (4.0, 13.0)]).unwrap();
        assert!((fit.slope - 2.0).abs() < 1e-12);
        assert!((fit.r_squared - 1.0).abs() < 1e-12);
        assert!(fit.error.unwrap() < 1e-6);
    }

    #[test]
    fn the_slope_has_an_error() {
        // Residuals 1, -2, 1 around the slope 2: their squares sum to 6, those of x to 2.
        let fit = fit_line(&[(0.0, 1.0), (1.0, 0.0), (2.0, 5.0)]).unwrap();
        assert!((fit.slope - 2.0).abs() < 1e-12);
        assert!((fit.error.unwrap() - 3.0_f64.sqrt()).abs() < 1e-12, "{:?}", fit.error);
        assert!(fit_line(&[(0.0, 1.0), (1.0, 0.0)]).unwrap().error.is_none());
    }

    #[test]
    fn points_above_each_other_have_no_slope() {
        assert!(fit_line(&[(1.0, 1.0), (1.0, 2.0)]).is_none());
        assert!(fit_line(&[]).is_none());
    }
}

//! `deriv` and `predict_linear`: a line through the samples of a window by least squares (Prometheus docs, "Query
//! functions"). Times are taken relative to a moment near the samples, so that their squares keep their digits.

use super::Window;
use super::kahan::Kahan;

/// Per-second slope of the line. At least two samples.
pub fn deriv(window: &Window<'_>, _args: &[f64]) -> Option<f64> {
    let [first_ms, _, ..] = window.timestamps else { return None };
    fit(window, *first_ms).map(|line| line.slope)
}

/// The line's value some seconds (the argument) after the evaluation time. At least two samples.
pub fn predict_linear(window: &Window<'_>, args: &[f64]) -> Option<f64> {
    let ahead_seconds = args.first()?;
    let [_, _, ..] = window.timestamps else { return None };
    fit(window, window.eval_time).map(|line| line.slope * ahead_seconds + line.intercept)
}

/// `intercept` is the value at the time the fit was centred on, `slope` is per second.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Line {
    slope: f64,
    intercept: f64,
}

fn fit(window: &Window<'_>, centre_ms: i64) -> Option<Line> {
    let first = *window.values.first()?;
    if window.values.iter().all(|value| *value == first) {
        let (slope, intercept) =
            if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
        return Some(Line { slope, intercept });
    }
    let [mut sum_x, mut sum_y, mut sum_xy, mut sum_xx] = [Kahan::default(); 4];
    for (timestamp, y) in window.timestamps.iter().zip(window.values) {
        let x = (timestamp.saturating_sub(centre_ms)) as f64 / 1000.0;
        sum_x.add(x);
        sum_y.add(*y);
        sum_xy.add(x * y);
        sum_xx.add(x * x);
    }
    let n = window.values.len() as f64;
    let [sum_x, sum_y, sum_xy, sum_xx] = [sum_x, sum_y, sum_xy, sum_xx].map(|sum| sum.value());
    let covariance = sum_xy - sum_x * sum_y / n;
    let variance = sum_xx - sum_x * sum_x / n;
    let slope = covariance / variance;
    Some(Line { slope, intercept: sum_y / n - slope * sum_x / n })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{WindowOf, close};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_is_found_again() {
        let series = WindowOf::every(2_000, &[10.0, 14.0, 18.0]);
        let window = series.window(-1, 10_000);
        assert!(close(deriv(&window, &[]), 2.0));
        // At 10 s, 6 s after the last sample, the line is at 30; 5 s later at 40.
        assert!(close(predict_linear(&window, &[5.0]), 40.0));
    }

    #[test]
    fn a_constant_has_no_slope_and_an_infinite_one_no_line() {
        let window = WindowOf::every(1_000, &[0.1, 0.1, 0.1]);
        assert_eq!(deriv(&window.window(-1, 9_000), &[]), Some(0.0));
        assert_eq!(predict_linear(&window.window(-1, 9_000), &[1e9]), Some(0.1));
        let infinite = WindowOf::every(1_000, &[f64::INFINITY, f64::INFINITY]);
        assert!(deriv(&infinite.window(-1, 2_000), &[]).unwrap().is_nan());
        let mixed = WindowOf::every(1_000, &[1.0, f64::INFINITY]);
        assert!(deriv(&mixed.window(-1, 2_000), &[]).unwrap().is_nan());
    }

    #[test]
    fn one_sample_is_no_line() {
        for values in [&[][..], &[1.0]] {
            let series = WindowOf::every(1_000, values);
            assert_eq!(deriv(&series.window(-1, 9), &[]), None);
            assert_eq!(predict_linear(&series.window(-1, 9), &[1.0]), None);
        }
    }

    proptest! {
        #[test]
        fn slope_and_prediction_of_exact_lines(
            slope in -100.0f64..100.0, offset in -1e3f64..1e3, n in 2usize..40, ahead in -1e3f64..1e3,
        ) {
            let values: Vec<f64> = (0..n).map(|i| offset + slope * i as f64).collect();
            let series = WindowOf::every(1_000, &values);
            let end = (n as i64) * 1_000;
            let want = offset + slope * (n as f64 + ahead);
            prop_assert!((deriv(&series.window(-1, end), &[]).unwrap() - slope).abs() < 1e-6);
            prop_assert!((predict_linear(&series.window(-1, end), &[ahead]).unwrap() - want).abs() < 1e-6);
        }
    }
}

//! The functions that reduce a window to one value: `*_over_time` and `double_exponential_smoothing` (Prometheus
//! docs, "Query functions"). Called by the engine once per series and step; an empty window has no result.

use std::cell::RefCell;

use super::kahan::{Kahan, Mean, Variance};
use super::quantile::quantile;
use super::{Window, seconds};

pub fn avg_over_time(window: &Window<'_>, _args: &[f64]) -> Option<f64> {
    let mut mean = Mean::default();
    window.values.iter().for_each(|value| mean.add(*value));
    non_empty(window).map(|_| mean.value())
}

pub fn sum_over_time(window: &Window<'_>, _args: &[f64]) -> Option<f64> {
    let mut sum = Kahan::default();
    window.values.iter().for_each(|value| sum.add(*value));
    non_empty(window).map(|_| sum.value())
}

/// NaN only if all values are.
pub fn min_over_time(window: &Window<'_>, _args: &[f64]) -> Option<f64> {
    window.values.iter().copied().reduce(|min, v| if v < min || min.is_nan() { v } else { min })
}

/// NaN only if all values are.
pub fn max_over_time(window: &Window<'_>, _args: &[f64]) -> Option<f64> {
    window.values.iter().copied().reduce(|max, v| if v > max || max.is_nan() { v } else { max })
}

pub fn count_over_time(window: &Window<'_>, _args: &[f64]) -> Option<f64> {
    non_empty(window).map(|_| window.values.len() as f64)
}

pub fn present_over_time(window: &Window<'_>, _args: &[f64]) -> Option<f64> {
    non_empty(window).map(|_| 1.0)
}

pub fn first_over_time(window: &Window<'_>, _args: &[f64]) -> Option<f64> {
    window.values.first().copied()
}

pub fn last_over_time(window: &Window<'_>, _args: &[f64]) -> Option<f64> {
    window.values.last().copied()
}

/// Population standard deviation.
pub fn stddev_over_time(window: &Window<'_>, args: &[f64]) -> Option<f64> {
    stdvar_over_time(window, args).map(f64::sqrt)
}

/// Population variance.
pub fn stdvar_over_time(window: &Window<'_>, _args: &[f64]) -> Option<f64> {
    let mut variance = Variance::default();
    window.values.iter().for_each(|value| variance.add(*value));
    non_empty(window).map(|_| variance.value())
}

/// The phi-quantile of the values. Argument: phi.
pub fn quantile_over_time(window: &Window<'_>, args: &[f64]) -> Option<f64> {
    let phi = args.first().copied()?;
    non_empty(window).map(|_| with_scratch(window.values, |values| quantile(phi, values)))
}

/// The median absolute deviation: the median of the distances from the median. NaN if any value is.
pub fn mad_over_time(window: &Window<'_>, _args: &[f64]) -> Option<f64> {
    non_empty(window)?;
    if window.values.iter().any(|value| value.is_nan()) {
        return Some(f64::NAN);
    }
    Some(with_scratch(window.values, |values| {
        let median = quantile(0.5, values);
        values.iter_mut().for_each(|value| *value = (*value - median).abs());
        quantile(0.5, values)
    }))
}

/// Time of the first sample in seconds.
pub fn ts_of_first_over_time(window: &Window<'_>, _args: &[f64]) -> Option<f64> {
    window.timestamps.first().map(|timestamp| seconds(*timestamp))
}

/// Time of the last sample in seconds.
pub fn ts_of_last_over_time(window: &Window<'_>, _args: &[f64]) -> Option<f64> {
    window.timestamps.last().map(|timestamp| seconds(*timestamp))
}

/// Time in seconds of the last of the lowest values.
pub fn ts_of_min_over_time(window: &Window<'_>, _args: &[f64]) -> Option<f64> {
    time_of_last(window, |value, min| value <= min || min.is_nan())
}

/// Time in seconds of the last of the highest values.
pub fn ts_of_max_over_time(window: &Window<'_>, _args: &[f64]) -> Option<f64> {
    time_of_last(window, |value, max| value >= max || max.is_nan())
}

/// Holt's linear smoothing. Arguments: the smoothing factor and the trend factor, both within (0, 1)
/// (see [`factor_problem`]). Fewer than two samples have no result.
pub fn double_exponential_smoothing(window: &Window<'_>, args: &[f64]) -> Option<f64> {
    let [smoothing, trend] = args else { return None };
    let [first, second, ..] = window.values else { return None };
    let (mut before, mut smoothed, mut slope) = (0.0, *first, second - first);
    for (index, value) in window.values.iter().enumerate().skip(1) {
        if index > 1 {
            slope = trend * (smoothed - before) + (1.0 - trend) * slope;
        }
        let next = smoothing * value + (1.0 - smoothing) * (smoothed + slope);
        (before, smoothed) = (smoothed, next);
    }
    Some(smoothed)
}

/// What is wrong with the factors of `double_exponential_smoothing`, in Prometheus' words. NaN passes.
pub fn factor_problem(smoothing: f64, trend: f64) -> Option<String> {
    let problem = |value: f64, what: &str, symbol: &str| {
        (value <= 0.0 || value >= 1.0).then(|| {
            let shown = match value {
                f64::INFINITY => "+Inf".to_string(),
                f64::NEG_INFINITY => "-Inf".to_string(),
                value => format!("{value:.6}"),
            };
            format!("invalid {what} factor. Expected: 0 < {symbol} < 1, got: {shown}")
        })
    };
    problem(smoothing, "smoothing", "sf").or_else(|| problem(trend, "trend", "tf"))
}

fn non_empty(window: &Window<'_>) -> Option<()> {
    (!window.values.is_empty()).then_some(())
}

fn time_of_last(window: &Window<'_>, replaces: impl Fn(f64, f64) -> bool) -> Option<f64> {
    let mut samples = window.timestamps.iter().zip(window.values);
    let (mut time, mut best) = samples.next()?;
    for (timestamp, value) in samples {
        if replaces(*value, *best) {
            (time, best) = (timestamp, value);
        }
    }
    Some(seconds(*time))
}

/// Runs `body` on a copy of `values` it may reorder. The memory of the copy is kept for the next step.
fn with_scratch<R>(values: &[f64], body: impl FnOnce(&mut [f64]) -> R) -> R {
    thread_local! {
        static SCRATCH: RefCell<Vec<f64>> = const { RefCell::new(Vec::new()) };
    }
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.clear();
        scratch.extend_from_slice(values);
        body(scratch)
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{WindowOf, close};
    use super::*;
    use crate::promql::functions::RangeFunction;
    use proptest::prelude::*;

    const NAN: f64 = f64::NAN;
    const INF: f64 = f64::INFINITY;

    fn of(function: RangeFunction, values: &[f64], args: &[f64]) -> Option<f64> {
        let series = WindowOf::every(1_000, values);
        function(&series.window(-1, values.len() as i64 * 1_000), args)
    }

    #[test]
    fn nothing_comes_of_an_empty_window() {
        for function in [
            avg_over_time,
            sum_over_time,
            min_over_time,
            max_over_time,
            count_over_time,
            present_over_time,
            first_over_time,
            last_over_time,
            stddev_over_time,
            stdvar_over_time,
            quantile_over_time,
            mad_over_time,
            ts_of_first_over_time,
            ts_of_last_over_time,
            ts_of_min_over_time,
            ts_of_max_over_time,
            double_exponential_smoothing,
        ] {
            assert_eq!(of(function, &[], &[0.5, 0.5]), None);
        }
    }

    #[test]
    fn extremes_pass_over_nan_unless_there_is_nothing_else() {
        assert_eq!(of(min_over_time, &[NAN, 3.0, NAN, 1.0], &[]), Some(1.0));
        assert_eq!(of(max_over_time, &[NAN, 3.0, 4.0, NAN], &[]), Some(4.0));
        assert_eq!(of(max_over_time, &[-INF, NAN], &[]), Some(-INF));
        assert!(of(min_over_time, &[NAN, NAN], &[]).unwrap().is_nan());
    }

    #[test]
    fn times_of_extremes_are_those_of_the_last_one() {
        assert_eq!(of(ts_of_max_over_time, &[1.0, 5.0, 2.0, 5.0, 3.0], &[]), Some(3.0));
        assert_eq!(of(ts_of_min_over_time, &[1.0, 5.0, 1.0, 5.0], &[]), Some(2.0));
        assert_eq!(of(ts_of_min_over_time, &[NAN, 5.0, NAN], &[]), Some(1.0));
        assert_eq!(of(ts_of_max_over_time, &[NAN, NAN], &[]), Some(1.0));
        assert_eq!(of(ts_of_first_over_time, &[7.0, 8.0], &[]), Some(0.0));
        assert_eq!(of(ts_of_last_over_time, &[7.0, 8.0], &[]), Some(1.0));
    }

    #[test]
    fn spread() {
        assert_eq!(of(stddev_over_time, &[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0], &[]), Some(2.0));
        assert_eq!(of(stdvar_over_time, &[5.0], &[]), Some(0.0));
        assert!(of(stddev_over_time, &[1.0, INF], &[]).unwrap().is_nan());
        // Median 2, distances 1 1 0 0 2 4 7, sorted 0 0 1 1 2 4 7.
        assert_eq!(of(mad_over_time, &[1.0, 1.0, 2.0, 2.0, 4.0, 6.0, 9.0], &[]), Some(1.0));
        assert!(of(mad_over_time, &[1.0, NAN], &[]).unwrap().is_nan());
    }

    #[test]
    fn smoothing() {
        // Linear series are their own smoothing.
        assert!(close(
            of(double_exponential_smoothing, &[0.0, 10.0, 20.0, 30.0], &[0.5, 0.1]),
            30.0
        ));
        // By hand: s = 0, b = 4; s = 2 + 0.5*(0+4) = 4; b = 0.5*4 + 0.5*4 = 4; s = 1 + 0.5*(4+4) = 5.
        assert_eq!(of(double_exponential_smoothing, &[0.0, 4.0, 2.0], &[0.5, 0.5]), Some(5.0));
        assert_eq!(of(double_exponential_smoothing, &[1.0], &[0.5, 0.5]), None);
    }

    #[test]
    fn smoothing_factors_are_within_zero_and_one() {
        assert_eq!(factor_problem(0.5, 0.1), None);
        assert_eq!(factor_problem(NAN, NAN), None);
        let problem = factor_problem(1.0, 0.1).unwrap();
        assert_eq!(problem, "invalid smoothing factor. Expected: 0 < sf < 1, got: 1.000000");
        assert!(factor_problem(0.5, 0.0).unwrap().starts_with("invalid trend factor"));
    }

    #[test]
    fn simple_reductions() {
        assert_eq!(of(sum_over_time, &[1.0, 2.0, 4.0], &[]), Some(7.0));
        assert_eq!(of(avg_over_time, &[1.0, 2.0, 6.0], &[]), Some(3.0));
        assert_eq!(of(count_over_time, &[NAN, 2.0], &[]), Some(2.0));
        assert_eq!(of(present_over_time, &[NAN], &[]), Some(1.0));
        assert_eq!(of(first_over_time, &[4.0, 5.0], &[]), Some(4.0));
        assert_eq!(of(last_over_time, &[4.0, 5.0], &[]), Some(5.0));
        assert_eq!(of(quantile_over_time, &[0.0, 10.0, 20.0], &[0.75]), Some(15.0));
        assert_eq!(of(quantile_over_time, &[7.0], &[-1.0]), Some(-INF));
    }

    proptest! {
        #[test]
        fn reductions_agree_with_their_definitions(
            values in proptest::collection::vec(-1e6f64..1e6, 1..40),
        ) {
            let n = values.len() as f64;
            let sum: f64 = values.iter().sum();
            let mean = sum / n;
            let within = |got: Option<f64>, want: f64| (got.unwrap() - want).abs() <= 1e-6 * want.abs().max(1.0);
            prop_assert!(within(of(sum_over_time, &values, &[]), sum));
            prop_assert!(within(of(avg_over_time, &values, &[]), mean));
            let min = values.iter().copied().fold(INF, f64::min);
            let max = values.iter().copied().fold(-INF, f64::max);
            prop_assert_eq!(of(min_over_time, &values, &[]), Some(min));
            prop_assert_eq!(of(max_over_time, &values, &[]), Some(max));
            prop_assert_eq!(of(quantile_over_time, &values, &[0.0]), Some(min));
            prop_assert_eq!(of(quantile_over_time, &values, &[1.0]), Some(max));
        }
    }
}

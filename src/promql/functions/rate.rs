//! The functions of differences between samples: `rate`, `increase`, `delta`, `irate`, `idelta`, `changes`,
//! `resets` (Prometheus docs, "Query functions"). Called by the engine once per series and step. Windows of floats
//! alone, and nothing known of when a counter started: the others are in `histogram_rate` and `started`.

use super::extrapolation::{Extent, Stretch};
use super::{Window, seconds};

/// Per-second increase of a counter over the window, extrapolated to its edges.
pub fn rate(window: &Window<'_>, _args: &[f64]) -> Option<f64> {
    counter_increase(window, lost_in_resets(window.values), true)
}

/// Increase of a counter over the window, extrapolated to its edges.
pub fn increase(window: &Window<'_>, _args: &[f64]) -> Option<f64> {
    counter_increase(window, lost_in_resets(window.values), false)
}

/// `increase` or `rate` of a window whose resets have lost so much.
#[inline]
pub fn counter_increase(window: &Window<'_>, lost: f64, per_second: bool) -> Option<f64> {
    let [first, .., last] = window.values else { return None };
    let increase = last - first + lost;
    let stretch = stretch(window)?.of_counter(*first, increase);
    Some(match per_second {
        true => {
            let range_ms = (window.range_end - window.range_start) as f64;
            increase * stretch.factor_per_second(range_ms)
        }
        false => increase * stretch.factor(),
    })
}

/// Difference of a gauge over the window, extrapolated to its edges.
pub fn delta(window: &Window<'_>, _args: &[f64]) -> Option<f64> {
    let [first, .., last] = window.values else { return None };
    Some((last - first) * stretch(window)?.factor())
}

/// Per-second increase between the last two samples of a counter.
pub fn irate(window: &Window<'_>, _args: &[f64]) -> Option<f64> {
    let (before, last, interval_ms) = last_two(window)?;
    let increase = if last < before { last } else { last - before };
    Some(increase / seconds(interval_ms))
}

/// Difference between the last two samples of a gauge.
pub fn idelta(window: &Window<'_>, _args: &[f64]) -> Option<f64> {
    last_two(window).map(|(before, last, _)| last - before)
}

/// How often the value differs from the one before it. NaN after NaN is no change.
pub fn changes(window: &Window<'_>, _args: &[f64]) -> Option<f64> {
    count_pairs(window, is_change)
}

/// How often the value is lower than the one before it.
pub fn resets(window: &Window<'_>, _args: &[f64]) -> Option<f64> {
    count_pairs(window, is_reset)
}

pub fn is_change(before: f64, after: f64) -> bool {
    after != before && !(after.is_nan() && before.is_nan())
}

pub fn is_reset(before: f64, after: f64) -> bool {
    after < before
}

fn count_pairs(window: &Window<'_>, counts: impl Fn(f64, f64) -> bool) -> Option<f64> {
    if window.values.is_empty() {
        return None;
    }
    Some(window.values.windows(2).filter(|pair| counts(pair[0], pair[1])).count() as f64)
}

/// The last two values and the milliseconds between them.
fn last_two(window: &Window<'_>) -> Option<(f64, f64, i64)> {
    let [.., before_ms, last_ms] = window.timestamps else { return None };
    let [.., before, last] = window.values else { return None };
    let interval_ms = last_ms - before_ms;
    (interval_ms != 0).then_some((*before, *last, interval_ms))
}

/// How a difference over the window is stretched, as far as time tells.
#[inline]
fn stretch(window: &Window<'_>) -> Option<Stretch> {
    let [first_ms, .., last_ms] = window.timestamps else { return None };
    let extent = Extent { first_ms: *first_ms, last_ms: *last_ms, count: window.timestamps.len() };
    Some(Stretch::of((window.range_start, window.range_end), extent))
}

/// What the counter had reached before each of its resets.
fn lost_in_resets(values: &[f64]) -> f64 {
    if has_reset(values) { lost_in(values.iter().copied()) } else { 0.0 }
}

/// Most windows hold no reset; without a branch per pair the compiler compares several at once.
pub fn has_reset(values: &[f64]) -> bool {
    let pairs = values.iter().zip(values.get(1..).unwrap_or_default());
    pairs.fold(false, |falls, (before, after)| falls | (after < before))
}

/// What a counter with these values had reached before each of its resets.
pub fn lost_in(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut lost = 0.0;
    let mut before = f64::NEG_INFINITY;
    for value in values {
        if value < before {
            lost += before;
        }
        before = value;
    }
    lost
}

#[cfg(test)]
mod tests {
    use super::super::testing::{WindowOf, close};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_steady_counter_that_fills_its_window_has_its_slope() {
        let series = WindowOf::every(15_000, &[100.0, 115.0, 130.0, 145.0]);
        // Samples at 0, 15, 30 and 45 s in (-15 s, 45 s].
        let window = series.window(-15_000, 45_000);
        assert!(close(rate(&window, &[]), 1.0));
        assert_eq!(increase(&window, &[]), Some(60.0));
        assert_eq!(delta(&window, &[]), Some(60.0));
    }

    #[test]
    fn a_far_edge_is_extrapolated_by_half_a_spacing() {
        let series = WindowOf::every(10_000, &[50.0, 60.0, 70.0]);
        // 20 s of samples, 5 s more to each side; the zero point is 50 s away.
        assert_eq!(increase(&series.window(-100_000, 120_000), &[]), Some(30.0));
        // A gap of exactly 1.1 spacings is far already, one just below is not.
        assert_eq!(increase(&series.window(-11_000, 20_000), &[]), Some(25.0));
        assert!(close(increase(&series.window(-10_999, 20_000), &[]), 30.999));
    }

    #[test]
    fn a_counter_is_not_extrapolated_below_zero_but_a_gauge_is() {
        let series = WindowOf::every(10_000, &[2.0, 12.0]);
        let window = series.window(-5_000, 10_000);
        // Zero 2 s before the first sample.
        assert!(close(increase(&window, &[]), 12.0));
        assert!(close(delta(&window, &[]), 15.0));
        let from_zero = WindowOf::every(10_000, &[0.0, 10.0]);
        assert!(close(increase(&from_zero.window(-5_000, 10_000), &[]), 10.0));
        let from_below = WindowOf::every(10_000, &[-1.0, 9.0]);
        assert!(close(increase(&from_below.window(-5_000, 10_000), &[]), 15.0));
    }

    #[test]
    fn resets_add_what_was_reached_before() {
        let series = WindowOf::every(1_000, &[5.0, 8.0, 1.0, 4.0, 0.0]);
        let window = series.window(0, 4_000);
        // 3 up, reset to 1, 3 up, reset to 0: 3 + 1 + 3 + 0.
        assert_eq!(increase(&window, &[]), Some(7.0));
        assert_eq!(resets(&window, &[]), Some(2.0));
        assert_eq!(changes(&window, &[]), Some(4.0));
        assert_eq!(delta(&window, &[]), Some(-5.0));
    }

    #[test]
    fn fewer_than_two_samples_have_no_rate() {
        for function in [rate, increase, delta, irate, idelta] {
            assert_eq!(function(&WindowOf::every(1, &[]).window(0, 10), &[]), None);
            assert_eq!(function(&WindowOf::every(1, &[1.0]).window(-1, 10), &[]), None);
        }
        let one = WindowOf::every(1, &[1.0]);
        assert_eq!(changes(&one.window(-1, 1), &[]), Some(0.0));
        assert_eq!(resets(&one.window(-1, 1), &[]), Some(0.0));
        assert_eq!(changes(&WindowOf::every(1, &[]).window(0, 1), &[]), None);
    }

    #[test]
    fn the_instant_forms_look_at_the_last_two_samples() {
        let series = WindowOf::every(4_000, &[100.0, 10.0, 30.0]);
        assert_eq!(irate(&series.window(-1, 8_000), &[]), Some(5.0));
        assert_eq!(idelta(&series.window(-1, 8_000), &[]), Some(20.0));
        let reset = WindowOf::every(4_000, &[30.0, 8.0]);
        assert_eq!(irate(&reset.window(-1, 4_000), &[]), Some(2.0));
        assert_eq!(idelta(&reset.window(-1, 4_000), &[]), Some(-22.0));
    }

    #[test]
    fn nan_is_a_change_only_beside_a_number() {
        let series = WindowOf::every(1, &[1.0, f64::NAN, f64::NAN, 2.0]);
        assert_eq!(changes(&series.window(-1, 3), &[]), Some(2.0));
        assert_eq!(resets(&series.window(-1, 3), &[]), Some(0.0));
        assert!(rate(&WindowOf::every(1, &[1.0, f64::NAN]).window(-1, 3), &[]).unwrap().is_nan());
    }

    proptest! {
        #[test]
        fn increase_of_a_counter_is_at_least_the_sum_of_its_steps(
            steps in proptest::collection::vec(0.0f64..100.0, 2..30),
            reset_at in 0usize..30,
        ) {
            let mut counter = 0.0;
            let mut gained = 0.0;
            let mut values = Vec::new();
            for (i, step) in steps.iter().enumerate() {
                if i == reset_at { counter = 0.0; }
                counter += step;
                if i > 0 { gained += step; }
                values.push(counter);
            }
            // A reset only shows when the new value is below the old one.
            let hidden = reset_at > 0
                && reset_at < values.len()
                && values[reset_at] >= values[reset_at - 1];
            let series = WindowOf::every(1_000, &values);
            let end = (values.len() as i64 - 1) * 1_000;
            let exact = increase(&series.window(0, end), &[]).unwrap();
            if !hidden {
                prop_assert!((exact - gained).abs() < 1e-9 * (1.0 + gained));
            }
            let wider = increase(&series.window(-1_000, end + 500), &[]).unwrap();
            prop_assert!(wider + 1e-9 >= exact);
        }

        #[test]
        fn delta_scales_and_shifts(values in proptest::collection::vec(-1e3f64..1e3, 2..20), by in -1e3f64..1e3) {
            let end = values.len() as i64 * 1_000;
            let shifted: Vec<f64> = values.iter().map(|v| v * 2.0 + by).collect();
            let plain = delta(&WindowOf::every(1_000, &values).window(-500, end), &[]).unwrap();
            let moved = delta(&WindowOf::every(1_000, &shifted).window(-500, end), &[]).unwrap();
            prop_assert!((moved - 2.0 * plain).abs() < 1e-6);
        }
    }
}

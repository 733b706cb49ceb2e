//! The functions of differences: `rate`, `increase`, `delta`, `irate`, `idelta`.

use silverback::model::Histogram;
use silverback::model::histogram::ResetHint;

use super::range::Window;
use super::value::Value;

/// The difference between first and last point, stretched to the window.
pub fn extrapolated(name: &str, window: &Window<'_>) -> Option<Value> {
    let (floats, histograms) = (window.floats(), window.histograms());
    let is_counter = name != "delta";
    if window.points.len() < 2 || (!floats.is_empty() && !histograms.is_empty()) {
        return None;
    }
    let seconds = (window.end - window.start) as f64 / 1e3;
    let per_second = if name == "rate" { seconds } else { 1.0 };
    if histograms.is_empty() {
        let mut difference = floats[floats.len() - 1].1 - floats[0].1;
        for pair in floats.windows(2) {
            if is_counter && pair[1].1 < pair[0].1 {
                difference += pair[0].1;
            }
        }
        let zero = is_counter.then_some((floats[0].1, difference));
        return Some(Value::Float(difference * stretch(window, zero) / per_second));
    }
    let mut difference = difference(&histograms, is_counter)?;
    let zero = is_counter.then_some((histograms[0].1.count, difference.count));
    difference.scale(stretch(window, zero) / per_second);
    Some(Value::Histogram(difference))
}

/// How much longer than between its points the series is taken to go on within the window. `zero`: the first value of a
/// counter and its increase, since it is not taken to go on below zero.
fn stretch(window: &Window<'_>, zero: Option<(f64, f64)>) -> f64 {
    let (first, last) = (window.points[0].0, window.points[window.points.len() - 1].0);
    let (sampled, spacings) = (last - first, window.points.len() as i64 - 1);
    let half = sampled as f64 / spacings as f64 / 2.0;
    let is_far = |gap: i64| gap * spacings * 10 >= sampled * 11;
    let reached = |gap: i64| if is_far(gap) { half } else { gap as f64 };
    let mut before = reached(first - window.start);
    if let Some((value, increase)) = zero
        && increase > 0.0
        && value >= 0.0
    {
        let to_zero = sampled as f64 * (value / increase);
        if to_zero < before {
            before = to_zero;
        }
    }
    (sampled as f64 + before + reached(window.end - last)) / sampled as f64
}

fn difference(points: &[(i64, Histogram)], is_counter: bool) -> Option<Histogram> {
    let reset_at_once = is_counter && points[1].1.is_reset_after(&points[0].1);
    let relevant = if reset_at_once { &points[1..] } else { points };
    let custom = relevant.iter().filter(|(_, histogram)| histogram.uses_custom_buckets()).count();
    if custom != 0 && custom != relevant.len() {
        return None;
    }
    let mut difference = points[points.len() - 1].1.clone();
    if !reset_at_once {
        difference.sub(&points[0].1).ok()?;
    }
    for pair in relevant.windows(2) {
        if is_counter && pair[1].1.is_reset_after(&pair[0].1) {
            difference.add(&pair[0].1).ok()?;
        }
    }
    let lowest = relevant.iter().map(|(_, histogram)| histogram.schema).min()?;
    let _ = difference.reduce_schema(lowest);
    difference.hint = ResetHint::Gauge;
    difference.compact();
    Some(difference)
}

/// The difference between the last two points.
pub fn of_last_two(name: &str, window: &Window<'_>) -> Option<Value> {
    let [.., (before_time, before), (last_time, last)] = window.points else { return None };
    let is_counter = name == "irate";
    let per_second = if is_counter { (last_time - before_time) as f64 / 1e3 } else { 1.0 };
    match (before, last) {
        (Value::Float(before), Value::Float(last)) => {
            let whole = is_counter && last < before;
            let difference = if whole { *last } else { last - before };
            Some(Value::Float(difference / per_second))
        }
        (Value::Histogram(before), Value::Histogram(last)) => {
            let mut difference = last.clone();
            if !(is_counter && last.is_reset_after(before)) {
                difference.sub(before).ok()?;
            }
            difference.hint = ResetHint::Gauge;
            difference.compact();
            difference.divide(per_second);
            Some(Value::Histogram(difference))
        }
        _ => None,
    }
}

//! Functions of a window of one series, each from its definition, over all points of the window.

use silverback::model::Histogram;
use silverback::model::histogram::{Combined, HistogramSum};

use super::eval::Oracle;
use super::notes::Notes;
use super::rates::mixed_schemas;
use super::value::{Point, Result, Value};

pub struct Window<'p> {
    /// At least one, in order of time.
    pub points: &'p [Point],
    /// Excluded.
    pub start: i64,
    pub end: i64,
    /// Of the step.
    pub time: i64,
    /// The name of the series.
    pub metric: &'p str,
    /// Of the range vector in the query.
    pub place: u32,
}

impl<'p> Window<'p> {
    pub fn floats(&self) -> Vec<(i64, f64)> {
        self.points.iter().filter_map(|point| Some((point.time, point.value.float()?))).collect()
    }

    pub fn values(&self) -> Vec<f64> {
        self.points.iter().filter_map(|point| point.value.float()).collect()
    }

    pub fn histograms(&self) -> Vec<&'p Histogram> {
        self.points.iter().filter_map(|point| point.value.histogram()).collect()
    }

    /// Are there points of both kinds?
    pub fn is_mixed(&self) -> bool {
        let histograms = self.histograms().len();
        histograms != 0 && histograms != self.points.len()
    }
}

/// The function of the window; `None`: no result.
pub fn apply(
    oracle: &Oracle<'_>,
    name: &str,
    window: &Window<'_>,
    args: &[f64],
) -> Result<Option<Value>> {
    let (first, last) = (&window.points[0], &window.points[window.points.len() - 1]);
    if matches!(name, "rate" | "increase" | "irate" | "changes" | "resets") {
        // Of values that were computed, one that is less by its last bit is a reset.
        window.values().windows(2).for_each(|pair| oracle.compared(pair[0], pair[1]));
    }
    Ok(Some(match name {
        "rate" | "increase" | "delta" => return Ok(oracle.extrapolated(name, window)),
        "irate" | "idelta" => return Ok(oracle.of_last_two(name, window)),
        "sum_over_time" | "avg_over_time" => return Ok(total(oracle, name, window)),
        "first_over_time" => first.value.clone(),
        "last_over_time" => last.value.clone(),
        "count_over_time" => Value::Float(window.points.len() as f64),
        "present_over_time" => Value::Float(1.0),
        "ts_of_first_over_time" => Value::Float(first.time as f64 / 1e3),
        "ts_of_last_over_time" => Value::Float(last.time as f64 / 1e3),
        "changes" | "resets" => {
            let knows_starts = oracle.use_start_timestamps;
            Value::Float(count(oracle, name, window.points, knows_starts))
        }
        _ => return of_floats(oracle, name, window, args).map(|value| value.map(Value::Float)),
    }))
}

/// How often something happens from one point to the next.
pub fn count(oracle: &Oracle<'_>, name: &str, points: &[Point], knows_starts: bool) -> f64 {
    let happens = |pair: &&[Point]| match name {
        "changes" => is_change(&pair[0].value, &pair[1].value),
        _ if knows_starts => oracle.is_reset(&pair[0], &pair[1]),
        _ => is_reset(&pair[0].value, &pair[1].value),
    };
    points.windows(2).filter(happens).count() as f64
}

fn is_change(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Float(a), Value::Float(b)) => a != b && !(a.is_nan() && b.is_nan()),
        (Value::Histogram(a), Value::Histogram(b)) => !a.equals(b),
        _ => true,
    }
}

pub fn is_reset(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Float(before), Value::Float(after)) => after < before,
        (Value::Histogram(before), Value::Histogram(after)) => after.is_reset_after(before),
        _ => true,
    }
}

/// Sum or mean of points of one kind.
fn total(oracle: &Oracle<'_>, name: &str, window: &Window<'_>) -> Option<Value> {
    let (values, histograms) = (window.values(), window.histograms());
    if window.is_mixed() {
        oracle.note_mixed_kinds(window.metric, window.place);
        return None;
    }
    let Some((first, others)) = histograms.split_first() else {
        let (sum, count) = (values.iter().fold(0.0, |sum, value| sum + value), values.len() as f64);
        return Some(Value::Float(if name == "sum_over_time" { sum } else { sum / count }));
    };
    let mut sum = HistogramSum::new(first);
    let mut notes = oracle.notes.borrow_mut();
    if others.iter().any(|histogram| sum.add(histogram).is_err()) {
        notes.warn(window.place, mixed_schemas(window.metric));
        return None;
    }
    note_combined(&mut notes, sum.combined(), window.place);
    Some(Value::Histogram(if name == "sum_over_time" { sum.sum() } else { sum.mean() }))
}

/// What is to be said of a sum of histograms.
pub fn note_combined(notes: &mut Notes, combined: Combined, place: u32) {
    if combined.reset_conflict {
        notes.warn(place, "conflicting counter resets during histogram aggregation");
    }
    if combined.bounds_reconciled {
        notes.info(place, "mismatched custom buckets were reconciled during aggregation");
    }
}

impl Oracle<'_> {
    /// Those of `double_exponential_smoothing`.
    pub fn check_factors(&self, name: &str, args: &[f64]) -> Result<()> {
        if name != "double_exponential_smoothing" {
            return Ok(());
        }
        for (what, factor) in [("smoothing", args[0]), ("trend", args[1])] {
            if factor <= 0.0 || factor >= 1.0 {
                return self.fail(format!("invalid {what} factor"));
            }
        }
        Ok(())
    }

    /// [`line`], which is level or is not.
    fn slope(&self, points: &[(i64, f64)], at: i64) -> (f64, f64) {
        let (slope, value) = line(points, at);
        let is_level = points.iter().all(|point| point.1 == points[0].1);
        if slope.abs() < 1e-12 && !is_level {
            // Nothing, or what rounding leaves.
            self.doubtful.set(true);
        }
        (slope, value)
    }
}

/// Functions that see floats only.
fn of_floats(
    oracle: &Oracle<'_>,
    name: &str,
    window: &Window<'_>,
    args: &[f64],
) -> Result<Option<f64>> {
    let (points, values) = (window.floats(), window.values());
    oracle.check_factors(name, args)?;
    if points.is_empty() {
        return Ok(None);
    }
    if window.is_mixed() {
        let text =
            "ignored histograms in a range containing both floats and histograms for metric name";
        oracle.notes.borrow_mut().info(window.place, format!("{text} {:?}", window.metric));
    }
    if matches!(name, "deriv" | "predict_linear") && values.iter().any(|value| value.is_infinite())
    {
        // Infinity less infinity is no number, or is never computed: as the formula is turned.
        oracle.doubtful.set(true);
    }
    Ok(Some(match name {
        "min_over_time" => extreme(&points, |a, b| a <= b).1,
        "max_over_time" => extreme(&points, |a, b| a >= b).1,
        "ts_of_min_over_time" => extreme(&points, |a, b| a <= b).0 as f64 / 1e3,
        "ts_of_max_over_time" => extreme(&points, |a, b| a >= b).0 as f64 / 1e3,
        "stddev_over_time" => variance(&values).sqrt(),
        "stdvar_over_time" => variance(&values),
        "quantile_over_time" => quantile(args[0], &values),
        "mad_over_time" if values.iter().any(|value| value.is_nan()) => f64::NAN,
        "mad_over_time" => {
            let median = quantile(0.5, &values);
            let distances: Vec<f64> = values.iter().map(|value| (value - median).abs()).collect();
            quantile(0.5, &distances)
        }
        "deriv" | "predict_linear" if points.len() < 2 => return Ok(None),
        "deriv" => oracle.slope(&points, points[0].0).0,
        "predict_linear" => {
            let (slope, intercept) = oracle.slope(&points, window.time);
            slope * args[0] + intercept
        }
        "double_exponential_smoothing" if points.len() < 2 => return Ok(None),
        "double_exponential_smoothing" => smoothed(&values, args[0], args[1]),
        other => panic!("the oracle does not know {other}"),
    }))
}

/// The last point that is at least as extreme as all others; NaN only if there is nothing else.
fn extreme(points: &[(i64, f64)], beats: impl Fn(f64, f64) -> bool) -> (i64, f64) {
    let mut found = points[0];
    for point in points {
        if beats(point.1, found.1) || found.1.is_nan() {
            found = *point;
        }
    }
    found
}

/// The population variance.
pub fn variance(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count
}

/// Between the two values nearest to the rank; NaN comes first.
pub fn quantile(phi: f64, values: &[f64]) -> f64 {
    if values.is_empty() || phi.is_nan() {
        return f64::NAN;
    }
    if phi < 0.0 {
        return f64::NEG_INFINITY;
    }
    if phi > 1.0 {
        return f64::INFINITY;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| match (a.is_nan(), b.is_nan()) {
        (false, false) => a.total_cmp(b),
        (a, b) => b.cmp(&a),
    });
    let rank = phi * (sorted.len() - 1) as f64;
    let lower = rank.floor() as usize;
    let upper = (lower + 1).min(sorted.len() - 1);
    let weight = rank - rank.floor();
    sorted[lower] * (1.0 - weight) + sorted[upper] * weight
}

/// Slope per second, and value at a time, of the line of least squares.
fn line(points: &[(i64, f64)], at: i64) -> (f64, f64) {
    if points.iter().all(|(_, value)| *value == points[0].1) {
        let constant = points[0].1;
        return if constant.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, constant) };
    }
    let count = points.len() as f64;
    let seconds = |time: i64| (time - points[0].0) as f64 / 1e3;
    let mean_x = points.iter().map(|(time, _)| seconds(*time)).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, value)| *value).sum::<f64>() / count;
    let (mut covariance, mut spread) = (0.0, 0.0);
    for (time, value) in points {
        covariance += (seconds(*time) - mean_x) * (value - mean_y);
        spread += (seconds(*time) - mean_x) * (seconds(*time) - mean_x);
    }
    let slope = covariance / spread;
    (slope, mean_y + slope * (seconds(at) - mean_x))
}

/// Holt's linear smoothing.
fn smoothed(values: &[f64], smoothing: f64, trend: f64) -> f64 {
    let (mut level, mut before, mut slope) = (values[0], values[0], values[1] - values[0]);
    for (index, value) in values.iter().enumerate().skip(1) {
        if index > 1 {
            slope = trend * (level - before) + (1.0 - trend) * slope;
        }
        before = level;
        level = smoothing * value + (1.0 - smoothing) * (level + slope);
    }
    level
}

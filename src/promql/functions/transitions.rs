//! `changes` and `resets` of windows with histograms or start times: functions of the pairs of neighbouring samples,
//! whatever kind they are of.

use super::Window;
use super::started::{self, Life};
use crate::model::Histogram;

/// A sample of either kind.
#[derive(Clone, Copy)]
struct Sample<'a> {
    life: Life,
    value: Value<'a>,
}

#[derive(Clone, Copy)]
enum Value<'a> {
    Float(f64),
    Histogram(&'a Histogram),
}

/// How often the value differs from the one before it. NaN after NaN is no change; a value of another kind is.
pub fn changes(window: &Window<'_>) -> Option<f64> {
    count_pairs(window, |before, after| match (before.value, after.value) {
        (Value::Float(before), Value::Float(after)) => {
            after != before && !(after.is_nan() && before.is_nan())
        }
        (Value::Histogram(before), Value::Histogram(after)) => !after.equals(before),
        _ => true,
    })
}

/// How often the counter starts anew: at the latest with a value of another kind.
pub fn resets(window: &Window<'_>) -> Option<f64> {
    count_pairs(window, |before, after| {
        let fallen = match (before.value, after.value) {
            (Value::Float(before), Value::Float(after)) => after < before,
            (Value::Histogram(before), Value::Histogram(after)) => after.is_reset_after(before),
            _ => true,
        };
        fallen || after.life.is_reset_after(before.life)
    })
}

fn count_pairs(
    window: &Window<'_>,
    counts: impl Fn(&Sample<'_>, &Sample<'_>) -> bool,
) -> Option<f64> {
    let mut samples = in_order(window);
    let mut before = samples.next()?;
    let mut count = 0;
    for sample in samples {
        count += u64::from(counts(&before, &sample));
        before = sample;
    }
    Some(count as f64)
}

/// All samples by time.
fn in_order<'a>(window: &Window<'a>) -> impl Iterator<Item = Sample<'a>> {
    let window = *window;
    let (mut float, mut histogram) = (0, 0);
    std::iter::from_fn(move || {
        let next_float = window.timestamps.get(float).copied();
        let next = window.histograms.get(histogram);
        if let Some(sample) = next.filter(|s| next_float.is_none_or(|time| s.timestamp < time)) {
            histogram += 1;
            let life = Life { start: sample.start, time: sample.timestamp };
            return Some(Sample { life, value: Value::Histogram(&sample.histogram) });
        }
        next_float?;
        float += 1;
        let life = started::life(&window, float - 1);
        Some(Sample { life, value: Value::Float(window.values[float - 1]) })
    })
}

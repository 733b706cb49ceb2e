//! The functions of differences between histograms: `rate`, `increase`, `delta`, `irate`, `idelta` of windows that hold
//! nothing else. A result is a gauge, whatever the input is, without empty buckets.
//!
//! 1. What a counter counted is its last histogram less its first, plus what was reached before each reset.
//! 2. If it started within the window or was reset right after its first sample, nothing is subtracted; in the second
//!    case that sample is not looked at, so its buckets may be of another kind.
//! 3. Extrapolation goes by the count.

use super::combine::{add, subtract};
use super::extrapolation::{Extent, Stretch};
use super::started::{Life, note_overlaps};
use super::{Remark, Remarks, Window, seconds};
use crate::model::Histogram;
use crate::model::histogram::ResetHint;
use crate::read::HistogramSample;

/// Per-second increase of a counter over the window, extrapolated to its edges.
pub fn rate(window: &Window<'_>, remarks: &mut Remarks) -> Option<Histogram> {
    let range_seconds = seconds(window.range_end - window.range_start);
    let (mut increase, factor) = counted(window, remarks)?;
    increase.scale(factor / range_seconds);
    Some(increase)
}

/// Increase of a counter over the window, extrapolated to its edges.
pub fn increase(window: &Window<'_>, remarks: &mut Remarks) -> Option<Histogram> {
    let (mut increase, factor) = counted(window, remarks)?;
    increase.scale(factor);
    Some(increase)
}

/// Difference of a gauge over the window, extrapolated to its edges.
pub fn delta(window: &Window<'_>, remarks: &mut Remarks) -> Option<Histogram> {
    let [first, .., last] = window.histograms else { return None };
    let mut difference = last.histogram.as_ref().clone();
    check_schemas(window.histograms, remarks)?;
    subtract(&mut difference, &first.histogram, remarks)?;
    note_counters([first, last], remarks);
    finish(&mut difference, window.histograms);
    let range = (window.range_start, window.range_end);
    difference.scale(Stretch::of(range, extent(window.histograms)).factor());
    Some(difference)
}

/// Per-second increase between the last two histograms of a counter.
pub fn irate(
    before: &HistogramSample,
    last: &HistogramSample,
    remarks: &mut Remarks,
) -> Option<Histogram> {
    note_gauges([before, last], remarks);
    let mut increase = last.histogram.as_ref().clone();
    if !is_reset(before, last) {
        subtract(&mut increase, &before.histogram, remarks)?;
    }
    increase.hint = ResetHint::Gauge;
    increase.compact();
    increase.divide(seconds(last.timestamp - before.timestamp));
    Some(increase)
}

/// Difference between the last two histograms of a gauge.
pub fn idelta(
    before: &HistogramSample,
    last: &HistogramSample,
    remarks: &mut Remarks,
) -> Option<Histogram> {
    let mut difference = last.histogram.as_ref().clone();
    subtract(&mut difference, &before.histogram, remarks)?;
    note_counters([before, last], remarks);
    difference.compact();
    Some(difference)
}

/// What the counter counted between what is known of it, and the factor that extrapolates this to the window.
fn counted(window: &Window<'_>, remarks: &mut Remarks) -> Option<(Histogram, f64)> {
    let samples = window.histograms;
    let (first, last) = (samples.first()?, samples.last()?);
    let start = life(first).start_within(window);
    if samples.len() < 2 && start.is_none() {
        return None;
    }
    note_gauges(samples, remarks);
    note_overlaps(samples.iter().map(life), remarks);
    let reset_at_once = start.is_none() && is_reset(first, &samples[1]);
    let relevant = if reset_at_once { &samples[1..] } else { samples };
    check_schemas(relevant, remarks)?;
    let mut increase = last.histogram.as_ref().clone();
    if start.is_none() && !reset_at_once {
        subtract(&mut increase, &first.histogram, remarks)?;
    }
    for pair in relevant.windows(2) {
        if is_reset(&pair[0], &pair[1]) {
            add(&mut increase, &pair[0].histogram, remarks)?;
        }
    }
    finish(&mut increase, relevant);
    let (range, extent) = ((window.range_start, window.range_end), extent(samples));
    let stretch = match start {
        Some(start) => Stretch::since(range, extent, start),
        None => Stretch::of(range, extent).of_counter(first.histogram.count, increase.count),
    };
    Some((increase, stretch.factor()))
}

/// Was the counter reset between two samples, by their values or by when they started?
fn is_reset(before: &HistogramSample, after: &HistogramSample) -> bool {
    life(after).is_reset_after(life(before)) || after.histogram.is_reset_after(&before.histogram)
}

fn life(sample: &HistogramSample) -> Life {
    Life { start: sample.start, time: sample.timestamp }
}

fn extent(samples: &[HistogramSample]) -> Extent {
    let time = |sample: Option<&HistogramSample>| sample.map_or(0, |sample| sample.timestamp);
    let (first_ms, last_ms) = (time(samples.first()), time(samples.last()));
    Extent { first_ms, last_ms, count: samples.len() }
}

fn is_gauge(sample: &HistogramSample) -> bool {
    sample.histogram.hint == ResetHint::Gauge
}

/// Remarks that a counter is a gauge in truth.
pub fn note_gauges<'a>(
    samples: impl IntoIterator<Item = &'a HistogramSample>,
    remarks: &mut Remarks,
) {
    if samples.into_iter().any(is_gauge) {
        remarks.add(Remark::NotCounter);
    }
}

/// Remarks that a gauge is a counter in truth: at the samples that decide its difference.
pub fn note_counters<'a>(
    ends: impl IntoIterator<Item = &'a HistogramSample>,
    remarks: &mut Remarks,
) {
    if !ends.into_iter().all(is_gauge) {
        remarks.add(Remark::NotGauge);
    }
}

/// Are the buckets of all samples exponential, or those of all custom? If not, there is nothing in common even of those
/// that are not added or subtracted.
pub fn check_schemas(samples: &[HistogramSample], remarks: &mut Remarks) -> Option<()> {
    let custom = |sample: &HistogramSample| sample.histogram.uses_custom_buckets();
    if samples.iter().all(custom) || !samples.iter().any(custom) {
        return Some(());
    }
    remarks.add(Remark::MixedSchemas);
    None
}

/// Makes a result of a difference between `samples`: in the lowest of their schemas, since what was between the first
/// and the last is known no better.
pub fn finish(difference: &mut Histogram, samples: &[HistogramSample]) {
    let lowest = samples.iter().map(|sample| sample.histogram.schema).min();
    // A difference of samples is of the same kind as they are, and of no higher schema than the last one.
    let _ = difference.reduce_schema(lowest.unwrap_or(difference.schema));
    difference.hint = ResetHint::Gauge;
    difference.compact();
}

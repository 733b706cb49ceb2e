//! The functions of `anchored` and `smoothed` range selectors (rules in `extended`) for windows with histograms.

use super::combine::{add, interpolate, subtract};
use super::extended::Edges;
use super::histogram_rate::{check_schemas, finish, note_counters, note_gauges};
use super::mixed::of_one_kind;
use super::{MixedFunction, Remarks, Window, seconds, transitions};
use crate::model::Histogram;
use crate::model::histogram::ResetHint;
use crate::promql::column::Element;
use crate::read::HistogramSample;

/// The function of this name for windows with such edges that hold histograms.
pub fn extended_mixed_function(edges: Edges, name: &str) -> Option<MixedFunction> {
    use Edges::{Anchored, Smoothed};
    Some(match (edges, name) {
        (Anchored, "increase") => {
            |w, _, r| of_one_kind(w, r, none, |w, r| increase(w, Anchored, r))
        }
        (Smoothed, "increase") => {
            |w, _, r| of_one_kind(w, r, none, |w, r| increase(w, Smoothed, r))
        }
        (Anchored, "rate") => |w, _, r| of_one_kind(w, r, none, |w, r| rate(w, Anchored, r)),
        (Smoothed, "rate") => |w, _, r| of_one_kind(w, r, none, |w, r| rate(w, Smoothed, r)),
        (Anchored, "delta") => |w, _, r| of_one_kind(w, r, none, |w, r| delta(w, Anchored, r)),
        (Smoothed, "delta") => |w, _, r| of_one_kind(w, r, none, |w, r| delta(w, Smoothed, r)),
        (Anchored, "changes") => |w, _, _| transitions::changes(&anchored(w)?).map(Element::Float),
        (Anchored, "resets") => |w, _, _| transitions::resets(&anchored(w)?).map(Element::Float),
        _ => return None,
    })
}

/// Windows of floats alone are not for the functions here.
fn none(_: &Window<'_>, _: &mut Remarks) -> Option<f64> {
    None
}

fn increase(window: &Window<'_>, edges: Edges, remarks: &mut Remarks) -> Option<Histogram> {
    difference(window, edges, true, remarks)
}

fn delta(window: &Window<'_>, edges: Edges, remarks: &mut Remarks) -> Option<Histogram> {
    difference(window, edges, false, remarks)
}

fn rate(window: &Window<'_>, edges: Edges, remarks: &mut Remarks) -> Option<Histogram> {
    let mut rate = increase(window, edges, remarks)?;
    rate.divide(seconds(window.range_end - window.range_start));
    Some(rate)
}

/// The samples of either kind from the left edge's on, if there are any in range.
fn anchored<'a>(window: &Window<'a>) -> Option<Window<'a>> {
    let Window { timestamps, histograms, range_start, .. } = *window;
    let newest = [timestamps.last().copied(), histograms.last().map(|h| h.timestamp)];
    if newest.into_iter().flatten().max()? <= range_start {
        return None;
    }
    let float = timestamps.partition_point(|time| *time <= range_start);
    let histogram = histograms.partition_point(|sample| sample.timestamp <= range_start);
    let last_float = timestamps[..float].last().copied();
    let last_histogram = histograms[..histogram].last().map(|sample| sample.timestamp);
    let float = float - usize::from(last_float.is_some() && last_float > last_histogram);
    let histogram =
        histogram - usize::from(last_histogram.is_some() && last_histogram > last_float);
    Some(Window {
        timestamps: &timestamps[float..],
        values: &window.values[float..],
        starts: &[],
        histograms: &histograms[histogram..],
        ..*window
    })
}

/// From the histogram at the left edge to that at the right, resets of a counter undone.
fn difference(
    window: &Window<'_>,
    edges: Edges,
    is_counter: bool,
    remarks: &mut Remarks,
) -> Option<Histogram> {
    let used = between_edges(window, edges)?;
    let (first, last) = (used.first()?, used.last()?);
    match is_counter {
        true => note_gauges(used, remarks),
        false => note_counters([first, last], remarks),
    }
    check_schemas(used, remarks)?;
    let smoothed = edges == Edges::Smoothed;
    let mut at = |pair: &[HistogramSample], time: i64| match pair {
        [before, after] => line(before, after, time, is_counter, remarks),
        _ => None,
    };
    let left_is_cut = smoothed && first.timestamp < window.range_start;
    let left = match left_is_cut {
        true => at(used.get(..2)?, window.range_start)?,
        false => first.histogram.as_ref().clone(),
    };
    let mut difference = match smoothed && last.timestamp > window.range_end {
        true => at(used.get(used.len() - 2..)?, window.range_end)?,
        false => last.histogram.as_ref().clone(),
    };
    subtract(&mut difference, &left, remarks)?;
    // A line from the left edge on that is reset has begun at zero already.
    for pair in used[usize::from(left_is_cut)..].windows(2) {
        if is_counter && pair[1].histogram.is_reset_after(&pair[0].histogram) {
            add(&mut difference, &pair[0].histogram, remarks)?;
        }
    }
    finish(&mut difference, used);
    Some(difference)
}

/// The samples that the values at the edges and the resets between them come from; none if there is no answer.
fn between_edges<'a>(window: &Window<'a>, edges: Edges) -> Option<&'a [HistogramSample]> {
    let Window { histograms, range_start, range_end, .. } = *window;
    let newest = histograms.len().checked_sub(1)?;
    let first = histograms.partition_point(|h| h.timestamp <= range_start).saturating_sub(1);
    let last = match edges {
        Edges::Anchored => newest,
        Edges::Smoothed => histograms.partition_point(|h| h.timestamp < range_end).min(newest),
    };
    let outside =
        histograms[last].timestamp <= range_start || histograms[first].timestamp > range_end;
    if outside { None } else { histograms.get(first..=last) }
}

/// The histogram at `time` on the line between two samples. A counter is reset as it is on the way to the later one.
pub fn interpolate_histograms(
    before: &HistogramSample,
    after: &HistogramSample,
    time: i64,
    remarks: &mut Remarks,
) -> Option<Histogram> {
    let is_gauge = [before, after].iter().any(|sample| sample.histogram.hint == ResetHint::Gauge);
    let mut between = line(before, after, time, !is_gauge, remarks)?;
    between.hint = if is_gauge { ResetHint::Gauge } else { ResetHint::Unknown };
    Some(between)
}

fn line(
    before: &HistogramSample,
    after: &HistogramSample,
    time: i64,
    is_counter: bool,
    remarks: &mut Remarks,
) -> Option<Histogram> {
    let share = (time - before.timestamp) as f64 / (after.timestamp - before.timestamp) as f64;
    interpolate(&before.histogram, &after.histogram, share, is_counter, remarks)
}

//! The range functions of windows that hold histograms, or floats whose start times matter: by name to the arithmetic
//! in the files beside.

use super::{Remark, Remarks, Window, seconds};
use super::{histogram_rate, rate, started, transitions};
use crate::model::Histogram;
use crate::model::histogram::HistogramSum;
use crate::promql::column::Element;
use crate::read::HistogramSample;

/// A function of a window of samples of any kind and the values of its scalar arguments.
pub type MixedFunction = fn(&Window<'_>, &[f64], &mut Remarks) -> Option<Element>;

/// The function of this name for windows with histograms; `None`: it is one of floats, and passes over histograms.
pub fn mixed_function(name: &str) -> Option<MixedFunction> {
    Some(match name {
        "rate" => |w, _, r| of_one_kind(w, r, started::rate, histogram_rate::rate),
        "increase" => |w, _, r| of_one_kind(w, r, started::increase, histogram_rate::increase),
        "delta" => |w, _, r| of_one_kind(w, r, |_, _| None, histogram_rate::delta),
        "irate" => |w, _, r| of_last_two(w, r, started::irate, histogram_rate::irate),
        "idelta" => {
            |w, _, r| of_last_two(w, r, |floats| rate::idelta(floats, &[]), histogram_rate::idelta)
        }
        "changes" => |w, _, _| transitions::changes(w).map(Element::Float),
        "resets" => |w, _, _| transitions::resets(w).map(Element::Float),
        "sum_over_time" => |w, _, r| total(w, r, HistogramSum::sum),
        "avg_over_time" => |w, _, r| total(w, r, HistogramSum::mean),
        "count_over_time" => {
            |w, _, _| Some(Element::Float((w.values.len() + w.histograms.len()) as f64))
        }
        "present_over_time" => |_, _, _| Some(Element::Float(1.0)),
        "first_over_time" => |w, _, _| first(w),
        "last_over_time" => |w, _, _| last(w),
        "ts_of_first_over_time" => |w, _, _| {
            let times = [w.timestamps.first().copied(), w.histograms.first().map(|h| h.timestamp)];
            times.into_iter().flatten().min().map(time)
        },
        "ts_of_last_over_time" => |w, _, _| {
            let times = [w.timestamps.last().copied(), w.histograms.last().map(|h| h.timestamp)];
            times.into_iter().flatten().max().map(time)
        },
        _ => return None,
    })
}

/// Does the function of this name look at when a counter started?
pub fn uses_start_times(name: &str) -> bool {
    matches!(name, "rate" | "increase" | "irate" | "resets")
}

/// A function that takes all samples together, so they must be of one kind.
pub fn of_one_kind(
    window: &Window<'_>,
    remarks: &mut Remarks,
    of_floats: fn(&Window<'_>, &mut Remarks) -> Option<f64>,
    of_histograms: fn(&Window<'_>, &mut Remarks) -> Option<Histogram>,
) -> Option<Element> {
    if window.histograms.is_empty() {
        return of_floats(window, remarks).map(Element::Float);
    }
    if !window.values.is_empty() {
        remarks.add(Remark::MixedKinds);
        return None;
    }
    of_histograms(window, remarks).map(Element::from)
}

/// A function of the last two samples, which must be of one kind.
fn of_last_two(
    window: &Window<'_>,
    remarks: &mut Remarks,
    of_floats: fn(&Window<'_>) -> Option<f64>,
    of_histograms: fn(&HistogramSample, &HistogramSample, &mut Remarks) -> Option<Histogram>,
) -> Option<Element> {
    let last_float = window.timestamps.last();
    let last_histogram = window.histograms.last().map(|sample| sample.timestamp);
    if let [.., before, last] = window.histograms
        && last_float.is_none_or(|float| *float < before.timestamp)
    {
        return of_histograms(before, last, remarks).map(Element::from);
    }
    if let [.., before, _] = window.timestamps
        && last_histogram.is_none_or(|histogram| histogram < *before)
    {
        return of_floats(window).map(Element::Float);
    }
    if last_float.is_some() && last_histogram.is_some() {
        remarks.add(Remark::MixedKinds);
    }
    None
}

/// Sum or mean of the histograms of a window that holds nothing else.
fn total(
    window: &Window<'_>,
    remarks: &mut Remarks,
    result: fn(&HistogramSum) -> Histogram,
) -> Option<Element> {
    if !window.values.is_empty() {
        remarks.add(Remark::MixedKinds);
        return None;
    }
    let (first, rest) = window.histograms.split_first()?;
    let mut sum = HistogramSum::new(&first.histogram);
    if rest.iter().any(|sample| sum.add(&sample.histogram).is_err()) {
        remarks.add(Remark::MixedSchemas);
        return None;
    }
    let combined = sum.combined();
    if combined.reset_conflict {
        remarks.add(Remark::ResetConflict);
    }
    if combined.bounds_reconciled {
        remarks.add(Remark::BoundsReconciledInAggregation);
    }
    Some(Element::from(result(&sum)))
}

fn first(window: &Window<'_>) -> Option<Element> {
    match (window.timestamps.first(), window.histograms.first()) {
        (Some(float), Some(sample)) if *float < sample.timestamp => float_at(window, 0),
        (_, Some(sample)) => Some(Element::Histogram(sample.histogram.clone())),
        (_, None) => float_at(window, 0),
    }
}

fn last(window: &Window<'_>) -> Option<Element> {
    let newest = window.values.len().wrapping_sub(1);
    match (window.timestamps.last(), window.histograms.last()) {
        (Some(float), Some(sample)) if *float > sample.timestamp => float_at(window, newest),
        (_, Some(sample)) => Some(Element::Histogram(sample.histogram.clone())),
        (_, None) => float_at(window, newest),
    }
}

fn float_at(window: &Window<'_>, index: usize) -> Option<Element> {
    window.values.get(index).copied().map(Element::Float)
}

fn time(timestamp: i64) -> Element {
    Element::Float(seconds(timestamp))
}

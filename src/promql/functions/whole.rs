//! `rate`, `increase` and `delta` of all windows of a series at once. How far a difference is stretched depends on the timestamps
//! alone, but for counters that began near zero; so what is left per window is to subtract and to multiply. The results are those of
//! the functions of one window, to the bit.

use super::extrapolation::{Extent, Stretch};
use super::rate::{has_reset, is_reset};
use crate::model::Timestamp;

/// The samples of a window: those from `from` on up to `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub from: u32,
    pub to: u32,
}

impl Span {
    pub fn range(self) -> std::ops::Range<usize> {
        self.from as usize..self.to as usize
    }
}

/// Which of the functions it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WholeFunction {
    is_counter: bool,
    pub per_second: bool,
}

/// The function of this name, if it is one of these.
pub fn whole_function(name: &str) -> Option<WholeFunction> {
    let (is_counter, per_second) = match name {
        "rate" => (true, true),
        "increase" => (true, false),
        "delta" => (false, false),
        _ => return None,
    };
    Some(WholeFunction { is_counter, per_second })
}

impl WholeFunction {
    /// Puts the results of the windows into `out`, one per window; those without two samples stay as they are. Neither end of a
    /// window lies before that of the window before.
    pub fn results(self, spans: &[Span], stretches: &Stretches, values: &[f64], out: &mut [f64]) {
        match self.is_counter {
            true => {
                let without_resets = |stretch: &_, first, last| {
                    // Zero is what was lost in resets; added to -0.0 it makes 0.0.
                    stretches.of_counter(stretch, first, last - first + 0.0)
                };
                fill(spans, stretches, values, out, without_resets);
                redo_reset(spans, stretches, values, out);
            }
            false => fill(spans, stretches, values, out, |stretch, first, last| {
                (last - first) * stretch.factor
            }),
        }
    }
}

/// Puts the results of the windows in which a counter was reset in the place of those of counters that were not.
fn redo_reset(spans: &[Span], stretches: &Stretches, values: &[f64], out: &mut [f64]) {
    if !has_reset(values) {
        return;
    }
    let is_behind_reset = |index: &usize| is_reset(values[index - 1], values[*index]);
    let resets: Vec<usize> = (1..values.len()).filter(is_behind_reset).collect();
    let (mut first, mut end) = (0, 0);
    for ((span, stretch), out) in spans.iter().zip(&stretches.of).zip(out) {
        let range = span.range();
        first += resets[first..].iter().take_while(|at| **at <= range.start).count();
        end += resets[end..].iter().take_while(|at| **at < range.end).count();
        let within = resets.get(first..end).unwrap_or_default();
        if !within.is_empty() {
            let lost = within.iter().fold(0.0, |lost, at| lost + values[at - 1]);
            let (first, last) = (values[range.start], values[range.end - 1]);
            *out = stretches.of_counter(stretch, first, last - first + lost);
        }
    }
}

#[inline]
fn fill(
    spans: &[Span],
    stretches: &Stretches,
    values: &[f64],
    out: &mut [f64],
    result: impl Fn(&TimeStretch, f64, f64) -> f64,
) {
    for ((span, stretch), out) in spans.iter().zip(&stretches.of).zip(out) {
        if let [first, .., last] = &values[span.range()] {
            *out = result(stretch, *first, *last);
        }
    }
}

/// How the differences in some windows are stretched, as far as that depends on time.
#[derive(Debug, Default)]
pub struct Stretches {
    /// `None`: nothing is known yet.
    per_second: Option<bool>,
    range_ms: f64,
    /// Means nothing where there are not two samples.
    of: Vec<TimeStretch>,
}

#[derive(Debug, Clone, Copy, Default)]
struct TimeStretch {
    time: Stretch,
    factor: f64,
}

impl Stretches {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.per_second = None;
    }

    /// Are they filled, for differences per second or for others?
    pub fn are_of(&self, per_second: bool) -> bool {
        self.per_second == Some(per_second)
    }

    /// Becomes those of windows over `range_ms`, which are given with their ends.
    pub fn fill(
        &mut self,
        windows: impl Iterator<Item = (Span, Timestamp)>,
        timestamps: &[Timestamp],
        range_ms: i64,
        per_second: bool,
    ) {
        (self.per_second, self.range_ms) = (Some(per_second), range_ms as f64);
        let range = range_ms as f64;
        self.of.clear();
        self.of.extend(windows.map(|(span, end)| {
            let [first_ms, .., last_ms] = timestamps[span.range()] else {
                return TimeStretch::default();
            };
            let extent = Extent { first_ms, last_ms, count: (span.to - span.from) as usize };
            let time = Stretch::of((end - range_ms, end), extent);
            TimeStretch { time, factor: factor(time, range, per_second) }
        }));
    }

    /// The increase of a counter in a window, stretched no further than to where it was zero.
    #[inline]
    fn of_counter(&self, stretch: &TimeStretch, first: f64, increase: f64) -> f64 {
        match stretch.time.is_below_zero(first, increase) {
            false => increase * stretch.factor,
            true => increase * self.factor(stretch.time.of_counter(first, increase)),
        }
    }

    fn factor(&self, stretch: Stretch) -> f64 {
        factor(stretch, self.range_ms, self.per_second == Some(true))
    }
}

#[inline]
fn factor(stretch: Stretch, range_ms: f64, per_second: bool) -> f64 {
    match per_second {
        true => stretch.factor_per_second(range_ms),
        false => stretch.factor(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Window, range_function};
    use super::*;
    use proptest::prelude::*;

    const RANGE_MS: i64 = 500;

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            8 => (0..3_000i32).prop_map(f64::from),
            4 => -1e6f64..1e6,
            1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(-0.0)],
        ]
    }

    fn samples() -> impl Strategy<Value = (Vec<Timestamp>, Vec<f64>)> {
        let gaps = proptest::collection::vec((1i64..300, value()), 0..40);
        (gaps, any::<bool>()).prop_map(|(gaps, ascending)| {
            let (gaps, mut values): (Vec<i64>, Vec<f64>) = gaps.into_iter().unzip();
            if ascending {
                values.sort_by(f64::total_cmp);
            }
            let after = |time: &mut i64, gap| {
                *time += gap;
                Some(*time)
            };
            (gaps.into_iter().scan(0, after).collect(), values)
        })
    }

    proptest! {
        #[test]
        fn results_are_those_of_single_windows_to_the_bit(
            (timestamps, values) in samples(),
            name in prop::sample::select(vec!["rate", "increase", "delta"]),
        ) {
            let (whole, plain) = (whole_function(name).unwrap(), range_function(name).unwrap());
            let ends: Vec<Timestamp> = (0..60).map(|step| step * 70).collect();
            let at = |time: Timestamp| timestamps.partition_point(|t| *t <= time) as u32;
            let span_of = |end: &Timestamp| Span { from: at(end - RANGE_MS), to: at(*end) };
            let spans: Vec<Span> = ends.iter().map(span_of).collect();
            let windows = spans.iter().copied().zip(ends.iter().copied());
            let mut stretches = Stretches::default();
            stretches.fill(windows, &timestamps, RANGE_MS, whole.per_second);
            let mut results = vec![7.0; spans.len()];
            whole.results(&spans, &stretches, &values, &mut results);
            for ((span, end), result) in spans.iter().zip(&ends).zip(results) {
                let window = Window {
                    timestamps: &timestamps[span.range()],
                    values: &values[span.range()],
                    starts: &[],
                    histograms: &[],
                    range_start: end - RANGE_MS,
                    range_end: *end,
                    eval_time: *end,
                };
                let expected = plain(&window, &[]).unwrap_or(7.0);
                prop_assert!(
                    result.to_bits() == expected.to_bits() || result.is_nan() && expected.is_nan(),
                    "{} of {:?}: {}, at once {}", name, window, expected, result
                );
            }
        }
    }
}

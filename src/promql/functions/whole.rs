//! `rate`, `increase` and `delta` of all windows of a series at once. How far a difference is stretched depends on the timestamps
//! alone, but for counters that began near zero; so what is left per window is to subtract and to multiply. The results are those of
//! the functions of one window, to the bit.

use super::extrapolation::{Extent, Stretch};
use super::rate::has_reset;
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
    /// Can all windows over these values be done at once? A counter that was reset goes window by window.
    pub fn takes(self, values: &[f64]) -> bool {
        !self.is_counter || !has_reset(values)
    }

    /// Puts the results of the windows into `out`, one per window; those without two samples stay as they are.
    pub fn results(self, spans: &[Span], stretches: &Stretches, values: &[f64], out: &mut [f64]) {
        match self.is_counter {
            true => fill(spans, stretches, values, out, |stretch, first, last| {
                // Zero is what was lost in resets; added to -0.0 it makes 0.0.
                let increase = last - first + 0.0;
                match stretch.time.is_below_zero(first, increase) {
                    false => increase * stretch.factor,
                    true => increase * stretches.factor(stretch.time.of_counter(first, increase)),
                }
            }),
            false => fill(spans, stretches, values, out, |stretch, first, last| {
                (last - first) * stretch.factor
            }),
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
#[derive(Debug)]
pub struct Stretches {
    pub per_second: bool,
    range_ms: f64,
    /// Means nothing where there are not two samples.
    of: Vec<TimeStretch>,
}

#[derive(Debug, Clone, Copy)]
struct TimeStretch {
    time: Stretch,
    factor: f64,
}

impl Stretches {
    /// Of windows over `range_ms`, which are given with their ends.
    pub fn new(
        windows: impl Iterator<Item = (Span, Timestamp)>,
        timestamps: &[Timestamp],
        range_ms: i64,
        per_second: bool,
    ) -> Stretches {
        let mut stretches = Stretches { per_second, range_ms: range_ms as f64, of: Vec::new() };
        for (span, end) in windows {
            let window = &timestamps[span.range()];
            let (first_ms, last_ms) =
                (window.first().copied().unwrap_or(end), window.last().copied().unwrap_or(end));
            let extent = Extent { first_ms, last_ms, count: window.len() };
            let time = Stretch::of((end - range_ms, end), extent);
            stretches.of.push(TimeStretch { time, factor: stretches.factor(time) });
        }
        stretches
    }

    fn factor(&self, stretch: Stretch) -> f64 {
        match self.per_second {
            true => stretch.factor_per_second(self.range_ms),
            false => stretch.factor(),
        }
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
            if !whole.takes(&values) {
                return Ok(());
            }
            let ends: Vec<Timestamp> = (0..60).map(|step| step * 70).collect();
            let at = |time: Timestamp| timestamps.partition_point(|t| *t <= time) as u32;
            let span_of = |end: &Timestamp| Span { from: at(end - RANGE_MS), to: at(*end) };
            let spans: Vec<Span> = ends.iter().map(span_of).collect();
            let windows = spans.iter().copied().zip(ends.iter().copied());
            let stretches = Stretches::new(windows, &timestamps, RANGE_MS, whole.per_second);
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

//! How far a difference between samples is stretched to stand for a whole window: `rate`, `increase` and `delta`
//! (Prometheus docs, "Query functions"), of floats and of histograms.
//!
//! 1. An edge nearer to its sample than 1.1 times the average spacing is reached entirely.
//! 2. Beyond a farther edge the series is taken to end half an average spacing away.
//! 3. A counter is not extrapolated to the left of where it would have been zero.
//! 4. A counter that is known to have started within the window is not extrapolated to the left at all.

use super::{Window, seconds};

/// A gap at an edge of up to this many average spacings counts as "the series goes on there".
const EDGE_SPACINGS_MAX: f64 = 1.1;

/// The samples of one window, in time.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    pub first_ms: i64,
    pub last_ms: i64,
    pub count: usize,
}

/// What is known of the series before its first sample.
#[derive(Debug, Clone, Copy)]
pub enum Before {
    Nothing,
    /// It counts up from zero: its value at the first sample, and by how much it grew from there.
    Counter {
        first: f64,
        increase: f64,
    },
    /// It was zero at this time, within the window and before the first sample.
    Started(i64),
}

/// What a difference over `extent` is to be multiplied with. At least two samples, or a start.
#[inline]
pub fn factor(window: &Window<'_>, extent: Extent, before: Before) -> f64 {
    let Extent { first_ms, last_ms, count } = extent;
    let sampled = seconds(last_ms - first_ms);
    let spacing = if count > 1 { sampled / (count - 1) as f64 } else { 0.0 };
    let reached = |gap: f64| if gap >= spacing * EDGE_SPACINGS_MAX { spacing / 2.0 } else { gap };
    let to_end = reached(seconds(window.range_end - last_ms));
    if let Before::Started(start_ms) = before {
        let lived = seconds(last_ms - start_ms);
        return (lived + to_end) / lived;
    }
    let mut to_start = reached(seconds(first_ms - window.range_start));
    if let Before::Counter { first, increase } = before
        && increase > 0.0
        && first >= 0.0
    {
        let to_zero = sampled * (first / increase);
        // Not `min`: a NaN of infinite operands leaves the edge as it is.
        if to_zero < to_start {
            to_start = to_zero;
        }
    }
    (sampled + to_start + to_end) / sampled
}

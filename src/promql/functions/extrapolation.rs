//! How far a difference between samples is stretched to stand for a whole window: `rate`, `increase` and `delta`
//! (Prometheus docs, "Query functions"), of floats and of histograms.
//!
//! 1. An edge nearer to its sample than 1.1 times the average spacing is reached entirely.
//! 2. Beyond a farther edge the series is taken to end half an average spacing away.
//! 3. A counter is not extrapolated to the left of where it would have been zero.
//! 4. A counter that is known to have started within the window is not extrapolated to the left at all.

use super::Window;

/// A gap at an edge of less than so many average spacings, 1.1 as a fraction, counts as "the series goes on there".
const EDGE_SPACINGS: (f64, f64) = (11.0, 10.0);

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

/// The time that a difference stands for once it is extrapolated, and the time it was measured over.
#[derive(Debug, Clone, Copy)]
pub struct Stretch {
    pub reached_ms: f64,
    pub sampled_ms: f64,
}

impl Stretch {
    pub fn factor(self) -> f64 {
        self.reached_ms / self.sampled_ms
    }
}

/// How a difference over `extent` is to be stretched. At least two samples, or a start.
///
/// Mostly without a division: one is dearer than all the rest.
#[inline]
pub fn stretch(window: &Window<'_>, extent: Extent, before: Before) -> Stretch {
    let Extent { first_ms, last_ms, count } = extent;
    let sampled_ms = (last_ms - first_ms) as f64;
    let spacings = count.saturating_sub(1) as f64;
    let reached = |gap_ms: f64| {
        let is_far = gap_ms * spacings * EDGE_SPACINGS.1 >= sampled_ms * EDGE_SPACINGS.0;
        match (is_far, count) {
            (false, _) => gap_ms,
            (true, 0..=1) => 0.0,
            (true, _) => sampled_ms / spacings / 2.0,
        }
    };
    let to_end = reached((window.range_end - last_ms) as f64);
    if let Before::Started(start_ms) = before {
        let lived_ms = (last_ms - start_ms) as f64;
        return Stretch { reached_ms: lived_ms + to_end, sampled_ms: lived_ms };
    }
    let mut to_start = reached((first_ms - window.range_start) as f64);
    if let Before::Counter { first, increase } = before
        && increase > 0.0
        && first >= 0.0
        // Of infinite operands a product is no number, and the edge stays as it is.
        && sampled_ms * first < to_start * increase
    {
        to_start = sampled_ms * (first / increase);
    }
    Stretch { reached_ms: sampled_ms + to_start + to_end, sampled_ms }
}

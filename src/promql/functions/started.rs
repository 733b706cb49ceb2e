//! Start times: a sample of a counter may say since when it counts. Here is what they tell about resets, and the
//! functions of float counters that know them; those of histograms are in `histogram_rate`.
//!
//! 1. A counter was reset between two samples if it started between them: after the first, before the second.
//! 2. A start at the very time of the sample before is a reset, too, if that sample knew an earlier start (so come
//!    deltas, each of which starts where the last one ended); if it did not, the start was unknown and made up.
//! 3. A start that is not before its own sample means nothing.
//! 4. A counter whose first sample in the window started within the window was zero then.

use super::extrapolation::{Extent, Stretch};
use super::{Remarks, Window, seconds};

/// When a sample was taken and since when it counts (0: not known), ms.
#[derive(Debug, Clone, Copy)]
pub struct Life {
    pub start: i64,
    pub time: i64,
}

impl Life {
    /// Rules 1 to 3.
    pub fn is_reset_after(self, before: Life) -> bool {
        let known = self.start != 0 && self.start < self.time;
        let delta = self.start == before.time && before.start != 0 && before.start < before.time;
        known && (self.start > before.time || delta)
    }

    /// It started before the sample before was taken, and not when that one did: one of the two is wrong.
    pub fn overlaps(self, before: Life) -> bool {
        self.start != 0 && self.start < before.time && self.start != before.start
    }

    /// Rule 4, for the first sample of `window`.
    pub fn start_within(self, window: &Window<'_>) -> Option<i64> {
        let within = self.start != 0 && self.start > window.range_start && self.start < self.time;
        within.then_some(self.start)
    }
}

/// Remarks, once for the window, that samples overlap.
pub fn note_overlaps(lives: impl Iterator<Item = Life> + Clone, remarks: &mut Remarks) {
    let mut pairs = lives.clone().zip(lives.skip(1));
    if pairs.any(|(before, life)| life.overlaps(before)) {
        remarks.start_overlaps += 1;
    }
}

/// `rate` of floats with start times.
pub fn rate(window: &Window<'_>, remarks: &mut Remarks) -> Option<f64> {
    let range_seconds = seconds(window.range_end - window.range_start);
    extrapolated(window, remarks).map(|(increase, factor)| increase * (factor / range_seconds))
}

/// `increase` of floats with start times.
pub fn increase(window: &Window<'_>, remarks: &mut Remarks) -> Option<f64> {
    extrapolated(window, remarks).map(|(increase, factor)| increase * factor)
}

/// `irate` of floats with start times.
pub fn irate(window: &Window<'_>) -> Option<f64> {
    let [.., before, last] = window.values else { return None };
    let count = window.values.len();
    let (life_before, life) = (life(window, count - 2), life(window, count - 1));
    let reset = last < before || life.is_reset_after(life_before);
    let increase = if reset { *last } else { last - before };
    let interval_ms = life.time - life_before.time;
    (interval_ms != 0).then(|| increase / seconds(interval_ms))
}

/// The life of a float sample.
pub fn life(window: &Window<'_>, index: usize) -> Life {
    let start = window.starts.get(index).copied().unwrap_or(0);
    Life { start, time: window.timestamps[index] }
}

/// By how much the counter grew between what is known of it, and the factor that extrapolates this to the window.
fn extrapolated(window: &Window<'_>, remarks: &mut Remarks) -> Option<(f64, f64)> {
    let (first, last) = (*window.values.first()?, *window.values.last()?);
    let count = window.values.len();
    let start = life(window, 0).start_within(window);
    if count < 2 && start.is_none() {
        return None;
    }
    note_overlaps((0..count).map(|index| life(window, index)), remarks);
    let mut increase = if start.is_some() { last } else { last - first };
    for index in 1..count {
        let (before, value) = (window.values[index - 1], window.values[index]);
        if value < before || life(window, index).is_reset_after(life(window, index - 1)) {
            increase += before;
        }
    }
    let extent =
        Extent { first_ms: window.timestamps[0], last_ms: window.timestamps[count - 1], count };
    let range = (window.range_start, window.range_end);
    let stretch = match start {
        Some(start) => Stretch::since(range, extent, start),
        None => Stretch::of(range, extent).of_counter(first, increase),
    };
    Some((increase, stretch.factor()))
}

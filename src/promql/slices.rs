//! Reading a series a slice of time after the other, so that a long one is never in memory as a whole. Plain arithmetic:
//! who reads is in `select`.

use crate::model::{Histogram, TimeRange, Timestamp};
use crate::sync::Arc;

/// What the first slice of a series covers: most queries need no second, and even with a sample every millisecond
/// it stays far below the budget.
const FIRST_SLICE_MS: i64 = 4 * 3_600_000;
/// How much longer than the slice before it a slice may be: samples may be denser than they were.
const SLICE_GROWTH: f64 = 8.0;

/// A time range cut into slices that have about as many samples each, going by the slices before.
#[derive(Debug)]
pub struct Slices {
    rest: TimeRange,
    width_ms: i64,
    /// How many samples a slice should have.
    samples: usize,
    /// Samples that nobody needs are read, too.
    is_gapless: bool,
    /// The last histogram of the slices taken, if somebody asks for it.
    pub last_histogram: Option<Arc<Histogram>>,
}

impl Slices {
    pub fn new(range: TimeRange, samples: usize) -> Slices {
        let (width_ms, is_gapless, last_histogram) = (FIRST_SLICE_MS, false, None);
        Slices { rest: range, width_ms, samples, is_gapless, last_histogram }
    }

    /// The same slices, of which none is cut short or left out: for who must know the sample before each.
    pub fn gapless(self) -> Slices {
        Slices { is_gapless: true, ..self }
    }

    /// All in one.
    pub fn whole(range: TimeRange) -> Slices {
        Slices { width_ms: i64::MAX, ..Slices::new(range, usize::MAX) }
    }

    /// The next slice; empty after the last.
    pub fn take(&mut self) -> TimeRange {
        let end = self.rest.mint.saturating_add(self.width_ms - 1);
        if self.rest.is_empty() || end >= self.rest.maxt {
            return std::mem::replace(&mut self.rest, TimeRange::EMPTY);
        }
        let slice = TimeRange::new(self.rest.mint, end);
        self.rest.mint = end + 1;
        slice
    }

    /// The last slice had so many samples, as the budget counts them.
    pub fn found(&mut self, samples: usize) {
        let factor = self.samples as f64 / samples.max(1) as f64;
        self.width_ms = (self.width_ms as f64 * factor.min(SLICE_GROWTH)).max(1.0) as i64;
    }

    /// Samples before `start` are not needed any more.
    pub fn skip_to(&mut self, start: Timestamp) {
        if !self.is_gapless {
            self.rest.mint = self.rest.mint.max(start);
        }
    }

    /// All samples up to here are in the slices taken.
    pub fn read_to(&self) -> Timestamp {
        if self.rest.is_empty() { Timestamp::MAX } else { self.rest.mint - 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_cover_the_range_once() {
        let range = TimeRange::new(-1_000, 3 * FIRST_SLICE_MS);
        let mut slices = Slices::new(range, 100);
        let (mut next, mut count) = (range.mint, 0);
        loop {
            let slice = slices.take();
            assert_eq!(slice.mint, next);
            next = slice.maxt.saturating_add(1);
            slices.found(100);
            count += 1;
            if slices.read_to() == Timestamp::MAX {
                assert_eq!((slice.maxt, count), (range.maxt, 4));
                break;
            }
            assert_eq!(slices.read_to(), slice.maxt);
        }
        assert!(slices.take().is_empty());
    }

    #[test]
    fn slices_grow_where_samples_are_sparse_and_skip_what_nobody_needs() {
        let mut slices = Slices::new(TimeRange::new(0, i64::MAX), 100);
        assert_eq!(slices.take().maxt, FIRST_SLICE_MS - 1);
        slices.found(0);
        slices.skip_to(2 * FIRST_SLICE_MS);
        let next = TimeRange::new(2 * FIRST_SLICE_MS, 10 * FIRST_SLICE_MS - 1);
        assert_eq!(slices.take(), next);
        assert_eq!(Slices::whole(next).take(), next);
        let mut slices = Slices::new(TimeRange::new(0, i64::MAX), 100).gapless();
        let end = slices.take().maxt;
        slices.skip_to(2 * FIRST_SLICE_MS);
        assert_eq!(slices.take().mint, end + 1);
    }
}

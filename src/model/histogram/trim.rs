//! Cutting a histogram at a value: the operators `</` and `>/`. Observations in the bucket that is cut are shared out by
//! [`extent`](super::extent); the sum is estimated anew if anything was cut off. A counter stays one.

use super::buckets::Place;
use super::extent::Extent;
use super::{Buckets, Histogram};

/// What is left of a bucket: this share of its observations, there.
struct Kept {
    share: f64,
    extent: Extent,
}

impl Histogram {
    /// Without the observations above `bound`.
    #[must_use]
    pub fn trim_above(&self, bound: f64) -> Histogram {
        self.trim(|place| {
            let extent = self.extent(place);
            Kept {
                share: extent.share_below(bound),
                extent: extent.within(f64::NEG_INFINITY, bound),
            }
        })
    }

    /// Without the observations below `bound`.
    #[must_use]
    pub fn trim_below(&self, bound: f64) -> Histogram {
        self.trim(|place| {
            let extent = self.extent(place);
            let share =
                if self.hides(place, bound) { 0.0 } else { 1.0 - extent.share_below(bound) };
            Kept { share, extent: extent.within(bound, f64::INFINITY) }
        })
    }

    /// Is `bound` in a custom bucket that is open below, but not where its observations are taken to be, or not at a
    /// finite distance from its end? Nothing is known to be above `bound` then.
    fn hides(&self, place: Place, bound: f64) -> bool {
        let extent = self.extent(place);
        let open_below = self.bucket(place, 0.0).lower == f64::NEG_INFINITY;
        open_below
            && bound > f64::NEG_INFINITY
            && (bound < extent.lower || extent.upper == f64::INFINITY)
    }

    fn trim(&self, keep: impl Fn(Place) -> Kept) -> Histogram {
        let mut trimmed = self.clone();
        let (mut count, mut sum, mut anything_cut) = (0.0, 0.0, false);
        let mut left_of = |place, before: f64| {
            if before == 0.0 {
                return before;
            }
            let Kept { share, extent } = keep(place);
            // A NaN bound keeps nothing.
            let left = if share > 0.0 { before * share } else { 0.0 };
            if left != 0.0 {
                count += left;
                sum += left * extent.middle();
            }
            anything_cut |= share != 1.0;
            left
        };
        let mut left_in = |buckets: &Buckets, place: fn(i32) -> Place| -> Buckets {
            buckets.iter().map(|(index, count)| (index, left_of(place(index), count))).collect()
        };
        trimmed.negative = left_in(&self.negative, Place::Negative);
        trimmed.positive = left_in(&self.positive, Place::Positive);
        trimmed.zero_count = left_of(Place::Zero, self.zero_count);
        if anything_cut {
            trimmed.count = count;
            trimmed.sum = sum;
        }
        trimmed
    }
}

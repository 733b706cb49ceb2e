//! The buckets of a histogram with their bounds, in the order of the number line: negative, zero, positive.

use super::{Histogram, bounds};

/// A bucket and its bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    pub lower: f64,
    pub upper: f64,
    pub lower_inclusive: bool,
    pub upper_inclusive: bool,
    pub count: f64,
}

/// Which bucket of a histogram: cheaper than its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Negative(i32),
    Zero,
    Positive(i32),
}

impl Histogram {
    /// All buckets, ascending. Of those in spans also the empty ones, but not what lies between spans; the zero bucket
    /// unless it is empty.
    pub fn buckets(&self) -> impl Iterator<Item = Bucket> {
        self.ascending().map(|(place, count)| self.bucket(place, count))
    }

    pub(super) fn ascending(&self) -> impl Iterator<Item = (Place, f64)> {
        let negative: Vec<(i32, f64)> = self.negative.iter().collect();
        let negative = negative.into_iter().rev();
        let negative = negative.map(|(index, count)| (Place::Negative(index), count));
        let positive = self.positive.iter().map(|(index, count)| (Place::Positive(index), count));
        negative.chain(self.zero()).chain(positive)
    }

    pub(super) fn descending(&self) -> impl Iterator<Item = (Place, f64)> {
        let positive: Vec<(i32, f64)> = self.positive.iter().collect();
        let positive = positive.into_iter().rev();
        let positive = positive.map(|(index, count)| (Place::Positive(index), count));
        let negative = self.negative.iter().map(|(index, count)| (Place::Negative(index), count));
        positive.chain(self.zero()).chain(negative)
    }

    fn zero(&self) -> Option<(Place, f64)> {
        (self.zero_count != 0.0).then_some((Place::Zero, self.zero_count))
    }

    pub(super) fn bucket(&self, place: Place, count: f64) -> Bucket {
        match place {
            Place::Zero => Bucket {
                lower: -self.zero_threshold,
                upper: self.zero_threshold,
                lower_inclusive: true,
                upper_inclusive: true,
                count,
            },
            Place::Positive(index) if self.uses_custom_buckets() => Bucket {
                lower: self.custom_upper(index.saturating_sub(1)),
                upper: self.custom_upper(index),
                lower_inclusive: index == 0,
                upper_inclusive: true,
                count,
            },
            Place::Positive(index) => Bucket {
                lower: bounds::lower_bound(index, self.schema),
                upper: bounds::upper_bound(index, self.schema),
                lower_inclusive: false,
                upper_inclusive: true,
                count,
            },
            Place::Negative(index) => Bucket {
                lower: -bounds::upper_bound(index, self.schema),
                upper: -bounds::lower_bound(index, self.schema),
                lower_inclusive: true,
                upper_inclusive: false,
                count,
            },
        }
    }

    /// The upper bound of a custom bucket: infinite outside the list, on the side where it is left.
    pub(super) fn custom_upper(&self, index: i32) -> f64 {
        let Ok(index) = usize::try_from(index) else { return f64::NEG_INFINITY };
        self.custom_bounds.get(index).copied().unwrap_or(f64::INFINITY)
    }
}

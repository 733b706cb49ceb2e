//! What a histogram tells about the distribution of its observations: quantiles, fractions, variance. Called for
//! `histogram_quantile`, `histogram_fraction`, `histogram_stdvar` and their like, which word the annotations.

use super::Histogram;
use super::buckets::Place;
use super::extent::Extent;

/// An estimate, and what the user should know about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    pub value: f64,
    /// Some observations were NaN: they count, but are in no bucket. A quantile takes them for larger than any other,
    /// a fraction has them outside any range.
    pub has_nan_observations: bool,
}

impl Histogram {
    /// The value that the share `phi` of all observations is at or below. -Inf for `phi` below 0 and +Inf above 1; NaN
    /// without observations, for a NaN `phi`, and if it is among the NaN observations.
    pub fn quantile(&self, phi: f64) -> Estimate {
        let plain = |value| Estimate { value, has_nan_observations: false };
        if phi < 0.0 {
            return plain(f64::NEG_INFINITY);
        }
        if phi > 1.0 {
            return plain(f64::INFINITY);
        }
        if self.count == 0.0 || phi.is_nan() {
            return plain(f64::NAN);
        }
        // From the nearer end, which loses fewer digits; but NaN observations belong to the upper end.
        let value = if self.sum.is_nan() || phi < 0.5 {
            self.value_at_rank(phi * self.count, self.ascending(), |extent, share| {
                extent.value_at(share)
            })
        } else {
            self.value_at_rank((1.0 - phi) * self.count, self.descending(), |extent, share| {
                extent.value_at(1.0 - share)
            })
        };
        Estimate { value, has_nan_observations: self.has_nan_observations() }
    }

    /// Walks `buckets` up to the observation of this rank; `value_at` is given the share of its bucket walked over.
    fn value_at_rank(
        &self,
        rank: f64,
        buckets: impl Iterator<Item = (Place, f64)>,
        value_at: impl Fn(&Extent, f64) -> f64,
    ) -> f64 {
        let mut passed = 0.0;
        let mut last = None;
        for (place, count) in buckets.filter(|(_, count)| *count != 0.0) {
            if passed + count >= rank {
                return value_at(&self.extent(place), (rank - passed) / count);
            }
            passed += count;
            last = Some(place);
        }
        match last {
            // Rounding, or a count that is not the sum of the buckets.
            Some(place) if !self.sum.is_nan() => value_at(&self.extent(place), 1.0),
            _ => f64::NAN,
        }
    }

    /// The share of all observations that is between `lower` and `upper`; NaN without observations and for NaN bounds.
    pub fn fraction(&self, lower: f64, upper: f64) -> Estimate {
        if self.count == 0.0 || lower.is_nan() || upper.is_nan() {
            return Estimate { value: f64::NAN, has_nan_observations: false };
        }
        let value = if lower >= upper {
            0.0
        } else {
            (self.count_below(upper) - self.count_below(lower)) / self.count
        };
        Estimate { value, has_nan_observations: self.has_nan_observations() }
    }

    fn count_below(&self, bound: f64) -> f64 {
        let mut below = 0.0;
        for (place, count) in self.ascending().filter(|(_, count)| *count != 0.0) {
            let share = self.extent(place).share_below(bound);
            below += count * share;
            if share < 1.0 {
                break;
            }
        }
        below.min(self.count)
    }

    fn has_nan_observations(&self) -> bool {
        let in_buckets = || self.negative.total() + self.zero_count + self.positive.total();
        self.sum.is_nan() && in_buckets() < self.count
    }

    /// The population variance, all observations of a bucket taken to be in its middle: the geometric one of an
    /// exponential bucket, 0 of the zero bucket. Infinite if an open bucket has any.
    pub fn variance(&self) -> f64 {
        let mean = self.avg();
        let mut squares = 0.0;
        for (place, count) in self.ascending().filter(|(_, count)| *count != 0.0) {
            let distance = self.middle(place) - mean;
            squares += count * distance * distance;
        }
        squares / self.count
    }

    fn middle(&self, place: Place) -> f64 {
        let bucket = self.bucket(place, 0.0);
        match place {
            Place::Zero => 0.0,
            _ if self.uses_custom_buckets() => (bucket.lower + bucket.upper) / 2.0,
            _ => (bucket.lower.abs().sqrt() * bucket.upper.abs().sqrt()).copysign(bucket.lower),
        }
    }
}

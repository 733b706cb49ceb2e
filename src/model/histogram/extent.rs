//! Where the observations of a bucket are taken to be, which every estimate interpolates in. Rules of the native histogram
//! specification, section "Interpolation within a bucket":
//!
//! 1. An exponential bucket spreads them evenly over the logarithms, any other evenly over the numbers.
//! 2. The zero bucket of a histogram whose other observations are all positive, or all negative, begins or ends at 0.
//! 3. A custom bucket that is open below begins at 0 if it ends above 0. Otherwise an open bucket has all its
//!    observations at the bound it has.

use super::Histogram;
use super::buckets::Place;

/// The range of the observations of one bucket, and how they lie in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    pub lower: f64,
    pub upper: f64,
    spread: Spread,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spread {
    Linear,
    Logarithmic,
}

impl Histogram {
    pub(super) fn extent(&self, place: Place) -> Extent {
        let bucket = self.bucket(place, 0.0);
        let mut extent =
            Extent { lower: bucket.lower, upper: bucket.upper, spread: Spread::Linear };
        if self.uses_custom_buckets() {
            if extent.lower == f64::NEG_INFINITY && extent.upper > 0.0 {
                extent.lower = 0.0;
            }
        } else if place == Place::Zero {
            match (self.negative.has_populated(), self.positive.has_populated()) {
                (false, true) => extent.lower = 0.0,
                (true, false) => extent.upper = 0.0,
                _ => {}
            }
        } else if extent.lower > 0.0 || extent.upper < 0.0 {
            extent.spread = Spread::Logarithmic;
        }
        extent
    }
}

impl Extent {
    /// The value that has this share, 0 to 1, of the observations below it.
    pub fn value_at(&self, share: f64) -> f64 {
        if self.lower == f64::NEG_INFINITY {
            return self.upper;
        }
        if self.upper == f64::INFINITY {
            return self.lower;
        }
        match self.spread {
            Spread::Linear => self.lower + (self.upper - self.lower) * share,
            Spread::Logarithmic => {
                let (lower, upper) = (self.lower.abs().log2(), self.upper.abs().log2());
                (lower + (upper - lower) * share).exp2().copysign(self.lower)
            }
        }
    }

    /// The share, 0 to 1, of the observations that are below `value`.
    pub fn share_below(&self, value: f64) -> f64 {
        if value <= self.lower {
            return 0.0;
        }
        if value >= self.upper || self.lower == f64::NEG_INFINITY {
            return 1.0;
        }
        if self.upper == f64::INFINITY {
            return 0.0;
        }
        match self.spread {
            Spread::Linear => (value - self.lower) / (self.upper - self.lower),
            Spread::Logarithmic => {
                let [lower, value, upper] =
                    [self.lower, value, self.upper].map(|bound| bound.abs().log2());
                (value - lower) / (upper - lower)
            }
        }
    }

    /// The part of the extent between two values.
    pub fn within(&self, lower: f64, upper: f64) -> Extent {
        Extent { lower: self.lower.max(lower), upper: self.upper.min(upper), ..*self }
    }

    /// The mean of the observations, roughly: the middle.
    pub fn middle(&self) -> f64 {
        self.value_at(0.5)
    }
}

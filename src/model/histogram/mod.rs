//! The native histogram and its algebra: everything the query language does with one, as float counts. One noun per file:
//!
//! - [`spans`]: which buckets there are; [`bounds`]: where they lie; [`buckets`]: both together, in order;
//! - [`layout`]: bringing two histograms to one schema, zero bucket or list of custom bounds; [`combine`]: adding and
//!   subtracting; [`sum`]: compensated sums and means of many; [`reset`]: counter resets;
//! - [`extent`]: where the observations of a bucket are taken to be; [`estimate`]: quantiles, fractions, variance from
//!   it; [`trim`]: cutting at a value;
//! - [`custom`]: from the cumulative buckets of a classic histogram; [`display`]: text.
//!
//! The fields are public and may hold anything: no operation panics, and none takes memory beyond that of its operands,
//! whatever spans and counts say. Words and rules are those of the native histogram specification of Prometheus.

pub mod bounds;
pub mod buckets;
pub mod combine;
pub mod custom;
pub mod display;
pub mod estimate;
pub mod extent;
pub mod layout;
pub mod reset;
pub mod spans;
pub mod sum;
pub mod trim;

#[cfg(test)]
mod tests;

use crate::sync::Arc;

use super::sample::is_stale;

pub use buckets::Bucket;
pub use combine::Combined;
pub use custom::ClassicError;
pub use estimate::Estimate;
pub use layout::Incompatible;
pub use spans::{Buckets, Span};
pub use sum::HistogramSum;

/// The schema of histograms whose bounds are listed. Every other is exponential: bounds are the powers of
/// `2^(2^-schema)`.
pub const CUSTOM_BUCKETS_SCHEMA: i32 = -53;

/// What Prometheus takes the fixed part of a histogram and its timestamp for when it charges one to the limit of
/// samples: the same limit then lets the same queries through.
const COST_OF_FIXED_PART_BYTES: usize = 176;
/// A sample as the limit of samples counts it: a timestamp and a value.
const COST_OF_SAMPLE_BYTES: usize = 16;

/// Whether a histogram is the first after a counter reset, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResetHint {
    #[default]
    Unknown,
    Reset,
    NotReset,
    Gauge,
}

/// One native histogram with float counts.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    pub schema: i32,
    /// All observations, NaN ones included, which are in no bucket.
    pub count: f64,
    pub sum: f64,
    /// The zero bucket reaches from minus this to this, both included.
    pub zero_threshold: f64,
    pub zero_count: f64,
    pub positive: Buckets,
    /// By the index of the mirrored positive bucket.
    pub negative: Buckets,
    /// Upper bounds, ascending, of a histogram of [`CUSTOM_BUCKETS_SCHEMA`]: bucket 0 reaches up to the first, and
    /// one more bucket from the last to infinity.
    pub custom_bounds: Arc<[f64]>,
    pub hint: ResetHint,
}

impl Histogram {
    pub fn uses_custom_buckets(&self) -> bool {
        self.schema == CUSTOM_BUCKETS_SCHEMA
    }

    /// Is this the staleness marker? It is told by its sum.
    pub fn is_stale(&self) -> bool {
        is_stale(self.sum)
    }

    /// The mean of all observations.
    pub fn avg(&self) -> f64 {
        self.sum / self.count
    }

    /// Every count and the sum times `factor`. A negative factor makes a gauge.
    pub fn scale(&mut self, factor: f64) {
        self.map_values(|value| value * factor);
        if factor < 0.0 {
            self.hint = ResetHint::Gauge;
        }
    }

    /// Every count and the sum divided by `divisor`. A negative divisor makes a gauge; by 0, buckets vanish: empty ones
    /// would become NaN otherwise.
    pub fn divide(&mut self, divisor: f64) {
        self.map_values(|value| value / divisor);
        if divisor < 0.0 {
            self.hint = ResetHint::Gauge;
        }
        if divisor == 0.0 {
            self.positive = Buckets::default();
            self.negative = Buckets::default();
        }
    }

    fn map_values(&mut self, map: impl Fn(f64) -> f64) {
        self.count = map(self.count);
        self.sum = map(self.sum);
        self.zero_count = map(self.zero_count);
        let counts = self.positive.counts.iter_mut().chain(&mut self.negative.counts);
        counts.for_each(|count| *count = map(*count));
    }

    /// Removes empty buckets; what remains is in as few spans as possible.
    pub fn compact(&mut self) {
        self.positive.compact();
        self.negative.compact();
    }

    /// The same observations in the same buckets? Empty buckets and spans, and the hint, do not matter; a NaN equals a
    /// NaN, unless one is the staleness marker.
    pub fn equals(&self, other: &Histogram) -> bool {
        self.schema == other.schema
            && same(self.count, other.count)
            && same(self.sum, other.sum)
            && same(self.zero_threshold, other.zero_threshold)
            && same(self.zero_count, other.zero_count)
            && self.positive.equals(&other.positive)
            && self.negative.equals(&other.negative)
            && layout::same_bounds(&self.custom_bounds, &other.custom_bounds)
    }

    /// How many samples the limit of samples counts this for.
    pub fn sample_cost(&self) -> usize {
        let variable = size_of_val(&*self.custom_bounds)
            + self.positive.size_bytes()
            + self.negative.size_bytes();
        (COST_OF_FIXED_PART_BYTES + variable) / COST_OF_SAMPLE_BYTES
    }
}

/// Equal, or both the staleness marker, or both another NaN.
fn same(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan() && is_stale(a) == is_stale(b))
}

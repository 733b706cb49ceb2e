//! Histograms with custom buckets from classic ones: the cumulative `_bucket` series, `_count` and `_sum` of one point in
//! time become one value (`load_with_nhcb` of scripts).

use std::fmt;

use super::{Buckets, CUSTOM_BUCKETS_SCHEMA, Histogram};

/// Why the series are no histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClassicError {
    /// A bucket has fewer observations than one below it, or fewer than none.
    NotCumulative,
    /// The highest bucket and the count do not agree.
    CountMismatch,
}

impl fmt::Display for ClassicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ClassicError::NotCumulative => "bucket counts must not fall as the bounds rise",
            ClassicError::CountMismatch => "the count must be that of the highest bucket",
        })
    }
}

impl std::error::Error for ClassicError {}

impl Histogram {
    /// From upper bounds and cumulative counts, in any order. Of equal bounds the first counts, a NaN bound is left
    /// out. Without a bucket up to infinity, `count` says how many observations there are, or else the highest bucket.
    ///
    /// # Errors
    /// Counts fall or contradict each other.
    pub fn from_classic(
        buckets: &[(f64, f64)],
        count: Option<f64>,
        sum: Option<f64>,
    ) -> Result<Histogram, ClassicError> {
        let mut buckets: Vec<(f64, f64)> =
            buckets.iter().copied().filter(|(bound, _)| !bound.is_nan()).collect();
        buckets.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        buckets.dedup_by(|(later, _), (first, _)| later == first);
        let infinite = buckets.pop_if(|(bound, _)| *bound == f64::INFINITY);
        let highest = buckets.last().map(|(_, count)| *count);
        let total = infinite.map(|(_, count)| count).or(count).or(highest).unwrap_or(0.0);
        if count.is_some_and(|count| count != total) {
            return Err(ClassicError::CountMismatch);
        }
        let mut below = 0.0;
        let mut counts = Vec::with_capacity(buckets.len() + 1);
        for cumulative in buckets.iter().map(|(_, count)| *count).chain([total]) {
            if cumulative < below {
                return Err(ClassicError::NotCumulative);
            }
            counts.push(cumulative - below);
            below = cumulative;
        }
        let mut histogram = Histogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count: total,
            sum: sum.unwrap_or(0.0),
            positive: Buckets::contiguous(0, counts),
            custom_bounds: buckets.iter().map(|(bound, _)| *bound).collect(),
            ..Histogram::default()
        };
        histogram.compact();
        Ok(histogram)
    }
}

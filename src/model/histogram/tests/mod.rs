//! Tests of the histogram by what a user of the query language relies on. Literals: [`exponential`], [`custom`].

mod algebra;
mod estimates;
mod hostile;
mod properties;
mod sums;

use super::*;

/// Positive buckets from `offset` on; count and sum as told.
fn exponential(schema: i32, count: f64, sum: f64, offset: i32, counts: &[f64]) -> Histogram {
    let positive = Buckets::contiguous(offset, counts.to_vec());
    Histogram { schema, count, sum, positive, ..Histogram::default() }
}

/// Custom buckets from the first on; the count is theirs.
fn custom(bounds: &[f64], sum: f64, counts: &[f64]) -> Histogram {
    Histogram {
        schema: CUSTOM_BUCKETS_SCHEMA,
        count: counts.iter().sum(),
        sum,
        positive: Buckets::contiguous(0, counts.to_vec()),
        custom_bounds: bounds.into(),
        ..Histogram::default()
    }
}

fn zero_bucket(mut histogram: Histogram, threshold: f64, count: f64) -> Histogram {
    histogram.zero_threshold = threshold;
    histogram.zero_count = count;
    histogram
}

fn hinted(mut histogram: Histogram, hint: ResetHint) -> Histogram {
    histogram.hint = hint;
    histogram
}

#[track_caller]
fn assert_same(got: &Histogram, want: &Histogram) {
    assert!(got.equals(want), "got {got} ({got:?}), want {want}");
}

//! Layouts, and bringing histograms to one: what two histograms are compared or combined in. Going to a coarser layout
//! moves observations to wider buckets and loses none.
//!
//! 1. Exponential with exponential: the wider zero bucket, and wider still if its end would cut a populated bucket of
//!    either; then the lower schema.
//! 2. Custom with custom: the bounds that both have.
//! 3. Exponential with custom: there is none.

use std::borrow::Cow;

use super::spans::Buckets;
use super::{CUSTOM_BUCKETS_SCHEMA, Histogram, bounds};
use crate::sync::Arc;

/// One histogram has exponential buckets and the other custom ones, or a finer schema was asked for than there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incompatible;

/// Everything that decides what the index of a bucket means.
#[derive(Debug, Clone)]
pub(super) enum Layout {
    Exponential { schema: i32, zero_threshold: f64 },
    Custom(Arc<[f64]>),
}

impl Layout {
    /// The finest that both can be brought to.
    pub(super) fn common(a: &Histogram, b: &Histogram) -> Result<Layout, Incompatible> {
        match (a.uses_custom_buckets(), b.uses_custom_buckets()) {
            (false, false) => Ok(Layout::Exponential {
                schema: a.schema.min(b.schema),
                zero_threshold: common_zero_threshold(a, b),
            }),
            (true, true) => Ok(Layout::Custom(common_bounds(&a.custom_bounds, &b.custom_bounds))),
            _ => Err(Incompatible),
        }
    }

    fn is_of(&self, histogram: &Histogram) -> bool {
        match self {
            Layout::Exponential { schema, zero_threshold } => {
                histogram.schema == *schema && histogram.zero_threshold >= *zero_threshold
            }
            Layout::Custom(bounds) => same_bounds(bounds, &histogram.custom_bounds),
        }
    }
}

impl Histogram {
    /// To a lower schema, which merges neighbouring buckets.
    ///
    /// # Errors
    /// The schema is higher than that of the histogram, or one of both means custom buckets and the other not.
    pub fn reduce_schema(&mut self, schema: i32) -> Result<(), Incompatible> {
        let custom = [self.schema, schema].map(|schema| schema == CUSTOM_BUCKETS_SCHEMA);
        if custom[0] != custom[1] || schema > self.schema {
            return Err(Incompatible);
        }
        let shift = self.schema.abs_diff(schema);
        if shift > 0 {
            self.positive = widened(&self.positive, shift);
            self.negative = widened(&self.negative, shift);
            self.schema = schema;
        }
        Ok(())
    }

    pub(super) fn fit(&mut self, layout: &Layout) {
        match layout {
            Layout::Exponential { schema, zero_threshold } => {
                self.widen_zero_bucket(*zero_threshold);
                // A finer layout than that of the histogram is never asked for.
                let _ = self.reduce_schema(*schema);
            }
            Layout::Custom(bounds) => self.merge_custom_buckets(bounds),
        }
    }

    pub(super) fn fitted(&self, layout: &Layout) -> Cow<'_, Histogram> {
        if layout.is_of(self) {
            return Cow::Borrowed(self);
        }
        let mut fitted = self.clone();
        fitted.fit(layout);
        Cow::Owned(fitted)
    }

    /// The least zero threshold, not below `threshold`, that cuts no populated bucket.
    pub(super) fn covering_threshold(&self, threshold: f64) -> f64 {
        if self.zero_threshold >= threshold {
            return self.zero_threshold;
        }
        let both = self.positive.populated().chain(self.negative.populated());
        both.map(|(index, _)| index)
            .filter(|index| bounds::lower_bound(*index, self.schema) < threshold)
            .map(|index| bounds::upper_bound(index, self.schema))
            .fold(threshold, f64::max)
    }

    /// Moves the buckets that begin below `threshold` to the zero bucket.
    fn widen_zero_bucket(&mut self, threshold: f64) {
        if self.zero_threshold >= threshold {
            return;
        }
        for buckets in [&mut self.positive, &mut self.negative] {
            let within = |index| bounds::lower_bound(index, self.schema) < threshold;
            let moved = buckets.iter().take_while(|(index, _)| within(*index));
            self.zero_count += moved.map(|(_, count)| count).sum::<f64>();
            *buckets = buckets.iter().skip_while(|(index, _)| within(*index)).collect();
        }
        self.zero_threshold = threshold;
    }

    /// To bounds of which every one is a bound of this histogram.
    fn merge_custom_buckets(&mut self, to: &Arc<[f64]>) {
        if same_bounds(&self.custom_bounds, to) {
            return;
        }
        let merged = |index: i32| {
            let upper = self.custom_upper(index);
            i32::try_from(to.partition_point(|bound| *bound < upper)).unwrap_or(i32::MAX)
        };
        self.positive = self.positive.iter().map(|(index, n)| (merged(index), n)).collect();
        self.custom_bounds = Arc::clone(to);
    }
}

fn widened(buckets: &Buckets, shift: u32) -> Buckets {
    buckets.iter().map(|(index, count)| (bounds::widened_index(index, shift), count)).collect()
}

/// Widening for one histogram may cut a bucket of the other, so both are asked until both agree.
fn common_zero_threshold(a: &Histogram, b: &Histogram) -> f64 {
    let mut threshold = a.zero_threshold.max(b.zero_threshold);
    loop {
        let wider = b.covering_threshold(a.covering_threshold(threshold));
        if wider > threshold {
            threshold = wider;
        } else {
            return threshold;
        }
    }
}

/// Are these custom buckets that have to be reconciled before they are combined?
pub(super) fn bounds_differ(a: &Histogram, b: &Histogram) -> bool {
    a.uses_custom_buckets() && !same_bounds(&a.custom_bounds, &b.custom_bounds)
}

pub(super) fn same_bounds(a: &Arc<[f64]>, b: &Arc<[f64]>) -> bool {
    Arc::ptr_eq(a, b) || a == b
}

/// The bounds that are in both, which are ascending.
fn common_bounds(a: &Arc<[f64]>, b: &Arc<[f64]>) -> Arc<[f64]> {
    if same_bounds(a, b) {
        return Arc::clone(a);
    }
    let mut rest = b.iter().peekable();
    let mut in_both = |bound: &f64| {
        while rest.next_if(|other| *other < bound).is_some() {}
        rest.next_if(|other| *other == bound).is_some()
    };
    a.iter().copied().filter(|bound| in_both(bound)).collect()
}

//! Sum and mean of many histograms, for the aggregations `sum` and `avg` and the functions `sum_over_time` and
//! `avg_over_time`. Every count and the sum are compensated (Kahan-Neumaier), so that small terms survive large ones; a
//! mean is right even if the sum it is made of would overflow.

use super::layout::{Incompatible, Layout, bounds_differ};
use super::spans::Buckets;
use super::{Combined, Histogram, ResetHint};

/// Values are added up times this: a power of two, so exactly but for numbers below 1e-298, and small enough that no
/// number of histograms that fits memory overflows. Multiplied back at the end.
const UNIT: f64 = 1.0 / (1_u64 << 32) as f64;

/// Histograms added up, at least one.
#[derive(Debug, Clone)]
pub struct HistogramSum {
    total: Histogram,
    /// What rounding took from every value of `total`, in the same layout.
    lost: Histogram,
    histograms: f64,
    has_reset: bool,
    has_not_reset: bool,
    bounds_reconciled: bool,
}

impl HistogramSum {
    pub fn new(first: &Histogram) -> HistogramSum {
        let mut total = first.clone();
        total.map_values(|value| value * UNIT);
        let mut lost = total.clone();
        lost.map_values(|_| 0.0);
        HistogramSum {
            total,
            lost,
            histograms: 1.0,
            has_reset: first.hint == ResetHint::Reset,
            has_not_reset: first.hint == ResetHint::NotReset,
            bounds_reconciled: false,
        }
    }

    /// # Errors
    /// One of the histograms has exponential buckets and another custom ones; nothing was changed.
    pub fn add(&mut self, other: &Histogram) -> Result<(), Incompatible> {
        let layout = self.fit_both(other)?;
        self.accumulate(&other.fitted(&layout), UNIT);
        self.histograms += 1.0;
        self.has_reset |= other.hint == ResetHint::Reset;
        self.has_not_reset |= other.hint == ResetHint::NotReset;
        Ok(())
    }

    /// Adds the histograms of another sum.
    ///
    /// # Errors
    /// As for [`HistogramSum::add`].
    pub fn merge(&mut self, other: &HistogramSum) -> Result<(), Incompatible> {
        let layout = self.fit_both(&other.total)?;
        self.accumulate(&other.total.fitted(&layout), 1.0);
        self.accumulate(&other.lost.fitted(&layout), 1.0);
        self.histograms += other.histograms;
        self.has_reset |= other.has_reset;
        self.has_not_reset |= other.has_not_reset;
        self.bounds_reconciled |= other.bounds_reconciled;
        Ok(())
    }

    /// What was noticed so far. Resets conflict if any two of the histograms do.
    pub fn combined(&self) -> Combined {
        Combined {
            reset_conflict: self.has_reset && self.has_not_reset,
            bounds_reconciled: self.bounds_reconciled,
        }
    }

    /// Without empty buckets.
    pub fn sum(&self) -> Histogram {
        self.value(|value| value / UNIT)
    }

    /// Without empty buckets.
    pub fn mean(&self) -> Histogram {
        self.value(|value| value / self.histograms / UNIT)
    }

    /// How many samples the limit of samples counts this for.
    pub fn sample_cost(&self) -> usize {
        self.total.sample_cost() + self.lost.sample_cost()
    }

    /// Brings what was added so far to the layout it has in common with `other`.
    fn fit_both(&mut self, other: &Histogram) -> Result<Layout, Incompatible> {
        let layout = Layout::common(&self.total, other)?;
        self.bounds_reconciled |= bounds_differ(&self.total, other);
        self.total.hint = self.total.hint.combined_with(other.hint);
        self.total.fit(&layout);
        self.lost.fit(&layout);
        Ok(layout)
    }

    fn accumulate(&mut self, other: &Histogram, unit: f64) {
        let HistogramSum { total, lost, .. } = self;
        add_compensated(&mut total.count, &mut lost.count, other.count * unit);
        add_compensated(&mut total.sum, &mut lost.sum, other.sum * unit);
        add_compensated(&mut total.zero_count, &mut lost.zero_count, other.zero_count * unit);
        add_buckets(&mut total.positive, &mut lost.positive, &other.positive, unit);
        add_buckets(&mut total.negative, &mut lost.negative, &other.negative, unit);
    }

    fn value(&self, map: impl Fn(f64) -> f64) -> Histogram {
        let mut value = self.total.clone();
        let with = |total: &mut f64, lost: f64| {
            if !total.is_infinite() {
                *total += lost;
            }
        };
        with(&mut value.count, self.lost.count);
        with(&mut value.sum, self.lost.sum);
        with(&mut value.zero_count, self.lost.zero_count);
        let positive = value.positive.counts.iter_mut().zip(&self.lost.positive.counts);
        let negative = value.negative.counts.iter_mut().zip(&self.lost.negative.counts);
        positive.chain(negative).for_each(|(total, lost)| with(total, *lost));
        value.map_values(map);
        value.compact();
        value
    }
}

/// `total` and `lost` have the same buckets, before and after.
fn add_buckets(total: &mut Buckets, lost: &mut Buckets, other: &Buckets, unit: f64) {
    if total.spans == other.spans {
        return add_counts(total, lost, other, unit);
    }
    total.spread_over(other);
    lost.spread_over(other);
    let mut spread = other.clone();
    spread.spread_over(total);
    add_counts(total, lost, &spread, unit);
}

fn add_counts(total: &mut Buckets, lost: &mut Buckets, other: &Buckets, unit: f64) {
    let sums = total.counts.iter_mut().zip(&mut lost.counts);
    for ((total, lost), count) in sums.zip(&other.counts) {
        add_compensated(total, lost, count * unit);
    }
}

fn add_compensated(total: &mut f64, lost: &mut f64, value: f64) {
    let sum = *total + value;
    if sum.is_infinite() {
        *lost = 0.0;
    } else if total.abs() >= value.abs() {
        *lost += (*total - sum) + value;
    } else {
        *lost += (value - sum) + *total;
    }
    *total = sum;
}

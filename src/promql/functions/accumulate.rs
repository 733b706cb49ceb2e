//! What sums, means and variances have in common: values are added one by one, or as what another accumulator holds. Used by the
//! aggregations and by the functions of sliding windows.

use super::kahan::{Kahan, Mean, Variance};

/// An accumulator. Merging equals adding the other's values, up to rounding.
pub trait Accumulate: Clone + Default + Send {
    fn add(&mut self, value: f64);
    fn merge(&mut self, other: &Self);
    fn value(&self) -> f64;
}

impl Accumulate for Kahan {
    fn add(&mut self, value: f64) {
        Kahan::add(self, value);
    }

    fn merge(&mut self, other: &Kahan) {
        Kahan::merge(self, other);
    }

    fn value(&self) -> f64 {
        Kahan::value(self)
    }
}

impl Accumulate for Mean {
    fn add(&mut self, value: f64) {
        Mean::add(self, value);
    }

    fn merge(&mut self, other: &Mean) {
        Mean::merge(self, other);
    }

    fn value(&self) -> f64 {
        Mean::value(self)
    }
}

impl Accumulate for Variance {
    fn add(&mut self, value: f64) {
        Variance::add(self, value);
    }

    fn merge(&mut self, other: &Variance) {
        Variance::merge(self, other);
    }

    fn value(&self) -> f64 {
        Variance::value(self)
    }
}

//! Adding and subtracting two histograms, in the layout they have in common.

use super::layout::{Incompatible, Layout, bounds_differ};
use super::{Histogram, ResetHint};

/// What the user is told about a combination that was possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Combined {
    /// One histogram is known to follow a counter reset and the other not to.
    pub reset_conflict: bool,
    /// The custom bounds differed: only those in both are left.
    pub bounds_reconciled: bool,
}

impl Histogram {
    /// # Errors
    /// One histogram has exponential buckets and the other custom ones; nothing was changed.
    pub fn add(&mut self, other: &Histogram) -> Result<Combined, Incompatible> {
        self.combine(other, 1.0)
    }

    /// The result is a gauge.
    ///
    /// # Errors
    /// As for [`Histogram::add`].
    pub fn sub(&mut self, other: &Histogram) -> Result<Combined, Incompatible> {
        let combined = self.combine(other, -1.0)?;
        self.hint = ResetHint::Gauge;
        Ok(combined)
    }

    fn combine(&mut self, other: &Histogram, sign: f64) -> Result<Combined, Incompatible> {
        let layout = Layout::common(self, other)?;
        let combined = Combined {
            reset_conflict: self.hint.conflicts_with(other.hint),
            bounds_reconciled: bounds_differ(self, other),
        };
        self.fit(&layout);
        let other = other.fitted(&layout);
        self.count += sign * other.count;
        self.sum += sign * other.sum;
        self.zero_count += sign * other.zero_count;
        self.positive.add(&other.positive, sign);
        self.negative.add(&other.negative, sign);
        self.hint = self.hint.combined_with(other.hint);
        Ok(combined)
    }
}

impl ResetHint {
    pub(super) fn conflicts_with(self, other: ResetHint) -> bool {
        use ResetHint::{NotReset, Reset};
        matches!((self, other), (Reset, NotReset) | (NotReset, Reset))
    }

    /// A gauge makes a gauge of anything; what does not agree is unknown.
    pub(super) fn combined_with(self, other: ResetHint) -> ResetHint {
        match (self, other) {
            (ResetHint::Gauge, _) | (_, ResetHint::Gauge) => ResetHint::Gauge,
            (a, b) if a == b => a,
            _ => ResetHint::Unknown,
        }
    }
}

//! What functions of histograms and of start times have to remark about their input. They know no metric names and no
//! places in the query; whoever calls them words the annotations.

/// Something a user should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Remark {
    /// Floats and histograms cannot be combined, so there is no result.
    MixedKinds,
    /// Exponential and custom buckets cannot be combined, so there is no result.
    MixedSchemas,
    /// Histograms between floats were passed over.
    HistogramsIgnored,
    /// A gauge where a counter is expected.
    NotCounter,
    /// A counter where a gauge is expected.
    NotGauge,
    /// A sum of histograms before and after a counter reset.
    ResetConflict,
    /// Custom bounds that not all histograms have were dropped.
    BoundsReconciledInAddition,
    BoundsReconciledInSubtraction,
    BoundsReconciledInAggregation,
}

impl Remark {
    const ALL: [Remark; 9] = [
        Remark::MixedKinds,
        Remark::MixedSchemas,
        Remark::HistogramsIgnored,
        Remark::NotCounter,
        Remark::NotGauge,
        Remark::ResetConflict,
        Remark::BoundsReconciledInAddition,
        Remark::BoundsReconciledInSubtraction,
        Remark::BoundsReconciledInAggregation,
    ];
}

/// A set of remarks, and how many windows hold a sample that started before the one before it was taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Remarks {
    set: u32,
    pub start_overlaps: u64,
}

impl Remarks {
    pub fn add(&mut self, remark: Remark) {
        self.set |= 1 << remark as u8;
    }

    pub fn has(&self, remark: Remark) -> bool {
        self.set >> remark as u8 & 1 == 1
    }

    pub fn is_empty(&self) -> bool {
        *self == Remarks::default()
    }

    pub fn iter(&self) -> impl Iterator<Item = Remark> {
        Remark::ALL.into_iter().filter(|remark| self.has(*remark))
    }
}

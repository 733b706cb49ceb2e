//! What functions of histograms have to remark about their input. They know no metric names and no places in the query;
//! whoever calls them words the annotations.

/// Something a user should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Remark {
    /// Warning: the window mixes floats and histograms, so there is no result.
    MixedKinds,
}

/// A set of remarks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Remarks(u32);

impl Remarks {
    pub fn add(&mut self, remark: Remark) {
        self.0 |= 1 << remark as u8;
    }

    pub fn has(self, remark: Remark) -> bool {
        self.0 >> remark as u8 & 1 == 1
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

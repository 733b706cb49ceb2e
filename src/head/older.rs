//! What a shard asks about the samples that are no longer in its store: those in sealed generations, spills and blocks. Only a
//! sample that is not the newest of its series makes it ask. `db` answers, since it knows the blocks.

use super::work::Slot;
use crate::model::Timestamp;

/// Everything older than the open generation.
pub trait Older: Send + Sync {
    /// What there is of a series at a time and after it. What cannot be read is taken for absent.
    fn look(&self, slot: Slot, timestamp: Timestamp) -> Looked;
}

/// An answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looked {
    /// The bits of the value at that very time.
    pub value_bits: Option<u64>,
    /// Is there a sample after that time?
    pub has_newer: bool,
}

/// There is nothing older.
#[derive(Debug, Clone, Copy)]
pub struct NothingOlder;

impl Older for NothingOlder {
    fn look(&self, _: Slot, _: Timestamp) -> Looked {
        Looked::default()
    }
}

//! What maintenance is to do next, decided from plain descriptions of the files there are: pure functions without a disk, a
//! clock or a lock. Maintenance asks one of them, does what it says, writes the new list of files, asks again.
//!
//! 1. [`spills`]: spills of one window become fewer, while the window is still written to.
//! 2. [`cut`]: the spills of a window that is over become one block.
//! 3. [`late`]: what came for windows already cut waits a while and becomes blocks too.
//! 4. [`compaction`]: blocks become fewer and longer ones.
//! 5. [`retention`]: blocks too old, or too many, go.
//!
//! Times and sizes come from footers and may be anything an i64 or u64 can be: nothing here overflows.

pub mod compaction;
pub mod cut;
pub mod late;
pub mod retention;
pub mod spills;

use std::collections::BTreeMap;

use crate::head::run::Part;
use crate::model::{CommitSeq, TimeRange, Timestamp, WINDOW_MS, window_start};

/// How long after its end a window is cut: what scrapers and their retries deliver later than that is rare enough to
/// go the longer way of late samples.
pub const CUT_DELAY_MS: i64 = 10 * 60 * 1000;

/// A spill file, as planning needs to know it.
#[derive(Debug, Clone)]
pub struct SpillInfo {
    pub number: u64,
    pub part: Part,
    /// Of the samples.
    pub range: TimeRange,
    pub min_seq: CommitSeq,
    pub max_seq: CommitSeq,
    pub len_bytes: u64,
    pub samples: u64,
    pub series: u64,
    /// 0 as the head wrote it; how often its samples have been merged since.
    pub tier: u8,
    /// When the oldest of its samples were spilled.
    pub created_ms: Timestamp,
}

/// A block, as planning needs to know it.
#[derive(Debug, Clone)]
pub struct BlockInfo {
    pub id: u128,
    /// Of the samples.
    pub range: TimeRange,
    pub min_seq: CommitSeq,
    pub max_seq: CommitSeq,
    pub len_bytes: u64,
    pub samples: u64,
    pub series: u64,
    /// As [`compaction::Compaction::level`]; for people, nothing is decided by it.
    pub level: u8,
}

/// The range of `len_ms` from a multiple of it that holds `timestamp`, cut off where timestamps end.
fn aligned(timestamp: Timestamp, len_ms: i64) -> TimeRange {
    let (timestamp, len_ms) = (i128::from(timestamp), i128::from(len_ms));
    let start = timestamp.div_euclid(len_ms) * len_ms;
    let clamped = |ms: i128| ms.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64;
    TimeRange { mint: clamped(start), maxt: clamped(start + len_ms - 1) }
}

/// Is the whole range so long ago that its windows are cut?
fn is_over(range: TimeRange, now_ms: Timestamp) -> bool {
    now_ms.saturating_sub(CUT_DELAY_MS) > range.maxt
}

/// The spills of each part, in order of sequence.
fn by_part(spills: &[SpillInfo]) -> BTreeMap<Part, Vec<&SpillInfo>> {
    let mut groups: BTreeMap<Part, Vec<&SpillInfo>> = BTreeMap::new();
    for spill in spills {
        groups.entry(spill.part).or_default().push(spill);
    }
    for group in groups.values_mut() {
        group.sort_by_key(|spill| (spill.min_seq, spill.number));
    }
    groups
}

fn numbers(spills: &[&SpillInfo]) -> Vec<u64> {
    spills.iter().map(|spill| spill.number).collect()
}

fn total_bytes(sizes: impl Iterator<Item = u64>) -> u64 {
    sizes.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests {
    use super::testing::HOUR_MS;
    use super::*;

    #[test]
    fn every_timestamp_is_in_its_aligned_range() {
        for len_ms in [WINDOW_MS, 31 * 24 * HOUR_MS, i64::MAX] {
            for timestamp in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX] {
                assert!(aligned(timestamp, len_ms).contains(timestamp), "{timestamp} {len_ms}");
            }
        }
    }
}

//! Timestamp columns while a block is written. Series that are scraped together have the same timestamps, so a column is
//! written once and series refer to it, or to a part of it with some positions missing.
//!
//! 1. A chunk whose timestamps are exactly those of a column is found by a 128-bit hash of them.
//! 2. A chunk that is a part of a column is found by *anchors*: its first and last timestamp, and those that a
//!    hash of the timestamp chooses, which are the same in the chunk and in the column.
//! 3. Any other chunk gets a column of its own.

use std::collections::VecDeque;
use std::io;

use hashbrown::HashMap;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::layout::OFFSET_BYTES;
use crate::encoding::column::ColumnEncoder;
use crate::encoding::cursor::{put_varint, put_varint_signed};
use crate::fs::sealed::SealedWriter;
use crate::model::Timestamp;

/// Hashes that are kept: targets whose columns are shared at a time. When there are more, all are forgotten.
const HASHES_MAX: usize = 1 << 16;

/// Timestamps of columns that are kept to find parts in, 4 bytes each: the columns of some thousand targets.
const KEPT_TIMESTAMPS_MAX: usize = 1 << 20;

/// Columns that are tried for a chunk.
const CANDIDATES_MAX: usize = 8;

/// One timestamp in so many is an anchor, by its hash; a power of two.
const ANCHOR_RATIO: u32 = 64;

/// A chunk with more gaps than this, and one more for every 16 of its samples, gets its own column.
const GAPS_MAX: usize = 4;
const SAMPLES_PER_GAP: usize = 16;

/// Which timestamps of a column are those of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    pub column: u32,
    /// `None`: all of them.
    pub part: Option<Part>,
}

/// Some timestamps of a column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// Positions from the first to the last, missing ones included.
    pub start: usize,
    pub len: usize,
    pub gaps: Vec<Gap>,
}

/// Positions that are missing, and how many before them, since the last gap, are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    pub present: usize,
    pub missing: usize,
}

/// A column that parts may be found in.
#[derive(Debug)]
struct Kept {
    first: Timestamp,
    /// From the first, in milliseconds.
    offsets: Vec<u32>,
}

/// The columns written so far.
#[derive(Debug)]
pub struct TimeColumns {
    seed: u64,
    by_hash: HashMap<u128, u32>,
    kept: HashMap<u32, Kept>,
    kept_order: VecDeque<u32>,
    kept_timestamps: usize,
    by_anchor: HashMap<Timestamp, u32>,
    scratch: Vec<u8>,
    column: Vec<u8>,
    /// Where each column begins in the file.
    pub table: Vec<u8>,
    pub len: u64,
}

impl Default for TimeColumns {
    fn default() -> TimeColumns {
        TimeColumns {
            seed: rand::random(),
            by_hash: HashMap::new(),
            kept: HashMap::new(),
            kept_order: VecDeque::new(),
            kept_timestamps: 0,
            by_anchor: HashMap::new(),
            scratch: Vec::new(),
            column: Vec::new(),
            table: Vec::new(),
            len: 0,
        }
    }
}

impl TimeColumns {
    /// Columns written.
    pub fn count(&self) -> usize {
        self.table.len() / OFFSET_BYTES
    }

    /// Finds the timestamps of a chunk in a column, or writes a column for them.
    pub fn place(
        &mut self,
        timestamps: &[Timestamp],
        encoder: &mut ColumnEncoder,
        out: &mut SealedWriter,
    ) -> io::Result<Use> {
        self.scratch.clear();
        self.scratch.extend(timestamps.iter().flat_map(|timestamp| timestamp.to_le_bytes()));
        let hash = xxh3_128_with_seed(&self.scratch, self.seed);
        if let Some(column) = self.by_hash.get(&hash) {
            return Ok(Use { column: *column, part: None });
        }
        if let Some((column, part)) = self.find_part(timestamps) {
            return Ok(Use { column, part: Some(part) });
        }
        let column = self.write(timestamps, encoder, out)?;
        if self.by_hash.len() >= HASHES_MAX {
            self.by_hash.clear();
        }
        self.by_hash.insert(hash, column);
        self.keep(column, timestamps);
        Ok(Use { column, part: None })
    }

    fn write(
        &mut self,
        timestamps: &[Timestamp],
        encoder: &mut ColumnEncoder,
        out: &mut SealedWriter,
    ) -> io::Result<u32> {
        let column = u32::try_from(self.count())
            .map_err(|_| io::Error::other("a block has 2^32 timestamp columns"))?;
        self.table.extend_from_slice(&out.position().to_le_bytes());
        let (first, last) = (timestamps[0], timestamps[timestamps.len() - 1]);
        self.column.clear();
        if timestamps.len() > 1 {
            encoder.timestamps(timestamps, &mut self.column);
        }
        self.scratch.clear();
        put_varint(&mut self.scratch, timestamps.len() as u64);
        put_varint_signed(&mut self.scratch, first);
        put_varint(&mut self.scratch, last.wrapping_sub(first) as u64);
        put_varint(&mut self.scratch, self.column.len() as u64);
        self.len += (self.scratch.len() + self.column.len()) as u64;
        out.write(&self.scratch)?;
        out.write(&self.column)?;
        Ok(column)
    }

    fn find_part(&self, timestamps: &[Timestamp]) -> Option<(u32, Part)> {
        let mut tried = [u32::MAX; CANDIDATES_MAX];
        let mut count = 0;
        for column in anchors(timestamps).filter_map(|anchor| self.by_anchor.get(&anchor)) {
            if tried.contains(column) {
                continue;
            }
            let part = self.kept.get(column).and_then(|kept| kept.part(timestamps));
            if let Some(part) = part {
                return Some((*column, part));
            }
            tried[count] = *column;
            count += 1;
            if count == CANDIDATES_MAX {
                break;
            }
        }
        None
    }

    /// Remembers a column, and forgets the oldest ones.
    fn keep(&mut self, column: u32, timestamps: &[Timestamp]) {
        let first = timestamps[0];
        let offset = |t: &Timestamp| u32::try_from(t.wrapping_sub(first) as u64).ok();
        let Some(offsets) = timestamps.iter().map(offset).collect::<Option<Vec<u32>>>() else {
            return;
        };
        self.kept_timestamps += offsets.len();
        self.kept.insert(column, Kept { first, offsets });
        self.kept_order.push_back(column);
        self.by_anchor.extend(anchors(timestamps).map(|anchor| (anchor, column)));
        while self.kept_timestamps > KEPT_TIMESTAMPS_MAX {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let oldest = self.kept_order.pop_front().and_then(|column| self.kept.remove_entry(&column));
        let Some((column, kept)) = oldest else { return };
        self.kept_timestamps -= kept.offsets.len();
        let timestamps: Vec<Timestamp> =
            kept.offsets.iter().map(|offset| kept.first + i64::from(*offset)).collect();
        for anchor in anchors(&timestamps) {
            if self.by_anchor.get(&anchor) == Some(&column) {
                self.by_anchor.remove(&anchor);
            }
        }
    }
}

/// The first and the last timestamp, and those chosen by their hash.
fn anchors(timestamps: &[Timestamp]) -> impl Iterator<Item = Timestamp> + '_ {
    let ends = timestamps.first().into_iter().chain(timestamps.last());
    ends.chain(timestamps.iter().filter(|timestamp| is_anchor(**timestamp))).copied()
}

fn is_anchor(timestamp: Timestamp) -> bool {
    // A multiplication by 2^64 over the golden ratio spreads consecutive numbers over the high bits.
    (timestamp as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - ANCHOR_RATIO.ilog2()) == 0
}

impl Kept {
    /// Where the timestamps are in this column, if all are and few between them are missing.
    fn part(&self, timestamps: &[Timestamp]) -> Option<Part> {
        let offset = |t: Timestamp| u32::try_from(t.checked_sub(self.first)?).ok();
        let start = self.offsets.binary_search(&offset(timestamps[0])?).ok()?;
        let gaps_max = GAPS_MAX + timestamps.len() / SAMPLES_PER_GAP;
        let (mut at, mut present, mut gaps) = (start, 0, Vec::new());
        for timestamp in timestamps {
            let offset = offset(*timestamp)?;
            let missing = self.offsets[at..].iter().take_while(|other| **other < offset).count();
            if missing > 0 {
                gaps.push(Gap { present, missing });
                (at, present) = (at + missing, 0);
            }
            if self.offsets.get(at) != Some(&offset) || gaps.len() > gaps_max {
                return None;
            }
            (at, present) = (at + 1, present + 1);
        }
        Some(Part { start, len: at - start, gaps })
    }
}

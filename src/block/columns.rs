//! Timestamp columns of a block as readers meet them: decoded once and kept for a while, since thousands of series share
//! one. A selection, a stream and the look-ups of a block each keep some.

use hashbrown::HashMap;

use super::reader::Block;
use crate::encoding::column::{COLUMN_VALUES_MAX, decode_timestamps};
use crate::encoding::cursor::{Cursor, VARINT_MAX_BYTES};
use crate::error::Corrupt;
use crate::fs::sealed::FileError;
use crate::model::{TimeRange, Timestamp};
use crate::sync::{Arc, RwLock};

/// The decoded timestamps of a column: at least one, ascending.
pub type Times = Arc<[Timestamp]>;

/// Columns that were decoded lately.
#[derive(Debug)]
pub struct ColumnCache {
    kept: RwLock<Kept>,
    timestamps_max: usize,
}

#[derive(Debug, Default)]
struct Kept {
    by_column: HashMap<u32, Times>,
    timestamps: usize,
}

/// What a column begins with.
struct Head {
    count: usize,
    range: TimeRange,
    /// Bytes of the head, and of the column behind it.
    head_len: usize,
    len: usize,
}

impl ColumnCache {
    /// Keeps so many timestamps in all.
    pub fn new(timestamps_max: usize) -> ColumnCache {
        ColumnCache { kept: RwLock::new(Kept::default()), timestamps_max }
    }

    /// A column, unless all its timestamps are before a range or all are behind it.
    pub fn overlapping(
        &self,
        block: &Block,
        column: u32,
        range: TimeRange,
    ) -> Result<Option<Times>, FileError> {
        let kept = self.kept.read().by_column.get(&column).cloned();
        if let Some(times) = kept {
            let own = TimeRange::new(times[0], times[times.len() - 1]);
            return Ok(own.overlaps(range).then_some(times));
        }
        let place = block.column(column)?;
        let most = (place.end.saturating_sub(place.start)).min(4 * VARINT_MAX_BYTES as u64);
        let head = block.bytes(&(place.start..place.start.saturating_add(most)))?;
        let head = block.at(place.start, Head::read(head))?;
        if !head.range.overlaps(range) {
            return Ok(None);
        }
        let start = place.start + head.head_len as u64;
        let bytes = block.bytes(&(start..start.saturating_add(head.len as u64)))?;
        let times = block.at(start, head.decode(bytes))?;
        self.keep(column, times.clone());
        Ok(Some(times))
    }

    fn keep(&self, column: u32, times: Times) {
        let mut kept = self.kept.write();
        if kept.timestamps + times.len() > self.timestamps_max {
            *kept = Kept::default();
        }
        kept.timestamps += times.len();
        if let Some(before) = kept.by_column.insert(column, times) {
            kept.timestamps -= before.len();
        }
    }
}

impl Head {
    fn read(bytes: &[u8]) -> Result<Head, Corrupt> {
        let mut cursor = Cursor::new(bytes);
        let count = cursor.varint("number of timestamps")?;
        let count = usize::try_from(count).ok().filter(|n| (1..=COLUMN_VALUES_MAX).contains(n));
        let count = count.ok_or_else(|| cursor.corrupt("number of timestamps"))?;
        let first = cursor.varint_signed("first timestamp")?;
        let last = first.checked_add_unsigned(cursor.varint("time between timestamps")?);
        let last = last.ok_or_else(|| cursor.corrupt("time between timestamps"))?;
        let len = usize::try_from(cursor.varint("length of timestamps")?);
        let len = len.map_err(|_| cursor.corrupt("length of timestamps"))?;
        let range = TimeRange::new(first, last);
        Ok(Head { count, range, head_len: cursor.position(), len })
    }

    fn decode(&self, bytes: &[u8]) -> Result<Times, Corrupt> {
        let mut times = vec![self.range.mint];
        if self.count > 1 {
            times.clear();
            decode_timestamps(bytes, self.count, &mut times)?;
        } else if !bytes.is_empty() {
            return Err(Corrupt::at(0, "column of one timestamp"));
        }
        let ends = (times.first(), times.last());
        let ascends = times.is_sorted_by(|a, b| a < b);
        if !ascends || ends != (Some(&self.range.mint), Some(&self.range.maxt)) {
            return Err(Corrupt::at(0, "timestamp column"));
        }
        Ok(times.into())
    }
}

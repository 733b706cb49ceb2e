//! A copy of what a series holds within a range, still encoded: taken under the lock of a shard with few copies and no
//! decoding, decoded outside of it. The copy does not change when the series does.

use super::chunks::{Chunk, merge_samples};
use crate::encoding::chunk::decode_into;
use crate::error::Corrupt;
use crate::model::{Sample, TimeRange};
use crate::read::Columns;

/// Chunks of one series and samples between them. Reused from series to series, it keeps its memory.
#[derive(Debug, Default)]
pub struct EncodedSeries {
    /// Sealed chunks, in order of time and apart.
    pub(super) chunks: Vec<Chunk>,
    /// The open chunk, newer than all of them; empty if it is outside the range.
    pub(super) open: Vec<u8>,
    pub(super) open_count: usize,
    /// Samples that came late, in order of time, at times that no chunk has.
    pub(super) late: Vec<Sample>,
}

impl EncodedSeries {
    pub fn clear(&mut self) {
        self.chunks.clear();
        self.open.clear();
        self.open_count = 0;
        self.late.clear();
    }

    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.open_count == 0 && self.late.is_empty()
    }

    /// How many samples it has, those of whole chunks included.
    pub fn sample_count(&self) -> usize {
        let chunks: usize = self.chunks.iter().map(|chunk| chunk.count as usize).sum();
        chunks + self.open_count + self.late.len()
    }

    /// Appends the samples within the range, in order of time.
    pub fn decode(&self, range: TimeRange, out: &mut Columns) -> Result<(), Corrupt> {
        let start = out.len();
        for chunk in &self.chunks {
            chunk.decode(out)?;
        }
        if self.open_count > 0 {
            let (timestamps, floats) = (&mut out.timestamps, &mut out.floats);
            decode_into(&self.open, self.open_count, timestamps, floats)?;
        }
        trim(start, range, out);
        merge_samples(&self.late, start, out);
        Ok(())
    }
}

/// Cuts off the rows outside the range, of those from `start` on.
pub fn trim(start: usize, range: TimeRange, columns: &mut Columns) {
    let rows = &columns.timestamps[start..];
    let end = start + rows.partition_point(|t| *t <= range.maxt);
    let begin = start + columns.timestamps[start..end].partition_point(|t| *t < range.mint);
    columns.timestamps.truncate(end);
    columns.floats.truncate(end);
    columns.timestamps.drain(start..begin);
    columns.floats.drain(start..begin);
}

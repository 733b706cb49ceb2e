//! All of a block from front to back, in order of labels and in little memory: for compaction and for checks.

use super::columns::ColumnCache;
use super::pages::PlaceReader;
use super::reader::Block;
use super::row_labels::{LabelReader, Texts};
use super::series::{Overlap, read_samples};
use crate::fs::sealed::FileError;
use crate::model::{Labels, TimeRange};
use crate::read::Columns;
use crate::sync::Arc;

/// Timestamps that a stream keeps decoded, 8 bytes each.
const CURSOR_TIMESTAMPS_MAX: usize = 128 << 10;

/// A stream of the series of a block that have samples in a range.
#[derive(Debug)]
pub struct BlockCursor {
    block: Arc<Block>,
    range: TimeRange,
    /// `None`: the block has nothing in the range.
    overlap: Option<Overlap>,
    next: u32,
    places: PlaceReader,
    labels: LabelReader<Texts>,
    columns: ColumnCache,
}

impl Block {
    /// Streams the samples within a range.
    pub fn cursor(self: &Arc<Self>, range: TimeRange) -> BlockCursor {
        BlockCursor {
            block: self.clone(),
            range,
            overlap: Overlap::of(self, range),
            next: 0,
            places: PlaceReader::default(),
            // Whoever streams holds little in memory.
            labels: LabelReader::new(Texts::default()),
            columns: ColumnCache::new(CURSOR_TIMESTAMPS_MAX),
        }
    }
}

impl BlockCursor {
    /// The labels of the next series with samples in the range, which replace the contents of `out`; `None` at the end.
    ///
    /// # Errors
    /// The series, or its labels, lie in a damaged place. The call after that goes on with the next series.
    pub fn next(&mut self, out: &mut Columns) -> Result<Option<Labels>, FileError> {
        let Some(overlap) = &self.overlap else { return Ok(None) };
        while self.next < self.block.series_count() {
            let series = self.next;
            self.next += 1;
            let place = self.places.read(&self.block, series)?;
            if !overlap.holds(place) {
                continue;
            }
            out.clear();
            read_samples(&self.block, &self.columns, place, self.range, out)?;
            if !out.is_empty() {
                let labels = self.labels.read(&self.block, series)?;
                self.block.check_storage()?;
                return Ok(Some(labels));
            }
        }
        Ok(None)
    }
}

//! Writing a block: series come in order of their labels, each with all its samples. Samples go to the file at once; labels
//! are kept, compactly, until the end (`labels`).
//!
//! Chunks are cut where half of the bounds is, a quarter, and so on, as far as a series has too many samples for one
//! column, so that series scraped together are cut at the same times and share timestamp columns (`times`).

use std::io;
use std::ops::Range;
use std::path::Path;

use super::chunks::put_chunk;
use super::footer::Footer;
use super::labels::LabelsWriter;
use super::layout::BLOCK;
use super::pages::{PagesWriter, Place, Units};
use super::times::{TimeColumns, Use};
use super::values::ValueColumns;
use super::{BlockMeta, BlockOptions};
use crate::encoding::column::{COLUMN_VALUES_MAX, ColumnEncoder};
use crate::encoding::cursor::put_varint;
use crate::fs::Disk;
use crate::fs::sealed::SealedWriter;
use crate::model::{Labels, TimeRange, Timestamp};
use crate::read::Columns;

/// A block under construction. Given up before [`BlockWriter::finish`] it leaves a file that does not open.
#[derive(Debug)]
pub struct BlockWriter {
    options: BlockOptions,
    out: SealedWriter,
    units: Units,
    encoder: ColumnEncoder,
    times: TimeColumns,
    value_columns: ValueColumns,
    labels: LabelsWriter,
    pages: PagesWriter,
    last: Option<Labels>,
    range: TimeRange,
    series_count: u64,
    sample_count: u64,
    samples_len: u64,
    /// Samples of the series being added.
    chunks: Vec<(Use, usize)>,
    values: Vec<u8>,
    head: Vec<u8>,
}

impl BlockWriter {
    /// Creates the file. Fails if the name is taken.
    pub fn create(disk: &dyn Disk, path: &Path, options: BlockOptions) -> io::Result<BlockWriter> {
        Ok(BlockWriter {
            out: SealedWriter::create(disk, path, BLOCK)?,
            units: Units::of(options.range),
            options,
            encoder: ColumnEncoder::default(),
            times: TimeColumns::default(),
            value_columns: ValueColumns::default(),
            labels: LabelsWriter::default(),
            pages: PagesWriter::default(),
            last: None,
            range: TimeRange::EMPTY,
            series_count: 0,
            sample_count: 0,
            samples_len: 0,
            chunks: Vec::new(),
            values: Vec::new(),
            head: Vec::new(),
        })
    }

    /// Series added so far.
    pub fn series_count(&self) -> u64 {
        self.series_count
    }

    /// Adds a series: in ascending order of labels, each once; samples not empty, strictly ascending in time, within the
    /// range of the options. `InvalidInput` if that does not hold, and then nothing was added; after any other error
    /// the file is to be given up.
    pub fn add(&mut self, labels: &Labels, samples: &Columns) -> io::Result<()> {
        self.check(labels, samples)?;
        self.encode(samples)?;
        let offset = self.out.position();
        self.out.write(&self.head)?;
        self.out.write(&self.values)?;
        self.value_columns.written(offset + self.head.len() as u64);
        let (first, last) = (samples.timestamps[0], samples.timestamps[samples.len() - 1]);
        let len = self.out.position() - offset;
        let place = Place { offset, len, extent: self.units.extent(first, last) };
        self.pages.push(labels.fingerprint(), place, &mut self.out)?;
        self.labels.push(labels);
        self.last = Some(labels.clone());
        self.range.include(first);
        self.range.include(last);
        self.series_count += 1;
        self.sample_count += samples.len() as u64;
        self.samples_len += len;
        Ok(())
    }

    fn check(&self, labels: &Labels, samples: &Columns) -> io::Result<()> {
        let refuse = |what| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        let timestamps = &samples.timestamps;
        let bounds = self.options.range;
        if self.last.as_ref().is_some_and(|last| last >= labels) {
            return refuse(format!("series {labels} is not above the one before"));
        }
        if timestamps.is_empty() || timestamps.len() != samples.floats.len() {
            return refuse(format!("series {labels} has columns of different lengths or none"));
        }
        if !timestamps.is_sorted_by(|a, b| a < b) {
            return refuse(format!("timestamps of series {labels} do not ascend"));
        }
        if timestamps[0] < bounds.mint || timestamps[timestamps.len() - 1] > bounds.maxt {
            return refuse(format!("series {labels} has samples outside the range of the block"));
        }
        if self.series_count == super::layout::SERIES_MAX as u64 {
            return refuse("a block has 2^32 series".to_string());
        }
        Ok(())
    }

    /// Encodes the samples of a series into `head` and `values`; timestamp columns that are new go to the file.
    fn encode(&mut self, samples: &Columns) -> io::Result<()> {
        self.values.clear();
        self.chunks.clear();
        let mut cuts = Vec::new();
        cut(&samples.timestamps, 0, self.options.range, &mut cuts);
        for range in &cuts {
            let timestamps = &samples.timestamps[range.clone()];
            let used = self.times.place(timestamps, &mut self.encoder, &mut self.out)?;
            self.chunks.push((used, 0));
        }
        let offset = self.out.position();
        for (range, (_, len)) in cuts.into_iter().zip(&mut self.chunks) {
            let start = self.values.len();
            self.encoder.floats(&samples.floats[range], &mut self.values);
            self.value_columns.share(start, offset, &mut self.values);
            *len = self.values.len() - start;
        }
        self.head.clear();
        put_varint(&mut self.head, self.chunks.len() as u64);
        for (i, (used, len)) in self.chunks.iter().enumerate() {
            let is_last = i + 1 == self.chunks.len();
            put_chunk(used, (!is_last).then_some(*len), &mut self.head);
        }
        Ok(())
    }

    /// Writes the index and makes the content durable; the name is durable after its directory is synced.
    ///
    /// # Errors
    /// The disk refuses, or no series was added (`InvalidInput`). The file is then the caller's to remove.
    pub fn finish(mut self) -> io::Result<BlockMeta> {
        if self.series_count == 0 {
            let text = "a block without series";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        self.pages.flush(&mut self.out)?;
        let labels = self.labels.finish(&mut self.out)?;
        let row_table_offset = self.out.position();
        for start in &labels.row_starts {
            self.out.write(&start.to_le_bytes())?;
        }
        let column_table_offset = self.out.position();
        self.out.write(&self.times.table)?;
        let page_table_offset = self.out.position();
        self.out.write(&self.pages.table)?;
        let names_offset = self.out.position();
        self.out.write(&labels.names)?;
        let footer = Footer {
            id: self.options.id,
            range: self.range,
            bounds: self.options.range,
            min_seq: self.options.min_seq,
            max_seq: self.options.max_seq,
            series_count: self.series_count,
            sample_count: self.sample_count,
            column_count: self.times.count() as u64,
            samples_len: self.samples_len,
            timestamps_len: self.times.len,
            pages_len: self.pages.len,
            labels_offset: labels.labels_offset,
            rows_offset: labels.rows_offset,
            row_table_offset,
            column_table_offset,
            page_table_offset,
            names_offset,
            name_count: labels.name_count,
            level: self.options.level,
            parents: self.options.parents,
        };
        let sealed = self.out.finish(&footer.encode())?;
        Ok(BlockMeta::new(&footer, sealed.len_bytes, sealed.checksum))
    }
}

/// Positions of the chunks of ascending timestamps, of which the first is at `offset` and all lie within the bounds. Every
/// halving leaves half of the milliseconds, so that it ends.
fn cut(timestamps: &[Timestamp], offset: usize, bounds: TimeRange, out: &mut Vec<Range<usize>>) {
    if timestamps.len() <= COLUMN_VALUES_MAX {
        if !timestamps.is_empty() {
            out.push(offset..offset + timestamps.len());
        }
        return;
    }
    let half = (bounds.maxt.wrapping_sub(bounds.mint) as u64 / 2) as i64;
    let middle = bounds.mint.wrapping_add(half);
    let at = timestamps.partition_point(|timestamp| *timestamp <= middle);
    let (before, behind) = timestamps.split_at(at);
    cut(before, offset, TimeRange::new(bounds.mint, middle), out);
    cut(behind, offset + at, TimeRange::new(middle + 1, bounds.maxt), out);
}

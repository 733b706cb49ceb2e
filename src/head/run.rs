//! Sealed samples of one shard: what the shard's store held when it was sealed, immutable, in the encoding of spills. Kept in
//! memory until a spill file has them.
//!
//! A run belongs to one *part*: a window that is not over yet, or everything older. A chunk that lies in two parts is split.

use std::collections::BTreeMap;

use super::chunk_list::{decode_within, put_chunk};
use super::chunks::ChunkEncoder;
use crate::encoding::chunk::decode_into;
use crate::error::Corrupt;
use crate::model::{TimeRange, Timestamp, window_start};
use crate::read::Columns;

/// What a run or a spill holds the samples of. Late samples come first in the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Those older than every window that was open.
    Late,
    /// Those of the window that begins then.
    Window(Timestamp),
}

impl Part {
    /// The part of a sample, given the start of the oldest window that is not over.
    pub fn of(timestamp: Timestamp, open_from: Timestamp) -> Part {
        if timestamp < open_from { Part::Late } else { Part::Window(window_start(timestamp)) }
    }
}

/// Samples of many series of one shard, in one part.
#[derive(Debug)]
pub struct Run {
    /// Indexes of the series within the shard, ascending.
    indexes: Vec<u32>,
    /// Where the chunks of each end in `bytes`.
    ends: Vec<usize>,
    bytes: Vec<u8>,
    pub range: TimeRange,
    pub samples: u64,
}

impl Default for Run {
    fn default() -> Run {
        let range = TimeRange::EMPTY;
        Run { indexes: Vec::new(), ends: Vec::new(), bytes: Vec::new(), range, samples: 0 }
    }
}

impl Run {
    /// The chunks of a series.
    pub fn chunks(&self, index: u32) -> Option<&[u8]> {
        self.indexes.binary_search(&index).ok().map(|at| self.chunks_at(at))
    }

    fn chunks_at(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.bytes[start..self.ends[at]]
    }

    /// The series and their chunks, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &[u8])> {
        self.indexes.iter().enumerate().map(|(at, index)| (*index, self.chunks_at(at)))
    }

    pub fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
            + self.indexes.capacity() * size_of::<u32>()
            + self.ends.capacity() * size_of::<usize>()
    }

    fn push(&mut self, index: u32, range: TimeRange, count: usize, bytes: &[u8]) {
        put_chunk(&mut self.bytes, count, bytes);
        match self.indexes.last() {
            Some(last) if *last == index => self.ends.pop(),
            _ => {
                self.indexes.push(index);
                None
            }
        };
        self.ends.push(self.bytes.len());
        self.range.include(range.mint);
        self.range.include(range.maxt);
        self.samples += count as u64;
    }
}

/// All runs of a shard, by part.
pub type Runs = BTreeMap<Part, Run>;

/// Builds the runs of a shard from its series in ascending order.
#[derive(Debug)]
pub struct RunsBuilder {
    open_from: Timestamp,
    runs: Runs,
    encoder: ChunkEncoder,
    columns: Columns,
}

impl RunsBuilder {
    /// `open_from` is the start of the oldest window that is not over.
    pub fn new(open_from: Timestamp) -> RunsBuilder {
        RunsBuilder {
            open_from,
            runs: Runs::new(),
            encoder: ChunkEncoder::default(),
            columns: Columns::default(),
        }
    }

    /// Adds a chunk of a series; the chunks of a series come in order of time.
    ///
    /// # Errors
    /// The bytes are not such a chunk. Noticed only where it must be split.
    pub fn push(
        &mut self,
        index: u32,
        range: TimeRange,
        count: usize,
        bytes: &[u8],
    ) -> Result<(), Corrupt> {
        let part = Part::of(range.mint, self.open_from);
        if part == Part::of(range.maxt, self.open_from) {
            self.runs.entry(part).or_default().push(index, range, count, bytes);
            return Ok(());
        }
        let mut columns = std::mem::take(&mut self.columns);
        columns.clear();
        let decoded = decode_into(bytes, count, &mut columns.timestamps, &mut columns.floats);
        self.push_columns(index, &columns);
        self.columns = columns;
        decoded
    }

    /// Adds samples of a series, which come in order of time.
    pub fn push_columns(&mut self, index: u32, columns: &Columns) {
        let mut start = 0;
        while start < columns.len() {
            let part = Part::of(columns.timestamps[start], self.open_from);
            let rest = &columns.timestamps[start..];
            let end = start + rest.partition_point(|t| Part::of(*t, self.open_from) <= part);
            let run = self.runs.entry(part).or_default();
            let (timestamps, floats) =
                (&columns.timestamps[start..end], &columns.floats[start..end]);
            self.encoder.encode(timestamps, floats, |range, count, bytes| {
                run.push(index, range, count, bytes);
            });
            start = end;
        }
    }

    pub fn finish(self) -> Runs {
        self.runs
    }
}

/// Appends the samples that the runs of a shard have of a series, in order of time: the parts are apart.
pub fn read_runs(
    runs: &Runs,
    index: u32,
    range: TimeRange,
    out: &mut Columns,
) -> Result<(), Corrupt> {
    for run in runs.values().filter(|run| run.range.overlaps(range)) {
        if let Some(chunks) = run.chunks(index) {
            decode_within(chunks, range, out)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::WINDOW_MS;

    fn columns(timestamps: impl IntoIterator<Item = i64>) -> Columns {
        let mut columns = Columns::default();
        timestamps.into_iter().for_each(|t| columns.push(t, t as f64));
        columns
    }

    #[test]
    fn samples_go_to_their_parts_and_come_back_in_order() {
        let all = columns((-3..700).map(|i| i * 60_000));
        let mut builder = RunsBuilder::new(2 * WINDOW_MS);
        for index in [3, 9] {
            ChunkEncoder::default().encode(&all.timestamps, &all.floats, |range, count, bytes| {
                builder.push(index, range, count, bytes).unwrap();
            });
        }
        let runs = builder.finish();
        let parts: Vec<Part> = runs.keys().copied().collect();
        let windows = (2..6).map(|i| Part::Window(i * WINDOW_MS));
        assert_eq!(parts, [Part::Late].into_iter().chain(windows).collect::<Vec<_>>());
        for (part, run) in &runs {
            let range = match part {
                Part::Late => TimeRange::new(-180_000, 2 * WINDOW_MS - 60_000),
                Part::Window(start) => {
                    TimeRange::new(*start, (start + WINDOW_MS - 60_000).min(699 * 60_000))
                }
            };
            assert_eq!(run.range, range);
            assert_eq!(run.iter().map(|(index, _)| index).collect::<Vec<_>>(), [3, 9]);
        }
        assert_eq!(runs.values().map(|run| run.samples).sum::<u64>(), 2 * 703);
        for index in [3, 9] {
            let mut read = Columns::default();
            read_runs(&runs, index, TimeRange::ALL, &mut read).unwrap();
            assert_eq!(read.timestamps, all.timestamps);
            assert_eq!(read.floats, all.floats);
        }
        assert!(runs.values().all(|run| run.chunks(4).is_none()));
    }
}

//! Sealed chunks of one series, and how samples that came late get into them. Used by `series` and `encoded`; knows nothing
//! of shards and locks. The bytes are this process' own, so a chunk that does not decode is a bug here.

use crate::encoding::bits::block_bytes;
use crate::encoding::chunk::{OpenChunk, decode_into, write_columns};
use crate::encoding::column::{ColumnEncoder, Effort};
use crate::error::Corrupt;
use crate::model::{Sample, TimeRange, Timestamp};
use crate::read::Columns;
use crate::sync::Arc;

/// Samples of a full chunk: an hour at 15 s. Twice as many would save less than 0.1 bytes per sample, but a sample that
/// comes late decodes the chunk it falls into, and a query decodes the chunks at both ends of its range in vain.
pub const CHUNK_SAMPLES_MAX: usize = 240;

/// Reference counts in front of the bytes of an `Arc<[u8]>`.
const ARC_HEADER_BYTES: usize = 16;

/// An immutable run of samples. Clones share the bytes.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// First and last timestamp.
    pub range: TimeRange,
    pub count: u32,
    bytes: Arc<[u8]>,
}

impl Chunk {
    /// `bytes` as [`OpenChunk::write_to`] gives them.
    pub fn new(range: TimeRange, count: usize, bytes: &[u8]) -> Chunk {
        Chunk { range, count: count as u32, bytes: bytes.into() }
    }

    /// Appends the samples to the columns.
    pub fn decode(&self, out: &mut Columns) -> Result<(), Corrupt> {
        decode_into(&self.bytes, self.count as usize, &mut out.timestamps, &mut out.floats)
    }

    /// As given to [`Chunk::new`].
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Memory behind this value.
    pub fn heap_bytes(&self) -> usize {
        ARC_HEADER_BYTES + self.bytes.len()
    }
}

/// Merges samples in order of time, none of them at a time of the columns, into the columns from row `start` on.
pub fn merge_samples(samples: &[Sample], start: usize, columns: &mut Columns) {
    let mut read = columns.len();
    columns.timestamps.resize(read + samples.len(), 0);
    columns.floats.resize(read + samples.len(), 0.0);
    for (waiting, sample) in samples.iter().enumerate().rev() {
        while read > start && columns.timestamps[read - 1] > sample.timestamp {
            read -= 1;
            columns.timestamps[read + waiting + 1] = columns.timestamps[read];
            columns.floats[read + waiting + 1] = columns.floats[read];
        }
        columns.timestamps[read + waiting] = sample.timestamp;
        columns.floats[read + waiting] = sample.value;
    }
}

/// The chunks with late samples among them: chunks in order and apart, samples in order, none of them in a chunk.
/// A sample goes into the last chunk that begins before it, or into the first; other chunks stay as they are.
pub fn merge_late(chunks: Vec<Chunk>, late: &[Sample]) -> Result<Vec<Chunk>, Corrupt> {
    let mut out = Vec::with_capacity(chunks.len() + 1);
    let mut columns = Columns::default();
    let mut late = late;
    let mut chunks = chunks.into_iter().peekable();
    while let Some(chunk) = chunks.next() {
        let end = chunks.peek().map_or(late.len(), |next| {
            late.partition_point(|sample| sample.timestamp < next.range.mint)
        });
        let (own, others) = late.split_at(end);
        late = others;
        if own.is_empty() {
            out.push(chunk);
            continue;
        }
        columns.clear();
        chunk.decode(&mut columns)?;
        merge_samples(own, 0, &mut columns);
        encode(&columns, &mut out);
    }
    columns.clear();
    merge_samples(late, 0, &mut columns);
    encode(&columns, &mut out);
    Ok(out)
}

/// Appends the columns as chunks.
fn encode(columns: &Columns, out: &mut Vec<Chunk>) {
    ChunkEncoder::default().encode(&columns.timestamps, &columns.floats, |range, count, bytes| {
        out.push(Chunk::new(range, count, bytes));
    });
}

/// Encodes chunks; its buffers are used again for every chunk.
#[derive(Debug, Default)]
pub struct ChunkEncoder {
    blocks: Vec<u8>,
    bytes: Vec<u8>,
    /// Makes columns instead of streams.
    columns: Option<Box<ColumnEncoder>>,
}

impl ChunkEncoder {
    /// One that makes columns: for chunks that are written to files.
    pub fn of_columns(effort: Effort) -> ChunkEncoder {
        let columns = Some(Box::new(ColumnEncoder::new(effort)));
        ChunkEncoder { columns, ..ChunkEncoder::default() }
    }

    /// Encodes columns whose timestamps ascend as chunks of about equal length.
    pub fn encode(
        &mut self,
        timestamps: &[Timestamp],
        floats: &[f64],
        mut each: impl FnMut(TimeRange, usize, &[u8]),
    ) {
        let pieces = timestamps.len().div_ceil(CHUNK_SAMPLES_MAX);
        for piece in 0..pieces {
            let (start, end) = (piece * timestamps.len(), (piece + 1) * timestamps.len());
            let rows = start / pieces..end / pieces;
            let range = TimeRange::new(timestamps[rows.start], timestamps[rows.end - 1]);
            self.encode_one(&timestamps[rows.clone()], &floats[rows.clone()]);
            each(range, rows.len(), &self.bytes);
        }
    }

    fn encode_one(&mut self, timestamps: &[Timestamp], floats: &[f64]) {
        self.blocks.clear();
        self.bytes.clear();
        if let Some(encoder) = &mut self.columns {
            return write_columns(timestamps, floats, encoder, &mut self.bytes);
        }
        let mut open = OpenChunk::default();
        for (timestamp, value) in timestamps.iter().zip(floats) {
            let full = open.append(Sample::new(*timestamp, *value));
            self.blocks.extend(full.iter().flat_map(block_bytes));
        }
        open.write_to(&self.blocks, &mut self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(timestamps: impl IntoIterator<Item = i64>) -> Columns {
        let mut columns = Columns::default();
        timestamps.into_iter().for_each(|t| columns.push(t, t as f64));
        columns
    }

    fn samples(timestamps: impl IntoIterator<Item = i64>) -> Vec<Sample> {
        timestamps.into_iter().map(|t| Sample::new(t, t as f64)).collect()
    }

    fn timestamps(chunks: &[Chunk]) -> Vec<i64> {
        let mut out = Columns::default();
        for chunk in chunks {
            chunk.decode(&mut out).unwrap();
        }
        assert!(out.timestamps.iter().zip(&out.floats).all(|(t, v)| *t as f64 == *v));
        out.timestamps
    }

    #[test]
    fn merged_columns_are_in_order_and_rows_before_the_start_stay() {
        let mut merged = columns([90, 1, 3, 5]);
        merge_samples(&samples([0, 2, 6, 7]), 1, &mut merged);
        assert_eq!(merged.timestamps, [90, 0, 1, 2, 3, 5, 6, 7]);
        assert_eq!(merged.floats, [90.0, 0.0, 1.0, 2.0, 3.0, 5.0, 6.0, 7.0]);
    }

    #[test]
    fn late_samples_go_into_the_chunks_around_them_and_others_stay() {
        let mut chunks = Vec::new();
        for start in [0, 1_000, 2_000, 3_000] {
            encode(&columns((start..).step_by(10).take(50)), &mut chunks);
        }
        let untouched = chunks[1].bytes.clone();
        let late = [-5, 5, 900, 2_005, 9_000];
        let merged = merge_late(chunks, &samples(late)).unwrap();
        let mut expected: Vec<i64> =
            (0..4).flat_map(|c| (0..50).map(move |i| c * 1_000 + i * 10)).collect();
        expected.extend(late);
        expected.sort();
        assert_eq!(timestamps(&merged), expected);
        assert!(Arc::ptr_eq(&merged[1].bytes, &untouched));
    }

    #[test]
    fn a_chunk_that_grows_too_long_becomes_equal_halves() {
        let mut chunks = Vec::new();
        encode(&columns((0..240).map(|i| i * 10)), &mut chunks);
        let merged = merge_late(chunks, &samples((0..60).map(|i| i * 10 + 5))).unwrap();
        assert_eq!(merged.iter().map(|c| c.count).collect::<Vec<_>>(), [150, 150]);
        assert_eq!(merge_late(Vec::new(), &samples(0..3)).unwrap().len(), 1);
    }
}

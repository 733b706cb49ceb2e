//! The chunk of the head, in two forms. A *stream*: timestamps and values interleaved in one stream of bits, so that appending a
//! sample costs two short writes at one place. *Columns*: the same apart, as in blocks, which are smaller and several
//! times faster to read. Written by `head` and by what merges spills, read by all that reads samples.
//!
//! A chunk is a flag byte and the rest; its number of samples is kept beside it. Flag bit 0 is set aside for a third
//! column of start timestamps: this version writes none and refuses chunks that have it set.
//! Order of timestamps is the writer's business: any sequence comes back as it was.

use super::bits::{BLOCK_BITS, BitReader, BitWriter, Block, block_bytes};
use super::column::{ColumnEncoder, decode_floats, decode_timestamps};
use super::cursor::{Cursor, put_varint, put_varint_signed};
use super::gorilla::Window;
use super::timestamps::Timestamps;
use crate::error::Corrupt;
use crate::model::{Sample, Timestamp};

/// The flags of a stream.
pub const STREAM: u8 = 0;
/// The flags of columns.
pub const COLUMNS: u8 = 2;
/// The shortest sample: the same step and the same value again.
const SAMPLE_BITS_MIN: usize = 2;

/// A chunk being written: where it has got to, and its last bits. Its owner keeps the full blocks.
/// It stays the newest sample's keeper after [`OpenChunk::restart`].
#[derive(Debug, Clone)]
pub struct OpenChunk {
    timestamps: Timestamps,
    value_bits: u64,
    tail: Block,
    stream_bits: u32,
    count: u16,
    window: Window,
}

impl Default for OpenChunk {
    fn default() -> OpenChunk {
        OpenChunk {
            timestamps: Timestamps { last: Timestamp::MIN, delta: 0 },
            value_bits: 0,
            tail: Block::default(),
            stream_bits: 0,
            count: 0,
            window: Window::default(),
        }
    }
}

impl OpenChunk {
    /// Appends a sample. A block that became full is handed over: it follows those handed over before. The caller restarts
    /// the chunk long before 65,535 samples.
    #[inline]
    pub fn append(&mut self, sample: Sample) -> Option<Block> {
        let mut out = BitWriter::resume(&self.tail, self.stream_bits);
        let before = out.position();
        let value_bits = sample.value.to_bits();
        if self.count == 0 {
            self.timestamps.put_first(sample.timestamp, &mut out);
            self.window.put(value_bits, &mut out);
        } else {
            self.timestamps.put(sample.timestamp, &mut out);
            self.window.put(value_bits ^ self.value_bits, &mut out);
        }
        self.value_bits = value_bits;
        self.count += 1;
        self.stream_bits += out.position() - before;
        let (tail, full) = out.suspend();
        self.tail = tail;
        full
    }

    /// Begins a new chunk behind the same newest sample.
    pub fn restart(&mut self) {
        *self = OpenChunk {
            timestamps: self.timestamps,
            value_bits: self.value_bits,
            ..OpenChunk::default()
        };
    }

    /// Samples since the last restart.
    #[inline]
    pub fn count(&self) -> usize {
        usize::from(self.count)
    }

    /// The time of the sample appended last, also across a restart; the earliest of all times before the first sample.
    #[inline]
    pub fn last_timestamp(&self) -> Timestamp {
        self.timestamps.last
    }

    /// The value of the sample appended last.
    #[inline]
    pub fn last_value(&self) -> f64 {
        f64::from_bits(self.value_bits)
    }

    /// Bits behind the last full block.
    #[inline]
    pub fn tail_bits(&self) -> u32 {
        self.stream_bits % BLOCK_BITS
    }

    /// Appends to `out` the chunk as it is now; `blocks` are the bytes of all blocks handed over.
    pub fn write_to(&self, blocks: &[u8], out: &mut Vec<u8>) {
        let tail_bytes = self.tail_bits().div_ceil(8) as usize;
        out.reserve_exact(1 + blocks.len() + tail_bytes);
        out.push(STREAM);
        out.extend_from_slice(blocks);
        out.extend_from_slice(&block_bytes(&self.tail)[..tail_bytes]);
    }

    /// The time of the chunk's first sample, if it has one; `blocks` as for `write_to`.
    pub fn first_timestamp(&self, blocks: &[u8]) -> Option<Timestamp> {
        if self.count == 0 {
            return None;
        }
        let tail = block_bytes(&self.tail);
        let stream = if blocks.is_empty() { &tail[..] } else { blocks };
        Some(Timestamps::default().read_first(&mut BitReader::new(stream)))
    }
}

/// Appends the samples as a chunk of columns: 1 to [`super::column::COLUMN_VALUES_MAX`] of them.
pub fn write_columns(
    timestamps: &[Timestamp],
    floats: &[f64],
    encoder: &mut ColumnEncoder,
    out: &mut Vec<u8>,
) {
    out.push(COLUMNS);
    put_varint_signed(out, timestamps[0]);
    let mut column = Vec::new();
    encoder.timestamps(timestamps, &mut column);
    put_varint(out, column.len() as u64);
    out.extend_from_slice(&column);
    encoder.floats(floats, out);
}

/// A chunk behind its flags.
enum Form<'a> {
    Stream(&'a [u8]),
    Columns { first: Timestamp, timestamps: &'a [u8], floats: &'a [u8] },
}

impl<'a> Form<'a> {
    fn of(chunk: &'a [u8]) -> Result<Form<'a>, Corrupt> {
        let Some((flags, rest)) = chunk.split_first() else {
            return Err(Corrupt::at(0, "chunk flags"));
        };
        match *flags {
            STREAM => Ok(Form::Stream(rest)),
            COLUMNS => {
                let mut cursor = Cursor::new(rest);
                let first = cursor.varint_signed("first timestamp of a chunk")?;
                let len = cursor.length("length of the timestamps of a chunk")?;
                let timestamps = cursor.bytes(len, "timestamps of a chunk")?;
                let floats = cursor.bytes(cursor.remaining(), "values of a chunk")?;
                Ok(Form::Columns { first, timestamps, floats })
            }
            _ => Err(Corrupt::at(0, "chunk flags of this version")),
        }
    }
}

/// The time of the first sample of a chunk that has any.
pub fn first_timestamp(chunk: &[u8]) -> Result<Timestamp, Corrupt> {
    Ok(match Form::of(chunk)? {
        Form::Stream(stream) => Timestamps::default().read_first(&mut BitReader::new(stream)),
        Form::Columns { first, .. } => first,
    })
}

/// Appends the `count` samples of a chunk to the columns.
///
/// # Errors
/// The bytes are not a chunk of that many samples; the columns are as before.
pub fn decode_into(
    chunk: &[u8],
    count: usize,
    timestamps: &mut Vec<Timestamp>,
    floats: &mut Vec<f64>,
) -> Result<(), Corrupt> {
    let before = (timestamps.len(), floats.len());
    let result = match Form::of(chunk)? {
        Form::Stream(stream) => append_stream(stream, count, timestamps, floats),
        Form::Columns { first, timestamps: times, floats: values } => {
            decode_timestamps(times, count, timestamps)
                .and_then(|()| match timestamps.get(before.0) == Some(&first) {
                    true => Ok(()),
                    false => Err(Corrupt::at(1, "first timestamp of a chunk")),
                })
                .and_then(|()| decode_floats(values, count, floats))
        }
    };
    if result.is_err() {
        timestamps.truncate(before.0);
        floats.truncate(before.1);
    }
    result
}

fn append_stream(
    stream: &[u8],
    count: usize,
    timestamps: &mut Vec<Timestamp>,
    floats: &mut Vec<f64>,
) -> Result<(), Corrupt> {
    if count > stream.len() * 8 / SAMPLE_BITS_MIN {
        return Err(Corrupt::at(1, "chunk long enough for its samples"));
    }
    let (old_timestamps, old_floats) = (timestamps.len(), floats.len());
    timestamps.resize(old_timestamps + count, 0);
    floats.resize(old_floats + count, 0.0);
    decode_stream(stream, &mut timestamps[old_timestamps..], &mut floats[old_floats..])
}

fn decode_stream(
    stream: &[u8],
    timestamps: &mut [Timestamp],
    floats: &mut [f64],
) -> Result<(), Corrupt> {
    let mut reader = BitReader::new(stream);
    let mut times = Timestamps::default();
    let mut window = Window::default();
    let mut value_bits = 0;
    let mut rows = timestamps.iter_mut().zip(floats);
    if let Some((timestamp, float)) = rows.next() {
        *timestamp = times.read_first(&mut reader);
        value_bits = window.read(&mut reader);
        *float = f64::from_bits(value_bits);
    }
    for (timestamp, float) in rows {
        *timestamp = times.read(&mut reader);
        value_bits ^= window.read(&mut reader);
        *float = f64::from_bits(value_bits);
    }
    reader.finish("chunk stream")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(samples: &[(i64, u64)]) -> Vec<u8> {
        let mut open = OpenChunk::default();
        let mut blocks = Vec::new();
        for (timestamp, bits) in samples {
            let full = open.append(Sample::new(*timestamp, f64::from_bits(*bits)));
            blocks.extend(full.iter().flat_map(block_bytes));
            assert_eq!(open.first_timestamp(&blocks), Some(samples[0].0));
        }
        let mut out = Vec::new();
        open.write_to(&blocks, &mut out);
        out
    }

    fn decoded(chunk: &[u8], count: usize) -> Result<Vec<(i64, u64)>, Corrupt> {
        let (mut timestamps, mut floats) = (Vec::new(), Vec::new());
        let result = decode_into(chunk, count, &mut timestamps, &mut floats);
        assert_eq!(timestamps.len(), floats.len());
        assert!(result.is_ok() || timestamps.is_empty());
        result.map(|()| timestamps.into_iter().zip(floats.iter().map(|v| v.to_bits())).collect())
    }

    fn in_columns(samples: &[(i64, u64)]) -> Vec<u8> {
        let (timestamps, floats): (Vec<i64>, Vec<f64>) =
            samples.iter().map(|(t, bits)| (*t, f64::from_bits(*bits))).unzip();
        let mut out = Vec::new();
        write_columns(&timestamps, &floats, &mut ColumnEncoder::default(), &mut out);
        assert_eq!(first_timestamp(&out), Ok(timestamps[0]));
        out
    }

    fn any_samples() -> impl Strategy<Value = Vec<(i64, u64)>> {
        let anything = prop::collection::vec((any::<i64>(), any::<u64>()), 0..300);
        let steady = prop::collection::vec((-70i64..70, 0u32..1000), 0..300).prop_map(|rows| {
            let row = |(i, (jitter, value)): (usize, (i64, u32))| {
                (1_700_000_000_000 + i as i64 * 15_000 + jitter, f64::from(value).to_bits())
            };
            rows.into_iter().enumerate().map(row).collect()
        });
        prop_oneof![anything, steady]
    }

    proptest! {
        #[test]
        fn any_samples_round_trip(samples in any_samples()) {
            let chunk = encoded(&samples);
            prop_assert_eq!(decoded(&chunk, samples.len()).unwrap(), samples.clone());
            if !samples.is_empty() {
                let chunk = in_columns(&samples);
                prop_assert_eq!(decoded(&chunk, samples.len()).unwrap(), samples);
            }
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(chunk: Vec<u8>, count in 0usize..1000) {
            let _ = decoded(&chunk, count);
            for flags in [STREAM, COLUMNS] {
                let mut with_flags = vec![flags];
                with_flags.extend(&chunk);
                let _ = (decoded(&with_flags, count), first_timestamp(&with_flags));
            }
        }

        #[test]
        fn a_shortened_chunk_is_refused(samples in any_samples(), cut: prop::sample::Index) {
            let chunk = encoded(&samples);
            let cut = cut.index(chunk.len());
            prop_assert!(decoded(&chunk[..cut], samples.len()).is_err());
            if !samples.is_empty() {
                let chunk = in_columns(&samples);
                let cut = cut % chunk.len();
                let read = decoded(&chunk[..cut], samples.len());
                prop_assert!(read.is_err() || read.unwrap() == samples);
            }
        }

        #[test]
        fn bytes_behind_a_chunk_are_refused(samples in any_samples(), byte: u8) {
            let mut chunk = encoded(&samples);
            chunk.push(byte);
            prop_assert!(decoded(&chunk, samples.len()).is_err());
        }
    }

    #[test]
    fn unknown_flags_are_refused() {
        let mut chunk = encoded(&[(1, 2)]);
        chunk[0] = 1;
        assert_eq!(decoded(&chunk, 1).unwrap_err().offset, 0);
        assert!(decoded(&[], 0).is_err());
    }

    #[test]
    fn an_impossible_count_is_refused_before_memory_is_taken() {
        assert!(decoded(&encoded(&[(1, 2)]), usize::MAX).is_err());
    }

    #[test]
    fn a_restarted_chunk_stands_alone() {
        let mut open = OpenChunk::default();
        open.append(Sample::new(1_000, 1.0));
        open.append(Sample::new(2_000, 2.0));
        open.restart();
        assert_eq!((open.count(), open.last_timestamp(), open.last_value()), (0, 2_000, 2.0));
        assert_eq!(open.first_timestamp(&[]), None);
        open.append(Sample::new(3_000, 3.0));
        let mut chunk = Vec::new();
        open.write_to(&[], &mut chunk);
        assert_eq!(decoded(&chunk, 1).unwrap(), [(3_000, 3f64.to_bits())]);
    }

    #[test]
    fn an_open_chunk_leaves_room_for_a_pointer_in_its_cache_line() {
        assert_eq!(size_of::<OpenChunk>() + size_of::<usize>(), 64);
    }
}

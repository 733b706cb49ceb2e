//! The samples of one series in a run or a spill: chunks one behind the other, in order of time and apart.
//!
//! Each is a varint of its number of samples, a varint of its length in bytes, and the bytes of
//! [`crate::encoding::chunk`]. Knows nothing of which series it is.

use crate::encoding::chunk::{decode_into, first_timestamp};
use crate::encoding::cursor::{Cursor, put_varint};
use crate::error::Corrupt;
use crate::model::{TimeRange, Timestamp};
use crate::read::Columns;

/// Appends a chunk.
pub fn put_chunk(out: &mut Vec<u8>, count: usize, bytes: &[u8]) {
    put_varint(out, count as u64);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends the samples of all chunks of a list to the columns.
///
/// # Errors
/// The bytes are not a list of chunks in order of time; the columns then hold a part of it.
pub fn decode(list: &[u8], out: &mut Columns) -> Result<(), Corrupt> {
    decode_within(list, TimeRange::ALL, out)
}

/// As [`decode`], but for chunks that lie outside the range as a whole, as the chunks before and behind them show.
pub fn decode_within(list: &[u8], range: TimeRange, out: &mut Columns) -> Result<(), Corrupt> {
    let mut cursor = Cursor::new(list);
    let start = out.timestamps.len();
    let mut next = Chunk::next(&mut cursor)?;
    // Where the chunk at hand begins, if somebody had to know: most lists are one chunk.
    let mut first = None;
    while let Some(chunk) = next {
        next = Chunk::next(&mut cursor)?;
        let begins = first;
        first = next.as_ref().map(Chunk::first).transpose()?;
        // A chunk ends before the next one begins.
        if first.is_some_and(|next| next <= range.mint) {
            continue;
        }
        if begins.is_some_and(|begins| begins > range.maxt) {
            break;
        }
        let before = out.timestamps.len().max(start + 1) - 1;
        decode_into(chunk.bytes, chunk.count, &mut out.timestamps, &mut out.floats)
            .map_err(|corrupt| corrupt.in_file("", chunk.base))?;
        // At once: of a few bytes a chunk of columns makes thousands of samples.
        if !out.timestamps[before..].is_sorted_by(|a, b| a < b) {
            return Err(Corrupt::at(chunk.base, "order of timestamps"));
        }
    }
    Ok(())
}

/// A chunk of a list.
struct Chunk<'a> {
    count: usize,
    bytes: &'a [u8],
    /// Where the bytes are in the list.
    base: u64,
}

impl<'a> Chunk<'a> {
    /// `None` at the end of the list.
    fn next(cursor: &mut Cursor<'a>) -> Result<Option<Chunk<'a>>, Corrupt> {
        if cursor.is_empty() {
            return Ok(None);
        }
        let count = cursor.varint("chunk sample count")?;
        let len = cursor.length("chunk length")?;
        let base = cursor.position() as u64;
        let count = usize::try_from(count).map_err(|_| cursor.corrupt("chunk sample count"))?;
        let bytes = cursor.bytes(len, "chunk")?;
        Ok(Some(Chunk { count, bytes, base }))
    }

    /// The time of its first sample.
    fn first(&self) -> Result<Timestamp, Corrupt> {
        first_timestamp(self.bytes).map_err(|corrupt| corrupt.in_file("", self.base))
    }
}

/// How many samples a list has, as far as it can be read.
pub fn sample_count(list: &[u8]) -> u64 {
    let mut cursor = Cursor::new(list);
    let mut samples = 0;
    while let Ok(count) = cursor.varint("chunk sample count") {
        let chunk = cursor.length("chunk length").and_then(|len| cursor.bytes(len, "chunk"));
        if chunk.is_err() {
            break;
        }
        samples = count.saturating_add(samples);
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::chunks::ChunkEncoder;
    use proptest::prelude::*;

    fn list_of(columns: &Columns) -> Vec<u8> {
        let mut list = Vec::new();
        let put = |_, count, bytes: &[u8]| put_chunk(&mut list, count, bytes);
        ChunkEncoder::default().encode(&columns.timestamps, &columns.floats, put);
        list
    }

    #[test]
    fn samples_come_back() {
        for count in [0, 1, 2, 240, 241, 1000] {
            let mut columns = Columns::default();
            (0..count).for_each(|i| columns.push(i * 15_000, (i % 7) as f64));
            let list = list_of(&columns);
            let mut read = Columns::default();
            decode(&list, &mut read).unwrap();
            assert_eq!((read.timestamps, read.floats), (columns.timestamps, columns.floats));
            assert_eq!(sample_count(&list), count as u64);
        }
    }

    #[test]
    fn chunks_outside_a_range_are_passed_over() {
        let mut columns = Columns::default();
        (0..1_000).for_each(|i| columns.push(i * 15_000, i as f64));
        let list = list_of(&columns);
        for (mint, maxt) in [(0, 0), (3_600_000, 3_600_000), (3_599_999, 7_200_001), (0, i64::MAX)]
        {
            let range = TimeRange::new(mint, maxt);
            let mut read = Columns::default();
            decode_within(&list, range, &mut read).unwrap();
            let within = |t: &&i64| range.contains(**t);
            let expected: Vec<&i64> = columns.timestamps.iter().filter(within).collect();
            assert_eq!(read.timestamps.iter().filter(within).collect::<Vec<_>>(), expected);
            assert!(read.len() <= expected.len() + 2 * 240, "{range:?}: {}", read.len());
        }
    }

    proptest! {
        #[test]
        fn damaged_lists_are_errors_or_other_samples_never_panics(
            at: prop::sample::Index, xor in 1u8.., cut: prop::sample::Index,
        ) {
            let mut columns = Columns::default();
            (0..300).for_each(|i| columns.push(i * 15_000, i as f64));
            let mut list = list_of(&columns);
            let at = at.index(list.len());
            list[at] ^= xor;
            list.truncate(cut.index(list.len() + 1));
            let mut read = Columns::default();
            let _ = decode(&list, &mut read);
            prop_assert_eq!(read.timestamps.len(), read.floats.len());
            prop_assert!(read.len() <= list.len() * 4);
        }
    }
}

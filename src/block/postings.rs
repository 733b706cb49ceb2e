//! The series of a label pair: an ascending list of numbers, in as few bytes as it takes. `labels` writes lists, `dictionary`
//! finds them, `select` decodes them.
//!
//! A list is one number, or runs of consecutive numbers, or the gaps between numbers in a Rice code, whichever is shortest:
//! the first labels of sorted series come in runs, the last ones return every few series.

use super::layout::*;
use crate::encoding::bits::BitReader;
use crate::encoding::cursor::{Cursor, put_varint, unzigzag, zigzag};
use crate::error::Corrupt;

/// Consecutive series: the first, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    pub start: u32,
    pub len: u32,
}

/// Encodes the lists of one group of values, one behind the other.
#[derive(Debug, Default)]
pub struct PostingsWriter {
    previous_first: u32,
    runs: Vec<u8>,
    gaps: RiceWriter,
}

impl PostingsWriter {
    /// Begins a group: its lists can be read without those before.
    pub fn restart(&mut self) {
        self.previous_first = 0;
    }

    /// Appends a list: ascending runs, none touching the next, at least one.
    pub fn push(&mut self, runs: &[Run], out: &mut Vec<u8>) {
        let first = runs[0].start;
        let step = zigzag(i64::from(first) - i64::from(self.previous_first));
        self.previous_first = first;
        let count: u64 = runs.iter().map(|run| u64::from(run.len)).sum();
        put_varint(out, step << 1 | u64::from(count > 1));
        if count == 1 {
            return;
        }
        put_varint(out, count - 2);
        self.encode_runs(runs);
        self.gaps.encode(runs, count, self.runs.len());
        let (kind, bytes) = match self.gaps.bytes.len() < self.runs.len() {
            true => (LIST_RICE, &self.gaps.bytes),
            false => (LIST_RUNS, &self.runs),
        };
        put_varint(out, (bytes.len() as u64) << 1 | kind);
        out.extend_from_slice(bytes);
    }

    fn encode_runs(&mut self, runs: &[Run]) {
        self.runs.clear();
        let mut end = runs[0].start;
        for (i, run) in runs.iter().enumerate() {
            if i > 0 {
                put_varint(&mut self.runs, u64::from(run.start - end - 1));
            }
            put_varint(&mut self.runs, u64::from(run.len - 1));
            end = run.start + run.len;
        }
    }
}

/// Gaps between numbers, less one: `low_bits` bits of each as they are, the rest as ones before a zero.
#[derive(Debug, Default)]
struct RiceWriter {
    bytes: Vec<u8>,
    pending: u64,
    pending_bits: u32,
}

impl RiceWriter {
    /// Encodes all numbers but the first; gives up behind `enough` bytes.
    fn encode(&mut self, runs: &[Run], count: u64, enough: usize) {
        self.bytes.clear();
        (self.pending, self.pending_bits) = (0, 0);
        let last = runs[runs.len() - 1];
        let span = u64::from(last.start + (last.len - 1) - runs[0].start);
        let mean = (span - (count - 1)) / (count - 1);
        let low_bits = mean.checked_ilog2().unwrap_or(0).min(RICE_BITS_MAX);
        self.bytes.push(low_bits as u8);
        let mut previous = runs[0].start;
        for run in runs {
            for number in run.start..=run.start + (run.len - 1) {
                if number != runs[0].start {
                    self.put_gap(number - previous - 1, low_bits);
                }
                previous = number;
            }
            if self.bytes.len() > enough {
                return;
            }
        }
        if self.pending_bits > 0 {
            self.bytes.push(self.pending as u8);
        }
    }

    fn put_gap(&mut self, gap: u32, low_bits: u32) {
        let quotient = gap >> low_bits;
        if quotient >= RICE_QUOTIENT_MAX {
            self.put((1 << RICE_QUOTIENT_MAX) - 1, RICE_QUOTIENT_MAX);
            return self.put(u64::from(gap), u32::BITS);
        }
        self.put((1 << quotient) - 1, quotient + 1);
        self.put(u64::from(gap) & ((1 << low_bits) - 1), low_bits);
    }

    fn put(&mut self, value: u64, bits: u32) {
        self.pending |= value << self.pending_bits;
        self.pending_bits += bits;
        while self.pending_bits >= 8 {
            self.bytes.push(self.pending as u8);
            self.pending >>= 8;
            self.pending_bits -= 8;
        }
    }
}

/// A list that was found and not decoded.
#[derive(Debug, Clone)]
pub struct List<'a> {
    pub first: u32,
    pub count: u32,
    kind: u64,
    bytes: &'a [u8],
    /// Where `bytes` begin in what the cursor read.
    at: u64,
}

impl<'a> List<'a> {
    /// Reads the list behind the one whose first number is given; 0 at the start of a group.
    pub fn read(
        cursor: &mut Cursor<'a>,
        previous_first: u32,
        series_count: u32,
    ) -> Result<List<'a>, Corrupt> {
        let head = cursor.varint("head of postings")?;
        let first = i64::from(previous_first).checked_add(unzigzag(head >> 1));
        let first = first.and_then(|first| u32::try_from(first).ok());
        let first = first.filter(|first| *first < series_count);
        let first = first.ok_or_else(|| cursor.corrupt("first series of postings"))?;
        if head & 1 == 0 {
            let at = cursor.position() as u64;
            return Ok(List { first, count: 1, kind: LIST_RUNS, bytes: &[0], at });
        }
        let count = cursor.varint("length of postings")?.checked_add(2);
        let count = count.and_then(|count| u32::try_from(count).ok());
        let count = count.filter(|count| *count <= series_count - first);
        let count = count.ok_or_else(|| cursor.corrupt("length of postings"))?;
        let size = cursor.varint("size of postings")?;
        let at = cursor.position() as u64;
        let len = usize::try_from(size >> 1).unwrap_or(usize::MAX);
        let bytes = cursor.bytes(len, "postings")?;
        Ok(List { first, count, kind: size & 1, bytes, at })
    }

    /// Appends the numbers. `out` grows by `count`, which is at most that of all series.
    pub fn decode(&self, series_count: u32, out: &mut Vec<u32>) -> Result<(), Corrupt> {
        let before = out.len();
        let decoded = match self.kind {
            LIST_RUNS => self.decode_runs(series_count, out),
            _ => self.decode_gaps(series_count, out),
        };
        if decoded.is_err() || out.len() - before != self.count as usize {
            out.truncate(before);
            return Err(Corrupt::at(self.at, "postings"));
        }
        Ok(())
    }

    fn decode_runs(&self, series_count: u32, out: &mut Vec<u32>) -> Result<(), Corrupt> {
        let mut cursor = Cursor::new(self.bytes);
        let mut start = u64::from(self.first);
        let mut left = u64::from(self.count);
        loop {
            let len = cursor.varint("run of postings")?.saturating_add(1);
            let end = start.saturating_add(len);
            if len > left || end > u64::from(series_count) {
                return Err(cursor.corrupt("run of postings"));
            }
            out.extend(start as u32..end as u32);
            left -= len;
            if cursor.is_empty() {
                return Ok(());
            }
            start = end.saturating_add(cursor.varint("gap of postings")?).saturating_add(1);
        }
    }

    fn decode_gaps(&self, series_count: u32, out: &mut Vec<u32>) -> Result<(), Corrupt> {
        let low_bits = Cursor::new(self.bytes).u8("bits of a gap")?;
        let low_bits = u32::from(low_bits).min(RICE_BITS_MAX);
        let mut reader = BitReader::new(&self.bytes[1..]);
        let mut number = u64::from(self.first);
        // Every gap takes a bit at least, so a count that the bytes cannot hold is found before space is made for it.
        if u64::from(self.count) > self.bytes.len() as u64 * 8 {
            return Err(Corrupt::at(0, "length of postings"));
        }
        out.reserve(self.count as usize);
        out.push(self.first);
        for _ in 1..self.count {
            number += 1 + read_gap(&mut reader, low_bits);
            reader.fail_if(number >= u64::from(series_count));
            out.push(number as u32);
        }
        reader.finish("postings")
    }
}

#[inline]
fn read_gap(reader: &mut BitReader<'_>, low_bits: u32) -> u64 {
    let ahead = reader.peek();
    let quotient = ahead.trailing_ones();
    if quotient >= RICE_QUOTIENT_MAX {
        reader.skip(RICE_QUOTIENT_MAX);
        return reader.read(u32::BITS);
    }
    reader.skip(quotient + 1 + low_bits);
    u64::from(quotient) << low_bits | (ahead >> (quotient + 1)) & ((1 << low_bits) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn runs_of(numbers: &[u32]) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for number in numbers {
            match runs.last_mut() {
                Some(run) if run.start + run.len == *number => run.len += 1,
                _ => runs.push(Run { start: *number, len: 1 }),
            }
        }
        runs
    }

    fn assert_round_trip(lists: &[Vec<u32>], series_count: u32) -> usize {
        let (mut writer, mut bytes) = (PostingsWriter::default(), Vec::new());
        lists.iter().for_each(|list| writer.push(&runs_of(list), &mut bytes));
        let mut cursor = Cursor::new(&bytes);
        let mut previous_first = 0;
        for list in lists {
            let read = List::read(&mut cursor, previous_first, series_count).unwrap();
            previous_first = read.first;
            assert_eq!(read.count as usize, list.len());
            let mut numbers = vec![7];
            read.decode(series_count, &mut numbers).unwrap();
            assert_eq!(numbers[1..], list[..]);
        }
        assert!(cursor.is_empty());
        bytes.len()
    }

    proptest! {
        #[test]
        fn lists_round_trip(
            steps in prop::collection::vec(
                prop::collection::vec(prop_oneof![Just(1u32), 1u32..9, 1u32..100_000], 1..200), 1..4),
        ) {
            let lists: Vec<Vec<u32>> = steps.iter().map(|steps| {
                steps.iter().scan(0, |n, step| { *n += step; Some(*n) }).collect()
            }).collect();
            let end = lists.iter().flatten().max().unwrap() + 1;
            assert_round_trip(&lists, end);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, series_count in 1u32..1000) {
            let mut cursor = Cursor::new(&bytes);
            let mut out = Vec::new();
            while let Ok(list) = List::read(&mut cursor, 0, series_count) {
                if list.decode(series_count, &mut out).is_ok() {
                    prop_assert!(out.is_sorted_by(|a, b| a < b));
                    prop_assert!(*out.last().unwrap() < series_count);
                }
                out.clear();
            }
        }
    }

    #[test]
    fn regular_lists_are_small() {
        assert_eq!(assert_round_trip(&[vec![1_000_000]], u32::MAX), 4);
        assert!(assert_round_trip(&[(500..100_000).collect()], u32::MAX) < 12);
        let every_fourth: Vec<u32> = (0..100_000).step_by(4).collect();
        assert!(assert_round_trip(&[every_fourth], u32::MAX) < 100_000 / 4 * 4 / 8);
        assert_round_trip(&[vec![0, u32::MAX - 1]], u32::MAX);
    }
}

//! The values of one label name while a block is written: taken in any order, given back sorted, kept front-coded in sorted
//! runs, since a million texts as they come would be most of the writer's memory. `labels` has one of these per name.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::io;

use super::dictionary::shared_len;
use crate::encoding::cursor::{Cursor, put_varint};
use crate::error::Corrupt;

/// Text that is gathered before it is sorted, and how many values at most: more makes runs fewer and smaller and takes
/// more memory for each label with many values.
const RUN_TEXT_BYTES: usize = 128 << 10;
const RUN_VALUES_MAX: usize = 8192;

/// A run is kept in pieces, which are freed as it is read.
const PIECE_BYTES: usize = 4000;

/// From this on the lengths of a value take more than half a byte each.
const LENGTHS_LONG: usize = 15;

/// Values in order of arrival. A value may come twice; it has two numbers then.
#[derive(Debug, Default)]
pub struct Values {
    count: u32,
    text: Vec<u8>,
    ends: Vec<u32>,
    runs: Vec<Run>,
    scratch: Vec<u8>,
}

/// Sorted values: for each what it shares with the one before, the rest, and which in order of arrival it is.
#[derive(Debug)]
struct Run {
    pieces: Vec<Box<[u8]>>,
    first_number: u32,
}

/// What the sorted values are called.
#[derive(Debug)]
pub struct Ranks {
    /// By number of arrival: how many different values are below.
    pub rank_of: Vec<u32>,
    /// Different values.
    pub count: u32,
}

impl Values {
    /// Takes a value, and gives its number: 0 for the first, and so on.
    pub fn push(&mut self, value: &[u8]) -> u32 {
        self.text.extend_from_slice(value);
        self.ends.push(self.text.len() as u32);
        self.count += 1;
        if self.text.len() >= RUN_TEXT_BYTES || self.ends.len() == RUN_VALUES_MAX {
            self.seal_run();
        }
        self.count - 1
    }

    fn pending(&self, index: u32) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index as usize - 1] };
        &self.text[start as usize..self.ends[index as usize] as usize]
    }

    fn seal_run(&mut self) {
        let mut order: Vec<u32> = (0..self.ends.len() as u32).collect();
        order.sort_unstable_by(|a, b| self.pending(*a).cmp(self.pending(*b)));
        let (mut pieces, mut piece) = (Vec::new(), std::mem::take(&mut self.scratch));
        let mut previous: &[u8] = &[];
        for index in &order {
            let value = self.pending(*index);
            let shared = shared_len(previous, value);
            put_lengths(shared, value.len() - shared, &mut piece);
            piece.extend_from_slice(&value[shared..]);
            put_varint(&mut piece, u64::from(*index));
            previous = value;
            if piece.len() >= PIECE_BYTES {
                pieces.push(Box::from(&piece[..]));
                piece.clear();
            }
        }
        pieces.push(Box::from(&piece[..]));
        piece.clear();
        self.scratch = piece;
        self.runs.push(Run { pieces, first_number: self.count - order.len() as u32 });
        self.text.clear();
        self.ends.clear();
    }

    /// Calls `emit` with every different value, in order.
    pub fn merge(mut self, mut emit: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<Ranks> {
        self.seal_run();
        (self.text, self.ends, self.scratch) = Default::default();
        let readers = self.runs.into_iter().map(RunReader::new);
        let mut heap: BinaryHeap<RunReader> = readers.filter_map(RunReader::next).collect();
        let mut rank_of = vec![0; self.count as usize];
        let mut last = Vec::new();
        let mut count = 0;
        while let Some(mut least) = heap.peek_mut() {
            if count == 0 || least.value != last {
                emit(&least.value)?;
                count += 1;
                last.clear();
                last.extend_from_slice(&least.value);
            }
            rank_of[least.number as usize] = count - 1;
            if !least.advance() {
                PeekMut::pop(least);
            }
        }
        Ok(Ranks { rank_of, count })
    }
}

/// Appends what a value shares and the length of its rest: a byte for both where both are short.
fn put_lengths(shared: usize, rest: usize, out: &mut Vec<u8>) {
    if shared < LENGTHS_LONG && rest < LENGTHS_LONG {
        return out.push((shared << 4 | rest) as u8);
    }
    out.push((LENGTHS_LONG << 4) as u8);
    put_varint(out, shared as u64);
    put_varint(out, rest as u64);
}

fn read_lengths(cursor: &mut Cursor<'_>) -> Result<(usize, usize), Corrupt> {
    let both = usize::from(cursor.u8("lengths")?);
    if both >> 4 < LENGTHS_LONG {
        return Ok((both >> 4, both & LENGTHS_LONG));
    }
    Ok((cursor.varint("shared length")? as usize, cursor.varint("length")? as usize))
}

/// Reads a run from front to back, and frees what it has read.
struct RunReader {
    piece: Box<[u8]>,
    position: usize,
    pieces: std::vec::IntoIter<Box<[u8]>>,
    first_number: u32,
    value: Vec<u8>,
    number: u32,
}

impl RunReader {
    fn new(run: Run) -> RunReader {
        RunReader {
            piece: Box::default(),
            position: 0,
            pieces: run.pieces.into_iter(),
            first_number: run.first_number,
            value: Vec::new(),
            number: 0,
        }
    }

    fn next(mut self) -> Option<RunReader> {
        self.advance().then_some(self)
    }

    /// Goes to the next value, if there is one.
    fn advance(&mut self) -> bool {
        const WRITTEN: &str = "a run is read as it was written";
        if self.position == self.piece.len() {
            self.piece = self.pieces.next().unwrap_or_default();
            self.position = 0;
        }
        if self.piece.is_empty() {
            return false;
        }
        let mut cursor = Cursor::new(&self.piece[self.position..]);
        let (shared, len) = read_lengths(&mut cursor).expect(WRITTEN);
        self.value.truncate(shared);
        self.value.extend_from_slice(cursor.bytes(len, WRITTEN).expect(WRITTEN));
        self.number = self.first_number + cursor.varint(WRITTEN).expect(WRITTEN) as u32;
        self.position += cursor.position();
        true
    }
}

impl PartialEq for RunReader {
    fn eq(&self, other: &RunReader) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for RunReader {}

impl PartialOrd for RunReader {
    fn partial_cmp(&self, other: &RunReader) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RunReader {
    /// The least value is the greatest reader, as the heap gives the greatest first.
    fn cmp(&self, other: &RunReader) -> Ordering {
        other.value.cmp(&self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn values_come_back_sorted_and_once() {
        for count in [0, 1, 100, 3 * RUN_VALUES_MAX] {
            let texts: Vec<String> = (0..count)
                .map(|i| format!("{}{}", "v".repeat(i % 40), i * 7919 % (count / 2 + 1)))
                .collect();
            let mut values = Values::default();
            for (i, text) in texts.iter().enumerate() {
                assert_eq!(values.push(text.as_bytes()), i as u32);
            }
            let mut sorted = Vec::new();
            let ranks = values
                .merge(|value| {
                    sorted.push(String::from_utf8(value.to_vec()).unwrap());
                    Ok(())
                })
                .unwrap();
            let expected: BTreeSet<String> = texts.iter().cloned().collect();
            assert_eq!(sorted, expected.into_iter().collect::<Vec<_>>());
            assert_eq!(ranks.count as usize, sorted.len());
            for (text, rank) in texts.iter().zip(ranks.rank_of) {
                assert_eq!(sorted[rank as usize], *text);
            }
        }
    }
}

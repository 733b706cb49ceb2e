//! The values of one label name while a block is written: taken in any order, given back sorted, kept front-coded in sorted
//! runs, since a million texts as they come would be most of the writer's memory. `labels` has one of these per name.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::io;

use super::dictionary::shared_len;
use crate::encoding::cursor::{Cursor, put_varint};

/// Text that is gathered before it is sorted, and how many values at most: more makes runs fewer and smaller and takes
/// more memory for each label with many values.
const RUN_TEXT_BYTES: usize = 128 << 10;
const RUN_VALUES_MAX: usize = 8192;

/// Values in order of arrival. A value may come twice; it has two numbers then.
#[derive(Debug, Default)]
pub struct Values {
    count: u32,
    text: Vec<u8>,
    ends: Vec<u32>,
    runs: Vec<Run>,
}

/// Sorted values: for each what it shares with the one before, the rest, and which in order of arrival it is.
#[derive(Debug)]
struct Run {
    bytes: Box<[u8]>,
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
        let mut bytes = Vec::with_capacity(self.text.len());
        let mut previous: &[u8] = &[];
        for index in &order {
            let value = self.pending(*index);
            let shared = shared_len(previous, value);
            put_varint(&mut bytes, shared as u64);
            put_varint(&mut bytes, (value.len() - shared) as u64);
            bytes.extend_from_slice(&value[shared..]);
            put_varint(&mut bytes, u64::from(*index));
            previous = value;
        }
        let first_number = self.count - order.len() as u32;
        self.runs.push(Run { bytes: bytes.into_boxed_slice(), first_number });
        self.text.clear();
        self.ends.clear();
    }

    /// Calls `emit` with every different value, in order.
    pub fn merge(mut self, mut emit: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<Ranks> {
        self.seal_run();
        (self.text, self.ends) = Default::default();
        let readers = self.runs.iter().map(RunReader::new);
        let mut heap: BinaryHeap<RunReader<'_>> = readers.filter_map(RunReader::next).collect();
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

/// Reads a run from front to back.
struct RunReader<'a> {
    cursor: Cursor<'a>,
    first_number: u32,
    value: Vec<u8>,
    number: u32,
}

impl<'a> RunReader<'a> {
    fn new(run: &'a Run) -> RunReader<'a> {
        let cursor = Cursor::new(&run.bytes);
        RunReader { cursor, first_number: run.first_number, value: Vec::new(), number: 0 }
    }

    fn next(mut self) -> Option<RunReader<'a>> {
        self.advance().then_some(self)
    }

    /// Goes to the next value, if there is one.
    fn advance(&mut self) -> bool {
        if self.cursor.is_empty() {
            return false;
        }
        const WRITTEN: &str = "a run is read as it was written";
        let shared = self.cursor.varint(WRITTEN).expect(WRITTEN);
        let len = self.cursor.length(WRITTEN).expect(WRITTEN);
        self.value.truncate(shared as usize);
        self.value.extend_from_slice(self.cursor.bytes(len, WRITTEN).expect(WRITTEN));
        self.number = self.first_number + self.cursor.varint(WRITTEN).expect(WRITTEN) as u32;
        true
    }
}

impl PartialEq for RunReader<'_> {
    fn eq(&self, other: &RunReader<'_>) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for RunReader<'_> {}

impl PartialOrd for RunReader<'_> {
    fn partial_cmp(&self, other: &RunReader<'_>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RunReader<'_> {
    /// The least value is the greatest reader, as the heap gives the greatest first.
    fn cmp(&self, other: &RunReader<'_>) -> Ordering {
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
            let texts: Vec<String> =
                (0..count).map(|i| format!("v{}", i * 7919 % (count / 2 + 1))).collect();
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

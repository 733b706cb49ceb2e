//! Label rows: the label set of every slot, as the ids of its label pairs in order of label name, each a varint. A
//! row is the canonical form of a label set, so looking up a series by its labels is looking up a row.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::arena::{Arena, Paged};
use super::table::{Hash, TagTable};
use crate::encoding::cursor::{Cursor, put_varint};

/// The pairs of a row.
#[derive(Debug, Clone)]
pub struct RowPairs<'a> {
    cursor: Cursor<'a>,
    /// Of rows that ascend: what the next difference is added to.
    next: u64,
    ascends: bool,
    pair_end: u64,
}

impl Default for RowPairs<'_> {
    fn default() -> Self {
        RowPairs::plain(&[])
    }
}

impl<'a> RowPairs<'a> {
    /// A row of this process: the pairs as they are.
    fn plain(row: &'a [u8]) -> RowPairs<'a> {
        RowPairs { cursor: Cursor::new(row), next: 0, ascends: false, pair_end: u64::MAX }
    }

    /// A row of an image: the first pair, then how many lie between one and the next. Ends before a pair that is not
    /// below `pair_end`.
    pub fn ascending(row: &'a [u8], pair_end: u32) -> RowPairs<'a> {
        let (cursor, pair_end) = (Cursor::new(row), u64::from(pair_end));
        RowPairs { cursor, next: 0, ascends: true, pair_end }
    }

    /// Was everything read?
    pub fn is_done(&self) -> bool {
        self.cursor.is_empty()
    }
}

impl Iterator for RowPairs<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        let before = self.cursor.clone();
        let value = self.cursor.varint("label pair").ok()?;
        let pair = self.next.saturating_add(value);
        if pair >= self.pair_end {
            self.cursor = before;
            return None;
        }
        if self.ascends {
            self.next = pair + 1;
        }
        Some(pair as u32)
    }
}

/// Appends a row of an image: pairs that ascend. Ends before one that does not, which only an image with senseless
/// content has.
pub fn put_ascending(out: &mut Vec<u8>, pairs: impl IntoIterator<Item = u32>) {
    let mut next = 0u32;
    for pair in pairs {
        let Some(difference) = pair.checked_sub(next) else { return };
        put_varint(out, u64::from(difference));
        next = pair.saturating_add(1);
    }
}

/// A row under construction, and the one before it. Series that come one after the other mostly share most labels,
/// so the pair at the same place is tried before any table.
#[derive(Debug, Default)]
pub struct RowBuffer {
    bytes: Vec<u8>,
    /// The row as an image has it.
    ascending: Vec<u8>,
    /// Name and pair by place, of this row as far as it is built, then of rows before.
    places: Vec<(u32, u32)>,
    len: usize,
}

impl RowBuffer {
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.len = 0;
    }

    /// Name and pair at the place that comes next, in an earlier row.
    pub fn neighbour(&self) -> Option<(u32, u32)> {
        self.places.get(self.len).copied()
    }

    pub fn push(&mut self, name: u32, pair: u32) {
        put_varint(&mut self.bytes, u64::from(pair));
        match self.places.get_mut(self.len) {
            Some(place) => *place = (name, pair),
            None => self.places.push((name, pair)),
        }
        self.len += 1;
    }

    /// The pairs of the row.
    pub fn pairs(&self) -> impl Iterator<Item = u32> + '_ {
        self.places[..self.len].iter().map(|(_, pair)| *pair)
    }

    /// The row as an image with so many pairs has it, if it could have it.
    pub fn as_ascending(&mut self, pair_end: u32) -> Option<&[u8]> {
        let pairs = || self.places[..self.len].iter().map(|(_, pair)| *pair);
        let could_have = pairs().all(|pair| pair < pair_end) && pairs().is_sorted_by(|a, b| a < b);
        self.ascending.clear();
        could_have.then(|| {
            put_ascending(&mut self.ascending, pairs());
            self.ascending.as_slice()
        })
    }
}

/// Rows by slot, and slots by row, from a first slot on.
#[derive(Debug)]
pub struct Rows {
    first_slot: u32,
    positions: Paged<u32>,
    rows: Arena,
    table: TagTable,
    seed: u64,
}

impl Rows {
    pub fn new(first_slot: u32) -> Rows {
        Rows {
            first_slot,
            positions: Paged::default(),
            rows: Arena::default(),
            table: TagTable::default(),
            seed: rand::random(),
        }
    }

    fn hash(&self, row: &RowBuffer) -> Hash<u32> {
        Hash::<u32>::new(xxh3_64_with_seed(&row.bytes, self.seed))
    }

    fn row(&self, slot: u32) -> &[u8] {
        self.rows.get(*self.positions.get(slot - self.first_slot))
    }

    /// The slot of this row.
    pub fn find(&self, row: &RowBuffer) -> Option<u32> {
        self.table.find(self.hash(row), |slot| self.row(slot) == row.bytes.as_slice())
    }

    /// Adds a row that is not there yet, at the next slot. The caller has asked [`Rows::has_room`].
    pub fn add(&mut self, row: &RowBuffer) -> u32 {
        let slot = self.end();
        let position = self.rows.push(&row.bytes);
        self.positions.push(position);
        self.table.insert(self.hash(row), slot);
        slot
    }

    /// Can a row of so many labels be added?
    pub fn has_room(&self, label_count: usize) -> bool {
        self.end() < u32::MAX - 1 && self.rows.has_room(label_count * size_of::<u64>())
    }

    /// The pairs of a slot, in order of label name.
    #[inline]
    pub fn pairs(&self, slot: u32) -> RowPairs<'_> {
        RowPairs::plain(self.row(slot))
    }

    /// The slot after the last.
    pub fn end(&self) -> u32 {
        self.first_slot + self.positions.len() as u32
    }

    /// Of the rows, and of the table that finds them.
    pub fn memory_bytes(&self) -> (usize, usize) {
        (self.positions.memory_bytes() + self.rows.memory_bytes(), self.table.memory_bytes())
    }
}

//! Label rows: the label set of every slot, as the ids of its label pairs in order of label name, each a varint. A
//! row is the canonical form of a label set, so looking up a series by its labels is looking up a row.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::arena::{Arena, Paged};
use super::table::{Hash, TagTable};
use crate::encoding::cursor::{Cursor, put_varint};

/// A row under construction, and the one before it. Series that come one after the other mostly share most labels,
/// so the pair at the same place is tried before any table.
#[derive(Debug, Default)]
pub struct RowBuffer {
    bytes: Vec<u8>,
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
}

/// Rows by slot, and slots by row.
#[derive(Debug)]
pub struct Rows {
    positions: Paged<u32>,
    rows: Arena,
    table: TagTable,
    seed: u64,
}

impl Default for Rows {
    fn default() -> Rows {
        Rows {
            positions: Paged::default(),
            rows: Arena::default(),
            table: TagTable::default(),
            seed: rand::random(),
        }
    }
}

impl Rows {
    fn hash(&self, row: &RowBuffer) -> Hash<u32> {
        Hash::<u32>::new(xxh3_64_with_seed(&row.bytes, self.seed))
    }

    /// The slot of this row.
    pub fn find(&self, row: &RowBuffer) -> Option<u32> {
        self.table.find(self.hash(row), |slot| {
            self.rows.get(*self.positions.get(slot)) == row.bytes.as_slice()
        })
    }

    /// Adds a row that is not there yet, at the next slot. The caller has asked [`Rows::has_room`].
    pub fn add(&mut self, row: &RowBuffer) -> u32 {
        let slot = self.len() as u32;
        let position = self.rows.push(&row.bytes);
        self.positions.push(position);
        self.table.insert(self.hash(row), slot);
        slot
    }

    /// Can a row of so many labels be added?
    pub fn has_room(&self, label_count: usize) -> bool {
        self.len() + 1 < u32::MAX as usize && self.rows.has_room(label_count * size_of::<u64>())
    }

    /// The pairs of a slot, in order of label name.
    pub fn pairs(&self, slot: u32) -> impl Iterator<Item = u32> + Clone + '_ {
        let mut cursor = Cursor::new(self.rows.get(*self.positions.get(slot)));
        std::iter::from_fn(move || cursor.varint("label pair").ok().map(|pair| pair as u32))
    }

    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// Of the rows, and of the table that finds them.
    pub fn memory_bytes(&self) -> (usize, usize) {
        (self.positions.memory_bytes() + self.rows.memory_bytes(), self.table.memory_bytes())
    }
}

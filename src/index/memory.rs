//! The inverted index of the head: slots to labels, label pairs to slots, label names to values.
//!
//! A slot is a dense number, given in order of addition, never taken back. `head::registry` holds the index under a
//! read-write lock, adds to it, and answers queries from it; which slots have samples is not known here.

use std::collections::BTreeSet;

use super::arena::Paged;
use super::postings::{Postings, push_tight};
pub use super::rows::RowBuffer;
use super::rows::Rows;
use super::select;
use super::symbols::Symbols;
use crate::model::{Labels, Matcher};

/// The scope of label names among the symbols.
const NAME_SCOPE: u32 = 0;

/// Label sets and what finds them.
#[derive(Debug, Default)]
pub struct MemoryIndex {
    names: Symbols,
    /// Values, each in the scope of its name's id: a symbol here is a label pair.
    pairs: Symbols,
    /// Per name the pairs that have it, in order of addition.
    pairs_of_name: Vec<Vec<u32>>,
    /// Per pair its slots.
    postings: Paged<Postings>,
    rows: Rows,
    /// What the lists in `pairs_of_name` and `postings` hold on the heap.
    list_bytes: usize,
}

/// Bytes held by the parts of a [`MemoryIndex`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IndexMemory {
    pub symbols_bytes: usize,
    pub postings_bytes: usize,
    pub rows_bytes: usize,
    pub identity_bytes: usize,
}

impl MemoryIndex {
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The slot of a label set. `row` is used again from call to call.
    pub fn find(&self, labels: &Labels, row: &mut RowBuffer) -> Option<u32> {
        row.clear();
        for (name, value) in labels.iter() {
            let name = self.near_name(row, name).or_else(|| self.name_id(name))?;
            let pair = self.near_pair(row, name, value).or_else(|| self.pair_id(name, value))?;
            row.push(name, pair);
        }
        self.rows.find(row)
    }

    /// The id of a name if the row before has it at this place.
    fn near_name(&self, row: &RowBuffer, name: &str) -> Option<u32> {
        let (near, _) = row.neighbour()?;
        self.names.is(near, NAME_SCOPE, name).then_some(near)
    }

    /// The id of a pair if the row before has it at this place.
    fn near_pair(&self, row: &RowBuffer, name: u32, value: &str) -> Option<u32> {
        let (_, near) = row.neighbour()?;
        self.pairs.is(near, name, value).then_some(near)
    }

    /// Is there room for one more label set? 16 GiB of label text or 4 billion series are the end.
    pub fn has_room_for(&self, labels: &Labels) -> bool {
        let text_bytes: usize = labels.iter().map(|(name, value)| name.len() + value.len()).sum();
        let bytes = text_bytes + 2 * labels.len() * size_of::<u64>();
        self.names.has_room(labels.len(), bytes)
            && self.pairs.has_room(labels.len(), bytes)
            && self.rows.has_room(labels.len())
    }

    /// The slot of a label set, and whether it is new; a new one is the next. The caller has asked
    /// [`MemoryIndex::has_room_for`].
    pub fn find_or_add(&mut self, labels: &Labels, row: &mut RowBuffer) -> (u32, bool) {
        row.clear();
        for (name, value) in labels.iter() {
            let name = self.near_name(row, name).unwrap_or_else(|| self.intern_name(name));
            let pair =
                self.near_pair(row, name, value).unwrap_or_else(|| self.intern_pair(name, value));
            row.push(name, pair);
        }
        if let Some(slot) = self.rows.find(row) {
            return (slot, false);
        }
        let slot = self.rows.add(row);
        for pair in row.pairs() {
            self.list_bytes += self.postings.get_mut(pair).push(slot);
        }
        (slot, true)
    }

    fn intern_name(&mut self, name: &str) -> u32 {
        let (name, is_new) = self.names.intern(NAME_SCOPE, name);
        if is_new {
            self.pairs_of_name.push(Vec::new());
        }
        name
    }

    fn intern_pair(&mut self, name: u32, value: &str) -> u32 {
        let (pair, is_new) = self.pairs.intern(name, value);
        if is_new {
            self.postings.push(Postings::default());
            let growth = push_tight(&mut self.pairs_of_name[name as usize], pair);
            self.list_bytes += growth * size_of::<u32>();
        }
        pair
    }

    /// The labels of a slot that was given.
    pub fn labels(&self, slot: u32) -> Labels {
        let pairs = self.rows.pairs(slot);
        Labels::from_sorted(
            pairs.map(|pair| (self.names.text(self.pairs.scope(pair)), self.pairs.text(pair))),
        )
    }

    /// The slots whose labels satisfy all matchers, ascending.
    pub fn select(&self, matchers: &[Matcher]) -> Vec<u32> {
        select::select(self, matchers)
    }

    /// Sorted names of the labels of some slots, or of all.
    pub fn label_names(&self, slots: Option<&[u32]>) -> Vec<String> {
        let mut is_used = vec![slots.is_none(); self.names.len()];
        for slot in slots.unwrap_or_default() {
            for pair in self.rows.pairs(*slot) {
                is_used[self.pairs.scope(pair) as usize] = true;
            }
        }
        let used = (0..self.names.len()).filter(|name| is_used[*name]);
        let mut names: Vec<String> =
            used.map(|name| self.names.text(name as u32).to_string()).collect();
        names.sort_unstable();
        names
    }

    /// Sorted values of one label over some slots, or over all.
    pub fn label_values(&self, name: &str, slots: Option<&[u32]>) -> Vec<String> {
        let Some(name) = self.name_id(name) else { return Vec::new() };
        let values: BTreeSet<&str> = match slots {
            None => self.pairs_of(name).iter().map(|pair| self.pairs.text(*pair)).collect(),
            Some(slots) => {
                let mut pairs: Vec<u32> =
                    slots.iter().filter_map(|slot| self.pair_of(*slot, name)).collect();
                pairs.sort_unstable();
                pairs.dedup();
                pairs.into_iter().map(|pair| self.pairs.text(pair)).collect()
            }
        };
        values.into_iter().map(str::to_string).collect()
    }

    pub fn memory(&self) -> IndexMemory {
        let (rows_bytes, identity_bytes) = self.rows.memory_bytes();
        IndexMemory {
            symbols_bytes: self.names.memory_bytes() + self.pairs.memory_bytes(),
            postings_bytes: self.postings.memory_bytes() + self.list_bytes,
            rows_bytes,
            identity_bytes,
        }
    }

    pub(super) fn name_id(&self, name: &str) -> Option<u32> {
        self.names.find(NAME_SCOPE, name)
    }

    pub(super) fn pair_id(&self, name: u32, value: &str) -> Option<u32> {
        self.pairs.find(name, value)
    }

    pub(super) fn pair_value(&self, pair: u32) -> &str {
        self.pairs.text(pair)
    }

    /// All pairs of a name.
    pub(super) fn pairs_of(&self, name: u32) -> &[u32] {
        &self.pairs_of_name[name as usize]
    }

    pub(super) fn postings_of(&self, pair: u32) -> &[u32] {
        self.postings.get(pair).as_slice()
    }

    /// The pair by which a slot has a label of this name.
    pub(super) fn pair_of(&self, slot: u32, name: u32) -> Option<u32> {
        self.rows.pairs(slot).find(|pair| self.pairs.scope(*pair) == name)
    }
}

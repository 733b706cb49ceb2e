//! The inverted index of the head: slots to labels, label pairs to slots, label names to values.
//!
//! A slot is a dense number, given in order of addition, never taken back. `head::registry` holds the index under a
//! read-write lock, adds to it, and answers queries from it; which slots have samples is not known here.
//!
//! Ids of names and pairs, and slots, below the counts of an image are in the image, which never changes; later ones are in
//! memory. A look-up tries both; what either knows is not added again.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::group;
use super::image::Image;
use super::lists::Lists;
pub use super::rows::RowBuffer;
use super::rows::{RowPairs, Rows};
use super::select;
use super::sort;
use super::symbols::Symbols;
use super::table::NO_ID;
use crate::model::groups::LabelGroups;
use crate::model::{Labels, Matcher};

/// The scope of label names among the symbols.
const NAME_SCOPE: u32 = 0;

/// Labels of a series that most series do not exceed.
const LABELS_USUAL: usize = 16;

/// Slots whose labels are made with a table of their pairs: series that are made together mostly share most pairs.
const SHARING_SLOTS_MIN: usize = 32;
/// Pairs in that table: the values of some labels of as many series as are made at a time. 40 KiB.
const KNOWN_PAIRS: usize = 1_024;

/// Label sets and what finds them.
#[derive(Debug)]
pub struct MemoryIndex {
    base: Image,
    names: Symbols,
    /// Values, each in the scope of its name's id: a symbol here is a label pair.
    pairs: Symbols,
    /// Per name the pairs that have it, in order of addition.
    pairs_of_name: Lists,
    /// Per pair its slots.
    postings: Lists,
    rows: Rows,
}

/// Bytes held by the parts of a [`MemoryIndex`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IndexMemory {
    pub symbols_bytes: usize,
    pub postings_bytes: usize,
    pub rows_bytes: usize,
    pub identity_bytes: usize,
    /// Of the mapped file below, which the page cache holds or not.
    pub mapped_bytes: usize,
}

impl Default for MemoryIndex {
    fn default() -> MemoryIndex {
        MemoryIndex::new(Image::default())
    }
}

impl MemoryIndex {
    /// An index of what an image holds.
    pub fn new(base: Image) -> MemoryIndex {
        MemoryIndex {
            names: Symbols::new(base.name_count()),
            pairs: Symbols::new(base.pair_count()),
            pairs_of_name: Lists::new(base.name_count()),
            postings: Lists::new(base.pair_count()),
            rows: Rows::new(base.slot_count()),
            base,
        }
    }

    pub fn base(&self) -> &Image {
        &self.base
    }

    pub fn len(&self) -> usize {
        self.rows.end() as usize
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
        self.find_row(row)
    }

    fn find_row(&self, row: &mut RowBuffer) -> Option<u32> {
        let in_base = match self.base.slot_count() {
            0 => None,
            _ => row.as_ascending(self.base.pair_count()).and_then(|row| self.base.find_row(row)),
        };
        in_base.or_else(|| self.rows.find(row))
    }

    /// The id of a name if the row before has it at this place.
    fn near_name(&self, row: &RowBuffer, name: &str) -> Option<u32> {
        let (near, _) = row.neighbour()?;
        let is_near = match near < self.base.name_count() {
            true => self.base.is_name(near, name),
            false => self.names.is(near, NAME_SCOPE, name),
        };
        is_near.then_some(near)
    }

    /// The id of a pair if the row before has it at this place.
    fn near_pair(&self, row: &RowBuffer, name: u32, value: &str) -> Option<u32> {
        let (_, near) = row.neighbour()?;
        let is_near = match near < self.base.pair_count() {
            true => self.base.is_pair(near, name, value),
            false => self.pairs.is(near, name, value),
        };
        is_near.then_some(near)
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
        if let Some(slot) = self.find_row(row) {
            return (slot, false);
        }
        let slot = self.rows.add(row);
        for pair in row.pairs() {
            self.postings.push(pair, slot);
        }
        (slot, true)
    }

    fn intern_name(&mut self, name: &str) -> u32 {
        if let Some(name) = self.base.find_name(name) {
            return name;
        }
        let (name, is_new) = self.names.intern(NAME_SCOPE, name);
        if is_new {
            self.pairs_of_name.add();
        }
        name
    }

    fn intern_pair(&mut self, name: u32, value: &str) -> u32 {
        if let Some(pair) = self.base_pair(name, value) {
            return pair;
        }
        let (pair, is_new) = self.pairs.intern(name, value);
        if is_new {
            self.postings.add();
            self.pairs_of_name.push(name, pair);
        }
        pair
    }

    /// The labels of a slot that was given.
    pub fn labels(&self, slot: u32) -> Labels {
        // A label set asks twice for its texts.
        let mut texts = Vec::with_capacity(LABELS_USUAL);
        let pairs = self.pairs(slot);
        texts.extend(pairs.map(|pair| (self.name(self.name_of(pair)), self.value(pair))));
        Labels::from_sorted(texts.iter().copied())
    }

    /// The labels of several slots that were given.
    pub fn labels_of(&self, slots: &[u32]) -> Vec<Labels> {
        if slots.len() < SHARING_SLOTS_MIN {
            return slots.iter().map(|slot| self.labels(*slot)).collect();
        }
        let mut known = vec![(NO_ID, ("", "")); KNOWN_PAIRS];
        let (mut all, mut texts) = (Vec::with_capacity(slots.len()), Vec::new());
        for slot in slots {
            texts.clear();
            for pair in self.pairs(*slot) {
                let place = &mut known[pair as usize % KNOWN_PAIRS];
                if place.0 != pair {
                    *place = (pair, (self.name(self.name_of(pair)), self.value(pair)));
                }
                texts.push(place.1);
            }
            all.push(Labels::from_sorted(texts.iter().copied()));
        }
        all
    }

    /// The slots whose labels satisfy all matchers, ascending.
    pub fn select(&self, matchers: &[Matcher]) -> Vec<u32> {
        select::select(self, matchers)
    }

    /// Slots in the order of their label sets.
    pub fn sort(&self, slots: Vec<u32>) -> Vec<u32> {
        sort::sort(self, slots)
    }

    /// The groups of some slots by the values of some labels.
    pub fn group(&self, slots: &[u32], names: &[&str]) -> LabelGroups {
        group::group(self, slots, names)
    }

    /// Has any slot ever had a label of this name?
    pub fn has_name(&self, name: &str) -> bool {
        self.name_id(name).is_some()
    }

    /// Sorted names of the labels of some slots, or of all.
    pub fn label_names(&self, slots: Option<&[u32]>) -> Vec<String> {
        let mut is_used = vec![slots.is_none(); self.names.end() as usize];
        for slot in slots.unwrap_or_default() {
            for pair in self.pairs(*slot) {
                is_used[self.name_of(pair) as usize] = true;
            }
        }
        let used = (0..self.names.end()).filter(|name| is_used[*name as usize]);
        let mut names: Vec<String> = used.map(|name| self.name(name).to_string()).collect();
        names.sort_unstable();
        names
    }

    /// Sorted values of one label over some slots, or over all.
    pub fn label_values(&self, name: &str, slots: Option<&[u32]>) -> Vec<String> {
        let Some(name) = self.name_id(name) else { return Vec::new() };
        let values: BTreeSet<&str> = match slots {
            None => self.pairs_of(name).map(|pair| self.value(pair)).collect(),
            Some(slots) => {
                let mut pairs: Vec<u32> =
                    slots.iter().filter_map(|slot| self.pair_of(*slot, name)).collect();
                pairs.sort_unstable();
                pairs.dedup();
                pairs.into_iter().map(|pair| self.value(pair)).collect()
            }
        };
        values.into_iter().map(str::to_string).collect()
    }

    pub fn memory(&self) -> IndexMemory {
        let (rows_bytes, identity_bytes) = self.rows.memory_bytes();
        IndexMemory {
            symbols_bytes: self.names.memory_bytes() + self.pairs.memory_bytes(),
            postings_bytes: self.postings.memory_bytes() + self.pairs_of_name.memory_bytes(),
            rows_bytes,
            identity_bytes,
            mapped_bytes: self.base.mapped_bytes(),
        }
    }

    pub(super) fn name_id(&self, name: &str) -> Option<u32> {
        self.base.find_name(name).or_else(|| self.names.find(NAME_SCOPE, name))
    }

    pub(super) fn pair_id(&self, name: u32, value: &str) -> Option<u32> {
        self.base_pair(name, value).or_else(|| self.pairs.find(name, value))
    }

    /// The pair if the image has it; it has none of a name that is in memory.
    fn base_pair(&self, name: u32, value: &str) -> Option<u32> {
        (name < self.base.name_count()).then(|| self.base.find_pair(name, value)).flatten()
    }

    /// A label name.
    pub(super) fn name(&self, name: u32) -> &str {
        match name < self.base.name_count() {
            true => self.base.name(name).unwrap_or_default(),
            false => self.names.text(name),
        }
    }

    /// The value of a pair.
    pub(super) fn value(&self, pair: u32) -> &str {
        match pair < self.base.pair_count() {
            true => self.base.value(pair).unwrap_or_default(),
            false => self.pairs.text(pair),
        }
    }

    /// The name of a pair.
    pub(super) fn name_of(&self, pair: u32) -> u32 {
        match pair < self.base.pair_count() {
            true => self.base.name_of(pair).unwrap_or_default(),
            false => self.pairs.scope(pair),
        }
    }

    /// Names so far.
    pub(super) fn name_count(&self) -> u32 {
        self.names.end()
    }

    /// Pairs so far.
    pub(super) fn pair_count(&self) -> u32 {
        self.pairs.end()
    }

    /// All pairs of a name, ascending.
    pub(super) fn pairs_of(&self, name: u32) -> impl Iterator<Item = u32> + '_ {
        self.base.pairs_of(name).chain(self.pairs_of_name.get(name).iter().copied())
    }

    pub(super) fn pair_count_of(&self, name: u32) -> usize {
        self.base.pairs_of(name).len() + self.pairs_of_name.get(name).len()
    }

    /// How many slots have a pair.
    pub(super) fn slot_count_of(&self, pair: u32) -> usize {
        self.base_slot_count_of(pair) + self.postings.get(pair).len()
    }

    /// How many slots of a pair are in the image, where a list must be decoded.
    pub(super) fn base_slot_count_of(&self, pair: u32) -> usize {
        match pair < self.base.pair_count() {
            true => self.base.slot_count_of(pair),
            false => 0,
        }
    }

    /// The slots of a pair, ascending.
    pub(super) fn slots_of(&self, pair: u32) -> Cow<'_, [u32]> {
        match pair < self.base.pair_count() {
            true => {
                let mut slots = Vec::new();
                self.extend_slots(pair, &mut slots);
                Cow::Owned(slots)
            }
            false => Cow::Borrowed(self.postings.get(pair)),
        }
    }

    /// Appends the slots of a pair.
    pub(super) fn extend_slots(&self, pair: u32, slots: &mut Vec<u32>) {
        if pair < self.base.pair_count() {
            self.base.extend_slots(pair, slots);
        }
        slots.extend_from_slice(self.postings.get(pair));
    }

    /// The slots of a pair that are not in the image.
    pub(super) fn added_slots_of(&self, pair: u32) -> &[u32] {
        self.postings.get(pair)
    }

    /// The pairs of a slot, in order of label name.
    #[inline]
    pub(super) fn pairs(&self, slot: u32) -> RowPairs<'_> {
        match slot < self.base.slot_count() {
            true => self.base.row_pairs(slot).unwrap_or_default(),
            false => self.rows.pairs(slot),
        }
    }

    /// The pair by which a slot has a label of this name.
    pub(super) fn pair_of(&self, slot: u32, name: u32) -> Option<u32> {
        self.pairs(slot).find(|pair| self.name_of(*pair) == name)
    }
}

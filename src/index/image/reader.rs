//! An index image, used where it lies: nothing is read when it is opened but the layout, which was checked.
//!
//! 1. Every access is within bounds and of pages whose checksums are right, or gives nothing.
//! 2. Whoever wants to rely on an answer "not there" checks all pages first (`head::registry` does at its start); who has
//!    a damaged file gets what the good pages hold.
//! 3. Senseless content gives senseless or no answers: never a panic, a search without end, or an allocation beyond the
//!    size of the file.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::layout::*;
use super::table;
use crate::encoding::cursor::{Cursor, VARINT_MAX_BYTES as VALUE_LEN_MAX_BYTES};
use crate::fs::sealed::SealedFile;
use crate::index::rows::RowPairs;
use crate::model::Labels;
use crate::sync::Arc;

/// See the head of this file. Without a file it is empty.
#[derive(Debug, Clone, Default)]
pub struct Image {
    file: Option<Arc<SealedFile>>,
    layout: ImageLayout,
}

impl Image {
    /// An image in a file.
    ///
    /// # Errors
    /// The layout does not fit the file.
    pub fn new(file: Arc<SealedFile>, layout: ImageLayout) -> Result<Image, &'static str> {
        layout.check(file.data_len())?;
        Ok(Image { file: Some(file), layout })
    }

    pub fn name_count(&self) -> u32 {
        self.layout.name_count
    }

    pub fn pair_count(&self) -> u32 {
        self.layout.pair_count
    }

    pub fn slot_count(&self) -> u32 {
        self.layout.slot_count
    }

    /// Bytes of the file it is in.
    pub fn mapped_bytes(&self) -> usize {
        self.file.as_ref().map_or(0, |file| file.len_bytes() as usize)
    }

    #[inline]
    fn bytes(&self, section: Section, offset: u64, len: usize) -> Option<&[u8]> {
        let is_within = offset.checked_add(len as u64).is_some_and(|end| end <= section.len_bytes);
        if !is_within {
            return None;
        }
        self.file.as_ref()?.bytes(section.offset + offset, len).ok()
    }

    fn whole(&self, section: Section) -> Option<&[u8]> {
        self.bytes(section, 0, section.len_bytes as usize)
    }

    /// The byte string with this index in a section of strings: where it is.
    #[inline]
    fn extent(&self, ends: Section, index: u32) -> Option<Range<u64>> {
        let (start, end) = match index {
            0 => (0, end_at(self.bytes(ends, 0, END_BYTES)?)),
            _ => {
                let at = u64::from(index - 1) * END_BYTES as u64;
                let both = self.bytes(ends, at, 2 * END_BYTES)?;
                (end_at(&both[..END_BYTES]), end_at(&both[END_BYTES..]))
            }
        };
        (start <= end).then_some(start..end)
    }

    #[inline]
    fn string(&self, strings: Section, ends: Section, index: u32) -> Option<&[u8]> {
        let extent = self.extent(ends, index)?;
        self.bytes(strings, extent.start, usize::try_from(extent.end - extent.start).ok()?)
    }

    #[inline]
    fn name_bytes(&self, name: u32) -> Option<&[u8]> {
        let sections = &self.layout.sections;
        self.string(sections.names, sections.name_ends, name)
    }

    /// A label name.
    pub fn name(&self, name: u32) -> Option<&str> {
        std::str::from_utf8(self.name_bytes(name)?).ok()
    }

    /// Is this the id of a label name?
    #[inline]
    pub fn is_name(&self, id: u32, name: &str) -> bool {
        self.name_bytes(id).is_some_and(|other| other == name.as_bytes())
    }

    /// The id of a label name. Names are in order.
    pub fn find_name(&self, name: &str) -> Option<u32> {
        let (mut low, mut high) = (0, self.layout.name_count);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.name_bytes(middle)?.cmp(name.as_bytes()) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// The pairs of a name: neighbours, in order of their values.
    #[inline]
    pub fn pairs_of(&self, name: u32) -> Range<u32> {
        self.first_and_end(name)
            .filter(|(first, end)| first <= end)
            .map_or(0..0, |(first, end)| first..end)
    }

    #[inline]
    fn first_and_end(&self, name: u32) -> Option<(u32, u32)> {
        let at = u64::from(name) * ID_BYTES as u64;
        let pair_count = self.layout.pair_count;
        if name.checked_add(1)? == self.layout.name_count {
            let first = self.bytes(self.layout.sections.name_pairs, at, ID_BYTES)?;
            return Some((id_at(first), pair_count));
        }
        let both = self.bytes(self.layout.sections.name_pairs, at, 2 * ID_BYTES)?;
        Some((id_at(both), id_at(&both[ID_BYTES..]).min(pair_count)))
    }

    /// The name of a pair.
    #[inline]
    pub fn name_of(&self, pair: u32) -> Option<u32> {
        let firsts = self.whole(self.layout.sections.name_pairs)?;
        let (mut low, mut high) = (0, firsts.len() / ID_BYTES);
        while low < high {
            let middle = low + (high - low) / 2;
            match id_at(&firsts[middle * ID_BYTES..]) <= pair {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        (low as u32).checked_sub(1)
    }

    /// The value of a pair as bytes, and where in the section its slots follow. Only the value is read: the slots may be
    /// many, and one damaged page of them is no reason not to know the value.
    #[inline]
    fn value_bytes(&self, pair: u32) -> Option<(&[u8], Range<u64>)> {
        let section = self.layout.sections.pairs;
        let extent = self.extent(self.layout.sections.pair_ends, pair)?;
        let record_len = usize::try_from(extent.end - extent.start).ok()?;
        let head = self.bytes(section, extent.start, record_len.min(VALUE_LEN_MAX_BYTES))?;
        let mut cursor = Cursor::new(head);
        let len = usize::try_from(cursor.varint("value length").ok()?).ok()?;
        let len_bytes = cursor.position();
        if len > record_len - len_bytes {
            return None;
        }
        let start = extent.start + len_bytes as u64;
        Some((self.bytes(section, start, len)?, start + len as u64..extent.end))
    }

    /// The number of slots of a pair, and a cursor over them.
    fn slots(&self, pair: u32) -> Option<(usize, Cursor<'_>)> {
        let (_, rest) = self.value_bytes(pair)?;
        let len = usize::try_from(rest.end - rest.start).ok()?;
        let mut slots = Cursor::new(self.bytes(self.layout.sections.pairs, rest.start, len)?);
        // A slot takes a byte at least, so there are no more of them than bytes.
        let count = slots.length("slot count").ok()?;
        Some((count, slots))
    }

    /// The value of a pair.
    pub fn value(&self, pair: u32) -> Option<&str> {
        std::str::from_utf8(self.value_bytes(pair)?.0).ok()
    }

    /// Is this the pair of a name and a value?
    #[inline]
    pub fn is_pair(&self, pair: u32, name: u32, value: &str) -> bool {
        self.pairs_of(name).contains(&pair)
            && self.value_bytes(pair).is_some_and(|(other, _)| other == value.as_bytes())
    }

    /// The pair of a name and a value.
    pub fn find_pair(&self, name: u32, value: &str) -> Option<u32> {
        let hash = pair_hash(self.layout.pair_seed, name, value.as_bytes());
        self.find(self.layout.sections.pair_table, hash, |pair| self.is_pair(pair, name, value))
    }

    /// The slot of an encoded row.
    pub fn find_row(&self, row: &[u8]) -> Option<u32> {
        let hash = row_hash(self.layout.row_seed, row);
        let slot = self.find(self.layout.sections.row_table, hash, |slot| {
            self.row(slot).is_some_and(|other| other == row)
        });
        slot.filter(|slot| *slot < self.layout.slot_count)
    }

    fn find(&self, section: Section, hash: u64, is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let line_count = section.len_bytes as usize / LINE_BYTES;
        let line = |number: usize| self.bytes(section, (number * LINE_BYTES) as u64, LINE_BYTES);
        table::find(line_count, line, hash, is_it)
    }

    fn row(&self, slot: u32) -> Option<&[u8]> {
        self.string(self.layout.sections.rows, self.layout.sections.row_ends, slot)
    }

    /// The pairs of a slot, ascending, which is in order of label name; None if they cannot be read.
    pub fn row_pairs(&self, slot: u32) -> Option<RowPairs<'_>> {
        Some(RowPairs::ascending(self.row(slot)?, self.layout.pair_count))
    }

    /// The labels of a slot, if all of them can be read and are in order.
    pub fn labels(&self, slot: u32) -> Option<Labels> {
        let mut pairs = self.row_pairs(slot)?;
        let mut labels = Vec::new();
        for pair in &mut pairs {
            labels.push((self.name(self.name_of(pair)?)?, self.value(pair)?));
        }
        let is_whole = pairs.is_done() && labels.is_sorted_by(|a, b| a.0 < b.0);
        is_whole.then(|| Labels::from_sorted(labels.iter().copied()))
    }

    /// How many slots have a pair.
    pub fn slot_count_of(&self, pair: u32) -> usize {
        self.slots(pair).map_or(0, |(count, _)| count)
    }

    /// Appends the slots of a pair, ascending.
    pub fn extend_slots(&self, pair: u32, slots: &mut Vec<u32>) {
        let Some((count, mut cursor)) = self.slots(pair) else { return };
        let (mut next, slot_end) = (0u64, u64::from(self.layout.slot_count));
        for _ in 0..count {
            let Ok(difference) = cursor.varint("slot") else { return };
            let slot = next.saturating_add(difference);
            if slot >= slot_end {
                return;
            }
            slots.push(slot as u32);
            next = slot + 1;
        }
    }

    /// Gives the place of every slot in the order of label sets to a closure; 0 where it cannot be read.
    pub fn ranks(&self) -> impl Fn(u32) -> u32 + '_ {
        let ranks = self.whole(self.layout.sections.ranks).unwrap_or_default();
        move |slot| {
            let at = slot as usize * ID_BYTES;
            ranks.get(at..at + ID_BYTES).map_or(0, id_at)
        }
    }
}

/// Where a pair is in the table of pairs.
pub(super) fn pair_hash(seed: u64, name: u32, value: &[u8]) -> u64 {
    xxh3_64_with_seed(value, seed ^ (u64::from(name) << 16))
}

/// Where a row is in the table of rows.
pub(super) fn row_hash(seed: u64, row: &[u8]) -> u64 {
    xxh3_64_with_seed(row, seed)
}

fn end_at(bytes: &[u8]) -> u64 {
    let mut all = [0; 8];
    all[..END_BYTES].copy_from_slice(bytes);
    u64::from_le_bytes(all)
}

fn id_at(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

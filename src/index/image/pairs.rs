//! Writing the label pairs of an image: name by name, in order of their values, each with its slots.

use std::io;

use super::layout::*;
use super::reader::{Image, pair_hash};
use super::table::TableBuilder;
use super::writer::*;
use crate::encoding::cursor::put_varint;
use crate::fs::sealed::SealedWriter;
use crate::index::order::{self, Texts};
use crate::index::table::NO_ID;

/// Slots copied from the lists of pairs in one go, not counting the last list: well below a millisecond.
const PORTION_SLOTS: usize = 64 << 10;

/// Writes the used pairs of the names. Gives the number of every pair in the image by its number in the index.
pub(super) fn write(
    index: &impl SharedIndex,
    slots: &[u32],
    used: &UsedPairs,
    names: &[UsedName],
    seed: u64,
    sections: &mut Sections,
    out: &mut SealedWriter,
) -> io::Result<Vec<u32>> {
    let offset = start_section(out)?;
    let mut pairs = PairWriter {
        index,
        base: index.read(|index| index.base().clone()),
        new_slots: new_slots(slots),
        seed,
        numbers: used.numbers(),
        count: 0,
        ends: Ends::default(),
        table: TableBuilder::new(used.count),
        out,
    };
    for (number, name) in (0..).zip(names) {
        let values = Values::of(index, name.id, used);
        pairs.write_name(number, &values)?;
    }
    let PairWriter { numbers, ends, table, .. } = pairs;
    sections.pairs = end_section(offset, out);
    sections.pair_ends = write_section(&ends.bytes, out)?;
    sections.pair_table = write_section(table.bytes(), out)?;
    Ok(numbers)
}

/// By slot of the index its slot in the image.
fn new_slots(slots: &[u32]) -> Vec<u32> {
    let end = slots.iter().max().map_or(0, |max| *max as usize + 1);
    let mut new_slots = vec![NO_ID; end];
    for (new, slot) in (0..).zip(slots) {
        new_slots[*slot as usize] = new;
    }
    new_slots
}

/// The used pairs of one name.
#[derive(Default)]
struct Values {
    pairs: Vec<u32>,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Values {
    fn of(index: &impl SharedIndex, name: u32, used: &UsedPairs) -> Values {
        let mut values = Values::default();
        let (mut seen, count) = (0, index.read(|index| index.pair_count_of(name)));
        while seen < count {
            index.read(|index| {
                let portion = index.pairs_of(name).skip(seen).take(PORTION);
                for pair in portion.filter(|pair| used.has(*pair)) {
                    values.pairs.push(pair);
                    values.text.extend_from_slice(index.value(pair).as_bytes());
                    values.ends.push(values.text.len());
                }
            });
            seen += PORTION;
        }
        values
    }

    fn text(&self, at: u32) -> &[u8] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before as usize]);
        &self.text[start..self.ends[at as usize]]
    }

    /// Their places in order of text.
    fn sorted(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.pairs.len() as u32).collect();
        order::sort(&mut order, &mut Texts { text: |at| self.text(at) });
        order
    }
}

struct PairWriter<'a, I> {
    index: &'a I,
    base: Image,
    new_slots: Vec<u32>,
    seed: u64,
    numbers: Vec<u32>,
    count: u32,
    ends: Ends,
    table: TableBuilder,
    out: &'a mut SealedWriter,
}

impl<I: SharedIndex> PairWriter<'_, I> {
    fn write_name(&mut self, name: u32, values: &Values) -> io::Result<()> {
        let order = values.sorted();
        let mut rest = order.as_slice();
        let (mut added, mut ends) = (Vec::new(), Vec::new());
        let (mut slots, mut record) = (Vec::new(), Vec::new());
        while !rest.is_empty() {
            added.clear();
            ends.clear();
            self.index.read(|index| {
                for at in rest.iter().take(PORTION) {
                    added.extend_from_slice(index.added_slots_of(values.pairs[*at as usize]));
                    ends.push(added.len());
                    if added.len() > PORTION_SLOTS {
                        break;
                    }
                }
            });
            let (portion, later) = rest.split_at(ends.len());
            let mut start = 0;
            for (at, end) in portion.iter().zip(&ends) {
                let pair = values.pairs[*at as usize];
                self.slots_of(pair, &added[start..*end], &mut slots);
                start = *end;
                put_record(values.text(*at), &slots, &mut record);
                self.write_record(pair, name, values.text(*at), &record)?;
            }
            rest = later;
        }
        Ok(())
    }

    /// Replaces `slots` with those of the image that have a pair.
    fn slots_of(&self, pair: u32, added: &[u32], slots: &mut Vec<u32>) {
        slots.clear();
        self.base.extend_slots(pair, slots);
        slots.extend_from_slice(added);
        slots.retain_mut(|slot| {
            *slot = self.new_slots.get(*slot as usize).copied().unwrap_or(NO_ID);
            *slot != NO_ID
        });
        if !slots.is_sorted() {
            slots.sort_unstable();
        }
    }

    /// A pair that senseless content of an image gives to two names is written once.
    fn write_record(
        &mut self,
        pair: u32,
        name: u32,
        value: &[u8],
        record: &[u8],
    ) -> io::Result<()> {
        if self.numbers[pair as usize] != NO_ID {
            return Ok(());
        }
        self.numbers[pair as usize] = self.count;
        self.table.insert(pair_hash(self.seed, name, value), self.count);
        self.ends.push(record.len());
        self.count += 1;
        self.out.write(record)
    }
}

/// Replaces `record` with a value and the slots of its pair.
fn put_record(value: &[u8], slots: &[u32], record: &mut Vec<u8>) {
    record.clear();
    put_varint(record, value.len() as u64);
    record.extend_from_slice(value);
    put_varint(record, slots.len() as u64);
    let mut next = 0;
    for slot in slots {
        put_varint(record, u64::from(slot - next));
        next = slot + 1;
    }
}

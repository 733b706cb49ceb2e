//! Writing an image of some slots of an index that is in use meanwhile. The index only grows, so what was there at the
//! start stays as it is: it is read in portions, between which others may add to it.
//!
//! 1. Which label pairs do the slots have? Others, and names without pairs, are left out.
//! 2. Names and the pairs of each name are numbered in order of text, and written with the slots of each pair.
//! 3. The rows are written in the new numbers, and the place of each in their order.
//!
//! Beside the tables, which are written when they are whole, this holds some 70 bytes per series: numbers by pair and by
//! slot, the values of one name, the rows.

use std::io;

use super::layout::*;
use super::{pairs, rows};
use crate::fs::sealed::SealedWriter;
use crate::index::memory::MemoryIndex;
use crate::index::table::NO_ID;

/// Rows, values or pairs looked at in one go: below a millisecond.
pub(super) const PORTION: usize = 2048;

/// An index that others use meanwhile.
pub trait SharedIndex {
    /// Gives the index to a closure, which must be done soon: nothing can be added before.
    fn read<R>(&self, use_it: impl FnOnce(&MemoryIndex) -> R) -> R;
}

/// What hides the places of texts and rows in the tables of an image. Random, but where equal files are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Seeds {
    pub pairs: u64,
    pub rows: u64,
}

impl Seeds {
    pub fn random() -> Seeds {
        Seeds { pairs: rand::random(), rows: rand::random() }
    }
}

/// Writes an image in which `slots[i]` becomes slot `i`. Each slot was given, and is there once.
///
/// # Errors
/// Writing failed.
pub fn write(
    index: &impl SharedIndex,
    slots: &[u32],
    seeds: Seeds,
    out: &mut SealedWriter,
) -> io::Result<ImageLayout> {
    let used = UsedPairs::of(index, slots);
    let names = used.names(index);
    let mut sections = Sections::default();
    write_names(&names, &mut sections, out)?;
    let new_pairs = pairs::write(index, slots, &used, &names, seeds.pairs, &mut sections, out)?;
    rows::write(index, slots, &new_pairs, seeds.rows, &mut sections, out)?;
    Ok(ImageLayout {
        name_count: names.len() as u32,
        pair_count: used.count as u32,
        slot_count: slots.len() as u32,
        pair_seed: seeds.pairs,
        row_seed: seeds.rows,
        sections,
    })
}

/// The pairs that some slots have.
pub(super) struct UsedPairs {
    is_used: Vec<bool>,
    pub count: usize,
    /// How many of each name.
    counts: Vec<u32>,
}

impl UsedPairs {
    fn of(index: &impl SharedIndex, slots: &[u32]) -> UsedPairs {
        let (pair_count, name_count) = index.read(|index| (index.pair_count(), index.name_count()));
        let mut used = UsedPairs {
            is_used: vec![false; pair_count as usize],
            count: 0,
            counts: vec![0; name_count as usize],
        };
        for portion in slots.chunks(PORTION) {
            index.read(|index| {
                for pair in portion.iter().flat_map(|slot| index.pairs(*slot)) {
                    used.add(index, pair);
                }
            });
        }
        used
    }

    fn add(&mut self, index: &MemoryIndex, pair: u32) {
        if !std::mem::replace(&mut self.is_used[pair as usize], true) {
            self.count += 1;
            self.counts[index.name_of(pair) as usize] += 1;
        }
    }

    /// One that came later is not.
    pub fn has(&self, pair: u32) -> bool {
        self.is_used.get(pair as usize).copied().unwrap_or(false)
    }

    /// By number of all pairs, used or not.
    pub fn numbers(&self) -> Vec<u32> {
        vec![NO_ID; self.is_used.len()]
    }

    /// The names of the pairs, in order.
    fn names(&self, index: &impl SharedIndex) -> Vec<UsedName> {
        let ids = (0u32..).zip(&self.counts).filter(|(_, count)| **count > 0);
        let mut names: Vec<UsedName> = Vec::new();
        index.read(|index| {
            names.extend(ids.map(|(id, count)| UsedName {
                id,
                text: index.name(id).to_string(),
                pair_count: *count,
            }));
        });
        names.sort_unstable_by(|a, b| a.text.cmp(&b.text));
        names
    }
}

/// A label name, and how many of its pairs are used.
pub(super) struct UsedName {
    pub id: u32,
    text: String,
    pair_count: u32,
}

fn write_names(
    names: &[UsedName],
    sections: &mut Sections,
    out: &mut SealedWriter,
) -> io::Result<()> {
    let (mut texts, mut ends, mut firsts) = (Vec::new(), Ends::default(), Vec::new());
    let mut first = 0;
    for name in names {
        texts.extend_from_slice(name.text.as_bytes());
        ends.push(name.text.len());
        firsts.extend_from_slice(&u32::to_le_bytes(first));
        first += name.pair_count;
    }
    sections.names = write_section(&texts, out)?;
    sections.name_ends = write_section(&ends.bytes, out)?;
    sections.name_pairs = write_section(&firsts, out)?;
    Ok(())
}

/// The ends of byte strings that come one after the other.
#[derive(Default)]
pub(super) struct Ends {
    pub bytes: Vec<u8>,
    end: u64,
}

impl Ends {
    pub fn push(&mut self, len: usize) {
        self.end += len as u64;
        self.bytes.extend_from_slice(&self.end.to_le_bytes()[..END_BYTES]);
    }
}

/// Where a section begins.
pub(super) fn start_section(out: &mut SealedWriter) -> io::Result<u64> {
    let beyond = (out.position() % SECTION_ALIGN_BYTES as u64) as usize;
    if beyond > 0 {
        out.write(&[0; SECTION_ALIGN_BYTES][beyond..])?;
    }
    Ok(out.position())
}

/// The section that began there.
pub(super) fn end_section(offset: u64, out: &SealedWriter) -> Section {
    Section { offset, len_bytes: out.position() - offset }
}

/// A whole section.
///
/// # Errors
/// Writing failed.
pub fn write_section(bytes: &[u8], out: &mut SealedWriter) -> io::Result<Section> {
    let offset = start_section(out)?;
    out.write(bytes)?;
    Ok(end_section(offset, out))
}

//! Writing the label rows of an image, and the place of each slot in the order of label sets.

use std::io;

use super::layout::*;
use super::reader::row_hash;
use super::table::TableBuilder;
use super::writer::*;
use crate::fs::sealed::SealedWriter;
use crate::index::order::{self, Columns};
use crate::index::rows::{RowPairs, put_ascending};

/// Writes the rows of some slots in new numbers of pairs.
pub(super) fn write(
    index: &impl SharedIndex,
    slots: &[u32],
    new_pairs: &[u32],
    seed: u64,
    sections: &mut Sections,
    out: &mut SealedWriter,
) -> io::Result<()> {
    let mut rows = Rows::default();
    let mut ends = Ends::default();
    let mut table = TableBuilder::new(slots.len());
    for (portion, slots) in slots.chunks(PORTION).enumerate() {
        let start = portion * PORTION;
        index.read(|index| {
            for slot in slots {
                rows.push(index.pairs(*slot).map(|pair| new_pairs[pair as usize]));
            }
        });
        for slot in start..start + slots.len() {
            let row = rows.get(slot as u32);
            ends.push(row.len());
            table.insert(row_hash(seed, row), slot as u32);
        }
    }
    sections.rows = write_section(&rows.bytes, out)?;
    sections.row_ends = write_section(&ends.bytes, out)?;
    drop(ends);
    sections.row_table = write_section(table.bytes(), out)?;
    drop(table);
    sections.ranks = write_section(&rows.ranks(), out)?;
    Ok(())
}

/// Encoded rows by slot.
#[derive(Default)]
struct Rows {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Rows {
    fn push(&mut self, pairs: impl Iterator<Item = u32>) {
        put_ascending(&mut self.bytes, pairs);
        self.ends.push(self.bytes.len());
    }

    fn get(&self, slot: u32) -> &[u8] {
        let start = slot.checked_sub(1).map_or(0, |before| self.ends[before as usize]);
        &self.bytes[start..self.ends[slot as usize]]
    }

    /// The section of ranks. Pairs are numbered in their order, so rows are in order if their numbers are.
    fn ranks(&mut self) -> Vec<u8> {
        let mut slots: Vec<u32> = (0..self.ends.len() as u32).collect();
        order::sort(&mut slots, self);
        let mut ranks = vec![0; slots.len() * ID_BYTES];
        for (rank, slot) in (0u32..).zip(slots) {
            ranks[slot as usize * ID_BYTES..][..ID_BYTES].copy_from_slice(&rank.to_le_bytes());
        }
        ranks
    }
}

impl Columns for Rows {
    /// The pair, from 1; 0 if the row has ended.
    fn key(&self, item: u32, column: usize) -> u64 {
        let pair = RowPairs::ascending(self.get(item), u32::MAX).nth(column);
        pair.map_or(0, |pair| u64::from(pair) + 1)
    }

    fn goes_on(key: u64) -> bool {
        key != 0
    }
}

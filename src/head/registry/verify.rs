//! Checks of all that a registry file holds, beyond what a start meets. Called by `sbtool` and tests.
//!
//! 1. Every page has its checksum; if one of a base has not, nothing else of it is looked at.
//! 2. Of a base every series has labels and a ref and is found by both, and postings hold just the labels of the rows: sums of
//!    a hash of (slot, pair) over both are the same.
//! 3. Of a delta every portion is a record, and there are as many definitions as the footer counts.

use super::files::{Base, Delta, footer};
use super::layout::Content;
use crate::error::Corrupt;
use crate::fs::sealed::{FileError, SealedFile};
use crate::index::image::Image;
use crate::index::memory::{MemoryIndex, RowBuffer};
use crate::model::Labels;

/// The damage found in the whole file.
///
/// # Errors
/// It is no registry file, or the disk failed.
pub fn verify(file: SealedFile) -> Result<Vec<Corrupt>, FileError> {
    let content = footer(&file)?.content;
    match content {
        Content::Base { .. } => {
            let damaged = file.verify();
            if !damaged.is_empty() {
                return Ok(damaged);
            }
            found(check_base(Base::open(file)?))
        }
        Content::Delta { .. } => check_delta(&Delta::open(file)?),
    }
}

/// Damage as an answer; what is none stays an error.
fn found(checked: Result<(), FileError>) -> Result<Vec<Corrupt>, FileError> {
    match checked {
        Ok(()) => Ok(Vec::new()),
        Err(FileError::Corrupt(corrupt)) => Ok(vec![corrupt]),
        Err(error) => Err(error),
    }
}

fn check_base(base: Base) -> Result<(), FileError> {
    let Base { file, image, refs, .. } = base;
    let corrupt = |what| file.corrupt(file.data_len(), what);
    let (slot_count, pair_count) = (image.slot_count(), image.pair_count());
    let (mut sum, mut slots) = (0u64, Vec::new());
    for pair in 0..pair_count {
        slots.clear();
        image.extend_slots(pair, &mut slots);
        sum = slots.iter().map(|slot| pair_hash(*slot, pair)).fold(sum, u64::wrapping_add);
    }
    for slot in 0..slot_count {
        let pairs = image.row_pairs(slot).ok_or_else(|| corrupt("labels of a series"))?;
        sum = pairs.map(|pair| pair_hash(slot, pair)).fold(sum, u64::wrapping_sub);
        let (run, _) = refs.run_of(slot).ok_or_else(|| corrupt("ref of a series"))?;
        if refs.slot_of(run.at(slot)) != Some(slot) {
            return Err(corrupt("ref of a series"));
        }
    }
    if sum != 0 {
        return Err(corrupt("postings"));
    }
    check_order(&image).map_err(corrupt)?;
    let (index, mut row) = (MemoryIndex::new(image), RowBuffer::default());
    match (0..slot_count).all(|slot| index.find(&index.labels(slot), &mut row) == Some(slot)) {
        true => file.check(),
        false => Err(corrupt("table of label sets")),
    }
}

/// Every slot has labels, and ranks are in their order.
fn check_order(image: &Image) -> Result<(), &'static str> {
    let rank_of = image.ranks();
    let mut by_rank: Vec<u32> = (0..image.slot_count()).collect();
    by_rank.sort_unstable_by_key(|slot| rank_of(*slot));
    let mut last: Option<Labels> = None;
    for (rank, slot) in (0..).zip(by_rank) {
        let labels = image.labels(slot).ok_or("labels of a series")?;
        if rank_of(slot) != rank || last.is_some_and(|last| last >= labels) {
            return Err("ranks of label sets");
        }
        last = Some(labels);
    }
    Ok(())
}

/// A number for a series having a pair, spread over 64 bits.
fn pair_hash(slot: u32, pair: u32) -> u64 {
    let both = u64::from(slot) << 32 | u64::from(pair);
    xxhash_rust::xxh3::xxh3_64(&both.to_le_bytes())
}

fn check_delta(delta: &Delta) -> Result<Vec<Corrupt>, FileError> {
    let (mut damaged, mut count) = (Vec::new(), 0);
    for portion in delta.portions() {
        match portion {
            Ok(definitions) => count += definitions.len(),
            Err(FileError::Corrupt(corrupt)) => damaged.push(corrupt),
            Err(error) => return Err(error),
        }
    }
    if damaged.is_empty() && count != delta.head().series_count as usize {
        damaged.push(Corrupt::at(0, "series count"));
    }
    Ok(damaged)
}

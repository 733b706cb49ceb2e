//! The refs in a base file, used where they lie: runs of slots whose refs count up together, by slot and by ref at once,
//! and refs that stand for slots which have another. Written by `head::registry`, read by `head::refs`.
//!
//! As in `index::image`, senseless content gives senseless answers and nothing worse.

use std::io;

use super::refs::{NO_SERIES, Run};
use crate::encoding::cursor::Cursor;
use crate::fs::sealed::{SealedFile, SealedWriter};
use crate::index::image::layout::Section;
use crate::index::image::writer::write_section;
use crate::model::SeriesRef;
use crate::sync::Arc;

/// Bytes of a run: slot and ref.
pub const RUN_BYTES: usize = 12;

/// Bytes of a ref that stands for a slot which has another: ref and slot.
pub const OTHER_REF_BYTES: usize = 12;

/// Where the refs of a base are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RefSections {
    pub ref_runs: Section,
    pub other_refs: Section,
}

/// The refs of a base.
#[derive(Debug, Default)]
pub struct BaseRefs {
    file: Option<Arc<SealedFile>>,
    sections: RefSections,
    slot_count: u32,
    /// All refs are below.
    ref_end: u64,
}

impl BaseRefs {
    /// The refs of so many slots; all are below `ref_end`.
    ///
    /// # Errors
    /// The sections do not fit the file.
    pub fn new(
        file: Arc<SealedFile>,
        sections: RefSections,
        slot_count: u32,
        ref_end: u64,
    ) -> Result<BaseRefs, &'static str> {
        for (section, each_bytes) in
            [(sections.ref_runs, RUN_BYTES), (sections.other_refs, OTHER_REF_BYTES)]
        {
            let is_array = section.len_bytes.is_multiple_of(each_bytes as u64);
            if !section.is_within(file.data_len()) || !is_array {
                return Err("section of refs");
            }
        }
        Ok(BaseRefs { file: Some(file), sections, slot_count, ref_end })
    }

    fn run_count(&self) -> u64 {
        self.sections.ref_runs.len_bytes / RUN_BYTES as u64
    }

    fn run(&self, index: u64) -> Option<Run> {
        let offset = self.sections.ref_runs.offset + index * RUN_BYTES as u64;
        let mut cursor = Cursor::new(self.file.as_ref()?.bytes(offset, RUN_BYTES).ok()?);
        Some(Run { slot: cursor.u32("slot").ok()?, series: cursor.u64("ref").ok()? })
    }

    /// The run that a slot is in, and the end of that run; None if the slot is not in the base.
    #[inline]
    pub fn run_of(&self, slot: u32) -> Option<(Run, u32)> {
        if slot >= self.slot_count {
            return None;
        }
        let next = partition(self.run_count(), |index| {
            self.run(index).is_some_and(|run| run.slot <= slot)
        });
        let run = next.checked_sub(1).and_then(|index| self.run(index));
        // In a damaged file: the slot has no ref.
        let run = run.unwrap_or(Run { slot, series: NO_SERIES.0 });
        Some((run, self.run_end(next)))
    }

    fn run_end(&self, next: u64) -> u32 {
        let next = if next < self.run_count() { self.run(next) } else { None };
        next.map_or(self.slot_count, |run| run.slot.min(self.slot_count))
    }

    /// The slot a ref stands for.
    #[inline]
    pub fn slot_of(&self, series: SeriesRef) -> Option<u32> {
        if series.0 >= self.ref_end {
            return None;
        }
        let next = partition(self.run_count(), |index| {
            self.run(index).is_some_and(|run| run.series <= series.0)
        });
        let run = next.checked_sub(1).and_then(|index| self.run(index))?;
        let slot = u64::from(run.slot).saturating_add(series.0.saturating_sub(run.series));
        let in_run = (slot < u64::from(self.run_end(next))).then_some(slot as u32);
        in_run.or_else(|| self.slot_of_other(series))
    }

    fn slot_of_other(&self, series: SeriesRef) -> Option<u32> {
        let next = partition(self.other_count(), |index| {
            self.other(index).is_some_and(|(other, _)| other <= series)
        });
        let (other, slot) = self.other(next.checked_sub(1)?)?;
        (other == series && slot < self.slot_count).then_some(slot)
    }

    fn other_count(&self) -> u64 {
        self.sections.other_refs.len_bytes / OTHER_REF_BYTES as u64
    }

    fn other(&self, index: u64) -> Option<(SeriesRef, u32)> {
        let offset = self.sections.other_refs.offset + index * OTHER_REF_BYTES as u64;
        let mut cursor = Cursor::new(self.file.as_ref()?.bytes(offset, OTHER_REF_BYTES).ok()?);
        Some((SeriesRef(cursor.u64("ref").ok()?), cursor.u32("slot").ok()?))
    }

    /// Refs that stand for slots which have another.
    pub fn others(&self) -> impl Iterator<Item = (SeriesRef, u32)> + '_ {
        let others = (0..self.other_count()).filter_map(|index| self.other(index));
        others.filter(|(_, slot)| *slot < self.slot_count)
    }
}

/// How many of `0..count` are at the front of an array for which a question is answered yes.
fn partition(count: u64, is_before: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        match is_before(middle) {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    low
}

/// Writes the refs of the slots from 0 on, which ascend, and others by ref.
///
/// # Errors
/// Writing failed.
pub fn write(
    refs: impl Iterator<Item = SeriesRef>,
    others: &[(SeriesRef, u32)],
    out: &mut SealedWriter,
) -> io::Result<RefSections> {
    let (mut runs, mut next_ref) = (Vec::new(), None);
    for (slot, series) in (0u32..).zip(refs) {
        if next_ref != Some(series.0) {
            runs.extend_from_slice(&slot.to_le_bytes());
            runs.extend_from_slice(&series.0.to_le_bytes());
        }
        next_ref = Some(series.0.wrapping_add(1));
    }
    let mut pairs = Vec::with_capacity(others.len() * OTHER_REF_BYTES);
    for (series, slot) in others {
        pairs.extend_from_slice(&series.0.to_le_bytes());
        pairs.extend_from_slice(&slot.to_le_bytes());
    }
    let ref_runs = write_section(&runs, out)?;
    Ok(RefSections { ref_runs, other_refs: write_section(&pairs, out)? })
}

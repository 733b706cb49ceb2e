//! Writing registry files while the registry is in use: it is read in portions, and only grows meanwhile.

use std::io;
use std::ops::Range;

use super::Registry;
use super::layout::{Content, Footer, FooterHead, PORTIONS_MAX};
use crate::fs::sealed::{SealedSummary, SealedWriter};
use crate::head::base_refs;
use crate::index::image::writer::{self, Seeds, SharedIndex};
use crate::index::memory::MemoryIndex;
use crate::model::SeriesRef;
use crate::wal::RecordBuilder;

/// Definitions in a portion of a delta, unless there would be too many portions: built in well below a millisecond.
const PORTION_DEFINITIONS: usize = 512;

/// Refs looked up in one go.
const PORTION_REFS: usize = 16 << 10;

/// A registry file that was written. Its name is not durable yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrittenFile {
    pub summary: SealedSummary,
    pub head: FooterHead,
}

impl SharedIndex for Registry {
    fn read<R>(&self, use_it: impl FnOnce(&MemoryIndex) -> R) -> R {
        use_it(&self.known.read().index)
    }
}

impl Registry {
    /// Writes a base of the slots given so far for which `keep` says yes. In it they have new slots: in order of their
    /// refs, which is the order of their slots unless a log was damaged.
    ///
    /// # Errors
    /// Writing failed, or the base below cannot be read any more.
    pub fn write_base(
        &self,
        keep: &dyn Fn(u32) -> bool,
        out: SealedWriter,
    ) -> io::Result<WrittenFile> {
        self.write_base_with(keep, Seeds::random(), out)
    }

    /// As [`Registry::write_base`], and the same file from the same series and seeds.
    ///
    /// # Errors
    /// As there.
    pub fn write_base_with(
        &self,
        keep: &dyn Fn(u32) -> bool,
        seeds: Seeds,
        mut out: SealedWriter,
    ) -> io::Result<WrittenFile> {
        let (next_ref, end) = self.extent();
        let mut slots: Vec<u32> = (0..end).filter(|slot| keep(*slot)).collect();
        let refs = self.sort_by_ref(&mut slots);
        let others = self.other_refs(&slots, &refs);
        let image = writer::write(self, &slots, seeds, &mut out)?;
        let head = FooterHead {
            series_count: slots.len() as u32,
            next_ref,
            highest_ref: highest(refs.last().into_iter().chain(others.iter().map(|(r, _)| r))),
        };
        let refs = base_refs::write(refs.into_iter(), &others, &mut out)?;
        self.finish(out, Footer { head, content: Content::Base { image, refs } })
    }

    /// Writes the definitions of some slots that were given.
    ///
    /// # Errors
    /// As [`Registry::write_base`].
    pub fn write_delta(&self, slots: Range<u32>, mut out: SealedWriter) -> io::Result<WrittenFile> {
        let (next_ref, _) = self.extent();
        let portion = slots.len().div_ceil(PORTIONS_MAX).max(PORTION_DEFINITIONS);
        let mut head = FooterHead { series_count: slots.len() as u32, next_ref, highest_ref: 0 };
        let (mut builder, mut record, mut portion_ends) =
            (RecordBuilder::new(), Vec::new(), Vec::new());
        for start in slots.clone().step_by(portion) {
            let slots: Vec<u32> =
                (start..slots.end.min(start.saturating_add(portion as u32))).collect();
            let refs = self.refs_of(&slots);
            head.highest_ref = head.highest_ref.max(highest(refs.iter()));
            for (series, labels) in refs.iter().zip(self.labels_of(&slots)) {
                builder.define(*series, &labels);
            }
            record.clear();
            builder.finish(&mut record);
            out.write(&record)?;
            portion_ends.push(out.position());
        }
        self.finish(out, Footer { head, content: Content::Delta { portion_ends } })
    }

    fn finish(&self, out: SealedWriter, footer: Footer) -> io::Result<WrittenFile> {
        // What storage gave instead of a page it could not read must not be taken for labels.
        self.check().map_err(io::Error::other)?;
        Ok(WrittenFile { summary: out.finish(&footer.encode())?, head: footer.head })
    }

    /// The ref that comes next, and the slots so far.
    fn extent(&self) -> (u64, u32) {
        let known = self.known.read();
        (known.next_ref, known.index.len() as u32)
    }

    /// Sorts slots by their refs, which it gives.
    fn sort_by_ref(&self, slots: &mut Vec<u32>) -> Vec<SeriesRef> {
        let mut refs = Vec::with_capacity(slots.len());
        for portion in slots.chunks(PORTION_REFS) {
            refs.extend(self.refs_of(portion));
        }
        if !refs.is_sorted() {
            let mut both: Vec<(SeriesRef, u32)> = refs.into_iter().zip(slots.drain(..)).collect();
            both.sort_unstable();
            (refs, *slots) = both.into_iter().unzip();
        }
        refs
    }

    /// Refs that stand for one of the slots without being its own, with the place of the slot; by ref.
    fn other_refs(&self, slots: &[u32], refs: &[SeriesRef]) -> Vec<(SeriesRef, u32)> {
        let others: Vec<(SeriesRef, u32)> = self.hot.read().refs.others().collect();
        if others.is_empty() {
            return others;
        }
        let mut places: Vec<(u32, u32)> = slots.iter().copied().zip(0..).collect();
        places.sort_unstable();
        let place_of = |slot: u32| {
            let found = places.binary_search_by_key(&slot, |(other, _)| *other).ok()?;
            Some(places[found].1)
        };
        let mut kept: Vec<(SeriesRef, u32)> = others
            .into_iter()
            .filter_map(|(series, slot)| Some((series, place_of(slot)?)))
            .filter(|(series, place)| refs[*place as usize] != *series)
            .collect();
        kept.sort_unstable();
        kept
    }
}

fn highest<'a>(refs: impl Iterator<Item = &'a SeriesRef>) -> u64 {
    refs.map(|series| series.0).max().unwrap_or(0)
}

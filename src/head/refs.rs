//! Series refs: which slot has which, which slot each stands for while the log is replayed, and which are *pending*,
//! that is, in no frame known durable. Used by `head::registry` only.

use std::collections::VecDeque;

use hashbrown::HashMap;

use crate::model::SeriesRef;

/// The ref of every slot. Refs and slots are given in the same order, so both count up together for long: what is
/// kept is where they do not. A process that never restarted has one run.
#[derive(Debug, Default)]
pub struct SlotRefs {
    runs: Vec<Run>,
}

/// From `slot` on, refs count up from `series`.
#[derive(Debug, Clone, Copy)]
struct Run {
    slot: u32,
    series: u64,
}

impl Run {
    fn at(self, slot: u32) -> SeriesRef {
        SeriesRef(self.series + u64::from(slot - self.slot))
    }
}

impl SlotRefs {
    /// Gives the next slot its ref.
    pub fn push(&mut self, slot: u32, series: SeriesRef) {
        if self.runs.last().is_none_or(|run| run.at(slot) != series) {
            self.runs.push(Run { slot, series: series.0 });
        }
    }

    /// The ref of a slot that has one.
    pub fn get(&self, slot: u32) -> SeriesRef {
        self.runs[self.run_of(slot)].at(slot)
    }

    /// Gives a slot that has a ref another.
    pub fn replace(&mut self, slot: u32, series: SeriesRef) {
        let index = self.run_of(slot);
        let run = self.runs[index];
        let end = self.runs.get(index + 1).map_or(u32::MAX, |next| next.slot);
        let before = (run.slot < slot).then_some(run);
        let after = (slot + 1 < end).then(|| Run { slot: slot + 1, series: run.at(slot + 1).0 });
        let parts = [before, Some(Run { slot, series: series.0 }), after];
        self.runs.splice(index..=index, parts.into_iter().flatten());
    }

    fn run_of(&self, slot: u32) -> usize {
        self.runs.partition_point(|run| run.slot <= slot).saturating_sub(1)
    }

    /// Appends the refs of slots. Neighbours in a request mostly are neighbours here, so the last run is tried first.
    pub fn extend(&self, slots: impl Iterator<Item = Option<u32>>, refs: &mut Vec<SeriesRef>) {
        let mut current = 0..0;
        let mut run = Run { slot: 0, series: 0 };
        refs.extend(slots.map(|slot| {
            let Some(slot) = slot else { return NO_SERIES };
            if !current.contains(&slot) {
                let index = self.run_of(slot);
                run = self.runs[index];
                current = run.slot..self.runs.get(index + 1).map_or(u32::MAX, |next| next.slot);
            }
            run.at(slot)
        }));
    }

    pub fn memory_bytes(&self) -> usize {
        self.runs.capacity() * size_of::<Run>()
    }
}

/// The ref of no series. Real ones count from 1.
pub const NO_SERIES: SeriesRef = SeriesRef(0);

/// Refs kept together: a cache line of slots, so that a request's refs, which mostly follow each other, share the
/// look-ups.
const PAGE_REFS: u64 = 16;

/// The slots of refs, while the log is replayed. Several refs may stand for one series.
#[derive(Debug, Default)]
pub struct RefSlots {
    pages: HashMap<u64, [u32; PAGE_REFS as usize]>,
}

impl RefSlots {
    /// What a ref without a slot has.
    const NONE: u32 = u32::MAX;

    pub fn get(&self, series: SeriesRef) -> Option<u32> {
        let page = self.pages.get(&(series.0 / PAGE_REFS))?;
        Some(page[(series.0 % PAGE_REFS) as usize]).filter(|slot| *slot != RefSlots::NONE)
    }

    /// Gives a ref its slot; returns the one it had.
    pub fn insert(&mut self, series: SeriesRef, slot: u32) -> Option<u32> {
        let empty = [RefSlots::NONE; PAGE_REFS as usize];
        let page = self.pages.entry(series.0 / PAGE_REFS).or_insert(empty);
        let place = &mut page[(series.0 % PAGE_REFS) as usize];
        Some(std::mem::replace(place, slot)).filter(|slot| *slot != RefSlots::NONE)
    }
}

/// The refs that are in no frame known durable: a window of bits over the latest refs.
#[derive(Debug, Default)]
pub struct PendingRefs {
    /// Refs below are durable. A multiple of 64.
    start: u64,
    words: VecDeque<u64>,
}

impl PendingRefs {
    /// Adds a ref greater than all before.
    pub fn insert(&mut self, series: SeriesRef) {
        if self.words.is_empty() {
            self.start = series.0 / 64 * 64;
        }
        let (word, bit) = self.place(series);
        self.words.resize(self.words.len().max(word + 1), 0);
        self.words[word] |= bit;
    }

    pub fn remove(&mut self, series: SeriesRef) {
        if series.0 < self.start {
            return;
        }
        let (word, bit) = self.place(series);
        if let Some(word) = self.words.get_mut(word) {
            *word &= !bit;
        }
        while self.words.front() == Some(&0) {
            self.words.pop_front();
            self.start += 64;
        }
    }

    pub fn contains(&self, series: SeriesRef) -> bool {
        series.0 >= self.start && {
            let (word, bit) = self.place(series);
            self.words.get(word).is_some_and(|word| word & bit != 0)
        }
    }

    /// The word and the bit of a ref not below `start`.
    fn place(&self, series: SeriesRef) -> (usize, u64) {
        let index = series.0 - self.start;
        ((index / 64) as usize, 1 << (index % 64))
    }

    /// No ref below is pending; the greatest number if none is at all.
    pub fn first(&self) -> u64 {
        match self.words.front() {
            Some(word) => self.start + u64::from(word.trailing_zeros()),
            None => u64::MAX,
        }
    }

    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn slots_keep_their_refs(steps in prop::collection::vec(prop_oneof![4 => Just(1u64), 1 => 0u64..100], 1..200)) {
            let mut slot_refs = SlotRefs::default();
            let mut expected = Vec::new();
            let mut series = 1000u64;
            for (slot, step) in steps.iter().enumerate() {
                series = if *step == 0 { series.saturating_sub(500) } else { series + step };
                series = series.max(1);
                slot_refs.push(slot as u32, SeriesRef(series));
                expected.push(SeriesRef(series));
            }
            let slots = (0..expected.len() as u32).rev();
            let mut refs = Vec::new();
            slot_refs.extend(slots.clone().map(Some), &mut refs);
            refs.reverse();
            prop_assert_eq!(&refs, &expected);
            for slot in slots {
                prop_assert_eq!(slot_refs.get(slot), expected[slot as usize]);
            }
        }

        #[test]
        fn replaced_refs_change_nothing_else(
            gaps in prop::collection::vec(prop_oneof![4 => Just(1u64), 1 => 2u64..9], 1..40),
            replaced in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let mut slot_refs = SlotRefs::default();
            let mut expected = Vec::new();
            let mut series = 0;
            for gap in gaps {
                series += gap;
                slot_refs.push(expected.len() as u32, SeriesRef(series));
                expected.push(SeriesRef(series));
            }
            for (at, series) in replaced.iter().zip(1000..) {
                let slot = at.index(expected.len());
                slot_refs.replace(slot as u32, SeriesRef(series));
                expected[slot] = SeriesRef(series);
            }
            slot_refs.push(expected.len() as u32, SeriesRef(5000));
            expected.push(SeriesRef(5000));
            let mut refs = Vec::new();
            slot_refs.extend((0..expected.len() as u32).map(Some), &mut refs);
            prop_assert_eq!(&refs, &expected);
            for (slot, series) in (0..).zip(&expected) {
                prop_assert_eq!(slot_refs.get(slot), *series);
            }
        }

        #[test]
        fn slots_of_refs_agree_with_a_map(steps in prop::collection::vec((0u64..100, 0u32..9), 0..200)) {
            let (mut slots, mut model) = (RefSlots::default(), std::collections::BTreeMap::new());
            for (series, slot) in steps {
                prop_assert_eq!(slots.insert(SeriesRef(series), slot), model.insert(series, slot));
            }
            for series in 0..120 {
                prop_assert_eq!(slots.get(SeriesRef(series)), model.get(&series).copied());
            }
        }

        #[test]
        fn pending_refs_agree_with_a_set(ops in prop::collection::vec((any::<bool>(), 0u64..500, 1u64..90), 0..200)) {
            let mut pending = PendingRefs::default();
            let mut model = BTreeSet::new();
            let mut next = 1;
            for (is_insert, target, gap) in ops {
                if is_insert {
                    pending.insert(SeriesRef(next));
                    model.insert(next);
                    next += gap;
                } else {
                    pending.remove(SeriesRef(target));
                    model.remove(&target);
                }
                prop_assert_eq!(pending.first(), model.first().copied().unwrap_or(u64::MAX));
                prop_assert_eq!(pending.len(), model.len());
                prop_assert_eq!(pending.contains(SeriesRef(target)), model.contains(&target));
            }
        }
    }

    #[test]
    fn consecutive_refs_cost_nothing() {
        let mut slot_refs = SlotRefs::default();
        (0..100_000).for_each(|slot| slot_refs.push(slot, SeriesRef(7 + u64::from(slot))));
        assert!(slot_refs.memory_bytes() <= 128);
    }
}

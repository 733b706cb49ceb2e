//! Series refs: which slot has which, which slot each stands for, and which are *pending*, that is, in no frame known
//! durable. Used by `head::registry` only.

use std::collections::{BTreeMap, VecDeque};

use hashbrown::HashMap;

use super::base_refs::BaseRefs;
use crate::model::SeriesRef;

/// The ref of no series. Real ones count from 1.
pub const NO_SERIES: SeriesRef = SeriesRef(0);

/// Refs and slots, both ways. They are given in the same order, so both count up together for long: what is kept is where
/// they do not. A process that began with nothing has one run.
///
/// Every slot has one ref of its own; a ref may stand for a slot that has another, or for none.
#[derive(Debug, Default)]
pub struct Refs {
    /// Of the slots in the base.
    base: BaseRefs,
    /// Of the slots after, by slot.
    runs: Vec<Run>,
    /// Instead of what base and runs say.
    replaced: HashMap<u32, SeriesRef>,
    /// What `runs` and `replaced` say, by ref: the first of a run, its slot, and how many there are.
    by_ref: BTreeMap<u64, (u32, u64)>,
    /// Instead of what the base and `by_ref` say.
    others: HashMap<u64, u32>,
}

/// From `slot` on, refs count up from `series`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    pub slot: u32,
    pub series: u64,
}

impl Run {
    /// The ref of a slot from `slot` on.
    pub fn at(self, slot: u32) -> SeriesRef {
        SeriesRef(self.series.wrapping_add(u64::from(slot.wrapping_sub(self.slot))))
    }
}

impl Refs {
    /// The refs of a base.
    pub fn new(base: BaseRefs) -> Refs {
        Refs { base, ..Refs::default() }
    }

    /// Gives the next slot its ref. Returns the slot that the ref stood for.
    pub fn push(&mut self, slot: u32, series: SeriesRef) -> Option<u32> {
        let before = self.slot_of(series);
        if self.runs.last().is_none_or(|run| run.at(slot) != series) {
            self.runs.push(Run { slot, series: series.0 });
        }
        self.point(series, slot, before);
        before
    }

    /// Lets a ref stand for a slot that has another. Returns the slot that it stood for.
    pub fn insert(&mut self, series: SeriesRef, slot: u32) -> Option<u32> {
        let before = self.slot_of(series);
        if before != Some(slot) {
            self.others.insert(series.0, slot);
        }
        before
    }

    /// Gives a slot that has a ref another, which stands for nothing yet.
    pub fn replace(&mut self, slot: u32, series: SeriesRef) {
        self.replaced.insert(slot, series);
        self.point(series, slot, None);
    }

    fn point(&mut self, series: SeriesRef, slot: u32, before: Option<u32>) {
        if before.is_some() {
            self.others.insert(series.0, slot);
            return;
        }
        match self.by_ref.range_mut(..=series.0).next_back() {
            Some((first, (first_slot, count)))
                if first + *count == series.0
                    && u64::from(*first_slot) + *count == u64::from(slot) =>
            {
                *count += 1;
            }
            _ => {
                self.by_ref.insert(series.0, (slot, 1));
            }
        }
    }

    /// The ref of a slot that has one.
    pub fn get(&self, slot: u32) -> SeriesRef {
        match self.replacement(slot) {
            Some(series) => series,
            None => self.run_of(slot).0.at(slot),
        }
    }

    #[inline]
    fn replacement(&self, slot: u32) -> Option<SeriesRef> {
        if self.replaced.is_empty() { None } else { self.replaced.get(&slot).copied() }
    }

    /// The slot a ref stands for.
    #[inline]
    pub fn slot_of(&self, series: SeriesRef) -> Option<u32> {
        if !self.others.is_empty()
            && let Some(slot) = self.others.get(&series.0)
        {
            return Some(*slot);
        }
        self.base.slot_of(series).or_else(|| {
            let (first, (slot, count)) = self.by_ref.range(..=series.0).next_back()?;
            let beyond = series.0 - first;
            (beyond < *count).then(|| slot + beyond as u32)
        })
    }

    /// The run that a slot is in, and the end of that run.
    fn run_of(&self, slot: u32) -> (Run, u32) {
        if let Some(found) = self.base.run_of(slot) {
            return found;
        }
        let next = self.runs.partition_point(|run| run.slot <= slot);
        let end = self.runs.get(next).map_or(u32::MAX, |run| run.slot);
        (self.runs[next - 1], end)
    }

    /// Appends the refs of slots. Neighbours in a request mostly are neighbours here, so the last run is tried first.
    pub fn extend(&self, slots: impl Iterator<Item = Option<u32>>, refs: &mut Vec<SeriesRef>) {
        let mut run = Run { slot: 0, series: 0 };
        let mut end = 0;
        refs.extend(slots.map(|slot| {
            let Some(slot) = slot else { return NO_SERIES };
            if let Some(series) = self.replacement(slot) {
                return series;
            }
            if !(run.slot..end).contains(&slot) {
                (run, end) = self.run_of(slot);
            }
            run.at(slot)
        }));
    }

    /// Refs that stand for slots which may have another.
    pub fn others(&self) -> impl Iterator<Item = (SeriesRef, u32)> + '_ {
        let added = self.others.iter().map(|(series, slot)| (SeriesRef(*series), *slot));
        let in_base = self.base.others().filter(|(series, _)| !self.others.contains_key(&series.0));
        added.chain(in_base)
    }

    pub fn memory_bytes(&self) -> usize {
        self.runs.capacity() * size_of::<Run>()
            + self.replaced.capacity() * (size_of::<(u32, SeriesRef)>() + 1)
            + self.by_ref.len() * size_of::<(u64, (u32, u64))>()
            + self.others.capacity() * (size_of::<(u64, u32)>() + 1)
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
        fn refs_and_slots_agree_with_maps(
            ops in prop::collection::vec((0u8..8, 1u64..60, any::<prop::sample::Index>()), 1..120),
        ) {
            let mut refs = Refs::default();
            let (mut of_slot, mut of_ref) = (Vec::new(), BTreeMap::new());
            let mut fresh = 1000;
            for (op, series, at) in ops {
                match op {
                    0..4 => {
                        let slot = of_slot.len() as u32;
                        let series = of_slot.last().map_or(series, |last| if op < 3 { last + 1 } else { series });
                        prop_assert_eq!(refs.push(slot, SeriesRef(series)), of_ref.insert(series, slot));
                        of_slot.push(series);
                    }
                    4..6 if !of_slot.is_empty() => {
                        let slot = at.index(of_slot.len()) as u32;
                        prop_assert_eq!(refs.insert(SeriesRef(series), slot), of_ref.insert(series, slot));
                    }
                    _ if !of_slot.is_empty() => {
                        let slot = at.index(of_slot.len());
                        fresh = of_slot.iter().fold(fresh, |fresh, series| *series.max(&fresh)) + series;
                        refs.replace(slot as u32, SeriesRef(fresh));
                        of_slot[slot] = fresh;
                        of_ref.insert(fresh, slot as u32);
                    }
                    _ => {}
                }
            }
            let slots = || 0..of_slot.len() as u32;
            let expected: Vec<SeriesRef> = of_slot.iter().copied().map(SeriesRef).collect();
            prop_assert_eq!(slots().map(|slot| refs.get(slot)).collect::<Vec<_>>(), expected.as_slice());
            let mut all = Vec::new();
            refs.extend(slots().map(Some), &mut all);
            prop_assert_eq!(all, expected);
            for series in (0..70).chain(1000..fresh + 2) {
                prop_assert_eq!(refs.slot_of(SeriesRef(series)), of_ref.get(&series).copied(), "{}", series);
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
        let mut refs = Refs::default();
        (0..100_000)
            .for_each(|slot| assert_eq!(refs.push(slot, SeriesRef(7 + u64::from(slot))), None));
        assert!(refs.memory_bytes() <= 128);
    }
}

//! Postings: ascending lists of slots, one per label pair, and the set operations on them. Most pairs of a
//! label with unique values have one series, so one or two slots cost no allocation.

/// An ascending list of slots.
#[derive(Debug, Default)]
pub struct Postings(Repr);

#[derive(Debug, Default)]
enum Repr {
    #[default]
    Empty,
    One(u32),
    Two([u32; 2]),
    Many(Box<List>),
}

/// Boxed, so that a short list costs 16 bytes and not 24.
#[derive(Debug)]
struct List {
    slots: Vec<u32>,
}

impl Postings {
    /// Appends a slot greater than all before. Gives the growth of the heap in bytes.
    pub fn push(&mut self, slot: u32) -> usize {
        debug_assert!(self.as_slice().last().is_none_or(|last| *last < slot), "slots ascend");
        match &mut self.0 {
            Repr::Empty => self.0 = Repr::One(slot),
            Repr::One(first) => self.0 = Repr::Two([*first, slot]),
            Repr::Two(two) => {
                let mut slots = Vec::with_capacity(4);
                slots.extend_from_slice(two);
                slots.push(slot);
                let bytes = slots.capacity() * size_of::<u32>() + size_of::<List>();
                self.0 = Repr::Many(Box::new(List { slots }));
                return bytes;
            }
            Repr::Many(list) => return push_tight(&mut list.slots, slot) * size_of::<u32>(),
        }
        0
    }

    pub fn as_slice(&self) -> &[u32] {
        match &self.0 {
            Repr::Empty => &[],
            Repr::One(slot) => std::slice::from_ref(slot),
            Repr::Two(two) => two,
            Repr::Many(list) => &list.slots,
        }
    }
}

/// Pushes to a vector that grows by a quarter rather than doubling: there are ten such lists to a series,
/// and what they hold in reserve would be a good part of the memory. Gives the growth of the capacity.
pub fn push_tight(list: &mut Vec<u32>, value: u32) -> usize {
    let before = list.capacity();
    if list.len() == before {
        list.reserve_exact(before / 4 + 4);
    }
    list.push(value);
    list.capacity() - before
}

/// From how many times the length of the shorter list on the longer is searched rather than walked.
const GALLOP_RATIO: usize = 8;

/// Keeps in `slots` those that `other` holds.
pub fn intersect(slots: &mut Vec<u32>, other: &[u32]) {
    if slots.len() > other.len().saturating_mul(GALLOP_RATIO) {
        let mut rest = slots.as_slice();
        let common = other.iter().copied().filter(|slot| advance(&mut rest, *slot)).collect();
        *slots = common;
        return;
    }
    let mut rest = other;
    slots.retain(|slot| advance(&mut rest, *slot));
}

/// Removes from `slots` those that `other` holds.
pub fn subtract(slots: &mut Vec<u32>, other: &[u32]) {
    let mut rest = other;
    slots.retain(|slot| !advance(&mut rest, *slot));
}

/// Drops from the front of `list` what is below `slot`; is `slot` next? Steps double, so that a long way
/// costs its logarithm and a short one a step.
fn advance(list: &mut &[u32], slot: u32) -> bool {
    let mut step = 1;
    while step < list.len() && list[step] < slot {
        *list = &list[step..];
        step *= 2;
    }
    let near = &list[..list.len().min(step + 1)];
    *list = &list[near.partition_point(|other| *other < slot)..];
    list.first() == Some(&slot)
}

/// Words of a bitmap cost less than sorting once the list holds this share of all slots.
const BITMAP_SHARE: usize = 64;

/// The slots of a list in any order, ascending, each once; every slot is below `slot_end`.
pub fn ascending(mut list: Vec<u32>, slot_end: usize) -> Vec<u32> {
    if list.is_sorted_by(|a, b| a < b) {
        return list;
    }
    if list.len() < slot_end / BITMAP_SHARE {
        list.sort_unstable();
        list.dedup();
        return list;
    }
    let mut words = vec![0u64; slot_end.div_ceil(64)];
    for slot in &list {
        words[*slot as usize / 64] |= 1 << (slot % 64);
    }
    list.clear();
    for (index, mut word) in words.into_iter().enumerate() {
        while word != 0 {
            list.push(index as u32 * 64 + word.trailing_zeros());
            word &= word - 1;
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn slots() -> impl Strategy<Value = BTreeSet<u32>> {
        prop_oneof![
            prop::collection::btree_set(0u32..400, 0..8),
            prop::collection::btree_set(0u32..400, 0..300),
        ]
    }

    fn list(set: &BTreeSet<u32>) -> Vec<u32> {
        set.iter().copied().collect()
    }

    proptest! {
        #[test]
        fn set_operations_agree_with_sets(a in slots(), b in slots(), c in slots()) {
            let mut both = list(&a);
            intersect(&mut both, &list(&b));
            prop_assert_eq!(both, list(&(&a & &b)));
            let mut rest = list(&a);
            subtract(&mut rest, &list(&b));
            prop_assert_eq!(rest, list(&(&a - &b)));
            let (a_list, b_list, c_list) = (list(&a), list(&b), list(&c));
            let expected = list(&(&(&a | &b) | &c));
            for slot_end in [400, 1 << 20] {
                let all = ascending([&*a_list, &b_list, &c_list].concat(), slot_end);
                prop_assert_eq!(&all, &expected);
            }
        }

        #[test]
        fn pushed_slots_come_back(set in slots()) {
            let mut postings = Postings::default();
            set.iter().for_each(|slot| { postings.push(*slot); });
            prop_assert_eq!(postings.as_slice(), list(&set));
        }
    }

    #[test]
    fn short_postings_are_small() {
        assert_eq!(size_of::<Postings>(), 16);
    }
}

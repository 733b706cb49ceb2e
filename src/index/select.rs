//! From matchers to slots.
//!
//! A matcher that an absent label does not satisfy *requires* one of some pairs; any other *excludes* some.
//! 1. Required pairs that can be looked up, smallest postings first, narrow the slots.
//! 2. Other required ones: the values of the label are asked, or, if fewer slots are left than the label has values,
//!    the slots.
//! 3. The same for what excludes.

use std::borrow::Cow;

use super::memory::MemoryIndex;
use super::postings::{ascending, intersect, subtract};
use crate::model::{MatchOp, Matcher};

/// Regular expressions that every value and every non-empty value satisfies.
const ANY_VALUE: &str = ".*";
const ANY_NON_EMPTY_VALUE: &str = ".+";

/// Slots are filtered one by one if the postings in question hold more than so many times their number.
const FILTER_RATIO: usize = 8;

/// The slots that satisfy all matchers, ascending.
pub fn select(index: &MemoryIndex, matchers: &[Matcher]) -> Vec<u32> {
    let (excluding, requiring): (Vec<&Matcher>, Vec<&Matcher>) =
        matchers.iter().partition(|matcher| matcher.matches_empty());
    let slots = require(index, &requiring);
    let slots = slots.unwrap_or_else(|| (0..index.len() as u32).collect());
    excluding.into_iter().fold(slots, |slots, matcher| exclude(index, slots, matcher))
}

/// The slots that satisfy the matchers that require a label; `None` if there is no such matcher.
fn require(index: &MemoryIndex, requiring: &[&Matcher]) -> Option<Vec<u32>> {
    let mut known = Vec::new();
    let mut unknown = Vec::new();
    for matcher in requiring {
        let Some(name) = index.name_id(&matcher.name) else { return Some(Vec::new()) };
        match matcher.literal_values() {
            Some(values) => {
                let pairs = values.iter().filter_map(|value| index.pair_id(name, value)).collect();
                known.push(PairSet::new(index, name, pairs));
            }
            None => unknown.push((name, *matcher)),
        }
    }
    known.sort_by_key(|pairs| pairs.slot_count);
    let slots = known.iter().fold(None, |slots, pairs| Some(pairs.narrow(index, slots)));
    unknown
        .into_iter()
        .fold(slots, |slots, (name, matcher)| Some(require_by_value(index, slots, name, matcher)))
}

/// The slots, of those given or of all, whose label has a value that satisfies a matcher.
fn require_by_value(
    index: &MemoryIndex,
    slots: Option<Vec<u32>>,
    name: u32,
    matcher: &Matcher,
) -> Vec<u32> {
    match slots {
        Some(slots) if slots.len() < index.pair_count_of(name) => {
            filter(index, slots, name, |value| value.is_some_and(|v| matcher.matches(v)))
        }
        slots => {
            let pairs = pairs_where(index, name, |value| satisfies(matcher, value));
            PairSet::new(index, name, pairs).narrow(index, slots)
        }
    }
}

/// Removes the slots whose label does not satisfy a matcher that an absent label satisfies.
fn exclude(index: &MemoryIndex, mut slots: Vec<u32>, matcher: &Matcher) -> Vec<u32> {
    let Some(name) = index.name_id(&matcher.name) else { return slots };
    let pairs = match matcher.op {
        MatchOp::Regex if matcher.value == ANY_VALUE => return slots,
        MatchOp::NotEqual => index.pair_id(name, &matcher.value).into_iter().collect(),
        _ if slots.len() < index.pair_count_of(name) => {
            return filter(index, slots, name, |value| value.is_none_or(|v| matcher.matches(v)));
        }
        _ => pairs_where(index, name, |value| !matcher.matches(value)),
    };
    if !pairs.is_empty() {
        PairSet::new(index, name, pairs).remove(index, &mut slots);
    }
    slots
}

/// Does a value satisfy a matcher? The regex runs only where its literal prefix fits.
fn satisfies(matcher: &Matcher, value: &str) -> bool {
    let is_any = matcher.op == MatchOp::Regex && matcher.value == ANY_NON_EMPTY_VALUE;
    is_any
        || match matcher.op {
            MatchOp::Regex => value.starts_with(matcher.literal_prefix()) && matcher.matches(value),
            _ => matcher.matches(value),
        }
}

fn pairs_where(index: &MemoryIndex, name: u32, keep: impl Fn(&str) -> bool) -> Vec<u32> {
    index.pairs_of(name).filter(|pair| keep(index.value(*pair))).collect()
}

/// Keeps the slots whose value of a label is accepted.
fn filter(
    index: &MemoryIndex,
    mut slots: Vec<u32>,
    name: u32,
    keep: impl Fn(Option<&str>) -> bool,
) -> Vec<u32> {
    slots.retain(|slot| keep(index.pair_of(*slot, name).map(|pair| index.value(pair))));
    slots
}

/// Pairs of one name, one of which a series must have.
struct PairSet {
    name: u32,
    /// Ascending.
    pairs: Vec<u32>,
    /// Slots under all of the pairs. No slot is under two, since a series has one value per name.
    slot_count: usize,
}

impl PairSet {
    fn new(index: &MemoryIndex, name: u32, mut pairs: Vec<u32>) -> PairSet {
        pairs.sort_unstable();
        pairs.dedup();
        let slot_count = pairs.iter().map(|pair| index.slot_count_of(*pair)).sum();
        PairSet { name, pairs, slot_count }
    }

    /// The slots that have one of the pairs, ascending.
    fn union<'a>(&self, index: &'a MemoryIndex) -> Cow<'a, [u32]> {
        if let [pair] = self.pairs.as_slice() {
            return index.slots_of(*pair);
        }
        let mut slots = Vec::with_capacity(self.slot_count.min(index.len()));
        for pair in &self.pairs {
            index.extend_slots(*pair, &mut slots);
            if slots.len() > index.len() {
                break;
            }
        }
        Cow::Owned(ascending(slots, index.len()))
    }

    /// Is it less work to look at the labels of so many slots than to walk the lists? One list that is there as it is
    /// is searched faster still.
    fn is_long_for(&self, index: &MemoryIndex, slot_count: usize) -> bool {
        let is_at_hand = matches!(*self.pairs, [pair] if index.base_slot_count_of(pair) == 0);
        !is_at_hand && self.slot_count > slot_count.saturating_mul(FILTER_RATIO)
    }

    fn has(&self, index: &MemoryIndex, slot: u32) -> bool {
        index.pair_of(slot, self.name).is_some_and(|pair| self.pairs.binary_search(&pair).is_ok())
    }

    /// The slots, of those given or of all, that have one of the pairs.
    fn narrow(&self, index: &MemoryIndex, slots: Option<Vec<u32>>) -> Vec<u32> {
        let Some(mut slots) = slots else { return self.union(index).into_owned() };
        match self.is_long_for(index, slots.len()) {
            true => slots.retain(|slot| self.has(index, *slot)),
            false => intersect(&mut slots, &self.union(index)),
        }
        slots
    }

    /// Removes the slots that have one of the pairs.
    fn remove(&self, index: &MemoryIndex, slots: &mut Vec<u32>) {
        match self.is_long_for(index, slots.len()) {
            true => slots.retain(|slot| !self.has(index, *slot)),
            false => subtract(slots, &self.union(index)),
        }
    }
}

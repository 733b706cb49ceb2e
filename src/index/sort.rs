//! Slots in the order of their label sets, without building a label set. Slots of the image have a rank. Those in memory
//! are sorted column by column over numbers of their pairs, of which only those that decide have their texts sorted, once
//! per label name. Then the two are merged.

use std::cmp::Ordering;

use hashbrown::HashMap;

use super::memory::MemoryIndex;
use super::order::{self, Columns, Texts};

/// Sorts slots that were given.
pub fn sort(index: &MemoryIndex, slots: Vec<u32>) -> Vec<u32> {
    let base_end = index.base().slot_count();
    let (mut base, memory): (Vec<u32>, Vec<u32>) =
        slots.into_iter().partition(|slot| *slot < base_end);
    sort_by_rank(index, &mut base);
    match memory.is_empty() {
        true => base,
        false => merge(index, base, &sort_by_pairs(index, memory)),
    }
}

fn sort_by_rank(index: &MemoryIndex, slots: &mut [u32]) {
    let rank = index.base().ranks();
    let mut ranked: Vec<u64> =
        slots.iter().map(|slot| u64::from(rank(*slot)) << 32 | u64::from(*slot)).collect();
    ranked.sort_unstable();
    for (slot, ranked) in slots.iter_mut().zip(ranked) {
        *slot = ranked as u32;
    }
}

/// Both are sorted. The second list mostly is by far the shorter, so the places of its slots are searched for.
fn merge(index: &MemoryIndex, base: Vec<u32>, memory: &[u32]) -> Vec<u32> {
    if base.is_empty() {
        return memory.to_vec();
    }
    let mut merged = Vec::with_capacity(base.len() + memory.len());
    let mut rest = base.as_slice();
    for slot in memory {
        let before = count_before(rest, |other| compare(index, other, *slot) == Ordering::Less);
        let (less, greater) = rest.split_at(before);
        merged.extend_from_slice(less);
        merged.push(*slot);
        rest = greater;
    }
    merged.extend_from_slice(rest);
    merged
}

/// How many slots at the front are before something. Steps double, so that a long way costs its logarithm.
fn count_before(slots: &[u32], is_before: impl Fn(u32) -> bool) -> usize {
    let (mut start, mut step) = (0, 1);
    while start + step <= slots.len() && is_before(slots[start + step - 1]) {
        start += step;
        step *= 2;
    }
    let end = slots.len().min(start + step - 1);
    start + slots[start..end].partition_point(|slot| is_before(*slot))
}

fn compare(index: &MemoryIndex, a: u32, b: u32) -> Ordering {
    let (mut a, mut b) = (index.pairs(a), index.pairs(b));
    loop {
        match (a.next(), b.next()) {
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(b)) => return text_of(index, a).cmp(&text_of(index, b)),
            (a, b) => return a.is_some().cmp(&b.is_some()),
        }
    }
}

fn text_of(index: &MemoryIndex, pair: u32) -> (&str, &str) {
    (index.name(index.name_of(pair)), index.value(pair))
}

fn sort_by_pairs(index: &MemoryIndex, mut slots: Vec<u32>) -> Vec<u32> {
    if slots.len() < 2 {
        return slots;
    }
    let mut selection = Selection::new(index, &slots);
    let mut rows: Vec<u32> = (0..slots.len() as u32).collect();
    order::sort(&mut rows, &mut selection);
    for row in &mut rows {
        *row = slots[*row as usize];
    }
    slots.clear();
    rows
}

/// Rows of pairs that are numbered in the order in which they are met.
struct Selection<'a> {
    index: &'a MemoryIndex,
    /// Numbers of the pairs of all rows, one row after the other.
    numbers: Vec<u32>,
    row_starts: Vec<usize>,
    pairs: Vec<NumberedPair>,
    /// Numbers of the pairs of each name.
    names: HashMap<u32, NamePairs>,
    /// By which names are compared.
    name_ranks: Vec<u32>,
}

struct NumberedPair {
    pair: u32,
    name: u32,
    /// Its place among the selected pairs of its name, once that is known.
    rank: u32,
}

#[derive(Default)]
struct NamePairs {
    numbers: Vec<u32>,
    is_ranked: bool,
}

impl<'a> Selection<'a> {
    fn new(index: &'a MemoryIndex, slots: &[u32]) -> Selection<'a> {
        let mut selection = Selection {
            index,
            numbers: Vec::new(),
            row_starts: Vec::with_capacity(slots.len() + 1),
            pairs: Vec::new(),
            names: HashMap::new(),
            name_ranks: name_ranks(index),
        };
        let mut numbering = Numbering::new(index, slots.len());
        for slot in slots {
            selection.row_starts.push(selection.numbers.len());
            for (column, pair) in index.pairs(*slot).enumerate() {
                let (number, is_new) = numbering.number(pair, column);
                if is_new {
                    selection.add_pair(pair, number);
                }
                selection.numbers.push(number);
            }
        }
        selection.row_starts.push(selection.numbers.len());
        selection
    }

    fn add_pair(&mut self, pair: u32, number: u32) {
        let name = self.index.name_of(pair);
        self.pairs.push(NumberedPair { pair, name, rank: 0 });
        self.names.entry(name).or_default().numbers.push(number);
    }

    fn rank_pairs_of(&mut self, name: u32) {
        let Some(of_name) = self.names.get_mut(&name) else { return };
        of_name.is_ranked = true;
        let (index, pairs) = (self.index, &self.pairs);
        let text = |number: u32| index.value(pairs[number as usize].pair).as_bytes();
        order::sort(&mut of_name.numbers, &mut Texts { text });
        for (rank, number) in of_name.numbers.iter().enumerate() {
            self.pairs[*number as usize].rank = rank as u32;
        }
    }
}

impl Columns for Selection<'_> {
    /// The number of the pair, from 1; 0 if the row has ended.
    fn key(&self, item: u32, column: usize) -> u64 {
        let row = self.row_starts[item as usize]..self.row_starts[item as usize + 1];
        self.numbers[row].get(column).map_or(0, |number| u64::from(*number) + 1)
    }

    fn rank(&mut self, key: u64) -> u64 {
        let Some(number) = key.checked_sub(1) else { return 0 };
        let name = self.pairs[number as usize].name;
        if !self.names[&name].is_ranked {
            self.rank_pairs_of(name);
        }
        let name_rank = u64::from(self.name_ranks[name as usize]) + 1;
        name_rank << 32 | u64::from(self.pairs[number as usize].rank)
    }

    fn goes_on(key: u64) -> bool {
        key != 0
    }
}

/// The place of every name in their order.
fn name_ranks(index: &MemoryIndex) -> Vec<u32> {
    let mut names: Vec<u32> = (0..index.name_count()).collect();
    names.sort_unstable_by_key(|name| index.name(*name));
    let mut ranks = vec![0; names.len()];
    for (rank, name) in (0..).zip(names) {
        ranks[name as usize] = rank;
    }
    ranks
}

/// Numbers pairs in the order in which they are met.
struct Numbering {
    count: u32,
    numbers: Numbers,
    /// Pair and number at each place of the row before: neighbours mostly share most pairs.
    near: Vec<(u32, u32)>,
}

/// Numbers by pair: an array where the selection has a good part of all pairs, so that it is worth its size.
enum Numbers {
    Array(Vec<u32>),
    Map(HashMap<u32, u32>),
}

/// An array of numbers is used if there are at most so many pairs per selected slot.
const ARRAY_PAIRS_PER_SLOT_MAX: usize = 16;

/// No number in an array. Numbers are kept with 1 added.
const NO_NUMBER: u32 = 0;

impl Numbering {
    fn new(index: &MemoryIndex, slot_count: usize) -> Numbering {
        let pair_count = index.pair_count() as usize;
        let numbers = match pair_count / ARRAY_PAIRS_PER_SLOT_MAX <= slot_count {
            true => Numbers::Array(vec![NO_NUMBER; pair_count]),
            false => Numbers::Map(HashMap::new()),
        };
        Numbering { count: 0, numbers, near: Vec::new() }
    }

    /// The number of a pair, and whether it is new.
    fn number(&mut self, pair: u32, column: usize) -> (u32, bool) {
        if let Some((near, number)) = self.near.get(column)
            && *near == pair
        {
            return (*number, false);
        }
        let next = self.count + 1;
        let place = match &mut self.numbers {
            Numbers::Array(numbers) => &mut numbers[pair as usize],
            Numbers::Map(numbers) => numbers.entry(pair).or_insert(NO_NUMBER),
        };
        let is_new = *place == NO_NUMBER;
        if is_new {
            *place = next;
            self.count = next;
        }
        let number = *place - 1;
        match self.near.get_mut(column) {
            Some(near) => *near = (pair, number),
            None => self.near.push((pair, number)),
        }
        (number, is_new)
    }
}

//! Sorting by keys that come in columns: texts as runs of bytes, label sets as pairs. Items are sorted by their first
//! column, those that agree there by the second, and so on, so that no column is looked at more often than it must be,
//! and every comparison is one of two numbers. Knows neither texts nor labels.

use std::ops::Range;

/// What items are sorted by.
pub trait Columns {
    /// The key of an item in a column. Items are only asked for a column if all columns before are equal and go on.
    fn key(&self, item: u32, column: usize) -> u64;

    /// A number in the order of keys: what to compare where keys only tell whether they are equal.
    fn rank(&mut self, key: u64) -> u64 {
        key
    }

    /// Do items with this key have a next column?
    fn goes_on(key: u64) -> bool;
}

/// Sorts items. Those that agree in all columns come in any order.
pub fn sort<C: Columns>(items: &mut [u32], columns: &mut C) {
    let mut entries: Vec<(u64, u32)> = items.iter().map(|item| (0, *item)).collect();
    let mut unsorted = vec![(0..entries.len(), 0)];
    while let Some((range, column)) = unsorted.pop() {
        let group = &mut entries[range.clone()];
        match sort_group(group, column, columns) {
            Sorted::AllEqual(key) if C::goes_on(key) => unsorted.push((range, column + 1)),
            Sorted::AllEqual(_) => {}
            Sorted::ByRank => unsorted.extend(
                ties(group)
                    .filter(|tie| C::goes_on(columns.key(group[tie.start].1, column)))
                    .map(|tie| (range.start + tie.start..range.start + tie.end, column + 1)),
            ),
        }
    }
    for (item, (_, sorted)) in items.iter_mut().zip(entries) {
        *item = sorted;
    }
}

enum Sorted {
    /// The column has the same key in all entries.
    AllEqual(u64),
    /// The entries hold their ranks, and are sorted by them.
    ByRank,
}

fn sort_group<C: Columns>(group: &mut [(u64, u32)], column: usize, columns: &mut C) -> Sorted {
    let Some((_, first)) = group.first() else { return Sorted::ByRank };
    let first = columns.key(*first, column);
    let mut all_equal = true;
    for (key, item) in group.iter_mut() {
        *key = columns.key(*item, column);
        all_equal &= *key == first;
    }
    if all_equal {
        return match group.len() {
            1 => Sorted::ByRank,
            _ => Sorted::AllEqual(first),
        };
    }
    group.iter_mut().for_each(|(key, _)| *key = columns.rank(*key));
    group.sort_unstable_by_key(|(key, _)| *key);
    Sorted::ByRank
}

/// The runs of two and more entries with equal ranks.
fn ties(group: &[(u64, u32)]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut end = 0;
    let runs = group.chunk_by(|a, b| a.0 == b.0).map(move |run| {
        let start = end;
        end += run.len();
        start..end
    });
    runs.filter(|run| run.len() > 1)
}

/// Bytes of text in a key.
const KEY_TEXT_BYTES: usize = 7;
/// The last byte of a key of a text that has more; of others it is how many bytes of the key are text.
const MORE: u64 = 8;

/// Texts by number.
pub struct Texts<F> {
    pub text: F,
}

impl<'a, F: Fn(u32) -> &'a [u8]> Columns for Texts<F> {
    /// The next bytes of the text, the first in the highest place.
    fn key(&self, item: u32, column: usize) -> u64 {
        let rest = (self.text)(item).get(column * KEY_TEXT_BYTES..).unwrap_or_default();
        let len = rest.len().min(KEY_TEXT_BYTES);
        let mut bytes = [0; 8];
        bytes[..len].copy_from_slice(&rest[..len]);
        bytes[KEY_TEXT_BYTES] = if rest.len() > KEY_TEXT_BYTES { MORE as u8 } else { len as u8 };
        bytes.iter().fold(0, |key, byte| key << 8 | u64::from(*byte))
    }

    fn goes_on(key: u64) -> bool {
        key & 0xff == MORE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn texts_are_sorted_as_slices_are(
            texts in prop::collection::vec(
                (prop::sample::select(&["", "0123456", "01234567890123"][..]), prop::collection::vec(0u8..3, 0..9)),
                0..60,
            ),
        ) {
            let mut texts: Vec<Vec<u8>> =
                texts.into_iter().map(|(prefix, rest)| [prefix.as_bytes(), &rest].concat()).collect();
            let mut order: Vec<u32> = (0..texts.len() as u32).collect();
            sort(&mut order, &mut Texts { text: |item| texts[item as usize].as_slice() });
            let sorted: Vec<Vec<u8>> = order.iter().map(|item| texts[*item as usize].clone()).collect();
            texts.sort();
            prop_assert_eq!(sorted, texts);
        }
    }
}

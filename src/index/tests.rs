//! The index against a plain filter over label sets, in memory and over an image.

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;

use super::image::Image;
use super::image::writer::{Seeds, SharedIndex, write};
use super::memory::{MemoryIndex, RowBuffer};
use crate::fs::sealed::{Kind, SealedFile, SealedWriter};
use crate::fs::sim::SimDisk;
use crate::model::{Labels, MatchOp, Matcher};
use crate::sync::Arc;

const NAMES: [&str; 4] = ["__name__", "job", "pod", "absent"];
const VALUES: [&str; 8] = ["a", "b", "ab", "abc", "b.c", "é", "x-1", "x-22"];
const REGEXES: [&str; 14] = [
    "a", "a|b", "a|", "", ".*", ".+", "a.*", "ab?", "x-[0-9]+", "(a|b)c?", "b\\.c", "ab+c|é",
    "a{2}", ".?",
];

fn label_set() -> impl Strategy<Value = Vec<(usize, usize)>> {
    prop::collection::vec((0..3usize, 0..VALUES.len()), 0..4)
}

fn matcher() -> impl Strategy<Value = Matcher> {
    let literal = prop_oneof![Just(""), prop::sample::select(&VALUES[..])];
    let regex = prop::sample::select(&REGEXES[..]);
    (0..NAMES.len(), any::<bool>(), any::<bool>(), literal, regex).prop_map(
        |(name, is_regex, is_negative, literal, regex)| {
            let (op, value) = match (is_regex, is_negative) {
                (false, false) => (MatchOp::Equal, literal),
                (false, true) => (MatchOp::NotEqual, literal),
                (true, false) => (MatchOp::Regex, regex),
                (true, true) => (MatchOp::NotRegex, regex),
            };
            Matcher::new(NAMES[name], op, value).unwrap()
        },
    )
}

fn labels_of(set: &[(usize, usize)], unique: Option<usize>) -> Labels {
    let mut pairs: Vec<(&str, &str)> =
        set.iter().map(|(name, value)| (NAMES[*name], VALUES[*value])).collect();
    let unique = unique.map(|i| format!("x-{i}"));
    pairs.extend(unique.as_deref().map(|value| ("pod", value)));
    Labels::from_pairs(pairs)
}

/// An index and the label sets by slot.
fn build(sets: &[Vec<(usize, usize)>], with_unique: bool) -> (MemoryIndex, Vec<Labels>) {
    let mut index = MemoryIndex::default();
    let mut by_slot: Vec<Labels> = Vec::new();
    let mut row = RowBuffer::default();
    for (i, set) in sets.iter().enumerate() {
        let labels = labels_of(set, with_unique.then_some(i));
        let known = by_slot.iter().position(|other| *other == labels);
        assert_eq!(index.find(&labels, &mut row), known.map(|slot| slot as u32));
        let expected = known.unwrap_or(by_slot.len()) as u32;
        assert_eq!(index.find_or_add(&labels, &mut row), (expected, known.is_none()));
        if known.is_none() {
            by_slot.push(labels);
        }
    }
    (index, by_slot)
}

proptest! {
    #[test]
    fn selection_agrees_with_a_filter(
        sets in prop::collection::vec(label_set(), 0..60),
        with_unique: bool,
        matchers in prop::collection::vec(matcher(), 0..4),
    ) {
        let (index, by_slot) = build(&sets, with_unique);
        let expected: Vec<u32> = (0..by_slot.len() as u32)
            .filter(|slot| {
                let labels = &by_slot[*slot as usize];
                matchers.iter().all(|m| m.matches(labels.value(&m.name)))
            })
            .collect();
        prop_assert_eq!(index.select(&matchers), expected, "{:?}", matchers);
    }

    #[test]
    fn labels_names_and_values_agree_with_the_label_sets(
        sets in prop::collection::vec(label_set(), 0..40),
        with_unique: bool,
        every in 1usize..4,
    ) {
        let (index, by_slot) = build(&sets, with_unique);
        for (slot, labels) in by_slot.iter().enumerate() {
            prop_assert_eq!(&index.labels(slot as u32), labels);
        }
        let some: Vec<u32> = (0..by_slot.len() as u32).step_by(every).collect();
        for slots in [None, Some(some.as_slice())] {
            let chosen: Vec<&Labels> = match slots {
                None => by_slot.iter().collect(),
                Some(slots) => slots.iter().map(|slot| &by_slot[*slot as usize]).collect(),
            };
            let names: BTreeSet<&str> =
                chosen.iter().flat_map(|labels| labels.iter().map(|(name, _)| name)).collect();
            prop_assert_eq!(index.label_names(slots), names.into_iter().collect::<Vec<_>>());
            for name in NAMES {
                let values: BTreeSet<&str> =
                    chosen.iter().filter_map(|labels| labels.get(name)).collect();
                let values: Vec<&str> = values.into_iter().collect();
                prop_assert_eq!(index.label_values(name, slots), values);
            }
        }
    }
}

#[test]
fn a_few_slots_among_many_values_are_filtered() {
    let mut index = MemoryIndex::default();
    let mut row = RowBuffer::default();
    for i in 0..3000 {
        let (pod, job) = (format!("pod-{i}"), format!("job-{}", i % 300));
        let labels = Labels::from_pairs([("pod", pod.as_str()), ("job", job.as_str())]);
        index.find_or_add(&labels, &mut row);
    }
    let select = |op, pattern: &str| {
        let pod = Matcher::new("pod", op, pattern).unwrap();
        index.select(&[Matcher::equal("job", "job-7"), pod])
    };
    assert_eq!(select(MatchOp::Regex, "pod-[0-9]{1,3}"), [7, 307, 607, 907]);
    assert_eq!(select(MatchOp::NotRegex, "pod-[0-9]{4}"), [7, 307, 607, 907]);
    assert_eq!(select(MatchOp::Regex, "pod-7|pod-8|pod-907"), [7, 907]);
    let pods: Vec<String> = (0..3000).map(|i| format!("pod-{i}")).collect();
    assert_eq!(select(MatchOp::Regex, &pods.join("|")).len(), 10);
}

/// An index that nobody else uses.
struct Unshared(MemoryIndex);

impl SharedIndex for Unshared {
    fn read<R>(&self, use_it: impl FnOnce(&MemoryIndex) -> R) -> R {
        use_it(&self.0)
    }
}

const KIND: Kind = Kind { magic: *b"SBIMAGES", version: 1 };

/// The image of some slots.
fn image_of(index: MemoryIndex, slots: &[u32]) -> Image {
    let (disk, path) = (SimDisk::new(), Path::new("image"));
    let mut out = SealedWriter::create(&disk, path, KIND).unwrap();
    let layout = write(&Unshared(index), slots, Seeds::random(), &mut out).unwrap();
    out.finish(b"").unwrap();
    let file = SealedFile::open(&disk, path, KIND).unwrap();
    Image::new(Arc::new(file), layout).unwrap()
}

/// The same label sets at the same slots, of which the first `base_len` are in an image; and an image of both.
fn split(by_slot: &[Labels], base_len: usize) -> MemoryIndex {
    let mut row = RowBuffer::default();
    let mut index = MemoryIndex::default();
    for labels in &by_slot[..base_len] {
        index.find_or_add(labels, &mut row);
    }
    let slots: Vec<u32> = (0..base_len as u32).collect();
    let mut index = MemoryIndex::new(image_of(index, &slots));
    for (slot, labels) in by_slot.iter().enumerate() {
        assert_eq!(index.find_or_add(labels, &mut row), (slot as u32, slot >= base_len));
    }
    index
}

fn sorted(by_slot: &[Labels], mut slots: Vec<u32>) -> Vec<u32> {
    slots.sort_by_key(|slot| &by_slot[*slot as usize]);
    slots
}

proptest! {
    #[test]
    fn an_index_over_an_image_is_as_one_in_memory(
        sets in prop::collection::vec(label_set(), 0..60),
        with_unique: bool,
        at in any::<prop::sample::Index>(),
        matchers in prop::collection::vec(matcher(), 0..4),
        kept in prop::collection::vec(any::<bool>(), 60),
    ) {
        let (index, by_slot) = build(&sets, with_unique);
        let all: Vec<u32> = (0..by_slot.len() as u32).collect();
        let mut over = split(&by_slot, at.index(by_slot.len() + 1));
        let mut slots: Vec<u32> = all.iter().copied().filter(|slot| kept[*slot as usize]).collect();
        for _ in 0..2 {
            prop_assert_eq!(over.len(), by_slot.len());
            prop_assert_eq!(over.select(&matchers), index.select(&matchers), "{:?}", matchers);
            for (slot, labels) in by_slot.iter().enumerate() {
                prop_assert_eq!(&over.labels(slot as u32), labels);
                prop_assert_eq!(over.find(labels, &mut RowBuffer::default()), Some(slot as u32));
            }
            let unknown = Labels::from_pairs([("pod", "x-"), ("job", "a")]);
            prop_assert_eq!(over.find(&unknown, &mut RowBuffer::default()), None);
            for slots in [None, Some(slots.as_slice())] {
                prop_assert_eq!(over.label_names(slots), index.label_names(slots));
                for name in NAMES {
                    prop_assert_eq!(over.label_values(name, slots), index.label_values(name, slots));
                }
            }
            prop_assert_eq!(over.sort(slots.clone()), sorted(&by_slot, slots.clone()));
            slots.reverse();
            prop_assert_eq!(index.sort(slots.clone()), sorted(&by_slot, slots.clone()));
            // An image of an index over an image, of all slots.
            over = MemoryIndex::new(image_of(over, &all));
        }
    }

    #[test]
    fn an_image_holds_the_kept_slots_and_nothing_else(
        sets in prop::collection::vec(label_set(), 0..60),
        with_unique: bool,
        at in any::<prop::sample::Index>(),
        kept in prop::collection::vec(any::<bool>(), 60),
    ) {
        let (_, by_slot) = build(&sets, with_unique);
        let over = split(&by_slot, at.index(by_slot.len() + 1));
        let slots: Vec<u32> = (0..by_slot.len() as u32).filter(|slot| kept[*slot as usize]).collect();
        let image = image_of(over, &slots);
        let expected: Vec<&Labels> = slots.iter().map(|slot| &by_slot[*slot as usize]).collect();
        let read: Vec<Labels> = (0..image.slot_count()).map(|slot| image.labels(slot).unwrap()).collect();
        prop_assert_eq!(read.iter().collect::<Vec<_>>(), expected.as_slice());
        let names: BTreeSet<&str> = expected.iter().flat_map(|labels| labels.iter().map(|(name, _)| name)).collect();
        let pairs: BTreeSet<(&str, &str)> = expected.iter().flat_map(|labels| labels.iter()).collect();
        prop_assert_eq!((image.name_count() as usize, image.pair_count() as usize), (names.len(), pairs.len()));
    }
}

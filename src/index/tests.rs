//! The index against a plain filter over label sets.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::memory::{MemoryIndex, RowBuffer};
use crate::model::{Labels, MatchOp, Matcher};

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
    let pods: Vec<String> = (0..3000).step_by(10).map(|i| format!("pod-{i}7")).collect();
    assert_eq!(select(MatchOp::Regex, &pods.join("|")).len(), 10);
}

//! Resolving batches, replaying definitions, and what queries ask of a registry in memory.

mod files;
mod hostile;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::*;
use crate::error::Corrupt;
use crate::model::{Item, MatchOp, Outcome, Reason, Sample};

/// Raw keys of these tests: `name=value,name=value` in any order.
fn decode(raw_key: &[u8]) -> Result<Labels, String> {
    let text = std::str::from_utf8(raw_key).map_err(|_| "not UTF-8".to_string())?;
    let pairs: Option<Vec<_>> = text.split(',').map(|pair| pair.split_once('=')).collect();
    pairs.map(Labels::from_pairs).ok_or_else(|| "a label without value".to_string())
}

/// A batch with one item for every key and two samples in each.
fn batch(keys: &[&str]) -> Batch {
    let mut body = Vec::new();
    let mut items = Vec::new();
    let mut samples = Vec::new();
    for (i, key) in keys.iter().enumerate() {
        items.push(Item {
            key_offset: body.len() as u32,
            key_len: key.len() as u32,
            sample_start: 2 * i as u32,
            sample_count: 2,
        });
        body.extend_from_slice(key.as_bytes());
        samples.extend([Sample::new(1000, 1.0), Sample::new(2000, 2.0)]);
    }
    let body = Bytes::from(body);
    Batch { body, items, samples, decode_labels: decode, rejected: Outcome::default() }
}

fn registry(series_max: usize) -> Registry {
    Registry::new(RegistryOptions { series_max })
}

fn resolve(registry: &Registry, keys: &[&str]) -> Resolution {
    let mut out = Resolution::default();
    registry.resolve(&batch(keys), &mut out);
    out
}

fn defined(out: &Resolution) -> Vec<u64> {
    out.definitions.iter().map(|(series, _)| series.0).collect()
}

#[test]
fn series_get_slots_and_refs_in_order_of_appearance() {
    let registry = registry(100);
    let out = resolve(&registry, &["a=1", "b=1,a=2", "a=1", "a=2,b=1"]);
    assert_eq!(out.slots, [0, 1, 0, 1]);
    assert_eq!(out.refs, [1, 2, 1, 2].map(SeriesRef));
    assert_eq!(out.outcome, Outcome::default());
    assert_eq!(registry.labels_of(&[1])[0], Labels::from_pairs([("a", "2"), ("b", "1")]));
    assert_eq!(registry.labels_of(&[1, 0])[1], Labels::from_pairs([("a", "1")]));
    assert_eq!(registry.len(), 2);
    assert_eq!(registry.stats().alias_count, 3);
    let again = resolve(&registry, &["a=2,b=1", "a=3", "a=1"]);
    assert_eq!(again.slots, [1, 2, 0]);
}

#[test]
fn a_series_is_defined_by_every_batch_until_it_is_durable() {
    let registry = registry(100);
    let first = resolve(&registry, &["a=1", "a=2", "a=1"]);
    assert_eq!(defined(&first), [1, 2]);
    assert_eq!(first.definitions[1].1, Labels::from_pairs([("a", "2")]));
    let second = resolve(&registry, &["a=3", "a=2", "a=2"]);
    assert_eq!(defined(&second), [2, 3]);
    registry.mark_durable([SeriesRef(2), SeriesRef(3)]);
    assert_eq!(defined(&resolve(&registry, &["a=3", "a=2"])), [0; 0]);
    let third = resolve(&registry, &["a=3", "a=1"]);
    assert_eq!(third.definitions, [(SeriesRef(1), Labels::from_pairs([("a", "1")]))]);
    registry.mark_durable([SeriesRef(1)]);
    assert_eq!(defined(&resolve(&registry, &["a=1", "a=4"])), [4]);
    assert_eq!(registry.stats().pending_count, 1);
}

#[test]
fn invalid_labels_cost_their_own_samples_only() {
    let registry = registry(100);
    let out = resolve(&registry, &["a=1", "\u{1}nonsense\u{2}", "a=2", "more"]);
    assert_eq!(out.slots, [0, NO_SLOT, 1, NO_SLOT]);
    assert_eq!(out.refs, [1, 0, 2, 0].map(SeriesRef));
    assert_eq!(out.outcome.rejected[Reason::InvalidLabels as usize], 4);
    let offender = out.outcome.first_offender.unwrap();
    assert_eq!((offender.series.as_str(), offender.timestamp), ("nonsense", Some(1000)));
    assert_eq!(offender.detail, "a label without value");
    assert_eq!(defined(&resolve(&registry, &["more", "a=2"])), [2]);
}

#[test]
fn over_the_limit_only_new_series_are_refused() {
    let registry = registry(2);
    let out = resolve(&registry, &["a=1", "a=2,b=2", "a=3", "a=4"]);
    assert_eq!(out.slots, [0, 1, NO_SLOT, NO_SLOT]);
    assert_eq!(out.outcome.rejected[Reason::SeriesLimit as usize], 4);
    let offender = out.outcome.first_offender.unwrap();
    assert_eq!(offender.series, "{a=\"3\"}");
    assert_eq!(offender.detail, "the limit is 2 series");
    assert_eq!(registry.label_values("a", None), ["1", "2"]);
    assert_eq!(resolve(&registry, &["b=2,a=2", "a=3"]).slots, [1, NO_SLOT]);
}

#[test]
fn series_are_selected_by_labels() {
    let registry = registry(100);
    resolve(&registry, &["__name__=up,job=x", "__name__=up,job=y", "__name__=down,job=x"]);
    let up = Matcher::equal("__name__", "up");
    let slots = registry.select(&[up, Matcher::new("job", MatchOp::NotEqual, "y").unwrap()]);
    assert_eq!(slots, [0]);
    assert_eq!(registry.label_names(Some(&slots)), ["__name__", "job"]);
    assert_eq!(registry.label_values("job", None), ["x", "y"]);
}

fn restore(registry: &Registry, series: u64, labels: &Labels) -> Result<(), Corrupt> {
    registry.restore(&[(SeriesRef(series), labels.clone())])
}

fn replayed_slots(registry: &Registry, refs: &[u64]) -> Vec<Option<u32>> {
    let mut slots = Vec::new();
    let refs = refs.iter().map(|series| (SeriesRef(*series), ()));
    registry.resolve_replayed(refs, |slot, ()| slots.push(slot));
    slots
}

#[test]
fn replay_gives_back_refs_and_new_series_come_after_them() {
    let registry = registry(1);
    let (a, b) = (Labels::from_pairs([("a", "1")]), Labels::from_pairs([("a", "2")]));
    for (series, labels) in [(7, &a), (5, &b), (7, &a), (9, &b)] {
        restore(&registry, series, labels).unwrap();
    }
    let slots = replayed_slots(&registry, &[5, 6, 7, 9]);
    assert_eq!(slots, [Some(1), None, Some(0), Some(1)]);
    assert_eq!(registry.finish_replay(), 0);
    let out = resolve(&registry, &["a=2", "a=1"]);
    assert_eq!((out.slots.as_slice(), defined(&out)), ([1, 0].as_slice(), vec![]));
    assert_eq!(out.refs, [5, 7].map(SeriesRef));
}

#[test]
fn a_record_with_an_impossible_ref_defines_nothing() {
    let registry = registry(100);
    let (a, b) = (Labels::from_pairs([("a", "1")]), Labels::from_pairs([("a", "2")]));
    for impossible in [0, REF_END, u64::MAX] {
        let record = [(SeriesRef(3), a.clone()), (SeriesRef(impossible), b.clone())];
        assert!(registry.restore(&record).is_err());
    }
    assert_eq!(replayed_slots(&registry, &[3, 0, u64::MAX]), [None; 3]);
    assert_eq!(registry.len(), 0);
}

#[test]
fn refs_after_replay_are_greater_than_all_in_the_log_and_all_lost() {
    let registry = registry(100);
    let a = Labels::from_pairs([("a", "1")]);
    restore(&registry, 7, &a).unwrap();
    restore(&registry, 900, &a).unwrap();
    replayed_slots(&registry, &[950, 20, u64::MAX]);
    registry.finish_replay();
    let out = resolve(&registry, &["a=1", "a=2"]);
    assert_eq!(out.refs, [7, 951].map(SeriesRef));
    assert_eq!(defined(&out), [951]);
}

#[test]
fn refs_of_lost_requests_are_not_given() {
    let next_after = |lost: u64| {
        let registry = registry(100);
        restore(&registry, 7, &Labels::from_pairs([("a", "1")])).unwrap();
        registry.skip_lost(lost);
        registry.finish_replay();
        resolve(&registry, &["a=2"]).refs[0].0
    };
    assert_eq!([0, 2].map(next_after), [8, 8 + (2 << 32)]);
    assert_eq!(next_after(u64::MAX), REF_END / 2, "room is left");
}

#[test]
fn a_ref_defined_anew_goes_to_the_later_labels_and_the_earlier_get_another() {
    let registry = registry(100);
    let labels = |value: &str| Labels::from_pairs([("a", value)]);
    for (series, value) in [(1, "1"), (2, "2"), (3, "3"), (2, "4"), (1, "5"), (1, "1")] {
        restore(&registry, series, &labels(value)).unwrap();
    }
    assert_eq!(replayed_slots(&registry, &[1, 2, 3]), [Some(0), Some(3), Some(2)]);
    assert_eq!(registry.finish_replay(), 2);
    let out = resolve(&registry, &["a=1", "a=2", "a=3", "a=4", "a=5"]);
    assert_eq!(out.refs, [1, 4, 3, 2, 5].map(SeriesRef));
    assert_eq!(out.definitions, [(SeriesRef(4), labels("2")), (SeriesRef(5), labels("5"))]);
}

#[test]
fn the_last_ref_is_not_passed() {
    let registry = registry(100);
    restore(&registry, REF_END - 2, &Labels::from_pairs([("a", "1")])).unwrap();
    registry.finish_replay();
    let out = resolve(&registry, &["a=2", "a=3"]);
    assert_eq!(out.refs, [REF_END - 1, 0].map(SeriesRef));
    assert_eq!(out.outcome.rejected[Reason::SeriesLimit as usize], 2);
}

#[test]
fn threads_that_meet_the_same_new_series_agree() {
    let registry = registry(1_000_000);
    let keys: Vec<String> = (0..3000).map(|i| format!("a={i},job=x")).collect();
    let barrier = std::sync::Barrier::new(4);
    let work = |thread: usize| {
        let mut seen = BTreeMap::new();
        barrier.wait();
        for start in (0..keys.len()).step_by(500) {
            let mut part: Vec<&str> = keys[start..start + 500].iter().map(|k| &**k).collect();
            part.rotate_left(thread * 100);
            let out = resolve(&registry, &part);
            let definitions: BTreeMap<_, _> = out.definitions.iter().cloned().collect();
            for (key, (slot, series)) in part.iter().zip(out.slots.iter().zip(&out.refs)) {
                assert_eq!(definitions[series], decode(key.as_bytes()).unwrap());
                seen.insert(key.to_string(), (*slot, *series));
            }
        }
        seen
    };
    let work = &work;
    let seen: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|i| scope.spawn(move || work(i))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(seen.iter().all(|other| *other == seen[0]));
    let refs: BTreeSet<SeriesRef> = seen[0].values().map(|(_, series)| *series).collect();
    assert_eq!((refs.len(), registry.len()), (3000, 3000));
    assert_eq!(refs.last(), Some(&SeriesRef(3000)));
}

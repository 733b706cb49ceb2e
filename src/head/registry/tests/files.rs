//! Registry files: what is written comes back, and series that came later lie on top.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::fs::sealed::SealedWriter;
use crate::fs::sim::SimDisk;
use crate::head::registry::files::Delta;
use crate::head::registry::layout::FILE_KIND;
use crate::head::registry::write::WrittenFile;

pub const PATH: &str = "registry";

pub fn written(
    write: impl FnOnce(SealedWriter) -> std::io::Result<WrittenFile>,
) -> (SimDisk, WrittenFile) {
    let disk = SimDisk::new();
    let written = write(SealedWriter::create(&disk, Path::new(PATH), FILE_KIND).unwrap()).unwrap();
    (disk, written)
}

pub fn sealed(disk: &SimDisk) -> Result<SealedFile, FileError> {
    SealedFile::open(disk, Path::new(PATH), FILE_KIND)
}

pub const OPTIONS: RegistryOptions = RegistryOptions { series_max: 1_000_000 };

/// The same series, those that `keep` accepts, in a base.
pub fn reopened(registry: &Registry, keep: &dyn Fn(u32) -> bool) -> Registry {
    let (disk, _) = written(|out| registry.write_base(keep, out));
    Registry::open(OPTIONS, Some(sealed(&disk).unwrap())).unwrap()
}

/// Every definition, by ref.
fn definitions(registry: &Registry) -> BTreeMap<SeriesRef, Labels> {
    let slots: Vec<u32> = (0..registry.len() as u32).collect();
    let refs = registry.refs_of(&slots);
    for (slot, series) in slots.iter().zip(&refs) {
        assert_eq!(registry.slot_of(*series), Some(*slot));
        assert_eq!(registry.ref_of(*slot), *series);
    }
    refs.into_iter().zip(registry.labels_of(&slots)).collect()
}

fn labels(number: u32) -> Labels {
    let (job, pod) = (format!("job-{}", number % 3), format!("pod-{number}"));
    let zone = if number.is_multiple_of(5) { "" } else { "a" };
    Labels::from_pairs([("job", job.as_str()), ("pod", &pod), ("zone", zone)])
}

fn key(number: u32) -> String {
    let labels = labels(number);
    labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
}

fn resolve_numbers(registry: &Registry, numbers: &[u32]) -> Resolution {
    let keys: Vec<String> = numbers.iter().map(|number| key(*number)).collect();
    resolve(registry, &keys.iter().map(String::as_str).collect::<Vec<_>>())
}

#[derive(Debug, Clone)]
enum Step {
    Resolve(Vec<u32>),
    /// Definitions of a log.
    Restore(Vec<(u64, u32)>),
    /// Everything goes into a base, but for every so many-th series.
    Rewrite(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        prop::collection::vec(0u32..60, 1..20).prop_map(Step::Resolve),
        (2u32..9).prop_map(Step::Rewrite),
    ]
}

proptest! {
    #[test]
    fn a_registry_over_a_base_goes_on_as_before(
        log in prop::collection::vec((1u64..90, 0u32..60), 0..30),
        steps in prop::collection::vec(step(), 1..8),
    ) {
        let mut registry = super::registry(1_000_000);
        let mut model: BTreeMap<u32, SeriesRef> = BTreeMap::new();
        let mut highest = 0;
        let mut refs_of_log = BTreeMap::new();
        for (step, is_log) in std::iter::once((Step::Restore(log), true)).chain(steps.into_iter().map(|s| (s, false))) {
            match step {
                Step::Restore(log) => {
                    for (series, number) in log {
                        registry.restore(&[(SeriesRef(series), labels(number))]).unwrap();
                        refs_of_log.insert(series, number);
                    }
                    registry.finish_replay();
                }
                Step::Resolve(numbers) => {
                    let out = resolve_numbers(&registry, &numbers);
                    for (number, series) in numbers.iter().zip(&out.refs) {
                        let known = *model.entry(*number).or_insert(*series);
                        prop_assert_eq!(known, *series);
                    }
                    registry.mark_durable(out.refs.iter().copied());
                }
                Step::Rewrite(every) => {
                    let before = registry.known.read().next_ref;
                    registry = reopened(&registry, &|slot| slot % every != 0);
                    prop_assert_eq!(registry.known.read().next_ref, before);
                }
            }
            let defined = definitions(&registry);
            prop_assert_eq!(defined.len(), registry.len());
            if is_log {
                // A ref stands for the labels that the log gave it last.
                for (series, number) in &refs_of_log {
                    let slot = registry.slot_of(SeriesRef(*series)).unwrap();
                    prop_assert_eq!(&registry.labels_of(&[slot])[0], &labels(*number));
                }
                model.clear();
            }
            let of_ref: BTreeMap<SeriesRef, u32> = model.iter().map(|(number, series)| (*series, *number)).collect();
            for (series, defined) in &defined {
                if let Some(number) = of_ref.get(series) {
                    prop_assert_eq!(defined, &labels(*number));
                }
                highest = highest.max(series.0);
            }
            // What was left out of a base is forgotten, and comes back with another ref.
            model.retain(|_, series| defined.contains_key(series));
            prop_assert!(registry.known.read().next_ref > highest);
            let all: Vec<u32> = (0..registry.len() as u32).collect();
            let sorted = registry.labels_of(&registry.sort(all));
            prop_assert!(sorted.is_sorted_by(|a, b| a < b));
        }
    }

    #[test]
    fn deltas_restore_what_they_were_written_from(count in 0u32..1500, ends in (0u32..1500, 0u32..1500)) {
        let registry = super::registry(1_000_000);
        resolve_numbers(&registry, &(0..count).collect::<Vec<_>>());
        let slots = ends.0.min(count)..ends.1.min(count);
        let (disk, written) = written(|out| registry.write_delta(slots.clone(), out));
        let delta = Delta::open(sealed(&disk).unwrap()).unwrap();
        prop_assert_eq!(delta.head(), written.head);
        prop_assert_eq!(delta.head().next_ref, u64::from(count) + 1);
        let restored = super::registry(1_000_000);
        restored.skip_refs_below(delta.head().next_ref);
        for portion in delta.portions() {
            restored.restore(&portion.unwrap()).unwrap();
        }
        restored.finish_replay();
        let expected: BTreeMap<SeriesRef, Labels> =
            slots.map(|slot| (SeriesRef(u64::from(slot) + 1), labels(slot))).collect();
        prop_assert_eq!(definitions(&restored), expected);
        prop_assert_eq!(resolve(&restored, &["new=1"]).refs[0].0, u64::from(count) + 1);
    }
}

#[test]
fn a_base_of_nothing_opens() {
    let registry = reopened(&registry(10), &|_| true);
    assert_eq!(registry.len(), 0);
    assert_eq!(registry.slot_of(SeriesRef(1)), None);
    assert_eq!(resolve(&registry, &["a=1"]).refs, [SeriesRef(1)]);
}

#[test]
fn refs_beside_their_own_outlive_a_base() {
    let registry = registry(10);
    for (series, number) in [(4, 1), (6, 1), (5, 2), (9, 1), (8, 3)] {
        restore(&registry, series, &labels(number)).unwrap();
    }
    registry.finish_replay();
    let registry = reopened(&reopened(&registry, &|_| true), &|slot| slot != 2);
    let slots = registry.slots_of(&[4, 5, 6, 7, 8, 9].map(SeriesRef));
    assert_eq!(slots, [Some(0), Some(1), Some(0), None, None, Some(0)]);
    assert_eq!(registry.refs_of(&[1, 0]), [5, 4].map(SeriesRef));
}

#[test]
fn a_ref_of_the_base_that_a_log_gives_to_other_labels_is_replaced() {
    let registry = registry(10);
    (1..4).for_each(|number| restore(&registry, number.into(), &labels(number)).unwrap());
    registry.finish_replay();
    let registry = reopened(&registry, &|_| true);
    restore(&registry, 2, &labels(7)).unwrap();
    assert_eq!(registry.finish_replay(), 1);
    let again = reopened(&registry, &|_| true);
    for registry in [&registry, &again] {
        let expected = [(1, 1), (2, 7), (3, 3), (4, 2)];
        let expected = expected.map(|(series, number)| (SeriesRef(series), labels(number)));
        assert_eq!(definitions(registry), BTreeMap::from(expected));
    }
}

#[test]
fn what_is_in_the_base_costs_no_memory() {
    let registry = registry(1_000_000);
    resolve_numbers(&registry, &(0..5000).collect::<Vec<_>>());
    let before = registry.stats();
    let stats = reopened(&registry, &|_| true).stats();
    assert_eq!((before.base_series_count, stats.base_series_count), (0, 5000));
    assert_eq!(before.index.mapped_bytes, 0);
    assert!(stats.index.mapped_bytes / 5000 < 110, "{}", stats.index.mapped_bytes);
    let heap_bytes = |stats: &RegistryStats| stats.index.symbols_bytes + stats.index.rows_bytes;
    assert!(heap_bytes(&stats) < heap_bytes(&before) / 4);
}

#[test]
fn a_base_is_written_while_series_come() {
    let registry = registry(1_000_000);
    resolve_numbers(&registry, &(0..5000).collect::<Vec<_>>());
    let registry = &registry;
    let opened = std::thread::scope(|scope| {
        let others = scope.spawn(move || {
            for start in (5000..15_000).step_by(100) {
                resolve_numbers(registry, &(start..start + 100).collect::<Vec<_>>());
            }
        });
        let opened = reopened(registry, &|_| true);
        others.join().unwrap();
        opened
    });
    let definitions = definitions(&opened);
    assert!(definitions.len() >= 5000);
    for (series, found) in definitions {
        assert_eq!(found, labels(series.0 as u32 - 1));
    }
}

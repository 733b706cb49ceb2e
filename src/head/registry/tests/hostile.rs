//! Registry files that are damaged, and files whose checksums are right and whose content is senseless.

use std::path::Path;

use proptest::prelude::*;

use super::files::{OPTIONS, PATH, sealed, written};
use super::*;
use crate::fs::Disk;
use crate::fs::sealed::SealedWriter;
use crate::fs::sealed::layout::PAGE_BYTES;
use crate::fs::sim::SimDisk;
use crate::head::registry::files::{Delta, Salvage};
use crate::head::registry::layout::FILE_KIND;

/// A registry of so many series, some of which have two refs.
fn some(count: u32) -> Registry {
    let registry = registry(1_000_000);
    for number in 0..count {
        let labels = labels(number);
        restore(&registry, u64::from(number) + 10, &labels).unwrap();
        if number % 7 == 0 {
            restore(&registry, u64::from(number) + 1_000_000, &labels).unwrap();
        }
    }
    registry.finish_replay();
    registry
}

fn labels(number: u32) -> Labels {
    let (job, pod) = (format!("job-{}", number % 3), format!("pod-{number}"));
    Labels::from_pairs([("__name__", "up"), ("job", job.as_str()), ("pod", &pod)])
}

fn is_true((series, found): &(SeriesRef, Labels), count: u32) -> bool {
    let number = if series.0 >= 1_000_000 { series.0 - 1_000_000 } else { series.0 - 10 };
    number < u64::from(count) && *found == labels(number as u32)
}

fn bytes_of(disk: &SimDisk) -> Vec<u8> {
    let blob = disk.open(Path::new(PATH)).unwrap();
    blob.bytes(0, blob.len() as usize).unwrap().to_vec()
}

fn disk_of(bytes: &[u8]) -> SimDisk {
    let disk = SimDisk::new();
    disk.create(Path::new(PATH)).unwrap().append(bytes).unwrap();
    disk
}

#[test]
fn every_damaged_byte_is_found() {
    let (base, _) = written(|out| some(20).write_base(&|_| true, out));
    let (delta, _) = written(|out| some(20).write_delta(0..20, out));
    for disk in [base, delta] {
        let bytes = bytes_of(&disk);
        for offset in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[offset] ^= 0x11;
            let disk = disk_of(&damaged);
            let Ok(file) = sealed(&disk) else { continue };
            assert!(Registry::open(OPTIONS, Some(file)).is_err(), "offset {offset}");
            let delta = sealed(&disk).and_then(Delta::open);
            if let Ok(delta) = delta {
                assert!(delta.portions().any(|portion| portion.is_err()), "offset {offset}");
            }
            if let Ok(salvage) = sealed(&disk).and_then(Salvage::open) {
                assert_eq!(salvage.damages.len(), 1);
                assert!(salvage.definitions().all(|definition| is_true(&definition, 20)));
            }
        }
    }
}

#[test]
fn a_base_with_damaged_pages_gives_the_definitions_in_the_others() {
    let count = 30_000;
    let (disk, _) = written(|out| some(count).write_base(&|_| true, out));
    let bytes = bytes_of(&disk);
    let pages = bytes.len() / PAGE_BYTES;
    assert!(pages > 10);
    let all = count as usize + (count as usize).div_ceil(7);
    let mut found_with_damage_in = Vec::new();
    for page in 0..pages {
        let mut damaged = bytes.clone();
        damaged[page * PAGE_BYTES + 99] ^= 1;
        let disk = disk_of(&damaged);
        assert!(Registry::open(OPTIONS, Some(sealed(&disk).unwrap())).is_err());
        let salvage = Salvage::open(sealed(&disk).unwrap()).unwrap();
        assert_eq!(salvage.damages.len(), 1);
        let found: Vec<_> = salvage.definitions().collect();
        assert!(found.iter().all(|definition| is_true(definition, count)));
        found_with_damage_in.push(found.len());
    }
    // The names, the pairs that all series have and their ends are in one page each; damage elsewhere costs a part, and in
    // tables and ranks nothing.
    let of_pages =
        |at_least: usize| found_with_damage_in.iter().filter(|found| **found >= at_least).count();
    assert!(of_pages(all / 4) >= pages - 3, "{found_with_damage_in:?}");
    assert!(of_pages(all) >= 6, "{found_with_damage_in:?}");
}

/// Asks for everything there is to ask.
fn exercise(file: SealedFile) -> Result<(), FileError> {
    let registry = Registry::open(OPTIONS, Some(file))?;
    let slots: Vec<u32> = (0..registry.len().min(1000) as u32).collect();
    resolve(&registry, &["__name__=up,job=job-1,pod=pod-1", "__name__=up,job=x", "pod=pod-2"]);
    for (name, op, value) in [
        ("job", MatchOp::Equal, "job-1"),
        ("pod", MatchOp::Regex, "pod-.*"),
        ("__name__", MatchOp::NotEqual, "up"),
    ] {
        let matchers = [Matcher::new(name, op, value).unwrap(), Matcher::equal("__name__", "up")];
        registry.select(&matchers);
        registry.select(&matchers[..1]);
        registry.label_values(name, None);
        registry.label_values(name, Some(&slots));
    }
    registry.label_names(None);
    registry.label_names(Some(&slots));
    registry.labels_of(&slots);
    registry.sort(slots.clone());
    registry.refs_of(&slots);
    registry.slots_of(&[0, 1, 10, 15, 1_000_007, u64::MAX].map(SeriesRef));
    registry.stats();
    written(|out| registry.write_base(&|slot| slot < 1000 && slot % 3 != 0, out));
    let slots = 0..registry.len().min(1000) as u32;
    written(|out| registry.write_delta(slots, out));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn senseless_content_is_refused_or_gives_senseless_answers(
        is_delta: bool,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..8),
    ) {
        let registry = some(60);
        let (disk, _) = match is_delta {
            true => written(|out| registry.write_delta(0..60, out)),
            false => written(|out| registry.write_base(&|_| true, out)),
        };
        let file = sealed(&disk).unwrap();
        let mut data = file.bytes(0, file.data_len() as usize).unwrap().to_vec();
        let mut footer = file.footer().to_vec();
        for (at, byte, in_footer) in changes {
            let changed = if in_footer { &mut footer } else { &mut data };
            let at = at.index(changed.len());
            changed[at] = byte;
        }
        let disk = SimDisk::new();
        let mut out = SealedWriter::create(&disk, Path::new(PATH), FILE_KIND).unwrap();
        out.write(&data).unwrap();
        out.finish(&footer).unwrap();
        if let Ok(salvage) = sealed(&disk).and_then(Salvage::open) {
            salvage.definitions().for_each(drop);
        }
        if let Ok(delta) = sealed(&disk).and_then(Delta::open) {
            for definitions in delta.portions().flatten() {
                let _ = super::registry(100).restore(&definitions);
            }
        }
        let _ = exercise(sealed(&disk).unwrap());
    }
}

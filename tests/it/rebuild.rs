//! A manifest that is lost or damaged and written anew from the files there are: what was acknowledged is there, the database
//! goes on, and nothing that could not be read is removed.

use std::path::{Path, PathBuf};

use silverback::db::manifest::{FileId, FileName, list_files};
use silverback::db::rebuild::{Rebuilt, rebuild};
use silverback::db::{Db, OpenError, Options};
use silverback::fs::Disk;
use silverback::fs::sim::{Limits, SimDisk};
use silverback::model::WINDOW_MS;
use silverback::sync::Arc;

use crate::fixture::{Contents, NOW_MS, Point, apply, contents, data_path, options, write};

/// Removes the manifest of a data directory, if there is one, and writes it anew.
pub(crate) fn lose_manifest(disk: &SimDisk) -> Rebuilt {
    let _ = disk.remove(&manifest_path());
    rebuild(disk, data_path()).unwrap()
}

fn manifest_path() -> PathBuf {
    data_path().join("MANIFEST")
}

fn small(disk: &SimDisk) -> Options {
    Options { spill_wal_bytes: 1, forgotten_min: 1, wal_segment_bytes: 700, ..options(disk) }
}

fn open(disk: &SimDisk) -> Arc<Db> {
    Db::open(small(disk)).unwrap()
}

/// Samples of the present window, of an earlier one, conflicts with what was written before, series that come and go.
fn requests() -> Vec<Vec<Point>> {
    let request = |r: u32| {
        let now = NOW_MS - 600_000 + i64::from(r) * 15_000;
        let value = f64::from(r) / 10.0;
        let mut points: Vec<Point> = (0..3).map(|i| (i, now, value)).collect();
        points.push((r / 3, now - 2 * WINDOW_MS, value));
        points.push((0, NOW_MS - 600_000, value + 1.0));
        points
    };
    (0..14).map(request).collect()
}

/// Writes the requests, noting each that was acknowledged, with maintenance in between. Gives contents after each.
fn run(db: &Db, disk: &SimDisk) -> Vec<Contents> {
    let mut all = vec![Contents::new()];
    for (number, points) in (1u64..).zip(requests()) {
        write(db, &points).unwrap();
        disk.note(number);
        let mut next = all[all.len() - 1].clone();
        apply(&mut next, &points);
        all.push(next);
        match number {
            5 => db.flush().unwrap(),
            9 => db.flush().and_then(|()| db.compact()).unwrap(),
            n if n % 2 == 1 => db.maintain().unwrap(),
            _ => {}
        }
    }
    all
}

fn workload() -> (SimDisk, Contents) {
    let disk = SimDisk::new();
    let mut all = run(&open(&disk), &disk);
    (disk.kill(), all.pop().unwrap())
}

/// Everything there is, and what conflicts with it or comes late is decided as before; so also after all files changed.
fn assert_goes_on(disk: &SimDisk, expected: &Contents) {
    let db = open(disk);
    assert!(contents(&db.view()) == *expected);
    let mut expected = expected.clone();
    for points in [&[(1, NOW_MS - 600_000, 99.0)], &[(77, NOW_MS - 3 * WINDOW_MS, 1.0)]] {
        write(&db, points).unwrap();
        apply(&mut expected, points);
    }
    db.maintain().unwrap();
    assert!(contents(&db.view()) == expected);
    db.flush().and_then(|()| db.compact()).unwrap();
    assert!(contents(&db.view()) == expected);
    db.close().unwrap();
    drop(db);
    assert!(contents(&open(disk).view()) == expected);
}

fn numbers(disk: &SimDisk) -> Vec<FileName> {
    list_files(disk, data_path()).unwrap()
}

#[test]
fn a_lost_manifest_is_named_with_its_remedy_and_the_remedy_works() {
    let (disk, expected) = workload();
    disk.remove(&manifest_path()).unwrap();
    let error = Db::open(small(&disk)).err().unwrap();
    let text = silverback::error::chain(&error);
    assert!(text.contains("'sbtool manifest rebuild data'"), "{text}");
    let rebuilt = rebuild(&disk, data_path()).unwrap();
    assert_eq!((rebuilt.damaged.len(), &rebuilt.superseded, &rebuilt.kept), (0, &vec![], &None));
    assert_eq!(rebuilt.state.files.len(), numbers(&disk).len());
    for kind in [FileName::Registry(0), FileName::Spill(0), FileName::Block(0)] {
        let kind = std::mem::discriminant(&kind);
        assert!(numbers(&disk).iter().any(|name| std::mem::discriminant(name) == kind), "{kind:?}");
    }
    assert_goes_on(&disk, &expected);
}

#[test]
fn a_damaged_manifest_is_kept_in_quarantine() {
    let (disk, expected) = workload();
    for number in 1..3 {
        let bytes = disk.read_all(&manifest_path()).unwrap();
        disk.corrupt(&manifest_path(), 30, 0x10).unwrap();
        assert!(matches!(Db::open(small(&disk)), Err(OpenError::Manifest(_))));
        let kept = rebuild(&disk, data_path()).unwrap().kept.unwrap();
        assert_eq!(kept, data_path().join(format!("quarantine/MANIFEST.damaged-{number}")));
        assert_eq!(disk.read_all(&kept).unwrap().len(), bytes.len());
    }
    assert_goes_on(&disk, &expected);
}

#[test]
fn every_power_cut_that_takes_the_manifest_leaves_what_was_acknowledged() {
    let disk = SimDisk::new();
    let all = run(&open(&disk), &disk);
    let images = disk.images(&Limits { per_point_max: 4, seed: 5 }, &mut |image| {
        if image.disk.list(data_path()).is_err() {
            return;
        }
        lose_manifest(&image.disk);
        let found = contents(&open(&image.disk).view());
        let acknowledged = image.notes.len();
        assert!(all[acknowledged..].contains(&found), "{acknowledged} acknowledged");
    });
    assert!(images > 300, "only {images} images");
}

#[test]
fn a_power_cut_during_a_rebuild_leaves_one_that_can_be_done_again() {
    let (disk, expected) = workload();
    disk.settle();
    disk.remove(&manifest_path()).unwrap();
    disk.sync_dir(data_path()).unwrap();
    let begun = disk.crash_points();
    rebuild(&disk, data_path()).unwrap();
    let mut opened = 0;
    for point in begun..disk.crash_points() {
        disk.images_at(point, &Limits { per_point_max: 8, seed: 6 }, &mut |image| {
            let db = Db::open(small(&image.disk)).or_else(|_| {
                rebuild(&image.disk, data_path()).unwrap();
                Db::open(small(&image.disk))
            });
            assert!(contents(&db.unwrap().view()) == expected);
            opened += 1;
        });
    }
    assert!(opened > 10, "only {opened} images");
}

/// A directory in which blocks lie beside the one that they were merged into: it, how many they are, what all hold.
fn with_inputs_of_a_merge() -> (SimDisk, PathBuf, usize, Contents) {
    let (disk, expected) = workload();
    let db = open(&disk);
    let blocks = || {
        let names = numbers(&disk).into_iter();
        let blocks = names.filter(|name| matches!(name, FileName::Block(_)));
        blocks.map(|name| name.path(data_path())).collect::<Vec<_>>()
    };
    db.flush().unwrap();
    let read = |path: PathBuf| (disk.read_all(&path).unwrap(), path);
    let inputs: Vec<_> = blocks().into_iter().map(read).collect();
    db.compact().unwrap();
    let merged = blocks();
    assert!(merged.len() == 1 && inputs.len() > 1);
    drop(db);
    let disk = disk.kill();
    for (bytes, path) in &inputs {
        disk.create(path).unwrap().append(bytes).unwrap();
    }
    (disk, merged[0].clone(), inputs.len(), expected)
}

#[test]
fn blocks_that_were_merged_are_left_out_unless_the_merged_one_is_damaged() {
    let (disk, _, inputs, expected) = with_inputs_of_a_merge();
    assert_eq!(lose_manifest(&disk).superseded.len(), inputs);
    assert_goes_on(&disk, &expected);
    let (disk, merged, _, expected) = with_inputs_of_a_merge();
    disk.corrupt(&merged, 3, 0x10).unwrap();
    assert_eq!(lose_manifest(&disk).superseded, []);
    assert!(contents(&open(&disk).view()) == expected);
}

#[test]
fn several_bases_become_one_with_the_series_of_all() {
    let (disk, expected) = workload();
    let db = open(&disk);
    db.flush().and_then(|()| db.maintain()).unwrap();
    drop(db);
    let disk = disk.kill();
    let base = |rebuilt: &Rebuilt| {
        let is_base = |id: &&FileId| matches!(id, FileId::RegistryBase(_));
        rebuilt.state.files.keys().filter(is_base).copied().collect::<Vec<_>>()
    };
    let first = base(&lose_manifest(&disk));
    assert_eq!(first.len(), 1, "series were forgotten, which makes a base");
    let bytes = disk.read_all(&first[0].path(data_path())).unwrap();
    let copy = FileId::RegistryBase(9_000).path(data_path());
    disk.create(&copy).unwrap().append(&bytes).unwrap();
    let rebuilt = lose_manifest(&disk);
    assert_eq!(base(&rebuilt), [FileId::RegistryBase(9_001)]);
    assert!(rebuilt.superseded.contains(&first[0]) && rebuilt.superseded.len() > 1);
    assert_goes_on(&disk, &expected);
}

#[test]
fn files_that_do_not_open_are_set_aside_and_no_ref_of_theirs_is_given_again() {
    let (disk, _) = workload();
    for name in numbers(&disk) {
        let path = name.path(data_path());
        let len = disk.open(&path).unwrap().len();
        if !matches!(name, FileName::Spill(_)) {
            disk.corrupt(&path, len - 1, 0x10).unwrap();
        }
    }
    let (all, rebuilt) = (numbers(&disk).len(), lose_manifest(&disk));
    assert!(!rebuilt.damaged.is_empty());
    assert_eq!(rebuilt.damaged.len() + rebuilt.state.files.len(), all);
    let set_aside = disk.list(&data_path().join("quarantine")).unwrap();
    assert_eq!(set_aside.len(), rebuilt.damaged.len());
    assert!(rebuilt.state.next_ref > 3, "{:?}", rebuilt.state);
    let db = open(&disk);
    let point = (5_000, NOW_MS, 1.0);
    write(&db, &[point]).unwrap();
    let mut expected = Contents::new();
    apply(&mut expected, &[point]);
    let found = contents(&db.view());
    let series = found.iter().filter(|((name, _), _)| name.contains("5000"));
    assert!(series.eq(&expected), "it has no samples of others");
}

#[test]
fn a_directory_in_use_or_of_others_or_of_a_newer_version_is_refused() {
    let (disk, _) = workload();
    let db = open(&disk);
    assert!(matches!(rebuild(&disk, data_path()), Err(OpenError::Locked { .. })));
    drop(db);
    let disk = disk.kill();
    let missing = Path::new("elsewhere");
    assert!(matches!(rebuild(&disk, missing), Err(OpenError::Io { .. })));
    assert!(disk.list(missing).is_err(), "it is not created");
    let newer = silverback::db::manifest::record::ManifestHeader { nonce: 7, version: 2 };
    disk.write_at(&manifest_path(), 0, &newer.encode()).unwrap();
    assert!(matches!(rebuild(&disk, data_path()), Err(OpenError::Manifest(_))));
    disk.create(&data_path().join("photo.jpg")).unwrap();
    assert!(matches!(rebuild(&disk, data_path()), Err(OpenError::Foreign { .. })));
}

#[test]
fn a_log_that_is_gone_takes_nothing_of_the_files_with_it() {
    let disk = SimDisk::new();
    let db = open(&disk);
    let expected = run(&db, &disk).pop().unwrap();
    db.flush().unwrap();
    drop(db);
    let disk = disk.kill();
    for name in disk.list(&data_path().join("wal")).unwrap() {
        disk.remove(&data_path().join("wal").join(name)).unwrap();
    }
    assert!(lose_manifest(&disk).state.wal_seq >= requests().len() as u64);
    assert_goes_on(&disk, &expected);
}

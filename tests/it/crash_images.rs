//! Power cuts at every operation of scripted workloads: whatever the disk may hold afterwards, the database opens and holds
//! every acknowledged request, whole requests only, in commit order, bit for bit; and it goes on from there.

use silverback::db::{Db, Options};
use silverback::fs::sim::{Fault, Image, Kind, Limits, SimDisk};
use silverback::sync::Arc;

use crate::fixture::{Contents, Point, apply, contents, options, submit, write};

/// Small enough that a workload of a few requests rotates.
const SEGMENT_BYTES: u64 = 700;

/// Values whose bits a careless path would change.
const VALUES: [f64; 8] = [
    1.5,
    -0.0,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::from_bits(0x7ff0_0000_0000_0002),
    f64::from_bits(0xfff8_dead_beef_0001),
    f64::MIN_POSITIVE,
    5e-324,
];

/// The requests of a workload: old and new series, repeated and conflicting samples, samples out of order.
fn requests(count: u32) -> Vec<Vec<Point>> {
    let request = |r: u32| {
        let time = 1_000 + i64::from(r) * 100;
        let value = |i: u32| VALUES[((r + i) % 8) as usize];
        let mut points: Vec<Point> = (0..3).map(|i| (i, time, value(i))).collect();
        points.push((100 + r, time, value(4)));
        if r % 3 == 1 {
            points.push((0, time - 150, value(5)));
        }
        if r % 4 == 2 {
            points.push((1, time - 100, 42.0));
        }
        points
    };
    (0..count).map(request).collect()
}

fn small_segments(disk: &SimDisk) -> Options {
    Options { wal_segment_bytes: SEGMENT_BYTES, ..options(disk) }
}

fn open(disk: &SimDisk) -> Arc<Db> {
    Db::open(small_segments(disk)).expect("a directory that we left always opens")
}

/// Submits the requests in groups of one, two, three, ...; notes each acknowledged one by its number, counted from 1.
fn run_workload(db: &Db, disk: &SimDisk, requests: &[Vec<Point>], first_number: u64) {
    let mut number = first_number;
    let mut rest = requests;
    let mut group_len = 1;
    while !rest.is_empty() {
        let (group, later) = rest.split_at(group_len.min(rest.len()));
        let answers: Vec<_> = group.iter().map(|points| submit(db, points)).collect();
        db.step();
        for answer in answers {
            assert!(answer.lock().take().unwrap().is_ok());
            disk.note(number);
            number += 1;
        }
        rest = later;
        group_len = group_len % 3 + 1;
    }
}

/// Contents after each number of requests.
fn prefixes(requests: &[Vec<Point>]) -> Vec<Contents> {
    let mut all = vec![Contents::new()];
    for points in requests {
        let mut next = all[all.len() - 1].clone();
        apply(&mut next, points);
        all.push(next);
    }
    all
}

/// The contents must be those after some number of requests, at least `acknowledged`. Gives that number.
fn whole_requests(found: &Contents, prefixes: &[Contents], acknowledged: usize) -> usize {
    let position = prefixes[acknowledged..].iter().position(|contents| contents == found);
    match position {
        Some(more) => acknowledged + more,
        None => panic!(
            "{} samples are those of no whole requests after the {acknowledged} acknowledged ones",
            found.len()
        ),
    }
}

/// Opens an image, checks it, writes one more request and checks that, too.
fn check_image(image: &Image<'_>, prefixes: &[Contents]) -> usize {
    let db = open(&image.disk);
    let survived = whole_requests(&contents(&db.view()), prefixes, image.notes.len());
    let mut expected = prefixes[survived].clone();
    let more: Vec<Point> = vec![(0, 500_000, 7.0), (7_777, 500_000, 8.0)];
    let outcome = write(&db, &more).expect("a recovered database takes writes");
    assert_eq!(outcome.written, 2);
    apply(&mut expected, &more);
    assert!(contents(&db.view()) == expected);
    survived
}

#[test]
fn every_power_cut_leaves_whole_acknowledged_requests() {
    let requests = requests(170);
    let prefixes = prefixes(&requests);
    let disk = SimDisk::new();
    let db = open(&disk);
    run_workload(&db, &disk, &requests[..90], 1);
    db.close().unwrap();
    drop(db);
    let disk = disk.kill();
    let db = open(&disk);
    run_workload(&db, &disk, &requests[90..], 91);
    let mut furthest = 0;
    let images = disk.images(&Limits { per_point_max: 64, seed: 1 }, &mut |image| {
        furthest = furthest.max(check_image(image, &prefixes));
    });
    assert_eq!(furthest, requests.len());
    assert!(images > 1_000, "only {images} images");
}

#[test]
fn a_power_cut_during_recovery_changes_nothing() {
    let requests = requests(24);
    let prefixes = prefixes(&requests);
    let disk = SimDisk::new();
    let db = open(&disk);
    run_workload(&db, &disk, &requests, 1);
    let mut nested = 0;
    disk.images(&Limits { per_point_max: 16, seed: 2 }, &mut |image| {
        let acknowledged = image.notes.len();
        let db = open(&image.disk);
        let survived = whole_requests(&contents(&db.view()), &prefixes, acknowledged);
        let mut after = prefixes[survived].clone();
        apply(&mut after, &[(3, 9_000, 1.0)]);
        write(&db, &[(3, 9_000, 1.0)]).unwrap();
        image.disk.note(1);
        image.disk.images(&Limits { per_point_max: 16, seed: 3 }, &mut |second| {
            let db = open(&second.disk);
            let found = contents(&db.view());
            // What the first recovery showed must not be lost by the second crash.
            match second.notes.len() {
                0 if found != after => {
                    whole_requests(&found, &prefixes, acknowledged);
                }
                _ => assert!(found == after),
            }
            nested += 1;
        });
    });
    assert!(nested > 1_000, "only {nested} nested images");
}

#[test]
fn a_failing_disk_loses_nothing_acknowledged_and_invents_nothing() {
    let requests = requests(8);
    for errno in [libc::EIO, libc::ENOSPC] {
        for after in 0..40 {
            for fault in [
                Fault::once(Kind::Mutation, after, errno),
                Fault::forever(Kind::Mutation, after, errno),
            ] {
                run_with_fault(&requests, fault);
            }
        }
    }
}

/// Runs the requests while one or all operations fail, cuts the power, and compares with what was acknowledged.
fn run_with_fault(requests: &[Vec<Point>], fault: Fault) {
    let disk = SimDisk::new();
    let db = open(&disk);
    disk.fail(fault);
    let mut acknowledged = Contents::new();
    let mut attempted = Contents::new();
    for points in requests {
        let before = contents(&db.view());
        match write(&db, points) {
            Ok(_) => {
                apply(&mut acknowledged, points);
                apply(&mut attempted, points);
            }
            Err(_) => {
                assert!(contents(&db.view()) == before, "a refused request is not visible");
                apply(&mut attempted, points);
            }
        }
    }
    assert!(contents(&db.view()) == acknowledged);
    disk.clear_faults();
    let last = disk.crash_points() - 1;
    disk.images_at(last, &Limits { per_point_max: 8, seed: 4 }, &mut |image| {
        let found = contents(&open(&image.disk).view());
        for (key, value) in &acknowledged {
            assert_eq!(found.get(key), Some(value), "{key:?} after {fault:?}");
        }
        for key in found.keys() {
            assert!(attempted.contains_key(key), "{key:?} was never sent ({fault:?})");
        }
    });
}

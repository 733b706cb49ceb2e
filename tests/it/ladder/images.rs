//! Power cuts at every operation of the workloads. Whatever the disk holds then, the database opens without help and shows
//! every acknowledged request, whole requests only, bit for bit; and it goes on from there. Of some images the same is asked
//! again: power cuts at every operation of the start, of the first request and of the maintenance that follows.

use std::collections::HashSet;
use std::time::Instant;

use silverback::db::DbStats;
use silverback::fs::sim::{Image, Limits};

use super::run::Run;
use super::{assert_climbed, workload};
use crate::fixture::{Point, write};

/// Distinct images that one run of the test opens at least.
const IMAGES_MIN: usize = 50_000;

/// Of so many images one is gone on from until nothing is left to do.
const GO_ON_SHARE: usize = 16;
/// Of so many images one is cut again.
const NESTED_SHARE: usize = 500;

const LIMITS: Limits = Limits { per_point_max: 20, seed: 1 };
const NESTED_LIMITS: Limits = Limits { per_point_max: 6, seed: 2 };

/// Seed, rounds and hours of retention of each workload.
const WORKLOADS: [(u64, u64, i64); 4] = [(1, 44, 20), (2, 44, 20), (3, 44, 62), (4, 44, 62)];

/// What was opened so far.
#[derive(Default)]
struct Seen {
    /// Of the database after the workload.
    stats: DbStats,
    /// Hash of the disk and number of what was acknowledged.
    images: HashSet<(u64, usize)>,
    nested: HashSet<(u64, usize)>,
}

/// Opens an image, and some of them go on.
fn check(run: &Run, image: &Image<'_>, seen: &mut Seen) {
    if !seen.images.insert((image.hash, image.notes.len())) {
        return;
    }
    let (db, now, shown) = run.check(image);
    let more: [Point; 2] = [(0, now + 60_000, 7.0), (77, now + 60_000, 8.0)];
    match seen.images.len() {
        count if count % NESTED_SHARE == 0 => {
            drop(db);
            let disk = image.disk.kill();
            disk.settle();
            let mut second = Run::begin(run.settings(), disk, now, shown.clone());
            second.write(&[more.to_vec()]);
            second.maintain();
            second.images(&NESTED_LIMITS, &mut |image| {
                if seen.nested.insert((image.hash, image.notes.len())) {
                    second.check(image);
                }
            });
        }
        count if count % GO_ON_SHARE == 0 => {
            drop(db);
            let disk = image.disk.kill();
            let mut second = Run::begin(run.settings(), disk, now, shown.clone());
            second.write(&[more.to_vec()]);
            second.maintain();
        }
        _ => assert_eq!(write(&db, &more).unwrap().written, 2),
    }
}

/// Opens every image of one workload.
fn cut_everywhere((seed, rounds, retention_hours): (u64, u64, i64)) -> Seen {
    let workload = workload(seed, rounds, retention_hours);
    let mut run = Run::new(workload.settings);
    workload.rounds.iter().for_each(|round| run.round(round));
    let mut seen = Seen { stats: run.db.stats(), ..Seen::default() };
    run.images(&LIMITS, &mut |image| check(&run, image, &mut seen));
    seen
}

#[test]
fn every_power_cut_leaves_whole_acknowledged_requests() {
    let begun = Instant::now();
    let seen: Vec<Seen> = std::thread::scope(|scope| {
        let threads = WORKLOADS.map(|workload| scope.spawn(move || cut_everywhere(workload)));
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_climbed(&seen.iter().map(|seen| seen.stats).collect::<Vec<_>>());
    let images: usize = seen.iter().map(|seen| seen.images.len()).sum();
    let nested: usize = seen.iter().map(|seen| seen.nested.len()).sum();
    println!("{images} images, {nested} nested ones in {:?}", begun.elapsed());
    assert!(images + nested >= IMAGES_MIN, "only {images} and {nested} images");
}

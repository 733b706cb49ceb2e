//! Every operation of a workload that changes the disk fails, once or for ever, as a bad or a full disk fails. Nothing
//! acknowledged is lost, not even if the power is cut then; reads go on; when the disk is well again everything drains.
//! Every reading of a compaction fails as well.

use std::path::PathBuf;

use silverback::db::manifest::{FileId, Manifest};
use silverback::db::{Db, StoreError, garbage};
use silverback::fs::sealed::FileError;
use silverback::fs::sim::{Fault, Kind, Limits, SimDisk};
use silverback::sync::{Arc, AtomicI64, Ordering};

use super::{Then, Workload, assert_climbed, workload};
use crate::fixture::{
    Contents, NOW_MS, Point, apply, contents, data_path, difference, is_within, write,
};
use crate::history::{HOUR_MS, MINUTE_MS, Settings, options_of};

/// Images of the power cut at the end of each run.
const LIMITS: Limits = Limits { per_point_max: 3, seed: 5 };

struct Faulty<'a> {
    workload: &'a Workload,
    disk: SimDisk,
    now: Arc<AtomicI64>,
    db: Arc<Db>,
    acknowledged: Contents,
    /// Samples of requests that were refused.
    refused: Vec<Point>,
    /// A job of maintenance failed.
    has_failed: bool,
}

impl Faulty<'_> {
    fn new(workload: &Workload) -> Faulty<'_> {
        let (disk, now) = (SimDisk::new(), Arc::new(AtomicI64::new(NOW_MS)));
        let db = Db::open(options_of(&workload.settings, &disk, &now)).unwrap();
        let (acknowledged, refused, has_failed) = Default::default();
        Faulty { workload, disk, now, db, acknowledged, refused, has_failed }
    }

    fn open(&self, disk: &SimDisk) -> Arc<Db> {
        Db::open(options_of(&self.workload.settings, disk, &self.now)).unwrap()
    }

    /// Goes through the workload, whatever fails.
    fn run(&mut self) {
        for round in &self.workload.rounds {
            self.now.fetch_add(round.minutes * MINUTE_MS, Ordering::SeqCst);
            for points in &round.requests {
                match write(&self.db, points) {
                    Ok(_) => apply(&mut self.acknowledged, points),
                    Err(_) => self.refused.extend(points),
                }
            }
            self.check();
            while self.job(Db::maintain_step) {}
            self.job(|db| match round.then {
                Then::Nothing => Ok(false),
                Then::Flush => db.flush().map(|()| false),
                Then::Compact => db.compact().map(|()| false),
            });
        }
    }

    /// One job, which may fail. When one does for the first time the power may be cut.
    fn job(&mut self, job: impl FnOnce(&Db) -> Result<bool, StoreError>) -> bool {
        let done = job(&self.db);
        self.check();
        if done.is_err() && !std::mem::replace(&mut self.has_failed, true) {
            self.cut_power();
        }
        done.unwrap_or(false)
    }

    /// Nothing but what was acknowledged is shown; what retention dropped is given up.
    fn check(&mut self) {
        let found = contents(&self.db.view());
        if found != self.acknowledged {
            let expected = &self.acknowledged;
            assert!(is_within(&found, expected), "{}", difference(&found, expected));
            self.check_kept(&found);
            self.acknowledged = found;
        }
    }

    /// Everything acknowledged is there that retention must keep.
    fn check_kept(&self, found: &Contents) {
        let expected = &self.acknowledged;
        let newest = expected.keys().map(|(_, timestamp)| *timestamp).max().unwrap_or(i64::MIN);
        let kept_from = newest.saturating_sub(self.workload.settings.retention_ms.unwrap());
        let kept = expected.iter().filter(|((_, timestamp), _)| *timestamp >= kept_from);
        let is_there = |(key, bits): (&_, &u64)| found.get(key) == Some(bits);
        assert!(kept.into_iter().all(is_there), "{}", difference(found, expected));
    }

    /// Power cuts now: what was refused may be there.
    fn cut_power(&self) {
        let point = self.disk.crash_points() - 1;
        self.disk.images_at(point, &LIMITS, &mut |image| {
            let found = contents(&self.open(&image.disk).view());
            self.check_started(&found);
        });
    }

    fn check_started(&self, found: &Contents) {
        let expected = &self.acknowledged;
        self.check_kept(found);
        let mut attempted = expected.clone();
        apply(&mut attempted, &self.refused);
        let is_known = |(key, _): &(&(String, i64), &u64)| attempted.contains_key(*key);
        assert!(found.iter().all(|entry| is_known(&entry)), "{}", difference(found, expected));
    }

    /// The disk is well again.
    fn recover(mut self) {
        self.disk.clear_faults();
        self.now.fetch_add(2_000, Ordering::SeqCst);
        self.db.step();
        self.db.maintain().unwrap();
        self.check();
        self.db.flush().unwrap();
        self.db.maintain().unwrap();
        self.check();
        let stats = self.db.stats();
        let in_memory = (stats.apply.samples, stats.ladder.sealed_generations);
        assert_eq!((in_memory, stats.ladder.spills, stats.wal.read_only), ((0, 0), 0, false));
        self.db.close().unwrap();
        self.db = self.open(&self.disk);
        self.check_started(&contents(&self.db.view()));
        let (state, _) = Manifest::read_only(&self.disk, data_path()).unwrap();
        assert_eq!(
            garbage::unlisted(&self.disk, data_path(), &state).unwrap(),
            [""; 0].map(PathBuf::from)
        );
    }
}

fn run_with_fault(workload: &Workload, fault: Fault) {
    let mut faulty = Faulty::new(workload);
    faulty.disk.fail(fault);
    faulty.run();
    faulty.cut_power();
    faulty.recover();
}

#[test]
fn every_failing_operation_is_survived() {
    let workload = workload(9, 24, 8);
    let mut healthy = Faulty::new(&workload);
    let before = healthy.disk.calls(Kind::Mutation);
    healthy.run();
    let operations = healthy.disk.calls(Kind::Mutation) - before;
    assert_climbed(&[healthy.db.stats()]);
    healthy.recover();
    println!("{operations} operations fail in four ways each");
    std::thread::scope(|scope| {
        for errno in [libc::EIO, libc::ENOSPC] {
            let workload = &workload;
            scope.spawn(move || {
                for after in 0..operations {
                    run_with_fault(workload, Fault::once(Kind::Mutation, after, errno));
                    run_with_fault(workload, Fault::forever(Kind::Mutation, after, errno));
                }
            });
        }
    });
}

const SERIES: u32 = 600;
const SAMPLES_PER_SERIES: i64 = 40;

/// A disk with three blocks that nobody has read since they were written, and what they hold.
fn three_blocks(settings: &Settings, now: &Arc<AtomicI64>) -> (SimDisk, Contents) {
    let (disk, mut expected) = (SimDisk::new(), Contents::new());
    let db = Db::open(options_of(settings, &disk, now)).unwrap();
    for _ in 0..3 {
        let now_ms = now.fetch_add(2 * HOUR_MS, Ordering::SeqCst);
        // Some pages of each, of which few are read when it is opened.
        for back_ms in 0..SAMPLES_PER_SERIES {
            let value = |number: u32| f64::from(number + 1).powf(back_ms as f64 + 0.1);
            let point = |number| (number, now_ms - back_ms, value(number));
            let points: Vec<Point> = (0..SERIES).map(point).collect();
            write(&db, &points).unwrap();
            apply(&mut expected, &points);
        }
        db.flush().unwrap();
    }
    db.close().unwrap();
    (disk, expected)
}

fn blocks(disk: &SimDisk) -> Vec<FileId> {
    let (state, _) = Manifest::read_only(disk, data_path()).unwrap();
    state.files.into_keys().filter(|id| matches!(id, FileId::Block(_))).collect()
}

#[test]
fn a_compaction_that_cannot_read_changes_nothing_and_is_done_later() {
    let settings = Settings { retention_ms: None, ..workload(9, 0, 8).settings };
    let now = Arc::new(AtomicI64::new(NOW_MS));
    for after in 0.. {
        let (disk, expected) = three_blocks(&settings, &now);
        let db = Db::open(options_of(&settings, &disk, &now)).unwrap();
        let blocks_before = blocks(&disk);
        disk.fail(Fault::forever(Kind::Read, after, libc::EIO));
        let compacted = db.compact();
        disk.clear_faults();
        let Err(error) = compacted else {
            // A page of each block at least, and the new block when it is opened.
            assert_eq!((blocks_before.len(), blocks(&disk).len()), (3, 1));
            assert!(after > 4, "{after}");
            return;
        };
        assert!(matches!(error, StoreError::File(FileError::Io { .. })), "{error:?}");
        assert_eq!((blocks(&disk), db.stats().ladder.corruptions), (blocks_before, 0));
        assert_eq!(contents(&db.view()), expected);
        db.compact().unwrap();
        assert_eq!(db.stats().ladder.compactions, 1);
        assert_eq!(contents(&db.view()), expected);
        let (state, _) = Manifest::read_only(&disk, data_path()).unwrap();
        assert_eq!(
            garbage::unlisted(&disk, data_path(), &state).unwrap(),
            [""; 0].map(PathBuf::from)
        );
    }
}

//! The database as its callers see it: outcomes, visibility, refusals, restarts, directories.

use std::path::Path;
use std::time::{Duration, Instant};

use silverback::db::{Db, OpenError, Options, StoreError, SubmitError, Threads};
use silverback::fs::Disk;
use silverback::fs::sim::SimDisk;
use silverback::model::{Matcher, Reason, TimeRange};
use silverback::read::Source;
use silverback::sync::{Arc, AtomicU64, Mutex, Ordering};

use crate::fixture::{Contents, NOW_MS, apply, batch, contents, data_path, options, submit, write};

#[test]
fn samples_are_visible_when_acknowledged_and_not_before() {
    let disk = SimDisk::new();
    let db = Db::open(options(&disk)).unwrap();
    let answer = submit(&db, &[(1, 1_000, 1.0)]);
    assert!(answer.lock().is_none());
    assert!(contents(&db.view()).is_empty());
    db.step();
    assert_eq!(answer.lock().take().unwrap().unwrap().written, 1);
    assert_eq!(contents(&db.view()).len(), 1);
}

#[test]
fn the_first_value_stays_and_the_second_is_reported() {
    let disk = SimDisk::new();
    let db = Db::open(options(&disk)).unwrap();
    let first = write(&db, &[(1, 1_000, 1.0), (2, 1_000, 2.0)]).unwrap();
    assert_eq!((first.written, first.rejected_total()), (2, 0));
    let again = write(&db, &[(1, 1_000, 1.0), (2, 1_000, 2.0)]).unwrap();
    assert_eq!((again.written, again.duplicate, again.rejected_total()), (0, 2, 0));
    let other = write(&db, &[(1, 1_000, 9.0), (3, 1_000, 3.0), (2, 1_000, 8.0)]).unwrap();
    assert_eq!((other.written, other.duplicate), (1, 0));
    assert_eq!(other.rejected[Reason::DuplicateSample as usize], 2);
    let offender = other.first_offender.unwrap();
    assert_eq!(offender.series, "m{series=\"1\"}");
    assert_eq!(offender.timestamp, Some(1_000));
}

#[test]
fn samples_far_ahead_of_the_clock_are_left_out_alone() {
    let disk = SimDisk::new();
    let db = Db::open(options(&disk)).unwrap();
    let limit = NOW_MS + 10 * 60 * 1000;
    let outcome = write(&db, &[(1, limit + 1, 1.0), (2, limit, 2.0)]).unwrap();
    assert_eq!(outcome.written, 1);
    assert_eq!(outcome.rejected[Reason::TooFarInFuture as usize], 1);
    assert_eq!(outcome.first_offender.unwrap().series, "m{series=\"1\"}");
}

#[test]
fn samples_before_the_window_are_left_out_alone() {
    let hour_ms = 3_600_000;
    let limits = |window: Option<i64>, retention: Option<i64>| Options {
        out_of_order_window_ms: window,
        retention_ms: retention,
        ..options(&SimDisk::new())
    };
    // The window and the retention; the age of the oldest sample that is taken.
    let table = [
        (Some(hour_ms), None, hour_ms),
        (None, Some(2 * hour_ms), 2 * hour_ms),
        (Some(hour_ms), Some(3 * hour_ms), hour_ms),
        (Some(9 * hour_ms), Some(4 * hour_ms), 4 * hour_ms),
        (None, None, NOW_MS + 9),
    ];
    for (window, retention, age) in table {
        let db = Db::open(limits(window, retention)).unwrap();
        let oldest = NOW_MS - age;
        let outcome = write(&db, &[(1, oldest, 1.0), (2, oldest - 1, 1.0)]).unwrap();
        let rejected = outcome.rejected[Reason::TooOld as usize];
        let all = window.or(retention).is_none();
        assert_eq!((outcome.written, rejected), if all { (2, 0) } else { (1, 1) }, "{age}");
        if let Some(offender) = outcome.first_offender {
            assert_eq!(offender.series, "m{series=\"2\"}");
            assert_eq!(offender.detail, format!("the oldest accepted now is {oldest}"));
        }
    }
}

#[test]
fn a_closed_database_moves_nothing_down() {
    let disk = SimDisk::new();
    let db = Db::open(options(&disk)).unwrap();
    write(&db, &[(1, 1_000, 1.0)]).unwrap();
    db.close().unwrap();
    let operations = disk.crash_points();
    assert!(matches!(db.flush(), Err(StoreError::Closed)));
    assert!(matches!(db.compact(), Err(StoreError::Closed)));
    assert_eq!(disk.crash_points(), operations);
}

#[test]
fn a_series_with_no_sample_to_store_is_not_created() {
    let disk = SimDisk::new();
    let db = Db::open(options(&disk)).unwrap();
    let ahead = NOW_MS + 11 * 60 * 1000;
    let outcome = write(&db, &[(1, ahead, 1.0), (2, 1_000, 1.0), (3, ahead, 1.0)]).unwrap();
    assert_eq!((outcome.written, outcome.rejected_total()), (1, 2));
    assert_eq!(db.stats().registry.series_count, 1);
    assert_eq!(db.stats().registry.pending_count, 0);
}

#[test]
fn a_conflict_is_named_by_its_own_series() {
    let disk = SimDisk::new();
    let db = Db::open(options(&disk)).unwrap();
    write(&db, &[(4, 1_000, 1.0)]).unwrap();
    let points = [(1, 1_000, 1.0), (4, 2_000, 1.0), (2, 1_000, 1.0), (4, 1_000, 2.0)];
    let offender = write(&db, &points).unwrap().first_offender.unwrap();
    assert_eq!(offender.series, "m{series=\"4\"}");
    assert_eq!(offender.timestamp, Some(1_000));
}

#[test]
fn a_request_refused_by_the_disk_creates_no_series() {
    let disk = SimDisk::new();
    let db = Db::open(options(&disk)).unwrap();
    disk.set_capacity(Some(0));
    assert!(write(&db, &[(1, 1_000, 1.0)]).is_err());
    let refused = write(&db, &[(2, 1_000, 1.0), (3, 1_000, 1.0)]).err().unwrap();
    let told = refused.to_string();
    assert!(matches!(refused, SubmitError::ReadOnly { .. }) && told.contains("wal"), "{told}");
    assert_eq!(db.stats().registry.series_count, 1);
}

#[test]
fn a_disk_that_refused_is_tried_again_without_requests() {
    let disk = SimDisk::new();
    let db = Db::open(Options { threads: Threads::Own, ..options(&disk) }).unwrap();
    disk.set_capacity(Some(0));
    let (sender, receiver) = std::sync::mpsc::channel();
    db.submit(batch(&[(1, 1_000, 1.0)]), move |outcome| sender.send(outcome).unwrap());
    assert!(receiver.recv().unwrap().is_err());
    assert!(db.stats().wal.read_only);
    disk.set_capacity(None);
    let started = std::time::Instant::now();
    while db.stats().wal.read_only {
        assert!(started.elapsed() < Duration::from_secs(20), "the disk is not tried again");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_restart_shows_the_same() {
    let disk = SimDisk::new();
    let mut expected = Contents::new();
    for round in 0..4 {
        let disk = disk.kill();
        let db = Db::open(options(&disk)).unwrap();
        assert!(contents(&db.view()) == expected, "round {round}");
        let points = [(round, 1_000, 1.0), (9, i64::from(round) * 10, f64::from(round))];
        write(&db, &points).unwrap();
        apply(&mut expected, &points);
        if round % 2 == 0 {
            db.close().unwrap();
        }
    }
}

#[test]
fn a_closed_database_takes_nothing_and_releases_its_directory() {
    let disk = SimDisk::new();
    let db = Db::open(options(&disk)).unwrap();
    assert!(matches!(Db::open(options(&disk)), Err(OpenError::Locked { .. })));
    let waiting = submit(&db, &[(1, 1_000, 1.0)]);
    db.close().unwrap();
    assert_eq!(waiting.lock().take().unwrap().unwrap().written, 1);
    assert!(matches!(write(&db, &[(1, 2_000, 1.0)]), Err(SubmitError::Closed)));
    let again = Db::open(options(&disk)).unwrap();
    assert_eq!(contents(&again.view()).len(), 1);
}

#[test]
fn a_foreign_directory_is_refused_and_left_alone() {
    let disk = SimDisk::new();
    disk.create_dir(&data_path().join("chunks_head")).unwrap();
    let error = Db::open(options(&disk)).err().unwrap();
    assert!(matches!(error, OpenError::Foreign { .. }));
    assert!(error.to_string().contains("--storage.tsdb.path"), "{error}");
    assert_eq!(disk.list(data_path()).unwrap(), ["chunks_head"]);
}

#[test]
fn a_full_disk_refuses_writes_serves_reads_and_recovers() {
    let disk = SimDisk::new();
    let (begun, passed_ms) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let ms = passed_ms.clone();
    let monotonic = Arc::new(move || begun + Duration::from_millis(ms.load(Ordering::Relaxed)));
    let db = Db::open(Options { monotonic, ..options(&disk) }).unwrap();
    write(&db, &[(1, 1_000, 1.0)]).unwrap();
    disk.set_capacity(Some(0));
    let refused = write(&db, &[(1, 2_000, 1.0)]).err().unwrap();
    assert!(matches!(refused, SubmitError::ReadOnly { .. }));
    assert!(db.stats().wal.read_only);
    assert_eq!(contents(&db.view()).len(), 1);
    disk.set_capacity(None);
    passed_ms.store(999, Ordering::Relaxed);
    assert!(write(&db, &[(1, 2_000, 1.0)]).is_err(), "an attempt is made once a second");
    passed_ms.store(1_000, Ordering::Relaxed);
    db.step();
    write(&db, &[(1, 2_000, 1.0)]).unwrap();
    assert!(!db.stats().wal.read_only);
    assert_eq!(contents(&db.view()).len(), 2);
}

#[test]
fn reading_beside_a_server_changes_nothing() {
    let disk = SimDisk::new();
    let db = Db::open(options(&disk)).unwrap();
    write(&db, &[(1, 1_000, 1.0), (2, 1_000, 2.0)]).unwrap();
    let operations = disk.crash_points();
    let (view, recovery) = Db::open_read_only(&disk, data_path()).unwrap();
    assert!(contents(&view) == contents(&db.view()));
    assert_eq!((recovery.records, recovery.samples, recovery.series), (1, 2, 2));
    assert_eq!(disk.crash_points(), operations);
    assert!(Db::open_read_only(&disk, Path::new("elsewhere")).is_err());
}

#[test]
fn series_without_samples_in_the_range_are_not_selected() {
    let disk = SimDisk::new();
    let db = Db::open(options(&disk)).unwrap();
    write(&db, &[(1, 1_000, 1.0), (2, 5_000, 2.0)]).unwrap();
    let all = [Matcher::equal("__name__", "m")];
    let view = db.view();
    let values = |range| view.label_values("series", &all, range).unwrap();
    assert_eq!(values(TimeRange::new(0, 1_000)), ["1"]);
    assert_eq!(values(TimeRange::ALL), ["1", "2"]);
    assert_eq!(view.label_names(&all, TimeRange::new(6_000, 9_000)).unwrap(), [""; 0]);
}

#[test]
fn many_threads_write_and_all_is_there_after_a_restart() {
    const WRITERS: u32 = 4;
    const REQUESTS: i64 = 60;
    let directory = tempfile::tempdir().unwrap();
    let real = || Options {
        clock: Arc::new(|| NOW_MS),
        threads: Threads::Own,
        ..Options::new(directory.path().join("data"))
    };
    let db = Db::open(real()).unwrap();
    let expected = Mutex::new(Contents::new());
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (db, expected) = (&db, &expected);
            scope.spawn(move || {
                for r in 0..REQUESTS {
                    let points: Vec<_> = (0..40)
                        .map(|i| (writer * 20 + i, r * 1_000 + i64::from(writer), 0.5))
                        .collect();
                    let (sender, receiver) = std::sync::mpsc::channel();
                    db.submit(batch(&points), move |outcome| sender.send(outcome).unwrap());
                    assert_eq!(receiver.recv().unwrap().unwrap().written, 40);
                    apply(&mut expected.lock(), &points);
                }
            });
        }
    });
    let expected = expected.into_inner();
    assert!(contents(&db.view()) == expected);
    assert!(db.stats().wal.groups <= u64::from(WRITERS) * REQUESTS as u64);
    db.close().unwrap();
    let db = Db::open(real()).unwrap();
    assert!(contents(&db.view()) == expected);
    assert_eq!(db.recovery().damages, []);
    db.close().unwrap();
}

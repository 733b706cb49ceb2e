//! Damage as the callers of the database meet it: what a view shows then, what the recovery reports, and that nothing new
//! is taken for something lost.

use std::path::Path;
use std::time::Instant;

use silverback::db::Db;
use silverback::fs::sim::SimDisk;
use silverback::model::{Labels, Sample, SeriesRef};
use silverback::sync::Arc;
use silverback::wal::layout::SEGMENT_HEADER_BYTES;
use silverback::wal::{
    CommitQueue, Committer, RecordBuilder, ReplayReport, WalOptions, frame, replay,
};

use crate::fixture::{Contents, Point, apply, contents, data_path, options, write};

const FIRST_SEGMENT: &str = "data/wal/00000001.wal";

/// Offset of each frame in the first segment. A damaged payload does not move them.
fn frames(disk: &SimDisk) -> Vec<u64> {
    let bytes = disk.read_all(Path::new(FIRST_SEGMENT)).unwrap();
    let mut offsets = Vec::new();
    let mut at = SEGMENT_HEADER_BYTES;
    while at < bytes.len() {
        offsets.push(at as u64);
        at = frame::decode_header(&bytes[at..], 1, at as u64, None).unwrap().end() as usize;
    }
    offsets
}

/// Changes a byte in the payload of a frame of the first segment; the same again repairs it.
fn damage(disk: &SimDisk, index: usize) {
    let at = frames(disk)[index] + frame::frame_bytes(0) as u64 + 3;
    disk.corrupt(Path::new(FIRST_SEGMENT), at, 0x20).unwrap();
}

/// A closed database with one request for each of these.
fn written(requests: &[&[Point]]) -> SimDisk {
    let disk = SimDisk::new();
    let db = Db::open(options(&disk)).unwrap();
    for points in requests {
        write(&db, points).unwrap();
    }
    db.close().unwrap();
    disk
}

fn of(requests: &[&[Point]]) -> Contents {
    let mut contents = Contents::new();
    requests.iter().for_each(|points| apply(&mut contents, points));
    contents
}

#[test]
fn damage_costs_what_it_hit_and_is_reported() {
    let requests: [&[Point]; 4] = [
        &[(1, 1_000, 1.0)],
        &[(2, 1_000, 2.0)],
        &[(1, 2_000, 3.0)],
        &[(2, 2_000, 4.0), (3, 1, 5.0)],
    ];
    let disk = written(&requests);
    damage(&disk, 1);
    let db = Db::open(options(&disk)).unwrap();
    // Request 4 relied on request 2 for what series 2 is.
    let kept: [&[Point]; 3] = [requests[0], requests[2], &[(3, 1, 5.0)]];
    assert!(contents(&db.view()) == of(&kept));
    let recovery = db.recovery();
    let [found] = &recovery.damages[..] else { panic!("{:?}", recovery.damages) };
    assert_eq!(found.lost, Some(2..=2));
    assert_eq!(found.corrupt.path, Path::new(FIRST_SEGMENT));
    assert_eq!(found.corrupt.offset, frames(&disk)[1]);
    assert_eq!((recovery.records, recovery.orphaned_samples), (3, 1));
}

/// The bytes may be readable another time: what was written meanwhile must not be mixed with what they say.
#[test]
fn a_new_series_is_never_taken_for_one_whose_definition_was_lost() {
    let requests: [&[Point]; 4] =
        [&[(1, 1_000, 1.0)], &[(2, 1_000, 2.0)], &[(2, 2_000, 2.0)], &[(3, 1_000, 3.0)]];
    for lost in [vec![1], vec![3], vec![1, 3], vec![1, 2, 3], vec![0, 1, 2, 3]] {
        let disk = written(&requests);
        lost.iter().for_each(|index| damage(&disk, *index));
        let later: &[Point] = &[(4, 1_000, 4.0), (5, 1_000, 5.0), (2, 3_000, 6.0)];
        for restart in 0..2 {
            let db = Db::open(options(&disk)).unwrap();
            assert!(!db.recovery().damages.is_empty());
            write(&db, later).unwrap();
            write(&db, &[(6 + restart, 1_000, 7.0)]).unwrap();
            db.close().unwrap();
        }
        let all: Vec<&[Point]> =
            [&requests[..], &[later, &[(6, 1_000, 7.0), (7, 1_000, 7.0)]]].concat();
        lost.iter().for_each(|index| damage(&disk, *index));
        let db = Db::open(options(&disk)).unwrap();
        assert_eq!(db.recovery().damages, []);
        assert!(contents(&db.view()) == of(&all), "lost for a while: {lost:?}");
    }
}

fn labels(number: u64) -> Labels {
    Labels::from_pairs([("__name__", "m"), ("series", &number.to_string())])
}

/// Writes records to the log past the database: a definition and a sample of the same ref each.
fn log(disk: &SimDisk, records: &[(u64, u64, f64)]) {
    let report: ReplayReport = replay(disk, data_path(), 0, &mut |_, _| Ok(())).unwrap();
    let queue = Arc::new(CommitQueue::default());
    let (now, wal) = (Instant::now(), WalOptions::default());
    let to = Arc::new(disk.clone());
    let mut committer = Committer::start(to, data_path(), wal, &report, queue.clone(), now);
    for (series, number, value) in records {
        let (mut builder, mut payload) = (RecordBuilder::new(), Vec::new());
        builder.define(SeriesRef(*series), &labels(*number));
        builder.push(SeriesRef(*series), Sample::new(1_000, *value));
        builder.finish(&mut payload);
        queue.push(payload, ()).unwrap();
    }
    committer.commit_once(now).outcome.unwrap();
    committer.close().unwrap();
}

#[test]
fn a_whole_record_that_makes_no_sense_is_damage_and_hides_no_other() {
    let disk = written(&[&[(1, 1_000, 1.0)]]);
    log(&disk, &[(2, 2, 2.0), (u64::MAX, 3, 3.0), (0, 4, 4.0), (5, 5, 5.0)]);
    let db = Db::open(options(&disk)).unwrap();
    assert!(contents(&db.view()) == of(&[&[(1, 1_000, 1.0), (2, 1_000, 2.0), (5, 1_000, 5.0)]]));
    let lost: Vec<_> = db.recovery().damages.iter().map(|damage| damage.lost.clone()).collect();
    assert_eq!(lost, [Some(3..=3), Some(4..=4)]);
    let text = db.recovery().damages[0].corrupt.to_string();
    assert!(text.contains("series ref 18446744073709551615") && text.contains(".wal"), "{text}");
}

#[test]
fn a_ref_with_two_label_sets_is_reported_and_both_series_go_on() {
    let disk = written(&[&[(1, 1_000, 1.0)]]);
    log(&disk, &[(1, 2, 2.0)]);
    let mut expected = of(&[&[(1, 1_000, 1.0), (2, 1_000, 2.0)]]);
    for restart in 0..3 {
        let db = Db::open(options(&disk)).unwrap();
        assert!(contents(&db.view()) == expected, "start {restart}");
        assert_eq!(db.recovery().redefined_series, 1);
        let points = [(1, 2_000 + restart, 3.0), (2, 3_000 + restart, 4.0)];
        write(&db, &points).unwrap();
        apply(&mut expected, &points);
        db.close().unwrap();
    }
}

#[test]
fn what_a_start_replays_is_not_kept_twice() {
    let disk = SimDisk::new();
    let db = Db::open(options(&disk)).unwrap();
    write(&db, &[(1, 1_000, 1.0), (2, 1_000, 2.0)]).unwrap();
    db.flush().unwrap();
    // One sample again, one that is rejected, one that is new: all are in the log.
    write(&db, &[(1, 1_000, 1.0), (2, 1_000, 9.0), (3, 1_000, 3.0)]).unwrap();
    let db = Db::open(options(&disk.kill())).unwrap();
    let expected = of(&[&[(1, 1_000, 1.0), (2, 1_000, 2.0), (3, 1_000, 3.0)]]);
    assert!(contents(&db.view()) == expected);
    db.flush().unwrap();
    assert!(contents(&db.view()) == expected);
    assert_eq!(db.stats().ladder.block_samples, 3);
}

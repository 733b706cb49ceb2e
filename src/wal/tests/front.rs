//! The front of the log: replays that begin behind a sequence, segments ended on purpose, and segments removed while others
//! are written, in whatever order a power cut lets the removals happen.

use super::*;
use crate::fs::sim::{Fault, Kind, Limits};
use crate::wal::layout::SEGMENT_HEADER_BYTES;

/// Three segments of four records each, as two groups.
fn written() -> (SimDisk, Session) {
    let disk = SimDisk::new();
    let mut session = Session::open(&disk, Known::default()).unwrap();
    for _ in 0..6 {
        assert!(session.commit(2));
    }
    assert_eq!(segments(&disk), [1, 2, 3]);
    (disk, session)
}

fn segments(disk: &SimDisk) -> Vec<u64> {
    let names = disk.list(Path::new("/wal")).unwrap();
    names.iter().map(|name| segment::number(name).unwrap()).collect()
}

/// Records behind a sequence.
fn behind(after: CommitSeq) -> Log {
    (after + 1..=12).map(|seq| (seq, record(seq - 1))).collect()
}

#[test]
fn a_replay_gives_what_is_behind_a_sequence_and_goes_on_above_it() {
    for after in 0..=15 {
        let (disk, session) = written();
        session.committer.close().unwrap();
        let (report, log) = replay_after(&disk, after).unwrap();
        assert_eq!(log, behind(after));
        assert_eq!(report.damages, []);
        let last_seq = after.max(12);
        assert_eq!((report.last_seq, report.frames), (last_seq, log.len() as u64));
        assert_eq!(report.bytes, log.iter().map(|(_, payload)| payload.len() as u64).sum::<u64>());
        let known = Known { next_id: 12, after, ..Known::default() };
        let mut session = Session::open(&disk, known).unwrap();
        assert_eq!(session.committer.next_seq(), last_seq + 1);
        assert_eq!(session.committer.stats().tail_bytes(), report.bytes + 40);
        assert!(session.commit(1));
        let (report, log) = replay_after(&disk.kill(), after).unwrap();
        assert_eq!(
            (report.last_seq, log.last()),
            (last_seq + 1, Some(&(last_seq + 1, record(12))))
        );
        assert_eq!(report.damages, []);
    }
}

#[test]
fn a_log_that_is_gone_goes_on_above_what_is_durable_elsewhere() {
    let disk = SimDisk::new();
    let (report, log) = replay_after(&disk, 7).unwrap();
    assert_eq!((report.last_seq, log.len(), report.damages.len()), (7, 0, 0));
    let session = Session::open(&disk, Known { after: 7, ..Known::default() }).unwrap();
    assert_eq!(session.committer.next_seq(), 8);
}

#[test]
fn segments_that_are_not_needed_may_be_missing_in_any_subset() {
    for missing in 0..8u64 {
        let gone: Vec<u64> = (1..=3).filter(|number| missing >> (number - 1) & 1 == 1).collect();
        for after in 0..=12 {
            let (disk, session) = written();
            session.committer.close().unwrap();
            gone.iter().for_each(|number| disk.remove(&segment_path(*number)).unwrap());
            let (report, log) = replay_after(&disk, after).unwrap();
            let is_gone = |seq: CommitSeq| gone.contains(&((seq - 1) / 4 + 1));
            assert_eq!(
                log,
                behind(after).into_iter().filter(|(seq, _)| !is_gone(*seq)).collect::<Log>()
            );
            let lost: Vec<u64> =
                report.damages.iter().filter_map(|d| d.lost.clone()).flatten().collect();
            // What is missing at the end cannot be told from a log that ended there.
            let told = report.last_seq.max(after);
            assert_eq!(lost, (after + 1..=told).filter(|seq| is_gone(*seq)).collect::<Vec<_>>());
        }
    }
}

#[test]
fn damage_in_what_is_not_needed_is_no_damage() {
    let (disk, session) = written();
    session.committer.close().unwrap();
    let len = disk.read_all(&segment_path(1)).unwrap().len();
    for at in 0..len {
        let (image, session) = written();
        session.committer.close().unwrap();
        image.corrupt(&segment_path(1), at as u64, 0xff).unwrap();
        let (report, log) = replay_after(&image, 4).unwrap();
        assert_eq!((log, report.damages), (behind(4), vec![]), "byte {at}");
        let (report, log) = replay_after(&image, 2).unwrap();
        assert!(report.damages.len() <= 1 && log.len() >= 9, "byte {at}: {:?}", report.damages);
    }
}

#[test]
fn a_segment_that_is_ended_is_followed_by_one_that_begins_behind_it() {
    let disk = SimDisk::new();
    let mut session = Session::open(&disk, Known::default()).unwrap();
    let stats = session.committer.stats();
    assert!(session.commit(1));
    assert_eq!(stats.tail_bytes(), disk.read_all(&segment_path(1)).unwrap().len() as u64);
    session.committer.rotate();
    let header = segment::SegmentHeader::decode(&disk.read_all(&segment_path(2)).unwrap(), 2);
    assert_eq!(header.unwrap().first_seq, 2);
    session.committer.rotate();
    assert!(session.commit(1));
    assert_eq!((segments(&disk), stats.segments()), (vec![1, 2], 2));
    let second = disk.read_all(&segment_path(2)).unwrap();
    assert_eq!(segment::SegmentHeader::decode(&second, 2).unwrap().first_seq, 2);
    let header_bytes = SEGMENT_HEADER_BYTES;
    assert_eq!(stats.tail_bytes(), (second.len() - header_bytes) as u64);
    session.kill().unwrap();
}

#[test]
fn ending_a_segment_in_which_nothing_is_begins_no_other() {
    let disk = SimDisk::new();
    let mut session = Session::open(&disk, Known::default()).unwrap();
    session.committer.rotate();
    assert!(session.commit(1));
    assert_eq!(segments(&disk), [1]);
}

#[test]
fn a_cut_removes_the_segments_of_which_nothing_is_needed() {
    for (upto, left) in [
        (0, vec![1, 2, 3]),
        (3, vec![1, 2, 3]),
        (4, vec![2, 3]),
        (7, vec![2, 3]),
        (8, vec![3]),
        (12, vec![3]),
    ] {
        let (disk, mut session) = written();
        let sizes =
            (1..=3).map(|number| disk.read_all(&segment_path(number)).unwrap().len() as u64);
        let before: u64 = sizes.sum();
        session.known.after = upto;
        let cut = session.cut();
        assert_eq!(segments(&disk), left, "up to {upto}");
        let after: u64 = left
            .iter()
            .map(|number| disk.read_all(&segment_path(*number)).unwrap().len() as u64)
            .sum();
        assert_eq!((cut.segments, cut.bytes), (3 - left.len() as u64, before - after));
        assert!(cut.failed.is_none());
        let mut session = session.kill().unwrap();
        assert!(session.commit(1));
        session.kill().unwrap();
    }
}

#[test]
fn everything_before_a_seal_goes_at_once() {
    let (disk, mut session) = written();
    session.seal();
    assert_eq!(session.cut().segments, 3);
    assert!(session.commit(1));
    assert_eq!(session.cut().segments, 0);
    assert_eq!(segments(&disk), [4]);
    assert_eq!(session.known.after, 12);
    assert_eq!(replay_after(&disk, 12).unwrap().1, [(13, record(12))]);
}

#[test]
fn a_cut_that_fails_is_told_and_made_up_for_by_the_next() {
    for kind in [Kind::List, Kind::Open, Kind::Read, Kind::Remove] {
        let (disk, mut session) = written();
        session.seal();
        assert!(session.commit(1));
        disk.fail(Fault::once(kind, 0, libc::EIO));
        let first = session.cut();
        let text = first.failed.unwrap().to_string();
        assert!(text.starts_with("cannot ") && text.contains("/wal"), "{text}");
        let second = session.cut();
        assert!(second.failed.is_none());
        assert_eq!((first.segments + second.segments, segments(&disk)), (3, vec![4]), "{kind:?}");
        session.kill().unwrap();
    }
}

#[test]
fn a_damaged_header_is_not_believed_and_goes_when_a_later_one_says_so() {
    let (disk, mut session) = written();
    disk.corrupt(&segment_path(2), 5, 1).unwrap();
    session.known.after = 4;
    assert_eq!(session.cut().segments, 0);
    session.known.after = 8;
    assert_eq!(session.cut().segments, 2);
    assert_eq!(segments(&disk), [3]);
}

/// A segment whose name may not be durable, left by a failure, makes nothing removable.
#[test]
fn only_a_segment_that_was_begun_in_full_lets_others_go() {
    let disk = SimDisk::new();
    let mut session = Session::open(&disk, Known::default()).unwrap();
    assert!(session.commit(1));
    for kind in [Kind::SyncDir, Kind::Remove, Kind::Truncate] {
        disk.fail(Fault::forever(kind, 0, libc::EIO));
    }
    disk.fail(Fault::once(Kind::Sync, 0, libc::EIO));
    assert!(!session.commit(2));
    disk.clear_faults();
    assert_eq!(segments(&disk), [1, 2]);
    session.known.after = 1;
    session.note();
    assert_eq!(session.cut().segments, 0);
    session.pass(Duration::from_secs(1));
    assert!(session.commit(1));
    assert_eq!((session.cut().segments, segments(&disk)), (2, vec![3]));
    session.kill().unwrap();
}

/// Seals and cuts between groups, with a group that fails and leaves stale frames before each cut.
fn workload(sim: &SimDisk) -> Session {
    let mut session = Session::open(sim, Known::default()).unwrap();
    for round in 0..4 {
        assert!(session.commit(2));
        assert!(session.commit(3));
        sim.fail(Fault::once(Kind::Sync, 0, libc::EIO));
        sim.fail(Fault::once(Kind::Truncate, 0, libc::EIO));
        assert!(session.commit(1 + round % 2));
        assert!(session.commit(1));
        session.seal();
        assert!(session.commit(2));
        session.cut();
    }
    session
}

#[test]
fn a_power_cut_anywhere_in_a_cut_changes_nothing_of_what_is_needed() {
    let session = workload(&SimDisk::new());
    assert!(session.known.after > 20);
    let mut nested = 0;
    let limits = Limits { per_point_max: 96, seed: 5 };
    let images = session.sim.images(&limits, &mut |image| {
        let known = session.known_at(image.notes);
        let context = |error| panic!("power cut at {}: {error}", image.point);
        let mut next = Session::open(&image.disk, known.clone()).unwrap_or_else(context);
        assert!(next.committer.next_seq() > known.after);
        next.cut();
        assert!(next.commit(1));
        let limits = Limits { per_point_max: 6, seed: 6 };
        nested += image.disk.images(&limits, &mut |second| {
            let known = if second.notes.is_empty() { &known } else { &next.known };
            let known = Known { next_id: next.known.next_id, ..known.clone() };
            Session::open(&second.disk, known).unwrap_or_else(context);
        });
    });
    assert!(images > 300 && nested > 1_000, "{images} images, {nested} nested");
}

#[test]
fn any_operation_of_a_cut_may_fail_once_or_for_ever() {
    let quiet = SimDisk::new();
    workload(&quiet);
    for nth in 0..quiet.calls(Kind::Remove) {
        for forever in [false, true] {
            let sim = SimDisk::new();
            sim.fail(Fault { kind: Kind::Remove, after: nth, forever, errno: libc::EIO });
            let session = workload(&sim);
            sim.clear_faults();
            let session = session.kill().unwrap();
            session.cut();
            assert_eq!(segments(&session.sim).len(), 1, "operation {nth}");
        }
    }
}

#[test]
fn the_log_is_cut_while_it_is_written() {
    const GROUPS: u64 = 200;
    let disk = SimDisk::new();
    let Session { queue, mut committer, .. } = Session::open(&disk, Known::default()).unwrap();
    let front = committer.front();
    let (acked, may_cut) = std::sync::mpsc::channel();
    let after = std::thread::scope(|scope| {
        let cutter = scope.spawn(move || {
            let mut last = 0;
            while let Ok(upto) = may_cut.recv() {
                assert!(front.cut(upto).failed.is_none());
                last = upto;
            }
            last
        });
        for id in 0..GROUPS {
            queue.push(record(id), id).unwrap();
            let seq = committer.commit_once(Instant::now()).outcome.unwrap();
            if id % 7 == 0 {
                committer.rotate();
                acked.send(seq).unwrap();
            }
        }
        drop(acked);
        cutter.join().unwrap()
    });
    let (report, log) = replay_after(&disk, after).unwrap();
    assert_eq!((report.last_seq, report.damages.len()), (GROUPS, 0));
    assert_eq!(log, (after + 1..=GROUPS).map(|seq| (seq, record(seq - 1))).collect::<Log>());
    assert!(segments(&disk).len() < 8);
}

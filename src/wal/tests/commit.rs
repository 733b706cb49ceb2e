//! Group commit without crashes: sequences, one append and one sync per group, rotation, close, many threads.

use super::*;
use crate::error::Corrupt;
use crate::fs::sim::Kind;

fn reopened(disk: &SimDisk) -> (ReplayReport, Log) {
    replay_all(&disk.kill()).unwrap()
}

#[test]
fn an_empty_directory_is_an_empty_log() {
    let (report, log) = replay_all(&SimDisk::new()).unwrap();
    assert_eq!((report.last_seq, report.segments, log.len()), (0, 0, 0));
}

#[test]
fn what_is_committed_is_replayed_in_order() {
    let disk = SimDisk::new();
    let mut session = Session::open(&disk, Known::default()).unwrap();
    for count in [1, 3, 0, 2] {
        assert!(session.commit(count));
    }
    assert_eq!(session.committer.next_seq(), 7);
    session.committer.close().unwrap();
    let (report, log) = reopened(&disk);
    assert_eq!(log, (1..=6).map(|seq| (seq, record(seq - 1))).collect::<Log>());
    assert_eq!((report.last_seq, report.frames, report.trimmed_bytes), (6, 6, 0));
    assert_eq!(report.samples, 1 + 2 + 3 + 1 + 2 + 3);
    assert_eq!(report.bytes, log.iter().map(|(_, payload)| payload.len() as u64).sum::<u64>());
}

#[test]
fn a_group_is_one_append_and_one_sync() {
    let disk = SimDisk::new();
    let mut session = Session::open(&disk, Known::default()).unwrap();
    let calls = || (disk.calls(Kind::Append), disk.calls(Kind::Sync), disk.calls(Kind::Mutation));
    let before = calls();
    assert!(session.commit(5));
    let after = calls();
    assert_eq!((after.0 - before.0, after.1 - before.1, after.2 - before.2), (1, 1, 2));
    let stats = session.committer.stats();
    assert_eq!((stats.groups(), stats.frames(), stats.failed_groups()), (1, 5, 0));
    assert_eq!((stats.syncs(), stats.failed_syncs(), stats.segments()), (2, 0, 1));
    let len = disk.read_all(&segment_path(1)).unwrap().len();
    assert_eq!(stats.bytes(), len as u64);
    assert!(!stats.read_only());
    assert_eq!(session.queue.bytes(), 0);
}

#[test]
fn a_full_segment_is_followed_by_the_next() {
    let disk = SimDisk::new();
    let mut session = Session::open(&disk, Known::default()).unwrap();
    for _ in 0..10 {
        assert!(session.commit(2));
    }
    let names = disk.list(Path::new("/wal")).unwrap();
    assert!(names.len() > 3, "{names:?}");
    for number in 1..=names.len() as u64 {
        assert!(disk.read_all(&segment_path(number)).unwrap().len() < 700);
    }
    let (report, log) = reopened(&disk);
    assert_eq!(report.segments, names.len());
    session.known.judge(&report, &log).unwrap();
}

#[test]
fn a_recovered_log_goes_on_in_a_new_segment() {
    let disk = SimDisk::new();
    let mut session = Session::open(&disk, Known::default()).unwrap();
    assert!(session.commit(2));
    let first = disk.read_all(&segment_path(1)).unwrap();
    let mut session = session.kill().unwrap();
    assert!(session.commit(1));
    assert_eq!(session.known.acked.keys().last(), Some(&3));
    assert_eq!(disk.read_all(&segment_path(1)).unwrap(), first);
    session.kill().unwrap();
}

#[test]
fn restarts_leave_no_litter() {
    let disk = SimDisk::new();
    let mut session = Session::open(&disk, Known::default()).unwrap();
    assert!(session.commit(2));
    assert!(session.commit(2));
    for _ in 0..9 {
        session = session.kill().unwrap();
    }
    assert_eq!(
        session.sim.list(Path::new("/wal")).unwrap(),
        ["00000001.wal", "00000002.wal", "00000009.wal", "00000010.wal"]
    );
    let disk = session.sim.clone();
    session.committer.close().unwrap();
    let (report, _) = replay_all(&disk.kill()).unwrap();
    assert_eq!((report.segments, report.next_segment()), (4, 11));
}

#[test]
fn names_that_are_none_of_the_logs_are_left_alone() {
    let disk = SimDisk::new();
    Session::open(&disk, Known::default()).unwrap().committer.close().unwrap();
    for name in ["notes.txt", "00000007.wal.tmp", "7.wal"] {
        disk.create(&Path::new("/wal").join(name)).unwrap();
    }
    let (report, _) = replay_all(&disk).unwrap();
    assert_eq!(report.damages, []);
    assert_eq!(disk.list(Path::new("/wal")).unwrap(), ["00000001.wal", "7.wal", "notes.txt"]);
    let mut session = Session::open(&disk, Known::default()).unwrap();
    assert!(session.commit(1));
}

#[test]
fn a_payload_that_is_no_record_is_damage_and_hides_no_other() {
    let disk = SimDisk::new();
    let mut session = Session::open(&disk, Known::default()).unwrap();
    session.queue.push(record(0), 0).unwrap();
    session.queue.push(vec![0xff; 9], 1).unwrap();
    session.queue.push(record(2), 2).unwrap();
    session.committer.commit_once(session.now).outcome.unwrap();
    let (report, log) = reopened(&disk);
    assert_eq!(log, [(1, record(0)), (3, record(2))]);
    assert_eq!((report.last_seq, report.damages.len()), (3, 1));
    assert_eq!(report.damages[0].lost, Some(2..=2));
}

#[test]
fn a_record_that_its_receiver_refuses_is_damage_and_hides_no_other() {
    let disk = SimDisk::new();
    let mut session = Session::open(&disk, Known::default()).unwrap();
    assert!(session.commit(3));
    let mut taken = Vec::new();
    let report = replay(&disk, dir(), 0, &mut |seq, _| {
        if seq == 2 {
            return Err(Corrupt::at(0, "sense"));
        }
        taken.push(seq);
        Ok(())
    });
    let report = report.unwrap();
    assert_eq!((taken, report.frames, report.last_seq), (vec![1, 3], 2, 3));
    let [damage] = &report.damages[..] else { panic!("{:?}", report.damages) };
    assert_eq!(damage.lost, Some(2..=2));
    assert_eq!((&*damage.corrupt.what, &damage.corrupt.path), ("sense", &segment_path(1)));
}

#[test]
fn a_log_at_the_end_of_its_numbers_is_not_continued() {
    let header = |number, first_seq| segment::SegmentHeader::new(number, 7, first_seq).encode();
    let last = layout::SEGMENT_NUMBER_MAX;
    let mut mark = header(3, layout::SEQ_MAX);
    let head = frame::FrameHead {
        frame_type: layout::FRAME_TYPE_DURABLE_MARK,
        seq: layout::SEQ_MAX,
        durable_seq: layout::SEQ_MAX,
    };
    let place = frame::Place { nonce: 7, segment: 3, offset: mark.len() as u64 };
    frame::encode(&mut mark, head, place, &[]);
    for (number, bytes, what) in [
        (last, header(last, 1), "segment number"),
        (last + 1, header(last + 1, 1), "segment number"),
        (u64::MAX, header(u64::MAX, 1), "segment number"),
        (3, mark, "sequence"),
    ] {
        let disk = SimDisk::new();
        disk.create_dir(Path::new("/wal")).unwrap();
        disk.create(&segment_path(number)).unwrap().append(&bytes).unwrap();
        let mutations = disk.calls(Kind::Mutation);
        let error = replay_all(&disk).unwrap_err().to_string();
        assert!(error.contains(what) && error.contains("/wal"), "{error}");
        assert_eq!(disk.calls(Kind::Mutation), mutations);
        assert!(inspect(&disk, dir(), 0, &mut |_, _| Ok(())).is_ok(), "it can still be read");
    }
}

#[test]
fn many_threads_push_and_one_commits() {
    const THREADS: u64 = 4;
    const EACH: u64 = 50;
    let disk = SimDisk::new();
    let Session { queue, mut committer, .. } = Session::open(&disk, Known::default()).unwrap();
    let mut acked = Vec::new();
    std::thread::scope(|scope| {
        let pushers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let queue = &queue;
                scope.spawn(move || {
                    for id in thread * EACH..(thread + 1) * EACH {
                        queue.push(record(id), id).unwrap();
                    }
                })
            })
            .collect();
        scope.spawn(move || {
            pushers.into_iter().for_each(|pusher| pusher.join().unwrap());
        });
        while acked.len() < (THREADS * EACH) as usize {
            assert_eq!(queue.wait(None), Wake::Work);
            let group = committer.commit_once(Instant::now());
            acked.extend((group.outcome.unwrap()..).zip(group.tokens));
        }
    });
    queue.close();
    assert_eq!(queue.wait(None), Wake::Closed);
    committer.close().unwrap();
    let expected: Log = acked.into_iter().map(|(seq, id)| (seq, record(id))).collect();
    assert_eq!(reopened(&disk).1, expected);
}

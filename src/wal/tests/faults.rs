//! Operations that fail: each in turn, once and for ever, and a disk that is full for a while.

use super::*;
use crate::fs::sim::{Fault, Kind};

const SECOND: Duration = Duration::from_secs(1);

/// Groups, rotation and a clean close, whatever fails. Returns what the world knows at the end.
fn work(sim: &SimDisk, known: Known) -> Known {
    let Ok(mut session) = Session::open(sim, known.clone()) else { return known };
    for count in [1, 2, 1, 3, 1] {
        session.commit(count);
        session.pass(SECOND);
    }
    let _ = session.committer.close();
    session.known
}

#[test]
fn any_operation_may_fail_once_or_for_ever() {
    let quiet = SimDisk::new();
    let known = work(&quiet, Known::default());
    assert_eq!(known.acked.len(), 8);
    work(&quiet.kill(), known);
    for nth in 0..quiet.calls(Kind::Mutation) {
        for errno in [libc::EIO, libc::ENOSPC] {
            for forever in [false, true] {
                let fault = Fault { kind: Kind::Mutation, after: nth, forever, errno };
                let sim = SimDisk::new();
                sim.fail(fault);
                let known = work(&sim, Known::default());
                let known = work(&sim.kill(), known);
                sim.clear_faults();
                let session = Session::open(&sim.kill(), known.clone());
                let mut session = session.unwrap_or_else(|e| panic!("{fault:?}: {e}"));
                assert!(session.commit(1), "{fault:?}");
                if !forever {
                    assert!(known.acked.len() >= 8, "{fault:?}: one failure is survived");
                }
            }
        }
    }
}

#[test]
fn a_group_whose_sync_fails_is_written_anew_and_acknowledged() {
    let sim = SimDisk::new();
    let mut session = Session::open(&sim, Known::default()).unwrap();
    assert!(session.commit(1));
    for (kind, doing) in [(Kind::Sync, "cannot sync"), (Kind::Append, "cannot append to")] {
        let segments = sim.list(Path::new("/wal")).unwrap().len();
        sim.fail(Fault::once(kind, 0, libc::EIO));
        let id = session.known.next_id;
        session.known.next_id += 1;
        session.queue.push(record(id), id).unwrap();
        let group = session.committer.commit_once(session.now);
        session.known.acked.insert(group.outcome.unwrap(), id);
        let error = group.first_error.unwrap().to_string();
        assert!(error.starts_with(doing), "{error}");
        assert_eq!(sim.list(Path::new("/wal")).unwrap().len(), segments + 1);
    }
    let stats = session.committer.stats();
    assert_eq!((stats.failed_syncs(), stats.failed_appends()), (1, 1));
    assert_eq!((stats.failed_groups(), stats.groups()), (0, 3));
    assert_eq!(session.kill().unwrap().committer.next_seq(), 4);
}

#[test]
fn a_failed_write_leaves_neither_bytes_nor_files_behind() {
    let sim = SimDisk::new();
    let mut session = Session::open(&sim, Known::default()).unwrap();
    assert!(session.commit(1));
    let durable = sim.read_all(&segment_path(1)).unwrap();
    sim.fail(Fault::once(Kind::Append, 0, libc::ENOSPC));
    assert!(session.commit(1));
    assert_eq!(sim.read_all(&segment_path(1)).unwrap(), durable);
    sim.fail(Fault::once(Kind::Append, 0, libc::ENOSPC));
    sim.fail(Fault::once(Kind::SyncDir, 0, libc::EIO));
    assert!(!session.commit(1));
    assert_eq!(sim.list(Path::new("/wal")).unwrap(), ["00000001.wal", "00000002.wal"]);
}

#[test]
fn a_disk_that_refuses_is_asked_once_a_second_and_used_again_by_itself() {
    let sim = SimDisk::new();
    let mut session = Session::open(&sim, Known::default()).unwrap();
    let stats = session.committer.stats();
    sim.fail(Fault::forever(Kind::Append, 0, libc::EIO));
    assert!(!session.commit(1));
    assert!(stats.read_only());
    let mutations = sim.calls(Kind::Mutation);
    for _ in 0..9 {
        session.pass(SECOND / 10);
        assert!(!session.commit(1));
    }
    assert_eq!(sim.calls(Kind::Mutation), mutations, "no attempt within the second");
    session.pass(SECOND / 10);
    assert!(!session.commit(1));
    assert!(sim.calls(Kind::Mutation) > mutations);
    sim.clear_faults();
    assert!(!session.commit(0));
    session.pass(SECOND);
    assert!(session.commit(0), "an attempt does not need a request");
    assert!(!stats.read_only());
    assert!(session.commit(1));
    assert_eq!(session.known.acked.keys().copied().collect::<Vec<_>>(), [1]);
    assert_eq!(stats.failed_groups(), 11);
}

#[test]
fn the_cause_is_told_with_every_group_refused() {
    let sim = SimDisk::new();
    let mut session = Session::open(&sim, Known::default()).unwrap();
    sim.fail(Fault::forever(Kind::Mutation, 0, libc::ENOSPC));
    for _ in 0..2 {
        session.queue.push(record(0), 7).unwrap();
        let group = session.committer.commit_once(session.now);
        assert_eq!(group.tokens, [7]);
        let text = group.outcome.unwrap_err().to_string();
        assert!(text.starts_with("cannot create \"/wal/") && text.contains("No space"), "{text}");
    }
}

#[test]
fn a_full_disk_refuses_and_goes_on_when_there_is_room_without_litter() {
    let sim = SimDisk::new();
    let mut session = Session::open(&sim, Known::default()).unwrap();
    for _ in 0..5 {
        while session.commit(2) {
            sim.set_capacity(Some(1500));
        }
        for _ in 0..20 {
            session.pass(SECOND);
            assert!(!session.commit(2));
        }
        sim.set_capacity(None);
        session.pass(SECOND);
        assert!(session.commit(2));
    }
    let names = sim.list(Path::new("/wal")).unwrap();
    assert!(names.iter().all(|name| name.ends_with(".wal")), "{names:?}");
    let useful = session.known.acked.len() / 4 + 6;
    assert!(
        names.len() <= useful,
        "{} files for {} records",
        names.len(),
        session.known.acked.len()
    );
    session.kill().unwrap();
}

#[test]
fn a_log_that_begins_on_a_disk_that_refuses_begins_read_only() {
    let sim = SimDisk::new();
    let mut session = Session::open(&sim, Known::default()).unwrap();
    assert!(session.commit(3));
    sim.fail(Fault::forever(Kind::Create, 0, libc::ENOSPC));
    let mut session = session.kill().unwrap();
    assert!(session.committer.stats().read_only());
    assert_eq!(session.committer.next_seq(), 4);
    assert!(!session.commit(1));
    sim.clear_faults();
    session.pass(SECOND);
    assert!(session.commit(2));
    assert_eq!(session.kill().unwrap().committer.next_seq(), 6);
}

//! Power cuts at every operation of starts, commits, rewrites and failures, and again during the starts after them; every
//! operation failing in turn.

use super::*;
use crate::fs::sim::Limits;

/// One attempt to change the state, the first being a start.
#[derive(Debug, Clone)]
struct Attempt {
    state: State,
    acknowledged: bool,
}

/// Commits and the notes of them: note `n` says that attempt `n` is over.
struct Session {
    disk: SimDisk,
    manifest: Manifest,
    attempts: Vec<Attempt>,
}

impl Session {
    /// Starts where `attempts` are over. The log is written anew every few edits.
    fn open(disk: &SimDisk, attempts: Vec<Attempt>) -> Session {
        let (mut manifest, _) = Manifest::open(Arc::new(disk.clone()), dir()).unwrap();
        manifest.growth_bytes = 100;
        let mut session = Session { disk: disk.clone(), manifest, attempts };
        let state = session.manifest.state().clone();
        session.over(state, session.manifest.is_durable());
        session
    }

    fn commit(&mut self) -> bool {
        let edit = edit(&mut self.manifest);
        let state = after(self.manifest.state(), &edit);
        let acknowledged = self.manifest.commit(edit).is_ok();
        assert_eq!(*self.manifest.state() == state, acknowledged);
        assert_eq!(self.manifest.is_durable(), acknowledged);
        self.over(state, acknowledged);
        acknowledged
    }

    fn over(&mut self, state: State, acknowledged: bool) {
        self.disk.note(self.attempts.len() as u64);
        self.attempts.push(Attempt { state, acknowledged });
    }

    fn kill(self) -> Session {
        Session::open(&self.disk.kill(), self.attempts)
    }
}

/// What a power cut may leave after these notes: the last state acknowledged, or any attempted since.
fn possible(attempts: &[Attempt], notes: &[u64]) -> Vec<State> {
    let over = notes.last().map_or(0, |last| *last as usize + 1);
    let acknowledged = attempts[..over].iter().rposition(|attempt| attempt.acknowledged);
    let until = attempts.len().min(over + 1);
    let since = attempts[acknowledged.unwrap_or(0)..until].iter();
    let begun = acknowledged.is_none().then(State::default);
    since.map(|attempt| attempt.state.clone()).chain(begun).collect()
}

fn is_one_of(state: &State, possible: &[State]) -> bool {
    let but_number = |state: &State| State { next_file: 1, ..state.clone() };
    possible.iter().any(|other| but_number(other) == but_number(state))
}

/// Opens every image, commits once more in it, and opens every image of that.
fn cut_everywhere(session: &Session, per_point_max: usize, nested_max: usize) -> usize {
    let mut nested = 0;
    let limits = Limits { per_point_max, seed: 1 };
    let images = session.disk.images(&limits, &mut |image| {
        let possible = possible(&session.attempts, image.notes);
        let state = read_state(&image.disk);
        assert!(is_one_of(&state, &possible), "cut at {}: {state:?}", image.point);
        let before = Attempt { state, acknowledged: true };
        let mut next = Session::open(&image.disk, vec![before]);
        assert!(next.commit());
        let limits = Limits { per_point_max: nested_max, seed: 2 };
        nested += image.disk.images(&limits, &mut |second| {
            let possible = self::possible(&next.attempts, second.notes);
            let possible = [&possible[..], &[next.attempts[0].state.clone()]].concat();
            let known =
                if second.notes.is_empty() { &possible } else { &possible[..possible.len() - 1] };
            let state = read_state(&second.disk);
            assert!(is_one_of(&state, known), "again at {}: {state:?}", second.point);
        });
    });
    images + nested
}

/// Commits over several rewrites, failures of each kind, and a start.
fn workload(disk: &SimDisk) -> Session {
    let mut session = Session::open(disk, Vec::new());
    for _ in 0..8 {
        assert!(session.commit());
    }
    for kind in [Kind::Sync, Kind::Append, Kind::SyncDir, Kind::Rename] {
        disk.fail(Fault::forever(kind, 0, libc::EIO));
        let failed = (0..3).filter(|_| !session.commit()).count();
        assert!(failed > 0 || kind == Kind::SyncDir || kind == Kind::Rename);
        disk.clear_faults();
        assert!(session.commit());
    }
    disk.fail(Fault::once(Kind::Sync, 0, libc::EIO));
    assert!(!session.commit());
    assert!(session.commit());
    let mut session = session.kill();
    assert!(session.commit());
    session
}

#[test]
fn every_power_cut_leaves_a_state_between_the_acknowledged_and_the_attempted() {
    let images = cut_everywhere(&workload(&SimDisk::new()), 256, 24);
    assert!(images > 2_000, "{images} images");
}

#[test]
fn what_a_killed_process_did_not_sync_is_made_durable_by_the_start_that_reads_it() {
    let disk = SimDisk::new();
    let mut session = Session::open(&disk, Vec::new());
    assert!(session.commit());
    disk.fail(Fault::forever(Kind::Sync, 0, libc::EIO));
    assert!(!session.commit());
    disk.clear_faults();
    let session = session.kill();
    assert_eq!(
        *session.manifest.state(),
        session.attempts[2].state,
        "the failed edit was there to read"
    );
    cut_everywhere(&session, 512, 16);
}

#[test]
fn any_operation_may_fail_once_or_for_ever() {
    let work = |disk: &SimDisk, attempts: Vec<Attempt>| {
        let mut session = Session::open(disk, attempts);
        for _ in 0..6 {
            session.commit();
        }
        session
    };
    let quiet = SimDisk::new();
    work(&quiet, work(&quiet, Vec::new()).attempts);
    for nth in 0..quiet.calls(Kind::Mutation) {
        for forever in [false, true] {
            let disk = SimDisk::new();
            disk.fail(Fault { kind: Kind::Mutation, after: nth, forever, errno: libc::EIO });
            let session = work(&disk, Vec::new());
            let disk = disk.kill();
            let session = work(&disk, session.attempts);
            disk.clear_faults();
            let last = disk.crash_points() - 1;
            disk.images_at(last, &Limits { per_point_max: 64, seed: 3 }, &mut |image| {
                let possible = possible(&session.attempts, image.notes);
                assert!(is_one_of(&read_state(&image.disk), &possible), "operation {nth}");
            });
            let mut session = session.kill();
            assert!(session.commit(), "a disk that takes writes again is written to");
        }
    }
}

#[test]
fn a_disk_that_refuses_is_no_obstacle_to_reading() {
    let disk = SimDisk::new();
    let state = committed(&disk, 3).state().clone();
    for kind in [Kind::Create, Kind::Append, Kind::Sync, Kind::Rename, Kind::SyncDir] {
        disk.fail(Fault::forever(kind, 0, libc::ENOSPC));
        let (mut manifest, report) = Manifest::open(Arc::new(disk.clone()), dir()).unwrap();
        assert_eq!(*manifest.state(), state);
        assert!(!manifest.is_durable());
        assert!(report.refused.unwrap().to_string().contains("MANIFEST") || kind == Kind::SyncDir);
        assert!(manifest.commit(Edit::default()).is_err());
        disk.clear_faults();
        manifest.commit(Edit::default()).unwrap();
        assert!(manifest.is_durable());
    }
    assert_eq!(read_state(&disk), state);
}

#[test]
fn a_mark_that_cannot_be_written_costs_nothing() {
    let disk = SimDisk::new();
    let mut session = Session::open(&disk, Vec::new());
    disk.fail(Fault::once(Kind::Append, 1, libc::ENOSPC));
    assert!(session.commit());
    assert!(session.commit(), "in a file written anew");
    cut_everywhere(&session, 256, 8);
}

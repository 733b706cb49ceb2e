//! Power cuts at every operation, and again during the recovery from them. The last tests break the disk
//! below the log in ways in which the log could itself be wrong, and show that the judge sees it.

use super::mistaken::{Mistake, Mistaken};
use super::*;
use crate::fs::sim::{Fault, Kind, Limits};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn limits(per_point_max: usize) -> Limits {
    Limits { per_point_max, seed: 1 }
}

/// Goes through the images of a session's disk, recovers from each, writes, and so on `depth` times. Returns
/// the images seen, or the first violation.
fn cut_everywhere(session: &Session, depth: u32, per_point_max: usize) -> Result<usize, String> {
    let mut result = Ok(0);
    let images = session.sim.images(&limits(per_point_max), &mut |image| {
        let Ok(nested) = &mut result else { return };
        match recover(session, image.notes, &image.disk, depth, per_point_max) {
            Ok(more) => *nested += more,
            Err(error) => result = Err(format!("{error}; power cut at {}", image.point)),
        }
    });
    result.map(|nested| nested + images)
}

fn recover(
    session: &Session,
    notes: &[u64],
    disk: &SimDisk,
    depth: u32,
    per_point_max: usize,
) -> Result<usize, String> {
    let mut next = Session::open(disk, session.known_at(notes))?;
    if depth == 0 {
        return Ok(0);
    }
    next.history.push(session.known_at(notes));
    let begin = next.history.clone();
    if !next.commit(2) {
        return Err("a recovered log does not take writes".into());
    }
    // Before the first note of its own, what was known is what was known before.
    let known_before = begin[0].clone();
    let mut result = Ok(0);
    let images = disk.images(&limits(per_point_max / 4), &mut |image| {
        let Ok(nested) = &mut result else { return };
        let known = match image.notes.is_empty() {
            true => Known { next_id: next.known.next_id, ..known_before.clone() },
            false => next.known_at(image.notes),
        };
        match Session::open(&image.disk, known) {
            Ok(_) => *nested += 1,
            Err(error) => result = Err(format!("{error}; again at {}", image.point)),
        }
    });
    result.map(|_| images)
}

/// Groups, rotation, a sync that fails once, one that fails for long, close, recovery.
fn workload(disk: Arc<dyn Disk>, sim: &SimDisk) -> Result<Session, String> {
    let mut session = Session::open_through(sim, disk, Known::default())?;
    session.commit(1);
    session.commit(3);
    sim.fail(Fault::once(Kind::Sync, 0, libc::EIO));
    session.commit(2);
    session.commit(2);
    sim.fail(Fault::forever(Kind::Sync, 0, libc::EIO));
    session.commit(3);
    sim.clear_faults();
    session.pass(SECOND);
    session.commit(1);
    session.seal();
    session.commit(1);
    session.cut();
    Ok(session)
}

fn whole_workload() -> Session {
    let sim = SimDisk::new();
    let session = workload(Arc::new(sim.clone()), &sim).unwrap();
    assert_eq!(
        session.known.acked.keys().copied().collect::<Vec<_>>(),
        (1..=10).collect::<Vec<_>>()
    );
    let mut session = session.kill().unwrap();
    assert!(session.commit(2));
    let Session { committer, known, history, .. } = session;
    committer.close().unwrap();
    let mut session = Session::open(&sim.kill(), known).unwrap();
    session.history = history;
    assert!(session.commit(1));
    session
}

#[test]
fn every_power_cut_keeps_what_was_acknowledged() {
    let images = cut_everywhere(&whole_workload(), 0, 512).unwrap();
    assert!(images > 500, "{images} images");
}

#[test]
fn a_power_cut_during_recovery_keeps_it_too() {
    let images = cut_everywhere(&whole_workload(), 1, 24).unwrap();
    assert!(images > 1000, "{images} images");
}

/// A process that dies at its nth operation, the next one's recovery, and then the power.
#[test]
fn a_power_cut_after_a_start_that_was_killed_anywhere_keeps_it_too() {
    let started = |sim: &SimDisk, known: &Known| Session::open(&sim.kill(), known.clone());
    let written = || {
        let sim = SimDisk::new();
        let mut session = Session::open(&sim, Known::default()).unwrap();
        assert!(session.commit(2));
        session
    };
    let Session { sim, known, .. } = written();
    let before = sim.calls(Kind::Mutation);
    started(&sim, &known).unwrap();
    for nth in 0..sim.calls(Kind::Mutation) - before {
        let Session { sim, known, history, .. } = written();
        sim.fail(Fault::forever(Kind::Mutation, nth, libc::EIO));
        // What became of it is of no interest: it is dead.
        let _ = started(&sim, &known);
        sim.clear_faults();
        let mut session = started(&sim, &known).unwrap();
        session.history = history;
        cut_everywhere(&session, 0, 64).unwrap_or_else(|error| panic!("operation {nth}: {error}"));
    }
}

#[test]
fn what_a_killed_process_left_in_doubt_is_settled_by_the_next() {
    let sim = SimDisk::new();
    let mut session = Session::open(&sim, Known::default()).unwrap();
    assert!(session.commit(2));
    sim.fail(Fault::forever(Kind::Sync, 0, libc::EIO));
    sim.fail(Fault::forever(Kind::Truncate, 0, libc::EIO));
    assert!(!session.commit(2));
    sim.clear_faults();
    let mut session = session.kill().unwrap();
    assert_eq!(session.committer.next_seq(), 5, "the failed group was there to read");
    session.known.acked.extend([(3, 2), (4, 3)]);
    session.note();
    assert!(session.commit(1));
    cut_everywhere(&session, 0, 512).unwrap();
}

#[test]
fn what_was_read_is_durable_even_where_no_segment_can_be_begun() {
    let sim = SimDisk::new();
    let unsynced = Arc::new(Mistaken(sim.clone(), Mistake::NoSync));
    let mut session = Session::open_through(&sim, unsynced, Known::default()).unwrap();
    assert!(session.commit(3));
    sim.fail(Fault::forever(Kind::Create, 0, libc::ENOSPC));
    let mut session = session.kill().unwrap();
    session.note();
    let from = sim.crash_points() - 1;
    sim.images_at(from, &limits(512), &mut |image| {
        Session::open(&image.disk, session.known_at(image.notes)).unwrap();
    });
}

#[test]
fn a_group_that_failed_is_void_when_its_sequences_are_used_again() {
    let sim = SimDisk::new();
    let mut session = Session::open(&sim, Known::default()).unwrap();
    assert!(session.commit(1));
    for kind in [Kind::Sync, Kind::Truncate, Kind::Remove] {
        sim.fail(Fault::forever(kind, 0, libc::EIO));
    }
    assert!(!session.commit(3));
    sim.clear_faults();
    session.pass(SECOND);
    assert!(session.commit(1));
    let (report, log) = replay_all(&sim.kill()).unwrap();
    assert_eq!(log, [(1, record(0)), (2, record(4))]);
    assert_eq!(report.damages, []);
}

#[derive(Debug, Clone)]
enum Step {
    Commit(u64),
    Fail(Kind, u64, bool),
    Heal,
    Second,
    Seal,
    Cut,
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop::sample::select(vec![
        Kind::Mutation,
        Kind::Append,
        Kind::Sync,
        Kind::SyncDir,
        Kind::Rename,
        Kind::Create,
    ]);
    prop_oneof![
        5 => (1..4u64).prop_map(Step::Commit),
        2 => (kind, 0..4u64, any::<bool>()).prop_map(|(k, n, forever)| Step::Fail(k, n, forever)),
        2 => Just(Step::Heal),
        1 => Just(Step::Second),
        1 => Just(Step::Seal),
        2 => Just(Step::Cut),
        1 => Just(Step::Kill),
    ]
}

fn run(steps: &[Step]) -> Result<usize, String> {
    let sim = SimDisk::new();
    let mut session = Session::open(&sim, Known::default())?;
    for step in steps {
        match step {
            Step::Commit(count) => drop(session.commit(*count)),
            Step::Fail(kind, after, forever) => {
                let errno = if *forever { libc::ENOSPC } else { libc::EIO };
                sim.fail(Fault { kind: *kind, after: *after, forever: *forever, errno });
            }
            Step::Heal => sim.clear_faults(),
            Step::Second => session.pass(SECOND),
            Step::Seal => session.seal(),
            Step::Cut => drop(session.cut()),
            Step::Kill => {
                sim.clear_faults();
                session = session.kill()?;
            }
        }
    }
    sim.clear_faults();
    session.pass(SECOND);
    if !session.commit(1) {
        return Err("a disk that takes writes again is not written to".into());
    }
    cut_everywhere(&session, 0, 12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_history_survives_any_power_cut(steps in prop::collection::vec(step(), 1..12)) {
        run(&steps).map_err(TestCaseError::fail)?;
    }
}

fn crash_with(mistake: &Mistake) -> Result<usize, String> {
    let sim = SimDisk::new();
    let session = workload(Arc::new(Mistaken(sim.clone(), mistake.clone())), &sim)?;
    cut_everywhere(&session, 0, 64)
}

#[test]
fn mistakes_are_seen() {
    crash_with(&Mistake::None).unwrap();
    for mistake in [Mistake::NoSync, Mistake::NoSyncDir, Mistake::SyncAgain] {
        let seen = crash_with(&mistake).unwrap_err();
        assert!(seen.contains("is lost") || seen.contains("damage"), "{mistake:?}: {seen}");
    }
}

/// What is void is void by the next segment's header: trimming only gives back space.
#[test]
fn nothing_depends_on_trimming() {
    crash_with(&Mistake::NoTrim).unwrap();
}

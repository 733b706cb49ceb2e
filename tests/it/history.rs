//! A database on a simulated disk beside a map that says what it must hold. [`super::model`] makes random steps of both.
//!
//! What a view shows must be what the map holds, bit for bit; of it may be missing what retention drops, and after a restart
//! there may be, besides, what was refused: a request whose answer was an error may have reached the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use silverback::db::{Db, Options, RetentionSize, StoreError, SubmitError, View};
use silverback::fs::Disk;
use silverback::fs::sim::{Limits, SimDisk};
use silverback::model::{Outcome, Reason};
use silverback::sync::{Arc, AtomicI64, Ordering};

use crate::fixture::{
    Answer, Contents, NOW_MS, Point, apply, contents, data_path, difference, is_within, options,
    series_name, submit,
};

pub const MINUTE_MS: i64 = 60_000;
pub const HOUR_MS: i64 = 60 * MINUTE_MS;

/// Limits of a database, small so that a few requests reach them.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    pub segment_bytes: u64,
    pub spill_bytes: u64,
    pub budget_bytes: usize,
    pub forgotten_min: usize,
    pub definitions_min: usize,
    pub retention_ms: Option<i64>,
    pub retention_bytes: Option<u64>,
}

/// See the head of this file.
pub struct History {
    settings: Settings,
    pub disk: SimDisk,
    now: Arc<AtomicI64>,
    pub db: Arc<Db>,
    expected: Contents,
    /// Contents after each acknowledged request and each drop; the disk has a note of its index for each but the first.
    states: Vec<Contents>,
    /// Every value that was ever sent.
    sent: BTreeMap<(String, i64), BTreeSet<u64>>,
    /// Samples of refused requests since the last start.
    refused: Vec<Point>,
    /// Those of before, each with the index of the last state before that start: a power cut may go back behind it.
    refused_before: Vec<(usize, Point)>,
    /// The request acknowledged last.
    last: Vec<Point>,
    held: Option<(View, Contents)>,
    /// The disk may refuse.
    is_sick: bool,
    /// Dropped for their age while the disk refused the spill of what is in the log behind them: a start may find in the
    /// log what was sent for them again.
    dropped_sick: BTreeSet<(String, i64)>,
}

impl History {
    pub fn new(settings: Settings) -> History {
        let (disk, now) = (SimDisk::new(), Arc::new(AtomicI64::new(NOW_MS)));
        let db = Db::open(options_of(&settings, &disk, &now)).unwrap();
        History {
            settings,
            disk,
            now,
            db,
            expected: Contents::new(),
            states: vec![Contents::new()],
            sent: BTreeMap::new(),
            refused: Vec::new(),
            refused_before: Vec::new(),
            last: Vec::new(),
            held: None,
            is_sick: false,
            dropped_sick: BTreeSet::new(),
        }
    }

    pub fn now(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    pub fn wait(&mut self, ms: i64) {
        self.now.fetch_add(ms, Ordering::SeqCst);
    }

    pub fn expected(&self) -> &Contents {
        &self.expected
    }

    pub fn last(&self) -> &[Point] {
        &self.last
    }

    pub fn options(&self) -> Options {
        options_of(&self.settings, &self.disk, &self.now)
    }

    /// Writes requests that queue together, with something else done before they are committed; compares every answer.
    pub fn write(&mut self, requests: Vec<Vec<Point>>, meanwhile: impl FnOnce(&mut History)) {
        let accepted_from = self.accepted_from();
        let answers: Vec<Answer> = requests.iter().map(|points| submit(&self.db, points)).collect();
        meanwhile(self);
        self.db.step();
        for (points, answer) in requests.into_iter().zip(answers) {
            self.remember_sent(&points);
            match answer.lock().take().expect("a stepped request is answered") {
                Ok(outcome) => self.acknowledged(points, &outcome, accepted_from),
                Err(error) => self.refuse(points, &error),
            }
        }
    }

    fn remember_sent(&mut self, points: &[Point]) {
        for (number, timestamp, value) in points {
            let key = (series_name(*number), *timestamp);
            self.sent.entry(key).or_default().insert(value.to_bits());
        }
    }

    fn accepted_from(&self) -> i64 {
        self.settings.retention_ms.map_or(i64::MIN, |retention_ms| self.now() - retention_ms)
    }

    fn acknowledged(&mut self, points: Vec<Point>, outcome: &Outcome, accepted_from: i64) {
        let (mut written, mut duplicate, mut conflict, mut too_old) = (0, 0, 0, 0);
        for point in &points {
            if point.1 < accepted_from {
                too_old += 1;
                continue;
            }
            match self.expected.get(&(series_name(point.0), point.1)) {
                None => written += 1,
                Some(bits) if *bits == point.2.to_bits() => duplicate += 1,
                Some(_) => conflict += 1,
            }
            apply(&mut self.expected, &[*point]);
        }
        let rejected = |reason: Reason| outcome.rejected[reason as usize];
        assert_eq!((outcome.written, outcome.duplicate), (written, duplicate), "{points:?}");
        assert_eq!(rejected(Reason::DuplicateSample), conflict, "{points:?}");
        assert_eq!(rejected(Reason::TooOld), too_old, "{points:?}");
        self.last = points;
        self.note_state();
    }

    fn refuse(&mut self, points: Vec<Point>, error: &SubmitError) {
        let is_over_budget = matches!(error, SubmitError::Overloaded { .. });
        assert!(self.is_sick || is_over_budget, "refused without a reason: {error}");
        self.refused.extend(points);
    }

    /// Remembers the present contents as such that no power cut from now on takes back.
    fn note_state(&mut self) {
        if self.states.last() != Some(&self.expected) {
            self.states.push(self.expected.clone());
            self.disk.note(self.states.len() as u64 - 1);
        }
    }

    /// Does a job of maintenance that a sick disk may refuse.
    pub fn maintain(&mut self, job: impl FnOnce(&Db) -> Result<(), StoreError>) {
        let done = job(&self.db);
        assert!(self.is_sick || done.is_ok(), "{:?}", done.err());
    }

    /// What follows may fail.
    pub fn fall_sick(&mut self) {
        self.is_sick = true;
    }

    /// Leaves so much room on the disk.
    pub fn fill_disk(&mut self, slack_bytes: u64) {
        self.disk.set_capacity(None);
        let space = self.disk.space(data_path()).unwrap();
        let used = space.total_bytes - space.available_bytes;
        self.disk.set_capacity(Some(used + slack_bytes));
        self.is_sick = true;
    }

    fn heal_disk(&mut self) {
        self.disk.clear_faults();
        self.disk.set_capacity(None);
        self.is_sick = false;
    }

    /// The disk is well again, and so is the database at once: it takes writes and maintenance has no trouble.
    pub fn heal(&mut self) {
        self.heal_disk();
        self.wait(1_500);
        self.db.step();
        assert!(!self.db.stats().wal.read_only, "the disk takes writes again");
        self.db.maintain().unwrap();
    }

    pub fn hold_view(&mut self) {
        let view = self.db.view();
        let shown = contents(&view);
        self.held = Some((view, shown));
    }

    /// Ends the process in good order and starts another.
    pub fn restart(&mut self) {
        let closed = self.db.close();
        assert!(self.is_sick || closed.is_ok());
        self.heal_disk();
        self.reopen();
    }

    /// Kills the process and starts another.
    pub fn crash(&mut self) {
        self.heal_disk();
        self.disk = self.disk.kill();
        self.held = None;
        self.reopen();
    }

    /// Kills the process; the disk fails while another starts, that is killed, too; then a third starts.
    pub fn crash_and_fail_to_start(&mut self, fault: silverback::fs::sim::Fault) {
        self.heal_disk();
        self.disk = self.disk.kill();
        self.disk.fail(fault);
        self.held = None;
        if let Ok(db) = Db::open(self.options()) {
            let shown = contents(&db.view());
            let lost = self.expected.keys().find(|k| !shown.contains_key(*k) && !self.may_go(k));
            assert!(lost.is_none(), "{}", difference(&shown, &self.expected));
        }
        self.disk = self.disk.kill();
        self.disk.clear_faults();
        self.reopen();
    }

    fn reopen(&mut self) {
        self.db = Db::open(self.options()).unwrap();
        let found = contents(&self.db.view());
        self.accept_refused(&found, self.expected.clone());
        self.note_state();
    }

    /// After a start: what was refused counts from now on if it is there.
    fn accept_refused(&mut self, found: &Contents, mut expected: Contents) {
        for point in std::mem::take(&mut self.refused) {
            self.refused_before.push((self.states.len() - 1, point));
            if found.get(&(series_name(point.0), point.1)) == Some(&point.2.to_bits()) {
                apply(&mut expected, &[point]);
            }
        }
        self.expected = expected;
        self.reconcile(found, true);
    }

    /// Cuts the power so many operations ago; the disk is left as one of those it may be.
    pub fn cut_power(&mut self, operations_ago: usize, pick: u64) {
        self.heal_disk();
        let point = self.disk.crash_points().saturating_sub(1 + operations_ago);
        let mut images = Vec::new();
        let limits = Limits { per_point_max: 6, seed: pick };
        self.disk.images_at(point, &limits, &mut |image| {
            images.push((image.disk.clone(), image.notes.last().map_or(0, |note| *note as usize)));
        });
        let picked = pick as usize % images.len();
        let (disk, acknowledged) = images.swap_remove(picked);
        (self.disk, self.held) = (disk, None);
        self.db = Db::open(self.options()).unwrap();
        let found = contents(&self.db.view());
        let before = self.refused_before.iter().filter(|(until, _)| acknowledged <= *until);
        let refused: Vec<Point> =
            before.map(|(_, point)| *point).chain(self.refused.iter().copied()).collect();
        let with_refused = |state: &Contents| {
            let is_there = |point: &&Point| {
                found.get(&(series_name(point.0), point.1)) == Some(&point.2.to_bits())
            };
            let mut state = state.clone();
            apply(&mut state, &refused.iter().filter(is_there).copied().collect::<Vec<_>>());
            state
        };
        let certain: Contents = found
            .iter()
            .filter(|(key, _)| !(self.dropped_sick.contains(*key) && self.may_go(key)))
            .map(|(key, bits)| (key.clone(), *bits))
            .collect();
        self.assert_sent(&found);
        let state = self.states[acknowledged..].iter().find(|state| {
            let state = with_refused(state);
            is_within(&certain, &state)
                && state.keys().all(|k| found.contains_key(k) || self.may_go(k))
        });
        let Some(state) = state else {
            panic!("{}", difference(&found, &self.states[acknowledged]));
        };
        let state = state.clone();
        self.states = vec![state.clone()];
        self.refused = refused;
        self.accept_refused(&found, state);
        self.refused_before.clear();
        self.note_state();
    }

    /// Compares what is shown with the map; what retention dropped leaves the map.
    pub fn check(&mut self, may_drop: bool) {
        let found = contents(&self.db.view());
        self.reconcile(&found, may_drop);
        if let Some((view, shown)) = &self.held {
            let now_shown = contents(view);
            assert!(is_within(shown, &now_shown), "{}", difference(&now_shown, shown));
            self.assert_sent(&now_shown);
        }
    }

    /// Takes over what retention changed; anything else must be as expected.
    fn reconcile(&mut self, found: &Contents, may_drop: bool) {
        if *found == self.expected {
            return;
        }
        let lost = self.expected.keys().find(|k| !found.contains_key(*k) && !self.may_go(k));
        let is_other =
            |(key, bits): &(&(String, i64), &u64)| self.expected.get(*key) != Some(*bits);
        let others = || found.iter().filter(is_other);
        let invented = others().find(|(key, _)| !self.may_go(key));
        let is_whole = may_drop || self.expected.keys().all(|key| found.contains_key(key));
        let difference = || difference(found, &self.expected);
        assert!(lost.is_none() && invented.is_none() && is_whole, "{}", difference());
        if self.is_sick {
            let dropped = self.expected.keys().filter(|key| !found.contains_key(*key)).cloned();
            self.dropped_sick.extend(dropped);
        }
        // Where the sample that came first is gone, a start may find in the log one that was rejected because of it.
        others().for_each(|(key, bits)| self.assert_sent(&[(key.clone(), *bits)].into()));
        self.expected = found.clone();
        self.note_state();
    }

    fn may_go(&self, key: &(String, i64)) -> bool {
        key.1 < self.kept_from() || self.settings.retention_bytes.is_some()
    }

    /// Samples from here on are never dropped for their age.
    fn kept_from(&self) -> i64 {
        let newest = self.expected.keys().map(|(_, timestamp)| *timestamp).max();
        let newest = newest.unwrap_or(i64::MIN).min(self.now());
        self.settings.retention_ms.map_or(i64::MIN, |ms| newest.saturating_sub(ms))
    }

    pub fn assert_sent(&self, shown: &Contents) {
        let is_sent =
            |key: &(String, i64), bits: &u64| self.sent.get(key).is_some_and(|v| v.contains(bits));
        let invented = shown.iter().find(|(key, bits)| !is_sent(key, bits));
        assert!(invented.is_none(), "never sent: {invented:?}");
    }

    /// All goes to blocks; then nothing is there that retention should have dropped, and memory and log are empty.
    pub fn settle_down(&mut self) {
        if self.is_sick {
            self.heal();
        }
        self.db.flush().unwrap();
        self.check(true);
        self.db.maintain().unwrap();
        self.check(true);
        let stats = self.db.stats();
        assert_eq!((stats.apply.samples, stats.ladder.sealed_generations), (0, 0));
        assert_eq!(stats.ladder.spills, 0);
        if let Some(retention_ms) = self.settings.retention_ms {
            let longest_ms = (retention_ms / 10).max(2 * HOUR_MS);
            let oldest = self.expected.keys().map(|(_, timestamp)| *timestamp).min();
            let oldest_kept = self.kept_from().saturating_sub(longest_ms);
            assert!(oldest.is_none_or(|oldest| oldest >= oldest_kept), "{oldest:?} is too old");
        }
    }
}

pub fn options_of(settings: &Settings, disk: &SimDisk, now: &Arc<AtomicI64>) -> Options {
    let (begun, of_wall, of_waits) = (Instant::now(), now.clone(), now.clone());
    let passed = move || of_waits.load(Ordering::SeqCst) - NOW_MS;
    Options {
        clock: Arc::new(move || of_wall.load(Ordering::SeqCst)),
        monotonic: Arc::new(move || begun + Duration::from_millis(passed() as u64)),
        wal_segment_bytes: settings.segment_bytes,
        spill_wal_bytes: settings.spill_bytes,
        memory_budget_bytes: settings.budget_bytes,
        forgotten_min: settings.forgotten_min,
        definitions_min: settings.definitions_min,
        retention_ms: settings.retention_ms,
        retention_bytes: settings.retention_bytes.map(RetentionSize::Bytes),
        ..options(disk)
    }
}

//! A workload on a simulated disk that never refuses, and what a power cut at any moment of it may show: the contents after
//! some number of whole requests, at least of those acknowledged.

use silverback::db::{Db, Options, StoreError};
use silverback::fs::sim::{Image, Limits, SimDisk};
use silverback::sync::{Arc, AtomicI64, Ordering};

use super::{Round, Then};
use crate::fixture::{Contents, NOW_MS, Point, apply, contents, difference, is_within, submit};
use crate::history::{MINUTE_MS, Settings, options_of};

pub struct Run {
    settings: Settings,
    pub disk: SimDisk,
    pub db: Arc<Db>,
    now: Arc<AtomicI64>,
    states: Vec<State>,
}

/// What is durable after a request, or after a job that dropped something. The disk has a note of its index.
struct State {
    contents: Contents,
    /// The clock then.
    now: i64,
    /// Index of the last state that what began before the next note could lead to.
    until: usize,
}

impl Run {
    /// Begins on an empty disk.
    pub fn new(settings: Settings) -> Run {
        Run::begin(settings, SimDisk::new(), NOW_MS, Contents::new())
    }

    /// Begins on a disk that must hold `expected`.
    pub fn begin(settings: Settings, disk: SimDisk, now_ms: i64, expected: Contents) -> Run {
        let now = Arc::new(AtomicI64::new(now_ms));
        let db = open(&settings, &disk, &now);
        let states = vec![State { contents: expected, now: now_ms, until: 0 }];
        Run { settings, disk, db, now, states }
    }

    pub fn now(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    pub fn settings(&self) -> Settings {
        self.settings
    }

    pub fn round(&mut self, round: &Round) {
        self.now.fetch_add(round.minutes * MINUTE_MS, Ordering::SeqCst);
        self.write(&round.requests);
        self.maintain();
        match round.then {
            Then::Nothing => {}
            Then::Flush => drop(self.job(|db| db.flush().map(|()| false))),
            Then::Compact => drop(self.job(|db| db.compact().map(|()| false))),
        }
    }

    /// Commits requests together; a power cut meanwhile may show any number of them.
    pub fn write(&mut self, requests: &[Vec<Point>]) {
        let begin = self.states.len() - 1;
        let answers: Vec<_> = requests.iter().map(|points| submit(&self.db, points)).collect();
        self.db.step();
        for (points, answer) in requests.iter().zip(answers) {
            assert!(answer.lock().take().unwrap().is_ok());
            let mut contents = self.last().clone();
            apply(&mut contents, points);
            self.push(contents);
        }
        let end = self.states.len() - 1;
        self.states[begin..].iter_mut().for_each(|state| state.until = end);
        assert!(contents(&self.db.view()) == *self.last());
    }

    /// Does what there is to do.
    pub fn maintain(&mut self) {
        while self.job(Db::maintain_step) {}
    }

    /// One job, which adds nothing and may drop something.
    fn job(&mut self, job: impl FnOnce(&Db) -> Result<bool, StoreError>) -> bool {
        let begin = self.states.len() - 1;
        let worked = job(&self.db).unwrap();
        let found = contents(&self.db.view());
        if found != *self.last() {
            assert!(is_within(&found, self.last()), "{}", difference(&found, self.last()));
            self.push(found);
            self.states[begin].until = begin + 1;
        }
        worked
    }

    pub fn last(&self) -> &Contents {
        &self.states[self.states.len() - 1].contents
    }

    fn push(&mut self, contents: Contents) {
        let index = self.states.len();
        self.states.push(State { contents, now: self.now(), until: index });
        self.disk.note(index as u64);
    }

    /// Opens an image of the disk and compares what it shows. Gives the database, the clock, and what it shows.
    pub fn check(&self, image: &Image<'_>) -> (Arc<Db>, i64, &Contents) {
        let acknowledged = image.notes.last().map_or(0, |note| *note as usize);
        let State { until, now, .. } = self.states[acknowledged];
        let db = open(&self.settings, &image.disk, &Arc::new(AtomicI64::new(now)));
        let found = contents(&db.view());
        let state = self.states[acknowledged..=until].iter().find(|s| s.contents == found);
        let Some(state) = state else {
            let expected = &self.states[acknowledged].contents;
            panic!("cut at {}: {}", image.point, difference(&found, expected));
        };
        assert!(db.recovery().damages.is_empty() && db.recovery().damaged_files.is_empty());
        (db, now, &state.contents)
    }

    /// Every image of the disk.
    pub fn images(&self, limits: &Limits, visit: &mut dyn FnMut(&Image<'_>)) {
        self.disk.images(limits, visit);
    }
}

fn open(settings: &Settings, disk: &SimDisk, now: &Arc<AtomicI64>) -> Arc<Db> {
    let options: Options = options_of(settings, disk, now);
    Db::open(options).expect("a directory that we left always opens")
}

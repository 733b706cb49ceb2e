//! Random histories of a database against a map: writes in and out of order, repeats, conflicts, spills, cuts, compactions,
//! retention, restarts after a close and after a crash. After every step both hold the same samples, bit for bit.

use proptest::prelude::*;
use silverback::db::{Db, Options};
use silverback::fs::sim::SimDisk;
use silverback::model::{Reason, WINDOW_MS};
use silverback::sync::{Arc, AtomicI64, Ordering};

use crate::fixture::{Contents, NOW_MS, Point, apply, contents, options, series_name, write};

/// What happens to a database.
#[derive(Debug, Clone)]
enum Step {
    /// Samples at the clock, of so many series.
    Scrape {
        series: u32,
    },
    /// Samples anywhere in the past.
    Late {
        series: u32,
        minutes: i64,
        value: u8,
    },
    /// The last request once more.
    Again,
    /// The last request with other values.
    Conflict,
    /// Time goes on.
    Wait {
        minutes: i64,
    },
    Maintain,
    Flush,
    Compact,
    Restart,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (1u32..6).prop_map(|series| Step::Scrape { series }),
        6 => (0u32..6, 0i64..600, any::<u8>())
            .prop_map(|(series, minutes, value)| Step::Late { series, minutes, value }),
        2 => Just(Step::Again),
        2 => Just(Step::Conflict),
        4 => (1i64..200).prop_map(|minutes| Step::Wait { minutes }),
        4 => Just(Step::Maintain),
        2 => Just(Step::Flush),
        1 => Just(Step::Compact),
        1 => Just(Step::Restart),
        1 => Just(Step::Crash),
    ]
}

/// A database and what it must hold.
struct History {
    disk: SimDisk,
    now: Arc<AtomicI64>,
    db: Arc<Db>,
    expected: Contents,
    last: Vec<Point>,
}

impl History {
    fn new() -> History {
        let (disk, now) = (SimDisk::new(), Arc::new(AtomicI64::new(NOW_MS)));
        let db = open(&disk, &now);
        History { disk, now, db, expected: Contents::new(), last: Vec::new() }
    }

    fn now(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Scrape { series } => {
                let now = self.now.fetch_add(15_000, Ordering::SeqCst);
                self.write((0..*series).map(|i| (i, now, f64::from(i) / 10.0)).collect());
            }
            Step::Late { series, minutes, value } => {
                let timestamp = (self.now() - minutes * 60_000) / 60_000 * 60_000;
                self.write(vec![(*series, timestamp, f64::from(*value))]);
            }
            Step::Again => self.write(self.last.clone()),
            Step::Conflict => {
                let other = self.last.iter().map(|(i, t, v)| (*i, *t, v + 0.5));
                let other: Vec<Point> = other.collect();
                self.write(other);
            }
            Step::Wait { minutes } => {
                self.now.fetch_add(minutes * 60_000, Ordering::SeqCst);
            }
            Step::Maintain => self.db.maintain().unwrap(),
            Step::Flush => self.db.flush().unwrap(),
            Step::Compact => self.db.compact().unwrap(),
            Step::Restart => {
                self.db.close().unwrap();
                self.db = open(&self.disk, &self.now);
            }
            Step::Crash => {
                self.disk = self.disk.kill();
                self.db = open(&self.disk, &self.now);
            }
        }
    }

    /// Writes points and compares the answer with what the map says of each.
    fn write(&mut self, points: Vec<Point>) {
        let outcome = write(&self.db, &points).unwrap();
        let (mut written, mut duplicate, mut conflict) = (0, 0, 0);
        for point in &points {
            match self.expected.get(&(series_name(point.0), point.1)) {
                None => written += 1,
                Some(bits) if *bits == point.2.to_bits() => duplicate += 1,
                Some(_) => conflict += 1,
            }
            apply(&mut self.expected, &[*point]);
        }
        assert_eq!((outcome.written, outcome.duplicate), (written, duplicate));
        assert_eq!(outcome.rejected[Reason::DuplicateSample as usize], conflict);
        self.last = points;
    }

    fn check(&self, step: &Step) {
        assert!(contents(&self.db.view()) == self.expected, "after {step:?}");
    }
}

fn open(disk: &SimDisk, now: &Arc<AtomicI64>) -> Arc<Db> {
    let now = now.clone();
    let clock = Arc::new(move || now.load(Ordering::SeqCst));
    Db::open(Options { clock, spill_wal_bytes: 600, forgotten_min: 1, ..options(disk) }).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_database_equals_a_map(steps in prop::collection::vec(step(), 1..60)) {
        let mut history = History::new();
        for step in &steps {
            history.run(step);
            history.check(step);
        }
    }
}

#[test]
fn a_long_day_equals_a_map() {
    let mut history = History::new();
    for round in 0..(26 * 60 / 10) {
        history.run(&Step::Scrape { series: 4 });
        history.run(&Step::Late {
            series: round % 5,
            minutes: i64::from(round * 7 % 300),
            value: 1,
        });
        history.run(&Step::Wait { minutes: 10 });
        history.run(&Step::Maintain);
        if round % 40 == 39 {
            history.run(&Step::Crash);
        }
    }
    assert!(history.now() > NOW_MS + 12 * WINDOW_MS);
    history.check(&Step::Maintain);
}

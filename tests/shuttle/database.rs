//! A whole database on a simulated disk, with its own threads: some write, some read, and samples move down the ladder. What
//! was acknowledged before a view was taken is in it, once, and the view keeps showing it; so does the next start.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use bytes::Bytes;
use shuttle::thread::{JoinHandle, spawn};
use silverback::db::{Db, Options, StoreError, Threads, View};
use silverback::fs::sim::SimDisk;
use silverback::model::{Batch, Item, Labels, Matcher, Outcome, Sample, TimeRange, Timestamp};
use silverback::read::{Columns, Source};
use silverback::sync::Arc;

use crate::orders::check;
use crate::told::Told;

/// See [`check`].
const ORDERS: usize = 2_000;

/// The clock at the beginning, in the middle of a window.
const NOW_MS: Timestamp = 1_699_999_200_000;
/// Until a series that has no sample counts as stopped, and more than until a window is over.
const HOURS_MS: i64 = 4 * 3_600_000;

/// A sample: its series, a digit, its time after [`NOW_MS`], and its value.
type Point = (char, i64, u32);

fn decode(raw_key: &[u8]) -> Result<Labels, String> {
    let series = std::str::from_utf8(raw_key).map_err(|error| error.to_string())?;
    Ok(Labels::from_pairs([("__name__", "m"), ("series", series)]))
}

fn batch(points: &[Point]) -> Batch {
    let item = |i: u32| Item { key_offset: i, key_len: 1, sample_start: i, sample_count: 1 };
    Batch {
        body: Bytes::from(points.iter().map(|(series, ..)| *series).collect::<String>()),
        items: (0..points.len() as u32).map(item).collect(),
        samples: points
            .iter()
            .map(|(_, time, value)| Sample::new(NOW_MS + time, f64::from(*value)))
            .collect(),
        decode_labels: decode,
        rejected: Outcome::default(),
    }
}

/// Everything that a view shows. No series and no time of a series comes twice.
fn contents(view: &View) -> BTreeSet<Point> {
    let set = view.select(&[Matcher::equal("__name__", "m")], TimeRange::ALL).unwrap();
    let labels = set.labels().unwrap();
    assert!(labels.is_sorted_by(|a, b| a < b), "{labels:?}");
    let (mut columns, mut contents) = (Columns::default(), BTreeSet::new());
    for (index, labels) in labels.iter().enumerate() {
        set.read(index, TimeRange::ALL, &mut columns).unwrap();
        let times = &columns.timestamps;
        assert!(times.is_sorted_by(|a, b| a < b), "{labels}: {times:?}");
        let series = labels.get("series").unwrap().chars().next().unwrap();
        let samples = times.iter().zip(&columns.floats);
        contents.extend(samples.map(|(time, value)| (series, time - NOW_MS, *value as u32)));
    }
    assert_eq!(set.warnings(), Vec::<String>::new());
    contents
}

struct Database {
    disk: SimDisk,
    db: Arc<Db>,
    clock: Arc<AtomicI64>,
    /// Written, and answered.
    acked: Told<Point>,
}

impl Database {
    fn open() -> Arc<Database> {
        let (disk, clock) = (SimDisk::new(), Arc::new(AtomicI64::new(NOW_MS)));
        let db = Db::open(options(&disk, &clock, Threads::Own)).unwrap();
        Arc::new(Database { disk, db, clock, acked: Told::default() })
    }

    /// Writes some points and waits for the answer.
    fn write(self: &Arc<Database>, points: &[Point]) -> Outcome {
        let (answer, to) = (Arc::new(Told::default()), self.clone());
        let (told, sent) = (answer.clone(), points.to_vec());
        self.db.submit(batch(points), move |outcome| {
            let outcome = outcome.unwrap();
            if outcome.written == sent.len() as u64 {
                sent.into_iter().for_each(|point| to.acked.tell(point));
            }
            told.tell(outcome);
        });
        answer.wait(|all| !all.is_empty());
        answer.now().remove(0)
    }

    /// Writes requests one after the other.
    fn writer(self: &Arc<Database>, requests: &'static [&'static [Point]]) -> JoinHandle<()> {
        let database = self.clone();
        spawn(move || {
            for points in requests {
                assert_eq!(database.write(points).written, points.len() as u64, "{points:?}");
            }
        })
    }

    /// Takes views, compares each with what is known, and gives them with what they showed.
    fn reader(self: &Arc<Database>, views: usize) -> JoinHandle<Vec<(View, BTreeSet<Point>)>> {
        let database = self.clone();
        spawn(move || (0..views).map(|_| database.read()).collect())
    }

    fn read(&self) -> (View, BTreeSet<Point>) {
        let acked = self.acked.now();
        let view = self.db.view();
        let seen = contents(&view);
        let missing: Vec<&Point> = acked.iter().filter(|point| !seen.contains(point)).collect();
        assert!(missing.is_empty(), "{missing:?} of {acked:?} are not in {seen:?}");
        (view, seen)
    }

    fn thread<T: Send + 'static>(
        self: &Arc<Database>,
        body: impl FnOnce(&Arc<Database>) -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let database = self.clone();
        spawn(move || body(&database))
    }

    /// Looks once more at views that are held, closes, opens again, and looks whether all is there and nothing else.
    fn finish(&self, held: Vec<(View, BTreeSet<Point>)>) {
        for (view, seen) in held {
            let now = contents(&view);
            assert!(seen.is_subset(&now), "a view showed {seen:?} and now {now:?}");
        }
        assert_eq!(self.read().1, self.acked());
        self.db.close().unwrap();
        self.judge_next_start();
    }

    fn judge_next_start(&self) {
        let db = Db::open(options(&self.disk.kill(), &self.clock, Threads::Stepped)).unwrap();
        assert_eq!(contents(&db.view()), self.acked(), "after a start");
    }

    fn acked(&self) -> BTreeSet<Point> {
        self.acked.now().into_iter().collect()
    }
}

fn options(disk: &SimDisk, clock: &Arc<AtomicI64>, threads: Threads) -> Options {
    let clock = clock.clone();
    let now = std::time::Instant::now();
    Options {
        disk: Arc::new(disk.clone()),
        clock: Arc::new(move || clock.load(Ordering::SeqCst)),
        monotonic: Arc::new(move || now),
        threads,
        forgotten_min: 1,
        ..Options::new("data")
    }
}

#[test]
fn a_view_shows_what_is_acknowledged_while_a_generation_ends() {
    // Little else happens, and each waits for what it looks at: so few changes of threads suffice to go wrong.
    check(4 * ORDERS, || {
        let database = Database::open();
        let writer = database.writer(&[&[('0', 0, 1)], &[('0', 1, 2)], &[('0', 2, 3)]]);
        let reader = database.thread(|database| {
            for count in 1..=3 {
                database.acked.wait(|all| all.len() >= count);
                database.read();
            }
        });
        database.acked.wait(|all| !all.is_empty());
        database.db.flush().unwrap();
        writer.join().unwrap();
        reader.join().unwrap();
        database.db.close().unwrap();
    });
}

#[test]
fn what_is_acknowledged_stays_visible_while_generations_become_files() {
    check(ORDERS, || {
        let database = Database::open();
        let writers = [
            database.writer(&[&[('0', 0, 1), ('1', 0, 2)], &[('0', 1, 3)], &[('1', -1, 4)]]),
            database.writer(&[&[('2', 0, 5), ('0', 2, 6)], &[('2', -HOURS_MS, 7)]]),
        ];
        let readers = [database.reader(2), database.reader(1)];
        let flushing = database.thread(|database| database.db.flush().unwrap());
        database.db.maintain().unwrap();
        writers.into_iter().for_each(|thread| thread.join().unwrap());
        flushing.join().unwrap();
        let held = readers.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        database.finish(held);
    });
}

#[test]
fn of_two_values_for_one_time_one_is_written_and_stays() {
    check(ORDERS, || {
        let database = Database::open();
        let writer = |value: u32| {
            database.thread(move |database| {
                database.write(&[('0', 5, value)]).written
                    + database.write(&[('0', 3, value)]).written
            })
        };
        let writers = [writer(1), writer(2), writer(3)];
        let reader = database.reader(2);
        database.db.flush().unwrap();
        let written: u64 = writers.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(written, 2);
        database.finish(reader.join().unwrap());
    });
}

#[test]
fn a_database_closes_while_its_head_changes() {
    check(ORDERS, || {
        let database = Database::open();
        database.write(&[('0', 0, 1)]);
        database.clock.fetch_add(HOURS_MS, Ordering::SeqCst);
        database.db.flush().unwrap();
        let maintaining = database.thread(|database| {
            if let Err(error) = database.db.maintain() {
                assert!(matches!(error, StoreError::Closed), "{error}");
            }
        });
        database.db.close().unwrap();
        maintaining.join().unwrap();
        database.judge_next_start();
    });
}

#[test]
fn what_is_acknowledged_stays_visible_while_the_head_changes() {
    static SWAPPED: AtomicU64 = AtomicU64::new(0);
    check(ORDERS, || {
        let database = Database::open();
        database.write(&[('0', 0, 1), ('1', 0, 2)]);
        database.clock.fetch_add(HOURS_MS, Ordering::SeqCst);
        // In blocks, and stopped: both series can be forgotten, and are at the next look.
        database.db.flush().unwrap();
        let writers = [
            database
                .writer(&[&[('2', HOURS_MS, 3)], &[('0', HOURS_MS, 4), ('2', HOURS_MS + 1, 5)]]),
            database.thread(|database| {
                let again = database.write(&[('1', 0, 2)]);
                assert_eq!((again.written, again.duplicate), (0, 1));
                assert_eq!(database.write(&[('1', 0, 3)]).rejected_total(), 1);
                database.write(&[('1', HOURS_MS, 6)]);
            }),
        ];
        let reader = database.reader(2);
        database.db.maintain().unwrap();
        writers.into_iter().for_each(|thread| thread.join().unwrap());
        SWAPPED.fetch_add(database.db.stats().registry.base_series_count as u64, Ordering::SeqCst);
        database.finish(reader.join().unwrap());
    });
    assert!(SWAPPED.load(Ordering::SeqCst) > 0, "no series came from a base: no head changed");
}

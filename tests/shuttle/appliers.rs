//! The queues before the shards, with two threads that apply: every request is applied once, in order at every shard,
//! reported once and only when all of it can be read, and no thread sleeps while there is work.

use std::sync::atomic::{AtomicU64, Ordering};

use shuttle::thread::{JoinHandle, spawn, yield_now};
use silverback::head::apply::Appliers;
use silverback::head::encoded::EncodedSeries;
use silverback::head::generation::Generation;
use silverback::head::older::{Looked, Older};
use silverback::head::work::{Seal, Slot, Work};
use silverback::model::{CommitSeq, Sample, TimeRange, Timestamp};
use silverback::read::Columns;
use silverback::sync::Arc;

use crate::orders::check;
use crate::told::Told;

/// See [`check`].
const ORDERS: usize = 20_000;

const REQUESTS: CommitSeq = 4;
/// A series of one shard and two of the other.
const SLOTS: [Slot; 3] = [0, 1, 3];

/// A sample that is the newest of its series, as all are that come in order, does not ask what is older.
struct AllInOrder;

impl Older for AllInOrder {
    fn look(&self, slot: Slot, timestamp: Timestamp) -> Looked {
        panic!("the request {timestamp} came to the series {slot} after a later one");
    }
}

struct Shards {
    appliers: Appliers,
    /// The first is ended by a seal, if there is one.
    generations: [Arc<Generation>; 2],
    reported: Told<CommitSeq>,
}

impl Shards {
    fn new() -> Arc<Shards> {
        let generations = [Generation::new(0, 1), Generation::new(1, REQUESTS / 2 + 1)];
        let appliers = Appliers::new(&generations[0], Timestamp::MIN);
        Arc::new(Shards { appliers, generations, reported: Told::default() })
    }

    /// The loop of an apply thread of the database.
    fn apply_all(self: &Arc<Shards>) -> JoinHandle<()> {
        let shards = self.clone();
        spawn(move || {
            loop {
                let seen = shards.appliers.wakes();
                let worked = shards.appliers.apply_once(&AllInOrder);
                if !worked && !shards.appliers.wait(seen) {
                    break;
                }
            }
            while shards.appliers.apply_once(&AllInOrder) {}
        })
    }

    /// The times of the samples that a series has, over both generations.
    fn times(&self, slot: Slot) -> Vec<Timestamp> {
        let (mut encoded, mut columns) = (EncodedSeries::default(), Columns::default());
        for generation in &self.generations {
            let range = TimeRange::ALL;
            self.appliers.read(generation, slot, range, &mut encoded, &mut columns).unwrap();
        }
        columns.timestamps
    }

    /// Pushes a request with a sample of every series, at the time of its sequence.
    fn push(self: &Arc<Shards>, seq: CommitSeq) {
        let samples = [Sample::new(seq as Timestamp, 1.0)];
        let runs = SLOTS.iter().zip(0..).map(|(slot, position)| (*slot, position, &samples[..]));
        let shards = self.clone();
        let work = Work::new(runs, move |outcome| {
            assert_eq!((outcome.written, outcome.conflict), (SLOTS.len() as u64, 0));
            for slot in SLOTS {
                let times = shards.times(slot);
                assert!(times.contains(&(seq as Timestamp)), "{seq} of {slot} in {times:?}");
                assert!(times.is_sorted(), "{times:?}");
            }
            shards.reported.tell(seq);
        });
        self.appliers.push(seq, &work);
    }

    fn push_seal(self: &Arc<Shards>) {
        let shards = self.clone();
        let seal = Seal { open_from: 0, next: self.generations[1].clone() };
        self.appliers.push_seal(&Work::seal(seal, move || {
            assert!(shards.generations[0].is_sealed());
            shards.reported.tell(0);
        }));
    }

    /// Waits until all is reported, ends the threads, and looks at everything.
    fn finish(&self, applying: Vec<JoinHandle<()>>, reports: usize) {
        self.reported.wait(|all| all.len() >= reports);
        self.appliers.close();
        applying.into_iter().for_each(|thread| thread.join().unwrap());
        let mut reported = self.reported.now();
        reported.sort_unstable();
        reported.dedup();
        assert_eq!(reported.len(), reports, "each is reported once");
        for slot in SLOTS {
            assert_eq!(self.times(slot), (1..=REQUESTS as Timestamp).collect::<Vec<_>>());
        }
        assert_eq!(self.appliers.stats().queued, 0);
    }
}

#[test]
fn requests_are_applied_once_in_order_and_reported_when_they_can_be_read() {
    check(ORDERS, || {
        let shards = Shards::new();
        let applying = vec![shards.apply_all(), shards.apply_all()];
        for seq in 1..=REQUESTS {
            shards.push(seq);
            // The last two are woken for together.
            if seq != REQUESTS - 1 {
                shards.appliers.wake();
            }
        }
        shards.finish(applying, REQUESTS as usize);
    });
}

#[test]
fn nothing_is_left_by_threads_that_apply_until_they_find_nothing() {
    check(ORDERS, || {
        let appliers = Arc::new(Appliers::new(&Generation::new(0, 1), Timestamp::MIN));
        let applied = Arc::new(AtomicU64::new(0));
        let push = |appliers: &Appliers, seq: CommitSeq| {
            let (samples, applied) = ([Sample::new(seq as Timestamp, 1.0)], applied.clone());
            let work = Work::new([(0, 0, &samples[..])].into_iter(), move |_| {
                applied.fetch_add(1, Ordering::SeqCst);
            });
            appliers.push(seq, &work);
        };
        push(&appliers, 1);
        let [slow, quick] = [(), ()].map(|()| {
            let appliers = appliers.clone();
            spawn(move || while appliers.apply_once(&AllInOrder) {})
        });
        quick.join().unwrap();
        // After the other thread, as far as that comes: it may have seen the first request and found it gone.
        yield_now();
        push(&appliers, 2);
        while appliers.apply_once(&AllInOrder) {}
        slow.join().unwrap();
        assert_eq!(applied.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn what_was_pushed_before_the_close_is_applied() {
    check(ORDERS, || {
        let shards = Shards::new();
        let applying = vec![shards.apply_all(), shards.apply_all()];
        (1..=REQUESTS).for_each(|seq| shards.push(seq));
        shards.appliers.wake();
        shards.appliers.close();
        shards.finish(applying, REQUESTS as usize);
    });
}

#[test]
fn a_seal_has_what_came_before_it_and_nothing_else() {
    check(ORDERS, || {
        let shards = Shards::new();
        let applying = vec![shards.apply_all(), shards.apply_all()];
        for seq in 1..=REQUESTS {
            shards.push(seq);
            if seq == REQUESTS / 2 {
                shards.push_seal();
            }
            shards.appliers.wake();
        }
        shards.finish(applying, REQUESTS as usize + 1);
        assert_eq!(shards.generations[0].samples(), REQUESTS / 2 * SLOTS.len() as u64);
        assert!(shards.generations[1].shard(0).is_none());
    });
}

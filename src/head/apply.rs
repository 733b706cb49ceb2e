//! The shards of the head and the queues before them. One thread pushes requests in commit order; any number of
//! threads apply them, each shard in that order, and read. No thread is started here: `db` has the loops.
//!
//! 1. `push` queues a request's slices at the shards they touch.
//! 2. Whoever calls `apply_once` takes a shard that nobody drains and applies what is queued there, in order.
//! 3. The store of a shard is locked for one slice, or one copy, at a time, so readers wait no longer than that.

use std::collections::VecDeque;

use super::chunk_list::sample_count;
use super::encoded::EncodedSeries;
use super::generation::Generation;
use super::older::Older;
use super::run::{Run, read_runs};
use super::series::SeriesStore;
use super::work::{SHARDS, Slot, Work, index_of, shard_of};
use crate::error::Corrupt;
use crate::model::{CommitSeq, Sample, TimeRange, Timestamp};
use crate::read::Columns;
use crate::sync::{Arc, AtomicBool, AtomicUsize, Condvar, Mutex, Ordering};

/// All shards.
pub struct Appliers {
    shards: [Shard; SHARDS],
    /// The sequence pushed last.
    pushed: Mutex<CommitSeq>,
    signal: Mutex<Signal>,
    wake: Condvar,
    /// Where the next search for work begins, so that threads spread.
    next_shard: AtomicUsize,
}

/// What threads without work wait for.
#[derive(Default)]
struct Signal {
    wakes: u64,
    closed: bool,
}

/// One shard, on cache lines of its own.
#[repr(align(128))]
struct Shard {
    queue: Mutex<VecDeque<Arc<Work>>>,
    /// Length of the queue, for a look without its lock.
    queued: AtomicUsize,
    /// A thread is applying slices of this shard, or about to.
    draining: AtomicBool,
    store: Mutex<SeriesStore>,
    samples: AtomicUsize,
    chunks: AtomicUsize,
    memory_bytes: AtomicUsize,
}

/// What the shards hold. Sums over shards that change meanwhile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ApplyStats {
    pub samples: usize,
    /// Sealed chunks.
    pub chunks: usize,
    /// Memory of samples and chunks, without what the allocator adds.
    pub memory_bytes: usize,
    /// Slices of requests that wait to be applied.
    pub queued: usize,
}

impl Appliers {
    /// Empty shards whose samples belong to `generation`. What is older than that has no sample after `floor`.
    pub fn new(generation: &Arc<Generation>, floor: Timestamp) -> Appliers {
        Appliers {
            shards: std::array::from_fn(|shard| {
                Shard::new(SeriesStore::new(shard, generation.clone(), floor))
            }),
            pushed: Mutex::default(),
            signal: Mutex::default(),
            wake: Condvar::new(),
            next_shard: AtomicUsize::new(0),
        }
    }

    /// Queues a request. Called with rising sequences by one thread; wakes nobody.
    pub fn push(&self, seq: CommitSeq, work: &Arc<Work>) {
        let mut pushed = self.pushed.lock();
        assert!(seq > *pushed, "requests are pushed in commit order");
        *pushed = seq;
        self.push_work(work);
    }

    /// Queues the order to seal every shard behind everything pushed before, by the thread that pushes.
    pub fn push_seal(&self, seal: &Arc<Work>) {
        self.push_work(seal);
    }

    fn push_work(&self, work: &Arc<Work>) {
        for shard in work.shards() {
            let shard = &self.shards[shard];
            let mut queue = shard.queue.lock();
            queue.push_back(work.clone());
            shard.queued.store(queue.len(), Ordering::SeqCst);
        }
        if work.is_empty() {
            work.finish_if_done();
        }
    }

    /// Applies what is queued at one shard that no other thread is draining. False if there is none: then everything
    /// queued before the call is applied, or being applied by a thread that will not stop before it is done.
    pub fn apply_once(&self, older: &dyn Older) -> bool {
        let start = self.next_shard.fetch_add(1, Ordering::Relaxed);
        (0..SHARDS).any(|i| self.drain((start + i) % SHARDS, older))
    }

    /// Applies what is queued at one shard, unless another thread does.
    fn drain(&self, index: usize, older: &dyn Older) -> bool {
        let shard = &self.shards[index];
        let mut worked = false;
        // A slice queued while `draining` was still set is seen by the look at `queued` that follows its clearing.
        while shard.queued.load(Ordering::SeqCst) > 0
            && !shard.draining.swap(true, Ordering::SeqCst)
        {
            while let Some(work) = shard.pop() {
                let outcome = {
                    let mut store = shard.store.lock();
                    let outcome = work.apply(index, &mut store, older);
                    shard.publish(&store);
                    outcome
                };
                work.finish_slice(outcome);
                worked = true;
            }
            shard.draining.store(false, Ordering::SeqCst);
        }
        worked
    }

    /// How often `wake` was called: taken before `apply_once`, given to `wait` after it found nothing.
    pub fn wakes(&self) -> u64 {
        self.signal.lock().wakes
    }

    /// Wakes the threads that wait: called after one push or several.
    pub fn wake(&self) {
        self.signal.lock().wakes += 1;
        self.wake.notify_all();
    }

    /// Blocks until `wake` was called more than `seen_wakes` times. False after `close`.
    pub fn wait(&self, seen_wakes: u64) -> bool {
        let mut signal = self.signal.lock();
        while signal.wakes == seen_wakes && !signal.closed {
            self.wake.wait(&mut signal);
        }
        !signal.closed
    }

    /// Lets every `wait` return false. What is queued stays and can be applied.
    pub fn close(&self) {
        self.signal.lock().closed = true;
        self.wake.notify_all();
    }

    pub fn is_closed(&self) -> bool {
        self.signal.lock().closed
    }

    /// Appends the samples that a generation has of a series within the range, in order of time, and perhaps some around
    /// it, wherever they are at present.
    pub fn read(
        &self,
        generation: &Generation,
        slot: Slot,
        range: TimeRange,
        encoded: &mut EncodedSeries,
        out: &mut Columns,
    ) -> Result<(), Corrupt> {
        let (shard, index) = (shard_of(slot), index_of(slot));
        encoded.clear();
        if generation.shard(shard).is_none() {
            let store = self.shards[shard].store.lock();
            if store.generation() == generation.number {
                store.copy(index, range, encoded);
            }
        }
        // A shard that was sealed meanwhile has left everything here; one that has not come to it has nothing of it.
        match generation.shard(shard) {
            Some(runs) if encoded.is_empty() => read_runs(runs, index as u32, range, out),
            _ => encoded.decode(range, out),
        }
    }

    /// As [`Appliers::read`], but only the last sample within the range must be there.
    pub fn read_newest(
        &self,
        generation: &Generation,
        slot: Slot,
        range: TimeRange,
        encoded: &mut EncodedSeries,
        out: &mut Columns,
    ) -> Result<(), Corrupt> {
        let shard = shard_of(slot);
        if generation.shard(shard).is_none() {
            let store = self.shards[shard].store.lock();
            let is_open = store.generation() == generation.number;
            let newest = if is_open { store.newest_unsealed(index_of(slot)) } else { None };
            if let Some(sample) = newest.filter(|sample| range.contains(sample.timestamp)) {
                out.push(sample.timestamp, sample.value);
                return Ok(());
            }
        }
        self.read(generation, slot, range, encoded, out)
    }

    /// About how many samples a generation has of a series within the range: of all it has, the share that the range has
    /// of their time.
    pub fn estimate(
        &self,
        generation: &Generation,
        slot: Slot,
        range: TimeRange,
        encoded: &mut EncodedSeries,
    ) -> f64 {
        let (shard, index) = (shard_of(slot), index_of(slot));
        if generation.shard(shard).is_none() {
            let store = self.shards[shard].store.lock();
            if store.generation() == generation.number {
                let bounds = store.bounds(index).unwrap_or(TimeRange::EMPTY);
                store.copy(index, bounds, encoded);
                return encoded.sample_count() as f64 * bounds.share_in(range);
            }
        }
        let runs = generation.shard(shard).into_iter().flat_map(|runs| runs.values());
        let of_run = |run: &Run| {
            let samples = run.chunks(index as u32).map_or(0, sample_count);
            samples as f64 * run.range.share_in(range)
        };
        runs.map(of_run).sum()
    }

    /// The newest sample of a series, if one came through here.
    pub fn newest(&self, slot: Slot) -> Option<Sample> {
        self.shards[shard_of(slot)].store.lock().newest(index_of(slot))
    }

    /// May a generation have samples of a series within the range?
    pub fn may_have(&self, generation: &Generation, slot: Slot, range: TimeRange) -> bool {
        let (shard, index) = (shard_of(slot), index_of(slot));
        if generation.shard(shard).is_none() {
            let store = self.shards[shard].store.lock();
            if store.generation() == generation.number {
                return store.bounds(index).is_some_and(|bounds| bounds.overlaps(range));
            }
        }
        generation.shard(shard).is_some_and(|runs| {
            let mut runs = runs.values().filter(|run| run.range.overlaps(range));
            runs.any(|run| run.chunks(index as u32).is_some())
        })
    }

    pub fn stats(&self) -> ApplyStats {
        let mut stats = ApplyStats::default();
        for shard in &self.shards {
            stats.samples += shard.samples.load(Ordering::Relaxed);
            stats.chunks += shard.chunks.load(Ordering::Relaxed);
            stats.memory_bytes += shard.memory_bytes.load(Ordering::Relaxed);
            stats.queued += shard.queued.load(Ordering::Relaxed);
        }
        stats
    }

    /// Memory of samples and chunks, without what the allocator adds.
    pub fn memory_bytes(&self) -> usize {
        self.stats().memory_bytes
    }
}

impl Shard {
    fn new(store: SeriesStore) -> Shard {
        Shard {
            queue: Mutex::default(),
            queued: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            store: Mutex::new(store),
            samples: AtomicUsize::new(0),
            chunks: AtomicUsize::new(0),
            memory_bytes: AtomicUsize::new(0),
        }
    }

    fn pop(&self) -> Option<Arc<Work>> {
        let mut queue = self.queue.lock();
        let work = queue.pop_front();
        self.queued.store(queue.len(), Ordering::SeqCst);
        work
    }

    fn publish(&self, store: &SeriesStore) {
        let stats = store.stats();
        self.samples.store(stats.samples, Ordering::Relaxed);
        self.chunks.store(stats.chunks, Ordering::Relaxed);
        self.memory_bytes.store(stats.memory_bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::super::older::NothingOlder;
    use super::super::work::{ApplyOutcome, Seal};
    use super::*;
    use crate::sync::AtomicU64;

    fn work(
        samples: &[(Slot, i64, f64)],
        on_done: impl FnOnce(ApplyOutcome) + Send + 'static,
    ) -> Arc<Work> {
        let each: Vec<_> = samples.iter().map(|(s, t, v)| (*s, [Sample::new(*t, *v)])).collect();
        let runs = each.iter().zip(0..).map(|((slot, one), first)| (*slot, first, &one[..]));
        Work::new(runs, on_done)
    }

    fn appliers() -> (Appliers, Arc<Generation>) {
        let generation = Generation::new(0, 1);
        (Appliers::new(&generation, Timestamp::MIN), generation)
    }

    fn read(appliers: &Appliers, generation: &Generation, slot: Slot) -> Vec<(i64, f64)> {
        let (mut encoded, mut columns) = (EncodedSeries::default(), Columns::default());
        appliers.read(generation, slot, TimeRange::ALL, &mut encoded, &mut columns).unwrap();
        columns.timestamps.into_iter().zip(columns.floats).collect()
    }

    /// Pushes, applies all in this thread, and gives what was reported.
    fn apply(appliers: &Appliers, seq: CommitSeq, samples: &[(Slot, i64, f64)]) -> ApplyOutcome {
        let outcome = Arc::new(Mutex::new(None));
        let reported = outcome.clone();
        appliers.push(seq, &work(samples, move |o| *reported.lock() = Some(o)));
        while appliers.apply_once(&NothingOlder) {}
        outcome.lock().take().unwrap()
    }

    #[test]
    fn samples_are_visible_once_applied() {
        let (appliers, generation) = appliers();
        appliers.push(1, &work(&[(0, 10, 1.0), (33, 10, 2.0)], |_| {}));
        assert_eq!(appliers.stats().queued, 2);
        assert_eq!(read(&appliers, &generation, 0), []);
        while appliers.apply_once(&NothingOlder) {}
        assert_eq!(read(&appliers, &generation, 0), [(10, 1.0)]);
        assert_eq!(read(&appliers, &generation, 33), [(10, 2.0)]);
        assert!(appliers.may_have(&generation, 33, TimeRange::new(10, 10)));
        assert!(!appliers.may_have(&generation, 33, TimeRange::new(11, 20)));
        assert_eq!((appliers.stats().samples, appliers.stats().queued), (2, 0));
        assert!(appliers.memory_bytes() >= 2 * 64);
    }

    #[test]
    fn the_offender_is_the_first_in_the_request() {
        let (appliers, _) = appliers();
        assert_eq!(apply(&appliers, 1, &[(1, 10, 1.0), (2, 10, 1.0)]).written, 2);
        let samples = [(3, 10, 1.0), (2, 10, 2.0), (1, 10, 3.0), (1, 10, 1.0), (3, 10, 5.0)];
        let outcome = apply(&appliers, 2, &samples);
        assert_eq!((outcome.written, outcome.duplicate, outcome.conflict), (1, 1, 3));
        let offender = outcome.first_offender.unwrap();
        assert_eq!((offender.position, offender.sample.value), (1, 2.0));
        assert_eq!(offender.reason, crate::model::Reason::DuplicateSample);
    }

    #[test]
    fn an_empty_request_is_done_at_once() {
        let outcome = apply(&appliers().0, 1, &[]);
        assert_eq!((outcome.written, outcome.duplicate, outcome.conflict), (0, 0, 0));
    }

    /// Seals every shard and gives the generation that goes on.
    fn seal(appliers: &Appliers, number: u64) -> Arc<Generation> {
        let next = Generation::new(number, number + 1);
        let order = Seal { open_from: 0, next: next.clone() };
        appliers.push_seal(&Work::seal(order, || {}));
        while appliers.apply_once(&NothingOlder) {}
        next
    }

    #[test]
    fn a_sealed_generation_keeps_its_samples_and_what_follows_goes_to_the_next() {
        let (appliers, first) = appliers();
        apply(&appliers, 1, &[(0, 10, 1.0), (33, 10, 2.0), (33, 5, 3.0)]);
        let before = read(&appliers, &first, 33);
        let second = seal(&appliers, 1);
        assert!(first.is_sealed() && !second.is_sealed());
        assert_eq!(before, [(5, 3.0), (10, 2.0)]);
        assert_eq!(read(&appliers, &first, 33), before);
        assert_eq!(read(&appliers, &second, 33), []);
        assert_eq!(appliers.stats().samples, 0);
        apply(&appliers, 2, &[(33, 20, 4.0)]);
        assert_eq!(
            (read(&appliers, &first, 33), read(&appliers, &second, 33)),
            (before, vec![(20, 4.0)])
        );
        assert!(appliers.may_have(&first, 33, TimeRange::new(0, 7)));
        assert!(!appliers.may_have(&first, 1, TimeRange::ALL));
    }

    #[test]
    fn the_newest_sample_stays_known_across_a_seal() {
        let (appliers, _) = appliers();
        apply(&appliers, 1, &[(7, 10, 1.0)]);
        seal(&appliers, 1);
        assert_eq!(apply(&appliers, 2, &[(7, 10, 1.0)]).duplicate, 1);
        assert_eq!(apply(&appliers, 3, &[(7, 10, 2.0)]).conflict, 1);
        assert_eq!(apply(&appliers, 4, &[(7, 11, 2.0)]).written, 1);
    }

    #[test]
    fn a_shard_locked_by_a_reader_is_applied_all_the_same() {
        let (appliers, _) = appliers();
        let reader = appliers.shards[0].store.lock();
        std::thread::scope(|scope| {
            let applier = scope.spawn(|| apply(&appliers, 1, &[(0, 1, 1.0)]).written);
            while !appliers.shards[0].draining.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            drop(reader);
            assert_eq!(applier.join().unwrap(), 1);
        });
    }

    #[test]
    fn several_threads_keep_commit_order_and_report_once() {
        const REQUESTS: u64 = 400;
        const SLOTS: Slot = 70;
        let (appliers, generation) = appliers();
        let done = Arc::new((0..REQUESTS).map(|_| AtomicU64::new(0)).collect::<Vec<_>>());
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    loop {
                        let seen = appliers.wakes();
                        if !appliers.apply_once(&NothingOlder) && !appliers.wait(seen) {
                            break;
                        }
                    }
                });
            }
            for seq in 0..REQUESTS {
                // All requests write the same times, four requests each with another value: the first of them stays.
                let samples: Vec<_> =
                    (0..SLOTS).map(|slot| (slot, (seq / 4) as i64, seq as f64)).collect();
                let done = done.clone();
                let first = u64::from(seq % 4 == 0);
                appliers.push(
                    seq + 1,
                    &work(&samples, move |outcome| {
                        assert_eq!(outcome.written, u64::from(SLOTS) * first);
                        assert_eq!(outcome.conflict, u64::from(SLOTS) * (1 - first));
                        done[seq as usize].fetch_add(1, Ordering::SeqCst);
                    }),
                );
                appliers.wake();
            }
            while done.iter().any(|count| count.load(Ordering::SeqCst) == 0) {
                std::thread::yield_now();
            }
            appliers.close();
        });
        assert!(done.iter().all(|count| count.load(Ordering::SeqCst) == 1));
        let expected: Vec<_> = (0..REQUESTS / 4).map(|i| (i as i64, (i * 4) as f64)).collect();
        assert!((0..SLOTS).all(|slot| read(&appliers, &generation, slot) == expected));
    }
}

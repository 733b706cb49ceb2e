//! One request's samples on their way into the shards: sorted by shard once, then applied slice by slice by whichever thread
//! comes, and reported once when the last slice is done. Built by `db`, consumed by `apply`.

use super::generation::Generation;
use super::older::Older;
use super::series::{Appended, SeriesStore};
use crate::model::{Reason, Sample, Timestamp};
use crate::sync::{Arc, Mutex, MutexGuard};

/// Number of a series in the head, in order of appearance, dense from 0.
pub type Slot = u32;

/// Shards of the head: far more than threads, so that a thread seldom finds its shard taken, and few enough that a
/// request of 2,000 samples gives each shard a run of them. A model checker has threads meet sooner with two.
pub const SHARDS: usize = if cfg!(shuttle) { 2 } else { 32 };

/// Entries whose memory is asked for together: as many loads as a core has under way at a time, and one more.
const TOUCH_ENTRIES: usize = 16;

/// The shard of a series.
#[inline]
pub fn shard_of(slot: Slot) -> usize {
    slot as usize % SHARDS
}

/// The index of a series within its shard.
#[inline]
pub fn index_of(slot: Slot) -> usize {
    slot as usize / SHARDS
}

/// A sample and where it goes.
#[derive(Debug, Clone, Copy)]
struct Entry {
    sample: Sample,
    slot: Slot,
    /// Its number within the request.
    position: u32,
}

/// What became of a request's samples.
#[derive(Debug, Clone, Default)]
pub struct ApplyOutcome {
    pub written: u64,
    pub duplicate: u64,
    pub conflict: u64,
    /// The first sample, in the order of the request, that was not stored.
    pub first_offender: Option<ApplyOffender>,
}

/// A sample that was not stored.
#[derive(Debug, Clone, Copy)]
pub struct ApplyOffender {
    /// The number of the sample within the request.
    pub position: u32,
    pub sample: Sample,
    pub reason: Reason,
}

impl ApplyOutcome {
    fn merge(&mut self, other: ApplyOutcome) {
        self.written += other.written;
        self.duplicate += other.duplicate;
        self.conflict += other.conflict;
        let offenders = [self.first_offender, other.first_offender];
        self.first_offender = offenders.into_iter().flatten().min_by_key(|o| o.position);
    }
}

type OnDone = Box<dyn FnOnce(ApplyOutcome) + Send>;

/// The samples of one request, sorted by shard; or the order to seal every shard.
pub struct Work {
    entries: Vec<Entry>,
    starts: [u32; SHARDS + 1],
    seal: Option<Seal>,
    progress: Mutex<Progress>,
}

/// What a shard does when it comes to the place in commit order where a generation ends.
#[derive(Debug, Clone)]
pub struct Seal {
    /// The start of the oldest window that is not over.
    pub open_from: Timestamp,
    /// The generation with which the shards go on.
    pub next: Arc<Generation>,
}

struct Progress {
    /// Slices not applied yet.
    slices: usize,
    outcome: ApplyOutcome,
    on_done: Option<OnDone>,
}

impl Work {
    /// Sorts the samples of a request by shard, keeping their order within each. `runs` are the samples of one series
    /// after the other, each with the number of its first sample within the request. `on_done` is called once, by the
    /// thread that applies the last sample, without any lock held.
    pub fn new<'a>(
        runs: impl Iterator<Item = (Slot, u32, &'a [Sample])> + Clone,
        on_done: impl FnOnce(ApplyOutcome) + Send + 'static,
    ) -> Arc<Work> {
        let mut starts = [0u32; SHARDS + 1];
        for (slot, _, samples) in runs.clone() {
            starts[shard_of(slot) + 1] += samples.len() as u32;
        }
        let slices = starts.iter().filter(|count| **count > 0).count();
        for shard in 0..SHARDS {
            starts[shard + 1] += starts[shard];
        }
        let mut next = starts;
        let unset = Entry { sample: Sample::new(0, 0.0), slot: 0, position: 0 };
        let mut entries = vec![unset; starts[SHARDS] as usize];
        for (slot, first, samples) in runs {
            let at = &mut next[shard_of(slot)];
            for (sample, position) in samples.iter().zip(first..) {
                entries[*at as usize] = Entry { sample: *sample, slot, position };
                *at += 1;
            }
        }
        let outcome = ApplyOutcome::default();
        let progress = Progress { slices, outcome, on_done: Some(Box::new(on_done)) };
        Arc::new(Work { entries, starts, seal: None, progress: Mutex::new(progress) })
    }

    /// The order to seal every shard. `on_done` is called once, when all are.
    pub fn seal(seal: Seal, on_done: impl FnOnce() + Send + 'static) -> Arc<Work> {
        let progress = Progress {
            slices: SHARDS,
            outcome: ApplyOutcome::default(),
            on_done: Some(Box::new(|_| on_done())),
        };
        let (entries, starts) = (Vec::new(), [0; SHARDS + 1]);
        Arc::new(Work { entries, starts, seal: Some(seal), progress: Mutex::new(progress) })
    }

    /// Has no shard anything to do for it?
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.seal.is_none()
    }

    fn slice(&self, shard: usize) -> &[Entry] {
        &self.entries[self.starts[shard] as usize..self.starts[shard + 1] as usize]
    }

    /// The shards that have something to apply.
    pub(super) fn shards(&self) -> impl Iterator<Item = usize> + '_ {
        (0..SHARDS).filter(|shard| self.seal.is_some() || !self.slice(*shard).is_empty())
    }

    /// Applies the slice of one shard.
    pub(super) fn apply(
        &self,
        shard: usize,
        store: &mut SeriesStore,
        older: &dyn Older,
    ) -> ApplyOutcome {
        let mut outcome = ApplyOutcome::default();
        if let Some(Seal { open_from, next }) = &self.seal {
            store.seal(*open_from, next.clone());
        }
        for entries in self.slice(shard).chunks(TOUCH_ENTRIES) {
            store.touch(entries.iter().map(|entry| index_of(entry.slot)));
            for entry in entries {
                match store.append(index_of(entry.slot), entry.sample, older) {
                    Appended::Written => outcome.written += 1,
                    Appended::Duplicate => outcome.duplicate += 1,
                    Appended::Conflict => {
                        outcome.conflict += 1;
                        outcome.first_offender.get_or_insert(entry.offender());
                    }
                }
            }
        }
        outcome
    }

    /// Reports a slice as applied; the last one ends the work.
    pub(super) fn finish_slice(&self, outcome: ApplyOutcome) {
        let mut progress = self.progress.lock();
        progress.outcome.merge(outcome);
        progress.slices -= 1;
        finish_if_done(progress);
    }

    /// Ends a work that has no slices.
    pub(super) fn finish_if_done(&self) {
        finish_if_done(self.progress.lock());
    }
}

/// Calls `on_done` if no slice is left and nobody has called it.
fn finish_if_done(mut progress: MutexGuard<'_, Progress>) {
    if progress.slices > 0 {
        return;
    }
    let on_done = progress.on_done.take();
    let outcome = std::mem::take(&mut progress.outcome);
    drop(progress);
    if let Some(on_done) = on_done {
        on_done(outcome);
    }
}

impl Entry {
    fn offender(&self) -> ApplyOffender {
        ApplyOffender {
            position: self.position,
            sample: self.sample,
            reason: Reason::DuplicateSample,
        }
    }
}

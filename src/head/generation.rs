//! Generations: what the shards took between two seals. The open one lies in the stores of the shards; when it is sealed, each
//! shard, at the same place in commit order, leaves its samples here as immutable runs and goes on with an empty store.
//!
//! A query holds on to the generations that were there when it began. It asks each of them in the same way, wherever its
//! samples are at that moment; so nothing that it could see at its beginning goes away under it.

use super::run::{Part, Run, Runs, read_runs};
use super::work::{SHARDS, Slot, index_of, shard_of};
use crate::error::Corrupt;
use crate::model::{CommitSeq, TimeRange};
use crate::read::Columns;
use crate::sync::{Arc, OnceLock};

/// See the head of this file.
#[derive(Debug)]
pub struct Generation {
    pub number: u64,
    /// The sequence of the first request that it may hold.
    pub min_seq: CommitSeq,
    /// It was made of the log at a start, and may repeat what older layers have.
    pub is_replayed: bool,
    shards: [OnceLock<Runs>; SHARDS],
    max_seq: OnceLock<CommitSeq>,
}

impl Generation {
    /// An empty one that is open.
    pub fn new(number: u64, min_seq: CommitSeq) -> Arc<Generation> {
        Generation::with(number, min_seq, false)
    }

    /// An empty one to be filled with what a start replays.
    pub fn replayed(number: u64, min_seq: CommitSeq) -> Arc<Generation> {
        Generation::with(number, min_seq, true)
    }

    fn with(number: u64, min_seq: CommitSeq, is_replayed: bool) -> Arc<Generation> {
        Arc::new(Generation {
            number,
            min_seq,
            is_replayed,
            shards: std::array::from_fn(|_| OnceLock::new()),
            max_seq: OnceLock::new(),
        })
    }

    /// No request with a higher sequence goes into it. Before the shards are sealed.
    pub fn end_at(&self, max_seq: CommitSeq) {
        self.max_seq.set(max_seq).expect("a generation ends once");
    }

    /// The sequence of the last request it may hold, once that is known.
    pub fn max_seq(&self) -> Option<CommitSeq> {
        self.max_seq.get().copied()
    }

    /// Takes what a shard held.
    pub fn seal_shard(&self, shard: usize, runs: Runs) {
        self.shards[shard].set(runs).expect("a shard is sealed once");
    }

    /// What a shard held, once it is sealed.
    pub fn shard(&self, shard: usize) -> Option<&Runs> {
        self.shards[shard].get()
    }

    /// Appends what a sealed shard has of a series, in order of time, and perhaps samples around the range.
    pub fn read_sealed(
        &self,
        slot: Slot,
        range: TimeRange,
        out: &mut Columns,
    ) -> Result<(), Corrupt> {
        match self.shard(shard_of(slot)) {
            Some(runs) => read_runs(runs, index_of(slot) as u32, range, out),
            None => Ok(()),
        }
    }

    /// Is every shard sealed?
    pub fn is_sealed(&self) -> bool {
        self.shards.iter().all(|shard| shard.get().is_some())
    }

    /// The parts it has samples of, ascending. Complete once it is sealed.
    pub fn parts(&self) -> Vec<Part> {
        let runs = self.shards.iter().filter_map(OnceLock::get);
        let mut parts: Vec<Part> = runs.flat_map(|runs| runs.keys().copied()).collect();
        parts.sort_unstable();
        parts.dedup();
        parts
    }

    fn runs(&self) -> impl Iterator<Item = &Run> {
        self.shards.iter().filter_map(OnceLock::get).flat_map(|runs| runs.values())
    }

    /// First and last timestamp of a part.
    pub fn part_range(&self, part: Part) -> TimeRange {
        let runs = self.shards.iter().filter_map(OnceLock::get);
        union(runs.filter_map(|runs| runs.get(&part)))
    }

    /// First and last timestamp of what is sealed.
    pub fn range(&self) -> TimeRange {
        union(self.runs())
    }

    pub fn samples(&self) -> u64 {
        self.runs().map(|run| run.samples).sum()
    }

    pub fn memory_bytes(&self) -> usize {
        self.runs().map(Run::memory_bytes).sum()
    }
}

fn union<'a>(runs: impl Iterator<Item = &'a Run>) -> TimeRange {
    let mut range = TimeRange::EMPTY;
    for run in runs.filter(|run| !run.range.is_empty()) {
        range.include(run.range.mint);
        range.include(run.range.maxt);
    }
    range
}

//! Tests of the log as a whole, on the simulated disk. Here is what they share: a session that writes and
//! remembers what was acknowledged, and the judge of what a replay gives back.

mod commit;
mod crash;
mod damage;
mod faults;
mod front;
mod mistaken;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::*;
use crate::fs::Disk;
use crate::fs::sim::SimDisk;
use crate::model::{CommitSeq, Labels, Sample, SeriesRef};
use crate::sync::Arc;

/// What a replay gave: each sequence with its payload.
type Log = Vec<(CommitSeq, Vec<u8>)>;

fn dir() -> &'static Path {
    Path::new("/")
}

fn segment_path(number: u64) -> PathBuf {
    segment::path(Path::new("/wal"), number)
}

/// Segments of a few frames, and nonces that are the same in every run.
fn options() -> WalOptions {
    WalOptions { segment_bytes: 300, nonce: |segment| segment.wrapping_mul(0x9e37_79b9_7f4a_7c15) }
}

/// A record like no other: `id` is in its labels and values.
fn record(id: u64) -> Vec<u8> {
    let (mut builder, mut out) = (RecordBuilder::new(), Vec::new());
    let id_text = id.to_string();
    builder.define(SeriesRef(id), &Labels::from_pairs([("__name__", "m"), ("id", &id_text)]));
    for i in 0..1 + id % 3 {
        let sample = Sample::new(1000 * i as i64, f64::from_bits(id * 0x0101_0101_0101 + i));
        builder.push(SeriesRef(id), sample);
    }
    builder.finish(&mut out);
    out
}

/// Writes a record anew. The format has one encoding for one content, so equal bytes are equal content.
fn encoded_again(record: &Record<'_>) -> Vec<u8> {
    let (mut builder, mut out) = (RecordBuilder::new(), Vec::new());
    record.definitions().for_each(|(series, labels)| builder.define(series, &labels));
    record.samples().for_each(|(series, sample)| builder.push(series, sample));
    builder.finish(&mut out);
    out
}

fn replay_all(disk: &dyn Disk) -> Result<(ReplayReport, Log), WalError> {
    replay_after(disk, 0)
}

fn replay_after(disk: &dyn Disk, after: CommitSeq) -> Result<(ReplayReport, Log), WalError> {
    let mut log = Vec::new();
    let report = replay(disk, dir(), after, &mut |seq, record| {
        log.push((seq, encoded_again(record)));
        Ok(())
    })?;
    Ok((report, log))
}

/// What the world knows: every record handed in, those acknowledged with their sequence, and up to which of these they are
/// durable elsewhere.
#[derive(Debug, Clone, Default)]
struct Known {
    next_id: u64,
    acked: BTreeMap<CommitSeq, u64>,
    after: CommitSeq,
}

impl Known {
    /// Judges a replay after a crash.
    fn judge(&self, report: &ReplayReport, log: &Log) -> Result<(), String> {
        let seqs: Vec<CommitSeq> = log.iter().map(|(seq, _)| *seq).collect();
        if seqs != (self.after + 1..=report.last_seq).collect::<Vec<_>>() {
            return Err(format!("sequences {seqs:?}, last {}", report.last_seq));
        }
        if let Some(damage) = report.damages.first() {
            return Err(format!("damage where none was done: {damage:?}"));
        }
        let mut ids = BTreeMap::new();
        for (seq, payload) in log {
            let id = (0..self.next_id).find(|id| record(*id) == *payload);
            let id = id.ok_or(format!("sequence {seq} is invented"))?;
            if let Some(before) = ids.insert(id, *seq) {
                return Err(format!("record {id} is there as {before} and as {seq}"));
            }
        }
        for (seq, id) in self.acked.range(self.after + 1..) {
            if ids.get(id) != Some(seq) {
                return Err(format!("acknowledged record {id} with sequence {seq} is lost"));
            }
        }
        Ok(())
    }
}

/// An open log and its history.
struct Session {
    sim: SimDisk,
    queue: Arc<CommitQueue<u64>>,
    committer: Committer<u64>,
    known: Known,
    /// `known` at each note.
    history: Vec<Known>,
    now: Instant,
}

impl Session {
    fn open(sim: &SimDisk, known: Known) -> Result<Session, String> {
        Session::open_through(sim, Arc::new(sim.clone()), known)
    }

    /// Recovers, and judges what is there.
    fn open_through(sim: &SimDisk, disk: Arc<dyn Disk>, known: Known) -> Result<Session, String> {
        let (report, log) = replay_after(&*disk, known.after).map_err(|error| error.to_string())?;
        known.judge(&report, &log)?;
        let queue = Arc::new(CommitQueue::default());
        let now = Instant::now();
        let committer = Committer::start(disk, dir(), options(), &report, queue.clone(), now);
        let sim = sim.clone();
        Ok(Session { sim, queue, committer, known, history: Vec::new(), now })
    }

    /// One group of so many records. Returns whether it was acknowledged.
    fn commit(&mut self, count: u64) -> bool {
        for _ in 0..count {
            let id = self.known.next_id;
            self.known.next_id += 1;
            self.queue.push(record(id), id).unwrap();
        }
        let group = self.committer.commit_once(self.now);
        let acked = group.outcome.is_ok();
        if let Ok(first_seq) = group.outcome {
            self.known.acked.extend((first_seq..).zip(group.tokens));
        }
        self.note();
        acked
    }

    /// Everything acknowledged becomes durable elsewhere, and the segment ends.
    fn seal(&mut self) {
        self.known.after = self.committer.next_seq() - 1;
        self.note();
        self.committer.rotate();
    }

    /// Removes what is not needed any more.
    fn cut(&self) -> Cut {
        self.committer.front().cut(self.known.after)
    }

    fn note(&mut self) {
        self.sim.note(self.history.len() as u64);
        self.history.push(self.known.clone());
    }

    fn pass(&mut self, duration: Duration) {
        self.now += duration;
    }

    /// The process dies and another takes over.
    fn kill(&self) -> Result<Session, String> {
        let mut next = Session::open(&self.sim.kill(), self.known.clone())?;
        next.history = self.history.clone();
        Ok(next)
    }

    /// What was known when the power was cut: records handed in later are not on the disk, but those handed
    /// in since the last note may be.
    fn known_at(&self, notes: &[u64]) -> Known {
        let noted = notes.last().map(|note| self.history[*note as usize].clone());
        Known { next_id: self.known.next_id, ..noted.unwrap_or_default() }
    }
}

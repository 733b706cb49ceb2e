//! Group commit: everything that queued while the disk was busy becomes one append and one sync. One thread
//! owns the [`Committer`] and steps it; tests step it by hand. It knows nothing of what a token is for.
//!
//! When a group cannot be written, not even into a new file, its tokens come back with the cause, and writes
//! are refused at once until an attempt, at most one a second, succeeds.

use std::path::Path;
use std::time::{Duration, Instant};

use super::front::Front;
use super::layout::WAL_PROBE_INTERVAL_MS;
use super::queue::{CommitQueue, Taken};
use super::replay::ReplayReport;
use super::stats::WalStats;
use super::writer::{LogWriter, WalOptions};
use super::{WalError, layout};
use crate::fs::Disk;
use crate::model::CommitSeq;
use crate::sync::Arc;

/// Time between attempts to write again after the disk refused.
pub const PROBE_INTERVAL: Duration = Duration::from_millis(WAL_PROBE_INTERVAL_MS);

/// Turns what is queued into durable groups.
pub struct Committer<T> {
    queue: Arc<CommitQueue<T>>,
    log: LogWriter,
    stats: Arc<WalStats>,
    trouble: Option<Trouble>,
}

/// Why nothing is written at present.
struct Trouble {
    cause: Arc<WalError>,
    probe_at: Instant,
}

/// What became of one step.
#[derive(Debug)]
pub struct Group<T> {
    /// The sequence of the first token, those of the others follow without holes, and all are durable. Or why
    /// none of them is stored.
    pub outcome: Result<CommitSeq, Arc<WalError>>,
    /// Why the group had to be written once more, into a new file.
    pub first_error: Option<WalError>,
    /// In the order in which they were pushed.
    pub tokens: Vec<T>,
}

impl<T> Committer<T> {
    /// Goes on with the log in the data directory `dir` where a replay of it ended, in a new segment. A disk
    /// that refuses that is no error: then the log begins read-only.
    pub fn start(
        disk: Arc<dyn Disk>,
        dir: &Path,
        options: WalOptions,
        replayed: &ReplayReport,
        queue: Arc<CommitQueue<T>>,
        now: Instant,
    ) -> Committer<T> {
        let stats = Arc::new(WalStats::default());
        stats.grow_tail(replayed.bytes);
        let dir = dir.join(layout::WAL_DIR);
        let log = LogWriter::new(disk, &dir, options, replayed.resume.clone(), stats.clone());
        let mut committer = Committer { queue, log, stats, trouble: None };
        let begun = committer.log.begin_segment().or_else(|_| committer.log.begin_segment());
        committer.note(begun.map_err(Arc::new).err(), now);
        committer
    }

    /// Takes everything queued and makes it durable, or says why not. With nothing queued it only looks
    /// whether a disk that refused takes writes again.
    pub fn commit_once(&mut self, now: Instant) -> Group<T> {
        let Taken { payloads, tokens } = self.queue.take();
        let mut first_error = None;
        let outcome = self.commit(&payloads, now, &mut first_error);
        self.queue.release(&payloads);
        if !tokens.is_empty() {
            match outcome {
                Ok(_) => self.stats.count_group(tokens.len()),
                Err(_) => self.stats.count_failed_group(),
            }
        }
        Group { outcome, first_error, tokens }
    }

    /// Ends the segment: the next group begins a new one, so that the log can be cut exactly behind what is in it now.
    pub fn rotate(&mut self) {
        self.log.rotate();
        // At once, so that the segment that ended can go. If the disk refuses, the next group tries again.
        let _ = self.log.begin_if_none();
    }

    /// The front of this log, for whoever cuts it, from any thread and as long as they like.
    pub fn front(&self) -> Front {
        self.log.front()
    }

    /// Marks the end of the log as known good.
    ///
    /// # Errors
    /// The mark could not be written. Everything acknowledged is safe all the same.
    pub fn close(mut self) -> Result<(), WalError> {
        self.log.append_mark()
    }

    pub fn stats(&self) -> Arc<WalStats> {
        self.stats.clone()
    }

    /// Why nothing is written at present.
    pub fn trouble(&self) -> Option<&WalError> {
        self.trouble.as_ref().map(|trouble| &*trouble.cause)
    }

    /// The sequence that the next payload gets.
    pub fn next_seq(&self) -> CommitSeq {
        self.log.next_seq()
    }

    fn commit(
        &mut self,
        payloads: &[Vec<u8>],
        now: Instant,
        first_error: &mut Option<WalError>,
    ) -> Result<CommitSeq, Arc<WalError>> {
        match &self.trouble {
            Some(trouble) if now < trouble.probe_at => return Err(trouble.cause.clone()),
            None if payloads.is_empty() => return Ok(self.log.next_seq()),
            _ => {}
        }
        let outcome = self.log.append_group(payloads).or_else(|error| {
            *first_error = Some(error);
            self.log.append_group(payloads).map_err(Arc::new)
        });
        self.note(outcome.as_ref().err().cloned(), now);
        outcome
    }

    fn note(&mut self, cause: Option<Arc<WalError>>, now: Instant) {
        self.stats.set_read_only(cause.is_some());
        self.trouble = cause.map(|cause| Trouble { cause, probe_at: now + PROBE_INTERVAL });
    }
}

//! From a batch to a record in the commit queue: check the disk, the queue and the clock, resolve the series, encode, queue. And back: from what
//! commit and apply say to the answer of the request.

use std::fmt;
use std::time::Duration;

use super::Core;
use crate::head::registry::{NO_SERIES, NO_SLOT, Resolution};
use crate::head::work::{ApplyOutcome, Work};
use crate::model::batch::Offender;
use crate::model::{Batch, Item, Outcome, Reason, Sample, SeriesRef, TimeRange, Timestamp};
use crate::sync::{Arc, Mutex, Ordering};
use crate::wal::layout::WAL_QUEUE_MAX_BYTES;
use crate::wal::{RecordBuilder, Refusal};

/// A sample further ahead of the clock than this is refused: its sender's clock is wrong, and it would hide what
/// follows. Prometheus' figure.
pub const FUTURE_MAX_MS: i64 = 10 * 60 * 1000;

/// A sender should wait this long when memory is full: the queue is written in less, and so is a spill's first part.
const RETRY_AFTER_OVERLOAD: Duration = Duration::from_secs(1);
/// A sender should wait this long when the disk refuses: a probe runs every second.
const RETRY_AFTER_READ_ONLY: Duration = Duration::from_secs(5);

/// Bytes that a sample takes in a record at least: a varint of its ref and its value.
const RECORD_SAMPLE_MIN_BYTES: usize = 1 + 8;

/// The buffers of a request with more samples than this are not kept: usual requests have fewer.
const SCRATCH_KEPT_SAMPLES_MAX: usize = 20_000;
/// Nor are those of a longer body, which bounds what label text the buffers hold.
const SCRATCH_KEPT_BODY_MAX_BYTES: usize = 1 << 20;

/// What memory is full of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overload {
    /// Requests that wait for the WAL thread.
    Queue,
    /// Samples and series, to their budget.
    Budget,
}

/// Why a whole batch was not taken. Nothing of it is stored, and sending it again is right unless it is too large.
#[derive(Debug, Clone)]
pub enum SubmitError {
    /// There is no room in memory: try again after the given time.
    Overloaded { of: Overload, retry_after: Duration },
    /// The disk refuses writes (full, failing): the text says what it said.
    ReadOnly { cause: String, retry_after: Duration },
    /// Larger than a record of the log may be: sending the same again is useless.
    TooLarge,
    /// The database is shutting down.
    Closed,
}

impl fmt::Display for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SubmitError::Overloaded { of: Overload::Queue, .. } => {
                f.write_str("too many writes wait for the disk; try again")
            }
            SubmitError::Overloaded { of: Overload::Budget, .. } => f.write_str(
                "samples and series take more memory than --storage.memory-budget; try again \
                 when some are written to files",
            ),
            SubmitError::ReadOnly { cause, .. } => {
                write!(f, "writes are refused until the disk takes them again: {cause}")
            }
            SubmitError::TooLarge => {
                f.write_str("the request is too large for the log; send smaller requests")
            }
            SubmitError::Closed => f.write_str("the server is shutting down"),
        }
    }
}

impl std::error::Error for SubmitError {}

/// Where the answer of a request goes.
pub type OnDone = Box<dyn FnOnce(Result<Outcome, SubmitError>) + Send>;

/// A request between the commit queue and its answer.
pub(super) struct Pending {
    pub(super) work: Arc<Work>,
    /// The series its record defines.
    pub(super) defined: Vec<SeriesRef>,
    reply: Arc<Mutex<Option<Reply>>>,
}

/// What is known of a request's outcome before it is applied, and whom to tell.
struct Reply {
    outcome: Outcome,
    on_done: OnDone,
}

/// Buffers of one call of `submit`, used again by the next.
#[derive(Default)]
pub(super) struct Scratch {
    resolution: Resolution,
    record: RecordBuilder,
}

impl Pending {
    /// Answers a request of which nothing is stored.
    pub(super) fn refuse(self, error: SubmitError) {
        if let Some(reply) = self.reply.lock().take() {
            (reply.on_done)(Err(error));
        }
    }
}

impl Core {
    pub(super) fn submit(&self, mut batch: Batch, on_done: OnDone) {
        if let Err(refused) = self.check_taking(&batch) {
            return on_done(Err(refused));
        }
        let mut outcome = std::mem::take(&mut batch.rejected);
        leave_out_untimely(&mut batch, self.accepted_times(), &mut outcome);
        let keeps_scratch = batch.samples.len() <= SCRATCH_KEPT_SAMPLES_MAX
            && batch.body.len() <= SCRATCH_KEPT_BODY_MAX_BYTES;
        // Before the buffers are taken: those that know a registry that was are gone when it is held.
        let _intake = self.intake.read();
        let mut scratch = self.scratch.lock().pop().unwrap_or_default();
        self.submit_with(&mut scratch, batch, Reply { outcome, on_done });
        if keeps_scratch {
            scratch.resolution.drop_labels();
            self.scratch.lock().push(scratch);
        }
    }

    /// Says no before any series is created for a request that would be refused.
    fn check_taking(&self, batch: &Batch) -> Result<(), SubmitError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(SubmitError::Closed);
        }
        if self.wal_stats.read_only()
            && let Some(cause) = &*self.read_only_cause.lock()
        {
            return Err(read_only(cause));
        }
        if self.memory_bytes.load(Ordering::Relaxed) > self.limits.memory_budget_bytes {
            return Err(overloaded(Overload::Budget));
        }
        let queued = self.queue.bytes();
        let least = batch.samples.len() * RECORD_SAMPLE_MIN_BYTES;
        if queued > 0 && queued + least > WAL_QUEUE_MAX_BYTES {
            return Err(overloaded(Overload::Queue));
        }
        Ok(())
    }

    /// Samples of other times are rejected.
    fn accepted_times(&self) -> TimeRange {
        let now = (self.clock)();
        let age_max_ms = self.limits.accepted_age_max_ms;
        let oldest = age_max_ms.map_or(Timestamp::MIN, |age_ms| now.saturating_sub(age_ms));
        TimeRange::new(oldest, now.saturating_add(FUTURE_MAX_MS))
    }

    fn submit_with(&self, scratch: &mut Scratch, batch: Batch, mut reply: Reply) {
        let Scratch { resolution, record } = scratch;
        self.head().registry.resolve(&batch, resolution);
        reply.outcome.merge(std::mem::take(&mut resolution.outcome));
        record.clear();
        for (item, series) in batch.items.iter().zip(&resolution.refs) {
            if *series != NO_SERIES {
                batch.samples_of(item).iter().for_each(|sample| record.push(*series, *sample));
            }
        }
        if record.is_empty() {
            return (reply.on_done)(Ok(reply.outcome));
        }
        resolution.definitions.iter().for_each(|(series, labels)| record.define(*series, labels));
        self.enqueue(resolution, record, Arc::new(batch), reply);
    }

    fn enqueue(
        &self,
        resolution: &Resolution,
        record: &mut RecordBuilder,
        batch: Arc<Batch>,
        reply: Reply,
    ) {
        let reply = Arc::new(Mutex::new(Some(reply)));
        let (sent, answer) = (batch.clone(), reply.clone());
        let slots = batch.items.iter().zip(&resolution.slots).filter(|(_, slot)| **slot != NO_SLOT);
        let runs = slots.map(|(item, slot)| (*slot, item.sample_start, batch.samples_of(item)));
        let work = Work::new(runs, move |applied| {
            if let Some(Reply { outcome, on_done }) = answer.lock().take() {
                on_done(Ok(completed(outcome, applied, &sent)));
            }
        });
        let defined = resolution.definitions.iter().map(|(series, _)| *series).collect();
        let mut payload = Vec::new();
        record.finish(&mut payload);
        if let Err(refused) = self.queue.push(payload, Pending { work, defined, reply }) {
            refused.token.refuse(match refused.refusal {
                Refusal::Closed => SubmitError::Closed,
                Refusal::Full => overloaded(Overload::Queue),
                Refusal::TooLarge => SubmitError::TooLarge,
            });
        }
    }

    /// Answers a group that could not be written. Later requests are told the same until the disk takes writes again.
    pub(super) fn refuse_group(&self, group: Vec<Pending>, cause: &dyn fmt::Display) {
        let cause = cause.to_string();
        *self.read_only_cause.lock() = Some(cause.clone());
        group.into_iter().for_each(|pending| pending.refuse(read_only(&cause)));
    }
}

fn overloaded(of: Overload) -> SubmitError {
    SubmitError::Overloaded { of, retry_after: RETRY_AFTER_OVERLOAD }
}

fn read_only(cause: &str) -> SubmitError {
    SubmitError::ReadOnly { cause: cause.to_string(), retry_after: RETRY_AFTER_READ_ONLY }
}

/// Rejects the samples that are too old or too far ahead of the clock, so that no series is created for them.
fn leave_out_untimely(batch: &mut Batch, accepted: TimeRange, outcome: &mut Outcome) {
    if batch.samples.iter().all(|sample| accepted.contains(sample.timestamp)) {
        return;
    }
    let sent = batch.clone();
    batch.items.clear();
    batch.samples.clear();
    for item in &sent.items {
        let sample_start = batch.samples.len() as u32;
        for sample in sent.samples_of(item) {
            match accepted.contains(sample.timestamp) {
                true => batch.samples.push(*sample),
                false => reject_untimely(outcome, &sent, item, sample, accepted),
            }
        }
        let sample_count = batch.samples.len() as u32 - sample_start;
        if sample_count > 0 {
            batch.items.push(Item { sample_start, sample_count, ..*item });
        }
    }
}

fn reject_untimely(
    outcome: &mut Outcome,
    batch: &Batch,
    item: &Item,
    sample: &Sample,
    accepted: TimeRange,
) {
    let (reason, end, limit) = match sample.timestamp < accepted.mint {
        true => (Reason::TooOld, "oldest", accepted.mint),
        false => (Reason::TooFarInFuture, "newest", accepted.maxt),
    };
    outcome.reject(reason, 1, || Offender {
        reason,
        series: series_text(batch, item),
        timestamp: Some(sample.timestamp),
        detail: format!("the {end} accepted now is {limit}"),
    });
}

/// The series of an item from its own bytes: the index may be locked for long by a query.
fn series_text(batch: &Batch, item: &Item) -> String {
    (batch.decode_labels)(batch.key(item)).map_or_else(|e| e, |labels| labels.to_string())
}

/// The outcome of a request once its samples are applied.
fn completed(mut outcome: Outcome, applied: ApplyOutcome, batch: &Batch) -> Outcome {
    outcome.written += applied.written;
    outcome.duplicate += applied.duplicate;
    if let Some(first) = applied.first_offender {
        let run = |item: &Item| item.sample_start..item.sample_start + item.sample_count;
        let item = batch.items.iter().find(|item| run(item).contains(&first.position));
        outcome.reject(first.reason, applied.conflict, || Offender {
            reason: first.reason,
            series: item.map_or_else(String::new, |item| series_text(batch, item)),
            timestamp: Some(first.sample.timestamp),
            detail: format!("the value {} is not the one stored before", first.sample.value),
        });
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::super::{Db, Options, Threads};
    use super::*;
    use crate::fs::sim::SimDisk;
    use crate::model::Labels;
    use bytes::Bytes;

    fn open() -> Arc<Db> {
        let disk = Arc::new(SimDisk::new());
        let threads = Threads::Stepped;
        Db::open(Options { disk, threads, ..Options::new("data") }).unwrap()
    }

    fn decode(raw_key: &[u8]) -> Result<Labels, String> {
        let text = std::str::from_utf8(raw_key).map_err(|e| e.to_string())?;
        Ok(Labels::from_pairs([("__name__", text)]))
    }

    /// One series with this many samples.
    fn batch(name: &'static str, samples: usize) -> Batch {
        let key_len = name.len() as u32;
        let sample_count = samples as u32;
        Batch {
            body: Bytes::from_static(name.as_bytes()),
            items: vec![Item { key_offset: 0, key_len, sample_start: 0, sample_count }],
            samples: (0..samples).map(|i| Sample::new(i as i64, 1.0)).collect(),
            decode_labels: decode,
            rejected: Outcome::default(),
        }
    }

    fn submit(db: &Db, batch: Batch) -> Arc<Mutex<Option<Result<Outcome, SubmitError>>>> {
        let answer = Arc::new(Mutex::new(None));
        let to = answer.clone();
        db.submit(batch, move |outcome| *to.lock() = Some(outcome));
        answer
    }

    /// Puts a payload into the commit queue for which nobody waits.
    fn fill_queue(db: &Db, bytes: usize) {
        let (work, reply) = (Work::new(std::iter::empty(), |_| {}), Arc::default());
        let pending = Pending { work, defined: Vec::new(), reply };
        db.core.queue.push(vec![0; bytes], pending).unwrap();
    }

    #[test]
    fn a_request_that_finds_the_queue_full_creates_no_series() {
        let db = open();
        fill_queue(&db, WAL_QUEUE_MAX_BYTES - 2_000);
        let refused = submit(&db, batch("large", 1_000)).lock().take().unwrap();
        assert!(matches!(refused, Err(SubmitError::Overloaded { .. })));
        assert_eq!(db.stats().registry.series_count, 0);
        assert!(submit(&db, batch("small", 10)).lock().is_none(), "it waits in the queue");
        assert_eq!(db.stats().registry.series_count, 1);
    }

    #[test]
    fn a_request_that_comes_while_memory_is_over_its_budget_creates_no_series() {
        let db = open();
        let budget = db.core.limits.memory_budget_bytes;
        db.core.memory_bytes.store(budget + 1, Ordering::Relaxed);
        let refused = submit(&db, batch("small", 1)).lock().take().unwrap();
        let of_budget =
            |e: &SubmitError| matches!(e, SubmitError::Overloaded { of: Overload::Budget, .. });
        assert!(refused.is_err_and(|error| of_budget(&error)));
        assert_eq!(db.stats().registry.series_count, 0);
        db.core.memory_bytes.store(budget, Ordering::Relaxed);
        assert!(submit(&db, batch("small", 1)).lock().is_none(), "it waits in the queue");
    }

    #[test]
    fn buffers_of_usual_requests_are_kept_and_hold_no_labels() {
        let db = open();
        submit(&db, batch("small", 1));
        assert_eq!(db.core.scratch.lock().len(), 1);
        assert!(db.core.scratch.lock()[0].resolution.definitions.is_empty());
        submit(&db, batch("large", SCRATCH_KEPT_SAMPLES_MAX + 1));
        assert_eq!(db.core.scratch.lock().len(), 0);
    }
}

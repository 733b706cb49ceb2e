//! From a batch to a record in the commit queue: resolve the series, check the clock, encode, queue. And back: from what
//! commit and apply say to the answer of the request.

use std::fmt;
use std::time::Duration;

use super::Core;
use crate::head::Head;
use crate::head::registry::{NO_SLOT, Resolution};
use crate::head::work::{ApplyOutcome, Work, WorkBuilder};
use crate::model::batch::Offender;
use crate::model::{Batch, Item, Outcome, Reason, Sample, SeriesRef, Timestamp};
use crate::sync::{Arc, Mutex, Ordering};
use crate::wal::{RecordBuilder, Refusal};

/// A sample further ahead of the clock than this is refused: its sender's clock is wrong, and it would hide what
/// follows. Prometheus' figure.
pub const FUTURE_MAX_MS: i64 = 10 * 60 * 1000;

/// A sender should wait this long when too much is queued: the queue is written in less.
const RETRY_AFTER_OVERLOAD: Duration = Duration::from_secs(1);
/// A sender should wait this long when the disk refuses: a probe runs every second.
const RETRY_AFTER_READ_ONLY: Duration = Duration::from_secs(5);

/// Why a whole batch was not taken. Nothing of it is stored, and sending it again is right.
#[derive(Debug, Clone)]
pub enum SubmitError {
    /// More is waiting to be written than memory allows: try again after the given time.
    Overloaded { retry_after: Duration },
    /// The disk refuses writes (full, failing): the text says what it said.
    ReadOnly { cause: String, retry_after: Duration },
    /// The database is shutting down.
    Closed,
}

impl fmt::Display for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SubmitError::Overloaded { .. } => {
                f.write_str("too many writes wait for the disk; try again")
            }
            SubmitError::ReadOnly { cause, .. } => {
                write!(f, "writes are refused until the disk takes them again: {cause}")
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
    pub(super) fn submit(&self, batch: &Batch, on_done: OnDone) {
        if self.closed.load(Ordering::SeqCst) {
            return on_done(Err(SubmitError::Closed));
        }
        let mut scratch = self.scratch.lock().pop().unwrap_or_default();
        self.submit_with(&mut scratch, batch, on_done);
        self.scratch.lock().push(scratch);
    }

    fn submit_with(&self, scratch: &mut Scratch, batch: &Batch, on_done: OnDone) {
        let Scratch { resolution, record } = scratch;
        self.head.registry.resolve(batch, resolution);
        let mut outcome = batch.rejected.clone();
        outcome.merge(std::mem::take(&mut resolution.outcome));
        let mut work = WorkBuilder::with_capacity(batch.samples.len());
        let newest = (self.clock)() + FUTURE_MAX_MS;
        record.clear();
        for (index, item) in batch.items.iter().enumerate() {
            if resolution.slots[index] == NO_SLOT {
                continue;
            }
            for sample in batch.samples_of(item) {
                if sample.timestamp > newest {
                    reject_future(&mut outcome, batch, item, sample, newest);
                    continue;
                }
                work.push(resolution.slots[index], *sample);
                record.push(resolution.refs[index], *sample);
            }
        }
        if record.is_empty() {
            return on_done(Ok(outcome));
        }
        resolution.definitions.iter().for_each(|(series, labels)| record.define(*series, labels));
        let defined = resolution.definitions.drain(..).map(|(series, _)| series).collect();
        self.enqueue(record, work, defined, Reply { outcome, on_done });
    }

    fn enqueue(
        &self,
        record: &mut RecordBuilder,
        work: WorkBuilder,
        defined: Vec<SeriesRef>,
        reply: Reply,
    ) {
        let reply = Arc::new(Mutex::new(Some(reply)));
        let (head, answer) = (self.head.clone(), reply.clone());
        let work = work.finish(move |applied| {
            if let Some(Reply { outcome, on_done }) = answer.lock().take() {
                on_done(Ok(completed(outcome, applied, &head)));
            }
        });
        let mut payload = Vec::new();
        record.finish(&mut payload);
        if let Err(refused) = self.queue.push(payload, Pending { work, defined, reply }) {
            refused.token.refuse(match refused.refusal {
                Refusal::Closed => SubmitError::Closed,
                Refusal::Full | Refusal::TooLarge => {
                    SubmitError::Overloaded { retry_after: RETRY_AFTER_OVERLOAD }
                }
            });
        }
    }
}

/// The error for requests whose group could not be written.
pub(super) fn read_only(cause: &dyn fmt::Display) -> SubmitError {
    SubmitError::ReadOnly { cause: cause.to_string(), retry_after: RETRY_AFTER_READ_ONLY }
}

fn reject_future(
    outcome: &mut Outcome,
    batch: &Batch,
    item: &Item,
    sample: &Sample,
    newest: Timestamp,
) {
    outcome.reject(Reason::TooFarInFuture, 1, || Offender {
        reason: Reason::TooFarInFuture,
        series: (batch.decode_labels)(batch.key(item)).map_or_else(|e| e, |l| l.to_string()),
        timestamp: Some(sample.timestamp),
        detail: format!("the newest accepted now is {newest}"),
    });
}

/// The outcome of a request once its samples are applied.
fn completed(mut outcome: Outcome, applied: ApplyOutcome, head: &Head) -> Outcome {
    outcome.written += applied.written;
    outcome.duplicate += applied.duplicate;
    if let Some(first) = applied.first_offender {
        outcome.reject(first.reason, applied.conflict, || Offender {
            reason: first.reason,
            series: head.registry.labels(first.slot).to_string(),
            timestamp: Some(first.sample.timestamp),
            detail: format!("the value {} is not the one stored before", first.sample.value),
        });
    }
    outcome
}

//! The database: opens a directory, takes batches, gives views. For now everything is in plain memory.

use std::fmt;
use std::time::Duration;

use crate::model::{Batch, Matcher, Outcome, Reason, TimeRange};
use crate::read::memory::MemorySource;
use crate::read::{ReadError, SeriesSet, Source};
use crate::sync::{Arc, Mutex, RwLock};

/// An open database.
pub struct Db {
    memory: RwLock<MemorySource>,
    closed: Mutex<bool>,
}

impl Default for Db {
    fn default() -> Db {
        Db { memory: RwLock::new(MemorySource::new()), closed: Mutex::new(false) }
    }
}

impl Db {
    /// Takes a batch. Never blocks on the disk; `on_done` is called once, from another thread or this one, when every
    /// sample of the batch is durable and visible, or with the reason why none of it is stored.
    pub fn submit(
        &self,
        batch: Batch,
        on_done: impl FnOnce(Result<Outcome, SubmitError>) + Send + 'static,
    ) {
        if *self.closed.lock() {
            return on_done(Err(SubmitError::Closed));
        }
        let mut outcome = batch.rejected.clone();
        for item in &batch.items {
            let labels = match (batch.decode_labels)(batch.key(item)) {
                Ok(labels) => labels,
                Err(_) => {
                    outcome.rejected[Reason::InvalidLabels as usize] += 1;
                    continue;
                }
            };
            for sample in batch.samples_of(item) {
                self.memory.write().add(&labels, sample.timestamp, sample.value);
                outcome.written += 1;
            }
        }
        on_done(Ok(outcome));
    }

    /// Everything acknowledged before this call.
    pub fn view(self: &Arc<Db>) -> View {
        View { db: self.clone() }
    }

    /// Takes no more batches, finishes those taken, releases the directory.
    ///
    /// # Errors
    /// What was acknowledged is safe, but the last files could not be closed cleanly.
    pub fn close(&self) -> std::io::Result<()> {
        *self.closed.lock() = true;
        Ok(())
    }
}

/// What a query reads.
pub struct View {
    db: Arc<Db>,
}

impl Source for View {
    fn select(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Box<dyn SeriesSet>, ReadError> {
        self.db.memory.read().select(matchers, range)
    }

    fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, ReadError> {
        self.db.memory.read().label_names(matchers, range)
    }

    fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, ReadError> {
        self.db.memory.read().label_values(name, matchers, range)
    }
}

/// Why a whole batch was not taken. Nothing of it is stored, and sending it again is right.
#[derive(Debug)]
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
            SubmitError::Overloaded { .. } => f.write_str("too many writes are waiting; try again"),
            SubmitError::ReadOnly { cause, .. } => {
                write!(f, "writes are refused until the disk takes them again: {cause}")
            }
            SubmitError::Closed => f.write_str("the server is shutting down"),
        }
    }
}

impl std::error::Error for SubmitError {}

//! Sealing: the open generation ends at a commit sequence, in every shard at the same place in commit order, and another
//! begins. Everything up to that sequence is then in sealed generations, and the log goes on in a new segment.

use super::Core;
use super::plan::CUT_DELAY_MS;
use super::store::StoreError;
use crate::head::generation::Generation;
use crate::head::work::{Seal, Work};
use crate::model::{Timestamp, window_start};
use crate::sync::{Arc, Condvar, Mutex};

/// The start of the oldest window that is not over.
pub(super) fn open_from(now: Timestamp) -> Timestamp {
    window_start(now.saturating_sub(CUT_DELAY_MS))
}

/// Tells when all shards are sealed.
#[derive(Default)]
struct Done {
    is_done: Mutex<bool>,
    changed: Condvar,
}

impl Core {
    /// Ends the open generation and waits until every shard is sealed. Samples before `open_from` are late. False if nothing
    /// came since the last time.
    ///
    /// # Errors
    /// The database is closed.
    pub(super) fn seal(&self, open_from: Timestamp) -> Result<bool, StoreError> {
        let done = Arc::new(Done::default());
        {
            // No group is between the log and the shards while this is held.
            let mut committer = self.committer.lock();
            let committer = committer.as_mut().ok_or(StoreError::Closed)?;
            let max_seq = committer.next_seq() - 1;
            let ended = self.layers.get().open_generation().clone();
            if max_seq < ended.min_seq {
                return Ok(false);
            }
            committer.rotate();
            ended.end_at(max_seq);
            let next = Generation::new(ended.number + 1, max_seq + 1);
            self.layers.begin_generation(next.clone());
            let told = done.clone();
            let seal = Seal { open_from, next };
            self.head().appliers.push_seal(&Work::seal(seal, move || {
                *told.is_done.lock() = true;
                told.changed.notify_all();
            }));
        }
        self.head().appliers.wake();
        while self.head().appliers.apply_once(self) {}
        let mut is_done = done.is_done.lock();
        while !*is_done {
            done.changed.wait(&mut is_done);
        }
        Ok(true)
    }
}

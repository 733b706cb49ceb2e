//! What a start does with what is on disk, in order: replay the log into the head, count what was damaged. Later steps
//! (manifest, blocks, spills) come before the log.

use std::time::{Duration, Instant};

use crate::error::Corrupt;
use crate::head::Head;
use crate::head::work::{Slot, Work};
use crate::model::{CommitSeq, Labels, Sample, SeriesRef};
use crate::wal::{Damage, Record, ReplayReport};

/// Samples applied together, half a megabyte of them: enough that each shard gets a run even from small requests.
const BATCH_SAMPLES: usize = 16 << 10;

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
    /// Samples lost because their series was defined in a damaged place only.
    pub orphaned_samples: u64,
    /// Series of which the log gives a ref to other labels later on. No writer does that; samples of the earlier series
    /// may be taken for those of the later one.
    pub redefined_series: u64,
    pub took: Duration,
}

/// Puts the records of the log back into an empty head.
pub(super) struct Replayed<'a> {
    head: &'a Head,
    started: Instant,
    /// The sequence of the last record taken.
    last_seq: CommitSeq,
    orphaned_samples: u64,
    definitions: Vec<(SeriesRef, Labels)>,
    /// Resolved samples of one or more records, in commit order.
    batch: Vec<(Slot, Sample)>,
}

impl<'a> Replayed<'a> {
    pub(super) fn new(head: &'a Head) -> Replayed<'a> {
        Replayed {
            head,
            started: Instant::now(),
            last_seq: 0,
            orphaned_samples: 0,
            definitions: Vec::new(),
            batch: Vec::new(),
        }
    }

    /// One record, in commit order.
    ///
    /// # Errors
    /// A definition no writer could have written. Nothing of the record is applied.
    pub(super) fn record(&mut self, seq: CommitSeq, record: &Record<'_>) -> Result<(), Corrupt> {
        self.skip_to(seq);
        self.definitions.clear();
        self.definitions.extend(record.definitions());
        self.head.registry.restore(&self.definitions)?;
        self.last_seq = seq;
        self.head.registry.resolve_replayed(record.samples(), |slot, sample| match slot {
            Some(slot) => self.batch.push((slot, sample)),
            None => self.orphaned_samples += 1,
        });
        if self.batch.len() >= BATCH_SAMPLES {
            self.apply_batch();
        }
        Ok(())
    }

    /// What is missing before `seq` is lost, and with it definitions.
    fn skip_to(&mut self, seq: CommitSeq) {
        let lost = seq.saturating_sub(self.last_seq + 1);
        if lost > 0 {
            self.head.registry.skip_lost(lost);
            self.last_seq += lost;
        }
    }

    fn apply_batch(&mut self) {
        let runs = self.batch.iter().zip(0..);
        let runs = runs.map(|((slot, sample), at)| (*slot, at, std::slice::from_ref(sample)));
        self.head.appliers.apply_replayed(&Work::new(runs, |_| {}));
        self.batch.clear();
    }

    pub(super) fn finish(mut self, report: &ReplayReport) -> Recovery {
        self.apply_batch();
        self.skip_to(report.last_seq + 1);
        let redefined_series = self.head.registry.finish_replay();
        Recovery {
            records: report.frames,
            samples: report.samples,
            series: self.head.registry.len(),
            trimmed_bytes: report.trimmed_bytes,
            damages: report.damages.clone(),
            orphaned_samples: self.orphaned_samples,
            redefined_series,
            took: self.started.elapsed(),
        }
    }
}

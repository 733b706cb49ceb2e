//! What a start does with the log behind the files: its records become sealed generations. And what it found, for people.

use std::time::{Duration, Instant};

use super::manifest::FileId;
use crate::error::Corrupt;
use crate::head::generation::Generation;
use crate::head::registry::Registry;
use crate::head::replay::ReplayedSamples;
use crate::model::{CommitSeq, Labels, SeriesRef, Timestamp};
use crate::sync::Arc;
use crate::wal::{Damage, Record, ReplayReport};

/// Samples sealed together: some 160 MiB of them while they are sorted. The log seldom holds more.
const REPLAYED_SAMPLES_MAX: usize = 4 << 20;

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
    /// Files that are damaged or missing, and what is wrong. What could be read of them is there.
    pub damaged_files: Vec<String>,
    /// Samples lost because their series was defined in a damaged place only.
    pub orphaned_samples: u64,
    /// Series of which the log gives a ref to other labels later on. No writer does that; samples of the earlier series
    /// may be taken for those of the later one.
    pub redefined_series: u64,
    pub took: Duration,
}

/// Collects the records of the log behind what is in files.
pub(super) struct Replayed<'a> {
    registry: &'a Registry,
    started: Instant,
    /// The sequence of the last record taken.
    last_seq: CommitSeq,
    /// The sequence of the first record that is in no generation yet.
    first_seq: CommitSeq,
    open_from: Timestamp,
    orphaned_samples: u64,
    definitions: Vec<(SeriesRef, Labels)>,
    samples: ReplayedSamples,
    generations: Vec<Arc<Generation>>,
}

impl<'a> Replayed<'a> {
    /// `open_from` is the start of the oldest window that is not over.
    pub(super) fn new(
        registry: &'a Registry,
        wal_seq: CommitSeq,
        open_from: Timestamp,
    ) -> Replayed<'a> {
        Replayed {
            registry,
            started: Instant::now(),
            last_seq: wal_seq,
            first_seq: wal_seq + 1,
            open_from,
            orphaned_samples: 0,
            definitions: Vec::new(),
            samples: ReplayedSamples::default(),
            generations: Vec::new(),
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
        self.registry.restore(&self.definitions)?;
        self.last_seq = seq;
        self.registry.resolve_replayed(record.samples(), |slot, sample| match slot {
            Some(slot) => self.samples.push(slot, sample),
            None => self.orphaned_samples += 1,
        });
        if self.samples.len() >= REPLAYED_SAMPLES_MAX {
            self.seal();
        }
        Ok(())
    }

    /// What is missing before `seq` is lost, and with it definitions.
    fn skip_to(&mut self, seq: CommitSeq) {
        let lost = seq.saturating_sub(self.last_seq + 1);
        if lost > 0 {
            self.registry.skip_lost(lost);
            self.last_seq += lost;
        }
    }

    /// Makes a generation of what was collected.
    fn seal(&mut self) {
        if self.samples.is_empty() {
            return;
        }
        let number = self.generations.len() as u64;
        let seqs = (self.first_seq, self.last_seq);
        self.generations.push(self.samples.seal(number, seqs, self.open_from));
        self.first_seq = self.last_seq + 1;
    }

    /// `damaged` are files that are not whole, and what is wrong with them.
    pub(super) fn finish(
        mut self,
        report: &ReplayReport,
        damaged: Vec<(FileId, String)>,
    ) -> (Recovery, Vec<Arc<Generation>>) {
        self.seal();
        self.skip_to(report.last_seq + 1);
        let redefined_series = self.registry.finish_replay();
        let recovery = Recovery {
            records: report.frames,
            samples: report.samples,
            series: self.registry.len(),
            trimmed_bytes: report.trimmed_bytes,
            damages: report.damages.clone(),
            damaged_files: damaged.into_iter().map(|(_, text)| text).collect(),
            orphaned_samples: self.orphaned_samples,
            redefined_series,
            took: self.started.elapsed(),
        };
        (recovery, self.generations)
    }
}

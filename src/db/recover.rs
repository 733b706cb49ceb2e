//! What a start does with what is on disk, in order: open the registry files and the spills, replay the log behind them into
//! a sealed generation, count what was damaged.

use std::path::Path;
use std::time::{Duration, Instant};

use super::OpenError;
use super::manifest::{FileId, State};
use super::store::StoreError;
use crate::error::Corrupt;
use crate::fs::Disk;
use crate::fs::sealed::{FileError, SealedFile};
use crate::head::generation::Generation;
use crate::head::registry::files::Delta;
use crate::head::registry::layout::FILE_KIND;
use crate::head::registry::{Registry, RegistryOptions};
use crate::head::replay::ReplayedSamples;
use crate::head::spill::Spill;
use crate::model::{CommitSeq, Labels, SeriesRef, Timestamp};
use crate::sync::Arc;
use crate::wal::{Damage, Record, ReplayReport};

/// Samples sealed together: some 160 MiB of them while they are sorted. The log seldom holds more.
const REPLAYED_SAMPLES_MAX: usize = 4 << 20;

/// What the files that the manifest lists hold.
pub(super) struct Opened {
    pub(super) registry: Registry,
    /// In order of sequence.
    pub(super) spills: Vec<Arc<Spill>>,
}

/// Opens the files that are listed.
pub(super) fn open_files(
    disk: &dyn Disk,
    dir: &Path,
    state: &State,
    series_max: usize,
) -> Result<Opened, OpenError> {
    let opened = open_registry(disk, dir, state, RegistryOptions { series_max });
    let registry = opened.map_err(StoreError::File).map_err(OpenError::Store)?;
    let mut spills = Vec::new();
    for id in state.files.keys().filter(|id| matches!(id, FileId::Spill(_))) {
        let opened = Spill::open(disk, &id.path(dir));
        spills.push(Arc::new(opened.map_err(StoreError::File).map_err(OpenError::Store)?));
    }
    spills.sort_by_key(|spill: &Arc<Spill>| spill.meta().min_seq);
    Ok(Opened { registry, spills })
}

/// The base, if there is one, then the definitions that came after it.
fn open_registry(
    disk: &dyn Disk,
    dir: &Path,
    state: &State,
    options: RegistryOptions,
) -> Result<Registry, FileError> {
    let open = |id: &FileId| SealedFile::open(disk, &id.path(dir), FILE_KIND);
    let base = state.files.keys().find(|id| matches!(id, FileId::RegistryBase(_)));
    let registry = Registry::open(options, base.map(open).transpose()?)?;
    for id in state.files.keys().filter(|id| matches!(id, FileId::RegistryDelta(_))) {
        let delta = Delta::open(open(id)?)?;
        registry.skip_refs_below(delta.head().next_ref);
        for portion in delta.portions() {
            registry
                .restore(&portion?)
                .map_err(|corrupt| FileError::Corrupt(corrupt.in_file(id.path(dir), 0)))?;
        }
    }
    Ok(registry)
}

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

/// Collects the records of the log behind what is in files.
pub(super) struct Replayed<'a> {
    registry: &'a Registry,
    started: Instant,
    /// Requests up to this one are in files.
    wal_seq: CommitSeq,
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
            wal_seq,
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
        if seq <= self.wal_seq {
            return Ok(());
        }
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

    pub(super) fn finish(mut self, report: &ReplayReport) -> (Recovery, Vec<Arc<Generation>>) {
        self.seal();
        self.skip_to(report.last_seq + 1);
        let redefined_series = self.registry.finish_replay();
        let recovery = Recovery {
            records: report.frames,
            samples: report.samples,
            series: self.registry.len(),
            trimmed_bytes: report.trimmed_bytes,
            damages: report.damages.clone(),
            orphaned_samples: self.orphaned_samples,
            redefined_series,
            took: self.started.elapsed(),
        };
        (recovery, self.generations)
    }
}

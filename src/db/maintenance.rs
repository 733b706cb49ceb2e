//! What goes on beside taking and answering requests: samples move down the ladder, one job at a time. What is next is decided by
//! the plans in `plan`; the jobs are in `seal`, `spill`, `merge_spills` and `build`. The thread that runs them is in
//! `threads`; tests and admin requests call the same steps.

use std::time::Duration;

use super::Core;
use super::build::{block_info, spill_info};
use super::manifest::FileId;
use super::options::RetentionSize;
use super::plan::compaction::{self, Compaction, levels};
use super::plan::{BlockInfo, SpillInfo, cut, late, retention, spills};
use super::registry_files::RegistryFiles;
use super::seal::open_from;
use super::store::StoreError;
use crate::model::{TimeRange, Timestamp};
use crate::sync::Ordering;

/// How often the thread looks for something to do: at 30 MB/s of log, 3 MB come between two looks.
pub(super) const MAINTENANCE_INTERVAL: Duration = Duration::from_millis(100);
/// How long it waits after the disk refused.
pub(super) const MAINTENANCE_RETRY: Duration = Duration::from_secs(1);

/// Open samples may take one part in so many of the memory budget before they are spilled: as much again is held while the
/// spill is written, and the series, requests and queries need the rest.
const OPEN_SAMPLES_BUDGET_SHARE: usize = 4;

/// Left free by a compaction, for the log and the spills that go on beside it.
const COMPACTION_RESERVE_BYTES: u64 = 256 << 20;

/// A step of maintenance: true if it did something.
type Job = fn(&Core, &mut Maintenance) -> Result<bool, StoreError>;

/// What maintenance remembers from one job to the next.
#[derive(Debug, Default)]
pub(super) struct Maintenance {
    pub(super) registry: RegistryFiles,
    /// Memory of the shards right after that.
    pub(super) sealed_memory_bytes: usize,
    /// The oldest window that was not over then.
    pub(super) sealed_open_from: Timestamp,
    /// Spills became blocks since series were last forgotten.
    pub(super) has_cut: bool,
}

/// How far a job goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    /// What is due.
    Due,
    /// All that can be done.
    Forced,
}

impl Core {
    /// Does one job. False if there is none.
    ///
    /// # Errors
    /// The disk refused, or a file cannot be read. What was not done is done later; a job that fails holds up no other.
    pub(super) fn maintain_once(&self, maintenance: &mut Maintenance) -> Result<bool, StoreError> {
        const JOBS: [Job; 7] = [
            // First, so that what repeats the samples to be dropped is gone before them.
            Core::spill_due,
            Core::drop_once,
            Core::rewrite_due,
            Core::merge_once,
            Core::cut_due,
            Core::forget_series,
            Core::compact_due,
        ];
        self.store.settle()?;
        self.store.ensure_folders()?;
        let mut failed = None;
        for job in JOBS {
            match job(self, maintenance) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) => drop(failed.get_or_insert(error)),
            }
        }
        failed.map_or(Ok(false), Err)
    }

    /// What must go on while a long job runs: called by it every few thousand series.
    ///
    /// # Errors
    /// The database is closing. What the disk refuses here is told when the job is done.
    pub(super) fn breathe(&self, maintenance: &mut Maintenance) -> Result<(), StoreError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(StoreError::Closed);
        }
        let _ = self.spill_due(maintenance);
        Ok(())
    }

    fn spill_due(&self, maintenance: &mut Maintenance) -> Result<bool, StoreError> {
        self.measure_memory();
        if self.seal_is_due(maintenance) {
            self.end_generation(maintenance)?;
        }
        self.spill_sealed(&mut maintenance.registry.registered)
    }

    fn rewrite_due(&self, maintenance: &mut Maintenance) -> Result<bool, StoreError> {
        self.rewrite_base(maintenance, Urgency::Due)
    }

    fn cut_due(&self, maintenance: &mut Maintenance) -> Result<bool, StoreError> {
        self.cut_once(maintenance, Urgency::Due)
    }

    fn compact_due(&self, maintenance: &mut Maintenance) -> Result<bool, StoreError> {
        self.compact_once(maintenance, Urgency::Due)
    }

    /// Moves all samples from memory to files.
    ///
    /// # Errors
    /// The disk refused, or the database is closed.
    pub(super) fn spill_open(&self, maintenance: &mut Maintenance) -> Result<(), StoreError> {
        self.end_generation(maintenance)?;
        self.spill_sealed(&mut maintenance.registry.registered)?;
        Ok(())
    }

    /// Moves all samples from memory to files, and those in spills to blocks.
    ///
    /// # Errors
    /// As [`Core::maintain_once`].
    pub(super) fn flush(&self, maintenance: &mut Maintenance) -> Result<(), StoreError> {
        self.store.settle()?;
        self.store.ensure_folders()?;
        self.spill_open(maintenance)?;
        while self.cut_once(maintenance, Urgency::Forced)? {}
        Ok(())
    }

    /// Merges blocks as far as they can be, and the registry files.
    ///
    /// # Errors
    /// As [`Core::maintain_once`].
    pub(super) fn compact_all(&self, maintenance: &mut Maintenance) -> Result<(), StoreError> {
        self.store.settle()?;
        self.store.ensure_folders()?;
        while self.compact_once(maintenance, Urgency::Forced)? {}
        self.forget_series(maintenance)?;
        self.rewrite_base(maintenance, Urgency::Forced)?;
        Ok(())
    }

    /// Is it time to end the open generation? Because of the next start, of memory, or since a window is over.
    fn seal_is_due(&self, maintenance: &mut Maintenance) -> bool {
        let samples = self.head().appliers.stats();
        let wal_bytes = self.wal_stats.tail_bytes();
        let memory_max = self.limits.memory_budget_bytes / OPEN_SAMPLES_BUDGET_SHARE;
        let grown = samples.memory_bytes.saturating_sub(maintenance.sealed_memory_bytes);
        let open_from = open_from((self.clock)());
        // Samples that were rejected are in the log alone.
        let has_come = samples.samples > 0 || samples.queued > 0 || wal_bytes > 0;
        if !has_come {
            maintenance.sealed_open_from = maintenance.sealed_open_from.max(open_from);
        }
        wal_bytes >= self.limits.spill_wal_bytes
            || grown >= memory_max
            || open_from > maintenance.sealed_open_from && has_come
    }

    /// Ends the open generation. What came in time for a window that is over by now is not late.
    fn end_generation(&self, maintenance: &mut Maintenance) -> Result<(), StoreError> {
        let open_from = open_from((self.clock)());
        self.seal(maintenance.sealed_open_from.min(open_from))?;
        maintenance.sealed_open_from = open_from;
        maintenance.sealed_memory_bytes = self.head().appliers.memory_bytes();
        Ok(())
    }

    fn spill_infos(&self) -> Vec<SpillInfo> {
        self.layers.get().samples.spills.iter().map(spill_info).collect()
    }

    fn block_infos(&self) -> Vec<BlockInfo> {
        self.layers.get().blocks.iter().map(block_info).collect()
    }

    fn merge_once(&self, maintenance: &mut Maintenance) -> Result<bool, StoreError> {
        let Some(plan) = spills::spill_merge(&self.spill_infos()) else { return Ok(false) };
        self.merge_spills(&plan, maintenance)?;
        self.ladder.spill_merged();
        Ok(true)
    }

    /// Makes blocks of the spills of one window that is over, or else of the late ones.
    fn cut_once(
        &self,
        maintenance: &mut Maintenance,
        urgency: Urgency,
    ) -> Result<bool, StoreError> {
        let (spills, now) = (self.spill_infos(), (self.clock)());
        let forced = urgency == Urgency::Forced;
        if let Some(cut) = cut::cuts(&spills, now, forced).first() {
            self.cut(cut.range, &cut.spills, maintenance)?;
            self.ladder.window_cut();
            maintenance.has_cut = true;
            return Ok(true);
        }
        let Some(late) = late::late_cut(&spills, now, forced) else { return Ok(false) };
        self.cut_late(&late, &levels(self.limits.retention_ms), maintenance)?;
        self.ladder.late_cut();
        maintenance.has_cut = true;
        Ok(true)
    }

    /// Removes the blocks that retention drops.
    fn drop_once(&self, _: &mut Maintenance) -> Result<bool, StoreError> {
        let limits = retention::Limits {
            retention_ms: self.limits.retention_ms,
            bytes_max: self.retention_bytes_max(),
        };
        let blocks = self.block_infos();
        let newest = self.layers.get().newest_sample().unwrap_or(Timestamp::MIN);
        let other = self.other_bytes();
        let dropped = retention::dropped(&blocks, limits, other, (self.clock)(), newest);
        if dropped.is_empty() {
            return Ok(false);
        }
        self.drop_blocks(&dropped)?;
        self.ladder.blocks_dropped(dropped.len() as u64);
        Ok(true)
    }

    fn compact_once(
        &self,
        maintenance: &mut Maintenance,
        urgency: Urgency,
    ) -> Result<bool, StoreError> {
        let (blocks, spills) = (self.block_infos(), self.spill_infos());
        let levels = levels(self.limits.retention_ms);
        let forced = urgency == Urgency::Forced;
        let plan = compaction::compaction(&blocks, &spills, &levels, (self.clock)(), forced);
        let Some(plan) = plan else { return Ok(false) };
        if self.cut_within(plan.range, &spills, maintenance)? {
            return Ok(true);
        }
        if !self.has_room_for(&plan, &blocks) {
            return Ok(false);
        }
        self.compact(&plan, maintenance)?;
        self.ladder.compacted();
        Ok(true)
    }

    /// Cuts spills with samples in the range of a compaction. Its output has the last sequence of all its inputs, and must not
    /// come to stand behind a spill that precedes it. False if there are none.
    fn cut_within(
        &self,
        range: TimeRange,
        spills: &[SpillInfo],
        maintenance: &mut Maintenance,
    ) -> Result<bool, StoreError> {
        let now = (self.clock)();
        let overlapping = || spills.iter().filter(|spill| spill.range.overlaps(range));
        if let Some(window) = cut::cuts(spills, now, true)
            .into_iter()
            .find(|cut| overlapping().any(|spill| cut.spills.contains(&spill.number)))
        {
            self.cut(window.range, &window.spills, maintenance)?;
            self.ladder.window_cut();
            return Ok(true);
        }
        let late = overlapping().next().and_then(|_| late::late_cut(spills, now, true));
        let Some(late) = late else { return Ok(false) };
        self.cut_late(&late, &levels(self.limits.retention_ms), maintenance)?;
        self.ladder.late_cut();
        Ok(true)
    }

    /// Is there room on the disk for all inputs once more? Where that cannot be found out, it is tried.
    fn has_room_for(&self, plan: &Compaction, blocks: &[BlockInfo]) -> bool {
        let inputs = blocks.iter().filter(|block| plan.inputs.contains(&block.id));
        let needed =
            inputs.fold(COMPACTION_RESERVE_BYTES, |sum, block| sum.saturating_add(block.len_bytes));
        let space = self.store.disk.space(&self.store.dir);
        space.map_or(true, |space| space.available_bytes >= needed)
    }

    /// Looks how much memory samples and series take: requests are refused while it is over the budget.
    fn measure_memory(&self) {
        let (head, layers) = (self.head(), self.layers.get());
        let sealed = layers.ended_generations().iter().map(|g| g.memory_bytes()).sum::<usize>();
        let bytes = head.appliers.memory_bytes() + sealed + head.registry.stats().heap_bytes();
        self.memory_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Most bytes that all files may have. What cannot be found out is no limit.
    fn retention_bytes_max(&self) -> Option<u64> {
        match self.limits.retention_bytes? {
            RetentionSize::Bytes(bytes) => Some(bytes),
            RetentionSize::PercentOfDisk(percent) => {
                let space = self.store.disk.space(&self.store.dir).ok()?;
                Some((space.total_bytes as f64 / 100.0 * percent) as u64)
            }
        }
    }

    /// Bytes of files that are not blocks: spills, registry files, the log.
    fn other_bytes(&self) -> u64 {
        let listed = self.store.with_state(|state| {
            let files = state.files.values().filter(|file| !matches!(file.id, FileId::Block(_)));
            files.map(|file| file.len_bytes).sum::<u64>()
        });
        listed + self.wal_stats.tail_bytes()
    }
}

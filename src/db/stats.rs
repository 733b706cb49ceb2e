//! The database's counters for telemetry, read from the layers' own plain atomics.

use super::Core;
use super::ladder_stats::LadderStats;
use crate::head::apply::ApplyStats;
use crate::head::registry::RegistryStats;
use crate::sync::Ordering;

/// One look at everything. The parts are of slightly different instants.
#[derive(Debug, Clone, Copy, Default)]
pub struct DbStats {
    pub registry: RegistryStats,
    pub apply: ApplyStats,
    pub wal: WalSnapshot,
    /// Bytes of requests that wait for the WAL thread or are being written by it.
    pub queue_bytes: usize,
    pub ladder: LadderStats,
}

/// The log's counters.
#[derive(Debug, Clone, Copy, Default)]
pub struct WalSnapshot {
    pub groups: u64,
    pub frames: u64,
    pub bytes: u64,
    pub syncs: u64,
    pub sync_nanos: u64,
    pub failed_syncs: u64,
    pub failed_appends: u64,
    pub failed_groups: u64,
    pub segments: u64,
    pub read_only: bool,
}

impl DbStats {
    pub(super) fn of(core: &Core) -> DbStats {
        let wal = &core.wal_stats;
        DbStats {
            registry: core.head().registry.stats(),
            apply: core.head().appliers.stats(),
            wal: WalSnapshot {
                groups: wal.groups(),
                frames: wal.frames(),
                bytes: wal.bytes(),
                syncs: wal.syncs(),
                sync_nanos: wal.sync_nanos(),
                failed_syncs: wal.failed_syncs(),
                failed_appends: wal.failed_appends(),
                failed_groups: wal.failed_groups(),
                segments: wal.segments(),
                read_only: wal.read_only(),
            },
            queue_bytes: core.queue.bytes(),
            ladder: ladder(core),
        }
    }
}

/// The counters of maintenance, and what the layers hold now.
fn ladder(core: &Core) -> LadderStats {
    let layers = core.layers.get();
    let (spills, generations) = (&layers.samples.spills, layers.ended_generations());
    LadderStats {
        blocks: layers.blocks.len() as u64,
        block_bytes: layers.blocks.iter().map(|block| block.meta().len_bytes).sum(),
        block_samples: layers.blocks.iter().map(|block| block.meta().sample_count).sum(),
        spills: spills.len() as u64,
        spill_bytes: spills.iter().map(|spill| spill.file().len_bytes()).sum(),
        sealed_generations: generations.len() as u64,
        sealed_bytes: generations.iter().map(|g| g.memory_bytes() as u64).sum(),
        memory_bytes: core.memory_bytes.load(Ordering::Relaxed) as u64,
        memory_budget_bytes: core.limits.memory_budget_bytes as u64,
        ..core.ladder.stats()
    }
}

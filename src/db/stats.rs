//! The database's counters for telemetry, read from the layers' own plain atomics.

use super::Core;
use crate::head::apply::ApplyStats;
use crate::head::registry::RegistryStats;

/// One look at everything. The parts are of slightly different instants.
#[derive(Debug, Clone, Copy, Default)]
pub struct DbStats {
    pub registry: RegistryStats,
    pub apply: ApplyStats,
    pub wal: WalSnapshot,
    /// Bytes of requests that wait for the WAL thread or are being written by it.
    pub queue_bytes: usize,
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
        }
    }
}

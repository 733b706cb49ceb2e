//! Counters of the log, written by the thread that commits, read by telemetry at any time.

use crate::sync::{AtomicBool, AtomicU64, Ordering};

/// Totals since the log was started, unless said otherwise. Each is exact; together they are of no one instant.
#[derive(Debug, Default)]
pub struct WalStats {
    groups: AtomicU64,
    frames: AtomicU64,
    bytes: AtomicU64,
    syncs: AtomicU64,
    sync_nanos: AtomicU64,
    failed_syncs: AtomicU64,
    failed_appends: AtomicU64,
    failed_groups: AtomicU64,
    segments: AtomicU64,
    tail_bytes: AtomicU64,
    read_only: AtomicBool,
}

macro_rules! getters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        impl WalStats {
            $($(#[$doc])* pub fn $name(&self) -> u64 { self.$name.load(Ordering::Relaxed) })*
        }
    };
}

getters! {
    /// Groups written and synced.
    groups,
    /// Frames in them.
    frames,
    /// Bytes handed to the disk, headers and repeated attempts included.
    bytes,
    /// Syncs of segment files that succeeded.
    syncs,
    /// Nanoseconds spent in syncs of segment files, failed ones included.
    sync_nanos,
    /// Syncs of segment files that failed.
    failed_syncs,
    /// Appends to segment files that failed.
    failed_appends,
    /// Groups whose requests were told that they are not stored.
    failed_groups,
    /// Segments created.
    segments,
    /// Bytes of log since it was last ended at a boundary by `Committer::rotate`, those replayed at start included: what a
    /// start would have to replay.
    tail_bytes,
}

impl WalStats {
    /// Are writes refused until the disk takes them again?
    pub fn read_only(&self) -> bool {
        self.read_only.load(Ordering::Relaxed)
    }

    pub(super) fn set_read_only(&self, read_only: bool) {
        self.read_only.store(read_only, Ordering::Relaxed);
    }

    pub(super) fn count_group(&self, frames: usize) {
        self.groups.fetch_add(1, Ordering::Relaxed);
        self.frames.fetch_add(frames as u64, Ordering::Relaxed);
    }

    pub(super) fn count_failed_group(&self) {
        self.failed_groups.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_bytes(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn grow_tail(&self, bytes: u64) {
        self.tail_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn begin_tail(&self) {
        self.tail_bytes.store(0, Ordering::Relaxed);
    }

    pub(super) fn count_sync(&self, nanos: u64, succeeded: bool) {
        self.sync_nanos.fetch_add(nanos, Ordering::Relaxed);
        let counter = if succeeded { &self.syncs } else { &self.failed_syncs };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_failed_append(&self) {
        self.failed_appends.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_segment(&self) {
        self.segments.fetch_add(1, Ordering::Relaxed);
    }
}

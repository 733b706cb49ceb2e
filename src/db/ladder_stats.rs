//! What maintenance did and could not do: plain counters that it bumps, and their values beside those of the files for
//! [`super::DbStats`].

use crate::sync::{AtomicU64, Ordering};

/// Counted since the start by whoever moves samples down.
#[derive(Debug, Default)]
pub struct LadderCounters {
    spills_written: AtomicU64,
    spill_merges: AtomicU64,
    cuts: AtomicU64,
    late_cuts: AtomicU64,
    compactions: AtomicU64,
    blocks_dropped: AtomicU64,
    maintenance_failures: AtomicU64,
    quarantined_files: AtomicU64,
    corruptions: AtomicU64,
}

/// The way down from memory to blocks, at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LadderStats {
    pub blocks: u64,
    pub block_bytes: u64,
    pub block_samples: u64,
    pub spills: u64,
    pub spill_bytes: u64,
    /// In memory, not yet in a file.
    pub sealed_generations: u64,
    pub sealed_bytes: u64,
    /// All samples and series, as maintenance last saw it.
    pub memory_bytes: u64,
    pub memory_budget_bytes: u64,
    pub spills_written: u64,
    pub spill_merges: u64,
    pub cuts: u64,
    pub late_cuts: u64,
    pub compactions: u64,
    pub blocks_dropped: u64,
    pub maintenance_failures: u64,
    pub quarantined_files: u64,
    pub corruptions: u64,
}

fn bump(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl LadderCounters {
    /// Spill files were made of samples in memory.
    pub fn spills_written(&self, files: u64) {
        bump(&self.spills_written, files);
    }

    /// Several spills became one.
    pub fn spill_merged(&self) {
        bump(&self.spill_merges, 1);
    }

    /// A window that was over became a block.
    pub fn window_cut(&self) {
        bump(&self.cuts, 1);
    }

    /// Late samples became a block.
    pub fn late_cut(&self) {
        bump(&self.late_cuts, 1);
    }

    /// Several blocks became one.
    pub fn compacted(&self) {
        bump(&self.compactions, 1);
    }

    /// Blocks were dropped for their age or for the size of all.
    pub fn blocks_dropped(&self, blocks: u64) {
        bump(&self.blocks_dropped, blocks);
    }

    /// A job of maintenance ended with an error.
    pub fn maintenance_failed(&self) {
        bump(&self.maintenance_failures, 1);
    }

    /// A damaged file was taken out of use.
    pub fn file_quarantined(&self) {
        bump(&self.quarantined_files, 1);
    }

    /// Bytes of a file were not what was written.
    pub fn corruption_found(&self) {
        bump(&self.corruptions, 1);
    }

    /// The counters; what there is now is zero.
    pub fn stats(&self) -> LadderStats {
        LadderStats {
            spills_written: read(&self.spills_written),
            spill_merges: read(&self.spill_merges),
            cuts: read(&self.cuts),
            late_cuts: read(&self.late_cuts),
            compactions: read(&self.compactions),
            blocks_dropped: read(&self.blocks_dropped),
            maintenance_failures: read(&self.maintenance_failures),
            quarantined_files: read(&self.quarantined_files),
            corruptions: read(&self.corruptions),
            ..LadderStats::default()
        }
    }
}

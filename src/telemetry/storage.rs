//! The database's plain counters as metrics: head, write-ahead log, spills and blocks, and what the last start found. Their names
//! behind `silverback_` are those behind `prometheus_tsdb_` in Prometheus, where something is the same.

use std::sync::Weak;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::process::put;
use crate::api::Api;
use crate::db::ladder_stats::LadderStats;
use crate::db::{Db, DbStats, Recovery};

/// Reads the database's counters at every scrape; gives nothing before it is open. Weak, because the API owns the
/// registry that owns this.
#[derive(Debug)]
pub struct Storage {
    pub api: Weak<Api>,
}

impl Collector for Storage {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(api) = self.api.upgrade() else { return Ok(()) };
        let inflight = api.write_inflight_bytes() as f64;
        let help = "Memory held for write requests: their bodies and what they become.";
        put(
            &mut encoder,
            "silverback_remote_write_inflight_bytes",
            help,
            &ConstGauge::new(inflight),
        )?;
        for (name, help, bytes) in [
            (
                "query_memory_bytes",
                "Memory reserved for running queries.",
                api.query_memory_bytes(),
            ),
            (
                "query_memory_budget_bytes",
                "Queries that need more than this together are ended.",
                api.query_memory_budget_bytes(),
            ),
        ] {
            let name = format!("silverback_{name}");
            put(&mut encoder, &name, help, &ConstGauge::new(bytes as f64))?;
        }
        let Some(db) = api.open_db() else { return Ok(()) };
        self.encode_db(&mut encoder, &db)
    }
}

impl Storage {
    fn encode_db(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        db: &Db,
    ) -> Result<(), std::fmt::Error> {
        let stats = db.stats();
        for (name, help, value) in counters(&stats).into_iter().chain(moved(&stats.ladder)) {
            put(encoder, &format!("silverback_{name}"), help, &ConstCounter::new(value))?;
        }
        let gauges = gauges(&stats).into_iter().chain(held(&stats.ladder));
        for (name, help, value) in gauges.chain(recovered(db.recovery())) {
            put(encoder, &format!("silverback_{name}"), help, &ConstGauge::new(value))?;
        }
        Ok(())
    }
}

type Row = (&'static str, &'static str, f64);

/// Without `_total`, which the format adds.
fn counters(stats: &DbStats) -> [Row; 8] {
    let wal = &stats.wal;
    [
        ("wal_groups", "Groups of requests made durable together.", wal.groups as f64),
        ("wal_frames", "Requests written to the log.", wal.frames as f64),
        ("wal_written_bytes", "Bytes written to the log.", wal.bytes as f64),
        ("wal_syncs", "Calls of fdatasync.", wal.syncs as f64),
        ("wal_sync_seconds", "Time in fdatasync.", wal.sync_nanos as f64 / 1e9),
        ("wal_failed_syncs", "Failed calls of fdatasync.", wal.failed_syncs as f64),
        ("wal_failed_appends", "Failed writes to the log.", wal.failed_appends as f64),
        ("wal_failed_groups", "Groups that could not be stored.", wal.failed_groups as f64),
    ]
}

fn gauges(stats: &DbStats) -> [Row; 9] {
    let (registry, index) = (&stats.registry, &stats.registry.index);
    let index_bytes =
        index.symbols_bytes + index.postings_bytes + index.rows_bytes + index.identity_bytes;
    [
        ("head_series", "Series in memory.", registry.series_count as f64),
        ("head_samples", "Samples in memory.", stats.apply.samples as f64),
        ("head_chunks", "Sealed chunks in memory.", stats.apply.chunks as f64),
        ("head_samples_bytes", "Memory of the samples.", stats.apply.memory_bytes as f64),
        ("head_index_bytes", "Memory of labels and postings.", index_bytes as f64),
        ("head_alias_bytes", "Memory of known raw keys.", registry.alias_bytes as f64),
        ("wal_segments", "Segments of the log created since the start.", stats.wal.segments as f64),
        ("wal_queue_bytes", "Requests that wait for the log.", stats.queue_bytes as f64),
        ("wal_read_only", "1 while the disk refuses writes.", f64::from(stats.wal.read_only)),
    ]
}

/// Without `_total`, which the format adds.
fn moved(ladder: &LadderStats) -> [Row; 9] {
    let row = |name, help, count: u64| (name, help, count as f64);
    [
        row("spills_written", "Spill files made of samples in memory.", ladder.spills_written),
        row("spill_merges", "Times that several spills became one.", ladder.spill_merges),
        row("cuts", "Windows that became a block when they were over.", ladder.cuts),
        row("late_cuts", "Blocks made of late samples.", ladder.late_cuts),
        row("compactions", "Times that several blocks became one.", ladder.compactions),
        row("blocks_dropped", "Blocks dropped by retention.", ladder.blocks_dropped),
        row("maintenance_failures", "Jobs that ended with an error.", ladder.maintenance_failures),
        row("quarantined_files", "Damaged files taken out of use.", ladder.quarantined_files),
        row("corruptions", "Damaged places found in files.", ladder.corruptions),
    ]
}

fn held(ladder: &LadderStats) -> [Row; 9] {
    let row = |name, help, value: u64| (name, help, value as f64);
    [
        row("blocks_loaded", "Blocks.", ladder.blocks),
        row("storage_blocks_bytes", "Size of all blocks.", ladder.block_bytes),
        row("storage_blocks_samples", "Samples in blocks.", ladder.block_samples),
        row("spills", "Spill files.", ladder.spills),
        row("spill_bytes", "Size of all spill files.", ladder.spill_bytes),
        row(
            "head_sealed_generations",
            "Parts of memory that wait to be spilled.",
            ladder.sealed_generations,
        ),
        row("head_sealed_bytes", "Memory of those.", ladder.sealed_bytes),
        row("memory_bytes", "Memory of all samples and series.", ladder.memory_bytes),
        row("memory_budget_bytes", "Writes are refused above this.", ladder.memory_budget_bytes),
    ]
}

fn recovered(recovery: &Recovery) -> [Row; 6] {
    [
        ("recovery_seconds", "Time the last start took to recover.", recovery.took.as_secs_f64()),
        ("recovery_samples", "Samples the last start found.", recovery.samples as f64),
        (
            "recovery_trimmed_bytes",
            "Cut off behind the last whole request.",
            recovery.trimmed_bytes as f64,
        ),
        ("recovery_damages", "Damaged places found.", recovery.damages.len() as f64),
        (
            "recovery_orphaned_samples",
            "Samples lost with a damaged definition.",
            recovery.orphaned_samples as f64,
        ),
        (
            "recovery_redefined_series",
            "Series of which the log gives a ref to other labels.",
            recovery.redefined_series as f64,
        ),
    ]
}

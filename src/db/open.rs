//! Opening: one function per step, in the order they happen.
//!
//! 1. Claim the directory.
//! 2. Read the manifest; remove what it does not list.
//! 3. Open the registry files, then the spills.
//! 4. Replay the log behind them into a sealed generation.
//! 5. Begin an open generation and a segment of the log, and start the threads.

use std::path::Path;

use super::directory::{check_names, claim, doing};
use super::ladder_stats::LadderCounters;
use super::layers::{CurrentLayers, Layers};
use super::maintenance::Maintenance;
use super::manifest::{FileId, Manifest};
use super::open_files::{Opened, open_files};
use super::options::{Options, SERIES_MAX_DEFAULT, Threads};
use super::recover::{Recovery, Replayed};
use super::registry_files::RegistryFiles;
use super::store::Store;
use super::threads::{Bell, ThreadHandles, report_start};
use super::{Core, Db, Limits, OpenError, View, garbage};
use crate::fs::{Disk, Lock};
use crate::head::Head;
use crate::head::generation::Generation;
use crate::head::source::HeadLayers;
use crate::model::Timestamp;
use crate::sync::{Arc, AtomicBool, AtomicUsize, Mutex, RwLock};
use crate::wal::{CommitQueue, Committer, ReplayReport, WalOptions, inspect, replay};

pub(super) fn open(options: Options) -> Result<Arc<Db>, OpenError> {
    let lock = claim(&*options.disk, &options.path)?;
    let store = open_store(&options)?;
    let state = store.with_state(Clone::clone);
    let mut opened = open_files(&*options.disk, &options.path, &state, options.series_max)?;
    let damaged = std::mem::take(&mut opened.damaged);
    set_aside(&store, &damaged);
    let registry = RegistryFiles::of(&opened, &damaged);
    let open_from = super::seal::open_from((options.clock)());
    let mut replayed = Replayed::new(&opened.registry, state.wal_seq, open_from);
    let report = replay(&*options.disk, &options.path, state.wal_seq, &mut |seq, record| {
        replayed.record(seq, record)
    })
    .map_err(OpenError::Wal)?;
    let (recovery, generations) = replayed.finish(&report, damaged);
    let layers = assemble(opened, generations, report.last_seq.max(state.wal_seq) + 1);
    let core = start_core(&options, lock, layers, store, &report, registry);
    if core.store.is_durable() {
        core.front.cut(state.wal_seq);
    }
    let threads = match options.threads {
        Threads::Own => ThreadHandles::start(&core),
        Threads::Stepped => ThreadHandles::default(),
    };
    Ok(Arc::new(Db { core, threads: Mutex::new(threads), recovery }))
}

pub(super) fn open_read_only(disk: &dyn Disk, path: &Path) -> Result<(View, Recovery), OpenError> {
    check_names(disk, path)?;
    let (state, _) = Manifest::read_only(disk, path).map_err(OpenError::Manifest)?;
    let mut opened = open_files(disk, path, &state, SERIES_MAX_DEFAULT)?;
    let damaged = std::mem::take(&mut opened.damaged);
    let mut replayed = Replayed::new(&opened.registry, state.wal_seq, Timestamp::MIN);
    let report =
        inspect(disk, path, state.wal_seq, &mut |seq, record| replayed.record(seq, record))
            .map_err(OpenError::Wal)?;
    let (recovery, generations) = replayed.finish(&report, damaged);
    let layers = assemble(opened, generations, report.last_seq.max(state.wal_seq) + 1);
    Ok((View::new(Arc::new(layers)), recovery))
}

/// Reads the manifest and removes what it does not list.
fn open_store(options: &Options) -> Result<Store, OpenError> {
    let Options { disk, path, .. } = options;
    let (manifest, _) = Manifest::open(disk.clone(), path).map_err(OpenError::Manifest)?;
    // What cannot be removed is garbage at the next start, too.
    garbage::remove(&**disk, path, &manifest).map_err(doing("list", path))?;
    Ok(Store::new(disk.clone(), path.clone(), manifest))
}

/// Moves damaged spills and blocks to quarantine. Registry files stay until what was read of them is written anew. On a disk
/// that refuses, the next start tries again.
fn set_aside(store: &Store, damaged: &[(FileId, String)]) {
    let ids = damaged.iter().map(|(id, _)| *id);
    let remove: Vec<FileId> = ids.filter(|id| !id.is_registry()).collect();
    if !remove.is_empty() {
        let _ = store.set_aside(&remove);
    }
}

/// Puts a head together of what was found, with an open generation that begins at `next_seq`.
fn assemble(opened: Opened, mut generations: Vec<Arc<Generation>>, next_seq: u64) -> Layers {
    let Opened { registry, spills, blocks, .. } = opened;
    let in_blocks = blocks.iter().map(|block| block.meta().range.maxt);
    let in_spills = spills.iter().map(|spill| spill.meta().range.maxt);
    let replayed = generations.iter().map(|generation| generation.range().maxt);
    let floor = in_blocks.chain(in_spills).chain(replayed).max().unwrap_or(Timestamp::MIN);
    let open = Generation::new(generations.len() as u64, next_seq);
    let head = Arc::new(Head::new(registry, &open, floor));
    generations.push(open);
    Layers { blocks, samples: Arc::new(HeadLayers { spills, generations }), head }
}

fn start_core(
    options: &Options,
    lock: Box<dyn Lock>,
    layers: Layers,
    store: Store,
    report: &ReplayReport,
    registry: RegistryFiles,
) -> Arc<Core> {
    let queue = Arc::new(CommitQueue::default());
    let wal = WalOptions { segment_bytes: options.wal_segment_bytes, ..WalOptions::default() };
    let now = (options.monotonic)();
    let committer =
        Committer::start(options.disk.clone(), &options.path, wal, report, queue.clone(), now);
    report_start(&committer);
    // As for what was replayed, and not before what was so in an earlier process: a window that was over stays over, since
    // the order of files relies on late samples coming after those in time.
    let sealed_open_from = super::seal::open_from((options.clock)());
    let maintenance = Maintenance { registry, sealed_open_from, ..Maintenance::default() };
    Arc::new(Core {
        layers: CurrentLayers::new(layers),
        store,
        wal_stats: committer.stats(),
        front: committer.front(),
        intake: RwLock::default(),
        committer: Mutex::new(Some(committer)),
        maintenance: Mutex::new(maintenance),
        bell: Bell::default(),
        limits: Limits {
            memory_budget_bytes: options.memory_budget_bytes,
            spill_wal_bytes: options.spill_wal_bytes,
            retention_ms: options.retention_ms,
            retention_bytes: options.retention_bytes,
            forgotten_min: options.forgotten_min,
            definitions_min: options.definitions_min,
            accepted_age_max_ms: options.accepted_age_max_ms(),
        },
        memory_bytes: AtomicUsize::new(0),
        ladder: LadderCounters::default(),
        queue,
        clock: options.clock.clone(),
        monotonic: options.monotonic.clone(),
        closed: AtomicBool::new(false),
        scratch: Mutex::default(),
        lock: Mutex::new(Some(lock)),
        read_only_cause: Mutex::default(),
    })
}

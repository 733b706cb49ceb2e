//! Opening: one function per step, in the order they happen.

use std::path::Path;

use super::directory::{check_names, claim};
use super::options::{Options, SERIES_MAX_DEFAULT, Threads};
use super::recover::{Recovery, Replayed};
use super::threads::{ThreadHandles, report_start};
use super::{Core, Db, OpenError, View};
use crate::fs::Disk;
use crate::head::Head;
use crate::head::source::HeadSource;
use crate::sync::{Arc, AtomicBool, Mutex};
use crate::wal::{CommitQueue, Committer, ReplayReport, WalError, WalOptions, inspect, replay};

pub(super) fn open(options: Options) -> Result<Arc<Db>, OpenError> {
    let lock = claim(&*options.disk, &options.path)?;
    let head = Arc::new(Head::new(options.series_max));
    let (recovery, report) =
        recover(&head, |apply| replay(&*options.disk, &options.path, 0, apply))?;
    let queue = Arc::new(CommitQueue::default());
    let wal = WalOptions { segment_bytes: options.wal_segment_bytes, ..WalOptions::default() };
    let disk = options.disk.clone();
    let now = (options.monotonic)();
    let committer = Committer::start(disk, &options.path, wal, &report, queue.clone(), now);
    report_start(&committer);
    let core = Arc::new(Core {
        head,
        queue,
        clock: options.clock,
        monotonic: options.monotonic,
        closed: AtomicBool::new(false),
        scratch: Mutex::default(),
        wal_stats: committer.stats(),
        lock: Mutex::new(Some(lock)),
        read_only_cause: Mutex::default(),
    });
    let (threads, stepped) = match options.threads {
        Threads::Own => (ThreadHandles::start(&core, committer), None),
        Threads::Stepped => (ThreadHandles::default(), Some(committer)),
    };
    Ok(Arc::new(Db { core, threads: Mutex::new(threads), stepped: Mutex::new(stepped), recovery }))
}

pub(super) fn open_read_only(disk: &dyn Disk, path: &Path) -> Result<(View, Recovery), OpenError> {
    check_names(disk, path)?;
    let head = Arc::new(Head::new(SERIES_MAX_DEFAULT));
    let (recovery, _) = recover(&head, |apply| inspect(disk, path, 0, apply))?;
    Ok((HeadSource::new(head), recovery))
}

/// Replays the log into the head.
fn recover(
    head: &Head,
    read_log: impl FnOnce(crate::wal::replay::Apply<'_>) -> Result<ReplayReport, WalError>,
) -> Result<(Recovery, ReplayReport), OpenError> {
    let mut replayed = Replayed::new(head);
    let report =
        read_log(&mut |seq, record| replayed.record(seq, record)).map_err(OpenError::Wal)?;
    Ok((replayed.finish(&report), report))
}

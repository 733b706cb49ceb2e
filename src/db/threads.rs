//! The loops, each a thin one over a step, and their threads. What the disk does wrong is handled here, so it is here that
//! the engine writes to the log of events, and nowhere else.

use std::time::Duration;

use super::Core;
use super::maintenance::{MAINTENANCE_INTERVAL, MAINTENANCE_RETRY};
use super::submit::Pending;
use crate::error::{Corrupt, chain};
use crate::sync::{Arc, Condvar, JoinHandle, Mutex, cores, spawn};
use crate::wal::commit::PROBE_INTERVAL;
use crate::wal::{Committer, Group, Wake, WalError};

/// Threads that apply samples: one keeps up with the WAL thread on two cores; a second helps when there are more.
const APPLY_THREADS_MAX: usize = 2;

/// How much the maintenance thread stands back behind requests and queries: it gets a tenth of a core that they want, too,
/// and all of one that nobody wants.
const MAINTENANCE_NICE: i32 = 10;

/// Wakes the maintenance thread when there is no time left to wait.
#[derive(Default)]
pub(super) struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    pub(super) fn ring(&self) {
        *self.rung.lock() = true;
        self.changed.notify_all();
    }

    /// Waits for so long; false once it was rung.
    fn wait(&self, time: Duration) -> bool {
        let mut rung = self.rung.lock();
        if !*rung {
            self.changed.wait_for(&mut rung, time);
        }
        !*rung
    }
}

/// The running threads of a database; none if it is stepped by hand.
#[derive(Default)]
pub(super) struct ThreadHandles {
    commit: Option<JoinHandle<()>>,
    apply: Vec<JoinHandle<()>>,
    maintenance: Option<JoinHandle<()>>,
}

impl ThreadHandles {
    pub(super) fn start(core: &Arc<Core>) -> ThreadHandles {
        let apply_threads = (cores() / 2).clamp(1, APPLY_THREADS_MAX);
        let with_core = |name: &str, body: fn(&Core)| {
            let core = core.clone();
            spawn(name, move || body(&core))
        };
        ThreadHandles {
            apply: (0..apply_threads).map(|_| with_core("apply", apply_loop)).collect(),
            commit: Some(with_core("wal", commit_loop)),
            maintenance: Some(with_core("maintenance", maintenance_loop)),
        }
    }

    pub(super) fn is_stepped(&self) -> bool {
        self.commit.is_none()
    }

    /// Waits until everything queued is committed and applied. The queue must be closed and the bell rung.
    pub(super) fn join(&mut self) -> Result<(), WalError> {
        // First, since it waits for the shards.
        join(self.maintenance.take());
        join(self.commit.take());
        self.apply.drain(..).for_each(|thread| join(Some(thread)));
        Ok(())
    }
}

fn join(thread: Option<JoinHandle<()>>) {
    if let Some(Err(panic)) = thread.map(JoinHandle::join) {
        std::panic::resume_unwind(panic);
    }
}

fn commit_loop(core: &Core) {
    // Also when nothing is known to be wrong: another thread may have committed a group, and the disk refused it.
    while core.queue.wait(Some(PROBE_INTERVAL)) != Wake::Closed {
        core.commit_once();
    }
    core.layers.close_head();
}

fn apply_loop(core: &Core) {
    let mut head = core.head();
    loop {
        let seen = head.appliers.wakes();
        let worked = head.appliers.apply_once(core);
        if !worked && !head.appliers.wait(seen) {
            // What was pushed between the last look and the close.
            while head.appliers.apply_once(core) {}
            let now = core.head();
            if Arc::ptr_eq(&now, &head) {
                break;
            }
            head = now;
        }
    }
}

fn maintenance_loop(core: &Core) {
    if !cfg!(shuttle) {
        // Of this thread alone, on Linux. Where it cannot be had the work is the same, only less polite.
        let _ = rustix::process::nice(MAINTENANCE_NICE);
    }
    let mut pause = MAINTENANCE_INTERVAL;
    while core.bell.wait(pause) {
        let mut maintenance = core.maintenance.lock();
        pause = match core.maintain_once(&mut maintenance) {
            Ok(true) => Duration::ZERO,
            Ok(false) => MAINTENANCE_INTERVAL,
            Err(error) => {
                core.ladder.maintenance_failed();
                tracing::error!(error = %chain(&error), "maintenance could not go on; it tries again");
                MAINTENANCE_RETRY
            }
        };
    }
}

impl Core {
    /// One group: makes durable what is queued, hands it to the shards, or answers why not.
    pub(super) fn commit_once(&self) {
        let mut committer = self.committer.lock();
        let Some(committer) = committer.as_mut() else { return };
        let was_read_only = self.wal_stats.read_only();
        let group = committer.commit_once((self.monotonic)());
        report_group(&group, was_read_only);
        let first_seq = match group.outcome {
            Ok(first_seq) => first_seq,
            Err(cause) => return self.refuse_group(group.tokens, &*cause),
        };
        let head = self.head();
        for (seq, pending) in (first_seq..).zip(group.tokens) {
            if !pending.defined.is_empty() {
                head.registry.mark_durable(pending.defined);
            }
            head.appliers.push(seq, &pending.work);
        }
        head.appliers.wake();
    }

    /// Marks the end of the log, once.
    pub(super) fn close_log(&self) -> Result<(), WalError> {
        self.committer.lock().take().map_or(Ok(()), Committer::close)
    }
}

/// Says that the log could not be begun.
pub(super) fn report_start(committer: &Committer<Pending>) {
    if let Some(cause) = committer.trouble() {
        report_read_only(cause);
    }
}

/// Says that a file is damaged and where it is now.
pub(super) fn report_quarantine(corrupt: &Corrupt) {
    tracing::error!(
        error = %corrupt,
        "a file is damaged: what could be read of it is kept, and the file was moved to quarantine"
    );
}

fn report_read_only(cause: &WalError) {
    tracing::error!(
        error = %cause,
        "the disk refuses writes: requests are refused until it takes them again, which is tried every second"
    );
}

/// Says what the disk did to a group.
fn report_group(group: &Group<Pending>, was_read_only: bool) {
    match &group.outcome {
        Err(cause) if !was_read_only => report_read_only(cause),
        Ok(_) if was_read_only => tracing::info!("the disk takes writes again"),
        _ => {}
    }
    if let (Ok(_), Some(error)) = (&group.outcome, &group.first_error) {
        tracing::warn!(
            error = %error,
            requests = group.tokens.len(),
            "the disk refused a write: its segment was closed and the write repeated in a new one"
        );
    }
}

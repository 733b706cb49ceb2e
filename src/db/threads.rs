//! The loops, each a thin one over a step, and their threads. What the disk does wrong is handled here, so it is here that
//! the engine writes to the log of events, and nowhere else.

use std::thread::JoinHandle;

use super::Core;
use super::submit::Pending;
use crate::head::apply::Appliers;
use crate::sync::Arc;
use crate::wal::{Committer, Group, Wake, WalError};

/// Threads that apply samples: one keeps up with the WAL thread on two cores; a second helps when there are more.
const APPLY_THREADS_MAX: usize = 2;

/// The running threads of a database.
#[derive(Default)]
pub(super) struct ThreadHandles {
    commit: Option<JoinHandle<Result<(), WalError>>>,
    apply: Vec<JoinHandle<()>>,
    core: Option<Arc<Core>>,
}

impl ThreadHandles {
    pub(super) fn start(core: &Arc<Core>, committer: Committer<Pending>) -> ThreadHandles {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let apply_threads = (cores / 2).clamp(1, APPLY_THREADS_MAX);
        let apply = (0..apply_threads).map(|_| {
            let core = core.clone();
            spawn("apply", move || apply_loop(&core.head.appliers))
        });
        let commit = {
            let core = core.clone();
            spawn("wal", move || commit_loop(&core, committer))
        };
        ThreadHandles { apply: apply.collect(), commit: Some(commit), core: Some(core.clone()) }
    }

    /// Waits until everything queued is committed and applied. The queue must be closed.
    pub(super) fn join(&mut self) -> Result<(), WalError> {
        let closed = match self.commit.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(closed)) => closed,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
        };
        if let Some(core) = self.core.take() {
            core.head.appliers.close();
        }
        for thread in self.apply.drain(..) {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
        closed
    }
}

/// A named thread whose panic ends the process: an engine with a thread missing would acknowledge nothing and say nothing.
fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let guarded = move || {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
        outcome.unwrap_or_else(|_| std::process::abort())
    };
    match std::thread::Builder::new().name(name.to_string()).spawn(guarded) {
        Ok(handle) => handle,
        Err(error) => panic!("the operating system gives no thread at start: {error}"),
    }
}

fn commit_loop(core: &Core, mut committer: Committer<Pending>) -> Result<(), WalError> {
    while committer.wait() != Wake::Closed {
        core.commit_once(&mut committer);
    }
    core.head.appliers.close();
    committer.close()
}

fn apply_loop(appliers: &Appliers) {
    loop {
        let seen = appliers.wakes();
        let worked = appliers.apply_once();
        if !worked && !appliers.wait(seen) {
            break;
        }
    }
    // What was pushed between the last look and the close.
    while appliers.apply_once() {}
}

impl Core {
    /// One group: makes durable what is queued, hands it to the shards, or answers why not.
    pub(super) fn commit_once(&self, committer: &mut Committer<Pending>) {
        let was_read_only = self.wal_stats.read_only();
        let group = committer.commit_once((self.monotonic)());
        report_group(&group, was_read_only);
        let first_seq = match group.outcome {
            Ok(first_seq) => first_seq,
            Err(cause) => return self.refuse_group(group.tokens, &*cause),
        };
        for (seq, pending) in (first_seq..).zip(group.tokens) {
            if !pending.defined.is_empty() {
                self.head.registry.mark_durable(pending.defined);
            }
            self.head.appliers.push(seq, &pending.work);
        }
        self.head.appliers.wake();
    }
}

/// Says that the log could not be begun.
pub(super) fn report_start(committer: &Committer<Pending>) {
    if let Some(cause) = committer.trouble() {
        report_read_only(cause);
    }
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

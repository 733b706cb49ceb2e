//! The database: opens a data directory, recovers it, takes batches, gives views.
//!
//! A batch goes through three hands. The thread that calls [`Db::submit`] resolves its series and writes its record; the
//! WAL thread makes a group of records durable; an apply thread puts the samples into the head and reports. Each loop
//! is a thin one over a step (`Core::commit_once`, `Appliers::apply_once`), and tests call the steps themselves.

pub mod directory;
mod open;
pub mod options;
pub mod plan;
pub mod recover;
pub mod stats;
mod submit;
mod threads;

use std::io;
use std::path::Path;

pub use directory::OpenError;
pub use options::{Clock, Monotonic, Options, Threads};
pub use recover::Recovery;
pub use stats::DbStats;
pub use submit::SubmitError;

use crate::fs::{Disk, Lock};
use crate::head::Head;
use crate::head::source::HeadSource;
use crate::model::{Batch, Outcome};
use crate::sync::{Arc, AtomicBool, Mutex, Ordering};
use crate::wal::{CommitQueue, Committer, WalStats};
use submit::{Pending, Scratch};
use threads::ThreadHandles;

/// What a query reads: see [`Db::view`].
pub type View = HeadSource;

/// An open database. Dropped without [`Db::close`] it takes nothing more; its threads finish what was taken, mark the end
/// of the log, release the directory and end, at a time that nobody is told.
pub struct Db {
    core: Arc<Core>,
    threads: Mutex<ThreadHandles>,
    /// Stepped by hand when the database has no threads of its own; None once it is closed or has threads.
    stepped: Mutex<Option<Committer<Pending>>>,
    recovery: Recovery,
}

/// What the threads share.
struct Core {
    head: Arc<Head>,
    queue: Arc<CommitQueue<Pending>>,
    clock: Clock,
    monotonic: Monotonic,
    closed: AtomicBool,
    scratch: Mutex<Vec<Scratch>>,
    wal_stats: Arc<WalStats>,
    /// Of the directory. Here, and so held until the last thread that may write has ended.
    lock: Mutex<Option<Box<dyn Lock>>>,
    /// What the disk said when a group could not be written.
    read_only_cause: Mutex<Option<String>>,
}

impl Db {
    /// Opens a data directory, creating it if it is missing, and recovers what it holds.
    ///
    /// # Errors
    /// The directory is in use, not ours, or cannot be read or written. What was acknowledged is as it was: the directory
    /// may have been created, and what a crash had left half written may have been removed.
    pub fn open(options: Options) -> Result<Arc<Db>, OpenError> {
        open::open(options)
    }

    /// What a directory holds, for looking only: takes no lock, changes no file, works beside a running server.
    ///
    /// # Errors
    /// The directory is not ours or cannot be read.
    pub fn open_read_only(disk: &dyn Disk, path: &Path) -> Result<(View, Recovery), OpenError> {
        open::open_read_only(disk, path)
    }

    /// Takes a batch. Never blocks on the disk; `on_done` is called once, from another thread or this one, when every
    /// sample of the batch is durable and visible, or with the reason why none of it is stored. Only a stepped database
    /// that is dropped without [`Db::close`] forgets what waits: then `on_done` is dropped without a call.
    pub fn submit(
        &self,
        batch: Batch,
        on_done: impl FnOnce(Result<Outcome, SubmitError>) + Send + 'static,
    ) {
        self.core.submit(batch, Box::new(on_done));
    }

    /// What queries read, as it is whenever they read: a view holds on to the series in memory, not to a moment. A
    /// selection finds the series with samples applied until then, and reading one of them gives its samples applied
    /// until that. So everything acknowledged before is there, and requests applied later may appear, one of them perhaps
    /// in one series and not yet in another.
    pub fn view(&self) -> View {
        HeadSource::new(self.core.head.clone())
    }

    /// What the last start found.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    pub fn stats(&self) -> DbStats {
        DbStats::of(&self.core)
    }

    /// Commits and applies everything that waits. Only for a database opened with [`Threads::Stepped`].
    pub fn step(&self) {
        if let Some(committer) = self.stepped.lock().as_mut() {
            self.core.commit_once(committer);
        }
        while self.core.head.appliers.apply_once() {}
    }

    /// Takes no more batches, finishes those taken, marks the end of the log, releases the directory. Later calls do
    /// nothing.
    ///
    /// # Errors
    /// What was acknowledged is safe, but the end of the log could not be marked.
    pub fn close(&self) -> io::Result<()> {
        self.core.closed.store(true, Ordering::SeqCst);
        self.core.queue.close();
        self.step();
        let stepped = self.stepped.lock().take().map_or(Ok(()), Committer::close);
        let threaded = self.threads.lock().join();
        self.core.lock.lock().take();
        stepped.and(threaded).map_err(|error| io::Error::other(error.to_string()))
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        // The threads end by themselves once nothing can come any more; what they took is still finished.
        self.core.closed.store(true, Ordering::SeqCst);
        self.core.queue.close();
    }
}

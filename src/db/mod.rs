//! The database: opens a data directory, recovers it, takes batches, gives views.
//!
//! A batch goes through three hands. The thread that calls [`Db::submit`] resolves its series and writes its record; the
//! WAL thread makes a group of records durable; an apply thread puts the samples into the head and reports. A fourth, the
//! maintenance thread, moves samples down: seals generations, writes spills, merges them, makes blocks. Each loop is a
//! thin one over a step (`Core::commit_once`, `Appliers::apply_once`, `Core::maintain_once`), and tests call the steps
//! themselves.

mod build;
pub mod directory;
pub mod garbage;
pub mod ladder_stats;
mod layers;
mod maintenance;
pub mod manifest;
mod merge_spills;
mod open;
mod open_files;
pub mod options;
pub mod plan;
pub mod rebuild;
pub mod recover;
mod registry_files;
mod repeats;
mod seal;
mod spill;
pub mod stats;
mod store;
mod streams;
mod submit;
mod threads;
mod view;

use std::io;
use std::path::Path;

pub use directory::OpenError;
pub use options::{Clock, Monotonic, Options, RetentionSize, Threads};
pub use recover::Recovery;
pub use stats::DbStats;
pub use store::StoreError;
pub use submit::{Overload, SubmitError};
pub use view::View;

use crate::fs::{Disk, Lock};
use crate::head::Head;
use crate::head::older::{Looked, Older};
use crate::head::work::Slot;
use crate::model::{Batch, Outcome, Timestamp};
use crate::sync::{Arc, AtomicBool, AtomicUsize, Mutex, MutexGuard, Ordering, RwLock};
use crate::wal::{CommitQueue, Committer, Front, WalStats};
use ladder_stats::LadderCounters;
use layers::CurrentLayers;
use maintenance::Maintenance;
use store::Store;
use submit::{Pending, Scratch};
use threads::{Bell, ThreadHandles};

/// An open database. Dropped without [`Db::close`] it takes nothing more; its threads finish what was taken, mark the end
/// of the log, release the directory and end, at a time that nobody is told.
pub struct Db {
    core: Arc<Core>,
    threads: Mutex<ThreadHandles>,
    recovery: Recovery,
}

/// What the threads share.
struct Core {
    layers: CurrentLayers,
    store: Store,
    /// Held while a group is made durable and handed to the shards, and while a generation ends. None once the log is
    /// closed.
    committer: Mutex<Option<Committer<Pending>>>,
    /// Where the log is cut.
    front: Front,
    /// Held by every request until it is in the queue, and by whoever puts another head in the place of the present one.
    intake: RwLock<()>,
    /// Held by whoever moves samples down.
    maintenance: Mutex<Maintenance>,
    /// Rung when the database closes.
    bell: Bell,
    limits: Limits,
    /// What samples and series took of memory when maintenance last looked.
    memory_bytes: AtomicUsize,
    ladder: LadderCounters,
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

/// What bounds memory, disk and the next start. See [`Options`].
#[derive(Debug, Clone, Copy)]
struct Limits {
    memory_budget_bytes: usize,
    spill_wal_bytes: u64,
    retention_ms: Option<i64>,
    retention_bytes: Option<RetentionSize>,
    forgotten_min: usize,
    definitions_min: usize,
    accepted_age_max_ms: Option<i64>,
}

impl Older for Core {
    fn look(&self, slot: Slot, timestamp: Timestamp) -> Looked {
        self.view().look(slot, timestamp)
    }
}

impl Core {
    /// The series in memory. They change places at a swap, which waits for requests on their way.
    fn head(&self) -> Arc<Head> {
        self.layers.get().head.clone()
    }

    fn view(&self) -> View {
        View::new(self.layers.get())
    }
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

    /// What queries read: everything acknowledged before. A view holds on to what there was when it was taken; requests
    /// applied while it is read may appear, one of them perhaps in one series and not yet in another.
    pub fn view(&self) -> View {
        self.core.view()
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
        self.core.commit_once();
        while self.core.head().appliers.apply_once(&*self.core) {}
    }

    /// Does one job of maintenance. False if there is none.
    ///
    /// # Errors
    /// As [`Db::maintain`].
    pub fn maintain_step(&self) -> Result<bool, StoreError> {
        let mut maintenance = self.core.maintenance()?;
        self.core.maintain_once(&mut maintenance)
    }

    /// Does what maintenance has to do, until nothing is left.
    ///
    /// # Errors
    /// The disk refused; what is not done is done later.
    pub fn maintain(&self) -> Result<(), StoreError> {
        let mut maintenance = self.core.maintenance()?;
        while self.core.maintain_once(&mut maintenance)? {}
        Ok(())
    }

    /// Moves all samples from memory to files, and those of every window to blocks.
    ///
    /// # Errors
    /// The disk refused; samples that are in no file stay where they are.
    pub fn flush(&self) -> Result<(), StoreError> {
        let mut maintenance = self.core.maintenance()?;
        self.core.flush(&mut maintenance)
    }

    /// Merges blocks as far as they can be.
    ///
    /// # Errors
    /// The disk refused; blocks that could not be merged stay as they are.
    pub fn compact(&self) -> Result<(), StoreError> {
        let mut maintenance = self.core.maintenance()?;
        self.core.compact_all(&mut maintenance)
    }

    /// Takes no more batches, finishes those taken, marks the end of the log, releases the directory. Later calls do
    /// nothing.
    ///
    /// # Errors
    /// What was acknowledged is safe, but the end of the log could not be marked.
    pub fn close(&self) -> io::Result<()> {
        self.core.begin_close();
        if self.threads.lock().is_stepped() {
            self.step();
        }
        let closed = self.threads.lock().join().and(self.core.close_log());
        // Held until then, since an admin request may still be writing files.
        let _maintenance = self.core.maintenance.lock();
        self.core.lock.lock().take();
        closed.map_err(|error| io::Error::other(error.to_string()))
    }
}

impl Core {
    /// The turn to move samples down, as long as the directory is ours.
    fn maintenance(&self) -> Result<MutexGuard<'_, Maintenance>, StoreError> {
        let maintenance = self.maintenance.lock();
        match self.closed.load(Ordering::SeqCst) {
            true => Err(StoreError::Closed),
            false => Ok(maintenance),
        }
    }

    /// Takes no more batches. The threads end once those taken are finished.
    fn begin_close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.queue.close();
        self.bell.ring();
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        // The threads end by themselves once nothing can come any more; what they took is still finished.
        self.core.begin_close();
    }
}

//! A disk in memory that keeps the promises of [`super`] and nothing else. Every part that writes files is tested on it:
//!
//! * [`SimDisk::images`] gives every state (within [`Limits`]) that a power cut at any moment may leave, each as a fresh disk
//!   to recover from; [`SimDisk::note`] tells the test what had been acknowledged before the cut.
//! * [`SimDisk::kill`] is the death of the process alone: what was written stays, synced or not.
//! * [`SimDisk::fail`] and [`SimDisk::set_capacity`] make operations fail; [`SimDisk::corrupt`] damages what is at rest.
//!
//! It is deterministic: the same calls give the same images in the same order. It knows nothing of what is stored.

#[cfg(test)]
mod canaries;
mod faults;
mod image;
mod log;
mod model;
#[cfg(test)]
mod tests;
mod variant;

pub use faults::{Fault, Kind};
pub use image::{Image, Limits};

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
// Not those of `sync`: a model checker would spend most of its changes of threads inside of the disk.
use parking_lot::{Mutex, MutexGuard};

use self::faults::Faults;
use self::log::{Inode, Log, NameChange, Op, Tree, parent};
use super::{Append, Blob, Disk, Lock, Space, range_within};
use crate::sync::Arc;

/// A simulated disk as one process sees it. Clones are the same disk and the same process.
#[derive(Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
    /// Which process this handle belongs to: those of killed processes fail.
    process: u64,
}

struct State {
    tree: Tree,
    log: Log,
    next_inode: Inode,
    locks: BTreeSet<PathBuf>,
    faults: Faults,
    capacity_bytes: Option<u64>,
    process: u64,
}

impl Default for SimDisk {
    fn default() -> SimDisk {
        SimDisk::new()
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        f.debug_struct("SimDisk")
            .field("files", &state.tree.names.keys())
            .field("operations", &state.log.ops.len())
            .finish()
    }
}

/// Building, observing and harming the disk.
impl SimDisk {
    /// An empty disk: the root and the working directory are there.
    pub fn new() -> SimDisk {
        SimDisk::holding(Tree::empty())
    }

    /// A disk on which all of `tree` is durable.
    fn holding(tree: Tree) -> SimDisk {
        let state = State {
            next_inode: tree.contents.keys().next_back().map_or(0, |last| last + 1),
            log: Log { base: tree.clone(), ops: Vec::new() },
            tree,
            locks: BTreeSet::new(),
            faults: Faults::default(),
            capacity_bytes: None,
            process: 0,
        };
        SimDisk { state: Arc::new(Mutex::new(state)), process: 0 }
    }

    /// Puts a mark into the log between operations. Images of later cuts carry it.
    pub fn note(&self, note: u64) {
        self.state.lock().log.ops.push(Op::Note(note));
    }

    /// The process dies and the power stays on: locks are released, every older handle fails, and what was written is
    /// there, but no more durable than it was. Returns the disk as the next process finds it.
    pub fn kill(&self) -> SimDisk {
        let mut state = self.state.lock();
        state.locks.clear();
        state.process += 1;
        SimDisk { state: self.state.clone(), process: state.process }
    }

    /// Makes everything durable as it is and starts the log anew, so that images begin from here.
    pub fn settle(&self) {
        self.state.lock().settle();
    }

    /// Makes an operation fail.
    pub fn fail(&self, fault: Fault) {
        self.state.lock().faults.arm(fault);
    }

    /// Takes back all failures that have not happened.
    pub fn clear_faults(&self) {
        self.state.lock().faults.clear();
    }

    /// Operations of a kind so far, failed ones included: the range to try [`SimDisk::fail`] over.
    pub fn calls(&self, kind: Kind) -> u64 {
        self.state.lock().faults.calls(kind)
    }

    /// Limits the bytes of all files together. An append beyond fills the disk and fails with `ENOSPC`.
    pub fn set_capacity(&self, capacity_bytes: Option<u64>) {
        self.state.lock().capacity_bytes = capacity_bytes;
    }

    /// Damage at rest: changes one byte. Settles the disk; does not reach blobs opened before.
    ///
    /// # Errors
    /// There is no such file or no such byte.
    pub fn corrupt(&self, path: &Path, offset: u64, xor: u8) -> io::Result<()> {
        self.damage(path, offset, 1, |bytes| bytes[0] ^= xor)
    }

    /// Damage at rest: other bytes in place of those there. Settles the disk; does not reach blobs opened before.
    ///
    /// # Errors
    /// There is no such file or it ends before the last of the bytes.
    pub fn write_at(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.damage(path, offset, bytes.len(), |old| old.copy_from_slice(bytes))
    }

    /// The content of a file as the process sees it. Neither counted nor made to fail.
    ///
    /// # Errors
    /// There is no such file.
    pub fn read_all(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.state.lock();
        let inode = state.inode(&normal(path))?;
        Ok(state.content(inode).to_vec())
    }

    /// Cuts of the power that [`SimDisk::images`] goes through: one before each logged operation or note, one at the end.
    pub fn crash_points(&self) -> usize {
        self.state.lock().log.ops.len() + 1
    }

    /// What a power cut may leave after the first `point` logged operations and notes. Equal images come once.
    pub fn images_at(&self, point: usize, limits: &Limits, visit: &mut dyn FnMut(&Image<'_>)) {
        let log = self.state.lock().log.clone();
        image::images_at(&log, point, limits, visit);
    }

    /// What a power cut may leave at every point. Equal images with equal notes come once. Returns how many came.
    pub fn images(&self, limits: &Limits, visit: &mut dyn FnMut(&Image<'_>)) -> usize {
        let log = self.state.lock().log.clone();
        image::images(&log, limits, visit)
    }

    fn damage(
        &self,
        path: &Path,
        offset: u64,
        len: usize,
        change: impl FnOnce(&mut [u8]),
    ) -> io::Result<()> {
        let mut state = self.state.lock();
        let inode = state.inode(&normal(path))?;
        let range = range_within(state.content(inode).len(), offset, len)?;
        change(&mut state.tree.content_mut(inode)[range]);
        state.settle();
        Ok(())
    }

    /// The state for an operation of this handle's process; an error if the process is dead.
    fn enter(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.state.lock();
        if state.process != self.process {
            return Err(io::Error::other("the process that held this disk was killed"));
        }
        Ok(state)
    }

    /// The state for an operation that has no effect if it fails.
    fn begin(&self, kind: Kind) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.enter()?;
        state.faults.check(kind)?;
        Ok(state)
    }
}

impl State {
    fn settle(&mut self) {
        self.log = Log { base: self.tree.clone(), ops: Vec::new() };
    }

    fn inode(&self, path: &Path) -> io::Result<Inode> {
        self.tree.names.get(path).copied().ok_or_else(|| not_found(path))
    }

    fn content(&self, inode: Inode) -> Arc<Vec<u8>> {
        self.tree.contents.get(&inode).cloned().unwrap_or_default()
    }

    fn change_name(&mut self, change: NameChange) {
        self.tree.apply(&change);
        self.log.ops.push(Op::Name(change));
    }

    fn create(&mut self, path: PathBuf) -> io::Result<Inode> {
        if self.tree.names.contains_key(&path) || self.tree.dirs.contains(&path) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{path:?} exists")));
        }
        self.check_dir(&parent(&path))?;
        let inode = self.next_inode;
        self.next_inode += 1;
        self.tree.content_mut(inode);
        self.change_name(NameChange::Create { path, inode });
        Ok(inode)
    }

    fn check_dir(&self, dir: &Path) -> io::Result<()> {
        if self.tree.dirs.contains(dir) { Ok(()) } else { Err(not_found(dir)) }
    }

    fn free_bytes(&self) -> u64 {
        let capacity = self.capacity_bytes.unwrap_or(u64::MAX);
        capacity.saturating_sub(self.tree.used_bytes())
    }

    /// Appends what the faults and the capacity let through.
    fn append(&mut self, inode: Inode, bytes: &[u8]) -> io::Result<()> {
        let mut result = self.faults.check(Kind::Append);
        let mut landed = if result.is_ok() { bytes.len() } else { bytes.len() / 2 };
        let room = usize::try_from(self.free_bytes()).unwrap_or(usize::MAX);
        if landed > room {
            landed = room;
            result = Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        let landed = Arc::new(bytes[..landed].to_vec());
        self.tree.content_mut(inode).extend_from_slice(&landed);
        self.log.ops.push(Op::Append { inode, bytes: landed });
        result
    }

    fn sync(&mut self, inode: Inode) -> io::Result<()> {
        let result = self.faults.check(Kind::Sync);
        let op = if result.is_ok() { Op::Sync { inode } } else { Op::SyncFailed { inode } };
        self.log.ops.push(op);
        result
    }
}

impl Disk for SimDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Append>> {
        let inode = self.begin(Kind::Create)?.create(normal(path))?;
        Ok(Box::new(SimAppend { disk: self.clone(), inode, len: 0, failed: false }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Blob>> {
        let state = self.begin(Kind::Open)?;
        let content = Content(state.content(state.inode(&normal(path))?));
        Ok(Box::new(SimBlob { disk: self.clone(), content: Bytes::from_owner(content) }))
    }

    fn truncate(&self, path: &Path, len_bytes: u64) -> io::Result<()> {
        let mut state = self.begin(Kind::Truncate)?;
        let inode = state.inode(&normal(path))?;
        let content = state.tree.content_mut(inode);
        let len = usize::try_from(len_bytes).ok().filter(|len| *len <= content.len());
        let Some(len) = len else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("cannot truncate {path:?} to {len_bytes} bytes: it is shorter"),
            ));
        };
        content.truncate(len);
        state.log.ops.push(Op::Truncate { inode, len });
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.begin(Kind::List)?;
        let dir = normal(dir);
        state.check_dir(&dir)?;
        let mut names: Vec<String> = (state.tree.names.keys().chain(&state.tree.dirs))
            .filter(|path| path.parent() == Some(&dir))
            .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.begin(Kind::CreateDir)?;
        let dir = normal(dir);
        let mut missing: Vec<&Path> =
            dir.ancestors().filter(|dir| !state.tree.dirs.contains(*dir)).collect();
        if let Some(file) = missing.iter().find(|path| state.tree.names.contains_key(**path)) {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!("{file:?} is a file"),
            ));
        }
        missing.reverse();
        for path in missing {
            state.change_name(NameChange::CreateDir { path: path.to_owned() });
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.begin(Kind::Rename)?;
        let (from, to) = (normal(from), normal(to));
        let inode = state.inode(&from)?;
        state.check_dir(&parent(&to))?;
        if state.tree.dirs.contains(&to) {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, format!("{to:?}")));
        }
        if from != to {
            state.change_name(NameChange::Rename { from, to, inode });
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.begin(Kind::Remove)?;
        let path = normal(path);
        state.inode(&path)?;
        state.change_name(NameChange::Remove { path });
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.begin(Kind::SyncDir)?;
        let dir = normal(dir);
        state.check_dir(&dir)?;
        state.log.ops.push(Op::SyncDir { dir });
        Ok(())
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let state = self.enter()?;
        let path = normal(path);
        state.check_dir(&path).or_else(|_| state.inode(&path).map(drop))?;
        Ok(Space {
            total_bytes: state.capacity_bytes.unwrap_or(u64::MAX),
            available_bytes: state.free_bytes(),
        })
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        let mut state = self.begin(Kind::Lock)?;
        let path = normal(path);
        if !state.tree.names.contains_key(&path) {
            state.create(path.clone())?;
        }
        if !state.locks.insert(path.clone()) {
            return Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                format!("{path:?} is locked by this process; stop it first"),
            ));
        }
        Ok(Box::new(SimLock { disk: self.clone(), path }))
    }
}

#[derive(Debug)]
struct SimAppend {
    disk: SimDisk,
    inode: Inode,
    len: u64,
    failed: bool,
}

impl Append for SimAppend {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.failed {
            return Err(super::append_after_failure());
        }
        self.failed = true;
        self.disk.enter()?.append(self.inode, bytes)?;
        self.failed = false;
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.enter()?.sync(self.inode)
    }

    fn len(&self) -> u64 {
        self.len
    }
}

#[derive(Debug)]
struct SimBlob {
    disk: SimDisk,
    content: Bytes,
}

impl Blob for SimBlob {
    fn len(&self) -> u64 {
        self.content.len() as u64
    }

    fn bytes(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        drop(self.disk.begin(Kind::Read)?);
        Ok(self.content.slice(range_within(self.content.len(), offset, len)?))
    }

    fn populate(&self, offset: u64, len: usize) -> io::Result<()> {
        self.bytes(offset, len).map(drop)
    }
}

/// The content of a file as it was when it was opened.
struct Content(Arc<Vec<u8>>);

impl AsRef<[u8]> for Content {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[derive(Debug)]
struct SimLock {
    disk: SimDisk,
    path: PathBuf,
}

impl Lock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        if let Ok(mut state) = self.disk.enter() {
            state.locks.remove(&self.path);
        }
    }
}

/// One spelling for each path.
fn normal(path: &Path) -> PathBuf {
    path.components().filter(|component| *component != Component::CurDir).collect()
}

fn not_found(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{path:?} does not exist"))
}

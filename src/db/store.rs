//! The files of the data directory and the manifest that lists them: names for new ones, and the one way in which a set of
//! files takes the place of another.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::directory::QUARANTINE_DIR;
use super::manifest::layout::FILE_DIRS;
use super::manifest::{Edit, FileId, Manifest, ManifestError, State};
use crate::fs::Disk;
use crate::fs::sealed::FileError;
use crate::sync::{Arc, AtomicBool, Mutex, Ordering};

/// Maintenance could not do what it had to. Nothing is lost; it is tried again.
#[derive(Debug)]
pub enum StoreError {
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    File(FileError),
    Manifest(ManifestError),
    /// The database is closed: its directory may be another's already.
    Closed,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Io { doing, path, .. } => write!(f, "cannot {doing} {path:?}"),
            StoreError::File(_) => f.write_str("cannot read a file of the data directory"),
            StoreError::Manifest(_) => f.write_str("cannot change the manifest"),
            StoreError::Closed => f.write_str("the server is shutting down"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StoreError::Io { source, .. } => Some(source),
            StoreError::File(error) => Some(error),
            StoreError::Manifest(error) => Some(error),
            StoreError::Closed => None,
        }
    }
}

impl StoreError {
    /// Adds what was being done to an I/O error.
    pub(super) fn io(
        doing: &'static str,
        path: &Path,
    ) -> impl FnOnce(io::Error) -> StoreError + use<> {
        let path = path.to_owned();
        move |source| StoreError::Io { doing, path, source }
    }
}

impl From<FileError> for StoreError {
    fn from(error: FileError) -> StoreError {
        StoreError::File(error)
    }
}

impl From<ManifestError> for StoreError {
    fn from(error: ManifestError) -> StoreError {
        StoreError::Manifest(error)
    }
}

/// See the head of this file.
pub(super) struct Store {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) dir: PathBuf,
    manifest: Mutex<Manifest>,
    /// The folders of the files are there, and durably.
    has_folders: AtomicBool,
}

impl Store {
    pub(super) fn new(disk: Arc<dyn Disk>, dir: PathBuf, manifest: Manifest) -> Store {
        let has_folders = AtomicBool::new(false);
        Store { disk, dir, manifest: Mutex::new(manifest), has_folders }
    }

    /// Creates the folders that are missing and makes their names durable, once.
    ///
    /// # Errors
    /// The disk refused. Then no file can be written.
    pub(super) fn ensure_folders(&self) -> Result<(), StoreError> {
        if self.has_folders.load(Ordering::Acquire) {
            return Ok(());
        }
        for folder in FILE_DIRS {
            let path = self.dir.join(folder);
            self.disk.create_dir(&path).map_err(StoreError::io("create", &path))?;
        }
        // Also those that were there: the process that created them may have died before it came so far.
        self.sync_dir(&self.dir)?;
        self.has_folders.store(true, Ordering::Release);
        Ok(())
    }

    /// A look at what is listed.
    pub(super) fn with_state<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(self.manifest.lock().state())
    }

    /// A name for a new registry file or spill.
    pub(super) fn next_file(&self, id: fn(u64) -> FileId) -> (FileId, PathBuf) {
        let id = id(self.manifest.lock().next_file());
        (id, id.path(&self.dir))
    }

    /// Makes one change durable, whose added files are whole and synced; then unlinks those it removes, except damaged ones,
    /// which are kept in quarantine for people to look at.
    ///
    /// # Errors
    /// Nothing of it counts. Added files stay as garbage where a crash may bring the change back.
    pub(super) fn commit(&self, edit: Edit, damaged: &[FileId]) -> Result<(), StoreError> {
        self.sync_folders_of(&edit).inspect_err(|_| self.discard(&edit))?;
        let removed: Vec<FileId> =
            edit.remove.iter().filter(|id| !damaged.contains(id)).copied().collect();
        // Before the manifest lets go of them, so that no start takes them for garbage.
        for id in damaged {
            quarantine(&*self.disk, &self.dir, &id.path(&self.dir))?;
        }
        self.manifest.lock().commit(edit)?;
        for id in removed {
            // What cannot be unlinked is garbage at the next start.
            let _ = self.disk.remove(&id.path(&self.dir));
        }
        Ok(())
    }

    fn sync_folders_of(&self, edit: &Edit) -> Result<(), StoreError> {
        let paths = edit.add.iter().map(|added| added.id.path(&self.dir));
        let mut folders: Vec<PathBuf> =
            paths.filter_map(|path| path.parent().map(Path::to_owned)).collect();
        folders.sort_unstable();
        folders.dedup();
        folders.iter().try_for_each(|folder| self.sync_dir(folder))
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), StoreError> {
        sync_dir(&*self.disk, dir)
    }

    /// Removes files that no change will add: room on a disk that may be full.
    pub(super) fn discard(&self, edit: &Edit) {
        for added in &edit.add {
            let _ = self.disk.remove(&added.id.path(&self.dir));
        }
    }
}

fn sync_dir(disk: &dyn Disk, dir: &Path) -> Result<(), StoreError> {
    disk.sync_dir(dir).map_err(StoreError::io("sync", dir))
}

/// Moves a file of the data directory `dir` to where nothing is ever removed. One that is not there was moved before, or is
/// lost.
///
/// # Errors
/// The disk refused.
pub(super) fn quarantine(disk: &dyn Disk, dir: &Path, path: &Path) -> Result<(), StoreError> {
    let quarantine = dir.join(QUARANTINE_DIR);
    disk.create_dir(&quarantine).map_err(StoreError::io("create", &quarantine))?;
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    match disk.rename(path, &quarantine.join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        moved => moved.map_err(StoreError::io("move to quarantine", path))?,
    }
    sync_dir(disk, dir)?;
    sync_dir(disk, &quarantine)?;
    sync_dir(disk, folder)
}

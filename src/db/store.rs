//! The files of the data directory and the manifest that lists them: names for new ones, and the one way in which a set of
//! files takes the place of another.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::manifest::layout::FILE_DIRS;
use super::manifest::{Edit, FileId, Manifest, ManifestError, State};
use crate::error::Corrupt;
use crate::fs::Disk;
use crate::fs::sealed::FileError;
use crate::sync::{Arc, Mutex};

/// Maintenance could not do what it had to. Nothing is lost; it is tried again.
#[derive(Debug)]
pub enum StoreError {
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    File(FileError),
    Manifest(ManifestError),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Io { doing, path, .. } => write!(f, "cannot {doing} {path:?}"),
            StoreError::File(_) => f.write_str("cannot read a file of the data directory"),
            StoreError::Manifest(_) => f.write_str("cannot change the manifest"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StoreError::Io { source, .. } => Some(source),
            StoreError::File(error) => Some(error),
            StoreError::Manifest(error) => Some(error),
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

    /// The damage, if that is what it is.
    pub(super) fn corrupt(&self) -> Option<&Corrupt> {
        match self {
            StoreError::File(FileError::Corrupt(corrupt)) => Some(corrupt),
            _ => None,
        }
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
}

impl Store {
    pub(super) fn new(disk: Arc<dyn Disk>, dir: PathBuf, manifest: Manifest) -> Store {
        Store { disk, dir, manifest: Mutex::new(manifest) }
    }

    /// Creates the folders that are missing and makes their names durable.
    pub(super) fn create_folders(&self) -> Result<(), StoreError> {
        let names = self.disk.list(&self.dir).map_err(StoreError::io("list", &self.dir))?;
        let missing = FILE_DIRS.iter().filter(|folder| !names.iter().any(|name| name == *folder));
        for folder in missing {
            let path = self.dir.join(folder);
            self.disk.create_dir(&path).map_err(StoreError::io("create", &path))?;
        }
        // A process that died may have created them and not come so far.
        self.disk.sync_dir(&self.dir).map_err(StoreError::io("sync", &self.dir))
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

    /// Makes one change durable, whose added files are whole and synced; then unlinks those it removes.
    ///
    /// # Errors
    /// Nothing of it counts. The files it would have added stay as garbage: a crash may bring the change back.
    pub(super) fn commit(&self, edit: Edit) -> Result<(), StoreError> {
        let mut folders: Vec<PathBuf> = Vec::new();
        for added in &edit.add {
            let folder = added.id.path(&self.dir).parent().map(Path::to_owned).unwrap_or_default();
            if !folders.contains(&folder) {
                self.disk.sync_dir(&folder).map_err(StoreError::io("sync", &folder))?;
                folders.push(folder);
            }
        }
        let removed: Vec<PathBuf> = edit.remove.iter().map(|id| id.path(&self.dir)).collect();
        self.manifest.lock().commit(edit)?;
        for path in removed {
            // What cannot be unlinked is garbage at the next start.
            let _ = self.disk.remove(&path);
        }
        Ok(())
    }
}

//! The data directory as a whole: is it ours, is it free, what may lie in it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::manifest::ManifestError;
use super::manifest::layout::{
    BLOCKS_DIR, MANIFEST_FILE, MANIFEST_UNFINISHED, REGISTRY_DIR, SPILL_DIR,
};
use super::store::StoreError;
use crate::fs::{Disk, Lock};
use crate::wal::WalError;
use crate::wal::layout::WAL_DIR;

/// Name of the lock file.
pub const LOCK_FILE: &str = "LOCK";
/// Folder of files taken out of use because they are damaged.
pub const QUARANTINE_DIR: &str = "quarantine";
/// Folder of copies made on demand.
pub const SNAPSHOTS_DIR: &str = "snapshots";
/// What may lie in a data directory; `lost+found` is there when it is the root of a file system.
const KNOWN_NAMES: &[&str] = &[
    LOCK_FILE,
    MANIFEST_FILE,
    MANIFEST_UNFINISHED,
    WAL_DIR,
    REGISTRY_DIR,
    SPILL_DIR,
    BLOCKS_DIR,
    QUARANTINE_DIR,
    SNAPSHOTS_DIR,
    "lost+found",
];

/// The directory cannot be opened. The text is one line with the remedy; what lies below it is its source.
#[derive(Debug)]
pub enum OpenError {
    /// Another process has it open; `holder` says which where that is known.
    Locked { path: PathBuf, holder: String },
    /// It holds files that are not this program's.
    Foreign { path: PathBuf, found: String },
    /// The operating system refused.
    Io { path: PathBuf, doing: &'static str, source: io::Error },
    /// The manifest cannot be read.
    Manifest(ManifestError),
    /// A file that the manifest lists cannot be read, or the disk refuses what a start has to do.
    Store(StoreError),
    /// The write-ahead log cannot be read.
    Wal(WalError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Locked { path, holder } => write!(
                f,
                "data directory {path:?} is in use: {holder}, or give another directory with --storage.tsdb.path"
            ),
            OpenError::Foreign { path, found } => write!(
                f,
                "data directory {path:?} holds {found:?}, which is not silverback's; give an empty or new directory with --storage.tsdb.path"
            ),
            OpenError::Io { path, doing, .. } => {
                write!(f, "cannot {doing} {path:?} (check the path, its owner and the free space)")
            }
            OpenError::Manifest(_) => f.write_str("cannot read the manifest"),
            OpenError::Store(_) => f.write_str("cannot open the files of the data directory"),
            OpenError::Wal(_) => f.write_str("cannot read the write-ahead log"),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            OpenError::Locked { .. } | OpenError::Foreign { .. } => None,
            OpenError::Io { source, .. } => Some(source),
            OpenError::Manifest(error) => Some(error),
            OpenError::Store(error) => Some(error),
            OpenError::Wal(error) => Some(error),
        }
    }
}

/// Adds what was being done to an I/O error.
pub fn doing(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError + use<> {
    let path = path.to_path_buf();
    move |source| OpenError::Io { path, doing, source }
}

/// Creates what is missing, makes its name durable, and takes the lock, after a look at what is there. The log creates
/// its own directory.
pub fn claim(disk: &dyn Disk, path: &Path) -> Result<Box<dyn Lock>, OpenError> {
    let missing: Vec<&Path> = path.ancestors().take_while(|dir| is_missing(disk, dir)).collect();
    disk.create_dir(path).map_err(doing("create", path))?;
    let names = check_names(disk, path)?;
    let lock = disk.lock(&path.join(LOCK_FILE)).map_err(|source| match source.kind() {
        io::ErrorKind::WouldBlock => {
            OpenError::Locked { path: path.to_path_buf(), holder: source.to_string() }
        }
        _ => OpenError::Io { path: path.to_path_buf(), doing: "lock", source },
    })?;
    if !names.iter().any(|name| name == WAL_DIR) {
        make_durable(disk, path, &missing)?;
    }
    Ok(lock)
}

fn is_missing(disk: &dyn Disk, dir: &Path) -> bool {
    disk.list(dir).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Makes durable the name of a directory that has no log yet, and the names above it. A process that died here may have
/// created any of them, so all are synced; but a parent that cannot be opened is no obstacle where it was there before.
fn make_durable(disk: &dyn Disk, path: &Path, created: &[&Path]) -> Result<(), OpenError> {
    for dir in path.ancestors() {
        let Some(parent) = dir.parent() else { break };
        let synced = disk.sync_dir(parent).map_err(doing("sync", parent));
        if created.contains(&dir) {
            synced?;
        }
    }
    Ok(())
}

/// The names in a directory; an error if there is any that this program would not have put there.
pub fn check_names(disk: &dyn Disk, path: &Path) -> Result<Vec<String>, OpenError> {
    let names = disk.list(path).map_err(doing("list", path))?;
    match names.iter().find(|name| !KNOWN_NAMES.contains(&name.as_str())) {
        Some(found) => Err(OpenError::Foreign { path: path.to_path_buf(), found: found.clone() }),
        None => Ok(names),
    }
}

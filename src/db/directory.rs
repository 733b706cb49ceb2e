//! The data directory as a whole: is it ours, is it free, what may lie in it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::fs::{Disk, Lock};
use crate::wal::WalError;

/// Name of the lock file.
pub const LOCK_FILE: &str = "LOCK";
/// Name of the directory of the write-ahead log.
pub const WAL_DIR: &str = "wal";
/// What may lie in a data directory; `lost+found` is there when it is the root of a file system.
const KNOWN_NAMES: &[&str] = &[LOCK_FILE, WAL_DIR, "lost+found"];

/// The directory cannot be opened. The text is one line with the remedy.
#[derive(Debug)]
pub enum OpenError {
    /// Another process has it open.
    Locked { path: PathBuf },
    /// It holds files that are not this program's.
    Foreign { path: PathBuf, found: String },
    /// The operating system refused.
    Io { path: PathBuf, doing: &'static str, source: io::Error },
    /// The write-ahead log cannot be read.
    Wal(WalError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Locked { path } => write!(
                f,
                "data directory {path:?} is in use by another process; stop it or give another directory with --storage.tsdb.path"
            ),
            OpenError::Foreign { path, found } => write!(
                f,
                "data directory {path:?} holds {found:?}, which is not silverback's; give an empty or new directory with --storage.tsdb.path"
            ),
            OpenError::Io { path, doing, source } => {
                write!(
                    f,
                    "cannot {doing} {path:?}: {source}; check the path, its owner and the free space"
                )
            }
            OpenError::Wal(error) => write!(f, "cannot read the write-ahead log: {error}"),
        }
    }
}

impl std::error::Error for OpenError {}

/// Adds what was being done to an I/O error.
pub fn doing(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError + use<> {
    let path = path.to_path_buf();
    move |source| OpenError::Io { path, doing, source }
}

/// Creates what is missing and takes the lock, after a look at what is there.
pub fn claim(disk: &dyn Disk, path: &Path) -> Result<Box<dyn Lock>, OpenError> {
    disk.create_dir(path).map_err(doing("create", path))?;
    check_names(disk, path)?;
    let lock = disk.lock(&path.join(LOCK_FILE)).map_err(|source| match source.kind() {
        io::ErrorKind::WouldBlock => OpenError::Locked { path: path.to_path_buf() },
        _ => OpenError::Io { path: path.to_path_buf(), doing: "lock", source },
    })?;
    let wal = path.join(WAL_DIR);
    disk.create_dir(&wal).map_err(doing("create", &wal))?;
    disk.sync_dir(path).map_err(doing("sync", path))?;
    // A relative path of one name lies in the working directory.
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => disk.sync_dir(Path::new(".")),
        Some(parent) => disk.sync_dir(parent),
        None => Ok(()),
    }
    .map_err(doing("sync the parent of", path))?;
    Ok(lock)
}

/// Refuses a directory with anything in it that this program would not have put there.
pub fn check_names(disk: &dyn Disk, path: &Path) -> Result<(), OpenError> {
    let names = disk.list(path).map_err(doing("list", path))?;
    match names.into_iter().find(|name| !KNOWN_NAMES.contains(&name.as_str())) {
        Some(found) => Err(OpenError::Foreign { path: path.to_path_buf(), found }),
        None => Ok(()),
    }
}

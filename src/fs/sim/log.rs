//! What a simulated disk holds and the operations that made it so. The live disk applies every operation to its
//! [`Tree`] and keeps it; [`super::image`] replays the same operations to learn what a power cut may leave of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::sync::Arc;

/// Number of a file, whatever its names; never reused within a disk.
pub(super) type Inode = u64;

/// Directories, names and contents. Cloning is cheap in bytes: contents are shared until changed.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    pub(super) dirs: BTreeSet<PathBuf>,
    pub(super) names: BTreeMap<PathBuf, Inode>,
    pub(super) contents: BTreeMap<Inode, Arc<Vec<u8>>>,
}

impl Tree {
    /// A disk with nothing but the root and the working directory.
    pub(super) fn empty() -> Tree {
        Tree { dirs: ["", "/"].map(PathBuf::from).into(), ..Tree::default() }
    }

    /// Bytes of all files that have a name.
    pub(super) fn used_bytes(&self) -> u64 {
        let lens = self.names.values().filter_map(|inode| self.contents.get(inode));
        lens.map(|content| content.len() as u64).sum()
    }

    pub(super) fn content_mut(&mut self, inode: Inode) -> &mut Vec<u8> {
        Arc::make_mut(self.contents.entry(inode).or_default())
    }

    /// A change of names. Each has its effect whatever the names are before, so that any subset can be applied.
    pub(super) fn apply(&mut self, change: &NameChange) {
        match change {
            NameChange::Create { path, inode } => {
                self.names.insert(path.clone(), *inode);
            }
            NameChange::CreateDir { path } => {
                self.dirs.insert(path.clone());
            }
            NameChange::Rename { from, to, inode } => {
                self.names.remove(from);
                self.names.insert(to.clone(), *inode);
            }
            NameChange::Remove { path } => {
                self.names.remove(path);
            }
        }
    }

    /// Removes every name whose directory, or one above it, is not there.
    pub(super) fn drop_unreachable(&mut self) {
        let dirs = self.dirs.clone();
        let reachable = |path: &Path| path.ancestors().skip(1).all(|dir| dirs.contains(dir));
        self.dirs.retain(|path| reachable(path));
        self.names.retain(|path, _| reachable(path));
    }
}

/// A change that becomes durable by syncing directories.
#[derive(Debug, Clone)]
pub(super) enum NameChange {
    Create { path: PathBuf, inode: Inode },
    CreateDir { path: PathBuf },
    Rename { from: PathBuf, to: PathBuf, inode: Inode },
    Remove { path: PathBuf },
}

impl NameChange {
    /// The directories that must all be synced before the change is durable.
    pub(super) fn dirs(&self) -> BTreeSet<PathBuf> {
        match self {
            NameChange::Create { path, .. }
            | NameChange::CreateDir { path }
            | NameChange::Remove { path } => [parent(path)].into(),
            NameChange::Rename { from, to, .. } => [parent(from), parent(to)].into(),
        }
    }

    /// The file that gets a name.
    pub(super) fn inode(&self) -> Option<Inode> {
        match self {
            NameChange::CreateDir { .. } | NameChange::Remove { .. } => None,
            NameChange::Create { inode, .. } | NameChange::Rename { inode, .. } => Some(*inode),
        }
    }
}

/// One entry of the log.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Name(NameChange),
    /// The bytes that reached the disk's cache: fewer than asked for if the append failed.
    Append {
        inode: Inode,
        bytes: Arc<Vec<u8>>,
    },
    Sync {
        inode: Inode,
    },
    SyncFailed {
        inode: Inode,
    },
    /// Durable when it returns.
    Truncate {
        inode: Inode,
        len: usize,
    },
    SyncDir {
        dir: PathBuf,
    },
    Note(u64),
}

/// Operations in the order they happened, and what was there before the first.
#[derive(Debug, Clone)]
pub(super) struct Log {
    pub(super) base: Tree,
    pub(super) ops: Vec<Op>,
}

/// The directory of a name; the working directory for a bare name.
pub(super) fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).to_owned()
}

//! What is durable and what is not after some operations. Built by replaying the log; [`super::image`] reads it.
//!
//! 1. Names: a change is durable when every directory it touches was synced after it; until then it is pending.
//! 2. Contents: a write is durable when its file was synced after it.
//! 3. The writes that a failed sync should have made durable are suspect for ever, whatever later syncs say: the kernel
//!    may have dropped them. Truncating them away is the only cure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::log::{Inode, NameChange, Op, Tree};
use crate::sync::Arc;

/// A write that is not, or not only, in the durable content.
#[derive(Debug, Clone)]
pub(super) struct Write {
    pub(super) bytes: Arc<Vec<u8>>,
    pub(super) standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not synced yet.
    Pending,
    /// A sync of it failed.
    Suspect,
    /// Synced, but behind a suspect write.
    Synced,
}

/// A disk after some operations, as a power cut would meet it.
#[derive(Debug)]
pub(super) struct Model {
    /// Names and contents that no power cut takes away.
    pub(super) durable: Tree,
    /// Changes of names in order, each with the directories still to be synced.
    pub(super) pending: Vec<(NameChange, BTreeSet<PathBuf>)>,
    /// Per file what follows its durable content.
    pub(super) writes: BTreeMap<Inode, Vec<Write>>,
    pub(super) notes: Vec<u64>,
}

impl Model {
    pub(super) fn new(durable: Tree) -> Model {
        Model { durable, pending: Vec::new(), writes: BTreeMap::new(), notes: Vec::new() }
    }

    pub(super) fn apply(&mut self, op: &Op) {
        match op {
            Op::Name(change) => self.pending.push((change.clone(), change.dirs())),
            Op::Append { inode, bytes } => {
                let write = Write { bytes: bytes.clone(), standing: Standing::Pending };
                self.writes.entry(*inode).or_default().push(write);
            }
            Op::Sync { inode } => self.sync(*inode),
            Op::SyncFailed { inode } => self.settle_pending(*inode, Standing::Suspect),
            Op::Truncate { inode, len } => self.truncate(*inode, *len),
            Op::SyncDir { dir } => {
                for (_, unsynced) in &mut self.pending {
                    unsynced.remove(dir);
                }
                let done = self.pending.extract_if(.., |(_, unsynced)| unsynced.is_empty());
                for (change, _) in done {
                    self.durable.apply(&change);
                }
            }
            Op::Note(note) => self.notes.push(*note),
        }
    }

    fn settle_pending(&mut self, inode: Inode, standing: Standing) {
        let writes = self.writes.entry(inode).or_default();
        for write in writes.iter_mut().filter(|write| write.standing == Standing::Pending) {
            write.standing = standing;
        }
    }

    fn sync(&mut self, inode: Inode) {
        self.settle_pending(inode, Standing::Synced);
        let writes = self.writes.entry(inode).or_default();
        let settled = writes.iter().take_while(|write| write.standing == Standing::Synced).count();
        let content = self.durable.content_mut(inode);
        for write in writes.drain(..settled) {
            content.extend_from_slice(&write.bytes);
        }
    }

    fn truncate(&mut self, inode: Inode, len: usize) {
        self.sync(inode);
        let content = self.durable.content_mut(inode);
        content.truncate(len);
        let mut room = len - content.len();
        let writes = self.writes.entry(inode).or_default();
        for write in writes.iter_mut() {
            let kept = write.bytes.len().min(room);
            Arc::make_mut(&mut write.bytes).truncate(kept);
            room -= kept;
        }
        writes.retain(|write| !write.bytes.is_empty());
        if let Some(last) = writes.last_mut()
            && last.standing == Standing::Suspect
        {
            // The length is durable now: the suspect bytes may be zeros but no longer absent.
            writes.push(Write { bytes: Arc::default(), standing: Standing::Synced });
        }
    }
}

//! What a manifest says, and one change of it. Pure: [`Manifest`](super::Manifest) makes changes durable, `log` reads them
//! back; both apply them here, so that neither accepts what the other refuses.

use std::collections::BTreeMap;

use super::files::{FileEntry, FileId};
use super::layout::FILE_NUMBER_MAX;
use crate::model::CommitSeq;
use crate::wal::layout::SEQ_MAX;

/// One atomic change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    pub add: Vec<FileEntry>,
    pub remove: Vec<FileId>,
    pub wal_seq: Option<CommitSeq>,
    pub next_ref: Option<u64>,
}

/// Which files count, and what else must be known before they are opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub files: BTreeMap<FileId, FileEntry>,
    /// Frames of the write-ahead log with a sequence up to this are not needed.
    pub wal_seq: CommitSeq,
    /// No series ref from here on is in a registry file.
    pub next_ref: u64,
    /// No registry file or spill has this number or a higher one.
    pub next_file: u64,
}

impl Default for State {
    /// That of a new directory.
    fn default() -> State {
        State { files: BTreeMap::new(), wal_seq: 0, next_ref: 1, next_file: 1 }
    }
}

impl State {
    /// Makes a change: removals first. What it must not do is named, and then the state is of no use.
    pub(super) fn apply(&mut self, edit: &Edit) -> Result<(), &'static str> {
        for id in &edit.remove {
            self.files.remove(id).ok_or("removal of a file that is not listed")?;
        }
        for entry in &edit.add {
            self.add(entry)?;
        }
        if let Some(wal_seq) = edit.wal_seq {
            check(wal_seq >= self.wal_seq, "log sequence that goes back")?;
            check(wal_seq <= SEQ_MAX, "log sequence beyond the last")?;
            self.wal_seq = wal_seq;
        }
        if let Some(next_ref) = edit.next_ref {
            check(next_ref >= self.next_ref, "next series ref that goes back")?;
            self.next_ref = next_ref;
        }
        Ok(())
    }

    fn add(&mut self, entry: &FileEntry) -> Result<(), &'static str> {
        check(!self.lists(entry.id), "file that is listed already")?;
        let sequences_fit = entry.min_seq <= entry.max_seq && entry.max_seq <= SEQ_MAX;
        check(sequences_fit, "sequences of a file")?;
        if let Some(number) = entry.id.number() {
            check((1..=FILE_NUMBER_MAX).contains(&number), "file number")?;
            self.next_file = self.next_file.max(number + 1);
        }
        self.files.insert(entry.id, entry.clone());
        Ok(())
    }

    /// Is there a file with this name or number?
    fn lists(&self, id: FileId) -> bool {
        match id.number() {
            None => self.files.contains_key(&id),
            Some(number) => {
                [FileId::RegistryBase(number), FileId::RegistryDelta(number), FileId::Spill(number)]
                    .iter()
                    .any(|id| self.files.contains_key(id))
            }
        }
    }

    /// The change that makes this state from that of a new directory.
    pub(super) fn as_edit(&self) -> Edit {
        Edit {
            add: self.files.values().cloned().collect(),
            remove: Vec::new(),
            wal_seq: Some(self.wal_seq),
            next_ref: Some(self.next_ref),
        }
    }
}

fn check(holds: bool, what: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(what) }
}

/// The state that lists exactly `entries`, for a manifest that is lost and made anew from the footers of the files.
///
/// # Errors
/// What no manifest can list, such as two files with one number.
pub fn rebuild(
    entries: Vec<FileEntry>,
    next_ref: u64,
    wal_seq: CommitSeq,
) -> Result<State, &'static str> {
    let mut state = State::default();
    let (wal_seq, next_ref) = (Some(wal_seq), Some(next_ref.max(1)));
    state.apply(&Edit { add: entries, remove: Vec::new(), wal_seq, next_ref })?;
    Ok(state)
}

//! The manifest written anew from the files there are: the remedy for one that is lost or damaged. `sbtool` calls it, on a
//! directory that no server has open. One function per step, in the order they happen:
//!
//! 1. Claim the directory.
//! 2. Look at the footer of every file (`scan`).
//! 3. Leave out blocks that were merged into another one that is whole.
//! 4. Make one base of the registry files, unless they are one base and what came after it (`registry_union`).
//! 5. Choose how much of the log is replayed.
//! 6. Make durable what will count, set aside what is damaged and the manifest that was, write the new one.
//!
//! Nothing is removed here. It may find more than the lost manifest listed: inputs of merges that were not unlinked any
//! more, outputs that were not listed yet. Both hold what is there once more, and queries and merges take the first.

mod registry_union;
mod scan;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::OpenError;
use super::directory::{QUARANTINE_DIR, check_names, claim, doing};
use super::manifest::layout::{FILE_DIRS, MANIFEST_FILE};
use super::manifest::{self, FileId, FileName, Manifest, ManifestError, State};
use super::store::quarantine;
use crate::fs::Disk;
use crate::model::CommitSeq;
use crate::wal::{WalError, first_seq, inspect};
use scan::Scan;

/// Follows the name of a manifest in quarantine, and is followed by a number.
const DAMAGED_MANIFEST_SUFFIX: &str = ".damaged-";

/// What a rebuild found and wrote.
#[derive(Debug)]
pub struct Rebuilt {
    /// What the new manifest says.
    pub state: State,
    /// Files that do not open, and why. They are in quarantine.
    pub damaged: Vec<(FileName, String)>,
    /// Files left out since others hold what they hold. The next start removes them.
    pub superseded: Vec<FileId>,
    /// Where the manifest that was is kept, if there was one.
    pub kept: Option<PathBuf>,
}

/// Writes the manifest of the data directory `dir` anew.
///
/// # Errors
/// The directory is in use or not ours, a newer version wrote something in it, or the disk refuses. The old manifest, or
/// none, is there, and a rebuild may be tried again.
pub fn rebuild(disk: &dyn Disk, dir: &Path) -> Result<Rebuilt, OpenError> {
    // Before the claim, which would create a directory that is not there.
    check_names(disk, dir)?;
    let _lock = claim(disk, dir)?;
    refuse_newer(disk, dir)?;
    let mut scan = scan::scan(disk, dir)?;
    let mut superseded = merged_blocks(&scan);
    superseded.extend(registry_union::unite(disk, dir, &mut scan)?);
    let Scan { mut entries, next_ref, damaged, .. } = scan;
    entries.retain(|entry| !superseded.contains(&entry.id));
    let last_seq = entries.iter().map(|entry| entry.max_seq).max().unwrap_or(0);
    let wal_seq = replay_after(disk, dir, last_seq).map_err(OpenError::Wal)?;
    let state = manifest::rebuild(entries, next_ref, wal_seq)
        .map_err(|what| doing("list the files of", dir)(io::Error::other(what)))?;
    make_durable(disk, dir, &state)?;
    for (name, _) in &damaged {
        quarantine(disk, dir, &name.path(dir)).map_err(OpenError::Store)?;
    }
    let kept = set_aside(disk, dir)?;
    Manifest::write_fresh(disk, dir, &state).map_err(OpenError::Manifest)?;
    Ok(Rebuilt { state, damaged, superseded, kept })
}

/// A manifest that is only newer is not damaged.
fn refuse_newer(disk: &dyn Disk, dir: &Path) -> Result<(), OpenError> {
    match Manifest::read_only(disk, dir) {
        Err(newer @ ManifestError::Newer { .. }) => Err(OpenError::Manifest(newer)),
        _ => Ok(()),
    }
}

/// Blocks that another block names as its inputs. All of that other is read first: a crash may have left a block whose
/// last bytes reached the disk and others did not.
fn merged_blocks(scan: &Scan) -> Vec<FileId> {
    let present: BTreeSet<u128> = scan.blocks.iter().map(|block| block.meta().id).collect();
    let mut merged = BTreeSet::new();
    for block in &scan.blocks {
        let inputs = block.meta().parents.iter().filter(|parent| present.contains(parent));
        let inputs: Vec<u128> = inputs.copied().collect();
        if !inputs.is_empty() && block.verify().is_empty() {
            merged.extend(inputs);
        }
    }
    merged.into_iter().map(FileId::Block).collect()
}

/// The sequence behind which the log is replayed. Files may hold less than their sequences say: a crash may have come
/// between two files that would have been listed together. So all that the log still has is replayed, which was only cut
/// where files had it for certain, and of samples that are there twice the first counts. But if the log ends before the
/// files do, it is not what it was, and what comes next must be above both.
fn replay_after(
    disk: &dyn Disk,
    dir: &Path,
    last_in_files: CommitSeq,
) -> Result<CommitSeq, WalError> {
    let Some(first) = first_seq(disk, dir)? else { return Ok(last_in_files) };
    let after = first.saturating_sub(1);
    let report = inspect(disk, dir, after, &mut |_, _| Ok(()))?;
    Ok(if report.last_seq < last_in_files { last_in_files } else { after })
}

/// Syncs all files that will be listed and their names: a process that was killed may have left them in memory only.
fn make_durable(disk: &dyn Disk, dir: &Path, state: &State) -> Result<(), OpenError> {
    for entry in state.files.values() {
        let path = entry.id.path(dir);
        disk.truncate(&path, entry.len_bytes).map_err(doing("sync", &path))?;
    }
    for folder in FILE_DIRS {
        let folder = dir.join(folder);
        disk.create_dir(&folder).map_err(doing("create", &folder))?;
        disk.sync_dir(&folder).map_err(doing("sync", &folder))?;
    }
    disk.sync_dir(dir).map_err(doing("sync", dir))
}

/// Moves the manifest to quarantine, under a name that is free.
fn set_aside(disk: &dyn Disk, dir: &Path) -> Result<Option<PathBuf>, OpenError> {
    let (path, folder) = (dir.join(MANIFEST_FILE), dir.join(QUARANTINE_DIR));
    disk.create_dir(&folder).map_err(doing("create", &folder))?;
    let prefix = format!("{MANIFEST_FILE}{DAMAGED_MANIFEST_SUFFIX}");
    let names = disk.list(&folder).map_err(doing("list", &folder))?;
    let numbers = names.iter().filter_map(|name| name.strip_prefix(&prefix)?.parse::<u64>().ok());
    let number = numbers.max().map_or(1, |last| last.saturating_add(1));
    let kept = folder.join(format!("{prefix}{number}"));
    match disk.rename(&path, &kept) {
        Ok(()) => disk.sync_dir(&folder).map_err(doing("sync", &folder)).map(|()| Some(kept)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(doing("move to quarantine", &path)(error)),
    }
}

//! Files that no manifest lists: what a crash left of a spill, a merge or a compaction, and inputs that were not unlinked
//! any more. `db` removes them at start, after the manifest was opened; while a server runs nothing but what wrote a file
//! knows whether it will be listed. Names that this program does not give are left alone.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::manifest::layout::{FILE_DIRS, MANIFEST_UNFINISHED, UNFINISHED_SUFFIX};
use super::manifest::{FileName, Manifest, State};
use crate::fs::Disk;

/// What a removal did.
#[derive(Debug, Default)]
pub struct Removed {
    pub files: u64,
    /// Files that are still there, and why. They are garbage at the next start, too.
    pub failures: Vec<(PathBuf, io::Error)>,
}

/// Files in the data directory `dir` that `state` does not list.
///
/// # Errors
/// A folder cannot be listed.
pub fn unlisted(disk: &dyn Disk, dir: &Path, state: &State) -> io::Result<Vec<PathBuf>> {
    let listed: BTreeSet<FileName> = state.files.keys().map(|id| id.name()).collect();
    let mut garbage = Vec::new();
    for folder in FILE_DIRS {
        let folder_path = dir.join(folder);
        let names = names(disk, &folder_path)?;
        let names = names.into_iter().filter(|name| is_garbage(&listed, folder, name));
        garbage.extend(names.map(|name| folder_path.join(name)));
    }
    if names(disk, dir)?.iter().any(|name| name == MANIFEST_UNFINISHED) {
        garbage.push(dir.join(MANIFEST_UNFINISHED));
    }
    Ok(garbage)
}

/// Removes what the manifest of the data directory `dir` does not list. A manifest of which a power cut may leave another
/// state is no authority: then nothing is removed.
///
/// # Errors
/// A folder cannot be listed.
pub fn remove(disk: &dyn Disk, dir: &Path, manifest: &Manifest) -> io::Result<Removed> {
    let mut removed = Removed::default();
    if !manifest.is_durable() {
        return Ok(removed);
    }
    for path in unlisted(disk, dir, manifest.state())? {
        match disk.remove(&path) {
            Ok(()) => removed.files += 1,
            Err(error) => removed.failures.push((path, error)),
        }
    }
    Ok(removed)
}

fn names(disk: &dyn Disk, dir: &Path) -> io::Result<Vec<String>> {
    match disk.list(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed,
    }
}

fn is_garbage(listed: &BTreeSet<FileName>, folder: &str, name: &str) -> bool {
    if let Some(finished) = name.strip_suffix(UNFINISHED_SUFFIX) {
        return FileName::parse(folder, finished).is_some();
    }
    FileName::parse(folder, name).is_some_and(|name| !listed.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::manifest::{Edit, FileEntry, FileId};
    use crate::fs::sim::{Fault, Kind, SimDisk};
    use crate::model::TimeRange;
    use crate::sync::Arc;

    /// Files of every kind, two of which are listed.
    fn directory() -> (SimDisk, Manifest) {
        let disk = SimDisk::new();
        let (mut manifest, _) = Manifest::open(Arc::new(disk.clone()), Path::new("/")).unwrap();
        let entry = |id| FileEntry {
            id,
            len_bytes: 0,
            min_seq: 1,
            max_seq: 1,
            range: TimeRange::EMPTY,
            window: None,
            checksum: 0,
        };
        let add = vec![entry(FileId::RegistryDelta(1)), entry(FileId::Block(5))];
        manifest.commit(Edit { add, ..Edit::default() }).unwrap();
        for folder in FILE_DIRS.into_iter().chain(["wal"]) {
            disk.create_dir(&Path::new("/").join(folder)).unwrap();
        }
        for name in [
            "registry/00000001.sbr",
            "registry/00000002.sbr",
            "registry/notes.txt",
            "spill/00000003.sbs",
            "spill/00000004.sbs.tmp",
            "spill/draft.tmp",
            "blocks/00000000000000000000000005.sbb",
            "blocks/00000000000000000000000006.sbb",
            "wal/00000001.wal",
            "wal/00000001.sbs",
            "MANIFEST.tmp",
        ] {
            disk.create(&Path::new("/").join(name)).unwrap();
        }
        (disk, manifest)
    }

    const GARBAGE: [&str; 5] = [
        "/registry/00000002.sbr",
        "/spill/00000003.sbs",
        "/spill/00000004.sbs.tmp",
        "/blocks/00000000000000000000000006.sbb",
        "/MANIFEST.tmp",
    ];

    #[test]
    fn what_is_not_listed_goes_and_what_is_not_ours_stays() {
        let (disk, manifest) = directory();
        let dir = Path::new("/");
        assert_eq!(unlisted(&disk, dir, manifest.state()).unwrap(), GARBAGE.map(PathBuf::from));
        assert_eq!(remove(&disk, dir, &manifest).unwrap().files, 5);
        assert!(unlisted(&disk, dir, manifest.state()).unwrap().is_empty());
        let names = |folder: &str| disk.list(&dir.join(folder)).unwrap();
        assert_eq!(names("registry"), ["00000001.sbr", "notes.txt"]);
        assert_eq!(names("spill"), ["draft.tmp"]);
        assert_eq!(names("blocks"), ["00000000000000000000000005.sbb"]);
        assert_eq!(names("wal").len(), 2);
    }

    #[test]
    fn a_file_that_cannot_be_removed_is_told_and_stops_no_other() {
        let (disk, manifest) = directory();
        disk.fail(Fault::once(Kind::Remove, 1, libc::EIO));
        let removed = remove(&disk, Path::new("/"), &manifest).unwrap();
        assert_eq!((removed.files, &*removed.failures[0].0), (4, Path::new(GARBAGE[1])));
    }

    #[test]
    fn nothing_goes_while_a_power_cut_may_leave_another_state() {
        let (disk, mut manifest) = directory();
        disk.fail(Fault::once(Kind::Sync, 0, libc::EIO));
        manifest.commit(Edit::default()).unwrap_err();
        assert_eq!(remove(&disk, Path::new("/"), &manifest).unwrap().files, 0);
        manifest.commit(Edit::default()).unwrap();
        assert_eq!(remove(&disk, Path::new("/"), &manifest).unwrap().files, 4);
    }
}

//! Registry files of which it is not known which counted become one base with the definitions of all. A crash may have left a
//! base that was not listed yet and has not every series, or one that was not unlinked any more; since a ref never stands
//! for two label sets, it does no harm to know them all.

use std::path::Path;

use super::super::OpenError;
use super::super::manifest::{FileEntry, FileId};
use super::super::open_files::{is_damage, restore_base, restore_delta};
use super::super::options::SERIES_MAX_DEFAULT;
use super::super::registry_files::registry_entry;
use super::super::store::StoreError;
use super::scan::Scan;
use crate::fs::Disk;
use crate::fs::sealed::{FileError, SealedFile, SealedWriter};
use crate::head::registry::layout::FILE_KIND;
use crate::head::registry::{Registry, RegistryOptions};

/// Adds a base of all registry files to what was found, if that is needed, and gives the files in whose place it is.
///
/// # Errors
/// The disk fails.
pub(super) fn unite(
    disk: &dyn Disk,
    dir: &Path,
    scan: &mut Scan,
) -> Result<Vec<FileId>, OpenError> {
    let mut files: Vec<FileId> =
        scan.entries.iter().map(|entry| entry.id).filter(|id| id.is_registry()).collect();
    files.sort_unstable_by_key(|id| id.number());
    let is_base = |id: &FileId| matches!(id, FileId::RegistryBase(_));
    if !files.iter().skip(1).any(is_base) {
        return Ok(Vec::new());
    }
    let registry = Registry::new(RegistryOptions { series_max: SERIES_MAX_DEFAULT });
    for id in &files {
        restore(disk, dir, *id, &registry).map_err(StoreError::File).map_err(OpenError::Store)?;
    }
    registry.skip_refs_below(scan.next_ref);
    let base = FileId::RegistryBase(scan.next_file);
    let entry = write(disk, dir, base, &registry).map_err(OpenError::Store)?;
    scan.entries.push(entry);
    Ok(files)
}

/// Takes the definitions of a file that can be read.
fn restore(disk: &dyn Disk, dir: &Path, id: FileId, registry: &Registry) -> Result<(), FileError> {
    let open = SealedFile::open(disk, &id.path(dir), FILE_KIND);
    let restored = open.and_then(|file| match id {
        FileId::RegistryBase(_) => restore_base(registry, file),
        _ => restore_delta(registry, file),
    });
    match restored {
        Err(error) if !is_damage(&error) => Err(error),
        _ => Ok(()),
    }
}

fn write(
    disk: &dyn Disk,
    dir: &Path,
    id: FileId,
    registry: &Registry,
) -> Result<FileEntry, StoreError> {
    let path = id.path(dir);
    let written = SealedWriter::create(disk, &path, FILE_KIND)
        .and_then(|writer| registry.write_base(&|_| true, writer))
        .map_err(StoreError::io("write", &path))
        .inspect_err(|_| drop(disk.remove(&path)))?;
    Ok(registry_entry(id, written.summary))
}

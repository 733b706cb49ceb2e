//! What the files of a data directory say of themselves: their entries for a manifest, from their names and footers.

use std::path::Path;

use super::super::OpenError;
use super::super::build::block_entry;
use super::super::manifest::{FileEntry, FileId, FileName, list_files};
use super::super::open_files::is_damage;
use super::super::registry_files::registry_entry;
use super::super::spill::spill_entry;
use super::super::store::StoreError;
use crate::block::Block;
use crate::error::{Corrupt, chain};
use crate::fs::Disk;
use crate::fs::sealed::{FileError, SealedFile, SealedSummary};
use crate::head::registry::files::footer;
use crate::head::registry::layout::{Content, FILE_KIND};
use crate::head::spill::Spill;
use crate::sync::Arc;
use crate::wal::layout::SEQ_MAX;

/// What is in the folders.
#[derive(Debug)]
pub(super) struct Scan {
    /// One per file that opens.
    pub(super) entries: Vec<FileEntry>,
    pub(super) blocks: Vec<Arc<Block>>,
    /// Above every ref in registry files and spills.
    pub(super) next_ref: u64,
    /// Above every number in a name.
    pub(super) next_file: u64,
    /// Files that do not open, and why.
    pub(super) damaged: Vec<(FileName, String)>,
}

/// Opens every file.
///
/// # Errors
/// A newer version wrote a file, or the disk fails.
pub(super) fn scan(disk: &dyn Disk, dir: &Path) -> Result<Scan, OpenError> {
    let names = list_files(disk, dir).map_err(OpenError::Manifest)?;
    let last = names.iter().filter_map(|name| name.number()).max().unwrap_or(0);
    let (entries, blocks, damaged) = Default::default();
    let mut scan = Scan { entries, blocks, next_ref: 1, next_file: last + 1, damaged };
    for name in names {
        match scan.add(disk, dir, name) {
            Ok(()) => {}
            Err(error) if is_damage(&error) => scan.damaged.push((name, chain(&error))),
            Err(error) => return Err(OpenError::Store(StoreError::File(error))),
        }
    }
    Ok(scan)
}

impl Scan {
    fn add(&mut self, disk: &dyn Disk, dir: &Path, name: FileName) -> Result<(), FileError> {
        let path = name.path(dir);
        let entry = match name {
            FileName::Registry(number) => self.registry(disk, &path, number)?,
            FileName::Spill(number) => {
                let spill = Spill::open(disk, &path, number)?;
                let highest = spill.highest_ref().map_or(0, |series| series.0);
                self.next_ref = self.next_ref.max(highest.saturating_add(1));
                spill_entry(&spill)
            }
            FileName::Block(id) => {
                let block = Arc::new(Block::open(disk, &path)?);
                if block.meta().id != id {
                    return Err(corrupt(&path, "id, which is not that of the file name"));
                }
                self.blocks.push(block.clone());
                block_entry(&block)
            }
        };
        if entry.min_seq > entry.max_seq || entry.max_seq > SEQ_MAX {
            return Err(corrupt(&path, "sequences of the footer"));
        }
        self.entries.push(entry);
        Ok(())
    }

    fn registry(
        &mut self,
        disk: &dyn Disk,
        path: &Path,
        number: u64,
    ) -> Result<FileEntry, FileError> {
        let file = SealedFile::open(disk, path, FILE_KIND)?;
        let footer = footer(&file)?;
        self.next_ref = self.next_ref.max(footer.head.next_ref);
        let id = match footer.content {
            Content::Base { .. } => FileId::RegistryBase(number),
            Content::Delta { .. } => FileId::RegistryDelta(number),
        };
        let summary = SealedSummary { len_bytes: file.len_bytes(), checksum: file.checksum() };
        Ok(registry_entry(id, summary))
    }
}

fn corrupt(path: &Path, what: &'static str) -> FileError {
    FileError::Corrupt(Corrupt::at(0, what).in_file(path, 0))
}

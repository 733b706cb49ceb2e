//! Opening the files that the manifest lists. One that is damaged or missing costs what was in it: what can be read of registry
//! files is put together anew, spills and blocks are left out; all are named, none is removed.

use std::io;
use std::path::{Path, PathBuf};

use super::OpenError;
use super::layers::{block_order, spill_order};
use super::manifest::{FileId, State};
use super::store::StoreError;
use crate::block::Block;
use crate::error::chain;
use crate::fs::Disk;
use crate::fs::sealed::{FileError, SealedFile};
use crate::head::registry::files::{Delta, Salvage};
use crate::head::registry::layout::FILE_KIND;
use crate::head::registry::{Registry, RegistryOptions};
use crate::head::spill::Spill;
use crate::head::work::Slot;
use crate::model::{Labels, SeriesRef};
use crate::sync::Arc;

/// What the files hold.
pub(super) struct Opened {
    pub(super) registry: Registry,
    /// Series below this slot are in the base.
    pub(super) base: Slot,
    pub(super) spills: Vec<Arc<Spill>>,
    pub(super) blocks: Vec<Arc<Block>>,
    /// Files that are not whole, and what is wrong with them.
    pub(super) damaged: Vec<(FileId, String)>,
}

/// Opens everything that is listed.
///
/// # Errors
/// A newer version wrote a file, or the disk fails for another reason than that a file is missing.
pub(super) fn open_files(
    disk: &dyn Disk,
    dir: &Path,
    state: &State,
    series_max: usize,
) -> Result<Opened, OpenError> {
    let mut files = Files { disk, dir, damaged: Vec::new() };
    let registry = files.registry(state, RegistryOptions { series_max });
    let (registry, base) = registry.map_err(StoreError::File).map_err(OpenError::Store)?;
    let (mut spills, mut blocks) = (Vec::new(), Vec::new());
    for id in state.files.keys() {
        let opened = match id {
            FileId::Spill(number) => files
                .whole(*id, |path| Spill::open(disk, path, *number))
                .map(|spill| spills.extend(spill.map(Arc::new))),
            FileId::Block(_) => files
                .whole(*id, |path| Block::open(disk, path))
                .map(|block| blocks.extend(block.map(Arc::new))),
            FileId::RegistryBase(_) | FileId::RegistryDelta(_) => Ok(()),
        };
        opened.map_err(StoreError::File).map_err(OpenError::Store)?;
    }
    spills.sort_by_key(spill_order);
    blocks.sort_by_key(block_order);
    Ok(Opened { registry, base, spills, blocks, damaged: files.damaged })
}

/// Files being opened.
struct Files<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    damaged: Vec<(FileId, String)>,
}

impl Files<'_> {
    /// A file if it is whole. If not, that is remembered.
    fn whole<T>(
        &mut self,
        id: FileId,
        open: impl FnOnce(&Path) -> Result<T, FileError>,
    ) -> Result<Option<T>, FileError> {
        match open(&id.path(self.dir)) {
            Ok(file) => Ok(Some(file)),
            Err(error) if is_damage(&error) => {
                self.damaged.push((id, chain(&error)));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The base, if there is one, then the definitions that came after it. And how many series are in the base.
    fn registry(
        &mut self,
        state: &State,
        options: RegistryOptions,
    ) -> Result<(Registry, Slot), FileError> {
        let disk = self.disk;
        let open = |path: &Path| SealedFile::open(disk, path, FILE_KIND);
        let base = state.files.keys().find(|id| matches!(id, FileId::RegistryBase(_))).copied();
        let registry = match base {
            Some(id) => self.whole(id, |path| Registry::open(options, Some(open(path)?)))?,
            None => None,
        };
        let registry = match (registry, base) {
            (Some(registry), _) => registry,
            (None, None) => Registry::new(options),
            (None, Some(id)) => self.salvaged(&id.path(self.dir), options),
        };
        let base = if registry.has_base() { registry.len() as Slot } else { 0 };
        for id in state.files.keys().filter(|id| matches!(id, FileId::RegistryDelta(_))) {
            let restored = self.whole(*id, |path| restore_delta(&registry, open(path)?))?;
            debug_assert!(restored.is_some() || !self.damaged.is_empty(), "damage is remembered");
        }
        registry.skip_refs_below(state.next_ref);
        Ok((registry, base))
    }

    /// A registry of the definitions that can still be read of a damaged base.
    fn salvaged(&self, path: &Path, options: RegistryOptions) -> Registry {
        let registry = Registry::new(options);
        let file = SealedFile::open(self.disk, path, FILE_KIND);
        // Of one that does not open nothing can be read.
        let _ = file.and_then(|file| restore_base(&registry, file));
        registry
    }
}

/// Takes the definitions of a base that can be read, one by one.
pub(super) fn restore_base(registry: &Registry, file: SealedFile) -> Result<(), FileError> {
    for definition in Salvage::open(file)?.definitions() {
        // One that cannot be taken is as good as unreadable.
        let _ = registry.restore(&[definition]);
    }
    Ok(())
}

/// Takes the definitions that can be read; the first error of those that cannot.
pub(super) fn restore_delta(registry: &Registry, file: SealedFile) -> Result<(), FileError> {
    let path: PathBuf = file.path().to_owned();
    let delta = Delta::open(file)?;
    let restore = |definitions: Vec<(SeriesRef, Labels)>| {
        let corrupt =
            |corrupt: crate::error::Corrupt| FileError::Corrupt(corrupt.in_file(&path, 0));
        registry.restore(&definitions).map_err(corrupt)
    };
    delta.portions().map(|portion| portion.and_then(restore)).fold(Ok(()), Result::and)
}

/// Is it the file that is at fault, not the disk or this program?
pub(super) fn is_damage(error: &FileError) -> bool {
    match error {
        FileError::Corrupt(_) => true,
        FileError::Io { source, .. } => source.kind() == io::ErrorKind::NotFound,
        FileError::Newer { .. } => false,
    }
}

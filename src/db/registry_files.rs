//! The registry files: which series a start knows before it reads the log. Definitions are added by every spill, in a file of
//! their own; when they have become many, everything is written anew as a base, which a start uses in place.
//!
//! A series that stopped is *forgotten* once no spill has samples of it: its labels are in the blocks by then. Forgetting many
//! changes the slots of all others, so it is done at once for all, by putting another head in the place of the present
//! one:
//!
//! 1. Write a base of the series that stay.
//! 2. Spill, so that little is left in memory; then hold up new requests, finish those on their way, and spill the rest.
//! 3. Open the base. Add the series that came since, or came back, and write them to a file of definitions.
//! 4. Commit both files in place of all before, and go on with a head that has them.

use std::path::{Path, PathBuf};

use super::Core;
use super::maintenance::{Maintenance, Urgency};
use super::manifest::{Edit, FileEntry, FileId};
use super::open_files::Opened;
use super::store::StoreError;
use crate::fs::sealed::{FileError, SealedFile, SealedSummary, SealedWriter};
use crate::head::Head;
use crate::head::generation::Generation;
use crate::head::registry::Registry;
use crate::head::registry::layout::FILE_KIND;
use crate::head::work::Slot;
use crate::model::{Labels, SeriesRef, TimeRange, Timestamp, is_stale};
use crate::sync::Arc;

/// A base is not written anew before the definitions behind it are one part in so many of it: so each is rewritten a few
/// times at most.
const DEFINITIONS_BASE_SHARE: usize = 2;

/// Nor may there be more files than this, however few definitions they hold: a start opens each.
const REGISTRY_FILES_MAX: usize = 64;

/// A series without a sample for so long has stopped.
const IDLE_MS: i64 = 60 * 60 * 1000;
/// Series are forgotten when they are one in so many.
const FORGOTTEN_SHARE: usize = 4;

/// Series in memory may take one part in so many of the memory budget; beyond, they go to a base, which is mapped.
const SERIES_BUDGET_SHARE: usize = 4;

/// Series whose state is looked at, or whose labels are built, at a time.
const PORTION: usize = 256;

/// What maintenance knows of the registry files.
#[derive(Debug, Default)]
pub(super) struct RegistryFiles {
    /// Series below this slot are in some file.
    pub(super) registered: Slot,
    /// Series below this slot are in the base.
    base: Slot,
    /// Files that are to be written anew and set aside.
    damaged: Vec<FileId>,
}

impl RegistryFiles {
    pub(super) fn of(opened: &Opened, damaged: &[(FileId, String)]) -> RegistryFiles {
        let damaged = damaged.iter().map(|(id, _)| *id).filter(|id| id.is_registry()).collect();
        RegistryFiles { registered: opened.registry.len() as Slot, base: opened.base, damaged }
    }
}

impl Core {
    /// Writes the definitions of the series from slot `from` on. Returns the first slot behind them.
    pub(super) fn write_definitions(
        &self,
        registry: &Registry,
        from: Slot,
        edit: &mut Edit,
    ) -> Result<Slot, StoreError> {
        let end = registry.len() as Slot;
        if from == end {
            return Ok(end);
        }
        let (id, path) = self.store.next_file(FileId::RegistryDelta);
        let written = SealedWriter::create(&*self.store.disk, &path, FILE_KIND)
            .and_then(|writer| registry.write_delta(from..end, writer))
            .map_err(StoreError::io("write", &path))
            .inspect_err(|_| self.remove(&path))?;
        add_registry_file(edit, id, written.head.next_ref, written.summary);
        Ok(end)
    }

    /// Writes a base if a start would have many definitions to read, or any at all if forced. False if not.
    ///
    /// # Errors
    /// The disk failed. Then nothing has changed.
    pub(super) fn rewrite_base(
        &self,
        maintenance: &mut Maintenance,
        urgency: Urgency,
    ) -> Result<bool, StoreError> {
        let RegistryFiles { registered, base, damaged } = &mut maintenance.registry;
        let behind = (*registered - *base) as usize;
        let enough = match urgency {
            Urgency::Due => {
                self.limits.definitions_min.max(*base as usize / DEFINITIONS_BASE_SHARE)
            }
            Urgency::Forced => 1,
        };
        let files = self.registry_files().len();
        if behind < enough && files <= REGISTRY_FILES_MAX && damaged.is_empty() {
            return Ok(false);
        }
        let mut edit = Edit { remove: self.registry_files(), ..Edit::default() };
        let end = *registered;
        self.write_base(&self.head().registry, &|slot| slot < end, &mut edit)?;
        self.store.commit(edit, damaged)?;
        *base = end;
        damaged.clear();
        Ok(true)
    }

    fn write_base(
        &self,
        registry: &Registry,
        keep: &dyn Fn(Slot) -> bool,
        edit: &mut Edit,
    ) -> Result<PathBuf, StoreError> {
        let (id, path) = self.store.next_file(FileId::RegistryBase);
        let written = SealedWriter::create(&*self.store.disk, &path, FILE_KIND)
            .and_then(|writer| registry.write_base(keep, writer))
            .map_err(StoreError::io("write", &path))
            .inspect_err(|_| self.remove(&path))?;
        add_registry_file(edit, id, written.head.next_ref, written.summary);
        Ok(path)
    }

    fn registry_files(&self) -> Vec<FileId> {
        self.store
            .with_state(|state| state.files.keys().filter(|id| id.is_registry()).copied().collect())
    }

    /// Forgets the series that stopped, if they are many. False if not.
    ///
    /// # Errors
    /// The disk failed. Then nothing is forgotten.
    pub(super) fn forget_series(&self, maintenance: &mut Maintenance) -> Result<bool, StoreError> {
        let has_cut = std::mem::take(&mut maintenance.has_cut);
        self.try_forget(maintenance, has_cut).inspect_err(|_| maintenance.has_cut = has_cut)
    }

    fn try_forget(&self, maintenance: &mut Maintenance, has_cut: bool) -> Result<bool, StoreError> {
        let head = self.head();
        let stats = head.registry.stats();
        if !maintenance.registry.damaged.is_empty() {
            // They are written anew first, and set aside.
            return Ok(false);
        }
        let is_large = stats.heap_bytes() > self.limits.memory_budget_bytes / SERIES_BUDGET_SHARE
            && stats.base_series_count < stats.series_count / 2;
        if !has_cut && !is_large {
            return Ok(false);
        }
        let stays = self.which_stay(&head);
        let forgotten = stays.iter().filter(|stays| !**stays).count();
        if forgotten < self.limits.forgotten_min.max(stays.len() / FORGOTTEN_SHARE) && !is_large {
            return Ok(false);
        }
        let mut edit = Edit { remove: self.registry_files(), ..Edit::default() };
        let keep = |slot: Slot| stays.get(slot as usize).is_some_and(|stays| *stays);
        let base = self.write_base(&head.registry, &keep, &mut edit)?;
        self.spill_open(maintenance).inspect_err(|_| self.store.discard(&edit))?;
        let _intake = self.intake.write();
        while self.queue.bytes() > 0 {
            self.commit_once();
        }
        self.spill_open(maintenance).inspect_err(|_| self.store.discard(&edit))?;
        // Spilling may have added a file of definitions.
        edit.remove = self.registry_files();
        self.swap_head(&head, &base, &keep, edit, maintenance)?;
        Ok(true)
    }

    /// Which series have samples that are in no block, or may go on.
    fn which_stay(&self, head: &Head) -> Vec<bool> {
        let samples = self.layers.get().samples.clone();
        let active_from = (self.clock)().saturating_sub(IDLE_MS);
        let all: Vec<Slot> = (0..head.registry.len() as Slot).collect();
        let mut stays = Vec::with_capacity(all.len());
        for slots in all.chunks(PORTION) {
            for (slot, series) in slots.iter().zip(head.registry.refs_of(slots)) {
                let newest = head.appliers.newest(*slot);
                let goes_on =
                    newest.is_some_and(|s| s.timestamp >= active_from && !is_stale(s.value));
                let is_held = || {
                    let mut generations = samples.generations.iter();
                    samples.spills.iter().any(|spill| spill.has(series).unwrap_or(true))
                        || generations.any(|g| head.appliers.may_have(g, *slot, TimeRange::ALL))
                };
                stays.push(goes_on || is_held());
            }
        }
        stays
    }

    /// Goes on with a head whose registry is the base and what came since. No request is on its way, and no sample is in
    /// memory.
    fn swap_head(
        &self,
        old: &Head,
        base: &Path,
        keep: &dyn Fn(Slot) -> bool,
        mut edit: Edit,
        maintenance: &mut Maintenance,
    ) -> Result<(), StoreError> {
        let prepared = self.prepare_registry(old, base, keep, &mut edit);
        let (registry, base_len) = prepared.inspect_err(|_| self.store.discard(&edit))?;
        let registered = registry.len() as Slot;
        self.store.commit(edit, &[])?;
        let layers = self.layers.get();
        let floor = layers.newest_sample().unwrap_or(Timestamp::MIN);
        let open = layers.open_generation();
        // Another one, though that is empty: queries that began before would ask it by the slots that were.
        let next = Generation::new(open.number + 1, open.min_seq);
        let head = Head::new(registry, &next, floor);
        self.layers.swap_head(Arc::new(head), next);
        // They remember places in the registry that was.
        self.scratch.lock().clear();
        old.appliers.close();
        maintenance.registry = RegistryFiles { registered, base: base_len, damaged: Vec::new() };
        maintenance.sealed_memory_bytes = 0;
        Ok(())
    }

    /// The registry that a base gives, with what came since it was decided on, which is written to a file of its own. And how
    /// many series are in the base.
    fn prepare_registry(
        &self,
        old: &Head,
        base: &Path,
        keep: &dyn Fn(Slot) -> bool,
        edit: &mut Edit,
    ) -> Result<(Registry, Slot), StoreError> {
        let file = SealedFile::open(&*self.store.disk, base, FILE_KIND)?;
        let registry = Registry::open(old.registry.options(), Some(file))?;
        let base_len = registry.len() as Slot;
        for definitions in self.came_since(old, keep).chunks(PORTION) {
            registry.restore(definitions).map_err(FileError::Corrupt)?;
        }
        old.registry.check()?;
        registry.skip_refs_below(old.registry.next_ref());
        edit.next_ref = edit.next_ref.max(Some(registry.next_ref()));
        self.write_definitions(&registry, base_len, edit)?;
        Ok((registry, base_len))
    }

    /// The series that have samples in spills but were not to be kept: they came, or came back, after that was decided.
    fn came_since(&self, old: &Head, keep: &dyn Fn(Slot) -> bool) -> Vec<(SeriesRef, Labels)> {
        let spills = self.layers.get().samples.spills.clone();
        let others: Vec<Slot> =
            (0..old.registry.len() as Slot).filter(|slot| !keep(*slot)).collect();
        let mut came = Vec::new();
        for slots in others.chunks(PORTION) {
            let refs = old.registry.refs_of(slots);
            let all = slots.iter().zip(refs);
            let (slots, refs): (Vec<Slot>, Vec<SeriesRef>) = all
                .filter(|(_, series)| spills.iter().any(|s| s.has(*series).unwrap_or(true)))
                .unzip();
            came.extend(refs.into_iter().zip(old.registry.labels_of(&slots)));
        }
        came
    }
}

fn add_registry_file(edit: &mut Edit, id: FileId, next_ref: u64, summary: SealedSummary) {
    edit.next_ref = edit.next_ref.max(Some(next_ref));
    edit.add.push(registry_entry(id, summary));
}

/// What the manifest says of a registry file.
pub(super) fn registry_entry(id: FileId, summary: SealedSummary) -> FileEntry {
    FileEntry {
        id,
        len_bytes: summary.len_bytes,
        min_seq: 0,
        max_seq: 0,
        range: TimeRange::EMPTY,
        window: None,
        checksum: summary.checksum,
    }
}

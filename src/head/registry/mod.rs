//! Who is who: from the raw keys of a batch to slots and refs, and from matchers to slots.
//!
//! A *slot* is a series' dense number in this process; a *ref* is its name in the log, for ever. How a batch is
//! resolved:
//! 1. Hash all raw keys, without a lock.
//! 2. Look all of them up in the alias table. In the steady state this finds every one.
//! 3. Decode the labels of the others, and look them up in the index under its read lock.
//! 4. Create those that are new under its write lock, in portions, so that readers get in between.
//! 5. Remember the aliases, then list the definitions of all pending series of the batch.
//!
//! Locks are taken in the order `known`, `pending`, `hot`. Queries hold `known` for reading, so known series are
//! resolved without it. A new series is pending and has its ref before any other thread can find its slot.
//! Samples, clocks and the log are not known here.
//!
//! A registry may begin with a base file, which is used where it lies ([`files`]); what comes later is in memory. `write`
//! makes such files, `replay` takes definitions from deltas and from the log, `resolution` is what becomes of a batch.

pub mod files;
pub mod layout;
mod replay;
mod resolution;
#[cfg(test)]
mod tests;
pub mod verify;
pub mod write;

use super::alias::{AliasHasher, AliasTable};
use super::refs::{PendingRefs, Refs};
use crate::fs::sealed::{FileError, SealedFile};
use crate::index::memory::{IndexMemory, MemoryIndex, RowBuffer};
use crate::index::table::NO_ID;
use crate::model::groups::LabelGroups;
use crate::model::{Batch, Labels, Matcher, SeriesRef};
use crate::sync::{Arc, AtomicU64, Mutex, Ordering, RwLock};
use files::Base;
use resolution::Unknown;

pub use super::refs::NO_SERIES;
pub use resolution::Resolution;

/// The slot of an item that was rejected.
pub const NO_SLOT: u32 = NO_ID;

/// Series created or aliases remembered in one go under a write lock: well below a millisecond.
const CREATE_PORTION: usize = 256;

/// Refs are below this. A greater one in the log is damage, and none is given.
pub const REF_END: u64 = 1 << 62;

/// What a registry is told at its start.
#[derive(Debug, Clone, Copy)]
pub struct RegistryOptions {
    /// New series are refused once there are so many.
    pub series_max: usize,
}

/// All series of the head.
#[derive(Debug)]
pub struct Registry {
    options: RegistryOptions,
    hasher: AliasHasher,
    known: RwLock<Known>,
    pending: Mutex<PendingRefs>,
    /// No ref below is pending: what makes the question free for series known durable.
    first_pending: AtomicU64,
    hot: RwLock<Hot>,
    /// The file of the base.
    base: Option<Arc<SealedFile>>,
}

/// What resolving known series reads.
#[derive(Debug, Default)]
struct Hot {
    aliases: AliasTable,
    refs: Refs,
}

/// The series by their labels.
#[derive(Debug)]
struct Known {
    index: MemoryIndex,
    row: RowBuffer,
    next_ref: u64,
    /// Slots of which the log has given a ref to other labels.
    robbed: Vec<u32>,
}

/// Counts and memory of a registry.
#[derive(Debug, Clone, Copy, Default)]
pub struct RegistryStats {
    pub series_count: usize,
    /// Those of them that are in the base.
    pub base_series_count: usize,
    pub alias_count: usize,
    pub pending_count: usize,
    pub alias_bytes: usize,
    pub index: IndexMemory,
}

impl RegistryStats {
    /// What of it is neither a mapped file nor in the shards.
    pub fn heap_bytes(&self) -> usize {
        let IndexMemory { symbols_bytes, postings_bytes, rows_bytes, identity_bytes, .. } =
            self.index;
        symbols_bytes + postings_bytes + rows_bytes + identity_bytes + self.alias_bytes
    }
}

impl Known {
    /// The slot of a label set, which is added if the limit allows.
    fn find_or_add(&mut self, labels: &Labels, series_max: usize) -> Option<(u32, bool)> {
        let has_room = self.index.len() < series_max && self.next_ref < REF_END;
        if has_room && self.index.has_room_for(labels) {
            return Some(self.index.find_or_add(labels, &mut self.row));
        }
        self.index.find(labels, &mut self.row).map(|slot| (slot, false))
    }
}

impl Registry {
    /// An empty registry.
    pub fn new(options: RegistryOptions) -> Registry {
        Registry::with(options, MemoryIndex::default(), Refs::default(), NO_SERIES.0 + 1, None)
    }

    /// A registry of the series in a base file. All of the file is checked, and none of its series is looked at.
    ///
    /// # Errors
    /// The file is no base, or damaged: [`files::Salvage`] gives what can still be read.
    pub fn open(options: RegistryOptions, base: Option<SealedFile>) -> Result<Registry, FileError> {
        let Some(file) = base else { return Ok(Registry::new(options)) };
        let Base { file, head, image, refs } = Base::open(file)?;
        let (index, next_ref) = (MemoryIndex::new(image), head.next_ref.max(NO_SERIES.0 + 1));
        Ok(Registry::with(options, index, Refs::new(refs), next_ref, Some(file)))
    }

    fn with(
        options: RegistryOptions,
        index: MemoryIndex,
        refs: Refs,
        next_ref: u64,
        base: Option<Arc<SealedFile>>,
    ) -> Registry {
        let known = Known { index, row: RowBuffer::default(), next_ref, robbed: Vec::new() };
        Registry {
            options,
            hasher: AliasHasher::default(),
            known: RwLock::new(known),
            pending: Mutex::new(PendingRefs::default()),
            first_pending: AtomicU64::new(u64::MAX),
            hot: RwLock::new(Hot { aliases: AliasTable::default(), refs }),
            base,
        }
    }

    /// As given at the start.
    pub fn options(&self) -> RegistryOptions {
        self.options
    }

    /// Are some of its series in a base file?
    pub fn has_base(&self) -> bool {
        self.base.is_some()
    }

    /// The ref that the next new series gets.
    pub fn next_ref(&self) -> u64 {
        self.known.read().next_ref
    }

    /// An error if the storage failed under the base, so that what was answered since may be wrong.
    ///
    /// # Errors
    /// As said.
    pub fn check(&self) -> Result<(), FileError> {
        self.base.as_ref().map_or(Ok(()), |base| base.check())
    }

    /// Finds or creates the series of every item. Replaces what `out` held.
    pub fn resolve(&self, batch: &Batch, out: &mut Resolution) {
        out.start(batch, &self.hasher);
        self.hot.read().aliases.find_all(&out.keys, &mut out.slots);
        if out.slots.contains(&NO_SLOT) {
            self.resolve_unknown(batch, out);
        }
        self.fill_refs(out);
        self.define_pending(out);
    }

    fn resolve_unknown(&self, batch: &Batch, out: &mut Resolution) {
        out.decode_unknown(batch);
        {
            let known = self.known.read();
            for unknown in &mut out.unknown {
                let found = known.index.find(&unknown.labels, &mut out.row);
                unknown.slot = found.unwrap_or(NO_SLOT);
            }
        }
        for portion in out.unknown.chunks_mut(CREATE_PORTION) {
            if portion.iter().any(|unknown| unknown.slot == NO_SLOT) {
                self.create(portion, &mut out.created);
            }
        }
        out.reject_over_limit(batch, self.options.series_max);
        self.remember(out);
    }

    /// Creates the series of those that still have no slot.
    fn create(&self, portion: &mut [Unknown], created: &mut Vec<(SeriesRef, Labels)>) {
        let mut known = self.known.write();
        let first_slot = known.index.len() as u32;
        let first_ref = known.next_ref;
        for unknown in portion.iter_mut().filter(|unknown| unknown.slot == NO_SLOT) {
            let found = known.find_or_add(&unknown.labels, self.options.series_max);
            let Some((slot, is_new)) = found else { continue };
            unknown.slot = slot;
            if is_new {
                created.push((SeriesRef(known.next_ref), unknown.labels.clone()));
                known.next_ref += 1;
            }
        }
        self.publish(first_slot, first_ref..known.next_ref);
    }

    /// Makes new refs pending and gives them to the slots from `first_slot` on, while the caller holds `known`.
    fn publish(&self, first_slot: u32, new_refs: std::ops::Range<u64>) {
        let mut pending = self.pending.lock();
        new_refs.clone().for_each(|series| pending.insert(SeriesRef(series)));
        self.first_pending.store(pending.first(), Ordering::Release);
        let mut hot = self.hot.write();
        for (slot, series) in (first_slot..).zip(new_refs) {
            hot.refs.push(slot, SeriesRef(series));
        }
    }

    /// Gives the items what was found for them, and remembers their aliases.
    fn remember(&self, out: &mut Resolution) {
        let series_count = self.len();
        for portion in out.unknown.chunks(CREATE_PORTION) {
            let mut hot = self.hot.write();
            for unknown in portion.iter().filter(|unknown| unknown.slot != NO_SLOT) {
                out.slots[unknown.item] = unknown.slot;
                hot.aliases.insert(out.keys[unknown.item], unknown.slot, series_count);
            }
        }
    }

    fn fill_refs(&self, out: &mut Resolution) {
        let slots = out.slots.iter().map(|slot| (*slot != NO_SLOT).then_some(*slot));
        out.refs.clear();
        self.hot.read().refs.extend(slots, &mut out.refs);
    }

    fn define_pending(&self, out: &mut Resolution) {
        let first_pending = self.first_pending.load(Ordering::Acquire);
        if out.refs.iter().all(|series| series.0 < first_pending) {
            return;
        }
        {
            // A series whose request was refused and never comes again stays pending. All it costs the others is this
            // look: one comparison and one bit per item.
            let pending = self.pending.lock();
            let items = out.refs.iter().copied().zip(out.slots.iter().copied());
            let is_pending =
                |series: SeriesRef| series.0 >= first_pending && pending.contains(series);
            out.pending.extend(items.filter(|(series, _)| is_pending(*series)));
        }
        if out.pending.is_empty() {
            return;
        }
        out.pending.sort_unstable();
        out.pending.dedup();
        let created = &out.created;
        let is_created =
            |series: SeriesRef| created.binary_search_by_key(&series, |(other, _)| *other).is_ok();
        let others = out.pending.iter().filter(|(series, _)| !is_created(*series));
        let (series, slots): (Vec<SeriesRef>, Vec<u32>) = others.copied().unzip();
        out.definitions.append(&mut out.created);
        if !slots.is_empty() {
            out.definitions.extend(series.into_iter().zip(self.labels_of(&slots)));
            out.definitions.sort_unstable_by_key(|(series, _)| *series);
        }
    }

    /// A frame that defines these series is known durable.
    pub fn mark_durable(&self, defined: impl IntoIterator<Item = SeriesRef>) {
        let mut pending = self.pending.lock();
        defined.into_iter().for_each(|series| pending.remove(series));
        self.first_pending.store(pending.first(), Ordering::Release);
    }

    /// The labels of several slots, under one lock.
    pub fn labels_of(&self, slots: &[u32]) -> Vec<Labels> {
        self.known.read().index.labels_of(slots)
    }

    /// The ref of a slot that was given.
    pub fn ref_of(&self, slot: u32) -> SeriesRef {
        self.hot.read().refs.get(slot)
    }

    /// The refs of several slots, under one lock.
    pub fn refs_of(&self, slots: &[u32]) -> Vec<SeriesRef> {
        let mut refs = Vec::with_capacity(slots.len());
        self.hot.read().refs.extend(slots.iter().copied().map(Some), &mut refs);
        refs
    }

    /// The slot a ref stands for.
    pub fn slot_of(&self, series: SeriesRef) -> Option<u32> {
        self.hot.read().refs.slot_of(series)
    }

    /// The slots that several refs stand for, under one lock.
    pub fn slots_of(&self, refs: &[SeriesRef]) -> Vec<Option<u32>> {
        let hot = self.hot.read();
        refs.iter().map(|series| hot.refs.slot_of(*series)).collect()
    }

    /// Slots in the order of their label sets.
    pub fn sort(&self, slots: Vec<u32>) -> Vec<u32> {
        self.known.read().index.sort(slots)
    }

    /// The slots whose labels satisfy all matchers, ascending, whether or not they have samples.
    pub fn select(&self, matchers: &[Matcher]) -> Vec<u32> {
        self.known.read().index.select(matchers)
    }

    /// The groups of some slots by the values of some labels.
    pub fn group(&self, slots: &[u32], names: &[&str]) -> LabelGroups {
        self.known.read().index.group(slots, names)
    }

    /// Has any series ever had a label of this name?
    pub fn has_name(&self, name: &str) -> bool {
        self.known.read().index.has_name(name)
    }

    /// Sorted names of the labels of some slots, or of all.
    pub fn label_names(&self, slots: Option<&[u32]>) -> Vec<String> {
        self.known.read().index.label_names(slots)
    }

    /// Sorted values of one label over some slots, or over all.
    pub fn label_values(&self, name: &str, slots: Option<&[u32]>) -> Vec<String> {
        self.known.read().index.label_values(name, slots)
    }

    /// Slots given so far.
    pub fn len(&self) -> usize {
        self.known.read().index.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn stats(&self) -> RegistryStats {
        let (series_count, base_series_count, index) = {
            let index = &self.known.read().index;
            (index.len(), index.base().slot_count() as usize, index.memory())
        };
        let pending_count = self.pending.lock().len();
        let hot = self.hot.read();
        RegistryStats {
            series_count,
            base_series_count,
            alias_count: hot.aliases.len(),
            pending_count,
            alias_bytes: hot.aliases.memory_bytes() + hot.refs.memory_bytes(),
            index,
        }
    }
}

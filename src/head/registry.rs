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

use super::alias::{AliasHasher, AliasKey, AliasTable};
use super::refs::{PendingRefs, RefSlots, SlotRefs};
use crate::error::Corrupt;
use crate::index::memory::{IndexMemory, MemoryIndex, RowBuffer};
use crate::index::table::NO_ID;
use crate::model::batch::Offender;
use crate::model::{Batch, Labels, Matcher, Outcome, Reason, SeriesRef};
use crate::sync::{AtomicU64, Mutex, Ordering, RwLock};

pub use super::refs::NO_SERIES;

/// The slot of an item that was rejected.
pub const NO_SLOT: u32 = NO_ID;

/// Series created or aliases remembered in one go under a write lock: well below a millisecond.
const CREATE_PORTION: usize = 256;

/// Bytes of a raw key shown when its labels cannot be read.
const OFFENDER_KEY_MAX_BYTES: usize = 256;

/// Refs are below this. A greater one in the log is damage, and none is given.
const REF_END: u64 = 1 << 62;

/// Refs that a request lost from the log may have used beyond those known before it: a process gives no more than there
/// are slots, and every process of which refs are lost has lost a request.
const REFS_PER_LOST_REQUEST: u64 = 1 << 32;

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
}

/// What resolving known series reads.
#[derive(Debug, Default)]
struct Hot {
    aliases: AliasTable,
    refs: SlotRefs,
}

/// The series by their labels.
#[derive(Debug)]
struct Known {
    index: MemoryIndex,
    row: RowBuffer,
    next_ref: u64,
    /// What only replay needs.
    replayed: Replayed,
}

/// What the log has said of refs so far.
#[derive(Debug, Default)]
struct Replayed {
    slots: RefSlots,
    /// Slots of which a ref was given to other labels.
    robbed: Vec<u32>,
}

/// What became of a batch, and buffers that are used again for the next.
#[derive(Debug, Default)]
pub struct Resolution {
    /// Per item the slot of its series, [`NO_SLOT`] if it was rejected.
    pub slots: Vec<u32>,
    /// Per item the ref of its series, [`NO_SERIES`] if it was rejected.
    pub refs: Vec<SeriesRef>,
    /// The rejected samples.
    pub outcome: Outcome,
    /// Every series of the batch that is in no frame known durable, ascending by ref.
    pub definitions: Vec<(SeriesRef, Labels)>,
    keys: Vec<AliasKey>,
    unknown: Vec<Unknown>,
    row: RowBuffer,
    /// Series this batch created, ascending by ref.
    created: Vec<(SeriesRef, Labels)>,
    pending: Vec<(SeriesRef, u32)>,
}

/// An item whose alias was not known.
#[derive(Debug)]
struct Unknown {
    item: usize,
    labels: Labels,
    slot: u32,
}

/// Counts and memory of a registry.
#[derive(Debug, Clone, Copy, Default)]
pub struct RegistryStats {
    pub series_count: usize,
    pub alias_count: usize,
    pub pending_count: usize,
    pub alias_bytes: usize,
    pub index: IndexMemory,
}

impl Resolution {
    fn start(&mut self, batch: &Batch, hasher: &AliasHasher) {
        self.outcome = Outcome::default();
        self.drop_labels();
        self.pending.clear();
        self.keys.clear();
        self.keys.extend(batch.items.iter().map(|item| hasher.key(batch.key(item))));
    }

    /// Lets go of all labels: what stays is memory for the next batch.
    pub fn drop_labels(&mut self) {
        self.definitions.clear();
        self.unknown.clear();
        self.created.clear();
    }

    /// Decodes the labels of the items without a slot. Those with invalid labels are rejected.
    fn decode_unknown(&mut self, batch: &Batch) {
        for (item, slot) in self.slots.iter().enumerate() {
            if *slot != NO_SLOT {
                continue;
            }
            let raw_key = batch.key(&batch.items[item]);
            match (batch.decode_labels)(raw_key) {
                Ok(labels) => self.unknown.push(Unknown { item, labels, slot: NO_SLOT }),
                Err(detail) => {
                    let text = || (readable(raw_key), detail);
                    reject(&mut self.outcome, batch, item, Reason::InvalidLabels, text);
                }
            }
        }
    }

    /// Rejects what was left without a slot although its labels are valid.
    fn reject_over_limit(&mut self, batch: &Batch, series_max: usize) {
        for unknown in self.unknown.iter().filter(|unknown| unknown.slot == NO_SLOT) {
            let text = || (unknown.labels.to_string(), format!("the limit is {series_max} series"));
            reject(&mut self.outcome, batch, unknown.item, Reason::SeriesLimit, text);
        }
    }
}

/// Counts the samples of an item as rejected. `text` gives the series and the detail, if they are to be shown.
fn reject(
    outcome: &mut Outcome,
    batch: &Batch,
    item: usize,
    reason: Reason,
    text: impl FnOnce() -> (String, String),
) {
    let samples = batch.samples_of(&batch.items[item]);
    outcome.reject(reason, samples.len() as u64, || {
        let (series, detail) = text();
        let timestamp = samples.first().map(|sample| sample.timestamp);
        Offender { reason, series, timestamp, detail }
    });
}

/// What can be read of a raw key: its text, with a space for what is not text.
fn readable(raw_key: &[u8]) -> String {
    let shown = &raw_key[..raw_key.len().min(OFFENDER_KEY_MAX_BYTES)];
    let text = String::from_utf8_lossy(shown);
    let words = text.split(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER);
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
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
    pub fn new(options: RegistryOptions) -> Registry {
        let known = Known {
            index: MemoryIndex::default(),
            row: RowBuffer::default(),
            next_ref: NO_SERIES.0 + 1,
            replayed: Replayed::default(),
        };
        Registry {
            options,
            hasher: AliasHasher::default(),
            known: RwLock::new(known),
            pending: Mutex::new(PendingRefs::default()),
            first_pending: AtomicU64::new(u64::MAX),
            hot: RwLock::new(Hot::default()),
        }
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

    /// Takes the definitions of a record of the log. Two refs with the same labels are one series; a ref that is defined
    /// anew with other labels stands for those from here on. The limit on series does not apply.
    ///
    /// # Errors
    /// A ref that was never given, and then none of the definitions is taken; or more label text than an index can hold.
    pub fn restore(&self, definitions: &[(SeriesRef, Labels)]) -> Result<(), Corrupt> {
        let is_given = |series: SeriesRef| series != NO_SERIES && series.0 < REF_END;
        if let Some((series, _)) = definitions.iter().find(|(series, _)| !is_given(*series)) {
            return Err(Corrupt::at(0, format!("series ref {}, which is never given", series.0)));
        }
        let known = &mut *self.known.write();
        let mut hot = self.hot.write();
        for (series, labels) in definitions {
            if !known.index.has_room_for(labels) {
                return Err(Corrupt::at(0, "size of all series"));
            }
            let (slot, is_new) = known.index.find_or_add(labels, &mut known.row);
            if is_new {
                hot.refs.push(slot, *series);
            }
            known.next_ref = known.next_ref.max(series.0 + 1);
            let slot_before = known.replayed.slots.insert(*series, slot);
            known.replayed.robbed.extend(slot_before.filter(|before| *before != slot));
        }
        Ok(())
    }

    /// Gives `found` the slots of the samples of a record of the log; None where a sample's series was not defined. None
    /// of the refs is given again.
    pub fn resolve_replayed<T>(
        &self,
        samples: impl Iterator<Item = (SeriesRef, T)>,
        mut found: impl FnMut(Option<u32>, T),
    ) {
        let known = &mut *self.known.write();
        for (series, sample) in samples {
            if (known.next_ref..REF_END).contains(&series.0) {
                known.next_ref = series.0 + 1;
            }
            found(known.replayed.slots.get(series), sample);
        }
    }

    /// So many requests are missing from the log at this point: gives none of the refs that they may have defined. Before
    /// any series is pending.
    pub fn skip_lost(&self, requests: u64) {
        let mut known = self.known.write();
        let skipped = known.next_ref.saturating_add(requests.saturating_mul(REFS_PER_LOST_REQUEST));
        // Half of all refs are kept for what comes: damage cannot use them up.
        known.next_ref = known.next_ref.max(skipped.min(REF_END / 2));
    }

    /// Ends the replay. A series whose ref was given to other labels gets a new one. Returns how many did.
    pub fn finish_replay(&self) -> u64 {
        let known = &mut *self.known.write();
        let Replayed { slots, mut robbed } = std::mem::take(&mut known.replayed);
        robbed.sort_unstable();
        robbed.dedup();
        let mut pending = self.pending.lock();
        let mut hot = self.hot.write();
        robbed.retain(|slot| slots.get(hot.refs.get(*slot)) != Some(*slot));
        for slot in &robbed {
            let series = SeriesRef(known.next_ref);
            known.next_ref += 1;
            pending.insert(series);
            hot.refs.replace(*slot, series);
        }
        self.first_pending.store(pending.first(), Ordering::Release);
        robbed.len() as u64
    }

    /// The refs of several slots, under one lock.
    pub fn refs_of(&self, slots: &[u32]) -> Vec<SeriesRef> {
        let mut refs = Vec::with_capacity(slots.len());
        self.hot.read().refs.extend(slots.iter().map(|slot| Some(*slot)), &mut refs);
        refs
    }

    /// The slots in order of their labels.
    pub fn sort(&self, mut slots: Vec<u32>) -> Vec<u32> {
        let known = self.known.read();
        slots.sort_by_cached_key(|slot| known.index.labels(*slot));
        slots
    }

    /// The labels of several slots, under one lock.
    pub fn labels_of(&self, slots: &[u32]) -> Vec<Labels> {
        let known = self.known.read();
        slots.iter().map(|slot| known.index.labels(*slot)).collect()
    }

    /// The slots whose labels satisfy all matchers, ascending, whether or not they have samples.
    pub fn select(&self, matchers: &[Matcher]) -> Vec<u32> {
        self.known.read().index.select(matchers)
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
        let (series_count, index) = {
            let known = self.known.read();
            (known.index.len(), known.index.memory())
        };
        let pending_count = self.pending.lock().len();
        let hot = self.hot.read();
        RegistryStats {
            series_count,
            alias_count: hot.aliases.len(),
            pending_count,
            alias_bytes: hot.aliases.memory_bytes() + hot.refs.memory_bytes(),
            index,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Item, MatchOp, Sample};
    use bytes::Bytes;
    use std::collections::{BTreeMap, BTreeSet};

    /// Raw keys of these tests: `name=value,name=value` in any order.
    fn decode(raw_key: &[u8]) -> Result<Labels, String> {
        let text = std::str::from_utf8(raw_key).map_err(|_| "not UTF-8".to_string())?;
        let pairs: Option<Vec<_>> = text.split(',').map(|pair| pair.split_once('=')).collect();
        pairs.map(Labels::from_pairs).ok_or_else(|| "a label without value".to_string())
    }

    /// A batch with one item for every key and two samples in each.
    fn batch(keys: &[&str]) -> Batch {
        let mut body = Vec::new();
        let mut items = Vec::new();
        let mut samples = Vec::new();
        for (i, key) in keys.iter().enumerate() {
            items.push(Item {
                key_offset: body.len() as u32,
                key_len: key.len() as u32,
                sample_start: 2 * i as u32,
                sample_count: 2,
            });
            body.extend_from_slice(key.as_bytes());
            samples.extend([Sample::new(1000, 1.0), Sample::new(2000, 2.0)]);
        }
        let body = Bytes::from(body);
        Batch { body, items, samples, decode_labels: decode, rejected: Outcome::default() }
    }

    fn registry(series_max: usize) -> Registry {
        Registry::new(RegistryOptions { series_max })
    }

    fn resolve(registry: &Registry, keys: &[&str]) -> Resolution {
        let mut out = Resolution::default();
        registry.resolve(&batch(keys), &mut out);
        out
    }

    fn defined(out: &Resolution) -> Vec<u64> {
        out.definitions.iter().map(|(series, _)| series.0).collect()
    }

    #[test]
    fn series_get_slots_and_refs_in_order_of_appearance() {
        let registry = registry(100);
        let out = resolve(&registry, &["a=1", "b=1,a=2", "a=1", "a=2,b=1"]);
        assert_eq!(out.slots, [0, 1, 0, 1]);
        assert_eq!(out.refs, [1, 2, 1, 2].map(SeriesRef));
        assert_eq!(out.outcome, Outcome::default());
        assert_eq!(registry.labels_of(&[1])[0], Labels::from_pairs([("a", "2"), ("b", "1")]));
        assert_eq!(registry.labels_of(&[1, 0])[1], Labels::from_pairs([("a", "1")]));
        assert_eq!(registry.len(), 2);
        assert_eq!(registry.stats().alias_count, 3);
        let again = resolve(&registry, &["a=2,b=1", "a=3", "a=1"]);
        assert_eq!(again.slots, [1, 2, 0]);
    }

    #[test]
    fn a_series_is_defined_by_every_batch_until_it_is_durable() {
        let registry = registry(100);
        let first = resolve(&registry, &["a=1", "a=2", "a=1"]);
        assert_eq!(defined(&first), [1, 2]);
        assert_eq!(first.definitions[1].1, Labels::from_pairs([("a", "2")]));
        let second = resolve(&registry, &["a=3", "a=2", "a=2"]);
        assert_eq!(defined(&second), [2, 3]);
        registry.mark_durable([SeriesRef(2), SeriesRef(3)]);
        assert_eq!(defined(&resolve(&registry, &["a=3", "a=2"])), [0; 0]);
        let third = resolve(&registry, &["a=3", "a=1"]);
        assert_eq!(third.definitions, [(SeriesRef(1), Labels::from_pairs([("a", "1")]))]);
        registry.mark_durable([SeriesRef(1)]);
        assert_eq!(defined(&resolve(&registry, &["a=1", "a=4"])), [4]);
        assert_eq!(registry.stats().pending_count, 1);
    }

    #[test]
    fn invalid_labels_cost_their_own_samples_only() {
        let registry = registry(100);
        let out = resolve(&registry, &["a=1", "\u{1}nonsense\u{2}", "a=2", "more"]);
        assert_eq!(out.slots, [0, NO_SLOT, 1, NO_SLOT]);
        assert_eq!(out.refs, [1, 0, 2, 0].map(SeriesRef));
        assert_eq!(out.outcome.rejected[Reason::InvalidLabels as usize], 4);
        let offender = out.outcome.first_offender.unwrap();
        assert_eq!((offender.series.as_str(), offender.timestamp), ("nonsense", Some(1000)));
        assert_eq!(offender.detail, "a label without value");
        assert_eq!(defined(&resolve(&registry, &["more", "a=2"])), [2]);
    }

    #[test]
    fn over_the_limit_only_new_series_are_refused() {
        let registry = registry(2);
        let out = resolve(&registry, &["a=1", "a=2,b=2", "a=3", "a=4"]);
        assert_eq!(out.slots, [0, 1, NO_SLOT, NO_SLOT]);
        assert_eq!(out.outcome.rejected[Reason::SeriesLimit as usize], 4);
        let offender = out.outcome.first_offender.unwrap();
        assert_eq!(offender.series, "{a=\"3\"}");
        assert_eq!(offender.detail, "the limit is 2 series");
        assert_eq!(registry.label_values("a", None), ["1", "2"]);
        assert_eq!(resolve(&registry, &["b=2,a=2", "a=3"]).slots, [1, NO_SLOT]);
    }

    #[test]
    fn series_are_selected_by_labels() {
        let registry = registry(100);
        resolve(&registry, &["__name__=up,job=x", "__name__=up,job=y", "__name__=down,job=x"]);
        let up = Matcher::equal("__name__", "up");
        let slots = registry.select(&[up, Matcher::new("job", MatchOp::NotEqual, "y").unwrap()]);
        assert_eq!(slots, [0]);
        assert_eq!(registry.label_names(Some(&slots)), ["__name__", "job"]);
        assert_eq!(registry.label_values("job", None), ["x", "y"]);
    }

    fn restore(registry: &Registry, series: u64, labels: &Labels) -> Result<(), Corrupt> {
        registry.restore(&[(SeriesRef(series), labels.clone())])
    }

    fn replayed_slots(registry: &Registry, refs: &[u64]) -> Vec<Option<u32>> {
        let mut slots = Vec::new();
        let refs = refs.iter().map(|series| (SeriesRef(*series), ()));
        registry.resolve_replayed(refs, |slot, ()| slots.push(slot));
        slots
    }

    #[test]
    fn replay_gives_back_refs_and_new_series_come_after_them() {
        let registry = registry(1);
        let (a, b) = (Labels::from_pairs([("a", "1")]), Labels::from_pairs([("a", "2")]));
        for (series, labels) in [(7, &a), (5, &b), (7, &a), (9, &b)] {
            restore(&registry, series, labels).unwrap();
        }
        let slots = replayed_slots(&registry, &[5, 6, 7, 9]);
        assert_eq!(slots, [Some(1), None, Some(0), Some(1)]);
        assert_eq!(registry.finish_replay(), 0);
        let out = resolve(&registry, &["a=2", "a=1"]);
        assert_eq!((out.slots.as_slice(), defined(&out)), ([1, 0].as_slice(), vec![]));
        assert_eq!(out.refs, [5, 7].map(SeriesRef));
    }

    #[test]
    fn a_record_with_an_impossible_ref_defines_nothing() {
        let registry = registry(100);
        let (a, b) = (Labels::from_pairs([("a", "1")]), Labels::from_pairs([("a", "2")]));
        for impossible in [0, REF_END, u64::MAX] {
            let record = [(SeriesRef(3), a.clone()), (SeriesRef(impossible), b.clone())];
            assert!(registry.restore(&record).is_err());
        }
        assert_eq!(replayed_slots(&registry, &[3, 0, u64::MAX]), [None; 3]);
        assert_eq!(registry.len(), 0);
    }

    #[test]
    fn refs_after_replay_are_greater_than_all_in_the_log_and_all_lost() {
        let registry = registry(100);
        let a = Labels::from_pairs([("a", "1")]);
        restore(&registry, 7, &a).unwrap();
        restore(&registry, 900, &a).unwrap();
        replayed_slots(&registry, &[950, 20, u64::MAX]);
        registry.finish_replay();
        let out = resolve(&registry, &["a=1", "a=2"]);
        assert_eq!(out.refs, [7, 951].map(SeriesRef));
        assert_eq!(defined(&out), [951]);
    }

    #[test]
    fn refs_of_lost_requests_are_not_given() {
        let next_after = |lost: u64| {
            let registry = registry(100);
            restore(&registry, 7, &Labels::from_pairs([("a", "1")])).unwrap();
            registry.skip_lost(lost);
            registry.finish_replay();
            resolve(&registry, &["a=2"]).refs[0].0
        };
        assert_eq!([0, 2].map(next_after), [8, 8 + (2 << 32)]);
        assert_eq!(next_after(u64::MAX), REF_END / 2, "room is left");
    }

    #[test]
    fn a_ref_defined_anew_goes_to_the_later_labels_and_the_earlier_get_another() {
        let registry = registry(100);
        let labels = |value: &str| Labels::from_pairs([("a", value)]);
        for (series, value) in [(1, "1"), (2, "2"), (3, "3"), (2, "4"), (1, "5"), (1, "1")] {
            restore(&registry, series, &labels(value)).unwrap();
        }
        assert_eq!(replayed_slots(&registry, &[1, 2, 3]), [Some(0), Some(3), Some(2)]);
        assert_eq!(registry.finish_replay(), 2);
        let out = resolve(&registry, &["a=1", "a=2", "a=3", "a=4", "a=5"]);
        assert_eq!(out.refs, [1, 4, 3, 2, 5].map(SeriesRef));
        assert_eq!(out.definitions, [(SeriesRef(4), labels("2")), (SeriesRef(5), labels("5"))]);
    }

    #[test]
    fn the_last_ref_is_not_passed() {
        let registry = registry(100);
        restore(&registry, REF_END - 2, &Labels::from_pairs([("a", "1")])).unwrap();
        registry.finish_replay();
        let out = resolve(&registry, &["a=2", "a=3"]);
        assert_eq!(out.refs, [REF_END - 1, 0].map(SeriesRef));
        assert_eq!(out.outcome.rejected[Reason::SeriesLimit as usize], 2);
    }

    #[test]
    fn threads_that_meet_the_same_new_series_agree() {
        let registry = registry(1_000_000);
        let keys: Vec<String> = (0..3000).map(|i| format!("a={i},job=x")).collect();
        let barrier = std::sync::Barrier::new(4);
        let work = |thread: usize| {
            let mut seen = BTreeMap::new();
            barrier.wait();
            for start in (0..keys.len()).step_by(500) {
                let mut part: Vec<&str> = keys[start..start + 500].iter().map(|k| &**k).collect();
                part.rotate_left(thread * 100);
                let out = resolve(&registry, &part);
                let definitions: BTreeMap<_, _> = out.definitions.iter().cloned().collect();
                for (key, (slot, series)) in part.iter().zip(out.slots.iter().zip(&out.refs)) {
                    assert_eq!(definitions[series], decode(key.as_bytes()).unwrap());
                    seen.insert(key.to_string(), (*slot, *series));
                }
            }
            seen
        };
        let work = &work;
        let seen: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|i| scope.spawn(move || work(i))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(seen.iter().all(|other| *other == seen[0]));
        let refs: BTreeSet<SeriesRef> = seen[0].values().map(|(_, series)| *series).collect();
        assert_eq!((refs.len(), registry.len()), (3000, 3000));
        assert_eq!(refs.last(), Some(&SeriesRef(3000)));
    }
}

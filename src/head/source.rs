//! The head as a query sees it: spills and generations, the open one among them. Labels come from the registry; a series counts
//! only through its samples, so one whose first request is not durable yet is not there.

use std::ops::Range;

use super::Head;
use super::chunk_list::{decode_within, sample_count};
use super::encoded::{EncodedSeries, trim};
use super::generation::Generation;
use super::older::Looked;
use super::spill::Spill;
use super::work::Slot;
use crate::model::groups::LabelGroups;
use crate::model::{Labels, Matcher, SeriesRef, TimeRange, Timestamp};
use crate::read::buffers::Buffers;
use crate::read::merge_columns::ColumnsMerge;
use crate::read::{Columns, Estimate, ReadError, SeriesSet, Source};
use crate::sync::{Arc, AtomicBool, Mutex, OnceLock, Ordering};

/// Series whose samples are counted to estimate those of a selection: enough that the others' weigh little.
const ESTIMATE_SERIES_MAX: usize = 64;

/// What holds samples of the series of a head, in order of commit sequence: of samples with the same timestamp the first
/// counts.
#[derive(Debug, Clone, Default)]
pub struct HeadLayers {
    pub spills: Vec<Arc<Spill>>,
    /// Those that are in no spill yet; the last is open.
    pub generations: Vec<Arc<Generation>>,
}

/// A head that queries may hold as long as they need it, and what it consisted of at one moment.
#[derive(Clone)]
pub struct HeadSource {
    head: Arc<Head>,
    layers: Arc<HeadLayers>,
}

impl HeadSource {
    pub fn new(head: Arc<Head>, layers: Arc<HeadLayers>) -> HeadSource {
        HeadSource { head, layers }
    }

    /// Slots of the series that match and may have samples between the ends of the range.
    fn slots(&self, matchers: &[Matcher], range: TimeRange) -> Result<Vec<u32>, ReadError> {
        let mut slots = self.head.registry.select(matchers);
        let refs = self.head.registry.refs_of(&slots);
        let spills = self.layers.spills.iter().rev();
        let spills: Vec<_> = spills.filter(|spill| spill.meta().range.overlaps(range)).collect();
        let mut refs = refs.into_iter();
        slots.retain(|slot| {
            let series = refs.next();
            let mut generations = self.layers.generations.iter().rev();
            generations.any(|generation| self.head.appliers.may_have(generation, *slot, range))
                // A directory that cannot be read is reported by the reading that follows.
                || series.is_some_and(|series| spills.iter().any(|s| s.has(series).unwrap_or(true)))
        });
        Ok(slots)
    }

    /// About how many samples some series have in a range. What cannot be read is taken for absent.
    fn estimate_samples(&self, slots: &[u32], range: TimeRange) -> f64 {
        let (mut samples, mut encoded) = (0.0, EncodedSeries::default());
        let refs = self.head.registry.refs_of(slots);
        for (slot, series) in slots.iter().zip(refs) {
            for generation in &self.layers.generations {
                samples += self.head.appliers.estimate(generation, *slot, range, &mut encoded);
            }
            for spill in &self.layers.spills {
                let share = spill.meta().range.share_in(range);
                if share > 0.0
                    && let Ok(Some(list)) = spill.chunks(series)
                {
                    samples += sample_count(list) as f64 * share;
                }
            }
        }
        samples
    }

    /// What there is of a series at a time and after it. What cannot be read is taken for absent.
    pub fn look(&self, slot: Slot, timestamp: Timestamp) -> Looked {
        let mut looked = Looked::default();
        let range = TimeRange::new(timestamp, Timestamp::MAX);
        let series = self.head.registry.refs_of(&[slot])[0];
        let mut columns = Columns::default();
        for spill in self.layers.spills.iter().filter(|spill| spill.meta().range.overlaps(range)) {
            columns.clear();
            let read = |list| decode_within(list, range, &mut columns);
            let read = spill.chunks(series).map(|list| list.map(read));
            if matches!(read, Ok(Some(Ok(())))) && spill.file().check().is_ok() {
                looked.take(&columns, timestamp);
            }
        }
        for generation in &self.layers.generations {
            columns.clear();
            if generation.read_sealed(slot, range, &mut columns).is_ok() {
                looked.take(&columns, timestamp);
            }
        }
        looked
    }
}

impl Looked {
    /// Adds what some samples say about a time; what was seen before stays.
    fn take(&mut self, columns: &Columns, timestamp: Timestamp) {
        let at = columns.timestamps.partition_point(|t| *t < timestamp);
        if columns.timestamps.get(at) == Some(&timestamp) {
            self.value_bits.get_or_insert(columns.floats[at].to_bits());
        }
        self.has_newer |= columns.timestamps.last().is_some_and(|last| *last > timestamp);
    }
}

impl Source for HeadSource {
    fn select(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Box<dyn SeriesSet>, ReadError> {
        let slots = self.slots(matchers, range)?;
        self.head.registry.check()?;
        let source = self.clone();
        let (ordered, labels, damage) = Default::default();
        let (len, found) = (slots.len(), Mutex::new(slots));
        let (interleaves, buffers) = (AtomicBool::new(false), Buffers::default());
        Ok(Box::new(HeadSet {
            source,
            len,
            found,
            ordered,
            labels,
            damage,
            interleaves,
            buffers,
        }))
    }

    /// The samples of some series, as many as tell how many all have.
    fn estimate(&self, matchers: &[Matcher], range: TimeRange) -> Result<Estimate, ReadError> {
        let slots = self.slots(matchers, range)?;
        let every = slots.len().div_ceil(ESTIMATE_SERIES_MAX).max(1);
        let asked: Vec<u32> = slots.iter().copied().step_by(every).collect();
        let samples = self.estimate_samples(&asked, range);
        let samples = samples * slots.len() as f64 / asked.len().max(1) as f64;
        Ok(Estimate { series: slots.len() as u64, samples: samples.round() as u64 })
    }

    fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, ReadError> {
        Ok(self.head.registry.label_names(Some(&self.slots(matchers, range)?)))
    }

    fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, ReadError> {
        Ok(self.head.registry.label_values(name, Some(&self.slots(matchers, range)?)))
    }

    fn may_have_label(&self, name: &str) -> bool {
        self.head.registry.has_name(name)
    }

    /// Its chunks hold nothing else.
    fn has_only_floats(&self) -> bool {
        true
    }
}

struct HeadSet {
    source: HeadSource,
    len: usize,
    /// The series that were found, until their order is settled.
    found: Mutex<Vec<u32>>,
    ordered: OnceLock<Ordered>,
    /// Made when they are asked for: counting series, for example, does not need them.
    labels: OnceLock<Vec<Labels>>,
    /// What could not be read so far.
    damage: Mutex<Vec<String>>,
    /// Has any series layers that overlap in time? They are rare, and then mostly many.
    interleaves: AtomicBool,
    buffers: Buffers<ReadBuffers>,
}

/// What may have samples of a series.
#[derive(Clone, Copy)]
enum Layer<'a> {
    Spill(&'a Spill),
    Memory(&'a Generation),
}

/// The series of a selection in the order in which they are given. Whoever asks for labels gets that of the label sets;
/// whoever only reads gets that of the slots, in which neighbours lie side by side in every file.
struct Ordered {
    slots: Vec<u32>,
    refs: Vec<SeriesRef>,
}

/// What reading a series needs, used again for the next.
#[derive(Default)]
struct ReadBuffers {
    encoded: EncodedSeries,
    merge: ColumnsMerge,
}

impl HeadSet {
    /// The series; the first to ask decides on the order.
    fn ordered(&self, by_labels: bool) -> &Ordered {
        self.ordered.get_or_init(|| {
            let registry = &self.source.head.registry;
            let found = std::mem::take(&mut *self.found.lock());
            let slots = if by_labels { registry.sort(found) } else { found };
            Ordered { refs: registry.refs_of(&slots), slots }
        })
    }

    /// The layers that may have samples in a range, in order of sequence.
    fn layers(&self, range: TimeRange) -> impl Iterator<Item = Layer<'_>> {
        let HeadLayers { spills, generations } = &*self.source.layers;
        let spills = spills.iter().filter(move |spill| spill.meta().range.overlaps(range));
        spills.map(|spill| Layer::Spill(spill)).chain(generations.iter().map(|g| Layer::Memory(g)))
    }

    /// Appends what a layer has of a series.
    fn read_layer(
        &self,
        layer: Layer<'_>,
        index: usize,
        range: TimeRange,
        encoded: &mut EncodedSeries,
        out: &mut Columns,
    ) -> Result<(), ReadError> {
        let Ordered { slots, refs } = self.ordered(false);
        match layer {
            Layer::Spill(spill) => self.read_spill(spill, refs[index], range, out),
            Layer::Memory(generation) => {
                let start = out.len();
                self.source.head.appliers.read(generation, slots[index], range, encoded, out)?;
                trim(start, range, out);
                Ok(())
            }
        }
    }

    /// Appends what a spill has of a series. Damage costs this part of it.
    fn read_spill(
        &self,
        spill: &Spill,
        series: SeriesRef,
        range: TimeRange,
        out: &mut Columns,
    ) -> Result<(), ReadError> {
        let start = out.len();
        let list = match spill.chunks(series) {
            Ok(Some(list)) => list,
            Ok(None) => return Ok(()),
            Err(error) => return self.note(error.to_string()),
        };
        if let Err(corrupt) = decode_within(list, range, out) {
            out.timestamps.truncate(start);
            out.floats.truncate(start);
            return self.note(corrupt.in_file(spill.file().path(), 0).to_string());
        }
        spill.file().check()?;
        trim(start, range, out);
        Ok(())
    }

    fn note(&self, damage: String) -> Result<(), ReadError> {
        let mut noted = self.damage.lock();
        if !noted.contains(&damage) {
            noted.push(damage);
        }
        Ok(())
    }

    fn read_with(
        &self,
        ReadBuffers { encoded, merge }: &mut ReadBuffers,
        index: usize,
        range: TimeRange,
        out: &mut Columns,
    ) -> Result<(), ReadError> {
        if !self.interleaves.load(Ordering::Relaxed) {
            if self.read_in_order(index, range, encoded, out)? {
                return Ok(());
            }
            self.interleaves.store(true, Ordering::Relaxed);
        }
        merge.clear();
        for layer in self.layers(range) {
            self.read_layer(layer, index, range, encoded, merge.add_part())?;
        }
        merge.merge_into(out);
        Ok(())
    }

    /// Reads layer after layer, as is enough if each goes on where the one before ended. False if one does not.
    fn read_in_order(
        &self,
        index: usize,
        range: TimeRange,
        encoded: &mut EncodedSeries,
        out: &mut Columns,
    ) -> Result<bool, ReadError> {
        out.clear();
        for layer in self.layers(range) {
            let start = out.len();
            self.read_layer(layer, index, range, encoded, out)?;
            let (before, behind) = out.timestamps.split_at(start);
            if before.last().zip(behind.first()).is_some_and(|(last, first)| last >= first) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What was read, unless the storage failed under refs or labels that were made after the look at it in `select`.
    fn unless_index_failed(&self, read: Result<(), ReadError>) -> Result<(), ReadError> {
        self.source.head.registry.check()?;
        read
    }

    /// From the newest layer to the oldest, without those that end before the newest sample found. Of samples with the same
    /// timestamp the last one found counts.
    fn read_newest_with(
        &self,
        ReadBuffers { encoded, merge }: &mut ReadBuffers,
        index: usize,
        mut range: TimeRange,
        out: &mut Columns,
    ) -> Result<(), ReadError> {
        let HeadSource { head, layers } = &self.source;
        let Ordered { slots, refs } = self.ordered(false);
        out.clear();
        merge.clear();
        let found = merge.add_part();
        for generation in layers.generations.iter().rev() {
            found.clear();
            head.appliers.read_newest(generation, slots[index], range, encoded, found)?;
            trim(0, range, found);
            out.keep_newest(found, &mut range);
        }
        for spill in layers.spills.iter().rev() {
            if spill.meta().range.overlaps(range) {
                found.clear();
                self.read_spill(spill, refs[index], range, found)?;
                out.keep_newest(found, &mut range);
            }
        }
        Ok(())
    }
}

impl SeriesSet for HeadSet {
    fn labels(&self) -> Result<&[Labels], ReadError> {
        let registry = &self.source.head.registry;
        let slots = &self.ordered(true).slots;
        let labels = self.labels.get_or_init(|| registry.labels_of(slots));
        registry.check()?;
        Ok(labels)
    }

    fn labels_within(&self, range: Range<usize>) -> Result<Vec<Labels>, ReadError> {
        let registry = &self.source.head.registry;
        let slots = self.ordered(true).slots.get(range).unwrap_or_default();
        let labels = registry.labels_of(slots);
        registry.check()?;
        Ok(labels)
    }

    fn len(&self) -> usize {
        self.len
    }

    fn group(&self, names: &[&str]) -> Option<LabelGroups> {
        let groups = self.source.head.registry.group(&self.ordered(false).slots, names);
        // Of an index that could not be read, nothing can be believed; reading says what is wrong.
        self.source.head.registry.check().is_ok().then_some(groups)
    }

    fn may_have_label(&self, name: &str) -> bool {
        self.source.head.registry.has_name(name)
    }

    fn read(&self, index: usize, range: TimeRange, out: &mut Columns) -> Result<(), ReadError> {
        let read = self.read_with(&mut self.buffers.of(index), index, range, out);
        self.unless_index_failed(read)
    }

    fn read_newest(
        &self,
        index: usize,
        range: TimeRange,
        out: &mut Columns,
    ) -> Result<(), ReadError> {
        let read = self.read_newest_with(&mut self.buffers.of(index), index, range, out);
        self.unless_index_failed(read)
    }

    fn warnings(&self) -> Vec<String> {
        self.damage.lock().iter().map(|damage| format!("samples are missing: {damage}")).collect()
    }
}

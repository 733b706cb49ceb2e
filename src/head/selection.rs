//! A selection of the series of a head: labels and groups from the registry, samples from spills and generations. Made by
//! [`super::source`], read by queries from several threads. What cannot be read costs the samples in it, and is noted.

use std::ops::Range;

use super::chunk_list::decode_within;
use super::encoded::{EncodedSeries, trim};
use super::generation::Generation;
use super::source::{HeadLayers, HeadSource};
use super::spill::Spill;
use crate::model::groups::LabelGroups;
use crate::model::{Labels, SeriesRef, TimeRange};
use crate::read::buffers::Buffers;
use crate::read::merge_columns::ColumnsMerge;
use crate::read::{Columns, ReadError, SeriesSet};
use crate::sync::{AtomicBool, Mutex, OnceLock, Ordering};

/// See the module.
pub struct HeadSet {
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
    /// The series of some slots, which ascend.
    pub fn new(source: HeadSource, slots: Vec<u32>) -> HeadSet {
        let (ordered, labels, damage) = Default::default();
        let (len, found) = (slots.len(), Mutex::new(slots));
        let (interleaves, buffers) = (AtomicBool::new(false), Buffers::default());
        HeadSet { source, len, found, ordered, labels, damage, interleaves, buffers }
    }

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

    fn take_any_order(&self) {
        self.ordered(false);
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

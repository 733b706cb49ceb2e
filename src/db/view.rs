//! What a query reads: blocks and head as one source. A damaged page costs the samples in it; the query is told so and goes on.

use std::ops::Range;

use super::layers::Layers;
use crate::block::{Block, BlockSource};
use crate::head::older::Looked;
use crate::head::source::HeadSource;
use crate::head::work::Slot;
use crate::model::groups::LabelGroups;
use crate::model::{Labels, Matcher, TimeRange, Timestamp};
use crate::read::merge::MergeSource;
use crate::read::{Columns, Estimate, ReadError, SeriesSet, Source};
use crate::sync::{Arc, AtomicBool, Mutex, Ordering};

/// A moment of the database: see [`super::Db::view`].
#[derive(Clone)]
pub struct View {
    layers: Arc<Layers>,
}

impl View {
    pub(super) fn new(layers: Arc<Layers>) -> View {
        View { layers }
    }

    fn head(&self) -> HeadSource {
        HeadSource::new(self.layers.head.clone(), self.layers.samples.clone())
    }

    /// The layers that a query of this range has to read, in order of priority.
    fn sources(&self, range: TimeRange) -> MergeSource {
        let blocks = self.layers.blocks.iter();
        let blocks = blocks.filter(|block| block.meta().range.overlaps(range));
        let mut sources: Vec<Arc<dyn Source>> =
            blocks.map(|block| Arc::new(Tolerant::new(block)) as Arc<dyn Source>).collect();
        sources.push(Arc::new(self.head()));
        MergeSource::new(sources)
    }

    /// What there is of a series at a time and after it. What cannot be read is taken for absent.
    pub(super) fn look(&self, slot: Slot, timestamp: Timestamp) -> Looked {
        let in_head = self.head().look(slot, timestamp);
        let reaches = |block: &&Arc<Block>| block.meta().range.maxt >= timestamp;
        if !self.layers.blocks.iter().any(|block| reaches(&block)) {
            return in_head;
        }
        let labels = self.layers.head.registry.labels_of(&[slot]).remove(0);
        let fingerprint = labels.fingerprint();
        let mut looked = Looked::default();
        for block in self.layers.blocks.iter().filter(reaches) {
            let found = block.lookup(&labels, fingerprint, timestamp).unwrap_or_default();
            looked.value_bits = looked.value_bits.or(found.value.map(f64::to_bits));
            looked.has_newer |= found.has_newer;
        }
        let value_bits = looked.value_bits.or(in_head.value_bits);
        Looked { value_bits, has_newer: looked.has_newer || in_head.has_newer }
    }
}

impl Source for View {
    fn select(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Box<dyn SeriesSet>, ReadError> {
        self.sources(range).select(matchers, range)
    }

    fn estimate(&self, matchers: &[Matcher], range: TimeRange) -> Result<Estimate, ReadError> {
        self.sources(range).estimate(matchers, range)
    }

    fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, ReadError> {
        self.sources(range).label_names(matchers, range)
    }

    fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, ReadError> {
        self.sources(range).label_values(name, matchers, range)
    }

    fn may_have_label(&self, name: &str) -> bool {
        let mut blocks = self.layers.blocks.iter();
        self.head().may_have_label(name)
            || blocks.any(|block| BlockSource(block.clone()).may_have_label(name))
    }

    fn has_only_floats(&self) -> bool {
        let mut blocks = self.layers.blocks.iter();
        self.head().has_only_floats()
            && blocks.all(|block| BlockSource(block.clone()).has_only_floats())
    }
}

/// A block of which damage is noted and otherwise passed over.
struct Tolerant {
    block: BlockSource,
}

impl Tolerant {
    fn new(block: &Arc<Block>) -> Tolerant {
        Tolerant { block: BlockSource(block.clone()) }
    }

    /// The answer, or an empty one where the block is damaged.
    fn unless_damaged<T: Default>(answer: Result<T, ReadError>) -> Result<T, ReadError> {
        match answer {
            Err(ReadError::Corrupt(_) | ReadError::Io(_)) => Ok(T::default()),
            answer => answer,
        }
    }
}

impl Source for Tolerant {
    fn select(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Box<dyn SeriesSet>, ReadError> {
        let (set, noted) = match self.block.select(matchers, range) {
            Ok(set) => (Some(set), Vec::new()),
            Err(error @ (ReadError::Corrupt(_) | ReadError::Io(_))) => {
                (None, vec![missing(&error.to_string())])
            }
            Err(error) => return Err(error),
        };
        let (noted, has_labels) = (Mutex::new(noted), AtomicBool::new(true));
        Ok(Box::new(TolerantSet { set, noted, has_labels }))
    }

    fn estimate(&self, matchers: &[Matcher], range: TimeRange) -> Result<Estimate, ReadError> {
        Tolerant::unless_damaged(self.block.estimate(matchers, range))
    }

    fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, ReadError> {
        Tolerant::unless_damaged(self.block.label_names(matchers, range))
    }

    fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, ReadError> {
        Tolerant::unless_damaged(self.block.label_values(name, matchers, range))
    }
}

/// A selection from a block; none if its index is damaged.
struct TolerantSet {
    set: Option<Box<dyn SeriesSet>>,
    noted: Mutex<Vec<String>>,
    /// Not once its labels turned out to be damaged.
    has_labels: AtomicBool,
}

impl TolerantSet {
    /// What is read, or nothing where the block is damaged.
    fn unless_damaged<T>(&self, read: Result<T, ReadError>) -> Result<Option<T>, ReadError> {
        match read {
            Err(error @ (ReadError::Corrupt(_) | ReadError::Io(_))) => {
                let text = missing(&error.to_string());
                let mut noted = self.noted.lock();
                if !noted.contains(&text) {
                    noted.push(text);
                }
                Ok(None)
            }
            read => read.map(Some),
        }
    }

    /// As [`TolerantSet::unless_damaged`] of labels, without which there are no series.
    fn unless_labels_damaged<T>(&self, read: Result<T, ReadError>) -> Result<Option<T>, ReadError> {
        let labels = self.unless_damaged(read)?;
        if labels.is_none() {
            self.has_labels.store(false, Ordering::Relaxed);
        }
        Ok(labels)
    }
}

impl SeriesSet for TolerantSet {
    fn labels(&self) -> Result<&[Labels], ReadError> {
        let Some(set) = &self.set else { return Ok(&[]) };
        Ok(self.unless_labels_damaged(set.labels())?.unwrap_or_default())
    }

    fn take_any_order(&self) {
        self.set.iter().for_each(|set| set.take_any_order());
    }

    fn labels_within(&self, range: Range<usize>) -> Result<Vec<Labels>, ReadError> {
        let Some(set) = &self.set else { return Ok(Vec::new()) };
        Ok(self.unless_labels_damaged(set.labels_within(range))?.unwrap_or_default())
    }

    fn len(&self) -> usize {
        match &self.set {
            Some(set) if self.has_labels.load(Ordering::Relaxed) => set.len(),
            _ => 0,
        }
    }

    fn group(&self, names: &[&str]) -> Option<LabelGroups> {
        self.set.as_ref()?.group(names)
    }

    fn may_have_label(&self, name: &str) -> bool {
        self.set.as_ref().is_some_and(|set| set.may_have_label(name))
    }

    fn read(&self, index: usize, range: TimeRange, out: &mut Columns) -> Result<(), ReadError> {
        out.clear();
        let Some(set) = &self.set else { return Ok(()) };
        if self.unless_damaged(set.read(index, range, out))?.is_none() {
            out.clear();
        }
        Ok(())
    }

    fn read_newest(
        &self,
        index: usize,
        range: TimeRange,
        out: &mut Columns,
    ) -> Result<(), ReadError> {
        out.clear();
        let Some(set) = &self.set else { return Ok(()) };
        if self.unless_damaged(set.read_newest(index, range, out))?.is_none() {
            out.clear();
        }
        Ok(())
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = self.set.as_ref().map_or_else(Vec::new, |set| set.warnings());
        warnings.extend(self.noted.lock().iter().cloned());
        warnings
    }
}

fn missing(damage: &str) -> String {
    format!("samples are missing: {damage}")
}

//! The head as a query sees it: spills and generations, the open one among them. Labels come from the registry; a series counts
//! only through its samples, so one whose first request is not durable yet is not there.

use super::Head;
use super::chunk_list::{decode_within, sample_count};
use super::encoded::EncodedSeries;
use super::generation::Generation;
use super::older::Looked;
use super::selection::HeadSet;
use super::spill::Spill;
use super::work::Slot;
use crate::model::{Matcher, TimeRange, Timestamp};
use crate::read::{Columns, Estimate, ReadError, SeriesSet, Source};
use crate::sync::Arc;

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
    pub(super) head: Arc<Head>,
    pub(super) layers: Arc<HeadLayers>,
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
        Ok(Box::new(HeadSet::new(self.clone(), slots)))
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

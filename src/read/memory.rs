//! A source in plain memory: a map from labels to samples. What tests of the query engine and scripts read from,
//! and the model the real sources are compared with. Simple on purpose.

use std::collections::{BTreeMap, BTreeSet};

use super::{Columns, Estimate, HistogramSample, ReadError, SeriesSet, Source};
use crate::model::{Histogram, Labels, Matcher, TimeRange, Timestamp};
use crate::sync::Arc;

/// Series and their samples.
#[derive(Debug, Clone, Default)]
pub struct MemorySource {
    series: BTreeMap<Labels, Samples>,
    /// There is, or was to be, a sample that is not a float without a known start time.
    has_others: bool,
}

type Samples = BTreeMap<Timestamp, MemorySample>;

/// A value of either kind, and the time it counts from, 0 if that is not known.
#[derive(Debug, Clone)]
pub struct MemorySample {
    pub start: Timestamp,
    pub value: MemoryValue,
}

#[derive(Debug, Clone)]
pub enum MemoryValue {
    Float(f64),
    Histogram(Arc<Histogram>),
}

impl MemorySource {
    pub fn new() -> MemorySource {
        MemorySource::default()
    }

    /// Adds a float sample; the first value of a series at a time stays.
    pub fn add(&mut self, labels: &Labels, timestamp: Timestamp, value: f64) {
        self.add_sample(
            labels,
            timestamp,
            MemorySample { start: 0, value: MemoryValue::Float(value) },
        );
    }

    /// Adds a sample; the first one of a series at a time stays.
    pub fn add_sample(&mut self, labels: &Labels, timestamp: Timestamp, sample: MemorySample) {
        self.has_others |= sample.start != 0 || !matches!(sample.value, MemoryValue::Float(_));
        let samples = match self.series.get_mut(labels) {
            Some(samples) => samples,
            None => self.series.entry(labels.clone()).or_default(),
        };
        samples.entry(timestamp).or_insert(sample);
    }

    fn selected<'a>(
        &'a self,
        matchers: &'a [Matcher],
        range: TimeRange,
    ) -> impl Iterator<Item = (&'a Labels, &'a Samples)> {
        self.series.iter().filter(move |(labels, samples)| {
            matchers.iter().all(|m| m.matches(labels.value(&m.name)))
                && !range.is_empty()
                && samples.range(range.mint..=range.maxt).next().is_some()
        })
    }
}

impl Source for MemorySource {
    fn select(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Box<dyn SeriesSet>, ReadError> {
        let mut set = MemorySet { labels: Vec::new(), samples: Vec::new() };
        for (labels, samples) in self.selected(matchers, range) {
            set.labels.push(labels.clone());
            set.samples.push(samples.clone());
        }
        Ok(Box::new(set))
    }

    fn estimate(&self, matchers: &[Matcher], range: TimeRange) -> Result<Estimate, ReadError> {
        let mut estimate = Estimate::default();
        for (_, samples) in self.selected(matchers, range) {
            estimate.series += 1;
            estimate.samples += samples.range(range.mint..=range.maxt).count() as u64;
        }
        Ok(estimate)
    }

    fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, ReadError> {
        let selected = self.selected(matchers, range);
        let names: BTreeSet<&str> =
            selected.flat_map(|(labels, _)| labels.iter().map(|(name, _)| name)).collect();
        Ok(names.into_iter().map(str::to_string).collect())
    }

    fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, ReadError> {
        let selected = self.selected(matchers, range);
        let values: BTreeSet<&str> = selected.filter_map(|(labels, _)| labels.get(name)).collect();
        Ok(values.into_iter().map(str::to_string).collect())
    }

    fn may_have_label(&self, name: &str) -> bool {
        self.series.keys().any(|labels| labels.get(name).is_some())
    }

    fn has_only_floats(&self) -> bool {
        !self.has_others
    }
}

struct MemorySet {
    labels: Vec<Labels>,
    samples: Vec<Samples>,
}

impl SeriesSet for MemorySet {
    fn labels(&self) -> Result<&[Labels], ReadError> {
        Ok(&self.labels)
    }

    fn len(&self) -> usize {
        self.labels.len()
    }

    fn read(&self, index: usize, range: TimeRange, out: &mut Columns) -> Result<(), ReadError> {
        out.clear();
        if range.is_empty() {
            return Ok(());
        }
        for (timestamp, sample) in self.samples[index].range(range.mint..=range.maxt) {
            let (timestamp, start) = (*timestamp, sample.start);
            match &sample.value {
                MemoryValue::Float(value) => out.push_started(timestamp, start, *value),
                MemoryValue::Histogram(histogram) => {
                    let histogram = histogram.clone();
                    out.histograms.push(HistogramSample { timestamp, start, histogram });
                }
            }
        }
        Ok(())
    }
}

//! A source in plain memory: a map from labels to samples. What tests of the query engine and scripts read from,
//! and the model the real sources are compared with. Simple on purpose.

use std::collections::{BTreeMap, BTreeSet};

use super::{Columns, ReadError, SeriesSet, Source};
use crate::model::{Labels, Matcher, TimeRange, Timestamp};

/// Series and their samples.
#[derive(Debug, Clone, Default)]
pub struct MemorySource {
    series: BTreeMap<Labels, BTreeMap<Timestamp, f64>>,
}

impl MemorySource {
    pub fn new() -> MemorySource {
        MemorySource::default()
    }

    /// Adds a sample; the first value of a series at a time stays.
    pub fn add(&mut self, labels: &Labels, timestamp: Timestamp, value: f64) {
        let samples = match self.series.get_mut(labels) {
            Some(samples) => samples,
            None => self.series.entry(labels.clone()).or_default(),
        };
        samples.entry(timestamp).or_insert(value);
    }

    fn selected<'a>(
        &'a self,
        matchers: &'a [Matcher],
        range: TimeRange,
    ) -> impl Iterator<Item = (&'a Labels, &'a BTreeMap<Timestamp, f64>)> {
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
}

struct MemorySet {
    labels: Vec<Labels>,
    samples: Vec<BTreeMap<Timestamp, f64>>,
}

impl SeriesSet for MemorySet {
    fn labels(&self) -> &[Labels] {
        &self.labels
    }

    fn read(&self, index: usize, range: TimeRange, out: &mut Columns) -> Result<(), ReadError> {
        out.clear();
        if range.is_empty() {
            return Ok(());
        }
        for (timestamp, value) in self.samples[index].range(range.mint..=range.maxt) {
            out.push(*timestamp, *value);
        }
        Ok(())
    }
}

//! The head as a query sees it. Labels come from the registry, samples from the shards; a series counts only through its
//! samples, so one whose first request is not durable yet is not there.

use super::Head;
use crate::model::{Labels, Matcher, TimeRange};
use crate::read::{Columns, ReadError, SeriesSet, Source};
use crate::sync::Arc;

/// A head that queries may hold as long as they need it.
#[derive(Clone)]
pub struct HeadSource {
    head: Arc<Head>,
}

impl HeadSource {
    pub fn new(head: Arc<Head>) -> HeadSource {
        HeadSource { head }
    }

    /// Slots of the series that match and have samples between the ends of the range.
    fn slots(&self, matchers: &[Matcher], range: TimeRange) -> Vec<u32> {
        let mut slots = self.head.registry.select(matchers);
        let overlaps = |bounds: TimeRange| bounds.overlaps(range);
        slots.retain(|slot| self.head.appliers.bounds(*slot).is_some_and(overlaps));
        slots
    }
}

impl Source for HeadSource {
    fn select(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Box<dyn SeriesSet>, ReadError> {
        let slots = self.slots(matchers, range);
        let labels = self.head.registry.labels_of(&slots);
        let mut series: Vec<(Labels, u32)> = labels.into_iter().zip(slots).collect();
        series.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let (labels, slots) = series.into_iter().unzip();
        Ok(Box::new(HeadSet { head: self.head.clone(), labels, slots }))
    }

    fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, ReadError> {
        Ok(self.head.registry.label_names(Some(&self.slots(matchers, range))))
    }

    fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, ReadError> {
        Ok(self.head.registry.label_values(name, Some(&self.slots(matchers, range))))
    }
}

struct HeadSet {
    head: Arc<Head>,
    labels: Vec<Labels>,
    slots: Vec<u32>,
}

impl SeriesSet for HeadSet {
    fn labels(&self) -> &[Labels] {
        &self.labels
    }

    fn read(&self, index: usize, range: TimeRange, out: &mut Columns) -> Result<(), ReadError> {
        Ok(self.head.appliers.read(self.slots[index], range, out)?)
    }
}

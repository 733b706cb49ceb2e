//! Series whose groups can be told and whose labels cannot be read, as it turns out later: then they are not there.

use super::{lines, load, options};
use crate::model::groups::LabelGroups;
use crate::model::{Labels, Matcher, TimeRange};
use crate::promql::engine::{Engine, Limits};
use crate::promql::operator::is_metadata_label;
use crate::read::memory::MemorySource;
use crate::read::{Columns, Estimate, ReadError, SeriesSet, Source};
use crate::sync::{AtomicBool, Ordering};

/// Has damaged labels in selections of metrics with this name.
struct Damaged {
    source: MemorySource,
    name: &'static str,
}

struct DamagedSet {
    set: Box<dyn SeriesSet>,
    is_damaged: bool,
    is_known: AtomicBool,
}

#[test]
fn joins_go_on_without_series_whose_labels_turn_out_to_be_damaged() {
    let rows = [("a{i='1'}", "1 2 3"), ("a{i='2'}", "1 2 3"), ("b{i='1',v='x'}", "1 2 3")];
    let engine = Engine::new(options());
    for name in ["a", "b"] {
        let damaged = Damaged { source: load(10, &rows).source, name };
        for query in [
            "sum by (v) (a * on (i) group_left (v) b)",
            "sum without (v) (a * on (i) group_left (v) b)",
            "sum by (i) (a / on (i) b)",
            "sum without (i) (a / on (i) b)",
            "count(abs(a / on (i) b) + on (i) a)",
            "sum(a * on (i) group_left (v) b)",
        ] {
            let answer = engine.range(&damaged, query, 0, 20_000, 10_000, &Limits::default());
            let shown = lines(answer.unwrap_or_else(|error| panic!("{query}: {error}")).value);
            assert!(shown.len() <= 1, "{query}, {name} damaged: {shown:?}");
        }
    }
}

impl Source for Damaged {
    fn select(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Box<dyn SeriesSet>, ReadError> {
        let set = self.source.select(matchers, range)?;
        let is_damaged = matchers.iter().any(|matcher| matcher.value == self.name);
        Ok(Box::new(DamagedSet { set, is_damaged, is_known: AtomicBool::new(false) }))
    }

    fn estimate(&self, matchers: &[Matcher], range: TimeRange) -> Result<Estimate, ReadError> {
        self.source.estimate(matchers, range)
    }

    fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, ReadError> {
        self.source.label_names(matchers, range)
    }

    fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, ReadError> {
        self.source.label_values(name, matchers, range)
    }
}

impl SeriesSet for DamagedSet {
    fn labels(&self) -> Result<&[Labels], ReadError> {
        self.is_known.store(self.is_damaged, Ordering::Relaxed);
        if self.is_damaged { Ok(&[]) } else { self.set.labels() }
    }

    fn len(&self) -> usize {
        if self.is_known.load(Ordering::Relaxed) { 0 } else { self.set.len() }
    }

    fn group(&self, names: &[&str]) -> Option<LabelGroups> {
        let sets = self.set.labels().ok()?;
        let labels = sets.iter().map(|labels| labels.filtered(|name| names.contains(&name)));
        Some(LabelGroups { of: (0..sets.len() as u32).collect(), labels: labels.collect() })
    }

    fn may_have_label(&self, name: &str) -> bool {
        !is_metadata_label(name)
    }

    fn read(&self, index: usize, range: TimeRange, out: &mut Columns) -> Result<(), ReadError> {
        self.set.read(index, range, out)
    }
}

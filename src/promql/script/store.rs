//! What a script has loaded, as the storage under Prometheus' test engine would give it back: samples of a series come in
//! order, and whether a histogram follows the one before it without a reset is known from storing them.

use std::collections::BTreeMap;

use super::custom_buckets::custom_bucket_histograms;
use super::syntax::{Load, Point, Series};
use crate::model::histogram::ResetHint;
use crate::model::{Histogram, Labels, Timestamp, is_stale};
use crate::read::memory::{MemorySample, MemorySource, MemoryValue};
use crate::sync::Arc;

#[derive(Default)]
pub struct Store {
    pub source: MemorySource,
    /// The newest sample of each series.
    newest: BTreeMap<Labels, (Timestamp, MemoryValue)>,
}

impl Store {
    /// Stores all samples of a load.
    ///
    /// # Errors
    /// A sample is older than the newest one of its series, or contradicts it.
    pub fn load(&mut self, load: &Load) -> Result<(), String> {
        for series in &load.series {
            self.load_series(series, load.step_ms)?;
        }
        if load.custom_buckets {
            for (labels, samples) in custom_bucket_histograms(load)? {
                for (timestamp, histogram) in samples {
                    self.append(
                        &labels,
                        timestamp,
                        0,
                        MemoryValue::Histogram(Arc::new(histogram)),
                    )?;
                }
            }
        }
        Ok(())
    }

    fn load_series(&mut self, series: &Series, step_ms: i64) -> Result<(), String> {
        for (index, point) in series.points.iter().enumerate() {
            let timestamp = index as i64 * step_ms;
            let offset_ms = series.start_offsets_ms.get(index).copied().flatten();
            let start = offset_ms.map_or(0, |offset_ms| timestamp + offset_ms);
            let value = match point {
                Point::Gap => continue,
                Point::Float(value) => MemoryValue::Float(*value),
                Point::Histogram(written) => MemoryValue::Histogram(written.histogram.clone()),
            };
            self.append(&series.labels, timestamp, start, value)?;
        }
        Ok(())
    }

    fn append(
        &mut self,
        labels: &Labels,
        timestamp: Timestamp,
        start: Timestamp,
        value: MemoryValue,
    ) -> Result<(), String> {
        let newest = self.newest.get(labels);
        match newest {
            Some((before, same)) if *before == timestamp && is_same(same, &value) => return Ok(()),
            Some((before, _)) if *before >= timestamp => {
                return Err(format!(
                    "{labels} has a sample at {before} ms already, and {timestamp} ms is not after that"
                ));
            }
            _ => {}
        }
        let value = match value {
            MemoryValue::Histogram(histogram) => {
                MemoryValue::Histogram(hinted(histogram, newest.map(|(_, value)| value)))
            }
            float => float,
        };
        self.newest.insert(labels.clone(), (timestamp, value.clone()));
        self.source.add_sample(labels, timestamp, MemorySample { start, value });
        Ok(())
    }
}

/// The same sample once more.
fn is_same(a: &MemoryValue, b: &MemoryValue) -> bool {
    match (a, b) {
        (MemoryValue::Float(a), MemoryValue::Float(b)) => a.to_bits() == b.to_bits(),
        (MemoryValue::Histogram(a), MemoryValue::Histogram(b)) => a.equals(b),
        _ => false,
    }
}

/// The histogram with the hint that it has when it is read: gauges stay what they are, of counters it is known only that they
/// go on from the histogram before.
fn hinted(histogram: Arc<Histogram>, before: Option<&MemoryValue>) -> Arc<Histogram> {
    let hint = match before {
        _ if histogram.hint == ResetHint::Gauge => ResetHint::Gauge,
        Some(MemoryValue::Histogram(before)) if goes_on(&histogram, before) => ResetHint::NotReset,
        _ => ResetHint::Unknown,
    };
    match hint == histogram.hint {
        true => histogram,
        false => Arc::new(Histogram { hint, ..Histogram::clone(&histogram) }),
    }
}

/// Would both be in one chunk of counters?
fn goes_on(histogram: &Histogram, before: &Histogram) -> bool {
    let same_layout = histogram.schema == before.schema
        && histogram.zero_threshold == before.zero_threshold
        && histogram.custom_bounds == before.custom_bounds;
    let known_reset = histogram.hint == ResetHint::Reset || before.hint == ResetHint::Gauge;
    let unhinted = Histogram { hint: ResetHint::Unknown, ..histogram.clone() };
    same_layout && !known_reset && !is_stale(before.sum) && !unhinted.is_reset_after(before)
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse_script;
    use super::super::syntax::CommandKind;
    use super::*;
    use crate::model::TimeRange;
    use crate::read::{Columns, Source};

    fn store(text: &str) -> Result<Store, String> {
        let mut store = Store::default();
        for command in parse_script(text).unwrap() {
            let CommandKind::Load(load) = command.kind else { panic!("a load") };
            store.load(&load)?;
        }
        Ok(store)
    }

    /// The samples of the only series.
    fn samples(text: &str) -> Columns {
        let store = store(text).unwrap();
        let range = TimeRange { mint: i64::MIN, maxt: i64::MAX };
        let set = store.source.select(&[], range).unwrap();
        assert_eq!(set.len(), 1);
        let mut columns = Columns::default();
        set.read(0, range, &mut columns).unwrap();
        columns
    }

    fn hints(text: &str) -> Vec<ResetHint> {
        samples(text).histograms.iter().map(|sample| sample.histogram.hint).collect()
    }

    #[test]
    fn start_times_are_relative_to_the_points() {
        let columns = samples("load 1m\n a@st _ -30s _ -1m\n a 1 2 _ {{}}\n");
        assert_eq!((columns.timestamps, columns.starts), (vec![0, 60_000], vec![0, 30_000]));
        let histogram = &columns.histograms[0];
        assert_eq!((histogram.timestamp, histogram.start), (180_000, 120_000));
    }

    #[test]
    fn hints_say_what_is_known_from_storing() {
        use ResetHint::{Gauge, NotReset, Unknown};
        let load = |points: &str| hints(&format!("load 1m\n a {points}\n"));
        assert_eq!(load("{{count:1}}+{{count:1}}x2 {{}}"), [Unknown, NotReset, NotReset, Unknown]);
        assert_eq!(load("{{}} 1 {{}} _ {{}} stale {{}}"), [Unknown, Unknown, NotReset, Unknown]);
        let gauge = "{{count:3 counter_reset_hint:gauge}}";
        assert_eq!(
            load(&format!("{{{{}}}} {gauge}x1 {{{{count:4}}}}")),
            [Unknown, Gauge, Gauge, Unknown]
        );
        assert_eq!(load("{{}} {{schema:1}} {{schema:1 z_bucket_w:1}}"), [Unknown; 3]);
        let written = "{{counter_reset_hint:not_reset}} {{counter_reset_hint:reset}}";
        assert_eq!(load(written), [Unknown; 2]);
        assert_eq!(hints("load 1m\n a {{}}\n\nload 1m\n a _ {{}}\n"), [Unknown, NotReset]);
    }

    #[test]
    fn a_sample_must_be_newer_than_those_before() {
        assert!(store("load 1m\n a 1 2\n\nload 1m\n a _ 2 3\n").is_ok());
        for later in ["1", "_ 3", "_ {{}}"] {
            let error = store(&format!("load 1m\n a 1 2\n\nload 1m\n a {later}\n")).err();
            assert!(error.is_some_and(|error| error.contains("60000 ms already")), "{later}");
        }
    }
}

//! Random series: gauges, counters, histograms of either kind, series that change from one to another, classic buckets and
//! info metrics. Few bytes decide about each; the samples follow from a seed, in [`super::samples`].

use silverback::model::Labels;
use silverback::read::memory::{MemorySample, MemorySource, MemoryValue};
use silverback::sync::Arc;

use super::samples::{Kind, Shape, points};
use super::value::{Data, LabelMap, NAME, Value, metric};
use crate::choices::Choices;

/// Upper bounds as labels; the last is none.
const BOUNDS: &[&str] = &["0.5", "2.5", "+Inf", "+Inf", "1e1", "Inf", "many"];

struct Builder<'c, 'b> {
    choices: &'c mut Choices<'b>,
    data: Data,
}

/// Series with the labels `instance` and `job`, and some more.
pub fn data(choices: &mut Choices<'_>) -> Data {
    let mut builder = Builder { choices: &mut *choices, data: Data::new() };
    for (name, kind) in [
        ("a", Kind::Gauge),
        ("c", Kind::Counter),
        ("c_total", Kind::Counter),
        ("h", Kind::Histogram),
        ("x", Kind::Mixed),
    ] {
        for (instance, job) in [("1", "1"), ("2", "1"), ("1", "2"), ("2", "2")] {
            builder.add(kind, &[(NAME, name), ("instance", instance), ("job", job)]);
        }
    }
    for instance in ["1", "2"] {
        builder.add_buckets(instance);
    }
    for (name, version) in [("target_info", "1"), ("target_info", "2"), ("build_info", "2")] {
        for instance in ["1", "2"] {
            let labels = [(NAME, name), ("instance", instance), ("job", "1"), ("version", version)];
            builder.add(Kind::Info, &labels);
        }
    }
    // A number after the others, a text between them.
    for name in ["a", "c_total"] {
        builder.add(Kind::Gauge, &[(NAME, name), ("instance", "10"), ("job", "1")]);
    }
    let data = builder.data;
    described(data, choices)
}

/// The same series, of which some say what they are.
fn described(data: Data, choices: &mut Choices<'_>) -> Data {
    let described = choices.weighted(&[5, 1, 1, 1]);
    let choices = &mut Choices::seeded(choices.below(1 << 16) as u64);
    let mut all = Data::new();
    for (mut labels, points) in data {
        let kind = if metric(&labels).starts_with('c') { "counter" } else { "gauge" };
        let (kind, unit) = match described {
            0 => ("", ""),
            1 => (kind, "s"),
            // Also several of one metric.
            2 => (choices.pick(&["", kind]), choices.pick(&["", "", "s"])),
            _ => (kind, ""),
        };
        if described == 3 && choices.one_in(4) {
            // The series of before, beside the one that says so.
            all.insert(labels.clone(), points.clone());
        }
        for (name, value) in [("__type__", kind), ("__unit__", unit)] {
            if !value.is_empty() {
                labels.insert(name.to_string(), value.to_string());
            }
        }
        all.insert(labels, points);
    }
    all
}

impl Builder<'_, '_> {
    /// The series, or none.
    fn add(&mut self, kind: Kind, labels: &[(&str, &str)]) {
        let shape = match self.choices.weighted(&[3, 3, 2]) {
            0 => Shape::Plain,
            1 => Shape::Odd,
            _ => return,
        };
        let seed = self.choices.below(1 << 16);
        let labels = labels.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        self.data.insert(labels.collect(), points(kind, shape, seed as u64));
    }

    /// The buckets of a classic histogram, and sometimes a series without a bound beside them.
    fn add_buckets(&mut self, instance: &str) {
        let labels = [(NAME, "b_bucket"), ("instance", instance)];
        for (index, _) in [(); 4].iter().enumerate() {
            let bound = BOUNDS[(index + self.choices.below(3)).min(BOUNDS.len() - 1)];
            self.add(Kind::Bucket(index), &[labels[0], labels[1], ("le", bound)]);
        }
        match self.choices.weighted(&[4, 1, 1]) {
            0 => {}
            1 => self.add(Kind::Histogram, &labels),
            _ => self.add(Kind::Gauge, &[labels[0], labels[1], ("le", "many")]),
        }
    }
}

/// The same data for the engine.
pub fn source(data: &Data) -> MemorySource {
    let mut source = MemorySource::new();
    for (labels, points) in data {
        let labels = engine_labels(labels);
        for point in points {
            let value = match &point.value {
                Value::Float(value) => MemoryValue::Float(*value),
                Value::Histogram(one) => MemoryValue::Histogram(Arc::new(one.clone())),
            };
            source.add_sample(&labels, point.time, MemorySample { start: point.start, value });
        }
    }
    source
}

fn engine_labels(labels: &LabelMap) -> Labels {
    Labels::from_pairs(labels.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

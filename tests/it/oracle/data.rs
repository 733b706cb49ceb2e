//! Random series: floats that go up and down, counters with resets, histograms of either kind, series that change from floats
//! to histograms; with gaps, staleness markers, NaN and infinities, at times that are a little off.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use silverback::model::histogram::{Buckets, CUSTOM_BUCKETS_SCHEMA, ResetHint};
use silverback::model::{Histogram, Labels, STALE_NAN_BITS};
use silverback::read::memory::{MemorySample, MemorySource, MemoryValue};
use silverback::sync::Arc;

use super::eval::Data;
use super::value::{LabelMap, NAME, Value};

/// Samples of a series, gaps included.
pub const SAMPLES: usize = 24;
pub const INTERVAL_MS: i64 = 10_000;

/// What a sample may be besides a number.
#[derive(Debug, Clone, Copy)]
enum Odd {
    No,
    Gap,
    Stale,
    Nan,
    Infinite,
    Reset,
}

fn oddities() -> impl Strategy<Value = Vec<Odd>> {
    let odd = prop_oneof![
        30 => Just(Odd::No), 4 => Just(Odd::Gap), 1 => Just(Odd::Stale), 1 => Just(Odd::Nan),
        1 => Just(Odd::Infinite), 2 => Just(Odd::Reset),
    ];
    vec(odd, SAMPLES)
}

/// One value per sample; `None` is a gap.
type Values = BoxedStrategy<Vec<Option<Value>>>;

fn gauge() -> Values {
    (oddities(), vec(-12i32..13, SAMPLES))
        .prop_map(|(odd, halves)| {
            let value = |(odd, half)| float(odd, f64::from(half) / 2.0);
            odd.into_iter().zip(halves).map(value).collect()
        })
        .boxed()
}

fn counter() -> Values {
    (oddities(), vec(0u32..9, SAMPLES), 0u32..100)
        .prop_map(|(odd, steps, first)| {
            let mut total = f64::from(first);
            let value = |(odd, step)| {
                total = if matches!(odd, Odd::Reset) {
                    f64::from(step)
                } else {
                    total + f64::from(step)
                };
                float(odd, total)
            };
            odd.into_iter().zip(steps).map(value).collect()
        })
        .boxed()
}

fn float(odd: Odd, value: f64) -> Option<Value> {
    Some(Value::Float(match odd {
        Odd::No | Odd::Reset => value,
        Odd::Gap => return None,
        Odd::Stale => f64::from_bits(STALE_NAN_BITS),
        Odd::Nan => f64::NAN,
        Odd::Infinite => f64::INFINITY.copysign(value),
    }))
}

/// What one observation period adds to a histogram.
type Step = (Vec<u32>, Vec<u32>, u32, i32);

/// Custom bounds that have something in common, and some that have not.
const BOUNDS: &[&[f64]] = &[&[1.0, 2.0, 5.0], &[0.5, 2.0, 5.0], &[2.0, 7.5]];

fn histograms() -> Values {
    let step = (vec(0u32..4, 4), vec(0u32..3, 2), 0u32..2, -20i32..40);
    let schema = select(&[0, 1, 3, -1, CUSTOM_BUCKETS_SCHEMA, CUSTOM_BUCKETS_SCHEMA][..]);
    let bounds = select(BOUNDS);
    (oddities(), vec(step, SAMPLES), schema, bounds, -2i32..3, select(&[true, false, false][..]))
        .prop_map(|(odd, steps, schema, bounds, offset, is_gauge)| {
            let mut total = Histogram::default();
            let value = |(odd, step): (Odd, Step)| {
                let counted = observed(&step, schema, bounds, offset);
                if is_gauge || matches!(odd, Odd::Reset) || total.count == 0.0 {
                    total = counted;
                } else {
                    // Both have the same layout.
                    let _ = total.add(&counted);
                }
                total.hint = if is_gauge { ResetHint::Gauge } else { ResetHint::Unknown };
                match odd {
                    Odd::Gap => None,
                    Odd::Stale => float(odd, 0.0),
                    Odd::Nan => {
                        Some(Value::Histogram(Histogram { sum: f64::NAN, ..total.clone() }))
                    }
                    _ => Some(Value::Histogram(total.clone())),
                }
            };
            odd.into_iter().zip(steps).map(value).collect()
        })
        .boxed()
}

fn observed(step: &Step, schema: i32, bounds: &[f64], offset: i32) -> Histogram {
    let (positive, negative, zero, sum) = step;
    let counts =
        |counts: &[u32]| counts.iter().map(|count| f64::from(*count)).collect::<Vec<f64>>();
    let is_custom = schema == CUSTOM_BUCKETS_SCHEMA;
    let mut histogram = Histogram { schema, sum: f64::from(*sum) / 2.0, ..Histogram::default() };
    if is_custom {
        let buckets = bounds.len() + 1;
        histogram.positive = Buckets::contiguous(0, counts(&positive[..buckets.min(4)]));
        histogram.custom_bounds = bounds.iter().copied().collect();
    } else {
        histogram.positive = Buckets::contiguous(offset, counts(positive));
        histogram.negative = Buckets::contiguous(-offset, counts(negative));
        histogram.zero_threshold = 0.001;
        histogram.zero_count = f64::from(*zero);
    }
    histogram.count =
        histogram.positive.total() + histogram.negative.total() + histogram.zero_count;
    histogram
}

/// Floats here and there among histograms.
fn mixed() -> Values {
    (histograms(), gauge(), vec(any::<bool>(), 3))
        .prop_map(|(histograms, floats, kinds)| {
            let pairs = histograms.into_iter().zip(floats).enumerate();
            let third = SAMPLES / 3;
            pairs.map(|(at, (h, f))| if kinds[(at / third).min(2)] { h } else { f }).collect()
        })
        .boxed()
}

/// A few series of `a` (gauges), `c` (counters), `h` (histograms) and `x` (anything), with the labels `i` and `j`.
pub fn data() -> impl Strategy<Value = Data> {
    let series = |name: &'static str, values: fn() -> Values| {
        (vec((values(), proptest::option::of(jitters())), 4), vec(any::<bool>(), 4)).prop_map(
            move |(all, present)| {
                let indexed = all.into_iter().zip(present).enumerate();
                let there = indexed.filter(|(index, (_, present))| *present || *index == 0);
                let series = there.map(|(index, ((values, jitter), _))| {
                    (labels(name, index), samples(values, jitter.unwrap_or_default()))
                });
                series.collect::<BTreeMap<_, _>>()
            },
        )
    };
    let parts =
        (series("a", gauge), series("c", counter), series("h", histograms), series("x", mixed));
    parts.prop_map(|(a, c, h, x)| [a, c, h, x].into_iter().flatten().collect())
}

fn labels(name: &str, index: usize) -> LabelMap {
    let (i, j) = (["1", "2"][index / 2], ["1", "2"][index % 2]);
    let pairs = [(NAME, name), ("i", i), ("j", j)];
    pairs.map(|(label, value)| (label.to_string(), value.to_string())).into()
}

/// By how much each sample is off its time.
fn jitters() -> impl Strategy<Value = Vec<i64>> {
    vec(select(&[0, 0, 1, -1, 2_500, -1_300][..]), SAMPLES)
}

fn samples(values: Vec<Option<Value>>, jitters: Vec<i64>) -> BTreeMap<i64, Value> {
    let times = (0..).map(|index: i64| {
        let jitter = usize::try_from(index).ok().and_then(|index| jitters.get(index));
        index * INTERVAL_MS + jitter.copied().unwrap_or(0)
    });
    times.zip(values).filter_map(|(time, value)| Some((time, value?))).collect()
}

/// The same data for the engine.
pub fn source(data: &Data) -> MemorySource {
    let mut source = MemorySource::new();
    for (labels, samples) in data {
        let labels = Labels::from_pairs(labels.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        for (time, value) in samples {
            let value = match value {
                Value::Float(value) => MemoryValue::Float(*value),
                Value::Histogram(one) => MemoryValue::Histogram(Arc::new(one.clone())),
            };
            source.add_sample(&labels, *time, MemorySample { start: 0, value });
        }
    }
    source
}

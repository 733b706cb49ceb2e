//! Native histograms and start times in ranges, where scripts do not reach: budgets, slices, and agreement with the
//! counters of which a histogram is made.

use proptest::prelude::*;

use super::{Fixture, labels_of, load};
use crate::model::histogram::Buckets;
use crate::model::{Histogram, Timestamp};
use crate::promql::value::{Element, QueryError, Value};
use crate::read::memory::{MemorySample, MemoryValue};
use crate::sync::Arc;

/// All observations in one bucket.
fn histogram(count: f64) -> MemoryValue {
    let positive = Buckets::contiguous(0, vec![count]);
    MemoryValue::Histogram(Arc::new(Histogram {
        count,
        sum: count,
        positive,
        ..Histogram::default()
    }))
}

fn add(f: &mut Fixture, name: &str, timestamp: Timestamp, start: Timestamp, value: MemoryValue) {
    f.source.add_sample(&labels_of(name), timestamp, MemorySample { start, value });
}

/// The values of the only series, histograms by their count.
fn counts(f: &Fixture, steps_s: [i64; 3], query: &str) -> Vec<(Timestamp, f64)> {
    let answer = f.answer_over(steps_s, query).unwrap_or_else(|error| panic!("{query}: {error}"));
    let Value::Matrix(matrix) = answer.value else { panic!("{query}: no matrix") };
    assert!(matrix.len() <= 1, "{query}: {matrix:?}");
    let points = matrix.into_iter().flat_map(|series| {
        let floats = series.points.timestamps.into_iter().zip(series.points.floats);
        let histograms = series.points.histograms.into_iter();
        floats.chain(histograms.map(|sample| (sample.timestamp, sample.histogram.count)))
    });
    let mut points: Vec<_> = points.collect();
    points.sort_by_key(|point| point.0);
    points
}

#[test]
fn histograms_count_by_their_size() {
    let mut f = load(10, &[]);
    (0..100).for_each(|index| add(&mut f, "h", index * 1_000, 0, histogram(index as f64)));
    let cost = match histogram(1.0) {
        MemoryValue::Histogram(histogram) => histogram.sample_cost() as u64,
        MemoryValue::Float(_) => 1,
    };
    let answer = f.answer_at(99, "sum_over_time(h[200s])").unwrap();
    assert_eq!(answer.stats.samples_read, 100 * cost);
    assert_eq!(answer.stats.samples_queryable, 100 * cost);
    f.options.samples_max = 50 * cost;
    for query in ["sum_over_time(h[200s])", "h[200s]", "last_over_time(h[200s])"] {
        let answer = f.answer_at(99, query);
        assert!(matches!(answer, Err(QueryError::TooManySamples)), "{query}");
    }
    let answer = f.answer_at(99, "last_over_time(h[40s])").unwrap();
    let Value::Vector(vector) = answer.value else { panic!("no vector") };
    assert!(matches!(vector[0].value, Element::Histogram(_)));
}

/// A sum has a warning if one of its histograms follows a reset and another does not. Samples are so far apart that the one
/// before is of no use to the step.
#[test]
fn resets_do_not_depend_on_the_slices_read() {
    const HOUR_MS: i64 = 3_600_000;
    for reset_hour in 5..40 {
        let mut f = load(10, &[]);
        for index in 0..240 {
            let (timestamp, count) = (index * HOUR_MS / 6, index as f64);
            let is_before_reset = timestamp == reset_hour * HOUR_MS - HOUR_MS / 6;
            let high = if is_before_reset { 10.0 } else { 0.0 };
            add(&mut f, "h{i='a'}", timestamp, 0, histogram(count + high));
            add(&mut f, "h{i='b'}", timestamp, 0, histogram(count));
        }
        for samples_max in [50_000_000, 20_000, 2_000] {
            f.options.samples_max = samples_max;
            let steps = [0, 39 * 3_600, 3_600];
            let answer = f.answer_over(steps, "histogram_count(sum(h))").unwrap();
            let resets = answer.warnings.iter().filter(|text| text.contains("counter resets"));
            assert_eq!(resets.count(), 1, "at {reset_hour} h within {samples_max} samples");
        }
    }
}

const DAY_S: i64 = 86_400;

/// Every minute over three days: a histogram that restarts now and then, of which only some of the restarts show.
fn long_series() -> Fixture {
    let mut f = load(10, &[]);
    let mut start = 0;
    for minute in 1..3 * 1_440 {
        let time = minute * 60_000;
        if minute % 500 == 250 {
            start = time - 20_000;
        }
        let count = ((time - start) / 1_000 + (minute % 7)) as f64;
        add(&mut f, "h", time, start, histogram(count));
        let value = if minute % 400 < 3 { histogram(count) } else { MemoryValue::Float(count) };
        add(&mut f, "mixed", time, start, value);
    }
    f
}

#[test]
fn a_long_series_of_histograms_is_read_in_slices() {
    let mut f = long_series();
    for query in [
        "h",
        "mixed",
        "increase(h[7m])",
        "resets(h[3h])",
        "resets(mixed[3h])",
        "changes(mixed[1h])",
        "start_timestamp(h)",
        "histogram_count(sum_over_time(h[30m]))",
        "increase(h[10m] anchored)",
        "rate(h[90s] smoothed)",
        "last_over_time(mixed[10m])",
    ] {
        let steps = [0, 3 * DAY_S, 7 * 60];
        f.options.samples_max = 50_000_000;
        let whole = counts(&f, steps, query);
        f.options.samples_max = 24_000;
        assert!(!whole.is_empty(), "{query}");
        assert_eq!(counts(&f, steps, query), whole, "{query}");
    }
}

#[test]
fn without_the_feature_start_times_mean_nothing() {
    let mut f = load(10, &[]);
    for (name, of) in [("c_total", MemoryValue::Float as fn(f64) -> _), ("h", histogram)] {
        add(&mut f, name, 10_000, 5_000, of(10.0));
        add(&mut f, name, 20_000, 15_000, of(20.0));
    }
    assert_eq!(counts(&f, [20, 20, 1], "increase(c_total[20s])"), [(20_000, 30.0)]);
    assert_eq!(counts(&f, [20, 20, 1], "increase(h[20s])"), [(20_000, 30.0)]);
    f.options.use_start_timestamps = false;
    assert_eq!(counts(&f, [20, 20, 1], "increase(c_total[20s])"), [(20_000, 20.0)]);
    assert_eq!(counts(&f, [20, 20, 1], "increase(h[20s])"), [(20_000, 20.0)]);
    assert!(f.error_at(20, "start_timestamp(h)").contains("use-start-timestamps"));
}

/// A point of a counter: how far it is behind the one before it, how much it grew, and how long ago it started.
type Growth = (i64, u32, Option<i64>);

fn growths() -> impl Strategy<Value = Vec<Growth>> {
    let start = prop_oneof![2 => Just(None), 1 => (0i64..40).prop_map(Some)];
    proptest::collection::vec((1i64..30, 0u32..20, start), 1..30)
}

proptest! {
    #[test]
    fn the_count_of_a_histogram_behaves_as_a_counter(
        growths in growths(),
        resets in proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let mut f = load(10, &[]);
        let (mut time, mut value) = (0, 0);
        for (index, (gap, growth, start)) in growths.iter().enumerate() {
            time += gap * 1_000;
            let is_reset = resets.iter().any(|reset| reset.index(growths.len()) == index);
            value = if is_reset { *growth } else { value + growth };
            let start = start.map_or(0, |ago| (time - ago * 1_000).max(1));
            add(&mut f, "c_total", time, start, MemoryValue::Float(f64::from(value)));
            add(&mut f, "h", time, start, histogram(f64::from(value)));
        }
        let steps = [0, time / 1_000 + 60, 7];
        for call in [
            "rate(NAME[1m])", "increase(NAME[45s])", "irate(NAME[1m])", "delta(NAME[50s])", "idelta(NAME[1m])",
            "resets(NAME[100s])", "changes(NAME[100s])", "increase(NAME[1m] anchored)", "delta(NAME[1m] anchored)",
            "resets(NAME[1m] anchored)", "changes(NAME[1m] anchored)", "rate(NAME[50s] smoothed)",
            "increase(NAME[13s] smoothed)", "sum_over_time(NAME[1m])", "avg_over_time(NAME[1m])",
            "count_over_time(NAME[1m])", "last_over_time(NAME[1m])", "first_over_time(NAME[1m])",
            "ts_of_first_over_time(NAME[1m])", "ts_of_last_over_time(NAME[1m])", "start_timestamp(NAME)",
            "increase(NAME[2m:11s])", "resets(NAME[2m:11s])",
        ] {
            let floats = counts(&f, steps, &call.replace("NAME", "c_total"));
            let histograms = counts(&f, steps, &call.replace("NAME", "h"));
            prop_assert_eq!(floats.len(), histograms.len(), "{}", call);
            for (float, histogram) in floats.iter().zip(&histograms) {
                prop_assert_eq!(float.0, histogram.0, "{}", call);
                let near = (float.1 - histogram.1).abs() <= 1e-9 * (1.0 + float.1.abs());
                prop_assert!(near, "{}: {:?}, {:?}", call, float, histogram);
            }
        }
    }
}

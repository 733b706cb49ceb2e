//! Native histograms in many series: threads, budgets, and chunks that are merged.

use super::options;
use crate::model::histogram::{Buckets, CUSTOM_BUCKETS_SCHEMA};
use crate::model::{Histogram, Labels};
use crate::promql::engine::{Engine, EngineOptions, Limits};
use crate::promql::value::{Answer, QueryError, Value};
use crate::read::memory::{MemorySample, MemorySource, MemoryValue};
use crate::sync::Arc;

/// More than one chunk of work.
const SERIES: u32 = 700;
const STEPS: i64 = 8;

/// A job of histograms with exponential buckets, one with custom ones, one of floats, and one of everything.
fn many_series() -> MemorySource {
    let mut source = MemorySource::new();
    for index in 0..SERIES {
        let (instance, job) =
            (index.to_string(), ["exp", "custom", "float", "all"][index as usize % 4]);
        let labels =
            Labels::from_pairs([("__name__", "h"), ("instance", instance.as_str()), ("job", job)]);
        for step in 0..STEPS {
            let kind = if job == "all" { index / 4 % 3 } else { index % 4 };
            let value = match kind {
                0 => MemoryValue::Histogram(Arc::new(exponential(index, step))),
                1 => MemoryValue::Histogram(Arc::new(custom(index, step))),
                _ => MemoryValue::Float(f64::from(index % 5) + step as f64),
            };
            source.add_sample(&labels, step * 15_000, MemorySample { start: 0, value });
        }
    }
    source
}

fn exponential(index: u32, step: i64) -> Histogram {
    let counts: Vec<f64> = (0..4).map(|i| f64::from(index % (i + 2)) / 3.0 + step as f64).collect();
    Histogram {
        schema: (index % 3) as i32,
        count: counts.iter().sum(),
        sum: f64::from(index) * 1e-3 + step as f64 * 1e9,
        positive: Buckets::contiguous((index % 2) as i32, counts),
        ..Histogram::default()
    }
}

fn custom(index: u32, step: i64) -> Histogram {
    let bounds: &[f64] = if index.is_multiple_of(3) { &[1.0, 2.0, 4.0] } else { &[1.0, 4.0] };
    Histogram {
        schema: CUSTOM_BUCKETS_SCHEMA,
        count: f64::from(index) + step as f64,
        sum: f64::from(index),
        positive: Buckets::contiguous(0, vec![f64::from(index), step as f64]),
        custom_bounds: bounds.into(),
        ..Histogram::default()
    }
}

fn answer(
    source: &MemorySource,
    options: EngineOptions,
    query: &str,
) -> Result<Answer, QueryError> {
    let end = (STEPS - 1) * 15_000;
    Engine::new(options).range(source, query, 0, end, 15_000, &Limits::default())
}

const QUERIES: [&str; 12] = [
    "sum by (job) (h)",
    "avg by (job) (h)",
    "count by (job) (h)",
    "max by (job) (h)",
    "topk by (job) (2, h)",
    "limitk by (job) (2, h)",
    "count_values by (job) ('v', h{job='custom'})",
    "h * 2",
    "h{job='exp'} + on (instance) h",
    "h / on (job) group_left count by (job) (h)",
    "histogram_quantile(0.9, h)",
    "histogram_count(h) or h",
];

#[test]
fn answers_do_not_depend_on_the_number_of_threads() {
    let source = many_series();
    for query in QUERIES {
        let shown = [1, 2, 4].map(|threads| {
            let answer = answer(&source, EngineOptions { threads, ..options() }, query);
            let answer = answer.unwrap_or_else(|error| panic!("{query}: {error}"));
            let Value::Matrix(matrix) = &answer.value else { panic!("not a matrix") };
            assert!(!matrix.is_empty(), "{query}");
            format!("{matrix:?} {:?} {:?}", answer.warnings, answer.infos)
        });
        assert_eq!(shown[0], shown[1], "{query}");
        assert_eq!(shown[0], shown[2], "{query}");
    }
}

#[test]
fn what_one_thread_can_answer_many_can() {
    let source = many_series();
    for query in QUERIES {
        let peak = |threads, samples_max| {
            let options = EngineOptions { threads, samples_max, ..options() };
            let answer = answer(&source, options, query);
            let answer = answer.unwrap_or_else(|error| panic!("{query}, {threads}: {error}"));
            answer.stats.samples_peak
        };
        let unlimited = peak(1, 50_000_000);
        let alone = peak(1, unlimited);
        peak(8, alone.max(unlimited));
    }
}

#[test]
fn groups_cost_what_they_hold_not_what_went_by() {
    let source = many_series();
    // One series of eight histograms of about 17 samples each, read and then held twice over with what rounding took.
    let options = EngineOptions { samples_max: 1_500, ..options() };
    let answer = answer(&source, options, "histogram_count(sum(h{job='exp'}))").unwrap();
    assert!(answer.stats.samples_peak > 300, "{}", answer.stats.samples_peak);
    let Value::Matrix(matrix) = answer.value else { panic!("not a matrix") };
    assert_eq!(matrix.len(), 1);
    let expected = |step: i64| -> f64 {
        (0..SERIES).step_by(4).map(|index| exponential(index, step).count).sum()
    };
    for (step, count) in matrix[0].points.floats.iter().enumerate() {
        assert!((count - expected(step as i64)).abs() < 1e-6 * count);
    }
}

#[test]
fn a_group_of_both_kinds_has_no_sum_wherever_they_meet() {
    let source = many_series();
    let answer = answer(&source, options(), "sum by (job) (h)").unwrap();
    let Value::Matrix(matrix) = &answer.value else { panic!("not a matrix") };
    let jobs: Vec<&str> = matrix.iter().map(|series| series.labels.value("job")).collect();
    assert_eq!(jobs, ["custom", "exp", "float"]);
    let warnings = answer.warnings.join("\n");
    assert!(warnings.contains("a mix of histograms and floats for aggregation"), "{warnings}");
    assert!(warnings.contains("exponential and custom buckets"), "{warnings}");
    assert!(answer.infos.join("\n").contains("reconciled during aggregation"));
}

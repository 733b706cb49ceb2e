//! Answers of oracle and engine in the same form, and how they differ.

use std::collections::BTreeMap;

use silverback::model::histogram::Buckets;
use silverback::model::{Histogram, Labels};
use silverback::promql::value::{self as engine_value, Answer as EngineAnswer, VectorElement};

use super::value::{Answer, LabelMap, Value};

/// Two answers are the same if they differ by less: rounding goes its own ways.
const TOLERANCE_RELATIVE: f64 = 1e-9;

/// Every series at its times.
pub type Outcome = BTreeMap<LabelMap, BTreeMap<i64, Value>>;

pub fn with(mut outcome: Outcome, answer: Answer, time: i64) -> Outcome {
    match answer {
        Answer::Scalar(value) => {
            outcome.entry(LabelMap::new()).or_default().insert(time, Value::Float(value));
        }
        Answer::Vector(vector) => {
            for element in vector {
                outcome.entry(element.labels).or_default().insert(time, element.value);
            }
        }
        Answer::Text(_) => {}
    }
    outcome
}

/// The answer of the engine in the same form.
pub fn outcome(answer: &EngineAnswer) -> Outcome {
    let mut outcome = Outcome::new();
    let mut put = |labels: &Labels, time: i64, value: Value| {
        outcome.entry(label_map(labels)).or_default().insert(time, value);
    };
    match &answer.value {
        engine_value::Value::Scalar { timestamp, value } => {
            put(&Labels::empty(), *timestamp, Value::Float(*value));
        }
        engine_value::Value::Vector(vector) => {
            for element in vector {
                put(&element.labels, element.timestamp, value(element));
            }
        }
        engine_value::Value::Matrix(matrix) => {
            for series in matrix {
                for (time, value) in series.points.timestamps.iter().zip(&series.points.floats) {
                    put(&series.labels, *time, Value::Float(*value));
                }
                for sample in &series.points.histograms {
                    let value = Value::Histogram(Histogram::clone(&sample.histogram));
                    put(&series.labels, sample.timestamp, value);
                }
            }
        }
        engine_value::Value::String { .. } => {}
    }
    outcome
}

/// The elements of an answer at one time, in their order.
pub fn elements(answer: &EngineAnswer) -> Vec<(LabelMap, Value)> {
    let engine_value::Value::Vector(vector) = &answer.value else { return Vec::new() };
    vector.iter().map(|element| (label_map(&element.labels), value(element))).collect()
}

fn label_map(labels: &Labels) -> LabelMap {
    labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

fn value(element: &VectorElement) -> Value {
    match &element.value {
        engine_value::Element::Float(value) => Value::Float(*value),
        engine_value::Element::Histogram(one) => Value::Histogram(Histogram::clone(one)),
    }
}

pub fn difference(wanted: &Outcome, got: &Outcome) -> Option<String> {
    let labels = wanted.keys().chain(got.keys());
    for labels in labels {
        let (wanted, got) = (wanted.get(labels), got.get(labels));
        let times = wanted.into_iter().chain(got).flat_map(|points| points.keys());
        for time in times {
            let [wanted, got] =
                [wanted, got].map(|points| points.and_then(|points| points.get(time)));
            let same = match (wanted, got) {
                (Some(wanted), Some(got)) => same_value(wanted, got),
                _ => false,
            };
            if !same {
                return Some(format!("{labels:?} at {time}: wanted {wanted:?}, got {got:?}"));
            }
        }
    }
    None
}

pub fn same_value(wanted: &Value, got: &Value) -> bool {
    match (wanted, got) {
        (Value::Float(wanted), Value::Float(got)) => same_float(*wanted, *got),
        (Value::Histogram(wanted), Value::Histogram(got)) => same_histogram(wanted, got),
        _ => false,
    }
}

pub fn same_float(wanted: f64, got: f64) -> bool {
    let tolerance = TOLERANCE_RELATIVE * (1.0 + wanted.abs().max(got.abs()));
    wanted == got || (wanted.is_nan() && got.is_nan()) || (wanted - got).abs() <= tolerance
}

fn same_histogram(wanted: &Histogram, got: &Histogram) -> bool {
    wanted.schema == got.schema
        && wanted.hint == got.hint
        && wanted.custom_bounds == got.custom_bounds
        && wanted.zero_threshold == got.zero_threshold
        && same_float(wanted.count, got.count)
        && same_float(wanted.sum, got.sum)
        && same_float(wanted.zero_count, got.zero_count)
        && same_buckets(&wanted.positive, &got.positive)
        && same_buckets(&wanted.negative, &got.negative)
}

fn same_buckets(wanted: &Buckets, got: &Buckets) -> bool {
    let [wanted, got]: [BTreeMap<i32, f64>; 2] = [wanted, got].map(|b| b.populated().collect());
    let count = |buckets: &BTreeMap<i32, f64>, index| buckets.get(index).copied().unwrap_or(0.0);
    let indexes = wanted.keys().chain(got.keys());
    indexes.into_iter().all(|index| same_float(count(&wanted, index), count(&got, index)))
}

//! Tests of the evaluation: what a query gives over a few hand-made series. A case is a line of PromQL and the lines of
//! its answer.

mod aggregations;
mod calls;
mod damage;
mod histograms;
mod labels;
mod limits;
mod naive;
mod native;
mod operators;
mod selectors;
mod unmatched;

use super::ast::ExprKind;
use super::engine::{Engine, EngineOptions, Limits};
use super::parser::{ParseOptions, parse};
use super::value::{Answer, QueryError, Value};
use crate::model::{Labels, STALE_NAN_BITS};
use crate::read::Columns;
use crate::read::memory::MemorySource;

/// Series to query, and the engine to query them with.
pub struct Fixture {
    pub source: MemorySource,
    pub options: EngineOptions,
}

pub fn options() -> EngineOptions {
    let parse = ParseOptions {
        experimental_functions: true,
        extended_range_selectors: true,
        binop_fill_modifiers: true,
        ..ParseOptions::default()
    };
    EngineOptions { parse, use_start_timestamps: true, ..EngineOptions::default() }
}

/// Series with samples every `step_s` seconds from 0 on: `_` is a gap, `stale` a staleness marker.
pub fn load(step_s: i64, series: &[(&str, &str)]) -> Fixture {
    let mut source = MemorySource::new();
    for (name, values) in series {
        let labels = labels_of(name);
        for (index, value) in values.split_whitespace().enumerate() {
            let timestamp = index as i64 * step_s * 1000;
            match value {
                "_" => {}
                "stale" => source.add(&labels, timestamp, f64::from_bits(STALE_NAN_BITS)),
                value => source.add(&labels, timestamp, value.parse().unwrap()),
            }
        }
    }
    Fixture { source, options: options() }
}

/// The labels that a selector of equality matchers names.
pub fn labels_of(selector: &str) -> Labels {
    match parse(selector, &ParseOptions::default()).unwrap().kind {
        ExprKind::Selector(selector) => Labels::from_pairs(
            selector.matchers.iter().map(|m| (m.name.as_str(), m.value.as_str())),
        ),
        other => panic!("not a selector: {other:?}"),
    }
}

impl Fixture {
    pub fn delayed(mut self) -> Fixture {
        self.options.delayed_name_removal = true;
        self
    }

    pub fn answer_at(&self, time_s: i64, query: &str) -> Result<Answer, QueryError> {
        let engine = Engine::new(self.options.clone());
        engine.instant(&self.source, query, time_s * 1000, &Limits::default())
    }

    pub fn answer_over(&self, steps_s: [i64; 3], query: &str) -> Result<Answer, QueryError> {
        let engine = Engine::new(self.options.clone());
        let [start, end, step] = steps_s.map(|s| s * 1000);
        engine.range(&self.source, query, start, end, step, &Limits::default())
    }

    /// The lines of the answer at one point in time.
    pub fn at(&self, time_s: i64, query: &str) -> Vec<String> {
        let answer = self.answer_at(time_s, query);
        lines(answer.unwrap_or_else(|error| panic!("{query}: {error}")).value)
    }

    /// The lines of the answer at `[start, end, step]`.
    pub fn over(&self, steps_s: [i64; 3], query: &str) -> Vec<String> {
        let answer = self.answer_over(steps_s, query);
        lines(answer.unwrap_or_else(|error| panic!("{query}: {error}")).value)
    }

    /// The error at one point in time.
    pub fn error_at(&self, time_s: i64, query: &str) -> String {
        self.answer_at(time_s, query).unwrap_err().to_string()
    }

    pub fn error_over(&self, steps_s: [i64; 3], query: &str) -> String {
        self.answer_over(steps_s, query).unwrap_err().to_string()
    }
}

pub fn lines(value: Value) -> Vec<String> {
    let points = |points: &Columns| {
        let points = points.timestamps.iter().zip(&points.floats);
        let points = points.map(|(t, v)| format!("{v}@{}", *t as f64 / 1e3));
        points.collect::<Vec<_>>().join(" ")
    };
    match value {
        Value::Scalar { value, .. } => vec![format!("{value}")],
        Value::String { value, .. } => vec![value],
        Value::Vector(vector) => {
            vector.iter().map(|element| format!("{} {}", element.labels, element.value)).collect()
        }
        Value::Matrix(matrix) => {
            matrix.iter().map(|s| format!("{} {}", s.labels, points(&s.points))).collect()
        }
    }
}

//! An evaluator that is as simple as can be, and the engine against it: random expressions over random data must give the
//! same. It shares the parser, the tree and the algebra of single histograms with the engine, and nothing else: one point in
//! time after the other, all samples looked at for each, label sets as maps.
//!
//! `SILVERBACK_ORACLE_CASES` says how many expressions to try, if not [`CASES`].

mod aggregate;
mod binary;
mod calls;
mod crossing;
mod data;
mod eval;
mod range;
mod ranked;
mod rates;
mod value;

use std::cell::Cell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestCaseResult, TestRunner};
use silverback::model::histogram::Buckets;
use silverback::model::{Histogram, Labels};
use silverback::promql::ast::{BinaryOp, Expr, ExprKind};
use silverback::promql::engine::{Engine, EngineOptions, Limits, Steps};
use silverback::promql::parser::{ParseOptions, parse};
use silverback::promql::value::{self as engine_value, Answer as EngineAnswer, QueryError};

use crate::promql_generator::{Text, Vocabulary, scalar_expr, vector_expr, word};
use data::{INTERVAL_MS, SAMPLES, source};
use eval::{Data, Oracle};
use value::{Answer, LabelMap, Value};

/// Expressions that every run tries.
const CASES: u32 = 2_000;
/// How deep they are nested.
const DEPTH: u32 = 3;
/// The step of subqueries that name none.
const DEFAULT_STEP_MS: i64 = 20_000;
/// Two answers are the same if they differ by less: rounding goes its own ways.
const TOLERANCE_RELATIVE: f64 = 1e-9;

/// Every series at its times.
type Outcome = BTreeMap<LabelMap, BTreeMap<i64, Value>>;

/// When and how a query is evaluated.
#[derive(Debug, Clone)]
struct Frame {
    steps: Steps,
    lookback_ms: i64,
    delayed_name_removal: bool,
}

fn frames() -> impl Strategy<Value = Frame> {
    let end = SAMPLES as i64 * INTERVAL_MS;
    (-30_000..end, 1i64..12, 1i64..40_000, 1_000i64..60_000, any::<bool>()).prop_map(
        |(start, count, step_ms, lookback_ms, delayed_name_removal)| {
            let steps = Steps { start, end: start + (count - 1) * step_ms, step_ms };
            Frame { steps, lookback_ms, delayed_name_removal }
        },
    )
}

/// What there is in [`data`], and a little that is not.
fn vocabulary() -> Vocabulary {
    let none = || Just(String::new());
    let matchers =
        word(&["i=\"1\"", "j=\"2\"", "i!=\"1\"", "j=~\"1|2\"", "i=\"1\", j!~\"1\"", "k=\"\""]);
    let name = word(&["a", "a", "c", "c", "h", "h", "x", "n"]);
    Vocabulary {
        series: prop_oneof![
            3 => name.clone(),
            2 => (name, matchers.clone()).prop_map(|(name, matchers)| format!("{name}{{{matchers}}}")),
            1 => word(&["{__name__=~\"a|c\", j=\"1\"}", "{i=\"2\", __name__=\"c\"}", "{\"x\"}"]),
        ]
        .boxed(),
        label: word(&["i", "j", "k"]),
        matchers,
        number: word(&["0", "1", "2", "0.5", "3", "10", "1m", "NaN", "Inf"]),
        range: word(&["30s", "1m", "95s", "12s", "step()", "max_of(step(), 45s)", "1m - 10s", "5m"]),
        step: prop_oneof![none(), word(&["10s", "7s", "25s", "1m / 4"])].boxed(),
        offset: prop_oneof![
            4 => none(),
            1 => word(&[" offset 10s", " offset -25s", " offset (step() / 2)", " offset 1m"]),
        ]
        .boxed(),
        at: prop_oneof![
            5 => none(),
            1 => word(&[" @ 100", " @ 33.3", " @ start()", " @ end()", " @ -5"]),
        ]
        .boxed(),
        extended: none().boxed(),
        has_function: |function| calls::FUNCTIONS.contains(&function.name),
        aggregations: &["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar", "quantile"],
    }
}

fn expressions() -> Text {
    let words = vocabulary();
    prop_oneof![9 => vector_expr(&words, DEPTH), 1 => scalar_expr(&words, DEPTH)].boxed()
}

/// Tries one in `share` of the cases.
fn run_cases<S: Strategy>(share: u32, cases: &S, test: impl Fn(S::Value) -> TestCaseResult) {
    let count = std::env::var("SILVERBACK_ORACLE_CASES").ok().and_then(|count| count.parse().ok());
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(count.unwrap_or(CASES) / share)
    };
    if let Err(error) = TestRunner::new(config).run(cases, test) {
        panic!("{error}");
    }
}

#[test]
fn the_engine_agrees_with_the_oracle() {
    let cases = (data::data(), expressions(), frames());
    run_cases(1, &cases, |(data, text, frame)| agree(&data, &text, &frame));
}

fn agree(data: &Data, text: &str, frame: &Frame) -> TestCaseResult {
    let expr = parse(text, &ParseOptions::all())
        .map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
    let over_range = over_range(data, text, frame);
    same(&expected(data, &expr, frame, frame.steps), over_range, &expr)?;
    let start = frame.steps.start;
    let at_start = engine(frame).instant(&source(data), text, start, &Limits::default());
    let instant = Steps { start, end: start, step_ms: 0 };
    same(&expected(data, &expr, frame, instant), at_start.map(outcome), &expr)
}

fn engine(frame: &Frame) -> Engine {
    Engine::new(EngineOptions {
        lookback_delta_ms: frame.lookback_ms,
        default_step_ms: DEFAULT_STEP_MS,
        delayed_name_removal: frame.delayed_name_removal,
        parse: ParseOptions::all(),
        ..EngineOptions::default()
    })
}

fn over_range(data: &Data, text: &str, frame: &Frame) -> Result<Outcome, QueryError> {
    let Steps { start, end, step_ms } = frame.steps;
    let limits = Limits::default();
    engine(frame).range(&source(data), text, start, end, step_ms, &limits).map(outcome)
}

/// What the oracle says, and whether the last bit of a number decided something.
struct Expected {
    outcome: value::Result<Outcome>,
    doubtful: bool,
}

fn expected(data: &Data, expr: &Expr, frame: &Frame, steps: Steps) -> Expected {
    let oracle = Oracle {
        data,
        lookback_ms: frame.lookback_ms,
        default_step_ms: DEFAULT_STEP_MS,
        start: steps.start,
        end: steps.end,
        step_ms: steps.step_ms,
        delayed_name_removal: frame.delayed_name_removal,
        doubtful: Cell::new(false),
    };
    let mut outcome = Ok(Outcome::new());
    let mut time = steps.start;
    while time <= steps.end {
        outcome =
            outcome.and_then(|before| oracle.answer(expr, time).map(|now| with(before, now, time)));
        time += steps.step_ms.max(1);
    }
    Expected { outcome, doubtful: oracle.doubtful.get() }
}

fn with(mut outcome: Outcome, answer: Answer, time: i64) -> Outcome {
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
fn outcome(answer: EngineAnswer) -> Outcome {
    let mut outcome = Outcome::new();
    let mut put = |labels: &Labels, time: i64, value: Value| {
        let labels = labels.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        outcome.entry(labels.collect()).or_default().insert(time, value);
    };
    match answer.value {
        engine_value::Value::Scalar { timestamp, value } => {
            put(&Labels::empty(), timestamp, Value::Float(value));
        }
        engine_value::Value::Vector(vector) => {
            for element in vector {
                let value = match element.value {
                    engine_value::Element::Float(value) => Value::Float(value),
                    engine_value::Element::Histogram(one) => {
                        Value::Histogram(Histogram::clone(&one))
                    }
                };
                put(&element.labels, element.timestamp, value);
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

fn same(expected: &Expected, got: Result<Outcome, QueryError>, expr: &Expr) -> TestCaseResult {
    let flaw = match (&expected.outcome, &got) {
        (Ok(wanted), Ok(got)) => difference(wanted, got),
        (Err(_), Err(QueryError::Execution(_))) => None,
        // It evaluates a subquery over all windows at once, also at times between windows.
        (Ok(_), Err(QueryError::Execution(_))) if has(expr, &is_subquery) => None,
        (Ok(_), Err(error)) => Some(format!("the engine fails: {error}")),
        // Until the end it tells apart labels with a name that stays and labels with a name that goes.
        (Err(_), Ok(_)) if has(expr, &is_or) => None,
        (Err(failure), Ok(_)) => Some(format!("the engine does not fail: {}", failure.0)),
        (Err(_), Err(error)) => Some(format!("the engine fails in another way: {error}")),
    };
    match flaw {
        Some(flaw) if !expected.doubtful => Err(TestCaseError::fail(format!("{expr}: {flaw}"))),
        _ => Ok(()),
    }
}

fn is_subquery(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Subquery(_))
}

fn is_or(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Binary(binary) if binary.op == BinaryOp::Or)
}

/// Is this so of the expression or of a part of it?
fn has(expr: &Expr, is_so: &impl Fn(&Expr) -> bool) -> bool {
    is_so(expr)
        || match &expr.kind {
            ExprKind::Binary(binary) => has(&binary.lhs, is_so) || has(&binary.rhs, is_so),
            ExprKind::Call(call) => call.args.iter().any(|arg| has(arg, is_so)),
            ExprKind::Aggregate(aggregate) => {
                let param = aggregate.param.as_ref();
                has(&aggregate.expr, is_so) || param.is_some_and(|param| has(param, is_so))
            }
            ExprKind::Subquery(subquery) => has(&subquery.expr, is_so),
            ExprKind::Unary(unary) => has(&unary.expr, is_so),
            ExprKind::Paren(inner) => has(inner, is_so),
            _ => false,
        }
}

fn difference(wanted: &Outcome, got: &Outcome) -> Option<String> {
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

fn same_value(wanted: &Value, got: &Value) -> bool {
    match (wanted, got) {
        (Value::Float(wanted), Value::Float(got)) => same_float(*wanted, *got),
        (Value::Histogram(wanted), Value::Histogram(got)) => same_histogram(wanted, got),
        _ => false,
    }
}

fn same_float(wanted: f64, got: f64) -> bool {
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

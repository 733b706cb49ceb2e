//! The engine against the oracle: values, what the user is told, and what is wrong.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use silverback::promql::ast::{Expr, ExprKind, ValueType};
use silverback::promql::check::value_type;
use silverback::promql::engine::{Engine, EngineOptions, Limits, Steps};
use silverback::promql::parser::{ParseOptions, parse};
use silverback::promql::value::{Answer as EngineAnswer, QueryError};
use silverback::read::Source;

use super::case::{Case, Frame};
use super::data::source;
use super::eval::Oracle;
use super::notes::Notes;
use super::order::Order;
use super::outcome::{Outcome, difference, elements, outcome, with};
use super::tree::has;
use super::value::{Data, Failure};

/// The step of subqueries that name none.
const DEFAULT_STEP_MS: i64 = 20_000;

/// What is told of a metric whose histograms have nothing in common.
const MIXED_SCHEMAS: &str = "a mix of histograms with exponential and custom buckets schemas";

/// What is wrong with the engine, or with the oracle; `None`: they agree.
pub fn disagreement(case: &Case) -> Option<String> {
    let Case { data, text, frame } = case;
    let expr = match parse(text, &ParseOptions::all()) {
        Ok(expr) => expr,
        Err(error) => return Some(format!("{text}: {error}")),
    };
    let expected_over_range = expected(data, &expr, frame, frame.steps);
    let source = source(data);
    let start = frame.steps.start;
    let instant = Steps { start, end: start, step_ms: 0 };
    let flaw = flaw(expected_over_range, over_range(&source, text, frame), &expr).or_else(|| {
        let expected_at_start = expected(data, &expr, frame, instant);
        flaw(expected_at_start, at_start(&source, text, frame), &expr)
    });
    flaw.map(|flaw| format!("{flaw}\nin {case}"))
}

pub fn engine(frame: &Frame) -> Engine {
    Engine::new(EngineOptions {
        lookback_delta_ms: frame.lookback_ms,
        default_step_ms: DEFAULT_STEP_MS,
        delayed_name_removal: frame.delayed_name_removal,
        use_start_timestamps: frame.use_start_timestamps,
        parse: ParseOptions::all(),
        ..EngineOptions::default()
    })
}

/// What the engine answers, and how it fails.
pub type Got = Result<EngineAnswer, QueryError>;

pub fn over_range(source: &dyn Source, text: &str, frame: &Frame) -> Got {
    let Steps { start, end, step_ms } = frame.steps;
    engine(frame).range(source, text, start, end, step_ms, &Limits::default())
}

pub fn at_start(source: &dyn Source, text: &str, frame: &Frame) -> Got {
    engine(frame).instant(source, text, frame.steps.start, &Limits::default())
}

/// What the oracle says.
pub struct Expected {
    pub outcome: super::value::Result<Outcome>,
    /// What the user must be told, and what the user may be told.
    pub certain: BTreeSet<String>,
    possible: BTreeSet<String>,
    /// All that is wrong anywhere.
    failures: BTreeSet<String>,
    order: Order,
    /// The last bit of a number has decided something.
    pub doubtful: bool,
}

pub fn expected(data: &Data, expr: &Expr, frame: &Frame, steps: Steps) -> Expected {
    let oracle = oracle(data, frame, steps);
    let mut outcome = Ok(Outcome::new());
    let mut time = steps.start;
    while time <= steps.end {
        // All times, since it is not said at which the first failure is found.
        let now = oracle.answer(expr, time);
        outcome = outcome.and_then(|before| now.map(|now| with(before, now, time)));
        time += steps.step_ms.max(1);
    }
    let (certain, possible) = oracle.notes.into_inner().sentences();
    let failures = oracle.failures.into_inner();
    let doubtful = oracle.doubtful.get();
    let order = match steps.step_ms {
        0 => Order::of(&self::oracle(data, frame, steps), expr, steps.start),
        _ => Order::Open,
    };
    Expected { outcome, certain, possible, failures, order, doubtful }
}

fn oracle<'d>(data: &'d Data, frame: &Frame, steps: Steps) -> Oracle<'d> {
    Oracle {
        data,
        lookback_ms: frame.lookback_ms,
        default_step_ms: DEFAULT_STEP_MS,
        start: steps.start,
        end: steps.end,
        step_ms: steps.step_ms,
        is_range_query: steps.step_ms != 0,
        delayed_name_removal: frame.delayed_name_removal,
        use_start_timestamps: frame.use_start_timestamps,
        times: Cell::new((steps.start, steps.end)),
        grids: RefCell::default(),
        notes: RefCell::new(Notes::default()),
        failures: RefCell::new(BTreeSet::new()),
        doubtful: Cell::new(false),
    }
}

fn flaw(expected: Expected, got: Got, expr: &Expr) -> Option<String> {
    let flaw = match (&expected.outcome, &got) {
        (Ok(wanted), Ok(got)) => difference(wanted, &outcome(got))
            .or_else(|| expected.order.flaw(&elements(got)))
            .or_else(|| untold(&expected, got, expr)),
        (_, Err(QueryError::Execution(text))) if is_expected(text, &expected.failures) => None,
        // Where operands are wrong the oracle does not see whether what comes of them collides.
        (Err(_), Err(QueryError::Execution(text))) if is_collision(text) && has(expr, &joins) => {
            None
        }
        // It looks at info metrics about targets whether they have elements at that time or not.
        (_, Err(QueryError::Execution(text))) if is_about_info(text) && has(expr, &is_info) => None,
        // It does not look at elements without an info metric that they need, so it does not see what is wrong with them.
        (Err(_), Ok(_)) if has(expr, &is_info) => None,
        (Err(Failure(failure)), Ok(_)) => Some(format!("the engine does not fail: {failure}")),
        (wanted, Err(error)) => Some(format!("the engine fails: {error}, not {wanted:?}")),
    };
    flaw.filter(|_| !expected.doubtful)
}

/// Is an error one of those that the oracle knows? Which of several label sets it names is not said.
fn is_expected(error: &str, failures: &BTreeSet<String>) -> bool {
    failures.iter().any(|failure| without_labels(error).starts_with(&without_labels(failure)))
}

/// Is an error about label sets that should differ?
fn is_collision(error: &str) -> bool {
    error.starts_with("vector cannot contain metrics with the same labelset")
        || error.starts_with("found duplicate series for the match group")
        || error.starts_with("multiple matches for labels")
        || error.starts_with("conflicting label")
}

fn is_about_info(error: &str) -> bool {
    error.starts_with("this should be an info metric")
        || error.starts_with("found duplicate series for info")
}

fn without_labels(error: &str) -> String {
    let mut depth = 0;
    let is_outside = |c: &char| {
        depth += i32::from(*c == '{');
        let is_outside = depth == 0;
        depth -= i32::from(*c == '}');
        is_outside
    };
    error.chars().filter(is_outside).collect()
}

/// What the user is not told, or told without a reason.
fn untold(expected: &Expected, got: &EngineAnswer, expr: &Expr) -> Option<String> {
    let got: BTreeSet<&String> = got.warnings.iter().chain(&got.infos).collect();
    // It does not look at elements without an info metric that they need.
    let skips = has(expr, &is_info);
    // What is counted over all evaluations depends on how often what occurs twice is evaluated.
    let counts = skips || !is_told_once(expr);
    let form = |text: &str| {
        let text = if counts { without_counts(text) } else { text.to_string() };
        match text.find(MIXED_SCHEMAS) {
            // At which element an aggregation notices it is a matter of order, which vectors have none of.
            Some(at) if has(expr, &is_aggregation) => text[..at + MIXED_SCHEMAS.len()].to_string(),
            _ if skips => without_place(&text).to_string(),
            _ => text,
        }
    };
    let told: BTreeSet<String> = got.iter().map(|text| form(text)).collect();
    let certain: BTreeSet<String> = expected.certain.iter().map(|text| form(text)).collect();
    let missing = certain.iter().find(|text| {
        // What it is not certain to tell may be told first.
        let sentence = without_place(text);
        let is_told_earlier = expected.possible.contains(sentence)
            && told.iter().any(|told| without_place(told) == sentence);
        !told.contains(*text) && !skips && !is_told_earlier
    });
    let may_be_told = |text: &String| {
        certain.contains(text)
            || expected.possible.iter().any(|possible| text.starts_with(possible.as_str()))
            // Whoever counts only is told of resets that storage did not note.
            || (text.contains("conflicting counter resets") && has(expr, &is_count))
    };
    let extra = told.iter().find(|text| !may_be_told(text));
    match (missing, extra) {
        (Some(text), _) => Some(format!("not told: {text}; told {told:?}")),
        (_, Some(text)) => Some(format!("told: {text}; wanted {certain:?}")),
        _ => None,
    }
}

fn without_place(text: &str) -> &str {
    text.rfind(" (").map_or(text, |at| &text[..at])
}

/// Without what sums up several evaluations.
fn without_counts(text: &str) -> String {
    let place = &text[without_place(text).len()..];
    let end =
        [", from buckets", " occurrences)"].into_iter().filter_map(|end| text.find(end)).min();
    let Some(end) = end else { return text.to_string() };
    let end = text[..end].rfind(" (").filter(|_| text[end..].starts_with(" occ")).unwrap_or(end);
    format!("{}{place}", &text[..end])
}

/// Is there only one call, without `@`, that may have something to count?
fn is_told_once(expr: &Expr) -> bool {
    let text = expr.to_string();
    let calls = ["histogram_quantile", "rate(", "increase("].map(|name| text.matches(name).count());
    calls.iter().sum::<usize>() <= 1 && !text.contains('@')
}

/// Do elements meet others here?
fn joins(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Binary(binary) => {
            value_type(&binary.lhs) == ValueType::Vector
                && value_type(&binary.rhs) == ValueType::Vector
        }
        _ => is_info(expr),
    }
}

fn is_aggregation(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Aggregate(_))
}

fn is_call(expr: &Expr, names: &[&str]) -> bool {
    matches!(&expr.kind, ExprKind::Call(call) if names.contains(&call.function.name))
}

fn is_info(expr: &Expr) -> bool {
    is_call(expr, &["info"])
}

fn is_count(expr: &Expr) -> bool {
    is_call(expr, &["histogram_count", "histogram_sum", "histogram_avg"])
}

//! Runs a script: loads into memory, evaluates with the engine, compares. An instant query is evaluated as written, then
//! with its selectors pinned (`@ t`) at other times, and each of these once more in the middle of a range query: the
//! answer must always be the same.

use super::compare::{almost_equal, compare_matrix, compare_notes, compare_vector, elements};
use super::parse::parse_script;
use super::pin::pinned;
use super::store::Store;
use super::syntax::{CommandKind, Eval, EvalTime, Expected, TextPattern};
use super::{Failure, ScriptReport};
use crate::model::Timestamp;
use crate::promql::engine::{
    DEFAULT_STEP_MS, Engine, EngineOptions, LOOKBACK_DELTA_MS, Limits, Steps,
};
use crate::promql::parser::{ParseOptions, parse};
use crate::promql::value::{Answer, Element, QueryError, Value, VectorElement};

/// Samples one query of a script may hold: that of Prometheus' test engine, which scripts rely on.
const SCRIPT_SAMPLES_MAX: u64 = 10_000;
/// How far around an instant its range query reaches, and the step of it.
const RANGE_CHECK_STEP_MS: i64 = 60_000;
/// Calls whose answer in a range query differs from that in an instant query.
const RANGE_DEPENDENT: [&str; 4] = ["start()", "end()", "range()", "step()"];

/// Runs every command of a script. `name` is for the report.
pub fn run_script(text: &str, name: &str) -> ScriptReport {
    let mut report = ScriptReport { name: name.to_string(), ..ScriptReport::default() };
    let commands = match parse_script(text) {
        Ok(commands) => commands,
        Err(error) => {
            report.failures.push(Failure { line: error.line, message: error.message });
            return report;
        }
    };
    let mut runner = Runner { engine: Engine::new(script_options()), store: Store::default() };
    for command in commands {
        match command.kind {
            CommandKind::Clear => runner.store = Store::default(),
            CommandKind::Load(load) => {
                if let Err(message) = runner.store.load(&load) {
                    report.failures.push(Failure { line: command.line, message });
                    return report;
                }
            }
            CommandKind::Eval(eval) => {
                report.evals += 1;
                match runner.run_eval(&eval) {
                    Ok(()) => report.passed += 1,
                    Err(message) => {
                        let message = format!("{}: {message}", eval.query);
                        report.failures.push(Failure { line: command.line, message });
                    }
                }
            }
        }
    }
    report
}

/// The options of Prometheus' test engine: everything experimental is on.
fn script_options() -> EngineOptions {
    EngineOptions {
        lookback_delta_ms: LOOKBACK_DELTA_MS,
        default_step_ms: DEFAULT_STEP_MS,
        samples_max: SCRIPT_SAMPLES_MAX,
        threads: 1,
        delayed_name_removal: true,
        use_start_timestamps: true,
        parse: ParseOptions::all(),
        ..EngineOptions::default()
    }
}

struct Runner {
    engine: Engine,
    store: Store,
}

impl Runner {
    fn run_eval(&self, eval: &Eval) -> Result<(), String> {
        let expr = match parse(&eval.query, &self.engine.options().parse) {
            Ok(expr) => expr,
            Err(error) => return check_error(eval, &error.into()),
        };
        let time = match eval.at {
            EvalTime::Range(steps) => return self.run_range(eval, steps),
            EvalTime::Instant(time) => time,
        };
        self.run_instant(eval, &eval.query, time)?;
        let Some(pinned) = pinned(&expr, time) else { return Ok(()) };
        let text = pinned.to_string();
        for other in other_times(time) {
            self.run_instant(eval, &text, other)
                .map_err(|message| format!("as {text} at {other} ms: {message}"))?;
        }
        Ok(())
    }

    fn run_range(&self, eval: &Eval, steps: Steps) -> Result<(), String> {
        let answer = match self.range(&eval.query, steps) {
            Ok(answer) => answer,
            Err(error) => return check_error(eval, &error),
        };
        check_notes(eval, &answer)?;
        match (&eval.expected, &answer.value) {
            (Expected::Series { series, .. }, Value::Matrix(got)) => {
                compare_matrix(series, steps, got)
            }
            (expected, got) => Err(wrong_kind(expected, got)),
        }
    }

    fn range(&self, text: &str, steps: Steps) -> Result<Answer, QueryError> {
        let Steps { start, end, step_ms } = steps;
        self.engine.range(&self.store.source, text, start, end, step_ms, &Limits::default())
    }

    /// The query as text at one time, then as the middle of a range query.
    fn run_instant(&self, eval: &Eval, text: &str, time: Timestamp) -> Result<(), String> {
        let answer = match self.engine.instant(&self.store.source, text, time, &Limits::default()) {
            Ok(answer) => answer,
            Err(error) => return check_error(eval, &error),
        };
        check_notes(eval, &answer)?;
        check_value(&eval.expected, &answer.value)?;
        let has_range_form = match &eval.expected {
            Expected::Scalar(_) => true,
            Expected::Series { ordered, .. } => !ordered,
            _ => false,
        };
        if !has_range_form || RANGE_DEPENDENT.iter().any(|call| text.contains(call)) {
            return Ok(());
        }
        self.check_as_range(&eval.expected, text, time)
    }

    fn check_as_range(
        &self,
        expected: &Expected,
        text: &str,
        time: Timestamp,
    ) -> Result<(), String> {
        let steps = Steps {
            start: time - RANGE_CHECK_STEP_MS,
            end: time + RANGE_CHECK_STEP_MS,
            step_ms: RANGE_CHECK_STEP_MS,
        };
        let in_range = |message: String| format!("as a range query: {message}");
        let answer = self.range(text, steps).map_err(|error| in_range(error.to_string()))?;
        let Value::Matrix(matrix) = &answer.value else {
            return Err(in_range("not a matrix".to_string()));
        };
        if !matrix.is_sorted_by(|a, b| a.labels < b.labels) {
            return Err(in_range("not sorted by labels, or not unique".to_string()));
        }
        let middle = matrix.iter().filter_map(|series| {
            let (_, value) = elements(&series.points).into_iter().find(|(at, _)| *at == time)?;
            Some(VectorElement { labels: series.labels.clone(), timestamp: time, value })
        });
        let middle: Vec<VectorElement> = middle.collect();
        let checked = match (expected, middle.as_slice()) {
            (Expected::Scalar(value), [VectorElement { value: Element::Float(got), .. }]) => {
                compare_scalar(*value, *got)
            }
            (Expected::Series { series, .. }, vector) => compare_vector(series, false, vector),
            _ => Err(format!("{} series at the time of the scalar", middle.len())),
        };
        checked.map_err(in_range)
    }
}

/// When a pinned query is evaluated again.
fn other_times(time: Timestamp) -> Vec<Timestamp> {
    if time == 0 { vec![-1_000, 0, 1_000] } else { vec![-10 * time, 0, time / 5, time, 10 * time] }
}

fn check_error(eval: &Eval, error: &QueryError) -> Result<(), String> {
    let text = error.to_string();
    match &eval.expected {
        Expected::Failure(pattern) if pattern.matches(&text) => Ok(()),
        Expected::Failure(TextPattern::Exact(wanted)) => {
            Err(format!("expected the error {wanted:?}; got {text:?}"))
        }
        Expected::Failure(pattern) => {
            Err(format!("expected an error like {pattern:?}; got {text:?}"))
        }
        _ => Err(format!("unexpected error {text:?}")),
    }
}

fn check_notes(eval: &Eval, answer: &Answer) -> Result<(), String> {
    compare_notes(&eval.warnings, &answer.warnings, "warning")?;
    compare_notes(&eval.infos, &answer.infos, "info")
}

fn compare_scalar(expected: f64, got: f64) -> Result<(), String> {
    if almost_equal(expected, got) {
        Ok(())
    } else {
        Err(format!("expected {expected}; got {got}"))
    }
}

fn check_value(expected: &Expected, got: &Value) -> Result<(), String> {
    match (expected, got) {
        (Expected::Scalar(expected), Value::Scalar { value, .. }) => {
            compare_scalar(*expected, *value)
        }
        (Expected::String(expected), Value::String { value, .. }) if expected == value => Ok(()),
        (Expected::String(expected), Value::String { value, .. }) => {
            Err(format!("expected {expected:?}; got {value:?}"))
        }
        (Expected::Series { series, ordered }, Value::Vector(vector)) => {
            compare_vector(series, *ordered, vector)
        }
        (Expected::RangeVector { series, steps }, Value::Matrix(matrix)) => {
            compare_matrix(series, *steps, matrix)
        }
        _ => Err(wrong_kind(expected, got)),
    }
}

fn wrong_kind(expected: &Expected, got: &Value) -> String {
    let wanted = match expected {
        Expected::Failure(_) => "an error",
        Expected::Scalar(_) => "a scalar",
        Expected::String(_) => "a string",
        Expected::Series { .. } => "series",
        Expected::RangeVector { .. } => "a range vector",
    };
    format!("expected {wanted}; got {got:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_that_cannot_be_read_is_a_failure() {
        let report = run_script("clear\nnonsense\n", "odd");
        assert_eq!((report.evals, report.failures.len(), report.failures[0].line), (0, 1, 2));
        assert_eq!(report.to_string(), "odd: 0 evals, 0 passed, 1 failed");
    }

    #[test]
    fn a_load_that_contradicts_the_one_before_is_a_failure() {
        let report =
            run_script("load 1m\n a 1 2\n\nload 1m\n a 1 3\n\neval instant at 0 a\n", "odd");
        assert_eq!((report.evals, report.failures.len(), report.failures[0].line), (0, 1, 4));
    }

    #[test]
    fn an_answer_other_than_expected_is_a_failure() {
        let script = "\
load 1m
  a{x=\"1\"} 1+1x10
  h{} {{sum:1 count:2}}+{{sum:2 count:2}}x5 5

eval instant at 5m a
  a{x=\"1\"} 6

eval instant at 5m a
  a{x=\"1\"} 7

eval instant at 5m a

eval instant at 5m h
  h {{sum:11 count:12 counter_reset_hint:not_reset}}

eval instant at 5m h
  h {{sum:11 count:13}}

eval instant at 5m a +
  expect fail

eval instant at 5m a
  expect fail

eval range from 0 to 2m step 1m sum(a)
  {} 1 2 3

eval range from 0 to 2m step 1m sum(a)
  {} 1 2

eval instant at 5m 2 * 3
  6
";
        let report = run_script(script, "some");
        let lines: Vec<usize> = report.failures.iter().map(|failure| failure.line).collect();
        assert_eq!(lines, [8, 11, 16, 22, 28], "{report:?}");
        assert_eq!((report.evals, report.passed, report.is_pass()), (10, 5, false));
    }
}

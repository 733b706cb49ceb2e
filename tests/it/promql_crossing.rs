//! Operators of two vectors, one of which is narrower than the other: what the engine reads less because of that, nobody
//! may notice. Against the oracle, and against the engine itself over a source that promises nothing of its data, where it
//! evaluates nearly everything: also errors and annotations must be the same, word by word.

use std::cell::Cell;

use silverback::model::{MatchOp, Matcher, TimeRange};
use silverback::promql::engine::{Limits, When};
use silverback::promql::explain::PlanNode;
use silverback::read::memory::MemorySource;
use silverback::read::{Estimate, ReadError, SeriesSet, Source};

use crate::choices::Choices;
use crate::oracle::case::{Case, DATA_BYTES, Frame};
use crate::oracle::compare::{Got, at_start, disagreement, engine, over_range};
use crate::oracle::data::{data, source};
use crate::oracle::outcome::outcome;
use crate::oracle::value::{Data, metric};
use crate::promql_oracle::run_cases;

/// How deep operands are nested.
const DEPTH: u32 = 2;
/// Of a hundred expressions, those to which matchers are added at least: some three less than there are.
const NARROWED_PERCENT_MIN: u32 = 18;

/// A source that does not tell what its data is like: not either if it is asked which series have some label, which no selector
/// here asks.
struct Silent(MemorySource);

fn asks_for_label(matcher: &Matcher) -> bool {
    matcher.op == MatchOp::NotEqual && matcher.value.is_empty()
}

impl Source for Silent {
    fn select(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Box<dyn SeriesSet>, ReadError> {
        match matchers.iter().any(asks_for_label) {
            true => Err(ReadError::Closed),
            false => self.0.select(matchers, range),
        }
    }

    fn estimate(&self, matchers: &[Matcher], range: TimeRange) -> Result<Estimate, ReadError> {
        self.0.estimate(matchers, range)
    }

    fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, ReadError> {
        self.0.label_names(matchers, range)
    }

    fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, ReadError> {
        self.0.label_values(name, matchers, range)
    }
}

/// A join. Some series have one of these labels.
fn case(bytes: &[u8], labels: &[&str]) -> Case {
    let (for_data, for_query) = bytes.split_at(bytes.len().min(DATA_BYTES));
    let choices = &mut Choices::of(for_query);
    let mut data = data(&mut Choices::of(for_data));
    if choices.one_in(2) {
        data = only_floats(data);
    }
    for label in labels {
        if choices.one_in(2) {
            data = with_label(choices, data, label);
        }
    }
    let frame = Frame::of(choices);
    Case { data, text: join(choices, DEPTH), frame }
}

/// Floats alone that do not say since when they count.
fn only_floats(mut data: Data) -> Data {
    data.retain(|labels, _| matches!(metric(labels), "a" | "c" | "c_total"));
    data.values_mut().flatten().for_each(|point| point.start = 0);
    data
}

/// All series with the same value of one label more, or some with one of two, beside series that do not have it.
fn with_label(choices: &mut Choices<'_>, data: Data, label: &str) -> Data {
    let (mut labelled, is_of_all) = (Data::new(), choices.one_in(2));
    for (labels, points) in data {
        let value = if is_of_all { "1" } else { choices.pick(&["1", "", "2"]) };
        let mut more = labels.clone();
        if !value.is_empty() {
            more.insert(label.to_string(), value.to_string());
        }
        if !is_of_all && choices.one_in(3) {
            labelled.insert(labels, points.clone());
        }
        labelled.insert(more, points);
    }
    labelled
}

fn join(choices: &mut Choices<'_>, depth: u32) -> String {
    let lhs = vector(choices, depth);
    let operator = operator(choices);
    format!("({lhs}) {operator} ({})", vector(choices, depth))
}

fn vector(choices: &mut Choices<'_>, depth: u32) -> String {
    let Some(below) = depth.checked_sub(1) else { return leaf(choices) };
    match choices.weighted(&[1, 2, 1]) {
        0 => vector(choices, below),
        1 => choices.pick(AROUND).replace('#', &vector(choices, below)),
        _ => join(choices, below),
    }
}

/// What stands around one vector, which is `#`.
const AROUND: &[&str] = &[
    "(#)",
    "sum by (instance) (#)",
    "sum by (instance, job) (#)",
    "max without (job) (#)",
    "count by (instance) (#)",
    "abs(#)",
    "-(#)",
    "(#) * 2",
    "1 < (#)",
    "(#) > bool 1",
    "max_over_time((#)[30s:10s])",
    "quantile by (instance) (2, #)",
    "label_replace(#, \"k\", \"$1\", \"instance\", \"(.*)\")",
    "absent(#)",
    "timestamp(#)",
    "scalar(#) * (#)",
    "label_replace(#, \"job\", \"x$1\", \"instance\", \"(.*)\")",
    "label_join(#, \"k\", \"-\", \"instance\", \"job\")",
    "topk by (instance) (1, #)",
    "bottomk by (instance, job) (2, #)",
    "quantile without (job) (0.5, #)",
    "limitk by (instance) (1, #)",
    "limit_ratio(1, #)",
    "limit_ratio by (instance) (-0.5, #)",
    "avg by (__name__, instance) (#)",
    "limitk(2, #)",
    "count_values by (instance) (\"k\", #)",
    "count_values by (instance) (\"instance\", #)",
    "sort(#)",
    "histogram_quantile(0.5, #)",
    "histogram_quantile(0.9, sum by (instance) (#))",
    "info(#)",
];

fn operator(choices: &mut Choices<'_>) -> String {
    match choices.weighted(&[2, 1]) {
        0 => {
            choices.word(&["+", "/", "<", "!= bool"])
                + choices.pick(&[
                    "",
                    "",
                    " on (instance)",
                    " on (instance, job)",
                    " ignoring (job)",
                    " ignoring (k)",
                    " on (instance) group_left ()",
                    " on (instance) group_right ()",
                    " ignoring (job) group_left (k)",
                    " on (instance, job) group_right (k)",
                    " on (instance) fill (0)",
                    " on (instance, job)",
                ])
        }
        _ => {
            choices.word(&["and", "or", "unless"])
                + choices.pick(&[
                    "",
                    " on (instance)",
                    " on (instance, job)",
                    " ignoring (job)",
                    " ignoring (instance)",
                ])
        }
    }
}

fn leaf(choices: &mut Choices<'_>) -> String {
    let function = match choices.weighted(&[2, 1]) {
        0 => "",
        _ => choices.pick(&["rate(", "increase(", "last_over_time(", "quantile_over_time(2, "]),
    };
    let selector = selector(choices);
    let time = choices.word(&["", "", "", "", " offset 10s", " @ 100"]);
    match function {
        "" => selector + &time,
        _ => format!("{function}{selector}[1m]{time})"),
    }
}

fn selector(choices: &mut Choices<'_>) -> String {
    if choices.one_in(13) {
        return "{__name__=~\"a|c_total\", instance=\"2\"}".to_string();
    }
    let name = choices.pick(&["a", "c_total", "c_total", "a", "c_total", "c_total", "a", "x", "h"]);
    let matchers = choices.pick(&[
        "",
        "",
        "",
        "{instance=\"1\"}",
        "{job=\"2\"}",
        "{instance!=\"1\"}",
        "{instance=~\"2|3\"}",
        "{k=\"\"}",
        "{instance=\"1\", job!~\"1\"}",
        "{instance=\"1\", job=\"1\"}",
        "{instance=\"1\", k=\"1\"}",
    ]);
    format!("{name}{matchers}")
}

#[test]
fn joins_agree_with_the_oracle() {
    run_cases(4, |bytes| disagreement(&case(bytes, &["k"])));
}

#[test]
fn nobody_notices_what_is_not_read() {
    let (tried, narrowed) = (Cell::new(0), Cell::new(0));
    run_cases(4, |bytes| {
        let case = case(bytes, &["k", "__type__"]);
        tried.set(tried.get() + 1);
        narrowed.set(narrowed.get() + u32::from(is_narrowed(&case)));
        told_differently(&case)
    });
    let (tried, narrowed) = (tried.get(), narrowed.get());
    assert!(narrowed * 100 > tried * NARROWED_PERCENT_MIN, "only {narrowed} of {tried} read less");
}

fn is_narrowed(case: &Case) -> bool {
    let (source, when) = (source(&case.data), When::Over(case.frame.steps));
    let engine = engine(&case.frame);
    let explained = engine.explain(&source, &case.text, when, false, &Limits::default());
    explained.is_ok_and(|explanation| reads_less(&explanation.plan))
}

fn reads_less(node: &PlanNode) -> bool {
    node.read_as.is_some() || node.children.iter().any(reads_less)
}

/// What the user is told otherwise over a source that promises nothing.
fn told_differently(case: &Case) -> Option<String> {
    let Case { data, text, frame } = case;
    let (telling, silent) = (source(data), Silent(source(data)));
    [over_range, at_start].into_iter().find_map(|ask| {
        let (telling, silent) = (told(ask(&telling, text, frame)), told(ask(&silent, text, frame)));
        (telling != silent).then(|| format!("{telling}, but {silent}\nin {case}"))
    })
}

/// An answer in words.
fn told(got: Got) -> String {
    match got {
        Ok(answer) => format!("{:?} {:?} {:?}", answer.warnings, answer.infos, outcome(&answer)),
        Err(error) => error.to_string(),
    }
}

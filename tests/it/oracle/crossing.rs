//! Operators of two vectors, one of which is narrower than the other: what the engine reads less because of that, nobody
//! may notice. Against the oracle, and against the engine itself over a source that promises nothing of its data, where it
//! evaluates nearly everything: also errors and annotations must be the same, word by word.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use silverback::model::{Matcher, TimeRange};
use silverback::promql::engine::{Limits, Steps, When};
use silverback::promql::explain::PlanNode;
use silverback::promql::value::{Answer, QueryError};
use silverback::read::memory::MemorySource;
use silverback::read::{Estimate, ReadError, SeriesSet, Source};

use super::data::{data, source};
use super::eval::Data;
use super::value::NAME;
use super::{Frame, agree, engine, frames, outcome, run_cases};
use crate::promql_generator::{Text, word};

/// How deep operands are nested.
const DEPTH: u32 = 2;
/// Of so many expressions, at least one is one to which matchers are added.
const NARROWED_SHARE: u32 = 6;

/// A source that does not tell what its data is like.
struct Silent(MemorySource);

impl Source for Silent {
    fn select(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Box<dyn SeriesSet>, ReadError> {
        self.0.select(matchers, range)
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

/// Floats alone, and counters that are called so; or everything there is.
fn some_data() -> impl Strategy<Value = Data> {
    (data(), any::<bool>()).prop_map(|(all, only_floats)| {
        let mut chosen = Data::new();
        for (mut labels, samples) in all {
            let name = labels[NAME].clone();
            if name == "c" {
                labels.insert(NAME.to_string(), "c_total".to_string());
            }
            if !only_floats || matches!(name.as_str(), "a" | "c") {
                chosen.insert(labels, samples);
            }
        }
        chosen
    })
}

fn selector() -> Text {
    let name = word(&["a", "a", "a", "c_total", "c_total", "c_total", "c_total", "x", "h"]);
    let matchers = word(&[
        "",
        "",
        "",
        "{i=\"1\"}",
        "{j=\"2\"}",
        "{i!=\"1\"}",
        "{i=~\"2|3\"}",
        "{k=\"\"}",
        "{i=\"1\", j!~\"1\"}",
        "{i=\"1\", j=\"1\"}",
    ]);
    let named = (name, matchers).prop_map(|(name, matchers)| name + &matchers);
    prop_oneof![12 => named, 1 => word(&["{__name__=~\"a|c_total\", i=\"2\"}"])].boxed()
}

/// What stands around one vector, which is `#`; the second lot is unknown to the oracle.
const AROUND: [&[&str]; 2] = [
    &[
        "sum by (i) (#)",
        "sum by (i, j) (#)",
        "max without (j) (#)",
        "count by (i) (#)",
        "abs(#)",
        "-(#)",
        "(#) * 2",
        "1 < (#)",
        "(#) > bool 1",
        "(#)",
        "max_over_time((#)[30s:10s])",
        "quantile by (i) (2, #)",
        "label_replace(#, \"k\", \"$1\", \"i\", \"(.*)\")",
        "absent(#)",
        "timestamp(#)",
        "scalar(#) * (#)",
    ],
    &[
        "topk by (i) (1, #)",
        "avg by (__name__, i) (#)",
        "limitk(2, #)",
        "count_values by (i) (\"k\", #)",
        "sort(#)",
        "histogram_quantile(0.5, #)",
        "histogram_quantile(0.9, sum by (i) (#))",
        "info(#)",
    ],
];

fn around(known: bool) -> Text {
    match known {
        true => word(AROUND[0]),
        false => prop_oneof![2 => word(AROUND[0]), 1 => word(AROUND[1])].boxed(),
    }
}

fn operator() -> Text {
    let matched = (
        word(&["+", "/", "<", "!= bool"]),
        word(&[
            "",
            "",
            " on (i)",
            " on (i, j)",
            " ignoring (j)",
            " ignoring (k)",
            " on (i) group_left ()",
            " on (i) group_right ()",
            " ignoring (j) group_left (k)",
            " on (i, j) group_right (k)",
            " on (i) fill (0)",
            " on (i, j)",
        ]),
    );
    let set = (
        word(&["and", "or", "unless"]),
        word(&["", " on (i)", " on (i, j)", " ignoring (j)", " ignoring (i)"]),
    );
    let joined = |(op, matching): (String, String)| op + &matching;
    prop_oneof![2 => matched.prop_map(joined), 1 => set.prop_map(joined)].boxed()
}

fn leaf() -> Text {
    let time = word(&["", "", "", "", " offset 10s", " @ 100"]);
    let function = word(&["rate", "increase", "last_over_time", "quantile_over_time"]);
    let called = (function, selector(), time.clone()).prop_map(|(function, selector, time)| {
        let quantile = if function == "quantile_over_time" { "2, " } else { "" };
        format!("{function}({quantile}{selector}[1m]{time})")
    });
    let plain = (selector(), time).prop_map(|(selector, time)| selector + &time);
    prop_oneof![2 => plain, 1 => called].boxed()
}

/// Two vectors that meet. `known`: the oracle can evaluate it.
fn joins(known: bool) -> Text {
    let vector = (0..DEPTH).fold(leaf(), |below, _| {
        let wrapped = (around(known), below.clone())
            .prop_map(|(around, inner)| around.replace('#', &inner))
            .boxed();
        prop_oneof![1 => below.clone(), 2 => wrapped, 1 => of_two(&below)].boxed()
    });
    of_two(&vector)
}

fn of_two(operand: &Text) -> Text {
    (operand.clone(), operator(), operand.clone())
        .prop_map(|(lhs, op, rhs)| format!("({lhs}) {op} ({rhs})"))
        .boxed()
}

#[test]
fn joins_agree_with_the_oracle() {
    let cases = (some_data(), joins(true), frames());
    run_cases(4, &cases, |(data, text, frame)| agree(&data, &text, &frame));
}

#[test]
fn nobody_notices_what_is_not_read() {
    let (tried, narrowed) = (Cell::new(0), Cell::new(0));
    let cases = (some_data(), joins(false), frames());
    run_cases(4, &cases, |(data, text, frame)| {
        tried.set(tried.get() + 1);
        narrowed.set(narrowed.get() + u32::from(is_narrowed(&data, &text, &frame)));
        same_told(&data, &text, &frame)
    });
    let (tried, narrowed) = (tried.get(), narrowed.get());
    assert!(narrowed * NARROWED_SHARE > tried, "only {narrowed} of {tried} read less");
}

fn is_narrowed(data: &Data, text: &str, frame: &Frame) -> bool {
    let when = When::Over(frame.steps);
    let explained = engine(frame).explain(&source(data), text, when, false, &Limits::default());
    explained.is_ok_and(|explanation| reads_less(&explanation.plan))
}

fn reads_less(node: &PlanNode) -> bool {
    node.read_as.is_some() || node.children.iter().any(reads_less)
}

/// All that the user is told is the same over a source that promises nothing.
fn same_told(data: &Data, text: &str, frame: &Frame) -> TestCaseResult {
    let Steps { start, end, step_ms } = frame.steps;
    let range = |source: &dyn Source| {
        let answer = engine(frame).range(source, text, start, end, step_ms, &Limits::default());
        told(answer)
    };
    let instant =
        |source: &dyn Source| told(engine(frame).instant(source, text, start, &Limits::default()));
    let (telling, silent) = (source(data), Silent(source(data)));
    prop_assert_eq!(range(&telling), range(&silent), "{}", text);
    prop_assert_eq!(instant(&telling), instant(&silent), "{}", text);
    Ok(())
}

/// An answer in words.
fn told(answer: Result<Answer, QueryError>) -> Result<String, String> {
    let answer = answer.map_err(|error| error.to_string())?;
    let notes = format!("{:?} {:?}", answer.warnings, answer.infos);
    Ok(format!("{notes} {:?}", outcome(answer)))
}

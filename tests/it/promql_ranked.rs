//! `topk`, `bottomk`, `limitk` and `limit_ratio`: which of equal elements they choose is their own affair, so what they give is
//! checked instead of computed. Every element is one of the input, a group has as many as it should, none less extreme than
//! one that was left out; and what a ratio leaves out is what the ratio of the other sign gives.

use std::collections::BTreeMap;

use silverback::promql::ast::{ExprKind, Grouping, ValueType};
use silverback::promql::check::value_type;
use silverback::promql::parser::{ParseOptions, parse};

use crate::choices::Choices;
use crate::oracle::aggregate::key;
use crate::oracle::case::{Case, Frame};
use crate::oracle::compare::{expected, over_range};
use crate::oracle::data::source;
use crate::oracle::outcome::{Outcome, outcome, same_float, same_value};
use crate::oracle::value::{LabelMap, Value};
use crate::promql_oracle::run_cases;

const GROUPINGS: &[&str] = &["", " by (job)", " by (instance, job)", " without (job)", " by (k)"];

/// The input of an aggregation, a vector that is nothing to be in doubt about.
struct Input {
    case: Case,
    outcome: Outcome,
}

impl Input {
    fn of(bytes: &[u8]) -> Option<Input> {
        let case = Case::of(bytes);
        let frame = Frame { delayed_name_removal: false, ..case.frame.clone() };
        let case = Case { frame, ..case };
        let expr = parse(&case.text, &ParseOptions::all()).ok()?;
        if value_type(&expr) != ValueType::Vector {
            return None;
        }
        let expected = expected(&case.data, &expr, &case.frame, case.frame.steps);
        // The engine looks at some times that the oracle does not look at, and may fail there.
        if expected.doubtful || over_range(&source(&case.data), &case.text, &case.frame).is_err() {
            return None;
        }
        let outcome = expected.outcome.ok()?;
        Some(Input { case, outcome })
    }

    /// What the engine makes of an aggregation of the input.
    fn aggregated(&self, start: &str) -> Result<Outcome, String> {
        let text = format!("{start}{})", self.case.text);
        let got = over_range(&source(&self.case.data), &text, &self.case.frame);
        got.map(|got| outcome(&got)).map_err(|error| format!("{text}: {error}"))
    }
}

#[test]
fn what_is_ranked_is_what_is_most_extreme() {
    run_cases(4, |bytes| {
        let mut choices = Choices::of(bytes);
        let op = choices.word(&["topk", "bottomk", "limitk"]);
        let (k, grouping) = (choices.below(4), choices.word(GROUPINGS));
        let input = Input::of(bytes)?;
        let ranking = format!("{op}{grouping} ({k}, ");
        let grouping = grouping_of(&format!("{ranking}a)"));
        let flaw = match input.aggregated(&ranking) {
            Ok(got) => flaw(&ranking, k, &grouping, &input.outcome, &got),
            Err(error) => Some(error),
        };
        flaw.map(|flaw| format!("{ranking}: {flaw}\nin {}", input.case))
    });
}

#[test]
fn a_ratio_and_its_complement_are_everything_once() {
    run_cases(4, |bytes| {
        let mut choices = Choices::of(bytes);
        let (ratio, grouping) = (choices.below(9) as f64 / 8.0, choices.word(GROUPINGS));
        let input = Input::of(bytes)?;
        let chosen = |ratio: f64| input.aggregated(&format!("limit_ratio{grouping} ({ratio}, "));
        let flaw = match (chosen(ratio), chosen(ratio - 1.0), chosen(ratio / 2.0)) {
            (Ok(chosen), Ok(others), Ok(half)) => {
                let (chosen, others, half) =
                    (elements(&chosen), elements(&others), elements(&half));
                let all = elements(&input.outcome).len();
                let is_split = chosen.iter().all(|element| !others.contains(element));
                let is_half = half.iter().all(|element| chosen.contains(element));
                let is_none = ratio > 0.0 || chosen.is_empty();
                let is_whole = chosen.len() + others.len() == all;
                let is_right = is_split && is_half && is_none && is_whole;
                (!is_right).then(|| format!("{chosen:?} and {others:?}, {half:?}, of {all}"))
            }
            (a, b, c) => [a.err(), b.err(), c.err()].into_iter().flatten().next(),
        };
        flaw.map(|flaw| format!("{ratio}{grouping}: {flaw}\nin {}", input.case))
    });
}

fn elements(outcome: &Outcome) -> Vec<(&LabelMap, i64)> {
    let points = outcome.iter();
    points.flat_map(|(labels, points)| points.keys().map(move |time| (labels, *time))).collect()
}

fn grouping_of(text: &str) -> Grouping {
    match parse(text, &ParseOptions::all()).map(|expr| expr.kind) {
        Ok(ExprKind::Aggregate(aggregate)) => aggregate.grouping,
        other => panic!("{text} is no aggregation but {other:?}"),
    }
}

/// The elements at every time.
type AtTimes = BTreeMap<i64, BTreeMap<LabelMap, Value>>;

fn at_times(outcome: &Outcome) -> AtTimes {
    let mut times = AtTimes::new();
    for (labels, points) in outcome {
        for (time, value) in points {
            times.entry(*time).or_default().insert(labels.clone(), value.clone());
        }
    }
    times
}

fn flaw(
    ranking: &str,
    k: usize,
    grouping: &Grouping,
    input: &Outcome,
    got: &Outcome,
) -> Option<String> {
    let (input, mut got) = (at_times(input), at_times(got));
    for (time, elements) in input {
        let got = got.remove(&time).unwrap_or_default();
        for (labels, value) in &got {
            if !elements.get(labels).is_some_and(|one| same_value(one, value)) {
                return Some(format!("{labels:?} {value:?} at {time} is none of the elements"));
            }
        }
        let (elements, got) = (groups(ranking, grouping, elements), groups(ranking, grouping, got));
        for (group, values) in elements {
            let chosen = got.get(&group).map_or(&[][..], Vec::as_slice);
            let count = k.min(values.len());
            let same = values.iter().take(count).zip(chosen).all(|(a, b)| same_float(*a, *b));
            if chosen.len() != count || !same {
                return Some(format!("{group:?} at {time}: {chosen:?} are chosen of {values:?}"));
            }
        }
    }
    (!got.is_empty()).then(|| "elements at times without any".to_string())
}

/// What ranks, by group, the most extreme first and NaN last. For `limitk` everything does, and alike.
fn groups(
    ranking: &str,
    grouping: &Grouping,
    elements: BTreeMap<LabelMap, Value>,
) -> BTreeMap<LabelMap, Vec<f64>> {
    let mut groups: BTreeMap<LabelMap, Vec<f64>> = BTreeMap::new();
    for (labels, value) in elements {
        let rank = if ranking.starts_with("limitk") { Some(0.0) } else { value.float() };
        groups.entry(key(&labels, grouping)).or_default().extend(rank);
    }
    for values in groups.values_mut() {
        values.sort_by(|a, b| match (a.is_nan(), b.is_nan()) {
            (false, false) if ranking.starts_with("topk") => b.total_cmp(a),
            (false, false) => a.total_cmp(b),
            (a, b) => a.cmp(&b),
        });
    }
    groups
}

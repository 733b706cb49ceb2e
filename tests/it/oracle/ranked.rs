//! `topk`, `bottomk` and `limitk`: which of equal elements they choose is their own affair, so what they give is checked
//! instead of computed. Every element is one of the input, and a group has as many as it should, none less extreme than one
//! that was left out.

use std::collections::BTreeMap;

use proptest::prelude::*;
use silverback::promql::ast::{ExprKind, Grouping};
use silverback::promql::parser::{ParseOptions, parse};

use super::aggregate::key;
use super::value::{LabelMap, Value};
use super::{
    Frame, Outcome, Text, data, expected, frames, run_cases, same_float, same_value, vocabulary,
};
use crate::promql_generator::{vector_expr, word};

/// How deep what is ranked is nested.
const DEPTH: u32 = 2;

/// `topk by (i) (2, ` and the like, and the number in it.
fn ranking() -> BoxedStrategy<(String, usize)> {
    let op = word(&["topk", "bottomk", "limitk"]);
    let grouping = word(&["", " by (i)", " by (i, j)", " without (j)", " by (k)"]);
    (op, grouping, 0usize..4)
        .prop_map(|(op, grouping, k)| (format!("{op}{grouping} ({k}, "), k))
        .boxed()
}

fn inner() -> Text {
    vector_expr(&vocabulary(), DEPTH)
}

#[test]
fn what_is_ranked_is_what_is_most_extreme() {
    let cases = (data::data(), ranking(), inner(), frames());
    run_cases(4, &cases, |(data, (ranking, k), inner, frame)| {
        let frame = Frame { delayed_name_removal: false, ..frame };
        let inner = parse(&inner, &ParseOptions::all()).expect("what was generated parses");
        let input = expected(&data, &inner, &frame, frame.steps);
        let text = format!("{ranking}{inner})");
        let ranked = parse(&text, &ParseOptions::all()).expect("an aggregation of a vector parses");
        let ExprKind::Aggregate(aggregate) = &ranked.kind else { panic!("an aggregation") };
        let (Ok(input_outcome), false) = (&input.outcome, input.doubtful) else { return Ok(()) };
        let got = super::over_range(&data, &text, &frame);
        let got = got.map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        let flaw = flaw(&ranking, k, &aggregate.grouping, input_outcome, &got);
        prop_assert_eq!(flaw, None, "{}", text);
        Ok(())
    });
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

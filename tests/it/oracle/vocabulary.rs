//! What there is in [`super::data`], and a little that is not.

use super::extended::{ANCHORED, SMOOTHED};
use crate::choices::Choices;
use crate::promql_generator::{AGGREGATIONS, Vocabulary};

pub const VOCABULARY: Vocabulary = Vocabulary {
    series,
    label,
    matchers,
    info_matchers: |choices| {
        choices.word(&[
            "{version=~\".+\"}",
            "{version=~\".*\"}",
            "{version=\"2\"}",
            "{__name__=\"build_info\"}",
            "{__name__=~\".+_info\"}",
            "{__name__!=\"target_info\", version=~\".*\"}",
            "{k=~\".+\"}",
            "{__name__=\"h\"}",
        ])
    },
    number: |choices| choices.word(&["1", "0", "2", "0.5", "3", "10", "1m", "0.9", "NaN", "Inf"]),
    range: |choices| {
        choices.word(&[
            "1m",
            "30s",
            "95s",
            "12s",
            "step()",
            "max_of(step(), 45s)",
            "1m - 10s",
            "5m",
        ])
    },
    step: |choices| choices.word(&["", "", "", "10s", "7s", "25s", "1m / 4"]),
    offset: |choices| match choices.one_in(5) {
        false => String::new(),
        true => {
            choices.word(&[" offset 10s", " offset -25s", " offset (step() / 2)", " offset 1m"])
        }
    },
    at: |choices| match choices.one_in(6) {
        false => String::new(),
        true => choices.word(&[" @ 100", " @ 33.3", " @ start()", " @ end()", " @ -5"]),
    },
    extended: |choices| match choices.weighted(&[28, 4, 4, 1]) {
        0 => String::new(),
        1 => " smoothed".to_string(),
        2 => " anchored".to_string(),
        _ => choices.word(MISUSED),
    },
    is_extended: |function, modifier| match modifier {
        "smoothed" => function.is_empty() || SMOOTHED.contains(&function),
        "anchored" => ANCHORED.contains(&function),
        _ => true,
    },
    favourites: &[
        "histogram_fraction",
        "histogram_quantile",
        "histogram_quantiles",
        "increase",
        "info",
        "irate",
        "rate",
        "resets",
        "delta",
        "sum_over_time",
    ],
    buckets: |choices| {
        choices.word(&[
            "b_bucket",
            "rate(b_bucket[1m])",
            "sum by (le) (b_bucket)",
            "sum without (instance) (increase(b_bucket[95s]))",
            "{__name__=~\"h|b_bucket\"}",
            "h",
            "b_bucket smoothed",
            "b_bucket{le!=\"2.5\"} offset 10s",
        ])
    },
    aggregations: AGGREGATIONS,
};

/// Written like this they stand anywhere.
const MISUSED: &[&str] = &[" ANCHORED", " SMOOTHED"];

fn label(choices: &mut Choices<'_>) -> String {
    choices
        .word(&["instance", "job", "instance", "job", "le", "version", "k", "__name__", "__type__"])
}

fn matchers(choices: &mut Choices<'_>) -> String {
    choices.word(&[
        "instance=\"1\"",
        "job=\"2\"",
        "instance!=\"1\"",
        "job=~\"1|2\"",
        "instance=\"1\", job!~\"1\"",
        "k=\"\"",
        "le!=\"+Inf\"",
        "__type__!=\"gauge\"",
    ])
}

fn series(choices: &mut Choices<'_>) -> String {
    let names = [
        "a",
        "c",
        "c_total",
        "h",
        "b_bucket",
        "x",
        "a",
        "c",
        "c_total",
        "h",
        "b_bucket",
        "target_info",
        "build_info",
        "n",
    ];
    match choices.weighted(&[3, 2, 1]) {
        0 => choices.word(&names),
        1 => format!("{}{{{}}}", choices.word(&names), matchers(choices)),
        _ => choices.word(&[
            "{__name__=~\"a|c\", job=\"1\"}",
            "{instance=\"2\", __name__=\"c\"}",
            "{\"x\"}",
            "{__name__=~\"c.*\"}",
            "{job=\"1\"}",
        ]),
    }
}

//! The widest vocabulary of [`super::promql_generator`]: anything the parser takes, whether it makes sense or not.

use crate::choices::Choices;
use crate::promql_generator::{AGGREGATIONS, Vocabulary, type_of};

/// How deep durations are nested.
const RANGE_DEPTH: u32 = 3;
const OFFSET_DEPTH: u32 = 2;

pub const WIDE: Vocabulary = Vocabulary {
    series,
    label: |choices| {
        choices.word(&[
            "job",
            "instance",
            "le",
            "__name__x",
            "on",
            "group_left",
            "bool",
            "by",
            "\"a.b\"",
            "'küche'",
            "\"odd name\"",
            "`sum`",
            "offset",
        ])
    },
    matchers,
    info_matchers: |choices| format!("{{{}}}", matchers(choices)),
    number: |choices| {
        choices.word(&[
            "0",
            "1",
            "1.5",
            "1e3",
            "0x1F",
            "0X_a_b",
            "017",
            "1_000",
            "Inf",
            "nAn",
            "5m",
            "1h30m",
            ".5",
            "2.",
            "3.4e-9",
            "1E+2",
            "0.1_5",
            "1d",
            "7ms",
            "08",
            "1e308",
            "1y2w3d4h5m6s7ms",
        ])
    },
    range: |choices| duration(choices, RANGE_DEPTH),
    step: |choices| {
        if choices.one_in(2) { duration(choices, OFFSET_DEPTH) } else { String::new() }
    },
    offset,
    at: |choices| match choices.weighted(&[3, 1, 1]) {
        0 => String::new(),
        1 => {
            choices.word(&[" @ 1.5", " @ -10", " @ +0x10", " @1e3", " @ .0004", " @ 12345678901.5"])
        }
        _ => choices.word(&[" @ start()", " @END()", " @ Start ( )"]),
    },
    extended: |choices| choices.word(&["", "", "", " smoothed", " anchored", " SMOOTHED"]),
    is_extended: |_, _| true,
    favourites: &["rate", "info", "label_replace"],
    buckets: series,
    aggregations: AGGREGATIONS,
};

const METRICS: &[&str] = &[
    "up",
    "http_requests_total",
    "job:errors:rate5m",
    ":x",
    "sum",
    "by",
    "offset",
    "fill",
    "start",
    "end",
    "step",
    "min_of",
    "and",
    "anchored",
    "without",
    "_",
    "infinite",
    "nano",
];

fn series(choices: &mut Choices<'_>) -> String {
    match choices.weighted(&[3, 2, 1, 1]) {
        0 => choices.word(METRICS),
        1 => {
            let space = choices.word(&["", " "]);
            format!("{}{space}{{{}}}", choices.word(METRICS), matchers(choices))
        }
        2 => {
            let names = ["\"utf8.name\"", "'it''s'", "\"a\\\"b\\n\"", "`raw\\`", "\"日本\""];
            let names = names.map(|name| if is_name(name) { name } else { "\"x\"" });
            let (name, matchers) = (choices.word(&names), matchers(choices));
            match (matchers.is_empty(), choices.one_in(2)) {
                (true, _) => format!("{{{name}}}"),
                (false, true) => format!("{{{name}, {matchers}}}"),
                (false, false) => format!("{{{matchers}, {name},}}"),
            }
        }
        _ => {
            let matchers = matchers(choices);
            match matchers.is_empty() {
                true => "{job=~'.+'}".to_string(),
                false => format!("{{job=~'.+', {matchers}}}"),
            }
        }
    }
}

fn is_name(text: &str) -> bool {
    type_of(&format!("{{{text}}}")).is_some()
}

fn matchers(choices: &mut Choices<'_>) -> String {
    let mut matcher = || {
        let labels = ["job", "instance", "le", "on", "by", "sum", "'odd name'", "\"a.b\"", "`c`"];
        let values = [
            "\"a\"",
            "'b'",
            "``",
            "\"\\n\\\"\\x41\\u00e9\"",
            "\"a.*|b\"",
            "\"1\"",
            "'\\101\\U0001F600'",
        ];
        let op = ["=", "!=", "=~", "!~", " = ", " !~ "];
        choices.word(&labels) + &choices.word(&op) + &choices.word(&values)
    };
    let all: Vec<String> = vec![matcher(), matcher()];
    all[..choices.below(3)].join(", ")
}

fn offset(choices: &mut Choices<'_>) -> String {
    match choices.weighted(&[3, 1, 1]) {
        0 => String::new(),
        1 => choices.word(&[
            " offset 5m",
            " offset -1h30m",
            " offset +60",
            " offset step()",
            " offset -range()",
            " offset - min_of(step(), 1h)",
            " offset 0",
            " Offset 1.5",
            " offset (1h)",
        ]),
        _ => format!(" OFFSET -({})", duration(choices, OFFSET_DEPTH)),
    }
}

/// Arithmetic of durations; may be zero or negative for some steps.
fn duration(choices: &mut Choices<'_>, depth: u32) -> String {
    let leaves = ["5m", "1h", "300", "1.5", "0.0001", "step()", "RANGE()", "1d1ms", "0x10"];
    let below = match depth.checked_sub(1) {
        Some(below) if choices.one_in(2) => below,
        _ => return choices.word(&leaves),
    };
    let first = duration(choices, below);
    match choices.below(5) {
        0 => {
            let op = choices.word(&["+", "-", "*", "/", "%", "^"]);
            format!("{first} {op} {}", duration(choices, below))
        }
        1 => format!("max_of({first}, {})", duration(choices, below)),
        2 => format!("MIN_OF({first},{})", duration(choices, below)),
        3 => format!("({first})"),
        // Not before a bare literal, which would make a negative range.
        _ => format!("step() - -(+{first})"),
    }
}

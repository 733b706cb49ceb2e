//! In what Prometheus 2.42 and 3.x differ, as rules. A query whose answers differ must meet one of them, and the rule then
//! says what makes them equal: other words for 2.42, or a correction of its answer. Only where neither exists the
//! difference is excused.

use serde_json::Value;

/// One difference between the versions.
pub struct Rule {
    pub name: &'static str,
    pub why: &'static str,
    /// Which queries meet it.
    pub applies: fn(&str) -> bool,
    pub remedy: Remedy,
}

/// What is done about it.
pub enum Remedy {
    /// 2.42 is asked this instead.
    OtherWords(fn(&str) -> String),
    /// 2.42's `data` is changed to what 3.x would say.
    Correction(fn(&mut Value)),
    /// The answers differ in a way that cannot be told from outside.
    Excuse,
}

pub const RULES: &[Rule] = &[
    Rule {
        name: "left-open ranges",
        why: "a sample at the left edge of a range or of a subquery counts in 2.42 and does not in 3.x",
        applies: |query| query.contains("edge") && query.contains('[') && !extrapolates(query),
        remedy: Remedy::OtherWords(without_left_edges),
    },
    Rule {
        name: "left-open ranges of rates",
        why: "as above; a shorter range would change the extrapolation, too",
        applies: |query| query.contains("edge") && extrapolates(query),
        remedy: Remedy::Excuse,
    },
    Rule {
        name: "left-open lookback",
        why: "a sample exactly as old as the lookback delta is found in 2.42 and not in 3.x",
        applies: |query| listed(LOOKBACK, query).is_some(),
        remedy: Remedy::OtherWords(|query| other_words(LOOKBACK, query)),
    },
    Rule {
        name: "dot matches all",
        why: "`.` of a regular expression matches a line break in 3.x only",
        applies: |query| listed(DOT_ALL, query).is_some(),
        remedy: Remedy::OtherWords(|query| other_words(DOT_ALL, query)),
    },
    Rule {
        name: "words of 3.x",
        why: "numbers as durations and durations as numbers, quoted names of metrics and labels, arithmetic of durations",
        applies: |query| listed(NEW_WORDS, query).is_some(),
        remedy: Remedy::OtherWords(|query| other_words(NEW_WORDS, query)),
    },
    Rule {
        name: "holt_winters",
        why: "is called double_exponential_smoothing in 3.x",
        applies: |query| query.contains("double_exponential_smoothing"),
        remedy: Remedy::OtherWords(|query| {
            query.replace("double_exponential_smoothing", "holt_winters")
        }),
    },
    Rule {
        name: "atan2 and names",
        why: "2.42 keeps the name of the metric, 3.x drops it",
        applies: |query| query.contains("atan2"),
        remedy: Remedy::Correction(drop_names),
    },
    Rule {
        name: "young counters",
        why: "where a counter begins near 0, far behind the left edge, 2.42 extrapolates to where it was 0, and 3.x no further than half of the distance between samples",
        applies: |query| query.contains("young_total") && extrapolates(query),
        remedy: Remedy::Excuse,
    },
    Rule {
        name: "cardinality before filters",
        why: "3.x refuses many-to-one matches whatever a comparison keeps of them, 2.42 only if it keeps more than one",
        applies: |query| COMPARISONS.iter().any(|op| query.contains(op)),
        remedy: Remedy::OtherWords(without_comparisons),
    },
    Rule {
        name: "deviations of what is not finite",
        why: "a group whose first element is infinite or NaN has a deviation of NaN in 3.x, and of 0 in 2.42 if there is no other",
        applies: |query| deviation(query).is_some(),
        remedy: Remedy::OtherWords(|query| {
            let name = deviation(query).unwrap_or_default();
            format!("{query} + 0 * {}", query.replacen(name, "sum", 1))
        }),
    },
    Rule {
        name: "compensated sums",
        why: "sum and avg keep the digits that floats cancel out in 3.x",
        applies: |query| query.contains("cancelling"),
        remedy: Remedy::Excuse,
    },
    Rule {
        name: "compensated sums that overflow",
        why: "are infinite in 3.x and NaN in 2.42",
        applies: |query| query.contains("huge") && query.contains("_over_time"),
        remedy: Remedy::Excuse,
    },
    Rule {
        name: "logarithms of subnormal numbers",
        why: "are wrong in Go's assembly for amd64",
        applies: |query| query.starts_with("ln(sub") || query.starts_with("log10(sub"),
        remedy: Remedy::Excuse,
    },
    Rule {
        name: "equal values in bottomk",
        why: "which of them remain follows from how the heap replaces its top, which has changed",
        applies: |query| query.starts_with("bottomk") && query.contains("odd"),
        remedy: Remedy::Excuse,
    },
    Rule {
        name: "names in UTF-8",
        why: "a label may be called anything in 3.x",
        applies: |query| query.contains("\"not a name\""),
        remedy: Remedy::Excuse,
    },
];

/// Queries and what 2.42 is asked instead.
pub type Words = [(&'static str, &'static str)];

pub const LOOKBACK: &Words = &[
    ("edge", "last_over_time(edge[299999ms])"),
    ("edge{case=\"ends\"} * 2", "last_over_time(edge{case=\"ends\"}[299999ms]) * 2"),
    ("count(edge)", "count(last_over_time(edge[299999ms]))"),
];

pub const DOT_ALL: &Words = &[
    ("multi_line{text=~\"one.two\"}", "multi_line{text=~\"(?s)one.two\"}"),
    ("multi_line{text!~\"one.two\"}", "multi_line{text!~\"(?s)one.two\"}"),
    ("multi_line{text=~\"o.*\"}", "multi_line{text=~\"(?s)o.*\"}"),
    (
        "label_replace(multi_line, \"new\", \"$1\", \"text\", \"one(.*)\")",
        "label_replace(multi_line, \"new\", \"$1\", \"text\", \"(?s)one(.*)\")",
    ),
];

pub const NEW_WORDS: &Words = &[
    ("temperature % 20s", "temperature % 20"),
    ("temperature + 1h30m", "temperature + 5400"),
    ("vector(5m)", "vector(300)"),
    ("avg_over_time(temperature[300])", "avg_over_time(temperature[5m])"),
    ("avg_over_time(temperature[90.5])", "avg_over_time(temperature[90500ms])"),
    ("temperature offset 60", "temperature offset 1m"),
    ("max_over_time(temperature[600:60])", "max_over_time(temperature[10m:1m])"),
    ("max_over_time(temperature[2m * 3])", "max_over_time(temperature[6m])"),
    ("max_over_time(temperature[1m + 30s])", "max_over_time(temperature[90s])"),
    ("temperature offset (1h / 4)", "temperature offset 15m"),
    ("{\"temperature\"}", "{__name__=\"temperature\"}"),
    ("{\"temperature\", \"room\"=\"bath\"}", "temperature{room=\"bath\"}"),
    ("sum by (\"room\") (temperature)", "sum by (room) (temperature)"),
    ("1_000 * 2", "1000 * 2"),
];

fn listed(words: &Words, query: &str) -> Option<&'static str> {
    words.iter().find(|(ours, _)| *ours == query).map(|(_, theirs)| *theirs)
}

fn other_words(words: &Words, query: &str) -> String {
    listed(words, query).unwrap_or(query).to_string()
}

const COMPARISONS: [&str; 6] = [" == ", " != ", " < ", " <= ", " > ", " >= "];

/// Subtracts where it compares, which meets the same errors and no filter.
fn without_comparisons(query: &str) -> String {
    COMPARISONS.iter().fold(query.to_string(), |query, op| query.replace(op, " - "))
}

/// The deviation that a query consists of.
fn deviation(query: &str) -> Option<&'static str> {
    let is_first =
        |name: &&&str| query.strip_prefix(**name).is_some_and(|rest| rest.starts_with(['(', ' ']));
    ["stddev", "stdvar"].iter().find(is_first).copied()
}

/// Does it extrapolate to the edges of its range?
fn extrapolates(query: &str) -> bool {
    ["rate(", "increase(", "delta("].iter().any(|name| query.contains(name))
}

/// Every range a millisecond shorter; and of what a subquery evaluates, the lookback.
fn without_left_edges(query: &str) -> String {
    let looked_back = query.replace("(edge[", "(last_over_time(edge[5m])[");
    let query = if query.contains(':') { &looked_back } else { query };
    let mut parts = query.split('[');
    let mut out = parts.next().unwrap_or("").to_string();
    for part in parts {
        let end = part.find([':', ']']).unwrap_or(part.len());
        let (range, rest) = part.split_at(end);
        out += &format!("[{}ms{rest}", milliseconds(range) - 1);
    }
    out
}

/// A duration of one unit.
fn milliseconds(duration: &str) -> i64 {
    let digits = duration.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit_ms = match &duration[digits.len()..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        unit => unreachable!("no range of the edge queries has the unit {unit:?}"),
    };
    digits.parse().map_or(0, |count: i64| count * unit_ms)
}

fn drop_names(data: &mut Value) {
    for element in data["result"].as_array_mut().into_iter().flatten() {
        if let Some(labels) = element["metric"].as_object_mut() {
            labels.remove("__name__");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_lose_their_left_edge() {
        assert_eq!(without_left_edges("sum_over_time(edge[5m])"), "sum_over_time(edge[299999ms])");
        assert_eq!(
            without_left_edges("sum_over_time(edge[90s:15s])"),
            "sum_over_time(last_over_time(edge[299999ms])[89999ms:15s])"
        );
    }
}

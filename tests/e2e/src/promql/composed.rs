//! Nested expressions put together at random, the same in every run: what no list thinks of.

use super::samples::random;
use super::template::Family;
use crate::crash::Random;

pub const FAMILY: Family = Family::new("generated: composed", &[]);

const COUNT: u64 = 250;
const DEPTH: u32 = 3;

/// All of them.
pub fn queries() -> Vec<String> {
    (0..COUNT).map(|seed| vector(&mut random(seed + 1), DEPTH)).collect()
}

const LEAVES: &[&str] = &[
    "temperature",
    "temperature{floor=\"1\"}",
    "left",
    "right",
    "limit",
    "requests_total",
    "gappy",
    "stale",
    "flag",
    "odd",
    "bytes_total offset 2m",
    "node_load1",
    "node_cpu_seconds_total",
    "rate(requests_total[5m])",
    "increase(bytes_total[2m])",
    "avg_over_time(gappy[3m])",
    "vector(2)",
];
const FUNCTIONS: &[&str] = &[
    "abs(<v>)",
    "ceil(<v> / 7)",
    "floor(<v>)",
    "round(<v>, 0.25)",
    "sgn(<v>)",
    "sqrt(abs(<v>))",
    "clamp(<v>, 0, 100)",
    "-(<v>)",
    "timestamp(<v>)",
    "absent(<v>)",
    "vector(scalar(<v>))",
    "sort_desc(<v>)",
    "label_replace(<v>, \"x\", \"$1\", \"job\", \"(.).*\")",
    "label_join(<v>, \"joined\", \"/\", \"job\", \"x\", \"room\")",
    "max_over_time((<v>)[6m:90s])",
    "count_over_time((<v>)[5m:70s])",
    "last_over_time((<v>)[4m:50s] offset 1m)",
    "changes((<v>)[7m:61s])",
    "sum by (job, x, room) (<v>)",
    "avg without (instance, code, y) (<v>)",
    "min by (floor, mode) (<v>)",
    "max by (job, case) (<v>)",
    "count by (job, y) (<v>)",
    "group without (job, mode, cpu) (<v>)",
    "quantile by (job, x) (0.4, <v>)",
    "stddev by (y, room) (<v>)",
    "count_values by (job) (\"n\", round(<v>))",
    "(<v>) * 2 + 1",
    "(<v>) > 1",
    "(<v>) <= bool 3",
    "100 / (<v>)",
    "(<v>) % 5",
];
const OPERATORS: &[&str] = &[
    "(<v>) + (<w>)",
    "(<v>) - on (job, x, y, room, floor, case) (<w>)",
    "(<v>) * on (x) group_left (<w>)",
    "(<v>) / ignoring (code, mode) (<w>)",
    "(<v>) < (<w>)",
    "(<v>) >= bool on (job) (<w>)",
    "(<v>) and on (job, x) (<w>)",
    "(<v>) or (<w>)",
    "(<v>) unless on (x) (<w>)",
];

fn any(words: &'static [&'static str], random: &mut Random) -> &'static str {
    words[random.below(words.len() as u64) as usize]
}

fn vector(random: &mut Random, depth: u32) -> String {
    if depth == 0 {
        return any(LEAVES, random).to_string();
    }
    let operand = vector(random, depth - 1);
    match random.below(3) {
        0 => {
            // One side shallow: the answer of two deep ones is mostly empty.
            let other = vector(random, random_depth(depth));
            any(OPERATORS, random).replace("<v>", &operand).replace("<w>", &other)
        }
        _ => any(FUNCTIONS, random).replace("<v>", &operand),
    }
}

/// Less than `depth`, and at most one.
fn random_depth(depth: u32) -> u32 {
    (depth - 1).min(1)
}

//! Aggregations and their groups.

use super::super::template::Template;

const SIMPLE: &[&str] = &["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"];

pub const AGGREGATIONS: &[Template] = &[
    Template(
        "<op> <by> (<v>)",
        &[
            ("op", SIMPLE),
            (
                "by",
                &[
                    "",
                    "by (job)",
                    "without (instance)",
                    "by (code, nothing)",
                    "by ()",
                    "without ()",
                ],
            ),
            ("v", &["requests_total", "rate(requests_total[5m])"]),
        ],
    ),
    Template(
        "<op>(<v>) <by>",
        &[
            ("op", SIMPLE),
            ("v", &["temperature", "odd", "gappy", "stale"]),
            ("by", &["", "by (floor)", "by (case)", "without (room)"]),
        ],
    ),
    Template(
        "<op>(<v>)",
        &[
            ("op", SIMPLE),
            (
                "v",
                &[
                    "infinite",
                    "undefined",
                    "nothing",
                    "vector(3)",
                    "huge or infinite",
                    "constant",
                    "infinite{sign=\"+\"}",
                    "cancelling",
                    "huge",
                    "subnormal",
                ],
            ),
        ],
    ),
    Template(
        "<op> <by> (<k>, <v>)",
        &[
            ("op", &["topk", "bottomk"]),
            ("by", &["", "by (floor)", "without (room)", "by (job, code, case)"]),
            ("k", &["1", "2", "0", "-1", "1000", "scalar(constant{instance=\"a\"}) / 20"]),
            ("v", &["temperature", "rate(bytes_total[5m])", "odd"]),
        ],
    ),
    Template(
        "quantile <by> (<q>, <v>)",
        &[
            ("by", &["", "by (floor, job)", "without (room, code)"]),
            ("q", &["0", "0.5", "0.77", "1", "-1", "1.5", "NaN"]),
            ("v", &["temperature", "requests_total", "odd"]),
        ],
    ),
    Template(
        "count_values <by> (\"<label>\", <v>)",
        &[
            ("by", &["", "by (y)", "without (x)"]),
            ("label", &["value", "y"]),
            ("v", &["left", "left / 3", "constant", "odd", "right * 1e20"]),
        ],
    ),
    Template("<op> by (job) (<op> by (job, instance) (requests_total))", &[("op", SIMPLE)]),
    Template("<op> by (__name__) ({__name__=~\"left|right|limit\"})", &[("op", SIMPLE)]),
];

//! Binary operators and how their operands find each other.

use super::super::template::Template;

const OPERATORS: &[&str] = &["+", "-", "*", "/", "%", "^", "atan2"];
const COMPARED: &[&str] = &["==", "!=", "<", "<=", ">", ">="];

pub const ARITHMETIC: &[Template] = &[
    Template(
        "<a> <op> <b>",
        &[
            ("op", OPERATORS),
            ("a", &["temperature", "odd", "7", "-0.5"]),
            ("b", &["3", "0", "-2.5", "Inf", "constant{instance=\"c\"}"]),
        ],
    ),
    Template("<a> <op> odd", &[("op", OPERATORS), ("a", &["odd", "2.5", "-1", "NaN"])]),
    Template("<a> <op> right", &[("op", OPERATORS), ("a", &["left", "left offset 3m", "-left"])]),
    Template(
        "<text>",
        &[(
            "text",
            &[
                "1 + 2 * 3 ^ 2 ^ 0.5 % 5 - -4",
                "-2 ^ 2",
                "2 ^ -1",
                "-temperature ^ 2",
                "1 / 0 - 1 / 0",
                "-1 % 0",
                "5 % -3",
                "-5.5 % 3",
                "(1 > bool 2) + (2 >= bool 2) * 4",
                "1 == bool NaN",
                "NaN != bool NaN",
                "temperature * 2 + temperature / 3 - temperature",
                "(temperature - 20) ^ 3 / (temperature ^ 2 + 1)",
                "requests_total - requests_total offset 5m",
                "left + right * left - right",
            ],
        )],
    ),
];

pub const COMPARISONS: &[Template] = &[
    Template(
        "<a> <op> <b>",
        &[
            ("op", COMPARED),
            ("a", &["temperature", "left", "odd"]),
            (
                "b",
                &[
                    "21.5",
                    "2",
                    "NaN",
                    "bool 2",
                    "bool NaN",
                    "Inf",
                    "right",
                    "bool right",
                    "on (x, y) right",
                    "ignoring (y) limit",
                    "odd",
                ],
            ),
        ],
    ),
    Template(
        "<a> <op> left",
        &[("op", COMPARED), ("a", &["2", "2 + 1", "scalar(limit{x=\"1\"})"])],
    ),
    Template(
        "<a> <op> bool <b>",
        &[("op", COMPARED), ("a", &["1", "time()"]), ("b", &["1", "temperature", "1709166660.5"])],
    ),
    Template("temperature > 20 < 24 != 22", &[]),
    Template("(temperature > bool 20) == 1", &[]),
];

pub const MATCHING: &[Template] = &[
    Template(
        "<a> <op> <how> <b>",
        &[
            ("op", &["+", "<", "> bool", "atan2"]),
            (
                "how",
                &[
                    "",
                    "on (x, y)",
                    "ignoring (z)",
                    "on (x)",
                    "ignoring (y)",
                    "on ()",
                    "ignoring (x, y)",
                ],
            ),
            ("a", &["left"]),
            ("b", &["right", "left"]),
        ],
    ),
    Template(
        "left <op> <how> <b>",
        &[
            ("op", &["*", "-", "=="]),
            (
                "how",
                &[
                    "on (x) group_left",
                    "on (x) group_left ()",
                    "on (x) group_left (team)",
                    "ignoring (y, team) group_left (team)",
                    "on (x) group_left (y)",
                    "on (x) group_left (nothing, team)",
                    "on (x) group_right",
                ],
            ),
            ("b", &["owner", "limit", "double", "right"]),
        ],
    ),
    Template(
        "<a> <op> <how> left",
        &[
            ("op", &["/", ">="]),
            (
                "how",
                &[
                    "on (x) group_right",
                    "on (x) group_right (team)",
                    "ignoring (y, team, n) group_right",
                    "on (x) group_left",
                ],
            ),
            ("a", &["owner", "limit", "double"]),
        ],
    ),
    Template(
        "sum by (x) (left) <op> <b>",
        &[
            ("op", &["+", "*", "- on (x)", "/ ignoring (y)"]),
            ("b", &["limit", "sum by (x) (right)", "max by (x, y) (right)"]),
        ],
    ),
    Template(
        "<v>",
        &[(
            "v",
            &[
                "requests_total / on (job, instance) group_left bytes_total",
                "requests_total / ignoring (code) group_left sum without (code) (requests_total)",
                "rate(requests_total[5m]) * on (job) group_left (version) build_info",
                "build_info * on (job) group_right (version) bytes_total",
                "sum by (job, version) (rate(requests_total[5m]) * on (job) group_left (version) build_info)",
                "latency_seconds_sum / latency_seconds_count",
                "latency_seconds_bucket{le=\"0.5\"} / ignoring (le) latency_seconds_bucket{le=\"+Inf\"}",
                "left * on (x) group_left (team) (owner * 2)",
                "left + on (x, __name__) right",
                "left + ignoring (__name__) right",
                "left == on (x, y, __name__) left",
                "left - on (x, y) group_left (__name__) right",
                "gappy + on (case) (gappy offset 5m)",
                "stale * on () group_left vector(2)",
                "nothing + left",
                "left * nothing",
                "vector(1) + vector(2)",
                "sum(left) + sum(right)",
            ],
        )],
    ),
];

pub const SETS: &[Template] = &[
    Template(
        "<a> <op> <how> <b>",
        &[
            ("op", &["and", "or", "unless"]),
            ("how", &["", "on (x)", "on (x, y)", "ignoring (y)", "on ()", "ignoring (x, y)"]),
            ("a", &["left", "left > 1"]),
            ("b", &["right", "owner", "nothing"]),
        ],
    ),
    Template(
        "<a> <op> <b>",
        &[
            ("op", &["and", "or", "unless"]),
            ("a", &["stale", "nothing", "stale_total + 0"]),
            ("b", &["stale offset 10m", "on (case) gappy", "on (case) (gappy > 100)"]),
        ],
    ),
    Template(
        "<v>",
        &[(
            "v",
            &[
                "left or right or owner",
                "left unless right and owner",
                "left and on (x) (owner or limit) unless on (y) right{y=\"a\"}",
                "(left > 2) or (left <= 2) * 0",
                "(requests_total > 500100) or ignoring (code) bytes_total",
                "sum(left) or vector(0)",
                "sum(nothing) or vector(0)",
                "odd == odd or on (case) odd",
            ],
        )],
    ),
];

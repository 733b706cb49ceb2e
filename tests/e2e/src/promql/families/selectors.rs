//! Selectors with their modifiers, alone and in subqueries.

use super::super::template::Template;

/// Every series that stops, pauses or begins somewhere.
const GAPPY: &[&str] = &["gappy", "stale", "stale_total", "build_info", "young_total"];

pub const SELECTORS: &[Template] = &[
    Template("<m>", &[("m", GAPPY)]),
    Template(
        "<m>",
        &[("m", &["temperature", "odd", "requests_total", "constant", "flag", "nothing"])],
    ),
    Template(
        "temperature{<matcher>}",
        &[(
            "matcher",
            &[
                "room=\"bath\"",
                "room!=\"bath\"",
                "room=~\"b.*|office\"",
                "room!~\"b.*|office\"",
                "room=~\".*e.*\",floor=\"1\"",
                "room=\"bath\",room=~\"b.+\"",
                "cellar=\"\"",
                "cellar!=\"x\"",
                "floor=~\"[12]\",room!~\"\"",
                "room=~\"(?i:BATH)\"",
                "room=~\"ath\"",
                "floor=~\"\"",
                "room=~\"b\\\\w{3}\"",
                "room=~\"^bath$\"",
                "room=~\"bath|\"",
                "room=~'k[a-i]tch.n'",
                "room=`office`",
            ],
        )],
    ),
    Template(
        "{__name__=~\"<name>\",<matcher>}",
        &[
            ("name", &["temp.*", ".*(limit|owner)", "le.t|right"]),
            ("matcher", &["x!=\"3\"", "floor=~\"1?\"", "y=\"\""]),
        ],
    ),
    Template("<m> offset <o>", &[("m", GAPPY), ("o", &["1m", "5m", "-3m", "1h", "90s"])]),
    Template(
        "<m> @ <t>",
        &[
            ("m", &["gappy", "stale", "temperature"]),
            ("t", &["start()", "end()", "1709166600.25", "1709168400", "0", "-10"]),
        ],
    ),
    Template(
        "<m> <modifiers>",
        &[
            ("m", &["stale", "requests_total"]),
            (
                "modifiers",
                &[
                    "@ end() offset 10m",
                    "offset 10m @ end()",
                    "@ 1709166600 offset -5m",
                    "offset -5m @ start()",
                ],
            ),
        ],
    ),
    Template(
        "<f>(<m>[5m] @ <t>)",
        &[
            ("f", &["rate", "sum_over_time", "count_over_time"]),
            ("m", &["requests_total", "stale"]),
            ("t", &["end()", "start()", "1709167333.5"]),
        ],
    ),
    Template(
        "<f>(<m>[4m] offset <o>)",
        &[
            ("f", &["increase", "avg_over_time", "last_over_time"]),
            ("m", &["bytes_total", "gappy"]),
            ("o", &["2m", "-2m"]),
        ],
    ),
];

pub const RAW: &[Template] = &[
    Template(
        "<m>[<r>]",
        &[
            (
                "m",
                &[
                    "temperature",
                    "odd",
                    "gappy",
                    "stale",
                    "requests_total",
                    "multi_line",
                    "nothing",
                ],
            ),
            ("r", &["20s", "5m", "90m"]),
        ],
    ),
    Template(
        "<m>[7m] <modifier>",
        &[
            ("m", &["stale", "constant"]),
            ("modifier", &["offset 4m", "@ 1709167333.5", "@ end() offset -1m"]),
        ],
    ),
    Template(
        "<m>[10m:<s>]",
        &[
            ("m", &["temperature", "gappy", "stale", "rate(requests_total[2m])"]),
            ("s", &["", "30s", "97s"]),
        ],
    ),
    Template(
        "<text>",
        &[(
            "text",
            &[
                "\"text\"",
                "'it''s'",
                "`raw\\n`",
                "\"\\u00e4\\n\"",
                "1",
                "-1e3",
                "Inf",
                "-NaN",
                "0x1f",
                "1 > bool 2",
                "time()",
                "pi()",
            ],
        )],
    ),
];

pub const SUBQUERIES: &[Template] = &[
    Template(
        "<f>(<inner>[<r>])",
        &[
            (
                "f",
                &[
                    "max_over_time",
                    "sum_over_time",
                    "count_over_time",
                    "stddev_over_time",
                    "last_over_time",
                ],
            ),
            (
                "inner",
                &[
                    "gappy",
                    "rate(requests_total[3m])",
                    "sum by (job) (requests_total)",
                    "temperature > 20",
                ],
            ),
            ("r", &["10m:1m", "7m:45s", "12m:"]),
        ],
    ),
    Template(
        "<f>(<inner>[15m:31s])",
        &[
            ("f", &["rate", "deriv", "changes", "resets", "increase", "delta", "irate", "idelta"]),
            ("inner", &["stale_total", "sum(requests_total)", "-temperature"]),
        ],
    ),
    Template(
        "max_over_time(temperature[10m:50s] <modifier>)",
        &[(
            "modifier",
            &["offset 5m", "offset -5m", "@ end()", "@ start() offset -30m", "@ 1709167333.5"],
        )],
    ),
    Template(
        "<f>(sum_over_time(temperature[3m])[10m:70s])",
        &[("f", &["max_over_time", "avg_over_time"])],
    ),
    Template("min_over_time(max_over_time(rate(requests_total[2m])[301s:40s])[20m:130s])", &[]),
    Template(
        "sum_over_time(<inner>[6m:37s])",
        &[(
            "inner",
            &[
                "time()",
                "vector(1)",
                "timestamp(temperature)",
                "(gappy offset 2m)",
                "absent(stale{case=\"pause\"})",
                "(temperature @ end())",
            ],
        )],
    ),
    Template("quantile_over_time(0.3, (left - on (x, y) right)[9m:23s])", &[]),
];

//! Functions of ranges.

use super::super::template::Template;

pub const COUNTERS: &[Template] = &[
    Template(
        "<f>(<m>[<r>])",
        &[
            ("f", &["rate", "increase", "irate", "resets"]),
            ("m", &["requests_total", "bytes_total", "stale_total", "young_total"]),
            ("r", &["1m", "5m", "25m"]),
        ],
    ),
    Template(
        "<f>(latency_seconds_bucket[<r>])",
        &[("f", &["rate", "increase"]), ("r", &["2m", "10m"])],
    ),
    // A reset to a value that is NaN or infinite, a counter that falls below 0.
    Template("<f>(odd[6m])", &[("f", &["rate", "increase", "irate", "resets", "delta", "idelta"])]),
];

pub const GAUGES: &[Template] = &[
    Template(
        "<f>(<m>[<r>])",
        &[
            (
                "f",
                &[
                    "avg_over_time",
                    "min_over_time",
                    "max_over_time",
                    "sum_over_time",
                    "count_over_time",
                    "stddev_over_time",
                    "stdvar_over_time",
                    "last_over_time",
                    "present_over_time",
                    "changes",
                    "delta",
                    "idelta",
                    "deriv",
                ],
            ),
            ("m", &["temperature", "odd", "gappy", "stale", "constant"]),
            ("r", &["40s", "5m", "33m"]),
        ],
    ),
    Template(
        "<f>(<m>[4m])",
        &[
            (
                "f",
                &[
                    "avg_over_time",
                    "sum_over_time",
                    "max_over_time",
                    "stdvar_over_time",
                    "changes",
                    "deriv",
                    "delta",
                ],
            ),
            ("m", &["infinite", "undefined", "flag", "huge", "subnormal"]),
        ],
    ),
    Template(
        "quantile_over_time(<q>, <m>[7m])",
        &[
            ("q", &["0", "0.25", "0.5", "0.99", "1", "-1", "2", "NaN", "Inf"]),
            ("m", &["temperature", "odd", "gappy"]),
        ],
    ),
    Template(
        "predict_linear(<m>[9m], <t>)",
        &[
            ("m", &["temperature", "gappy", "constant", "odd"]),
            ("t", &["0", "600", "-60", "1e9", "time() - 1709164800"]),
        ],
    ),
    Template(
        "double_exponential_smoothing(<m>[<r>], <s>, <t>)",
        &[
            ("m", &["temperature", "gappy", "constant"]),
            ("r", &["2m", "11m"]),
            ("s", &["0.1", "0.9"]),
            ("t", &["0.05", "0.6"]),
        ],
    ),
];

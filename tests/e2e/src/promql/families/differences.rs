//! Queries that meet a difference between the versions on purpose.

use super::super::template::Template;

pub const NAMES: &[Template] = &[Template(
    "<a> atan2 <b>",
    &[("a", &["temperature", "2"]), ("b", &["2", "temperature", "on (room, floor) temperature"])],
)];

/// Asked at times at which the samples lie on the edges.
pub const EDGES: &[Template] = &[
    Template(
        "<f>(<m>[<r>])",
        &[
            (
                "f",
                &[
                    "count_over_time",
                    "sum_over_time",
                    "avg_over_time",
                    "changes",
                    "last_over_time",
                    "rate",
                    "increase",
                    "irate",
                ],
            ),
            ("m", &["edge", "edge_total"]),
            ("r", &["15s", "1m", "5m"]),
        ],
    ),
    Template(
        "<f>(edge[<r>])",
        &[
            ("f", &["count_over_time", "sum_over_time", "max_over_time"]),
            ("r", &["2m:15s", "5m:1m", "90s:30s"]),
        ],
    ),
];

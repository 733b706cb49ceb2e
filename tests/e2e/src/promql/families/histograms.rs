//! Quantiles of classic histograms, whole and with flaws.

use super::super::template::Template;

const QUANTILES: &[&str] = &[
    "0",
    "0.01",
    "0.5",
    "0.9",
    "0.999",
    "1",
    "-0.1",
    "1.1",
    "NaN",
    "scalar(constant{instance=\"c\"}) + 1",
];

pub const HISTOGRAMS: &[Template] = &[
    Template(
        "histogram_quantile(<q>, <v>)",
        &[
            ("q", QUANTILES),
            (
                "v",
                &[
                    "broken_bucket",
                    "latency_seconds_bucket",
                    "rate(latency_seconds_bucket[5m])",
                    "sum by (le) (rate(latency_seconds_bucket[5m]))",
                    "sum by (job, le) (increase(latency_seconds_bucket[20m]))",
                ],
            ),
        ],
    ),
    Template(
        "histogram_quantile(<q>, <v>)",
        &[
            ("q", &["0.3", "0.95"]),
            (
                "v",
                &[
                    "temperature",
                    "sum(latency_seconds_bucket)",
                    "avg without (instance) (latency_seconds_bucket)",
                    "latency_seconds_bucket{le=~\"0.1|1|.Inf\"}",
                    "latency_seconds_bucket{le!=\"+Inf\"}",
                    "label_replace(latency_seconds_bucket, \"le\", \"0.5\", \"le\", \"0.1\")",
                    "-latency_seconds_bucket",
                    "latency_seconds_bucket * 0",
                    "latency_seconds_bucket offset 20m",
                    "nothing",
                ],
            ),
        ],
    ),
    Template(
        "rate(latency_seconds_sum[<r>]) / rate(latency_seconds_count[<r>])",
        &[("r", &["3m", "30m"])],
    ),
    // What does the work of native histograms is for those only.
    Template("<f>(latency_seconds_bucket)", &[("f", &["histogram_count", "histogram_sum"])]),
    Template("histogram_fraction(0, 1, latency_seconds_bucket{job=\"nobody\"})", &[]),
];

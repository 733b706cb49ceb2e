//! What dashboards ask of a host and its exporters, on the recording or its imitation.

use super::super::template::Template;

const NODE_COUNTERS: &[&str] = &[
    "node_cpu_seconds_total",
    "node_context_switches_total",
    "node_disk_read_bytes_total",
    "node_network_receive_bytes_total",
    "process_cpu_seconds_total",
    "go_gc_duration_seconds_count",
    "alertmanager_http_request_duration_seconds_count",
];
const NODE_GAUGES: &[&str] = &[
    "node_load1",
    "node_memory_MemAvailable_bytes",
    "node_filesystem_avail_bytes",
    "go_goroutines",
    "process_resident_memory_bytes",
    "scrape_duration_seconds",
    "up",
];

pub const QUERIES: &[Template] = &[
    Template(
        "<f>(<m>[<r>])",
        &[
            ("f", &["rate", "increase", "irate", "resets"]),
            ("m", NODE_COUNTERS),
            ("r", &["1m", "5m", "10m"]),
        ],
    ),
    Template(
        "<f>(<m>[5m])",
        &[
            (
                "f",
                &[
                    "avg_over_time",
                    "max_over_time",
                    "min_over_time",
                    "sum_over_time",
                    "stddev_over_time",
                    "count_over_time",
                    "changes",
                    "delta",
                    "deriv",
                ],
            ),
            ("m", NODE_GAUGES),
        ],
    ),
    Template(
        "<op> by (<by>) (<v>)",
        &[
            ("op", &["sum", "avg", "max", "count", "stddev"]),
            ("by", &["job", "instance, mode", "cpu"]),
            ("v", &["rate(node_cpu_seconds_total[4m])", "go_goroutines", "go_gc_duration_seconds"]),
        ],
    ),
    Template(
        "histogram_quantile(<q>, <v>)",
        &[
            ("q", &["0.5", "0.95", "0.999"]),
            (
                "v",
                &[
                    "rate(alertmanager_http_request_duration_seconds_bucket[5m])",
                    "rate(prometheus_remote_storage_sent_batch_duration_seconds_bucket[10m])",
                    "sum by (le) (rate(prometheus_remote_storage_sent_batch_duration_seconds_bucket[10m]))",
                    "prometheus_remote_storage_sent_batch_duration_seconds_bucket",
                ],
            ),
        ],
    ),
    Template(
        "<v>",
        &[(
            "v",
            &[
                "100 - avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[5m])) * 100",
                "1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes",
                "node_filesystem_avail_bytes / node_filesystem_size_bytes < 0.2",
                "predict_linear(node_filesystem_avail_bytes[1h], 4 * 3600) < 0",
                "topk(3, sum by (mode) (rate(node_cpu_seconds_total[10m])))",
                "sum by (mode) (rate(node_cpu_seconds_total[5m])) / ignoring (mode) group_left sum(rate(node_cpu_seconds_total[5m]))",
                "node_load1 / on (instance) count by (instance) (node_cpu_seconds_total{mode=\"idle\"})",
                "up * on (instance) group_left (nodename) node_uname_info",
                "time() - node_boot_time_seconds",
                "quantile_over_time(0.95, scrape_duration_seconds[30m])",
                "max_over_time(sum(rate(node_cpu_seconds_total{mode!=\"idle\"}[2m]))[20m:40s])",
                "sum(rate(node_network_receive_bytes_total[5m])) by (device) + sum(rate(node_network_transmit_bytes_total[5m])) by (device)",
                "rate(alertmanager_http_request_duration_seconds_sum[5m]) / rate(alertmanager_http_request_duration_seconds_count[5m])",
                "count({job=~\".+\"}) by (job)",
                "count by (__name__) ({job=\"node\"})",
                "avg_over_time(up[30m]) < 1",
                "go_gc_duration_seconds{quantile=\"1\"} > on (instance) group_left go_gc_duration_seconds{quantile=\"0.5\"} * 3",
                "sum without (cpu, mode) (node_cpu_seconds_total) unless on (instance) (up == 0)",
                "label_replace(up, \"port\", \"$1\", \"instance\", \".*:(.*)\")",
                "rate(node_cpu_seconds_total[5m]) > bool 0.5",
                "stdvar by (job) (process_resident_memory_bytes)",
            ],
        )],
    ),
];

//! Text to checked tree: a name, a typical panel of a dashboard, the same with a regular expression, a long alerting
//! rule, and the longest chain that is allowed.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use silverback::promql::parser::{ParseOptions, parse};

const SHORT: &str = "node_load1";

const DASHBOARD: &str = "sum by (instance, mode) (rate(node_cpu_seconds_total{job=\"node\", mode!=\"idle\"}[5m])) \
     / on (instance) group_left () count by (instance) (node_cpu_seconds_total{job=\"node\", mode=\"idle\"})";

const REGEX: &str = "histogram_quantile(0.99, sum by (le) \
     (rate(http_request_duration_seconds_bucket{job=~\"api|web|batch\", code!~\"5..\"}[5m])))";

fn alert() -> String {
    let window = |range: &str| {
        format!(
            "sum(rate(http_requests_total{{job=\"api\", code=\"500\", cluster=\"eu-1\"}}[{range}])) \
             / sum(rate(http_requests_total{{job=\"api\", cluster=\"eu-1\"}}[{range}])) > (14.4 * 0.001)"
        )
    };
    let windows = ["5m", "30m", "1h", "2h", "6h", "1d", "3d", "1w"].map(window);
    windows.join(" and ")
}

fn parsing(c: &mut Criterion) {
    let options = ParseOptions::default();
    let alert = alert();
    let chain = format!("{}x", "x + ".repeat(1000));
    let texts = [
        ("short", SHORT),
        ("dashboard", DASHBOARD),
        ("regex", REGEX),
        ("alert", &alert),
        ("chain of 1000", &chain),
    ];
    for (name, text) in texts {
        c.bench_function(&format!("parse {name}, {} bytes", text.len()), |b| {
            b.iter(|| parse(black_box(text), &options));
        });
    }
}

criterion_group!(benches, parsing);
criterion_main!(benches);

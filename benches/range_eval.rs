//! Range queries over samples that cost nothing to read: what the engine itself takes. `sum by (job)(rate(m[5m]))` over
//! 10,000 series, an hour at 15 s steps, is the query of the project's target.

mod ready;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use silverback::model::Labels;
use silverback::promql::engine::{Engine, EngineOptions, Limits};
use silverback::sync::Arc;

use ready::{Ready, Samples};

const SERIES: usize = 10_000;
const JOBS: usize = 20;
const STEP_MS: i64 = 15_000;
const HOUR_MS: i64 = 3_600_000;
/// The hour and the five minutes before it that the first window needs.
const SAMPLES: usize = (HOUR_MS + 300_000) as usize / STEP_MS as usize + 1;

/// Counters that all have samples at the same times.
fn counters() -> Ready {
    let labels_of = |index: usize| {
        let (instance, job) = (format!("host-{index:05}:9100"), format!("job-{}", index % JOBS));
        let pairs = [
            ("__name__", "http_requests_total"),
            ("instance", &instance),
            ("job", &job),
            ("method", "GET"),
            ("code", "200"),
        ];
        Labels::from_pairs(pairs)
    };
    let timestamps: Vec<i64> = (0..SAMPLES as i64).map(|sample| sample * STEP_MS).collect();
    let timestamps = Arc::new(timestamps);
    let counter = |index: usize| {
        let mut value = index as f64;
        let next = |sample: usize| {
            value += ((index * 7 + sample * 13) % 50) as f64;
            value
        };
        Samples { timestamps: timestamps.clone(), values: (0..SAMPLES).map(next).collect() }
    };
    Ready::new((0..SERIES).map(labels_of).collect(), (0..SERIES).map(counter).collect())
}

fn range_eval(criterion: &mut Criterion) {
    let source = counters();
    let queries = [
        "sum by (job) (rate(http_requests_total[5m]))",
        "sum by (job) (http_requests_total)",
        "topk(10, rate(http_requests_total[5m]))",
        "rate(http_requests_total[5m]) / on (job) group_left sum by (job) (http_requests_total)",
        "quantile(0.9, rate(http_requests_total[5m]))",
    ];
    let mut group = criterion.benchmark_group("range_eval");
    group.sample_size(10);
    for threads in [1, 2] {
        let engine = Engine::new(EngineOptions { threads, ..EngineOptions::default() });
        for query in queries {
            group.bench_function(format!("{threads} threads: {query}"), |bencher| {
                bencher.iter(|| {
                    let end = 300_000 + HOUR_MS;
                    let limits = Limits::default();
                    let answer = engine.range(&source, query, 300_000, end, STEP_MS, &limits);
                    black_box(answer.expect("the query is valid"))
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, range_eval);
criterion_main!(benches);

//! Functions of range vectors over samples that cost nothing to read, on one thread: what a window takes. `max` around each
//! call, so that the making of the answer does not count.
//!
//! 1. `rate`, `increase` and `delta`, whose windows are done all at once, unless a counter was reset; where the windows lie
//!    and how they are stretched is found once for series that were scraped together, and for each series otherwise.
//! 2. Functions that keep what they know from window to window, over ranges of an hour.

mod ready;

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use silverback::model::Labels;
use silverback::promql::engine::{Engine, EngineOptions, Limits};
use silverback::sync::Arc;

use ready::{Ready, Samples};

const STEP_MS: i64 = 15_000;
const HOUR_MS: i64 = 3_600_000;
/// The hour that is asked for and the longest range before it.
const SAMPLES: usize = 2 * HOUR_MS as usize / STEP_MS as usize + 1;
/// A counter that is reset counts so many samples.
const LIFE_SAMPLES: usize = 50;

/// When the series have their samples.
#[derive(Clone, Copy)]
enum Times {
    /// All at the same times.
    Shared,
    /// Each a while after the one before it.
    Own,
}

/// Series with so many samples; `value` gives those of a series.
fn series(count: usize, times: Times, value: impl Fn(usize, usize) -> f64) -> Ready {
    let timestamps_of = |phase_ms: i64| -> Arc<Vec<i64>> {
        Arc::new((0..SAMPLES as i64).map(|sample| sample * STEP_MS - phase_ms).collect())
    };
    let shared = timestamps_of(0);
    let samples_of = |index: usize| Samples {
        timestamps: match times {
            Times::Shared => shared.clone(),
            Times::Own => timestamps_of(index as i64 * 37 % STEP_MS),
        },
        values: (0..SAMPLES).map(|sample| value(index, sample)).collect(),
    };
    let labels_of = |index: usize| {
        let instance = format!("host-{index:05}:9100");
        Labels::from_pairs([("__name__", "m_total"), ("instance", &instance)])
    };
    Ready::new((0..count).map(labels_of).collect(), (0..count).map(samples_of).collect())
}

fn steady(index: usize, sample: usize) -> f64 {
    (index + 25 * sample + index * sample % 25) as f64
}

fn with_resets(index: usize, sample: usize) -> f64 {
    steady(index, (index + sample) % LIFE_SAMPLES)
}

/// No order that a function could profit from.
fn gauge(index: usize, sample: usize) -> f64 {
    let mixed = ((index * SAMPLES + sample) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 40) as f64 / 1e3
}

/// An hour of a query, one step per sample.
fn over_an_hour(group: &mut BenchmarkGroup<'_, WallTime>, source: &Ready, name: &str, call: &str) {
    let engine = Engine::new(EngineOptions { threads: 1, ..EngineOptions::default() });
    let (query, limits) = (format!("max({call})"), Limits::default());
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            let answer = engine.range(source, &query, HOUR_MS, 2 * HOUR_MS, STEP_MS, &limits);
            black_box(answer.expect("the query is valid"))
        });
    });
}

fn short(group: &mut BenchmarkGroup<'_, WallTime>) {
    group.sample_size(10).warm_up_time(Duration::from_millis(500));
    group.measurement_time(Duration::from_secs(1));
}

fn whole(criterion: &mut Criterion) {
    const SERIES: usize = 1_000;
    let mut group = criterion.benchmark_group("whole");
    short(&mut group);
    let sources = [
        ("shared times", series(SERIES, Times::Shared, steady)),
        ("own times", series(SERIES, Times::Own, steady)),
        ("shared times, resets", series(SERIES, Times::Shared, with_resets)),
        ("own times, resets", series(SERIES, Times::Own, with_resets)),
    ];
    for function in ["rate", "increase", "delta"] {
        for (name, source) in &sources {
            let (name, call) = (format!("{function}: {name}"), format!("{function}(m_total[5m])"));
            over_an_hour(&mut group, source, &name, &call);
        }
    }
    group.finish();
}

fn sliding(criterion: &mut Criterion) {
    const SERIES: usize = 200;
    let mut group = criterion.benchmark_group("sliding");
    short(&mut group);
    let (gauges, counters) =
        (series(SERIES, Times::Shared, gauge), series(SERIES, Times::Shared, with_resets));
    for (source, call) in [
        (&gauges, "last_over_time(m_total[1h])"),
        (&gauges, "sum_over_time(m_total[1h])"),
        (&gauges, "avg_over_time(m_total[1h])"),
        (&gauges, "min_over_time(m_total[1h])"),
        (&gauges, "max_over_time(m_total[1h])"),
        (&gauges, "stddev_over_time(m_total[1h])"),
        (&gauges, "quantile_over_time(0.9, m_total[1h])"),
        (&gauges, "changes(m_total[1h])"),
        (&counters, "resets(m_total[1h])"),
        (&counters, "rate(m_total[1h])"),
    ] {
        over_an_hour(&mut group, source, call, call);
    }
    group.finish();
}

criterion_group!(benches, whole, sliding);
criterion_main!(benches);

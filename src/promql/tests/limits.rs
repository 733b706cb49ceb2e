//! Budgets, deadlines, cancelling, and independence of the number of threads.

use std::time::{Duration, Instant};

use super::{Fixture, load, options};
use crate::model::{Labels, Matcher, STALE_NAN_BITS, TimeRange};
use crate::promql::engine::{Engine, EngineOptions, Limits, Steps, When};
use crate::promql::query::column_cost;
use crate::promql::value::{Answer, QueryError, Value};
use crate::read::memory::MemorySource;
use crate::read::merge::MergeSource;
use crate::read::{Columns, Estimate, ReadError, SeriesSet, Source};
use crate::sync::{Arc, AtomicBool, AtomicU64, Ordering};

#[test]
fn samples_held_at_once_are_limited() {
    let mut f = load(10, &[("m", "1 2 3 4 5 6 7 8 9 10")]);
    f.options.samples_max = 12;
    assert_eq!(f.over([0, 50, 50], "sum_over_time(m[20s])").len(), 1);
    let too_many =
        |result: Result<_, QueryError>| matches!(result, Err(QueryError::TooManySamples));
    assert!(too_many(f.answer_over([0, 90, 1], "m")));
    assert!(too_many(f.answer_at(90, "count_over_time(m[1y:1ms])")));
    f.options.samples_max = 5;
    assert!(too_many(f.answer_at(90, "sum_over_time(m[2m])")));
    assert!(too_many(f.answer_at(90, "m[2m]")));
}

#[test]
fn the_results_of_a_join_count_as_they_appear() {
    // Two partners take turns, so that each of the three has two results; at the last step both are there.
    let mut f = load(
        10,
        &[
            ("m{i=\"1\"}", "1 2 3"),
            ("m{i=\"2\"}", "1 2 3"),
            ("m{i=\"3\"}", "1 2 3"),
            ("one{node=\"x\"}", "1 stale 1"),
            ("one{node=\"y\"}", "_ 1 1"),
        ],
    );
    let join = "count(m * on() group_left(node) one)";
    // Five columns of three steps for the operands, six for the results.
    f.options.samples_max = (5 + 6) * column_cost(3) as u64;
    assert!(f.error_over([0, 20, 10], join).contains("many-to-many"));
    f.options.samples_max -= 1;
    assert!(matches!(f.answer_over([0, 20, 10], join), Err(QueryError::TooManySamples)));
    // What a filter drops takes no room.
    f.options.samples_max = 6 * column_cost(2) as u64;
    assert!(f.over([0, 10, 10], "m < on() group_left(node) one").is_empty());
}

#[test]
fn the_budget_is_given_back() {
    let mut f = load(10, &[("m", "1 2 3 4 5 6 7 8 9 10")]);
    f.options.samples_max = 25_000;
    let sum = ["sum(count_over_time(m[90s:10ms]))"; 6].join(" + ");
    assert_eq!(f.at(90, &sum), ["{} 54000"]);
}

/// The number of result series under a budget, `None` if it does not suffice.
fn series_within(
    f: &mut Fixture,
    samples_max: u64,
    steps_s: [i64; 3],
    query: &str,
) -> Option<usize> {
    f.options.samples_max = samples_max;
    match f.answer_over(steps_s, query) {
        Ok(Answer { value: Value::Matrix(matrix), .. }) => Some(matrix.len()),
        Err(QueryError::TooManySamples) => None,
        other => panic!("{query}: {other:?}"),
    }
}

#[test]
fn distinct_values_cost_what_they_occur() {
    let mut f = load(10, &[]);
    let query = "count_values('v', vector(time()))";
    assert_eq!(series_within(&mut f, 1_000_000, [0, 11_000, 1], query), Some(11_001));
    assert_eq!(series_within(&mut f, 100_000, [0, 11_000, 1], query), None);
}

#[test]
fn scalars_are_held() {
    let mut f = load(10, &[]);
    let clamped = |times| {
        (0..times).fold("vector(1)".to_string(), |inner, _| format!("clamp_max({inner}, time())"))
    };
    assert_eq!(series_within(&mut f, 4_000, [0, 1_000, 1], &clamped(3)), Some(1));
    assert_eq!(series_within(&mut f, 4_000, [0, 1_000, 1], &clamped(10)), None);
}

#[test]
fn the_buckets_of_a_histogram_are_held() {
    let buckets: Vec<String> = (0..20).map(|le| format!("b{{le='{le}'}}")).collect();
    let series: Vec<(&str, &str)> = buckets.iter().map(|name| (name.as_str(), "1")).collect();
    let mut f = load(10, &series);
    let query = "histogram_quantile(0.9, b)";
    assert_eq!(series_within(&mut f, 2_000, [0, 100, 1], query), Some(1));
    assert_eq!(series_within(&mut f, 1_000, [0, 100, 1], query), None);
}

#[test]
fn a_kept_series_costs_more_than_its_values() {
    let mut f = load(10, &[]);
    f.source = many_series();
    f.options.samples_max = 30_000;
    assert_eq!(f.at(0, "sort(m_total)").len(), 1_000);
    f.options.samples_max = 10_000;
    assert!(matches!(f.answer_at(0, "sort(m_total)"), Err(QueryError::TooManySamples)));
}

/// A sample every ten seconds over five days, with a gap and staleness markers.
fn long_series() -> MemorySource {
    let mut source = MemorySource::new();
    for index in (0..43_200i64).filter(|index| !(20_000..23_000).contains(index)) {
        let stale = index % 1_000 == 999;
        let value = if stale { f64::from_bits(STALE_NAN_BITS) } else { (index * 7 % 1_001) as f64 };
        source.add(&Labels::from_pairs([("__name__", "m_total")]), index * 10_000, value);
    }
    source
}

const DAY_S: i64 = 86_400;

#[test]
fn a_long_series_need_not_fit_the_budget() {
    let mut f = load(10, &[]);
    f.source = long_series();
    f.options.samples_max = 5_000;
    let days = [DAY_S, 4 * DAY_S, DAY_S];
    assert_eq!(f.over(days, "m_total"), ["m_total 420@86400 840@172800 259@259200 679@345600"]);
    assert_eq!(
        f.over(days, "count_over_time(m_total[1m])"),
        ["{} 6@86400 6@172800 6@259200 6@345600"]
    );
    assert!(matches!(
        f.answer_over(days, "count_over_time(m_total[1d])"),
        Err(QueryError::TooManySamples)
    ));
}

#[test]
fn answers_do_not_depend_on_the_slices_read() {
    let mut f = load(10, &[]);
    f.source = long_series();
    let queries = [
        "m_total",
        "m_total offset 3h",
        "m_total @ 90000",
        "timestamp(m_total)",
        "m_total smoothed",
        "rate(m_total[7m])",
        "sum_over_time(m_total[6h])",
        "rate(m_total[1h] anchored)",
        "increase(m_total[20s] smoothed)",
        "sum_over_time(m_total[9h:13m])",
        "absent_over_time(m_total[10m])",
    ];
    for query in queries {
        let steps = [-DAY_S, 6 * DAY_S, 17 * 60];
        f.options.samples_max = 50_000_000;
        let whole = bits(f.answer_over(steps, query).unwrap().value);
        f.options.samples_max = 60_000;
        assert!(!whole.is_empty(), "{query}");
        assert_eq!(bits(f.answer_over(steps, query).unwrap().value), whole, "{query}");
    }
}

#[test]
fn long_steps_end_at_the_deadline() {
    let f = load(10, &[]);
    let engine = Engine::new(options());
    let queries = [
        (0, "sum_over_time(vector(1)[20000000s:1s])"),
        (0, "sum_over_time(vector(time() ^ 1.5)[20000000s:1s])"),
        (200, "mad_over_time(vector(1)[1000000s:1s])"),
        (0, "quantile_over_time(0.5, vector(1)[20000000s:1s])"),
    ];
    for (end_s, query) in queries {
        let started = Instant::now();
        let deadline = Some(started + Duration::from_millis(100));
        let limits = Limits { deadline, ..Limits::default() };
        let answer = engine.range(&f.source, query, 0, end_s * 1_000, 1_000, &limits);
        assert!(matches!(answer, Err(QueryError::Timeout)), "{query}");
        // The rest is for machines that do other things, too.
        assert!(started.elapsed() < Duration::from_secs(2), "{query}: {:?}", started.elapsed());
    }
}

/// Metrics about one target that come and go, so that every step has others of them; and series of that target.
fn ever_other_info() -> MemorySource {
    const METRICS: usize = 10;
    const SERIES: usize = 2_000;
    let mut source = MemorySource::new();
    for metric in 0..METRICS {
        let (name, label) = (format!("m{metric}_info"), format!("l{metric}"));
        let labels = Labels::from_pairs([("__name__", &*name), (&*label, "x"), ("job", "j")]);
        for step in 0..1i64 << METRICS {
            let is_there = step >> metric & 1 == 1;
            let value = if is_there { 1.0 } else { f64::from_bits(STALE_NAN_BITS) };
            source.add(&labels, step * 1_000, value);
        }
    }
    for index in 0..SERIES {
        let index = index.to_string();
        let labels = [("__name__", "m"), ("index", &*index), ("job", "j")];
        source.add(&Labels::from_pairs(labels), 0, 1.0);
    }
    source
}

#[test]
fn what_info_metrics_add_ends_at_the_deadline() {
    let (source, engine) = (ever_other_info(), Engine::new(options()));
    let started = Instant::now();
    let deadline = Some(started + Duration::from_millis(300));
    let limits = Limits { deadline, ..Limits::default() };
    // Two million series.
    let query = "info(m, {__name__=~'m.*_info'})";
    let answer = engine.range(&source, query, 0, 1_023_000, 1_000, &limits);
    assert!(matches!(answer, Err(QueryError::Timeout)), "{answer:?}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[test]
fn a_quantile_is_warned_of_by_its_extremes() {
    let f = load(10, &[("m", "1 2 3 4 5 6"), ("b{le='1'}", "1 1 1"), ("b{le='+Inf'}", "1 1 1")]);
    for call in ["quantile", "quantile_over_time", "histogram_quantile"] {
        let arg = match call {
            "quantile" => "m",
            "quantile_over_time" => "m[1m]",
            _ => "b",
        };
        let warnings = |phi: &str| {
            let answer = f.answer_over([0, 50, 1], &format!("{call}({phi}, {arg})")).unwrap();
            let told = |warning: String| {
                let (_, got) = warning.split_once("got ").expect("a value");
                got.split(' ').next().unwrap_or_default().to_string()
            };
            answer.warnings.into_iter().map(told).collect::<Vec<_>>()
        };
        assert_eq!(warnings("time() / 10 - 2"), ["-2", "3"], "{call}");
        assert_eq!(warnings("0 * time() / (time() - 7)"), ["NaN"], "{call}");
        assert!(warnings("time() / 50").is_empty(), "{call}");
    }
}

#[test]
fn a_deadline_and_a_cancelled_query_end_it() {
    let f = load(10, &[("m", "1 2 3")]);
    let engine = Engine::new(options());
    let late = Limits { deadline: Some(Instant::now()), ..Limits::default() };
    assert!(matches!(engine.instant(&f.source, "m", 0, &late), Err(QueryError::Timeout)));
    let canceled = Limits { canceled: Arc::new(AtomicBool::new(true)), ..Limits::default() };
    assert!(matches!(engine.instant(&f.source, "m", 0, &canceled), Err(QueryError::Canceled)));
}

#[test]
fn a_query_may_have_a_lookback_of_its_own() {
    let f = load(10, &[("m", "1")]);
    let engine = Engine::new(options());
    let short = Limits { lookback_delta_ms: Some(5_000), ..Limits::default() };
    let Ok(answer) = engine.instant(&f.source, "m", 5_000, &short) else { panic!() };
    assert!(matches!(answer.value, Value::Vector(vector) if vector.is_empty()));
}

#[test]
fn statistics_count_each_sample_once_and_each_use() {
    let f = load(10, &[("m", "1 2 3 4")]);
    let stats = f.answer_over([20, 30, 10], "sum_over_time(m[20s])").unwrap().stats;
    assert_eq!((stats.samples_read, stats.samples_queryable), (3, 4));
}

#[test]
fn samples_are_used_as_often_as_their_expression_stands_in_the_query() {
    let mut f = load(10, &[("m", "1 2 3 4"), ("n", "1 2 3 4")]);
    let stats = |f: &Fixture, query: &str, end_s: i64| {
        let limits = Limits { step_stats: true, ..Limits::default() };
        let engine = Engine::new(f.options.clone());
        let answer = engine.range(&f.source, query, 0, end_s * 1_000, 10_000, &limits);
        let stats = answer.unwrap_or_else(|error| panic!("{query}: {error}")).stats;
        let per_step = stats.samples_per_step.unwrap();
        assert_eq!(per_step.iter().map(|(_, used)| used).sum::<u64>(), stats.samples_queryable);
        (stats.samples_queryable, stats.samples_read)
    };
    let share = "sum(m) / (sum(m) + sum(n))";
    assert_eq!(stats(&f, share, 30), (4 + 4 + 4, 4 + 4));
    assert_eq!(stats(&f, &format!("({share}) * ({share})"), 30), (24, 8));
    // The samples of a subquery count where its windows lie.
    assert_eq!(stats(&f, "abs(m) + abs(m) + max_over_time(abs(m)[30s:10s])", 30).0, 4 + 4 + 9);
    // What is too much to keep is evaluated where it stands.
    f.source = many_series();
    let large = "(m_total * on() group_left() sum(m_total))";
    let once = stats(&f, large, 25_000).0;
    assert_eq!(stats(&f, &format!("{large} + {large}"), 25_000).0, 2 * once);
}

#[test]
fn what_one_thread_can_answer_many_can() {
    let source = many_series();
    let queries = [
        "sum by (job) (m_total)",
        "stddev by (job, instance) (m_total)",
        "count_values('v', m_total)",
        "quantile by (job) (0.5, m_total)",
        "topk(3, m_total)",
        "m_total * 2",
    ];
    for query in queries {
        let answer = |threads, samples_max| {
            let engine = Engine::new(EngineOptions { threads, samples_max, ..options() });
            let answer = engine.range(&source, query, 0, 300_000, 15_000, &Limits::default());
            answer.unwrap_or_else(|error| panic!("{query}, {threads} threads: {error}"))
        };
        let unlimited = answer(1, 50_000_000);
        let alone = answer(1, unlimited.stats.samples_peak);
        let many = answer(32, alone.stats.samples_peak.max(unlimited.stats.samples_peak));
        assert_eq!(many.stats.samples_read, alone.stats.samples_read, "{query}");
        assert_eq!(bits(many.value), bits(alone.value), "{query}");
    }
}

#[test]
fn what_is_read_again_is_measured_once() {
    let source = many_series();
    // Each thread holds the samples of a series: two at once are over the budget.
    let query = "absent(sum_over_time(m_total[5m:1s]))";
    let steps = When::Over(Steps { start: 0, end: 300_000, step_ms: 15_000 });
    let explained = |threads, samples_max| {
        let engine = Engine::new(EngineOptions { threads, samples_max, ..options() });
        let explanation = engine.explain(&source, query, steps, true, &Limits::default()).unwrap();
        let stats = explanation.stats.unwrap();
        assert_eq!(explanation.plan.measured.unwrap().samples, stats.samples_read);
        stats
    };
    let alone = explained(1, 50_000_000);
    let many = explained(32, alone.samples_peak);
    assert_eq!(many.samples_read, alone.samples_read);
}

/// More series than fit one chunk of work.
fn many_series() -> MemorySource {
    let mut source = MemorySource::new();
    for index in 0..1_000u32 {
        let (instance, job) = (index.to_string(), (index % 7).to_string());
        let pairs = [("__name__", "m_total"), ("instance", &instance), ("job", &job)];
        let labels = Labels::from_pairs(pairs);
        for step in 0..20 {
            let value =
                f64::from(index * 31 % 17) / 3.0 * f64::from(step) + f64::from(index) * 1e-7;
            source.add(&labels, i64::from(step) * 15_000, value);
        }
    }
    source
}

#[test]
fn answers_do_not_depend_on_the_number_of_threads() {
    let source = many_series();
    let queries = [
        "sum by (job) (rate(m_total[1m]))",
        "avg(m_total)",
        "stddev by (job) (m_total)",
        "topk(5, m_total)",
        "quantile by (job) (0.9, m_total)",
        "m_total / on (job) group_left sum by (job) (m_total)",
        "m_total and on (job) m_total{instance=~'1.*'} or m_total{job='3'}",
        "scalar(m_total{instance='7'}) + sum(m_total)",
        "count_values('v', round(m_total))",
        "absent(m_total > 1e9)",
    ];
    for query in queries {
        let answers = [1, 2, 4].map(|threads| {
            let engine = Engine::new(EngineOptions { threads, ..options() });
            let answer = engine.range(&source, query, 0, 300_000, 15_000, &Limits::default());
            bits(answer.unwrap_or_else(|error| panic!("{query}: {error}")).value)
        });
        assert!(!answers[0].is_empty(), "{query}");
        assert_eq!(answers[0], answers[1], "{query}");
        assert_eq!(answers[0], answers[2], "{query}");
    }
}

fn bits(value: Value) -> Vec<(Labels, Vec<i64>, Vec<u64>)> {
    let Value::Matrix(matrix) = value else { panic!("not a matrix") };
    let series = matrix.into_iter().map(|series| {
        let bits = series.points.floats.iter().map(|value| value.to_bits()).collect();
        (series.labels, series.points.timestamps, bits)
    });
    series.collect()
}

#[test]
fn the_longest_chains_fit_the_stack() {
    let f = load(10, &[("a", "1 1"), ("b", "1 1")]);
    for operand in ["1", "a", "(a @ 0)", "sum(a)"] {
        let chain = format!("{}{operand}", format!("{operand}+").repeat(800));
        assert_eq!(f.over([0, 10, 10], &chain), ["{} 801@0 801@10"], "{operand}");
    }
    let nested = format!("{}a{}", "abs(".repeat(150), ")".repeat(150));
    assert_eq!(f.over([0, 10, 10], &nested), ["{} 1@0 1@10"]);
    let either = format!("{}a", "a or b or ".repeat(300));
    assert_eq!(f.over([0, 10, 10], &either), ["a 1@0 1@10"]);
}

/// A query over a limit of bytes: the text of its error, `None` if it has an answer.
fn over_bytes(f: &Fixture, change: impl Fn(&mut EngineOptions), query: &str) -> Option<String> {
    let mut options = f.options.clone();
    change(&mut options);
    let engine = Engine::new(options);
    let answer = engine.range(&f.source, query, 0, 300_000, 15_000, &Limits::default());
    let error = answer.err().map(|error| error.to_string());
    assert_eq!(engine.pool().reserved_bytes(), 0, "{query}");
    error
}

#[test]
fn label_sets_cost_bytes_wherever_they_are_made() {
    let mut f = load(10, &[]);
    f.source = many_series();
    let queries = [
        "label_replace(m_total, 'x', '$1', 'instance', '(.*)')",
        "sum by (instance) (m_total)",
        "abs(m_total)",
        "m_total * on (instance, job) m_total",
        "m_total and on (instance) m_total",
        "count_values('v', m_total)",
        "topk(3, m_total)",
    ];
    for query in queries {
        let limited = |memory_max_bytes| {
            over_bytes(&f, |options| options.memory_max_bytes = memory_max_bytes, query)
        };
        assert_eq!(limited(1 << 30), None, "{query}");
        // As much as the labels of the series take: about 150 bytes each.
        let error = limited(120_000).unwrap_or_else(|| panic!("{query} is within the limit"));
        assert!(error.contains("120000 bytes") && error.contains("--query.max-memory"), "{error}");
    }
    // An aggregation to few groups makes no label sets.
    let max = |options: &mut EngineOptions| options.memory_max_bytes = 120_000;
    assert_eq!(over_bytes(&f, max, "sum(m_total)"), None);
}

#[test]
fn label_sets_cost_bytes_as_often_as_they_are_kept() {
    let mut f = load(10, &[]);
    f.source = many_series();
    let peak_bytes = |f: &Fixture, query| f.answer_at(0, query).unwrap().stats.peak_bytes;
    let alone = peak_bytes(&f, "m_total");
    // A thousand label sets that share their text with those of the operand.
    assert!(peak_bytes(&f, "m_total or none") >= alone + 16_000);
    // With names that are dropped in the end only, all are made three times.
    let dropped = peak_bytes(&f, "abs(m_total)") - alone;
    let f = f.delayed();
    assert!(peak_bytes(&f, "abs(m_total)") >= alone + 2 * dropped);
}

#[test]
fn all_queries_share_a_budget() {
    let mut f = load(10, &[]);
    f.source = many_series();
    let limited = |options: &mut EngineOptions| options.memory_budget_bytes = 100_000;
    let error = over_bytes(&f, limited, "m_total").unwrap();
    assert!(error.contains("100000 bytes") && error.contains("--query.memory-budget"), "{error}");
    let engine = Engine::new(EngineOptions { memory_budget_bytes: 4 << 20, ..options() });
    let instant = || engine.instant(&f.source, "sort(m_total)", 0, &Limits::default());
    assert!(instant().is_ok());
    let other = engine.budget();
    let held = other.hold_bytes(4 << 20).unwrap();
    assert!(instant().unwrap_err().to_string().contains("--query.memory-budget"));
    drop(held);
    assert!(instant().is_ok());
}

#[test]
fn series_are_counted_over_all_selectors() {
    let mut f = load(10, &[]);
    f.source = many_series();
    let limited = |options: &mut EngineOptions| options.series_max = 1_500;
    assert_eq!(over_bytes(&f, limited, "sum(m_total)"), None);
    let error = over_bytes(&f, limited, "sum(m_total) + sum(m_total offset 5s)").unwrap();
    assert!(error.contains("1500 series") && error.contains("--query.max-series"), "{error}");
}

#[test]
fn a_budget_of_bytes_does_not_depend_on_the_number_of_threads() {
    let source = many_series();
    for query in
        ["sum by (job, instance) (m_total)", "quantile by (job) (0.5, m_total)", "m_total * 2"]
    {
        let answer = |threads, memory_max_bytes| {
            let engine = Engine::new(EngineOptions { threads, memory_max_bytes, ..options() });
            let answer = engine.range(&source, query, 0, 300_000, 15_000, &Limits::default());
            answer.unwrap_or_else(|error| panic!("{query}, {threads} threads: {error}"))
        };
        let alone = answer(1, 1 << 30);
        let many = answer(16, alone.stats.peak_bytes);
        assert_eq!(bits(many.value), bits(alone.value), "{query}");
    }
}

#[test]
fn every_operator_looks_whether_it_is_canceled() {
    let mut source = MemorySource::new();
    for index in 0..300u32 {
        let instance = index.to_string();
        let labels = Labels::from_pairs([("__name__", "m_total"), ("instance", &instance)]);
        (0..20).for_each(|step| source.add(&labels, step * 15_000, f64::from(index)));
    }
    let engine = Engine::new(options());
    for query in [
        "sum_over_time(m_total[1h:1ms])",
        "max_over_time(m_total[1m])",
        "sort(m_total)",
        "m_total + ignoring(x) m_total",
        "m_total + on(instance) group_left m_total",
        "topk(1, m_total)",
        "quantile(0.5, m_total)",
        "count_values('v', m_total)",
    ] {
        let canceled = Arc::new(AtomicBool::new(false));
        let limits = Limits { canceled: canceled.clone(), ..Limits::default() };
        let begun = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(2));
                canceled.store(true, Ordering::Relaxed);
            });
            // As often as it takes to be in the middle of it.
            loop {
                match engine.range(&source, query, 0, 10_000_000, 1_000, &limits) {
                    Ok(_) => {}
                    Err(QueryError::Canceled) => break,
                    Err(error) => panic!("{query}: {error}"),
                }
            }
        });
        assert!(begun.elapsed() < Duration::from_secs(5), "{query}: {:?}", begun.elapsed());
    }
}

#[test]
fn what_set_operators_and_sliding_windows_keep_is_held() {
    let mut f = load(10, &[]);
    f.source = many_series();
    // The presence of a thousand signatures, some 12 samples each, beside a column.
    assert!(f.answer_over([0, 300, 15], "sum(m_total and m_total)").is_ok());
    f.options.samples_max = 5_000;
    assert!(f.answer_over([0, 300, 15], "sum(m_total)").is_ok());
    let error = f.answer_over([0, 300, 15], "sum(m_total and m_total)").unwrap_err();
    assert!(matches!(error, QueryError::TooManySamples), "{error}");
    let windows = "sum_over_time(vector(1)[100000s:1s])";
    f.options.samples_max = 1_000_000;
    assert!(f.answer_over([0, 2, 1], windows).is_ok());
    // 100,000 samples and two presences and values of them, but not three times as much more.
    f.options.samples_max = 350_000;
    assert!(f.answer_at(0, windows).is_ok());
    assert!(f.answer_over([0, 2, 1], windows).is_err());
}

/// A source that counts how often the label sets of its selections are made.
struct Counted {
    inner: MemorySource,
    made: Arc<AtomicU64>,
}

struct CountedSet {
    inner: Box<dyn SeriesSet>,
    made: Arc<AtomicU64>,
}

impl Source for Counted {
    fn select(&self, m: &[Matcher], range: TimeRange) -> Result<Box<dyn SeriesSet>, ReadError> {
        let (inner, made) = (self.inner.select(m, range)?, self.made.clone());
        Ok(Box::new(CountedSet { inner, made }))
    }

    fn estimate(&self, m: &[Matcher], range: TimeRange) -> Result<Estimate, ReadError> {
        self.inner.estimate(m, range)
    }

    fn label_names(&self, m: &[Matcher], range: TimeRange) -> Result<Vec<String>, ReadError> {
        self.inner.label_names(m, range)
    }

    fn label_values(
        &self,
        name: &str,
        m: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, ReadError> {
        self.inner.label_values(name, m, range)
    }
}

impl SeriesSet for CountedSet {
    fn labels(&self) -> Result<&[Labels], ReadError> {
        self.made.fetch_add(1, Ordering::Relaxed);
        self.inner.labels()
    }

    fn len(&self) -> usize {
        self.inner.len()
    }

    fn read(&self, index: usize, range: TimeRange, out: &mut Columns) -> Result<(), ReadError> {
        self.inner.read(index, range, out)
    }
}

#[test]
fn a_merged_selection_is_refused_before_its_labels_are_made() {
    let made = Arc::new(AtomicU64::new(0));
    let counted = || Arc::new(Counted { inner: many_series(), made: made.clone() });
    let source = MergeSource::new(vec![counted(), counted(), counted()]);
    let answer = |change: &dyn Fn(&mut EngineOptions)| {
        made.store(0, Ordering::Relaxed);
        let mut options = options();
        change(&mut options);
        let engine = Engine::new(options);
        let answer = engine.instant(&source, "count(m_total)", 0, &Limits::default());
        assert_eq!(engine.pool().reserved_bytes(), 0);
        (answer.err().map(|error| error.to_string()), made.load(Ordering::Relaxed))
    };
    let (error, made) = answer(&|options| options.series_max = 999);
    assert!(error.unwrap().contains("--query.max-series") && made == 0);
    assert_eq!(answer(&|options| options.series_max = 1_000).0, None);
    // As much as the labels of one part take.
    let (error, made) = answer(&|options| options.memory_max_bytes = 120_000);
    assert!(error.unwrap().contains("--query.max-memory") && made == 1);
}

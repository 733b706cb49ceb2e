//! Calls: functions of windows, values, time, absence, order, classic histograms.

use std::time::{Duration, Instant};

use super::{Fixture, load};

fn counters() -> Fixture {
    load(10, &[("c_total{i=\"a\"}", "0 10 20 30 40 50 60"), ("g", "5 3 4 1 2 NaN 0")])
}

#[test]
fn range_functions_with_scalars_that_change() {
    let f = counters();
    assert_eq!(f.over([40, 60, 20], "rate(c_total[40s])"), ["{i=\"a\"} 1@40 1@60"]);
    let got = f.over([20, 40, 20], "quantile_over_time(time() / 40, g[30s])");
    assert_eq!(got, ["{} 4@20 4@40"]);
    assert_eq!(f.at(40, "predict_linear(c_total[40s], 10)"), ["{i=\"a\"} 50"]);
}

#[test]
fn smoothing_factors_matter_where_there_are_samples() {
    let f = counters();
    assert_eq!(
        f.error_at(40, "double_exponential_smoothing(c_total[1m], 0, 0.5)"),
        "invalid smoothing factor. Expected: 0 < sf < 1, got: 0.000000"
    );
    assert_eq!(
        f.error_at(0, "double_exponential_smoothing(c_total[1m], 0.5, -Inf)"),
        "invalid trend factor. Expected: 0 < tf < 1, got: -Inf"
    );
    assert!(f.at(500, "double_exponential_smoothing(c_total[1m], 0, 0.5)").is_empty());
    assert_eq!(f.at(40, "double_exponential_smoothing(c_total[1m], NaN, 0.5)"), ["{i=\"a\"} NaN"]);
    // Only from 1000 s on is the factor 1.
    let smoothed = "count(double_exponential_smoothing(c_total[1m], time() / 1000, 0.5))";
    assert_eq!(f.over([500, 2000, 500], smoothed), Vec::<String>::new());
    assert_eq!(f.over([50, 2050, 1000], smoothed), ["{} 1@50"]);
    assert!(f.error_over([0, 50, 10], smoothed).starts_with("invalid smoothing factor"));
}

#[test]
fn functions_of_native_histograms_pass_over_floats() {
    let f = load(10, &[("x", "1 2 3"), ("x_sum", "10 20 30")]);
    for name in ["sum", "count", "avg", "stddev", "stdvar"] {
        assert!(f.at(20, &format!("histogram_{name}(x)")).is_empty(), "{name}");
    }
    let either = "histogram_sum(rate(x[20s])) or rate(x_sum[20s])";
    assert_eq!(f.over([10, 20, 10], either), ["{} 1@10 1@20"]);
    let answer = f.answer_at(20, "histogram_sum(rate(x[20s]))").unwrap();
    assert!(answer.infos[0].contains("might not be a counter"), "{:?}", answer.infos);
}

#[test]
fn value_functions() {
    let f = counters();
    assert_eq!(f.at(10, "clamp(c_total, 2, 5)"), ["{i=\"a\"} 5"]);
    assert!(f.at(10, "clamp(c_total, 5, 2)").is_empty());
    assert_eq!(
        f.over([0, 20, 10], "clamp_max(c_total, time() - 5)"),
        ["{i=\"a\"} -5@0 5@10 15@20"]
    );
    assert_eq!(f.at(10, "round(c_total / 3)"), ["{i=\"a\"} 3"]);
    assert_eq!(f.at(10, "round(c_total / 3, 0.5)"), ["{i=\"a\"} 3.5"]);
    assert_eq!(f.at(3600, "hour()"), ["{} 1"]);
    assert_eq!(f.at(0, "hour(vector(7200))"), ["{} 2"]);
    assert_eq!(f.at(0, "max_of(2, 3) + min_of(2, 3) + pi() * 0"), ["5"]);
}

#[test]
fn timestamps() {
    let f = counters();
    assert_eq!(f.over([15, 25, 10], "timestamp(g)"), ["{} 10@15 20@25"]);
    assert_eq!(f.over([15, 25, 10], "timestamp((g))"), ["{} 10@15 20@25"]);
    assert_eq!(f.over([15, 25, 10], "timestamp(g + 0)"), ["{} 15@15 25@25"]);
    assert_eq!(f.over([0, 10, 10], "timestamp(g @ 25)"), ["{} 20@0 20@10"]);
}

#[test]
fn scalar_and_vector() {
    let f = counters();
    assert_eq!(f.at(10, "scalar(g)"), ["3"]);
    assert_eq!(f.at(10, "scalar({__name__=~'g|c_total'})"), ["NaN"]);
    assert_eq!(f.at(10, "scalar(nothing)"), ["NaN"]);
    assert_eq!(f.over([0, 10, 10], "vector(time())"), ["{} 0@0 10@10"]);
}

#[test]
fn absence() {
    let f = load(10, &[("m{a=\"x\"}", "1 stale _ 2")]);
    let got = f.over([0, 30, 10], "absent(m{a='x', b=~'.*', c!='z'})");
    assert_eq!(got, ["{a=\"x\"} 1@10 1@20"]);
    assert_eq!(f.at(0, "absent(m{a='y', a='z', d='e'})"), ["{d=\"e\"} 1"]);
    assert_eq!(f.at(0, "absent(sum(nothing{a='b'}))"), ["{} 1"]);
    assert!(f.at(0, "absent(m)").is_empty());
    let got = f.over([0, 30, 10], "absent_over_time(m{a='x'}[10s])");
    assert_eq!(got, ["{a=\"x\"} 1@10 1@20"]);
}

#[test]
fn order() {
    let f = load(10, &[("m{i=\"a10\"}", "3"), ("m{i=\"a9\"}", "NaN"), ("m{i=\"b\"}", "1")]);
    let values = |query| -> Vec<String> {
        f.at(0, query).iter().map(|line| line.rsplit(' ').next().unwrap().to_string()).collect()
    };
    assert_eq!(values("sort(m)"), ["1", "3", "NaN"]);
    assert_eq!(values("sort_desc(m)"), ["3", "1", "NaN"]);
    assert_eq!(values("sort_by_label(m, 'i')"), ["NaN", "3", "1"]);
    assert_eq!(values("sort_by_label_desc(m, 'i')"), ["1", "3", "NaN"]);
    let answer = f.answer_over([0, 10, 10], "sum(sort(m))").unwrap();
    assert_eq!(
        answer.warnings,
        [
            "PromQL warning: sort is ineffective for range queries since results are always ordered by labels (1:5)"
        ]
    );
}

#[test]
fn classic_histograms() {
    let f = load(
        10,
        &[
            ("h_bucket{le=\"1\", i=\"a\"}", "0 10"),
            ("h_bucket{le=\"2\", i=\"a\"}", "0 20"),
            ("h_bucket{le=\"+Inf\", i=\"a\"}", "0 20"),
            ("h_bucket{le=\"odd\", i=\"a\"}", "0 20"),
        ],
    );
    assert_eq!(f.at(10, "histogram_quantile(0.75, h_bucket)"), ["{i=\"a\"} 1.5"]);
    assert_eq!(
        f.over([0, 10, 10], "histogram_quantile(0.25, h_bucket)"),
        ["{i=\"a\"} NaN@0 0.5@10"]
    );
    assert_eq!(f.at(10, "histogram_fraction(1, 2, h_bucket)"), ["{i=\"a\"} 0.5"]);
    let got = f.at(10, "histogram_quantiles(h_bucket, 'q', 0.25, 1)");
    assert_eq!(got, ["{i=\"a\", q=\"0.25\"} 0.5", "{i=\"a\", q=\"1.0\"} 2"]);
    let warnings = f.answer_at(10, "histogram_quantile(0.75, h_bucket)").unwrap().warnings;
    assert_eq!(
        warnings,
        [
            "PromQL warning: bucket label \"le\" is missing or has a malformed value of \"odd\" for metric name \"h_bucket\" (1:26)"
        ]
    );
}

#[test]
fn a_quantile_may_change_from_step_to_step() {
    let f = load(
        10,
        &[("h_bucket{le=\"1\"}", "10 10 _ 10 10"), ("h_bucket{le=\"+Inf\"}", "10 10 _ 10 10")],
    );
    let query = "histogram_quantiles(h_bucket, 'q', 0.5 - time() % 20 / 40, 0.75)";
    let answer = f.over([0, 40, 10], query);
    assert_eq!(
        answer,
        [
            "{q=\"0.25\"} 0.25@10 0.25@30",
            "{q=\"0.5\"} 0.5@0 0.5@20 0.5@40",
            "{q=\"0.75\"} 0.75@0 0.75@10 0.75@20 0.75@30 0.75@40"
        ]
    );
}

#[test]
fn many_different_quantiles_cost_no_more_than_one() {
    let bounds = (1..200).map(|le| le.to_string()).chain(["+Inf".to_string()]);
    let buckets: Vec<String> = bounds.map(|le| format!("h_bucket{{le='{le}'}}")).collect();
    let values: Vec<String> = (1..=200).map(|count| count.to_string()).collect();
    let series = buckets.iter().zip(&values).map(|(name, value)| (name.as_str(), value.as_str()));
    let f = load(10, &series.collect::<Vec<_>>());
    let begun = Instant::now();
    let answer = f.over([0, 5_000, 1], "histogram_quantiles(h_bucket @ 0, 'q', time() / 5000)");
    assert_eq!((answer.len(), answer[1].as_str()), (5_001, "{q=\"0.0002\"} 0.04@1"));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn repairs_of_buckets_are_told_once() {
    let f = load(
        10,
        &[
            ("h_bucket{le=\"1\"}", "3 3"),
            ("h_bucket{le=\"2\"}", "1 2"),
            ("h_bucket{le=\"+Inf\"}", "5 5"),
        ],
    );
    let answer = f.answer_over([0, 10, 10], "histogram_quantile(0.5, h_bucket)").unwrap();
    assert_eq!(answer.infos.len(), 1);
    let info = &answer.infos[0];
    assert!(info.contains("for metric name \"h_bucket\", from buckets 2 to 2, with a max diff of 2, over 2 samples from 1970-01-01T00:00:00Z to 1970-01-01T00:00:10Z (1:25)"), "{info}");
}

#[test]
fn rates_of_what_looks_like_no_counter_are_told() {
    let f = load(10, &[("plain", "1 2 3"), ("c_total", "1 2 3")]);
    let infos = f.answer_at(20, "rate(plain[1m]) + rate(c_total[1m])").unwrap().infos;
    assert_eq!(
        infos,
        [
            "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"plain\" (1:6)"
        ]
    );
    assert!(f.answer_at(20, "rate(plain[5s])").unwrap().infos.is_empty());
}

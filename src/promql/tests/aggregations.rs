//! Aggregations: values, groups, choices per step.

use super::{Fixture, load};

fn fleet() -> Fixture {
    load(
        10,
        &[
            ("m{g=\"x\", i=\"1\"}", "1 10 stale"),
            ("m{g=\"x\", i=\"2\"}", "2 20 200"),
            ("m{g=\"x\", i=\"3\"}", "3 NaN 300"),
            ("m{g=\"y\", i=\"1\"}", "4 40 400"),
        ],
    )
}

#[test]
fn folds() {
    let f = fleet();
    let cases = [
        ("sum", ["6@0 NaN@10 500@20", "4@0 40@10 400@20"]),
        ("avg", ["2@0 NaN@10 250@20", "4@0 40@10 400@20"]),
        ("min", ["1@0 10@10 200@20", "4@0 40@10 400@20"]),
        ("max", ["3@0 20@10 300@20", "4@0 40@10 400@20"]),
        ("count", ["3@0 3@10 2@20", "1@0 1@10 1@20"]),
        ("group", ["1@0 1@10 1@20", "1@0 1@10 1@20"]),
        ("stdvar", ["0.6666666666666666@0 NaN@10 2500@20", "0@0 0@10 0@20"]),
    ];
    for (op, [x, y]) in cases {
        let got = f.over([0, 20, 10], &format!("{op} by (g) (m)"));
        assert_eq!(got, [format!("{{g=\"x\"}} {x}"), format!("{{g=\"y\"}} {y}")], "{op}");
    }
    assert_eq!(f.at(20, "stddev by (g) (m{g='x'})"), ["{g=\"x\"} 50"]);
}

#[test]
fn groups() {
    let f = fleet();
    assert_eq!(f.at(0, "sum(m)"), ["{} 10"]);
    assert_eq!(f.at(0, "sum without (i) (m)"), ["{g=\"x\"} 6", "{g=\"y\"} 4"]);
    assert_eq!(f.at(0, "sum by (i) (m)"), ["{i=\"1\"} 5", "{i=\"2\"} 2", "{i=\"3\"} 3"]);
    assert_eq!(f.at(0, "sum by (nothing) (m)"), ["{} 10"]);
    assert_eq!(f.at(0, "count by (__name__) (m)"), ["m 4"]);
    assert!(f.at(0, "sum(nothing)").is_empty());
    assert!(f.over([0, 20, 10], "count(m > 1000)").is_empty());
}

#[test]
fn sums_are_compensated_and_averages_survive_overflow() {
    let f = load(
        10,
        &[
            ("m{i=\"1\"}", "1e100 1.7e308"),
            ("m{i=\"2\"}", "1 1.7e308"),
            ("m{i=\"3\"}", "-1e100 1.7e308"),
        ],
    );
    assert_eq!(f.at(0, "sum(m)"), ["{} 1"]);
    assert_eq!(f.at(10, "sum(m)"), ["{} inf"]);
    let Some(average) = f.at(10, "avg(m)")[0].strip_prefix("{} ").map(str::to_string) else {
        panic!()
    };
    assert!((average.parse::<f64>().unwrap() / 1.7e308 - 1.0).abs() < 1e-12);
}

#[test]
fn topk_chooses_at_every_step() {
    let f = fleet();
    let got = f.over([0, 20, 10], "topk(1, m)");
    assert_eq!(got, ["m{g=\"y\", i=\"1\"} 4@0 40@10 400@20"]);
    let got = f.over([0, 20, 10], "topk by (g) (1, m{g='x'})");
    assert_eq!(got, ["m{g=\"x\", i=\"2\"} 20@10", "m{g=\"x\", i=\"3\"} 3@0 300@20"]);
    let got = f.over([0, 20, 10], "bottomk(1, m)");
    assert_eq!(got, ["m{g=\"x\", i=\"1\"} 1@0 10@10", "m{g=\"x\", i=\"2\"} 200@20"]);
    let got = f.over([0, 10, 10], "count(topk(scalar(m{g='x', i='1'}), m))");
    assert_eq!(got, ["{} 1@0 4@10"].map(String::from));
}

#[test]
fn topk_is_ordered_at_one_point_in_time() {
    let f = fleet();
    let got = f.at(0, "topk(3, m)");
    assert_eq!(got, ["m{g=\"y\", i=\"1\"} 4", "m{g=\"x\", i=\"3\"} 3", "m{g=\"x\", i=\"2\"} 2"]);
    // NaN comes last, in both directions.
    assert_eq!(f.at(10, "bottomk(9, m{g='x'})")[2], "m{g=\"x\", i=\"3\"} NaN");
    assert_eq!(f.at(10, "topk(9, m{g='x'})")[2], "m{g=\"x\", i=\"3\"} NaN");
    assert_eq!(f.at(0, "topk(-1, m)").len(), 0);
    assert_eq!(f.at(0, "topk(9e18, m)").len(), 4);
}

#[test]
fn a_k_that_is_no_number_of_elements_is_an_error() {
    let f = fleet();
    for op in ["topk", "bottomk", "limitk"] {
        let error = |k: &str| f.error_over([0, 10, 10], &format!("{op}({k}, m)"));
        assert_eq!(error("NaN"), "Parameter value is NaN");
        assert_eq!(error("Inf"), "Scalar value +Inf overflows int64");
        assert_eq!(error("1e20"), "Scalar value 1e+20 overflows int64");
        // The first step decides; k is below 1 at the first only.
        assert_eq!(error("1 / (time() - 10)"), "Scalar value +Inf overflows int64");
        assert_eq!(error("(time() - 5) * 1e30"), "Scalar value -5e+30 underflows int64");
        assert!(f.over([0, 10, 10], &format!("{op}(0.9, m)")).is_empty());
        assert!(f.at(0, &format!("{op}(-Inf, m)")).is_empty());
    }
    assert_eq!(f.error_at(0, "topk(NaN, nothing)"), "Parameter value is NaN");
}

#[test]
fn a_better_value_takes_the_place_of_the_first_of_the_worst() {
    let f = load(10, &[("x{i=\"1\"}", "1"), ("x{i=\"2\"}", "1"), ("x{i=\"3\"}", "2")]);
    assert_eq!(f.at(0, "topk(2, x)"), ["x{i=\"3\"} 2", "x{i=\"2\"} 1"]);
    assert_eq!(f.at(0, "bottomk(2, -x)"), ["{i=\"3\"} -2", "{i=\"2\"} -1"]);
    assert_eq!(f.at(0, "bottomk(2, x)"), ["x{i=\"1\"} 1", "x{i=\"2\"} 1"]);
}

#[test]
fn groups_come_in_the_order_of_their_first_present_member() {
    let f = load(
        10,
        &[
            ("m{a=\"1\", g=\"a\"}", "1 stale"),
            ("m{a=\"2\", g=\"b\"}", "2 2"),
            ("m{a=\"3\", g=\"a\"}", "3 3"),
        ],
    );
    let first = |time, query| f.at(time, query)[0].clone();
    for query in ["topk by (g) (1, m)", "limitk by (g) (9, m)", "limit_ratio by (g) (1, m)"] {
        assert!(first(0, query).contains("g=\"a\""), "{query}");
        assert!(first(10, query).contains("g=\"b\""), "{query}");
    }
}

#[test]
fn ratios_beyond_one_are_told_once_each() {
    let f = fleet();
    let answer = f.answer_over([0, 20, 10], "limit_ratio(time() - 10, m)").unwrap();
    assert_eq!(
        answer.warnings,
        [
            "PromQL warning: ratio value should be between -1 and 1, got -10, capping to -1 (1:13)",
            "PromQL warning: ratio value should be between -1 and 1, got 10, capping to 1 (1:13)"
        ]
    );
    let answer = f.answer_over([0, 20, 10], "limit_ratio(time(), m)").unwrap();
    assert_eq!(answer.warnings.len(), 1);
}

#[test]
fn equal_values_keep_the_order_of_the_vector() {
    let f = load(10, &[("m{i=\"1\"}", "7"), ("m{i=\"2\"}", "7"), ("m{i=\"3\"}", "7")]);
    for query in ["topk(2, m)", "bottomk(2, m)", "limitk(2, m)"] {
        assert_eq!(f.at(0, query), ["m{i=\"1\"} 7", "m{i=\"2\"} 7"], "{query}");
    }
}

#[test]
fn quantiles_count_values_and_limits() {
    let f = fleet();
    assert_eq!(f.over([0, 20, 10], "quantile(0.5, m{g='x'})"), ["{} 2@0 10@10 250@20"]);
    let got = f.at(0, "count_values by (g) ('v', m > bool 1)");
    assert_eq!(got, ["{g=\"x\", v=\"0\"} 1", "{g=\"x\", v=\"1\"} 2", "{g=\"y\", v=\"1\"} 1"]);
    let got = f.at(0, "count_values without (i) ('g', m * 0)");
    assert_eq!(got, ["{g=\"0\"} 4"]);
    let got = f.over([0, 20, 10], "count_values('v', m{i='3'} or m{g='y'})");
    assert_eq!(got[0], "{v=\"3\"} 1@0");
    let ratio = f.over([0, 20, 10], "count(limit_ratio(0.4, m) or limit_ratio(-0.6, m))");
    assert_eq!(ratio, ["{} 4@0 4@10 3@20"]);
    assert!(f.at(0, "limit_ratio(0.4, m) and limit_ratio(-0.6, m)").is_empty());
    let warnings = f.answer_at(0, "quantile(1.5, m)").unwrap().warnings;
    assert_eq!(
        warnings,
        ["PromQL warning: quantile value should be between 0 and 1, got 1.5 (1:10)"]
    );
    let warnings = f.answer_at(0, "limit_ratio(2, m)").unwrap().warnings;
    assert_eq!(
        warnings,
        ["PromQL warning: ratio value should be between -1 and 1, got 2, capping to 1 (1:13)"]
    );
}

#[test]
fn values_counted_without_the_label_of_the_result_are_one_group() {
    let f = load(10, &[("x{v='1'}", "1"), ("x{v='2'}", "2")]);
    assert_eq!(f.at(0, "count_values without (v) ('v', x)"), ["{} 2"]);
    assert_eq!(f.at(0, "count_values by (v) ('v', x)"), ["{v=\"1\"} 1", "{v=\"2\"} 1"]);
}

#[test]
fn values_that_come_and_go_are_counted_at_their_steps() {
    let f = load(10, &[("x{i='1'}", "1 _ 2"), ("x{i='2'}", "stale 2 1"), ("x{i='3'}", "2 1 1")]);
    let counts = f.over([0, 20, 10], "count_values('v', x)");
    assert_eq!(counts, ["{v=\"1\"} 1@0 2@10 2@20", "{v=\"2\"} 1@0 1@10 1@20"]);
}

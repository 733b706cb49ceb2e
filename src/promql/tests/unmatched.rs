//! Elements that meet no others: they are not read where that makes no difference, and heard out where it does.

use super::{Fixture, load};

const SERIES: [(&str, &str); 9] = [
    ("a{i=\"1\"}", "1 2 3 4"),
    ("a{i=\"2\"}", "1 2 3 4"),
    ("b_total{i=\"1\", j=\"1\"}", "1 2 3 4"),
    ("b_total{i=\"2\", j=\"1\"}", "1 2 3 4"),
    ("b_total{i=\"2\", j=\"2\"}", "1 2 3 4"),
    ("info{i=\"1\", v=\"x\"}", "1 1 1 1"),
    ("info{i=\"2\", v=\"y\"}", "1 1 1 1"),
    ("n1{i=\"3\"}", "1 2 3 4"),
    ("n2{i=\"3\"}", "1 2 3 4"),
];

fn samples_read(fixture: &Fixture, query: &str) -> u64 {
    let answer = fixture.answer_over([0, 30, 10], query);
    answer.unwrap_or_else(|error| panic!("{query}: {error}")).stats.samples_read
}

#[test]
fn what_meets_nothing_is_not_read() {
    let f = load(10, &SERIES);
    for (query, series) in [
        ("a{i='1'} + b_total", 0),
        ("a{i='1'} + on (i, j) a", 2),
        ("a{i='1'} / sum by (i) (b_total)", 2),
        ("a{i='1'} / sum by (i) (rate(b_total[20s]))", 2),
        ("sum by (i) (a) + sum by (i) (b_total{i='1'})", 2),
        ("a{i='1'} and on (i) b_total", 2),
        ("a unless on (i) b_total{i='1'}", 3),
        ("a{i='1'} unless on (i) b_total", 2),
        // Whether two of `info` have the same signature is told by their labels.
        ("a{i='1'} * on (i) group_left (v) info", 2),
        ("a * on (i) group_left (v) info{i='1'}", 2),
        ("a * on (i) group_left (v) info", 4),
    ] {
        assert_eq!(samples_read(&f, query), 4 * series, "{query}");
    }
}

#[test]
fn series_that_limitk_does_not_need_are_not_read() {
    let rows: Vec<String> = (0..40).map(|i| format!("m{{i=\"{i:02}\",g=\"{}\"}}", i % 2)).collect();
    let values = |i: usize| if i < 4 { "1 stale 1 1" } else { "1 1 1 1" };
    let series: Vec<(&str, &str)> =
        rows.iter().enumerate().map(|(i, row)| (row.as_str(), values(i))).collect();
    let f = load(10, &series);
    for (query, series) in [
        ("limitk(0, m)", 0),
        // The first two have nothing at one step. One series is looked at, then two.
        ("limitk(1, m)", 3),
        ("limitk(1, m{i!~\"0.\"})", 1),
        ("limitk by (g) (3, m)", 18),
        ("limitk(50, m)", 40),
        // Not all of these series may be the same without their names.
        ("limitk(1, abs({__name__=~\"m|n\"}))", 40),
    ] {
        assert_eq!(samples_read(&f, query), 4 * series, "{query}");
    }
    let lines = f.over([0, 30, 10], "limitk(1, m)");
    assert_eq!(lines.len(), 2, "{lines:?}");
}

#[test]
fn duplicates_are_found_all_the_same() {
    let f = load(10, &SERIES);
    for query in ["a{i='1'} * on (i) group_left (j) b_total", "a{i='1'} / on (i) b_total"] {
        assert!(f.error_at(0, query).contains("match group {i=\"2\"}"), "{query}");
    }
    assert!(f.at(0, "a{i='9'} * on (i) group_left (j) b_total").is_empty());
}

#[test]
fn series_that_become_the_same_are_an_error_wherever_they_are() {
    let f = load(10, &SERIES);
    for query in [
        "abs({__name__=~'n1|n2'}) + a",
        "a + abs({__name__=~'n1|n2'})",
        "abs({__name__=~'n1|n2'}) and a",
        "a{i='1'} and abs({__name__=~'n1|n2'})",
        "a{i='1'} unless rate({__name__=~'n1|n2'}[20s])",
        "a{i='1'} / sum by (i) (-{__name__=~'n1|n2'})",
        "(({__name__=~'n1|n2'} + 1) > 0) + on (i) group_left () a{i='1'}",
    ] {
        let error = f.error_at(20, query);
        assert_eq!(error, "vector cannot contain metrics with the same labelset", "{query}");
    }
    // A label of the metric makes series of one name the same without it.
    let f = load(
        10,
        &[
            ("a{i=\"1\"}", "1"),
            ("b{i=\"1\"}", "1"),
            ("b{i=\"2\", __type__=\"gauge\"}", "1"),
            ("b{i=\"2\", __type__=\"counter\"}", "1"),
        ],
    );
    for query in ["a{i='1'} / sum by (i) (abs(b))", "a{i='1'} + abs(b)", "abs(b) and a{i='1'}"] {
        assert!(f.error_at(0, query).contains("same labelset"), "{query}");
    }
    assert_eq!(f.at(0, "a{i='1'} + b"), ["{i=\"1\"} 2"]);
}

#[test]
fn what_there_is_to_tell_is_told() {
    let f = load(10, &SERIES);
    let query = "a{i='1'} / sum by (i) (rate(n1[20s]))";
    let infos = f.answer_at(30, query).unwrap().infos;
    assert_eq!(infos.len(), 1, "{infos:?}");
    assert!(infos[0].ends_with("\"n1\" (1:29)"), "{infos:?}");
    for query in ["a{i='1'} and rate(n1[20s])", "rate(n1[20s]) + a", "a + rate(n1[20s])"] {
        assert_eq!(f.answer_at(30, query).unwrap().infos.len(), 1, "{query}");
    }
}

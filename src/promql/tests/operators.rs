//! Arithmetic, comparison and set operators; matching per step.

use super::{Fixture, load};

fn requests() -> Fixture {
    load(
        10,
        &[
            ("errors{path=\"a\", code=\"500\"}", "1 2"),
            ("errors{path=\"a\", code=\"404\"}", "3 4"),
            ("errors{path=\"b\", code=\"500\"}", "5 6"),
            ("total{path=\"a\"}", "10 20"),
            ("total{path=\"b\"}", "50 60"),
            ("owner{path=\"a\", team=\"x\"}", "1 1"),
            ("owner{path=\"b\", team=\"y\"}", "1 1"),
        ],
    )
}

#[test]
fn scalars() {
    let f = requests();
    let cases = [
        ("1 + 2 * 3 ^ 2", "19"),
        ("-2 ^ 2", "-4"),
        ("-7 % 3", "-1"),
        ("1 / 0", "inf"),
        ("1 > bool 2", "0"),
        ("2 >= bool 2", "1"),
        ("1 atan2 1", "0.7853981633974483"),
        ("-(1 - 3)", "2"),
    ];
    for (query, want) in cases {
        assert_eq!(f.at(0, query), [want], "{query}");
    }
}

#[test]
fn vector_and_scalar() {
    let f = requests();
    assert_eq!(f.over([0, 10, 10], "total * 2").len(), 2);
    assert_eq!(f.over([0, 10, 10], "total{path='a'} * 2"), ["{path=\"a\"} 20@0 40@10"]);
    assert_eq!(f.over([0, 10, 10], "2 ^ total{path='a'}"), ["{path=\"a\"} 1024@0 1048576@10"]);
    assert_eq!(f.over([0, 10, 10], "-total{path='a'}"), ["{path=\"a\"} -10@0 -20@10"]);
    assert_eq!(f.over([0, 10, 10], "+total{path='a'}"), ["total{path=\"a\"} 10@0 20@10"]);
}

#[test]
fn trims_are_for_histograms() {
    let f = requests();
    for query in
        ["total </ 5", "5 </ total", "total </ total", "total </ on(path) group_right errors"]
    {
        let answer = f.answer_at(0, query).unwrap();
        assert!(super::lines(answer.value).is_empty(), "{query}");
        let info = "PromQL info: incompatible sample types encountered for binary operator \"</\": float </ float (1:1)";
        assert_eq!(answer.infos, [info], "{query}");
    }
    assert!(f.answer_at(0, "nothing >/ 5").unwrap().infos.is_empty());
    assert!(f.answer_at(0, "total >/ nothing").unwrap().infos.is_empty());
    assert_eq!(f.error_at(0, "1 >/ 2"), "operator \">/\" not allowed for Scalar operations");
}

#[test]
fn filters_keep_the_vector_s_value_and_name() {
    let f = requests();
    assert_eq!(f.over([0, 10, 10], "total{path='a'} > 15"), ["total{path=\"a\"} 20@10"]);
    assert_eq!(f.over([0, 10, 10], "15 < total{path='a'}"), ["total{path=\"a\"} 20@10"]);
    assert_eq!(f.over([0, 10, 10], "15 < bool total{path='a'}"), ["{path=\"a\"} 0@0 1@10"]);
}

#[test]
fn one_to_one() {
    let f = requests();
    let got = f.at(0, "errors{code='500'} / ignoring(code) total");
    assert_eq!(got, ["{path=\"a\"} 0.1", "{path=\"b\"} 0.1"]);
    let got = f.at(0, "errors{code='500'} / on(path) total");
    assert_eq!(got, ["{path=\"a\"} 0.1", "{path=\"b\"} 0.1"]);
    assert_eq!(f.at(0, "total > on(path) errors{code='404'}"), ["{path=\"a\"} 10"]);
    assert_eq!(f.at(0, "total > ignoring(code) errors{code='404'}"), ["total{path=\"a\"} 10"]);
    assert_eq!(f.at(0, "total > bool ignoring(code) errors{code='404'}"), ["{path=\"a\"} 1"]);
    assert_eq!(f.at(0, "total + on(__name__, path) total").len(), 2);
    assert!(f.at(0, "total + errors").is_empty());
}

#[test]
fn many_to_one_and_one_to_many() {
    let f = requests();
    let want = [
        "{code=\"404\", path=\"a\"} 0.3",
        "{code=\"500\", path=\"a\"} 0.1",
        "{code=\"500\", path=\"b\"} 0.1",
    ];
    assert_eq!(f.at(0, "errors / on(path) group_left total"), want);
    let got = f.at(0, "total / on(path) group_right errors{code='404'}");
    assert_eq!(got, ["{code=\"404\", path=\"a\"} 3.3333333333333335"]);
    let got = f.at(0, "total * on(path) group_left(team) owner");
    assert_eq!(got, ["{path=\"a\", team=\"x\"} 10", "{path=\"b\", team=\"y\"} 50"]);
    let got = f.at(0, "errors{path='b'} * on(path) group_left(code) total");
    assert_eq!(got, ["{path=\"b\"} 250"]);
}

#[test]
fn errors_of_matching() {
    let f = requests();
    assert_eq!(
        f.error_at(0, "total / on(path) errors"),
        "found duplicate series for the match group {path=\"a\"} on the right hand-side of the operation: \
         [{__name__=\"errors\", code=\"404\", path=\"a\"}, {__name__=\"errors\", code=\"500\", path=\"a\"}]\
         ;many-to-many matching not allowed: matching labels must be unique on one side"
    );
    assert!(
        f.error_at(0, "errors / on(path) group_right errors").contains("on the left hand-side")
    );
    assert_eq!(
        f.error_at(0, "errors / on(path) total"),
        "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
    );
    assert_eq!(
        f.error_at(0, "label_replace(errors, 'code', '', '', '') + on(path) group_left total"),
        "vector cannot contain metrics with the same labelset"
    );
}

#[test]
fn grouping_labels_must_ensure_unique_matches() {
    let f = load(10, &[("m{i=\"1\"}", "1"), ("m{i=\"2\"}", "2"), ("one{k=\"v\"}", "1")]);
    assert_eq!(
        f.error_at(0, "m * on() group_left(i) one"),
        "multiple matches for labels: grouping labels must ensure unique matches"
    );
}

#[test]
fn matches_are_checked_before_a_filter_drops_them() {
    let f = load(
        10,
        &[("a{i=\"1\", j=\"x\"}", "1"), ("a{i=\"2\", j=\"x\"}", "9"), ("b{j=\"x\", k=\"v\"}", "5")],
    );
    for op in [">", "<", "== bool", "=="] {
        assert_eq!(
            f.error_at(0, &format!("a {op} on(j) b")),
            "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
        );
        assert_eq!(
            f.error_at(0, &format!("a {op} on(j) group_left(i) b")),
            "multiple matches for labels: grouping labels must ensure unique matches"
        );
    }
    assert_eq!(f.at(0, "a > on(j) group_left(k) b"), ["a{i=\"2\", j=\"x\", k=\"v\"} 9"]);
}

#[test]
fn partners_that_take_turns_are_one_series() {
    // Two series of the one side with the same signature, never present together.
    let f = load(
        10,
        &[
            ("m{p=\"a\"}", "1 2 3 4"),
            ("info{p=\"a\", node=\"x\"}", "1 1 stale"),
            ("info{p=\"a\", node=\"y\"}", "_ _ 1 1"),
        ],
    );
    let got = f.over([0, 30, 10], "m * on(p) info");
    assert_eq!(got, ["{p=\"a\"} 1@0 2@10 3@20 4@30"]);
    let got = f.over([0, 30, 10], "m * on(p) group_left(node) info");
    assert_eq!(got, ["{node=\"x\", p=\"a\"} 1@0 2@10", "{node=\"y\", p=\"a\"} 3@20 4@30"]);
    let got = f.over([0, 30, 10], "info * on(p) m");
    assert_eq!(got, ["{p=\"a\"} 1@0 2@10 3@20 4@30"]);
}

#[test]
fn duplicates_count_only_where_both_sides_have_something() {
    let f = load(10, &[("m", "_ _ 7"), ("two{i=\"1\"}", "1 1 stale"), ("two{i=\"2\"}", "1 1 1")]);
    assert_eq!(f.over([0, 20, 10], "m * on() two"), ["{} 7@20"]);
    assert!(f.error_over([0, 20, 10], "vector(1) * on() two").contains("many-to-many"));
    assert!(f.over([0, 20, 10], "nothing * on() two").is_empty());
}

#[test]
fn set_operators_look_at_each_step() {
    let f = load(
        10,
        &[
            ("a{i=\"1\"}", "1 2 3"),
            ("a{i=\"2\"}", "4 5 6"),
            ("b{i=\"1\"}", "_ 1 stale"),
            ("b{i=\"3\"}", "9 9 9"),
        ],
    );
    assert_eq!(f.over([0, 20, 10], "a and b"), ["a{i=\"1\"} 2@10"]);
    let got = f.over([0, 20, 10], "a unless b");
    assert_eq!(got, ["a{i=\"1\"} 1@0 3@20", "a{i=\"2\"} 4@0 5@10 6@20"]);
    let got = f.over([0, 20, 10], "b or a");
    let want = [
        "a{i=\"1\"} 1@0 3@20",
        "a{i=\"2\"} 4@0 5@10 6@20",
        "b{i=\"1\"} 1@10",
        "b{i=\"3\"} 9@0 9@10 9@20",
    ];
    assert_eq!(got, want);
    assert_eq!(f.at(0, "a and on() b{i='1'}").len(), 0);
    assert_eq!(f.at(10, "a and on() b{i='1'}").len(), 2);
    assert_eq!(f.at(0, "a unless on() b{i='1'}").len(), 2);
    assert_eq!(f.at(0, "a{i='1'} or on() b"), ["a{i=\"1\"} 1"]);
    assert_eq!(f.over([0, 20, 10], "a > 2 or b")[2], "b{i=\"1\"} 1@10");
}

#[test]
fn fill_takes_the_place_of_a_missing_partner() {
    let f = load(
        10,
        &[
            ("l{k=\"a\"}", "1 stale"),
            ("l{k=\"b\"}", "2 2"),
            ("r{k=\"a\"}", "10 10"),
            ("r{k=\"c\"}", "30 30"),
        ],
    );
    let got = f.over([0, 10, 10], "l + fill(0) r");
    assert_eq!(got, ["{k=\"a\"} 11@0 10@10", "{k=\"b\"} 2@0 2@10", "{k=\"c\"} 30@0 30@10"]);
    assert_eq!(
        f.over([0, 10, 10], "l + fill_right(5) r"),
        ["{k=\"a\"} 11@0", "{k=\"b\"} 7@0 7@10"]
    );
    assert_eq!(f.at(0, "l + fill_left(5) nothing").len(), 0);
}

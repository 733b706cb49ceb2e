//! Selectors, modifiers of time, range vectors, subqueries.

use super::{Fixture, load};

fn counting() -> Fixture {
    // One sample every 10 s: value = seconds / 10.
    load(10, &[("m{i=\"a\"}", "0 1 2 3 4 5 6 7 8 9 10 11 12"), ("m{i=\"b\"}", "100 101 102")])
}

#[test]
fn the_newest_sample_within_a_left_open_lookback() {
    let f = counting();
    assert_eq!(f.at(15, "m{i='a'}"), ["m{i=\"a\"} 1"]);
    assert_eq!(f.at(319, "m{i='b'}"), ["m{i=\"b\"} 102"]);
    assert!(f.at(320, "m{i='b'}").is_empty());
    assert!(f.at(-1, "m").is_empty());
}

#[test]
fn matchers_of_every_kind() {
    let f = counting();
    assert_eq!(f.at(0, "m{i!='a'}"), ["m{i=\"b\"} 100"]);
    assert_eq!(f.at(0, "{__name__=~'m|n', i=~'a.*'}"), ["m{i=\"a\"} 0"]);
    assert_eq!(f.at(0, "m{i!~'b|c'}"), ["m{i=\"a\"} 0"]);
    assert_eq!(f.at(0, "m{j=''}").len(), 2);
}

#[test]
fn a_staleness_marker_ends_a_series() {
    let f = load(10, &[("m", "1 2 stale _ 5")]);
    let got = f.over([0, 50, 10], "m");
    assert_eq!(got, ["m 1@0 2@10 5@40 5@50"]);
    assert_eq!(f.at(40, "count_over_time(m[40s])"), ["{} 2"]);
    assert_eq!(f.at(40, "m[1m]"), ["m 1@0 2@10 5@40"]);
}

#[test]
fn offsets_of_both_signs() {
    let f = counting();
    assert_eq!(f.at(60, "m{i='a'} offset 20s"), ["m{i=\"a\"} 4"]);
    assert_eq!(f.at(60, "m{i='a'} offset -20s"), ["m{i=\"a\"} 8"]);
    assert_eq!(f.at(60, "sum_over_time(m{i='a'}[30s] offset 10s)"), ["{i=\"a\"} 12"]);
}

#[test]
fn at_pins_the_time() {
    let f = counting();
    assert_eq!(f.over([0, 20, 10], "m{i='a'} @ 50"), ["m{i=\"a\"} 5@0 5@10 5@20"]);
    assert_eq!(f.over([10, 30, 10], "m{i='a'} @ start()"), ["m{i=\"a\"} 1@10 1@20 1@30"]);
    assert_eq!(f.over([10, 30, 10], "m{i='a'} @ end()"), ["m{i=\"a\"} 3@10 3@20 3@30"]);
    assert_eq!(f.at(0, "m{i='a'} @ 50 offset 20s"), ["m{i=\"a\"} 3"]);
}

#[test]
fn a_pinned_part_meets_a_moving_one() {
    let f = counting();
    let got = f.over([0, 20, 10], "m{i='a'} + ignoring(i) sum(m{i='a'} @ 100)");
    assert_eq!(got, ["{} 10@0 11@10 12@20"]);
    let got = f.over([0, 20, 10], "predict_linear(m{i='a'}[1m] @ 100, 10)");
    assert_eq!(got.len(), 1);
}

#[test]
fn windows_are_left_open() {
    let f = counting();
    assert_eq!(f.at(60, "count_over_time(m{i='a'}[30s])"), ["{i=\"a\"} 3"]);
    assert_eq!(f.at(65, "count_over_time(m{i='a'}[30s])"), ["{i=\"a\"} 3"]);
    assert_eq!(f.at(60, "m{i='a'}[20s]"), ["m{i=\"a\"} 5@50 6@60"]);
    assert!(f.at(500, "m[30s]").is_empty());
}

#[test]
fn windows_slide_over_steps() {
    let f = counting();
    let got = f.over([0, 60, 20], "sum_over_time(m{i='a'}[20s])");
    assert_eq!(got, ["{i=\"a\"} 0@0 3@20 7@40 11@60"]);
    // Steps further apart than the range skip samples.
    let got = f.over([0, 120, 60], "sum_over_time(m{i='a'}[10s])");
    assert_eq!(got, ["{i=\"a\"} 0@0 6@60 12@120"]);
}

#[test]
fn subqueries_run_at_absolute_multiples_of_their_step() {
    let f = counting();
    assert_eq!(f.at(65, "m{i='a'}[60s:20s]"), ["m{i=\"a\"} 2@20 4@40 6@60"]);
    assert_eq!(f.at(60, "m{i='a'}[40s:20s]"), ["m{i=\"a\"} 4@40 6@60"]);
    assert_eq!(f.at(60, "sum_over_time(m{i='a'}[40s:20s])"), ["{i=\"a\"} 10"]);
    assert_eq!(f.at(100, "m{i='a'}[40s:20s] offset 40s"), ["m{i=\"a\"} 4@40 6@60"]);
    assert_eq!(f.at(0, "m{i='a'}[40s:20s] @ 60"), ["m{i=\"a\"} 4@40 6@60"]);
    // The default step is a minute.
    assert_eq!(f.at(120, "m{i='a'}[2m:]"), ["m{i=\"a\"} 6@60 12@120"]);
}

#[test]
fn subqueries_nest_and_slide() {
    let f = counting();
    let nested = "max_over_time(sum_over_time(m{i='a'}[20s])[40s:20s])";
    assert_eq!(f.over([40, 80, 20], nested), ["{i=\"a\"} 7@40 11@60 15@80"]);
    assert_eq!(f.at(60, "sum_over_time(vector(2)[40s:20s])"), ["{} 4"]);
    assert_eq!(f.at(60, "sum_over_time((m{i='a'} @ 20)[40s:20s])"), ["{i=\"a\"} 4"]);
}

#[test]
fn kinds_of_answers() {
    let f = counting();
    assert_eq!(f.at(7, "time()"), ["7"]);
    assert_eq!(f.at(7, "'text'"), ["text"]);
    assert_eq!(f.over([0, 20, 10], "time() * 2"), ["{} 0@0 20@10 40@20"]);
    assert_eq!(
        f.error_over([0, 20, 10], "m[1m]"),
        "invalid expression type \"range vector\" for range query, must be Scalar or instant Vector"
    );
    assert!(f.error_over([0, 20, 10], "'text'").contains("\"string\""));
}

#[test]
fn durations_may_use_the_step_and_range_of_the_query() {
    let f = counting();
    assert_eq!(f.over([60, 80, 10], "m{i='a'} offset step()"), ["m{i=\"a\"} 5@60 6@70 7@80"]);
    assert_eq!(f.over([60, 80, 20], "count_over_time(m{i='a'}[range()])"), ["{i=\"a\"} 2@60 2@80"]);
    assert!(f.error_at(60, "count_over_time(m[step()])").contains("greater than 0"));
}

#[test]
fn extended_ranges_outside_of_functions_end_at_their_edges() {
    let f = counting();
    assert_eq!(f.at(15, "m{i='a'}[10s] anchored"), ["m{i=\"a\"} 0@5 1@10 1@15"]);
    assert_eq!(f.at(15, "m{i='a'}[10s] smoothed"), ["m{i=\"a\"} 0.5@5 1@10 1.5@15"]);
    assert!(f.error_at(0, "m anchored").contains("anchored"));
}

#[test]
fn what_occurs_twice_is_evaluated_once() {
    let f = counting();
    let read = |query: &str| f.answer_over([0, 60, 15], query).unwrap().stats.samples_read;
    let once = read("sum(m)");
    assert!(once > 0);
    assert_eq!(read("sum(m) / (sum(m) + 1)"), once);
    assert_eq!(read("(sum(m) + 1) / (sum(m) + 1) - (sum (m) + 1)"), once);
    assert_eq!(read("sum(m) / (sum(m offset 15s) + 1)"), once + read("sum(m offset 15s)"));
    assert_eq!(f.over([0, 60, 15], "sum(m) - sum(m)"), f.over([0, 60, 15], "sum(m) * 0"));
}

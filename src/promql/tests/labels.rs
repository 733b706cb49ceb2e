//! Names and labels of results: what drops the name, what collides, what delayed name removal changes.

use super::load;

#[test]
fn functions_drop_the_name_unless_they_give_samples_back() {
    let f = load(10, &[("m_total{i=\"a\"}", "1 2 3 4")]);
    for query in ["rate(m_total[20s])", "abs(m_total)", "m_total + 0", "timestamp(m_total)"] {
        assert!(f.at(30, query)[0].starts_with("{i=\"a\"}"), "{query}");
    }
    for query in ["last_over_time(m_total[20s])", "first_over_time(m_total[20s])", "sort(m_total)"]
    {
        assert!(f.at(30, query)[0].starts_with("m_total{i=\"a\"}"), "{query}");
    }
}

#[test]
fn type_and_unit_go_where_the_name_goes() {
    let f = load(10, &[("m{__type__=\"gauge\", __unit__=\"s\", i=\"a\"}", "1 2")]);
    assert_eq!(f.at(0, "m * 2"), ["{i=\"a\"} 2"]);
    assert_eq!(f.at(0, "m * on(__name__, i) m"), ["{i=\"a\"} 1"]);
}

#[test]
fn equal_labels_are_an_error_only_at_the_same_step() {
    let overlapping = load(10, &[("a{i=\"1\"}", "1 2"), ("b{i=\"1\"}", "3 4")]);
    let error = "vector cannot contain metrics with the same labelset";
    assert_eq!(overlapping.error_at(0, "abs({i='1'})"), error);
    assert_eq!(overlapping.error_at(10, "sum(rate({i='1'}[20s]))"), error);
    let turns = load(10, &[("a{i=\"1\"}", "1 2 stale"), ("b{i=\"1\"}", "_ _ 3 4")]);
    assert_eq!(turns.over([0, 30, 10], "abs({i='1'})"), ["{i=\"1\"} 1@0 2@10 3@20 4@30"]);
}

#[test]
fn label_replace_and_label_join() {
    let f = load(10, &[("m{a=\"x-1\", b=\"y\"}", "5"), ("m{a=\"z\", b=\"y\"}", "6")]);
    let got = f.at(0, "label_replace(m, 'c', '$1', 'a', '(.*)-.*')");
    assert_eq!(got, ["m{a=\"x-1\", b=\"y\", c=\"x\"} 5", "m{a=\"z\", b=\"y\"} 6"]);
    let got = f.at(0, "label_join(m{a='z'}, 'c', '/', 'a', 'b')");
    assert_eq!(got, ["m{a=\"z\", b=\"y\", c=\"z/y\"} 6"]);
    let error = f.error_at(0, "label_replace(m, 'a', '', '', '')");
    assert_eq!(error, "vector cannot contain metrics with the same labelset");
    assert!(
        f.error_at(0, "label_replace(m, 'a', '', '', '(')").contains("invalid regular expression")
    );
}

#[test]
fn delayed_names_are_dropped_at_the_end() {
    let f = || load(10, &[("a_total{i=\"1\"}", "1 2 3"), ("b_total{i=\"1\"}", "2 4 6")]);
    let query = "sum by (__name__) (increase({__name__=~'.*_total'}[20s]))";
    assert!(f().error_at(20, query).contains("same labelset"));
    let kept = "label_replace(rate({__name__=~'.*_total'}[20s]), '__name__', 'rate_$1', '__name__', '(.+)')";
    assert_eq!(
        f().delayed().at(20, kept),
        ["rate_a_total{i=\"1\"} 0.1", "rate_b_total{i=\"1\"} 0.2"]
    );
    assert_eq!(f().delayed().at(20, "abs(a_total)"), ["{i=\"1\"} 3"]);
    assert_eq!(f().delayed().at(20, "a_total > bool 1"), ["{i=\"1\"} 1"]);
    assert_eq!(f().delayed().at(20, "abs(a_total) or a_total"), ["{i=\"1\"} 3"]);
    assert!(f().delayed().error_at(20, "abs({i='1'})").contains("same labelset"));
    assert_eq!(f().delayed().at(20, "count(abs({i='1'}))"), ["{} 2"]);
    assert_eq!(f().delayed().at(20, "abs(a_total)[5s:10s]"), ["{i=\"1\"} 3@20"]);
    assert!(f().delayed().error_at(20, "abs({i='1'})[5s:10s]").contains("same labelset"));
}

#[test]
fn a_group_drops_the_name_if_any_member_does() {
    let f = load(10, &[("a{i=\"1\"}", "1"), ("a{i=\"2\"}", "2")]).delayed();
    for query in ["a{i='1'} or (a{i='2'} + 1)", "(a{i='2'} + 1) or a{i='1'}"] {
        assert_eq!(f.at(0, &format!("sum by (__name__) ({query})")), ["{} 4"], "{query}");
    }
    assert_eq!(f.at(0, "sum by (__name__) (a)"), ["a 3"]);
}

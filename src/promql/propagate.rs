//! Matchers that one operand of two vectors satisfies are put into the selectors of the other, where elements with other
//! labels would meet no partner: `a{job="x"} / b` reads `a{job="x"} / b{job="x"}`. The engine does so before it plans a
//! query; spans stay those of the text. What crosses an operator, and why nothing else:
//!
//! 1. Only matchers on labels that must agree. Never on the name and the labels that go where it goes.
//! 2. `and`: both ways. `unless`: from left to right, as the left elements are the result. `or`: not at all, since
//!    elements without a partner are in the result; so are those of arithmetic with a fill value.
//! 3. Arithmetic and comparison: both ways, if it is certain that the elements of the one side (of one to one: of the
//!    right) have all different signatures. If two could have the same, it would be an error wherever the other side has
//!    any element, be it with another signature: narrowing the one side would lose it with the two, narrowing the
//!    many side with its last element. That too many elements meet one is an error of elements that do meet, which stay.
//! 4. A matcher goes down to a selector through operators whose elements with that label come from elements with that
//!    label alone: functions that keep the label, aggregations by groups that have it alike (then whole groups are left
//!    out, whatever is done with each), set operators. Not through another join, whose errors and annotations are about
//!    elements that meet; not through functions that make the label.
//! 5. Nothing on its way may have had an error or an annotation for a series that is left out ([`super::quiet`]).
//! 6. An expression that stands in several places is evaluated once for all ([`super::shared`]), so it stays as it is.

use std::collections::{BTreeMap, BTreeSet};

use super::alike::Alike;
use super::ast::{
    Aggregate, AggregateOp, Binary, BinaryOp, Cardinality, Expr, ExprKind, Grouping, Selector,
    Span, ValueType,
};
use super::check::value_type;
use super::guarantees::{
    beside_scalar, crossing, fills, is_of_groups, is_of_vectors, is_unique, labelled_argument,
    must_agree, written_label,
};
use super::query::Query;
use super::quiet::{Known, is_quiet};
use super::shared;
use crate::model::Matcher;

/// Matchers of a selector from which on it gets no more: a few select what many would, and each is compared with the
/// values of its label.
const SELECTOR_MATCHERS_MAX: usize = 16;

/// Larger trees are left as they are: every operator in them looks at the trees of its operands.
const NODES_MAX: usize = 1_000;

/// An expression with the same answer that reads less.
#[derive(Debug)]
pub struct Propagated {
    pub expr: Expr,
    /// The selectors with matchers that they did not have, by their place in the text.
    pub narrowed: BTreeMap<Span, String>,
}

/// The expression that a query is to evaluate; `None` if it is as it should be.
pub fn propagated(query: &Query<'_>, expr: &Expr) -> Option<Propagated> {
    let alike = Alike::new(query, expr);
    let is_alike = |selector: &Selector, label: &str| alike.is_certain(selector, label);
    propagated_as_known(expr, Known { facts: query.facts, is_alike: &is_alike })
}

fn propagated_as_known(expr: &Expr, known: Known<'_>) -> Option<Propagated> {
    let (mut nodes, mut joins) = (0, 0);
    count(expr, &mut nodes, &mut joins);
    if joins == 0 || nodes > NODES_MAX {
        return None;
    }
    let narrowed = BTreeMap::new();
    let mut rewrite = Rewrite { known, shared: shared::places(expr), narrowed };
    let mut expr = expr.clone();
    rewrite.visit(&mut expr);
    let narrowed = rewrite.narrowed;
    (!narrowed.is_empty()).then_some(Propagated { expr, narrowed })
}

fn count(expr: &Expr, nodes: &mut usize, joins: &mut usize) {
    *nodes += 1;
    match &expr.kind {
        ExprKind::Paren(inner) => count(inner, nodes, joins),
        ExprKind::Unary(unary) => count(&unary.expr, nodes, joins),
        ExprKind::Subquery(subquery) => count(&subquery.expr, nodes, joins),
        ExprKind::Call(call) => call.args.iter().for_each(|arg| count(arg, nodes, joins)),
        ExprKind::Aggregate(aggregate) => {
            aggregate.param.iter().for_each(|param| count(param, nodes, joins));
            count(&aggregate.expr, nodes, joins);
        }
        ExprKind::Binary(binary) => {
            *joins += 1;
            count(&binary.lhs, nodes, joins);
            count(&binary.rhs, nodes, joins);
        }
        _ => {}
    }
}

struct Rewrite<'k> {
    known: Known<'k>,
    /// The places of expressions that are evaluated once for all.
    shared: BTreeSet<Span>,
    narrowed: BTreeMap<Span, String>,
}

impl Rewrite<'_> {
    /// Inner operators first, so that what they exchange goes on from there.
    fn visit(&mut self, expr: &mut Expr) {
        match &mut expr.kind {
            ExprKind::Paren(inner) => self.visit(inner),
            ExprKind::Unary(unary) => self.visit(&mut unary.expr),
            ExprKind::Subquery(subquery) => self.visit(&mut subquery.expr),
            ExprKind::Call(call) => call.args.iter_mut().for_each(|arg| self.visit(arg)),
            ExprKind::Aggregate(aggregate) => {
                let Aggregate { param, expr, .. } = aggregate.as_mut();
                param.iter_mut().chain([expr]).for_each(|expr| self.visit(expr));
            }
            ExprKind::Binary(binary) => {
                self.visit(&mut binary.lhs);
                self.visit(&mut binary.rhs);
                if is_of_vectors(binary) {
                    self.exchange(binary);
                }
            }
            _ => {}
        }
    }

    /// Gives the operands what they know of each other.
    fn exchange(&mut self, binary: &mut Binary) {
        let (to_left, to_right) = ways(binary);
        let Binary { lhs, rhs, matching, .. } = binary;
        let (of_left, of_right) = (crossing(matching, lhs), crossing(matching, rhs));
        if to_left {
            self.narrow(lhs, &of_right);
        }
        if to_right {
            self.narrow(rhs, &of_left);
        }
    }

    /// Leaves out elements of an expression that do not satisfy the matchers, as far as nobody notices. The others stay
    /// as they are; of those that do not satisfy the matchers, others may come up.
    fn narrow(&mut self, expr: &mut Expr, matchers: &[Matcher]) {
        if matchers.is_empty() || self.shared.contains(&expr.span) || !is_quiet(expr, self.known) {
            return;
        }
        let added = match &mut expr.kind {
            ExprKind::Selector(selector) => add(&mut selector.matchers, matchers),
            ExprKind::Matrix(matrix) => add(&mut matrix.selector.matchers, matchers),
            _ => {
                self.narrow_operands(expr, matchers);
                false
            }
        };
        if added {
            self.narrowed.insert(expr.span, expr.to_string());
        }
    }

    fn narrow_operands(&mut self, expr: &mut Expr, matchers: &[Matcher]) {
        match &mut expr.kind {
            ExprKind::Paren(inner) => self.narrow(inner, matchers),
            ExprKind::Unary(unary) => self.narrow(&mut unary.expr, matchers),
            ExprKind::Subquery(subquery) => self.narrow(&mut subquery.expr, matchers),
            ExprKind::Call(call) => {
                if let Some(index) = labelled_argument(call) {
                    self.narrow(&mut call.args[index], matchers);
                } else if let Some(written) = written_label(call) {
                    let others = only(matchers, |label| label != written);
                    self.narrow(&mut call.args[0], &others);
                }
            }
            ExprKind::Aggregate(aggregate) => {
                let passing = match is_of_each(aggregate) {
                    true => matchers.to_vec(),
                    false => only(matchers, |label| is_of_groups(aggregate, label)),
                };
                self.narrow(&mut aggregate.expr, &passing);
            }
            ExprKind::Binary(binary) if beside_scalar(binary).is_some() => {
                let Binary { lhs, rhs, .. } = binary.as_mut();
                let is_vector = |side: &&mut Expr| value_type(side) == ValueType::Vector;
                let vector = [lhs, rhs].into_iter().find(is_vector);
                vector.into_iter().for_each(|vector| self.narrow(vector, matchers));
            }
            ExprKind::Binary(binary) => self.narrow_set(binary, matchers),
            _ => {}
        }
    }

    /// The operands of a set operator, of which elements with the same signature are together on one side of a matcher.
    fn narrow_set(&mut self, binary: &mut Binary, matchers: &[Matcher]) {
        let Binary { op, lhs, rhs, matching, .. } = binary;
        let agreed = only(matchers, |label| must_agree(matching, label));
        match op {
            BinaryOp::Or => self.narrow(lhs, &agreed),
            // Whatever else becomes of the left elements, all of the result are among them.
            _ => self.narrow(lhs, matchers),
        }
        self.narrow(rhs, &agreed);
    }
}

/// Which operands may be narrowed by what the other one satisfies: the left one, the right one.
fn ways(binary: &Binary) -> (bool, bool) {
    let Binary { op, lhs, rhs, matching, .. } = binary;
    match op {
        BinaryOp::And => (true, true),
        BinaryOp::Unless => (false, true),
        BinaryOp::Or => (false, false),
        _ => {
            let one = if matching.cardinality == Cardinality::OneToMany { lhs } else { rhs };
            let both = !fills(matching) && is_unique(one, matching);
            (both, both)
        }
    }
}

/// Is every element judged on its own? With several groups, which of them comes first depends on all.
fn is_of_each(aggregate: &Aggregate) -> bool {
    let Grouping { labels, without } = &aggregate.grouping;
    aggregate.op == AggregateOp::LimitRatio && !without && labels.is_empty()
}

fn only(matchers: &[Matcher], is_wanted: impl Fn(&str) -> bool) -> Vec<Matcher> {
    matchers.iter().filter(|matcher| is_wanted(&matcher.name)).cloned().collect()
}

/// Adds those that are not there yet. Returns whether any was.
fn add(matchers: &mut Vec<Matcher>, wanted: &[Matcher]) -> bool {
    let before = matchers.len();
    for matcher in wanted {
        if matchers.len() < SELECTOR_MATCHERS_MAX && !matchers.contains(matcher) {
            matchers.push(matcher.clone());
        }
    }
    matchers.len() > before
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::METRIC_NAME;
    use crate::promql::parser::{ParseOptions, parse};
    use crate::promql::quiet::Facts;

    const FLOATS: Facts = Facts { only_floats: true, no_metadata: true };
    const UNKNOWN: Facts = Facts { only_floats: false, no_metadata: false };

    fn rewritten(text: &str, facts: Facts) -> String {
        rewritten_as_known(text, Known::from_facts(facts))
    }

    fn rewritten_as_known(text: &str, known: Known<'_>) -> String {
        let expr = parse(text, &ParseOptions::all()).unwrap_or_else(|e| panic!("{text}: {e}"));
        propagated_as_known(&expr, known).map_or(expr, |propagated| propagated.expr).to_string()
    }

    fn becomes(cases: &[(&str, &str)]) {
        for (text, wanted) in cases {
            assert_eq!(rewritten(text, FLOATS), *wanted, "{text}");
        }
    }

    fn stay(cases: &[&str]) {
        for text in cases {
            let expr = parse(text, &ParseOptions::all()).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(rewritten(text, FLOATS), expr.to_string());
        }
    }

    #[test]
    fn operands_that_meet_one_to_one() {
        becomes(&[
            (r#"a{i="1"} / b"#, r#"a{i="1"} / b{i="1"}"#),
            (r#"a > b{i="1"}"#, r#"a{i="1"} > b{i="1"}"#),
            (r#"a{i="1"} / b{j!~"x"}"#, r#"a{i="1",j!~"x"} / b{i="1",j!~"x"}"#),
            (r#"a{i="1"} / b{i="1"}"#, r#"a{i="1"} / b{i="1"}"#),
            (r#"a{i=""} / b"#, r#"a{i=""} / b{i=""}"#),
            (
                r#"a{i="1"} offset 5m / b @ end() + c"#,
                r#"a{i="1"} offset 5m / b{i="1"} @ end() + c{i="1"}"#,
            ),
            (
                r#"a{i="1",code="5"} / ignoring (code) b{code="6"}"#,
                r#"a{code="5",i="1"} / ignoring (code) b{code="6",i="1"}"#,
            ),
            (
                r#"a{i="1",j="2"} / on (i) sum by (i) (b)"#,
                r#"a{i="1",j="2"} / on (i) sum by (i) (b{i="1"})"#,
            ),
        ]);
    }

    #[test]
    fn elements_that_may_be_too_many_for_their_partner_stay() {
        stay(&[
            r#"a{i="1"} / on (i) b"#,
            r#"a / on (i) b{i="1"}"#,
            r#"a{i="1"} / ignoring (code) b"#,
            r#"a{i="1"} * on (i) group_left (version) b"#,
            r#"b * on (i) group_right (version) a{i="1"}"#,
            r#"a{i="1"} / {__name__=~"b|c"}"#,
            r#"a{i="1"} / on (i) sum by (i, j) (b)"#,
            r#"a{i="1"} / ignoring (j) sum by (i, j) (b)"#,
            r#"a{i="1"} / on (i) max without (j) (b)"#,
            r#"a{i="1"} / on (i, __name__) sum by (i, __name__) (b)"#,
            r#"a{i="1"} / (b or c)"#,
        ]);
    }

    #[test]
    fn many_meet_one() {
        becomes(&[
            (
                r#"a{i="1"} * on (i) group_left (v) max by (i, v) (b{v="2"})"#,
                r#"a{i="1"} * on (i) group_left (v) max by (i, v) (b{i="1",v="2"})"#,
            ),
            (
                r#"sum by (i) (b{i="1"}) * on (i) group_right () a"#,
                r#"sum by (i) (b{i="1"}) * on (i) group_right () a{i="1"}"#,
            ),
            (
                r#"a / ignoring (j) group_left () sum without (j) (b{i="1"})"#,
                r#"a{i="1"} / ignoring (j) group_left () sum without (j) (b{i="1"})"#,
            ),
        ]);
        // What is copied from the one side is not what the many side has.
        becomes(&[(
            r#"a{v="1"} * on (i) group_left (v) max by (i, v) (b{i="3",v="2"}) + c"#,
            r#"a{i="3",v="1"} * on (i) group_left (v) max by (i, v) (b{i="3",v="2"}) + c{i="3"}"#,
        )]);
    }

    #[test]
    fn set_operators() {
        becomes(&[
            (r#"a{i="1"} and b{j="2"}"#, r#"a{i="1",j="2"} and b{i="1",j="2"}"#),
            (r#"a{i="1"} and on (j) b{j="2"}"#, r#"a{i="1",j="2"} and on (j) b{j="2"}"#),
            (r#"a{i="1"} unless b{j="2"}"#, r#"a{i="1"} unless b{i="1",j="2"}"#),
            (r#"a{i="1"} and {__name__=~"b|c"}"#, r#"a{i="1"} and {__name__=~"b|c",i="1"}"#),
            (r#"a{i="1"} and on (i) (b or c)"#, r#"a{i="1"} and on (i) (b{i="1"} or c{i="1"})"#),
            (r#"x{i="1"} / (b and on (j) c)"#, r#"x{i="1"} / (b{i="1"} and on (j) c)"#),
            (r#"x{i="1"} and (b or on (j) c)"#, r#"x{i="1"} and (b or on (j) c)"#),
            (
                r#"(a{i="1"} or b{i="1",j="2"}) and c"#,
                r#"(a{i="1"} or b{i="1",j="2"}) and c{i="1"}"#,
            ),
        ]);
        stay(&[r#"a{i="1"} or b"#, r#"a unless b{j="2"}"#, r#"a and {"b"}"#]);
    }

    #[test]
    fn through_functions_and_aggregations() {
        becomes(&[
            (
                r#"sum by (i) (rate(a_total{i="1",j="2"}[5m])) / sum by (i) (rate(b_total[5m]))"#,
                r#"sum by (i) (rate(a_total{i="1",j="2"}[5m])) / sum by (i) (rate(b_total{i="1"}[5m]))"#,
            ),
            (r#"abs(-(a{i="1"})) > bool 2 == b"#, r#"abs(-(a{i="1"})) > bool 2 == b{i="1"}"#),
            (
                r#"a{i="1"} / (100 * max_over_time(deriv(b[5m])[1h:1m]))"#,
                r#"a{i="1"} / (100 * max_over_time(deriv(b{i="1"}[5m])[1h:1m]))"#,
            ),
            (
                r#"topk by (j) (3, a{i="1"}) / histogram_quantile(0.9, sum by (le, i) (b{le="1",j="2"}))"#,
                r#"topk by (j) (3, a{i="1"}) / histogram_quantile(0.9, sum by (le, i) (b{j="2",le="1"}))"#,
            ),
            (
                r#"a / histogram_quantile(0.9, sum by (le, i) (b{le="1",i="2"}))"#,
                r#"a / histogram_quantile(0.9, sum by (le, i) (b{i="2",le="1"}))"#,
            ),
            (r#"sum(a{i="1"} / b)"#, r#"sum(a{i="1"} / b{i="1"})"#),
            (r#"(a{i="1"} / b)[5m:1m]"#, r#"(a{i="1"} / b{i="1"})[5m:1m]"#),
            (
                r#"a{i="1"} / without_j and max without (j) (c)"#,
                r#"a{i="1"} / without_j{i="1"} and max without (j) (c{i="1"})"#,
            ),
        ]);
        stay(&[
            r#"sum(a{i="1"}) / sum(b)"#,
            r#"sum without (i) (a{i="1"}) / b"#,
            r#"absent(a{i="1"}) and b"#,
            r#"label_replace(a{i="1"}, "i", "2", "", "") and b"#,
            r#"info(a{i="1"}) and b"#,
            r#"vector(1) and b{i="1"}"#,
            r#"a{i="1"} * scalar(b)"#,
            r#"a{i="1"} and topk(1, b)"#,
            r#"a{i="1"} and limitk(1, b)"#,
            r#"a{i="1"} and topk without (i) (1, b)"#,
            r#"a{i="1"} and limit_ratio by (j) (0.5, b)"#,
            r#"a{i="1"} and quantile by (j) (0.5, b)"#,
            r#"a{i="1"} and count_values by (i) ("i", b)"#,
            r#"count_values by (i) ("i", a{i="1"}) and b"#,
            r#"a{i="1"} and absent(b)"#,
            r#"a{i="1"} and label_replace(b, "k", "", "", "")"#,
            r#"a{i="1"} and b / on (i) c"#,
            r#"a{i="1"} + fill (0) b"#,
            r#"a{i="1"} + fill_left (0) b"#,
        ]);
    }

    #[test]
    fn through_aggregations_that_judge_each_group_on_its_own() {
        for call in [
            "topk by (i) (1, #)",
            "bottomk without (j) (1, #)",
            "limitk by (i, j) (1, #)",
            "limit_ratio by (i) (-0.5, #)",
            "limit_ratio(0.5, #)",
            "quantile by (i) (2, #)",
            "count_values by (i) (\"k\", #)",
        ] {
            let call = |operand| call.replace('#', operand);
            let wanted = format!(r#"a{{i="1"}} and {}"#, call(r#"b{i="1"}"#));
            assert_eq!(rewritten(&format!(r#"a{{i="1"}} and {}"#, call("b")), FLOATS), wanted);
        }
        becomes(&[(
            r#"count_values by (i) ("k", a{i="1",k="2"}) and b"#,
            r#"count_values by (i) ("k", a{i="1",k="2"}) and b{i="1"}"#,
        )]);
        // Histograms are told of.
        let some = |call: &str| rewritten(&format!(r#"a{{i="1"}} and {call}"#), UNKNOWN);
        assert!(some("topk by (i) (1, b)").ends_with("(1, b)"));
        assert!(some("limitk by (i) (1, b)").ends_with(r#"(1, b{i="1"})"#));
    }

    #[test]
    fn through_functions_that_write_other_labels() {
        becomes(&[
            (
                r#"label_join(a{i="1",k="2"}, "k", "-", "i") and b"#,
                r#"label_join(a{i="1",k="2"}, "k", "-", "i") and b{i="1"}"#,
            ),
            (
                r#"a{i="1"} and label_replace(sum by (i, j) (b), "k", "$1", "j", "(.*)")"#,
                r#"a{i="1"} and label_replace(sum by (i, j) (b{i="1"}), "k", "$1", "j", "(.*)")"#,
            ),
            (
                r#"a{i="1"} and label_join(sum without (k) (b), "k", "", "j")"#,
                r#"a{i="1"} and label_join(sum without (k) (b{i="1"}), "k", "", "j")"#,
            ),
            (
                r#"a{i="1",k="3"} and label_replace(b{k="2"}, "k", "$1", "j", "(.*)")"#,
                r#"a{i="1",k="3"} and label_replace(b{i="1",k="2"}, "k", "$1", "j", "(.*)")"#,
            ),
            (
                r#"a{i="1"} * on (i, k) group_left () label_replace(sum by (i) (b), "k", "", "", "")"#,
                r#"a{i="1"} * on (i, k) group_left () label_replace(sum by (i) (b{i="1"}), "k", "", "", "")"#,
            ),
        ]);
        stay(&[
            r#"a{i="1"} and label_replace(sum by (i, k) (b), "k", "$1", "j", "(.*)")"#,
            r#"a{i="1"} and label_replace(b, "i", "$1", "j", "(.*)")"#,
            r#"a{i="1"} and label_replace(b, "__name__", "$1", "j", "(.*)")"#,
            r#"a{i="1"} * on (i) label_replace(sum by (i, k) (b), "i", "x", "", "")"#,
        ]);
    }

    #[test]
    fn what_all_series_have_alike_can_be_dropped_and_written() {
        let is_alike = |selector: &Selector, label: &str| {
            let is_b = selector.matchers.contains(&Matcher::equal(METRIC_NAME, "b"));
            !is_b || !matches!(label, "__unit__" | "k")
        };
        let floats = Facts { no_metadata: false, ..FLOATS };
        let known = Known { facts: floats, is_alike: &is_alike };
        for call in [
            "rate(#_total[5m])",
            "abs(#_total)",
            "-#_total",
            "2 * #_total",
            "-abs(sum by (i) (#))",
            "abs(max without (__unit__) (#))",
            "label_replace(#_total, \"k\", \"$1\", \"j\", \"(.*)\")",
        ] {
            let call = |operand| call.replace('#', operand);
            let text = format!(r#"a{{i="1"}} and {}"#, call("b"));
            let after = rewritten_as_known(&text, known);
            assert_eq!(after.matches("i=\"1\"").count(), 2, "{text}: {after}");
        }
        for text in [
            r#"a{i="1"} and abs(b)"#,
            r#"a{i="1"} and abs(max without (k) (b))"#,
            r#"a{i="1"} and abs(topk by (i) (1, b))"#,
            r#"a{i="1"} and abs(last_over_time(b[5m]))"#,
            r#"a{i="1"} and label_replace(b, "k", "$1", "j", "(.*)")"#,
        ] {
            let expr = parse(text, &ParseOptions::all()).unwrap();
            assert_eq!(rewritten_as_known(text, known), expr.to_string());
        }
    }

    #[test]
    fn what_may_have_something_to_tell_stays() {
        stay(&[
            r#"a{i="1"} / rate(b[5m])"#,
            r#"a{i="1"} and abs({__name__=~"b|c"})"#,
            r#"a{i="1"} and quantile_over_time(2, b[5m])"#,
            r#"a{i="1"} and (b </ 2)"#,
        ]);
        for text in [
            r#"a{i="1"} / sum by (i) (b)"#,
            r#"a{i="1"} / rate(b_total[5m])"#,
            r#"a{i="1"} / abs(b)"#,
            r#"a{i="1"} / b smoothed"#,
            r#"a{i="1"} / (b > 1)"#,
        ] {
            let expr = parse(text, &ParseOptions::all()).unwrap();
            assert_eq!(rewritten(text, UNKNOWN), expr.to_string());
            assert!(rewritten(text, FLOATS).matches("i=\"1\"").count() == 2, "{text}");
        }
        assert_eq!(
            rewritten(r#"a{i="1"} / count by (i) (b)"#, UNKNOWN),
            r#"a{i="1"} / count by (i) (b{i="1"})"#
        );
        let no_metadata = Facts { no_metadata: true, ..UNKNOWN };
        assert_eq!(rewritten(r#"a{i="1"} / abs(b)"#, no_metadata), r#"a{i="1"} / abs(b{i="1"})"#);
    }

    #[test]
    fn what_is_evaluated_once_for_all_places_stays() {
        stay(&[r#"a{i="1"} / sum by (i) (b) or sum by (i) (b)"#]);
        // Operands that become the same are evaluated once, too.
        becomes(&[(
            r#"rate(a_total{i="1"}[5m]) / rate(a_total[5m])"#,
            r#"rate(a_total{i="1"}[5m]) / rate(a_total{i="1"}[5m])"#,
        )]);
    }

    #[test]
    fn trees_and_selectors_do_not_grow_without_end() {
        let many: Vec<String> = (0..40).map(|i| format!("l{i}=\"x\"")).collect();
        let text = format!("a{{{}}} / b", many.join(","));
        let after = rewritten(&text, FLOATS);
        let added = after.split(" / ").nth(1).unwrap().matches('=').count();
        // The name is a matcher as well.
        assert_eq!(added, SELECTOR_MATCHERS_MAX - 1);
        let long = "a{i=\"1\"}".to_string() + &" + b".repeat(NODES_MAX);
        let expr = parse(&long, &ParseOptions::all()).unwrap();
        assert!(propagated_as_known(&expr, Known::from_facts(FLOATS)).is_none());
    }

    #[test]
    fn places_are_those_of_the_text() {
        let text = r#"a{i="1"} / sum by (i) (rate(b_total[5m]))"#;
        let expr = parse(text, &ParseOptions::all()).unwrap();
        let propagated = propagated_as_known(&expr, Known::from_facts(FLOATS)).unwrap();
        assert_eq!(propagated.expr.span, expr.span);
        let (span, read_as) = propagated.narrowed.first_key_value().unwrap();
        assert_eq!(&text[span.start as usize..span.end as usize], "b_total[5m]");
        assert_eq!(read_as, r#"b_total{i="1"}[5m]"#);
    }
}

//! What is certain of the series of an expression before any data is read: matchers that all of them satisfy, their
//! name, and which labels tell them apart. From the tree alone; whatever is not certain is left out.
//!
//! A label that a series does not have is one with an empty value, here as in matchers and in vector matching.

use super::ast::{
    Aggregate, AggregateOp, Binary, BinaryOp, Call, Cardinality, Expr, ExprKind, Grouping,
    Selector, ValueType, VectorMatching,
};
use super::check::value_type;
use super::functions::{date_function, math_function, range_function};
use super::operator::is_metadata_label;
use super::plan::unparen;
use crate::model::{METRIC_NAME, MatchOp, Matcher};

/// The label of the buckets of classic histograms.
const BUCKET_LABEL: &str = "le";

/// Matchers that every series of an expression satisfies; none on the name and what goes with it.
pub fn satisfied(expr: &Expr) -> Vec<Matcher> {
    match &expr.kind {
        ExprKind::Selector(selector) => of_selector(selector),
        ExprKind::Matrix(matrix) => of_selector(&matrix.selector),
        ExprKind::Subquery(subquery) => satisfied(&subquery.expr),
        ExprKind::Paren(inner) => satisfied(inner),
        ExprKind::Unary(unary) => satisfied(&unary.expr),
        ExprKind::Call(call) => of_call(call),
        ExprKind::Aggregate(aggregate) => of_aggregate(aggregate),
        ExprKind::Binary(binary) => of_binary(binary),
        ExprKind::Number(_) | ExprKind::String(_) | ExprKind::NotUtf8(_) => Vec::new(),
    }
}

fn of_selector(selector: &Selector) -> Vec<Matcher> {
    let matchers = selector.matchers.iter();
    matchers.filter(|matcher| !is_metadata_label(&matcher.name)).cloned().collect()
}

fn of_call(call: &Call) -> Vec<Matcher> {
    if let Some(Carried { argument, written }) = carried(call) {
        return without(satisfied(argument), |label| written == Some(label));
    }
    match (call.function.name, call.args.as_slice()) {
        ("histogram_quantile" | "histogram_fraction", [.., buckets]) => {
            without(satisfied(buckets), |label| label == BUCKET_LABEL)
        }
        _ => Vec::new(),
    }
}

fn of_aggregate(aggregate: &Aggregate) -> Vec<Matcher> {
    match aggregate.op {
        op if chooses(op) => satisfied(&aggregate.expr),
        _ => without(satisfied(&aggregate.expr), |label| !is_of_groups(aggregate, label)),
    }
}

fn of_binary(binary: &Binary) -> Vec<Matcher> {
    let Binary { op, lhs, rhs, matching, .. } = binary;
    if let Some(vector) = beside_scalar(binary) {
        return satisfied(vector);
    }
    match (op, matching.cardinality) {
        (BinaryOp::Or, _) => {
            let both = satisfied(rhs);
            satisfied(lhs).into_iter().filter(|matcher| both.contains(matcher)).collect()
        }
        (BinaryOp::Unless, _) => satisfied(lhs),
        (BinaryOp::And, _) => joined(satisfied(lhs), crossing(matching, rhs)),
        // What takes the place of a missing element satisfies nothing.
        _ if fills(matching) => Vec::new(),
        (_, Cardinality::ManyToOne) => of_many(matching, lhs, rhs),
        (_, Cardinality::OneToMany) => of_many(matching, rhs, lhs),
        _ => joined(crossing(matching, lhs), crossing(matching, rhs)),
    }
}

fn of_many(matching: &VectorMatching, many: &Expr, one: &Expr) -> Vec<Matcher> {
    let all = joined(satisfied(many), crossing(matching, one));
    without(all, |label| matching.include.iter().any(|included| included == label))
}

fn without(mut matchers: Vec<Matcher>, is_lost: impl Fn(&str) -> bool) -> Vec<Matcher> {
    matchers.retain(|matcher| !is_lost(&matcher.name));
    matchers
}

fn joined(mut matchers: Vec<Matcher>, others: Vec<Matcher>) -> Vec<Matcher> {
    for matcher in others {
        if !matchers.contains(&matcher) {
            matchers.push(matcher);
        }
    }
    matchers
}

/// What every series of an operand satisfies, on labels that must agree: so its partners satisfy it as well.
pub fn crossing(matching: &VectorMatching, operand: &Expr) -> Vec<Matcher> {
    without(satisfied(operand), |label| !must_agree(matching, label))
}

/// Must the values of a label agree for two elements to meet? Not so of the name and what goes with it, which the
/// operands may have dropped.
pub fn must_agree(matching: &VectorMatching, label: &str) -> bool {
    let listed = matching.labels.iter().any(|name| name == label);
    !is_metadata_label(label) && listed == matching.on
}

pub fn fills(matching: &VectorMatching) -> bool {
    matching.fill_left.is_some() || matching.fill_right.is_some()
}

/// Does the aggregation leave this label of its operand as it is?
fn keeps(grouping: &Grouping, label: &str) -> bool {
    grouping.labels.iter().any(|name| name == label) != grouping.without
}

/// Is it a label of which all elements of a group have the same value, which those that come of the group have, too?
pub fn is_of_groups(aggregate: &Aggregate, label: &str) -> bool {
    let is_written = || match &aggregate.param {
        Some(param) if aggregate.op == AggregateOp::CountValues => text(param) != Some(label),
        _ => true,
    };
    keeps(&aggregate.grouping, label) && is_written()
}

/// What a string says.
fn text(expr: &Expr) -> Option<&str> {
    match &unparen(expr).kind {
        ExprKind::String(text) => Some(text),
        _ => None,
    }
}

/// Aggregations whose elements are some of their operand's.
fn chooses(op: AggregateOp) -> bool {
    use AggregateOp::{Bottomk, LimitRatio, Limitk, Topk};
    matches!(op, Topk | Bottomk | Limitk | LimitRatio)
}

/// The argument whose series the result has one to one, with the same labels except for the name.
pub fn labelled_argument(call: &Call) -> Option<usize> {
    let name = call.function.name;
    let keeps_labels = math_function(name).is_some()
        || date_function(name).is_some()
        || range_function(name).is_some()
        || matches!(name, "timestamp" | "start_timestamp" | "sort" | "sort_desc")
        || matches!(name, "histogram_avg" | "histogram_count" | "histogram_sum")
        || matches!(name, "histogram_stddev" | "histogram_stdvar");
    let has_series = |arg| matches!(value_type(arg), ValueType::Vector | ValueType::Matrix);
    call.args.iter().position(has_series).filter(|_| keeps_labels)
}

/// The argument of a call whose series those of the result come from.
pub struct Carried<'e> {
    pub argument: &'e Expr,
    /// The label that the call writes; the others stay, except for the name.
    pub written: Option<&'e str>,
}

/// That argument, if the result has its series one to one, or together those that become the same.
pub fn carried(call: &Call) -> Option<Carried<'_>> {
    if let Some(index) = labelled_argument(call) {
        return Some(Carried { argument: &call.args[index], written: None });
    }
    let written = written_label(call)?;
    Some(Carried { argument: call.args.first()?, written: Some(written) })
}

/// The label that a call of `label_replace` or `label_join` writes, if it does not go where the name goes. The first argument is the
/// vector.
pub fn written_label(call: &Call) -> Option<&str> {
    match (call.function.name, call.args.as_slice()) {
        ("label_replace" | "label_join", [_, destination, ..]) => {
            text(destination).filter(|label| !is_metadata_label(label))
        }
        _ => None,
    }
}

/// The vector that an operator has on one side, and a scalar on the other.
pub fn beside_scalar(binary: &Binary) -> Option<&Expr> {
    match (value_type(&binary.lhs), value_type(&binary.rhs)) {
        (ValueType::Vector, ValueType::Scalar) => Some(&binary.lhs),
        (ValueType::Scalar, ValueType::Vector) => Some(&binary.rhs),
        _ => None,
    }
}

/// Do two vectors meet?
pub fn is_of_vectors(binary: &Binary) -> bool {
    [&binary.lhs, &binary.rhs].into_iter().all(|side| value_type(side) == ValueType::Vector)
}

/// The name that those of the series that have one all have; empty if none has one.
pub fn metric_name(expr: &Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::Selector(selector) => selected_name(selector),
        ExprKind::Matrix(matrix) => selected_name(&matrix.selector),
        ExprKind::Subquery(subquery) => metric_name(&subquery.expr),
        ExprKind::Paren(inner) => metric_name(inner),
        ExprKind::Unary(unary) => metric_name(&unary.expr),
        ExprKind::Call(call) => metric_name(carried(call)?.argument),
        ExprKind::Aggregate(aggregate) => match aggregate.op {
            AggregateOp::CountValues => None,
            op if chooses(op) => metric_name(&aggregate.expr),
            _ => (aggregate.grouping.without || !keeps(&aggregate.grouping, METRIC_NAME))
                .then_some(""),
        },
        ExprKind::Binary(binary) => match (beside_scalar(binary), binary.op) {
            (Some(vector), _) => metric_name(vector),
            (None, BinaryOp::And | BinaryOp::Unless) => metric_name(&binary.lhs),
            _ => None,
        },
        ExprKind::Number(_) | ExprKind::String(_) | ExprKind::NotUtf8(_) => None,
    }
}

fn selected_name(selector: &Selector) -> Option<&str> {
    let is_name = |m: &&Matcher| m.name == METRIC_NAME && m.op == MatchOp::Equal;
    selector.matchers.iter().find(is_name).map(|matcher| matcher.value.as_str())
}

/// Labels, the name not among them, by which the series of an expression can be told apart at every step.
enum Distinct<'e> {
    /// These.
    By(&'e [String]),
    /// All but these.
    Without(&'e [String]),
}

impl<'e> Distinct<'e> {
    /// What is left of it after a label was written.
    fn after(self, written: Option<&str>) -> Option<Distinct<'e>> {
        let Some(label) = written else { return Some(self) };
        // No two series have the same labels, whatever is written.
        let are_all = matches!(self, Distinct::Without([]));
        (are_all || self.is_without(label)).then_some(self)
    }

    /// Can the series be told apart without this label?
    fn is_without(&self, label: &str) -> bool {
        match self {
            Distinct::By(labels) => !labels.iter().any(|name| name == label),
            Distinct::Without(lost) => lost.iter().any(|name| name == label),
        }
    }
}

/// Can the series of an expression be told apart at every step without this label?
pub fn is_distinct_without(expr: &Expr, label: &str) -> bool {
    distinct(expr).is_some_and(|distinct| distinct.is_without(label))
}

/// Do all series of an expression have the same value of a label, or does none have it? What is not in the tree is asked of
/// `is_alike`, about a selector.
pub fn is_alike(expr: &Expr, label: &str, known: &dyn Fn(&Selector, &str) -> bool) -> bool {
    let of = |expr: &Expr| is_alike(expr, label, known);
    let is_dropped = is_metadata_label(label);
    match &expr.kind {
        ExprKind::Selector(selector) => is_pinned(selector, label) || known(selector, label),
        ExprKind::Matrix(matrix) => {
            is_pinned(&matrix.selector, label) || known(&matrix.selector, label)
        }
        ExprKind::Subquery(subquery) => of(&subquery.expr),
        ExprKind::Paren(inner) => of(inner),
        ExprKind::Unary(unary) => is_dropped && unary.negative || of(&unary.expr),
        ExprKind::Call(call) => carried(call).is_some_and(|Carried { argument, written }| {
            is_dropped && drops_name(call) || written != Some(label) && of(argument)
        }),
        ExprKind::Aggregate(aggregate) => match aggregate.op {
            AggregateOp::CountValues => false,
            op if chooses(op) => of(&aggregate.expr),
            _ => !keeps(&aggregate.grouping, label) || of(&aggregate.expr),
        },
        ExprKind::Binary(binary) => match (beside_scalar(binary), binary.op) {
            (Some(vector), op) => {
                let keeps_names = op.is_trim() || op.is_comparison() && !binary.return_bool;
                is_dropped && !keeps_names || of(vector)
            }
            (None, BinaryOp::And | BinaryOp::Unless) => of(&binary.lhs),
            _ => false,
        },
        ExprKind::Number(_) | ExprKind::String(_) | ExprKind::NotUtf8(_) => false,
    }
}

fn is_pinned(selector: &Selector, label: &str) -> bool {
    selector.matchers.iter().any(|m| m.name == label && m.op == MatchOp::Equal)
}

/// Does a call that carries an argument drop its name?
fn drops_name(call: &Call) -> bool {
    let name = call.function.name;
    let keeps = matches!(name, "last_over_time" | "first_over_time" | "sort" | "sort_desc");
    !keeps && written_label(call).is_none()
}

fn distinct(expr: &Expr) -> Option<Distinct<'_>> {
    match &expr.kind {
        ExprKind::Selector(selector) => selected_name(selector).map(|_| Distinct::Without(&[])),
        ExprKind::Matrix(matrix) => selected_name(&matrix.selector).map(|_| Distinct::Without(&[])),
        ExprKind::Subquery(subquery) => distinct(&subquery.expr),
        ExprKind::Paren(inner) => distinct(inner),
        ExprKind::Unary(unary) => distinct(&unary.expr),
        ExprKind::Call(call) => {
            let Carried { argument, written } = carried(call)?;
            distinct(argument)?.after(written)
        }
        ExprKind::Aggregate(aggregate) => match aggregate.op {
            AggregateOp::CountValues => None,
            op if chooses(op) => distinct(&aggregate.expr),
            _ => distinct_by(!aggregate.grouping.without, &aggregate.grouping.labels),
        },
        ExprKind::Binary(binary) => match (beside_scalar(binary), binary.op) {
            (Some(vector), _) => distinct(vector),
            (None, BinaryOp::And | BinaryOp::Unless) => distinct(&binary.lhs),
            (None, BinaryOp::Or) => None,
            // What meets one to one meets once.
            (None, _) if binary.matching.cardinality == Cardinality::OneToOne => {
                distinct_by(binary.matching.on, &binary.matching.labels)
            }
            _ => None,
        },
        ExprKind::Number(_) | ExprKind::String(_) | ExprKind::NotUtf8(_) => None,
    }
}

fn distinct_by(listed: bool, labels: &[String]) -> Option<Distinct<'_>> {
    match listed {
        true if labels.iter().any(|label| label == METRIC_NAME) => None,
        true => Some(Distinct::By(labels)),
        false => Some(Distinct::Without(labels)),
    }
}

/// Is it certain that no two elements of an operand have the same signature at the same step?
pub fn is_unique(operand: &Expr, matching: &VectorMatching) -> bool {
    let pinned = satisfied(operand);
    let is_pinned = |label: &str| pinned.iter().any(|m| m.name == label && m.op == MatchOp::Equal);
    let is_listed = |label: &String| matching.labels.contains(label);
    match (distinct(operand), matching.on) {
        (None, _) | (Some(Distinct::Without(_)), true) => false,
        (Some(Distinct::By(labels)), true) => {
            labels.iter().all(|label| is_listed(label) || is_pinned(label))
        }
        (Some(Distinct::By(labels)), false) => {
            labels.iter().all(|label| !is_listed(label) || is_pinned(label))
        }
        (Some(Distinct::Without(lost)), false) => {
            matching.labels.iter().all(|label| lost.contains(label) || is_pinned(label))
        }
    }
}

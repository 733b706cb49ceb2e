//! Which expressions can be evaluated in part without anybody noticing: no error and no annotation comes from the series
//! that are left out. Asked by [`super::propagate`], which leaves out series of selectors, and by the operators of two
//! vectors, which need no elements that meet no others. Everything else is evaluated whole, as Prometheus does.

use super::ast::{AggregateOp, Binary, Call, Expr, ExprKind, Selector};
use super::functions::{date_function, math_function, range_function};
use super::guarantees::{
    Carried, beside_scalar, carried, is_alike, is_distinct_without, is_of_vectors, metric_name,
};
use super::operator::METADATA_LABELS;
use super::range_call::is_counter_name;
use crate::read::Source;

/// What is certain of all data that a query may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// No histograms and no start times: most of what functions remark is about these.
    pub only_floats: bool,
    /// No series has a label that goes where its name goes: series of one name are as many without it.
    pub no_metadata: bool,
}

impl Facts {
    pub fn of(source: &dyn Source) -> Facts {
        let no_metadata = METADATA_LABELS.iter().all(|label| !source.may_have_label(label));
        Facts { only_floats: source.has_only_floats(), no_metadata }
    }
}

/// What is certain of the data that one query may read.
#[derive(Clone, Copy)]
pub struct Known<'k> {
    pub facts: Facts,
    /// Do all series of a selector have the same value of a label, or does none have it?
    pub is_alike: &'k dyn Fn(&Selector, &str) -> bool,
}

impl Known<'_> {
    /// No more than these facts.
    pub fn from_facts(facts: Facts) -> Known<'static> {
        Known { facts, is_alike: &|_, _| false }
    }

    fn is_alike(self, expr: &Expr, label: &str) -> bool {
        is_alike(expr, label, self.is_alike)
    }
}

/// Has the evaluation of this node, apart from those below it, nothing to say of any series?
pub fn is_quiet(expr: &Expr, known: Known<'_>) -> bool {
    let facts = known.facts;
    match &expr.kind {
        ExprKind::Selector(selector) => facts.only_floats || !selector.smoothed,
        ExprKind::Unary(unary) => !unary.negative || drops_names_quietly(&unary.expr, known),
        ExprKind::Call(call) => is_quiet_call(call, known),
        ExprKind::Aggregate(aggregate) => is_quiet_aggregation(aggregate.op, facts),
        ExprKind::Binary(binary) => is_quiet_operator(binary, known),
        ExprKind::Number(_)
        | ExprKind::String(_)
        | ExprKind::NotUtf8(_)
        | ExprKind::Matrix(_)
        | ExprKind::Subquery(_)
        | ExprKind::Paren(_) => true,
    }
}

/// Series of several names, types or units may be the same without them, which is an error.
fn drops_names_quietly(operand: &Expr, known: Known<'_>) -> bool {
    let of_one = |label: &&str| known.is_alike(operand, label);
    metric_name(operand).is_some()
        && (known.facts.no_metadata || METADATA_LABELS.iter().all(of_one))
}

/// Series that differ in one label may be the same after it was written, which is an error.
fn writes_quietly(operand: &Expr, label: &str, known: Known<'_>) -> bool {
    is_distinct_without(operand, label) || known.is_alike(operand, label)
}

fn is_quiet_call(call: &Call, known: Known<'_>) -> bool {
    let only_floats = known.facts.only_floats;
    let Some(Carried { argument, written }) = carried(call) else { return false };
    if let Some(label) = written {
        return writes_quietly(argument, label, known);
    }
    let of_itself = match call.function.name {
        "rate" | "increase" => only_floats && metric_name(argument).is_some_and(is_counter_name),
        // They judge their parameters, if there is something to use them for.
        "quantile_over_time" | "double_exponential_smoothing" => false,
        name if range_function(name).is_some() => only_floats,
        // They pass over histograms.
        name => {
            math_function(name).is_some() || date_function(name).is_some() || name == "timestamp"
        }
    };
    of_itself && drops_names_quietly(argument, known)
}

fn is_quiet_aggregation(op: AggregateOp, facts: Facts) -> bool {
    use AggregateOp::{Count, CountValues, Group, LimitRatio, Limitk};
    match op {
        Count | Group | CountValues | Limitk | LimitRatio => true,
        // Parameters are judged whatever there is to use them for; of histograms there is something to say.
        _ => facts.only_floats,
    }
}

fn is_quiet_operator(binary: &Binary, known: Known<'_>) -> bool {
    match beside_scalar(binary) {
        Some(vector) => {
            let filters = binary.op.is_comparison() && !binary.return_bool;
            known.facts.only_floats
                && !binary.op.is_trim()
                && (filters || drops_names_quietly(vector, known))
        }
        None => binary.op.is_set(),
    }
}

/// Can some columns of a vector be left unread without anybody noticing? Aggregations have read theirs by then.
pub fn can_be_left_out(expr: &Expr, facts: Facts) -> bool {
    let is_quiet = || is_quiet(expr, Known::from_facts(facts));
    match &expr.kind {
        ExprKind::Matrix(_) => true,
        ExprKind::Aggregate(aggregate) => aggregate.op != AggregateOp::CountValues,
        ExprKind::Selector(_) => is_quiet(),
        ExprKind::Paren(inner) => can_be_left_out(inner, facts),
        ExprKind::Unary(unary) => is_quiet() && can_be_left_out(&unary.expr, facts),
        ExprKind::Subquery(subquery) => can_be_left_out(&subquery.expr, facts),
        ExprKind::Call(call) => {
            is_quiet() && carried(call).is_some_and(|of| can_be_left_out(of.argument, facts))
        }
        ExprKind::Binary(binary) => match beside_scalar(binary) {
            Some(vector) => is_quiet() && can_be_left_out(vector, facts),
            None => {
                let of_itself = binary.op.is_set() || facts.only_floats && !binary.op.is_trim();
                of_itself
                    && is_of_vectors(binary)
                    && can_be_left_out(&binary.lhs, facts)
                    && can_be_left_out(&binary.rhs, facts)
            }
        },
        ExprKind::Number(_) | ExprKind::String(_) | ExprKind::NotUtf8(_) => false,
    }
}

//! Which expressions can be evaluated in part without anybody noticing: no error and no annotation comes from the series
//! that are left out. Asked by [`super::propagate`], which leaves out series of selectors, and by the operators of two
//! vectors, which need no elements that meet no others. Everything else is evaluated whole, as Prometheus does.

use super::ast::{AggregateOp, Binary, Call, Expr, ExprKind};
use super::functions::{date_function, math_function, range_function};
use super::guarantees::{beside_scalar, is_of_vectors, labelled_argument, metric_name};
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

/// Has the evaluation of this node, apart from those below it, nothing to say of any series?
pub fn is_quiet(expr: &Expr, facts: Facts) -> bool {
    match &expr.kind {
        ExprKind::Selector(selector) => facts.only_floats || !selector.smoothed,
        ExprKind::Unary(unary) => !unary.negative || drops_names_quietly(&unary.expr, facts),
        ExprKind::Call(call) => is_quiet_call(call, facts),
        ExprKind::Aggregate(aggregate) => is_quiet_aggregation(aggregate.op, facts),
        ExprKind::Binary(binary) => is_quiet_operator(binary, facts),
        ExprKind::Number(_)
        | ExprKind::String(_)
        | ExprKind::NotUtf8(_)
        | ExprKind::Matrix(_)
        | ExprKind::Subquery(_)
        | ExprKind::Paren(_) => true,
    }
}

/// Series of several names may be the same without them, which is an error.
fn drops_names_quietly(operand: &Expr, facts: Facts) -> bool {
    facts.no_metadata && metric_name(operand).is_some()
}

fn is_quiet_call(call: &Call, facts: Facts) -> bool {
    let Some(argument) = labelled_argument(call).map(|index| &call.args[index]) else {
        return false;
    };
    let of_itself = match call.function.name {
        "rate" | "increase" => {
            facts.only_floats && metric_name(argument).is_some_and(is_counter_name)
        }
        // They judge their parameters, if there is something to use them for.
        "quantile_over_time" | "double_exponential_smoothing" => false,
        name if range_function(name).is_some() => facts.only_floats,
        // They pass over histograms.
        name => {
            math_function(name).is_some() || date_function(name).is_some() || name == "timestamp"
        }
    };
    of_itself && drops_names_quietly(argument, facts)
}

fn is_quiet_aggregation(op: AggregateOp, facts: Facts) -> bool {
    use AggregateOp::{Avg, Count, Group, Max, Min, Stddev, Stdvar, Sum};
    match op {
        Count | Group => true,
        Sum | Avg | Min | Max | Stddev | Stdvar => facts.only_floats,
        // They judge their parameters.
        _ => false,
    }
}

fn is_quiet_operator(binary: &Binary, facts: Facts) -> bool {
    match beside_scalar(binary) {
        Some(vector) => {
            let filters = binary.op.is_comparison() && !binary.return_bool;
            facts.only_floats
                && !binary.op.is_trim()
                && (filters || drops_names_quietly(vector, facts))
        }
        None => binary.op.is_set(),
    }
}

/// Can some columns of a vector be left unread without anybody noticing? Aggregations have read theirs by then.
pub fn can_be_left_out(expr: &Expr, facts: Facts) -> bool {
    match &expr.kind {
        ExprKind::Matrix(_) => true,
        ExprKind::Aggregate(aggregate) => aggregate.op != AggregateOp::CountValues,
        ExprKind::Selector(_) => is_quiet(expr, facts),
        ExprKind::Paren(inner) => can_be_left_out(inner, facts),
        ExprKind::Unary(unary) => is_quiet(expr, facts) && can_be_left_out(&unary.expr, facts),
        ExprKind::Subquery(subquery) => can_be_left_out(&subquery.expr, facts),
        ExprKind::Call(call) => {
            let argument = labelled_argument(call).map(|index| &call.args[index]);
            is_quiet(expr, facts) && argument.is_some_and(|arg| can_be_left_out(arg, facts))
        }
        ExprKind::Binary(binary) => match beside_scalar(binary) {
            Some(vector) => is_quiet(expr, facts) && can_be_left_out(vector, facts),
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

//! What evaluating a query again at another time needs: its tree with `@ t` in every selector, and whether its
//! answer may depend on more than its selectors.

use crate::model::Timestamp;
use crate::promql::ast::{At, Expr, ExprKind, TimeModifiers};
use crate::promql::functions::Context;

/// The expression with every selector and subquery that is not at a fixed time put at `at`; what is inside
/// a subquery follows it. `None` if the answer would still depend on the time of evaluation.
pub fn pinned(expr: &Expr, at: Timestamp) -> Option<Expr> {
    let mut pinned = expr.clone();
    pin(&mut pinned, at).then_some(pinned)
}

fn pin(expr: &mut Expr, at: Timestamp) -> bool {
    match &mut expr.kind {
        ExprKind::Selector(selector) => fix(&mut selector.time, at),
        ExprKind::Matrix(matrix) => fix(&mut matrix.selector.time, at),
        ExprKind::Subquery(subquery) => fix(&mut subquery.time, at),
        ExprKind::Call(call) if call.function.context != Context::Nothing => return false,
        _ => {}
    }
    children_mut(expr).into_iter().all(|child| pin(child, at))
}

fn fix(time: &mut TimeModifiers, at: Timestamp) {
    if !matches!(time.at, Some(At::Timestamp(_))) {
        time.at = Some(At::Timestamp(at));
    }
}

/// The expressions evaluated at the time of this one: not what is inside a subquery.
fn children_mut(expr: &mut Expr) -> Vec<&mut Expr> {
    match &mut expr.kind {
        ExprKind::Call(call) => call.args.iter_mut().collect(),
        ExprKind::Aggregate(aggregate) => {
            std::iter::once(&mut aggregate.expr).chain(&mut aggregate.param).collect()
        }
        ExprKind::Binary(binary) => vec![&mut binary.lhs, &mut binary.rhs],
        ExprKind::Unary(unary) => vec![&mut unary.expr],
        ExprKind::Paren(inner) => vec![inner],
        _ => Vec::new(),
    }
}

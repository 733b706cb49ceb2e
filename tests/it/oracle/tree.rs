//! The parts of an expression, for questions about all of them.

use silverback::promql::ast::{Expr, ExprKind};

/// The expressions directly below this one.
pub fn children(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        ExprKind::Binary(binary) => vec![&binary.lhs, &binary.rhs],
        ExprKind::Call(call) => call.args.iter().collect(),
        ExprKind::Aggregate(aggregate) => aggregate.param.iter().chain([&aggregate.expr]).collect(),
        ExprKind::Subquery(subquery) => vec![&subquery.expr],
        ExprKind::Unary(unary) => vec![&unary.expr],
        ExprKind::Paren(inner) => vec![inner],
        _ => Vec::new(),
    }
}

/// Is this so of the expression or of a part of it?
pub fn has(expr: &Expr, is_so: &impl Fn(&Expr) -> bool) -> bool {
    is_so(expr) || children(expr).into_iter().any(|child| has(child, is_so))
}

/// Without the parentheses around it.
pub fn unwrapped(mut expr: &Expr) -> &Expr {
    while let ExprKind::Paren(inner) = &expr.kind {
        expr = inner;
    }
    expr
}

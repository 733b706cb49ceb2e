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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::parser::{ParseOptions, parse};

    fn pinned_text(text: &str) -> Option<String> {
        let expr = parse(text, &ParseOptions::all()).unwrap();
        pinned(&expr, 300_000).map(|pinned| pinned.to_string())
    }

    #[test]
    fn selectors_and_subqueries_are_put_at_the_time() {
        for (text, wanted) in [
            ("a{b=\"c\"} offset 1m", "a{b=\"c\"} @ 300.000 offset 1m"),
            ("rate(a[5m] smoothed)", "rate(a[5m] smoothed @ 300.000)"),
            ("a @ 10 + b", "a @ 10.000 + b @ 300.000"),
            ("a @ start() and b @ end()", "a @ 300.000 and b @ 300.000"),
            ("max_over_time(a[1h:1m])", "max_over_time(a[1h:1m] @ 300.000)"),
            ("max_over_time(time()[1h:1m] @ 7)", "max_over_time(time()[1h:1m] @ 7.000)"),
            ("topk(scalar(a), -(b))", "topk(scalar(a @ 300.000), -(b @ 300.000))"),
            ("1 + 2", "1 + 2"),
        ] {
            let text = text.replace("time()[", "vector(time())[");
            let wanted = wanted.replace("time()[", "vector(time())[");
            assert_eq!(pinned_text(&text).unwrap(), wanted, "{text}");
        }
    }

    #[test]
    fn what_depends_on_the_time_in_another_way_is_not_pinned() {
        for text in [
            "time()",
            "a + step()",
            "vector(start() + end() + range())",
            "hour()",
            "minute(a)",
            "day_of_week(a) + 1",
            "days_in_month()",
            "month() + year()",
            "timestamp(a)",
            "sum(predict_linear(a[5m], 60))",
        ] {
            assert_eq!(pinned_text(text), None, "{text}");
        }
    }
}

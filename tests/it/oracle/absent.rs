//! `absent` and `absent_over_time`: the element that stands for nothing.

use silverback::model::MatchOp;
use silverback::promql::ast::{Expr, ExprKind};

use super::tree::unwrapped;
use super::value::{Element, NAME, Value};

/// With the labels that what is not there would have had.
pub fn of(is_absent: bool, selector: &Expr) -> Vec<Element> {
    if !is_absent {
        return Vec::new();
    }
    let matchers = match &unwrapped(selector).kind {
        ExprKind::Selector(selector) => &selector.matchers[..],
        ExprKind::Matrix(matrix) => &matrix.selector.matchers[..],
        _ => &[],
    };
    let known = matchers.iter().filter(|matcher| {
        let mentions = matchers.iter().filter(|other| other.name == matcher.name).count();
        mentions == 1 && matcher.op == MatchOp::Equal && matcher.name != NAME
    });
    let known = known.filter(|matcher| !matcher.value.is_empty());
    let labels = known.map(|matcher| (matcher.name.clone(), matcher.value.clone())).collect();
    vec![Element { labels, drops_name: false, value: Value::Float(1.0) }]
}

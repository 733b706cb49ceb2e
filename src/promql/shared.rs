//! Expressions that a query has more than once: `sum(x) / (sum(x) + sum(y))` evaluates `sum(x)` once. The engine finds them in the
//! tree, evaluates each before the rest is built, and [`Plan::build`] takes what is there.
//!
//! Its uses of samples count wherever it stands, as if it were evaluated there.
//!
//! What is shared is kept whole, so it is done only where little is kept: an expression over many series is cheaper evaluated
//! twice.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::ast::{Expr, ExprKind, Span, ValueType};
use super::check::value_type;
use super::operator::{Materialized, SharedOperator};
use super::plan::{Node, Plan};
use super::query::column_cost;
use super::tally::{Counting, Uses};
use super::value::QueryError;
use crate::sync::Arc;

/// Samples that one shared expression may keep, 16 MB.
const SHARED_SAMPLES_MAX: usize = 1 << 20;

/// Larger trees, and longer texts, are not searched: every part of them is printed for it.
const NODES_MAX: usize = 500;
const TEXT_MAX_BYTES: usize = 8 << 10;

/// An expression and its value.
#[derive(Clone)]
pub struct Shared<'q> {
    text: String,
    /// Where the user is told of it.
    span: Span,
    value: SharedOperator<'q>,
    uses: Uses,
}

impl<'q> Shared<'q> {
    /// The value, for a place where the expression stands.
    pub fn take(&self, plan: &Plan<'q>) -> SharedOperator<'q> {
        if plan.counting != Counting::Nothing {
            plan.query.tally.add_uses(&self.uses);
        }
        self.value.clone()
    }
}

/// An expression, if it is shared. Not before the place where it was evaluated, as where a parameter or a function of
/// histograms is: the user is told of the first place in the query.
pub fn find<'a, 'q>(shared: &'a [Shared<'q>], expr: &Expr) -> Option<&'a Shared<'q>> {
    if shared.is_empty() || !is_worth_sharing(expr) {
        return None;
    }
    let text = expr.to_string();
    shared.iter().find(|shared| shared.text == text && shared.span <= expr.span)
}

/// The expressions that occur several times and are evaluated alike wherever they do, inner ones first.
pub fn repeated(expr: &Expr) -> Vec<&Expr> {
    let mut nodes = 0;
    count_nodes(expr, &mut nodes);
    if nodes > NODES_MAX || expr.to_string().len() > TEXT_MAX_BYTES {
        return Vec::new();
    }
    let mut found: HashMap<String, (&Expr, usize)> = HashMap::new();
    collect(expr, &mut found);
    let mut repeated: Vec<(String, &Expr)> = found
        .into_iter()
        .filter(|(_, (_, times))| *times > 1)
        .map(|(text, (expr, _))| (text, expr))
        .collect();
    repeated.sort_by(|a, b| (a.0.len(), &a.0).cmp(&(b.0.len(), &b.0)));
    repeated.into_iter().map(|(_, expr)| expr).collect()
}

/// Where the expressions stand that [`repeated`] finds, every time.
pub fn places(expr: &Expr) -> BTreeSet<Span> {
    let texts: HashSet<String> = repeated(expr).into_iter().map(Expr::to_string).collect();
    let mut places = BTreeSet::new();
    if !texts.is_empty() {
        collect_places(expr, &texts, &mut places);
    }
    places
}

fn collect_places(expr: &Expr, texts: &HashSet<String>, places: &mut BTreeSet<Span>) {
    if is_worth_sharing(expr) && texts.contains(&expr.to_string()) {
        places.insert(expr.span);
    }
    children(expr, &mut |child| collect_places(child, texts, places));
}

/// Evaluates an expression to be shared; `None` if there would be too much to keep.
pub fn evaluate<'q>(plan: &Plan<'q>, expr: &Expr) -> Result<Option<Shared<'q>>, QueryError> {
    let before = plan.query.tally.snapshot();
    let value = evaluate_whole(plan, expr)?;
    let uses = plan.query.tally.take_uses(&before);
    Ok(value.map(|value| Shared { text: expr.to_string(), span: expr.span, value, uses }))
}

/// An aggregation is kept as it is: its columns are there once it is built.
fn evaluate_whole<'q>(
    plan: &Plan<'q>,
    expr: &Expr,
) -> Result<Option<SharedOperator<'q>>, QueryError> {
    let Node::Vector(operator) = plan.build(expr)? else { return Ok(None) };
    if let ExprKind::Aggregate(_) = expr.kind {
        return Ok(Some(Arc::from(operator)));
    }
    let cost = column_cost(plan.timeline.count).saturating_mul(operator.series_count());
    if cost > SHARED_SAMPLES_MAX {
        return Ok(None);
    }
    Ok(Some(Arc::new(Materialized::of(plan.query, operator)?)))
}

/// Aggregations and joins look at many series and keep few.
fn is_worth_sharing(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Aggregate(_) => true,
        ExprKind::Binary(_) | ExprKind::Call(_) => value_type(expr) == ValueType::Vector,
        _ => false,
    }
}

/// Counts what is worth sharing. What lies within something seen before is not evaluated again and not counted.
fn collect<'e>(expr: &'e Expr, found: &mut HashMap<String, (&'e Expr, usize)>) {
    if is_worth_sharing(expr) {
        let (_, times) = found.entry(expr.to_string()).or_insert((expr, 0));
        *times += 1;
        if *times > 1 {
            return;
        }
    }
    children(expr, &mut |child| collect(child, found));
}

fn count_nodes(expr: &Expr, nodes: &mut usize) {
    *nodes += 1;
    children(expr, &mut |child| count_nodes(child, nodes));
}

/// The operands that are evaluated on the same timeline and in the same way.
fn children<'e>(expr: &'e Expr, visit: &mut dyn FnMut(&'e Expr)) {
    match &expr.kind {
        ExprKind::Paren(inner) => visit(inner),
        ExprKind::Unary(unary) => visit(&unary.expr),
        ExprKind::Binary(binary) => {
            visit(&binary.lhs);
            visit(&binary.rhs);
        }
        ExprKind::Aggregate(aggregate) => visit(&aggregate.expr),
        // The functions of histograms have their argument look for counter resets.
        ExprKind::Call(call) if !call.function.name.starts_with("histogram_") => {
            call.args.iter().for_each(visit);
        }
        _ => {}
    }
}

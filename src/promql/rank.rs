//! Aggregations that choose elements and keep their labels: `topk`, `bottomk`, `limitk`, `limit_ratio`. The choice is
//! made at every step on its own, so all columns of the operand are kept.

use std::cmp::Ordering;

use super::aggregate::Groups;
use super::annotations::format_value;
use super::ast::{AggregateOp, Expr, Grouping};
use super::column::Bits;
use super::operator::{BoxOperator, Materialized};
use super::order::by_value;
use super::plan::Plan;
use super::value::QueryError;

/// What to choose at each step.
pub enum Rule {
    /// The k largest or smallest.
    Best { ks: Vec<usize>, largest: bool },
    /// The first k.
    First { ks: Vec<usize> },
    /// The share whose label hash is below the ratio, or from 1 + ratio on if that is negative.
    Ratio { ratios: Vec<f64> },
}

impl Rule {
    /// # Errors
    /// The parameter is NaN at some step.
    pub fn new(plan: &Plan<'_>, op: AggregateOp, param: &Expr) -> Result<Rule, QueryError> {
        let values = plan.scalar(param)?;
        if values.iter().any(|value| value.is_nan()) {
            let what = if op == AggregateOp::LimitRatio { "Ratio" } else { "Parameter" };
            return Err(QueryError::Execution(format!("{what} value is NaN")));
        }
        let ks = || values.iter().map(|value| *value as usize).collect();
        Ok(match op {
            AggregateOp::Limitk => Rule::First { ks: ks() },
            AggregateOp::LimitRatio => Rule::Ratio { ratios: capped(plan, param, values) },
            op => Rule::Best { ks: ks(), largest: op == AggregateOp::Topk },
        })
    }
}

fn capped(plan: &Plan<'_>, param: &Expr, mut ratios: Vec<f64>) -> Vec<f64> {
    for ratio in ratios.iter_mut().filter(|ratio| ratio.abs() > 1.0) {
        let cap = ratio.signum();
        let message = format!(
            "ratio value should be between -1 and 1, got {}, capping to {cap}",
            format_value(*ratio)
        );
        plan.query.warn(param.span, message);
        *ratio = cap;
    }
    ratios
}

/// # Errors
/// Evaluating the operand failed.
pub fn build<'q>(
    plan: &Plan<'q>,
    rule: Rule,
    inner: BoxOperator<'q>,
    grouping: &Grouping,
) -> Result<BoxOperator<'q>, QueryError> {
    let groups = Groups::new(inner.series(), grouping);
    let mut vector = Materialized::of(plan.query, inner)?;
    if let Rule::Ratio { ratios } = &rule {
        keep_ratio(&mut vector, ratios);
    } else {
        let mut kept = vec![Bits::new(plan.timeline.count); vector.series.len()];
        for members in groups.members() {
            vector.for_each_step(plan.query, &members, |step, elements| {
                choose(elements, step, &rule);
                elements.iter().for_each(|(index, _)| kept[*index].insert(step));
            })?;
        }
        for (column, kept) in vector.columns.iter_mut().zip(kept) {
            column.present = kept;
        }
    }
    let order = order(plan, &vector, &groups, &rule);
    Ok(Box::new(vector.select(&order)))
}

/// Leaves the chosen of the elements of one group at one step, in any order.
fn choose(elements: &mut Vec<(usize, f64)>, step: usize, rule: &Rule) {
    let (Rule::Best { ks, .. } | Rule::First { ks }) = rule else { return };
    let k = ks[step];
    if let (Rule::Best { largest, .. }, true) = (rule, k > 0 && k < elements.len()) {
        elements.select_nth_unstable_by(k - 1, |a, b| best_first(*largest, *a, *b));
    }
    elements.truncate(k);
}

/// Equal values keep the order of the vector.
fn best_first(largest: bool, a: (usize, f64), b: (usize, f64)) -> Ordering {
    by_value(a.1, b.1, largest).then(a.0.cmp(&b.0))
}

fn keep_ratio(vector: &mut Materialized<'_>, ratios: &[f64]) {
    for (meta, column) in vector.series.iter().zip(&mut vector.columns) {
        let place = meta.labels.fingerprint() as f64 / u64::MAX as f64;
        column.filter_map(|step, value| {
            let ratio = ratios[step];
            let inside = if ratio >= 0.0 { place < ratio } else { place >= 1.0 + ratio };
            inside.then_some(value)
        });
    }
}

/// The series that have any element left. At one point in time the best come first within their group.
fn order(plan: &Plan<'_>, vector: &Materialized<'_>, groups: &Groups, rule: &Rule) -> Vec<usize> {
    let has_any = |index: &usize| !vector.columns[*index].is_empty();
    let mut order: Vec<usize> = (0..vector.series.len()).filter(has_any).collect();
    if let (Rule::Best { largest, .. }, true) = (rule, plan.is_instant()) {
        order.sort_by(|a, b| {
            let by_group = groups.of[*a].cmp(&groups.of[*b]);
            let element = |index: usize| (index, vector.columns[index].values[0]);
            by_group.then_with(|| best_first(*largest, element(*a), element(*b)))
        });
    }
    order
}

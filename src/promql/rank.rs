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
use super::select::CHECK_STEPS;
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
        let members = groups.members();
        let mut kept = vec![Bits::new(plan.timeline.count); vector.series.len()];
        for step in 0..plan.timeline.count {
            if step % CHECK_STEPS == 0 {
                plan.query.check()?;
            }
            for members in &members {
                let chosen = choose(&vector, members, step, &rule);
                chosen.into_iter().for_each(|index| kept[index].insert(step));
            }
        }
        for (column, kept) in vector.columns.iter_mut().zip(kept) {
            column.present = kept;
        }
    }
    let order = order(plan, &vector, &groups, &rule);
    Ok(Box::new(vector.select(&order)))
}

/// The elements of one group chosen at one step, in no order.
fn choose(vector: &Materialized<'_>, members: &[usize], step: usize, rule: &Rule) -> Vec<usize> {
    let present = members.iter().copied();
    let mut present: Vec<usize> =
        present.filter(|index| vector.columns[*index].present.contains(step)).collect();
    let (Rule::Best { ks, .. } | Rule::First { ks }) = rule else { return present };
    let k = ks[step];
    if k == 0 || present.len() <= k {
        present.truncate(k);
        return present;
    }
    if let Rule::Best { largest, .. } = rule {
        present.select_nth_unstable_by(k - 1, |a, b| best_first(vector, step, *largest, *a, *b));
    }
    present.truncate(k);
    present
}

/// Equal values keep the order of the vector.
fn best_first(
    vector: &Materialized<'_>,
    step: usize,
    largest: bool,
    a: usize,
    b: usize,
) -> Ordering {
    let value = |index: usize| vector.columns[index].values[step];
    by_value(value(a), value(b), largest).then(a.cmp(&b))
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
            by_group.then_with(|| best_first(vector, 0, *largest, *a, *b))
        });
    }
    order
}

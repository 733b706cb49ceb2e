//! Aggregations that choose elements and keep their labels: `topk`, `bottomk`, `limitk`, `limit_ratio`. The choice is
//! made at every step on its own, so all columns of the operand are kept; of `limitk`, as many as are needed
//! ([`super::limit`]).

use super::aggregate::Groups;
use super::annotations::format_value;
use super::ast::{Aggregate, AggregateOp, Expr, Span};
use super::column::{Bits, Column};
use super::limit;
use super::operator::{BoxOperator, Materialized};
use super::order::by_value;
use super::plan::Plan;
use super::quiet::can_be_left_out;
use super::value::QueryError;
use crate::model::Labels;

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
    /// The parameter is no number of elements, or no ratio, at some step.
    pub fn new(plan: &Plan<'_>, op: AggregateOp, param: &Expr) -> Result<Rule, QueryError> {
        let values = plan.scalar(param)?;
        Ok(match op {
            AggregateOp::LimitRatio => Rule::Ratio { ratios: ratios(plan, param, values)? },
            AggregateOp::Limitk => Rule::First { ks: counts(&values)? },
            op => Rule::Best { ks: counts(&values)?, largest: op == AggregateOp::Topk },
        })
    }
}

impl Rule {
    /// Histograms have no order.
    fn ignores_histograms(&self) -> bool {
        match self {
            Rule::Best { ks, .. } => ks.iter().any(|k| *k > 0),
            Rule::First { .. } | Rule::Ratio { .. } => false,
        }
    }

    /// What is looked at of an element.
    fn read(&self, column: &Column, step: usize) -> Option<f64> {
        match self {
            Rule::Best { .. } => column.get(step),
            Rule::First { .. } | Rule::Ratio { .. } => column.contains(step).then_some(0.0),
        }
    }
}

/// The k of every step.
fn counts(values: &[f64]) -> Result<Vec<usize>, QueryError> {
    if values.iter().all(|value| *value < 1.0) {
        return Ok(vec![0; values.len()]);
    }
    let count = |value: &f64| {
        let shown = format_value(*value);
        let problem = match *value {
            value if value.is_nan() => "Parameter value is NaN".to_string(),
            value if value <= i64::MIN as f64 => format!("Scalar value {shown} underflows int64"),
            value if value >= i64::MAX as f64 => format!("Scalar value {shown} overflows int64"),
            value => return Ok(value as usize),
        };
        Err(QueryError::Execution(problem))
    };
    values.iter().map(count).collect()
}

/// The ratio of every step, capped; warns of the largest and the smallest if they had to be.
fn ratios(plan: &Plan<'_>, param: &Expr, values: Vec<f64>) -> Result<Vec<f64>, QueryError> {
    if values.iter().any(|value| value.is_nan()) {
        return Err(QueryError::Execution("Ratio value is NaN".to_string()));
    }
    let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let min = values.iter().copied().fold(f64::INFINITY, f64::min);
    for (extreme, cap) in [(max, 1.0), (min, -1.0)] {
        if (cap > 0.0 && extreme > cap) || (cap < 0.0 && extreme < cap) {
            let extreme = format_value(extreme);
            let message =
                format!("ratio value should be between -1 and 1, got {extreme}, capping to {cap}");
            plan.query.warn(param.span, message);
        }
    }
    Ok(values.into_iter().map(|value| value.clamp(-1.0, 1.0)).collect())
}

/// An element of a group at one step: index of its series, and value.
type Element = (usize, f64);

/// # Errors
/// Evaluating the operand failed.
pub fn build<'q>(
    plan: &Plan<'q>,
    rule: Rule,
    inner: BoxOperator<'q>,
    aggregate: &Aggregate,
    span: Span,
) -> Result<BoxOperator<'q>, QueryError> {
    let groups = Groups::new(plan.query, inner.series(), &aggregate.grouping, false)?;
    let (mut vector, groups) = match &rule {
        Rule::First { ks } if can_be_left_out(&aggregate.expr, plan.query.facts) => {
            limit::first_of_groups(plan.query, inner, groups, ks)?
        }
        _ => (Materialized::of(plan.query, inner)?, groups),
    };
    if rule.ignores_histograms() && vector.has_histograms() {
        let op = aggregate.op.as_str();
        plan.query.info(span, format!("ignored histogram in {op} aggregation"));
    }
    let shares: Vec<f64> = match rule {
        Rule::Ratio { .. } => vector.series.iter().map(|meta| share(&meta.labels)).collect(),
        _ => Vec::new(),
    };
    let mut kept = vec![Bits::new(plan.timeline.count); vector.series.len()];
    // At one point in time: of every group, its first element, and the chosen in the order of the answer.
    let mut answer: Vec<(usize, Vec<usize>)> = Vec::new();
    for members in groups.members() {
        vector.for_each_step(
            plan.query,
            &members,
            |c, s| rule.read(c, s),
            |step, elements| {
                let first = elements.first().map_or(0, |(index, _)| *index);
                choose(elements, step, &rule, &shares);
                elements.iter().for_each(|(index, _)| kept[*index].insert(step));
                if plan.is_instant() {
                    answer.push((first, elements.iter().map(|(index, _)| *index).collect()));
                }
            },
        )?;
    }
    for (column, kept) in vector.columns.iter_mut().zip(kept) {
        column.keep(&kept);
    }
    let order: Vec<usize> = if plan.is_instant() {
        answer.sort_by_key(|(first, _)| *first);
        answer.into_iter().flat_map(|(_, chosen)| chosen).collect()
    } else {
        let has_any = |index: &usize| !vector.columns[*index].is_empty();
        (0..vector.series.len()).filter(has_any).collect()
    };
    Ok(Box::new(vector.select(&order)))
}

/// Where in 0..1 the hash of a label set lies.
fn share(labels: &Labels) -> f64 {
    labels.fingerprint() as f64 / u64::MAX as f64
}

/// Leaves the chosen of the elements of one group at one step, in the order in which Prometheus gives them.
fn choose(elements: &mut Vec<Element>, step: usize, rule: &Rule, shares: &[f64]) {
    match rule {
        Rule::Best { ks, largest } => best(elements, ks[step], *largest),
        Rule::First { ks } => elements.truncate(ks[step]),
        Rule::Ratio { ratios } => {
            let ratio = ratios[step];
            elements.retain(|(index, _)| {
                let place = shares[*index];
                if ratio >= 0.0 { place < ratio } else { place >= 1.0 + ratio }
            });
        }
    }
}

/// Leaves the k best, best first. Which of equal values remain, and in what order, is what the binary heap of Go's
/// library makes of them: the worst of the first k on top, replaced by whatever is better than it.
fn best(elements: &mut Vec<Element>, k: usize, largest: bool) {
    let worse =
        |a: Element, b: Element| a.1.is_nan() || if largest { a.1 < b.1 } else { a.1 > b.1 };
    let k = k.min(elements.len());
    if k == 0 {
        return elements.clear();
    }
    let (heap, rest) = elements.split_at_mut(k);
    (1..k).for_each(|last| sift_up(heap, last, worse));
    for element in rest {
        let (worst, value) = (heap[0].1, element.1);
        let replaces = if largest { worst < value } else { worst > value };
        if replaces || (worst.is_nan() && !value.is_nan()) {
            heap[0] = *element;
            sift_down(heap, worse);
        }
    }
    elements.truncate(k);
    elements.sort_by(|a, b| by_value(a.1, b.1, largest));
}

/// Moves the element at `index` up until the one above it is not better.
fn sift_up(heap: &mut [Element], mut index: usize, worse: impl Fn(Element, Element) -> bool) {
    while index > 0 && worse(heap[index], heap[(index - 1) / 2]) {
        heap.swap(index, (index - 1) / 2);
        index = (index - 1) / 2;
    }
}

/// Moves the top down until none below it is worse.
fn sift_down(heap: &mut [Element], worse: impl Fn(Element, Element) -> bool) {
    let mut index = 0;
    loop {
        let left = 2 * index + 1;
        let right_worse = left + 1 < heap.len() && worse(heap[left + 1], heap[left]);
        let child = left + usize::from(right_worse);
        if child >= heap.len() || !worse(heap[child], heap[index]) {
            return;
        }
        heap.swap(index, child);
        index = child;
    }
}

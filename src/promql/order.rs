//! The functions that order a vector: `sort`, `sort_desc`, `sort_by_label`, `sort_by_label_desc`. Order exists at one
//! point in time only; in range queries they pass the vector through and say so.

use std::cmp::Ordering;

use super::ast::{Expr, Span};
use super::functions::labels::compare_by_labels;
use super::map::{Map, ValueMap};
use super::operator::{BoxOperator, Materialized};
use super::plan::Plan;
use super::sort::sort_indices;
use super::value::QueryError;

/// By value, NaN last in both directions; equal values keep their order. Histograms have none and are dropped.
pub fn sort<'q>(
    plan: &Plan<'q>,
    arg: &Expr,
    span: Span,
    descending: bool,
) -> Result<BoxOperator<'q>, QueryError> {
    let inner = plan.vector(arg)?;
    let function: ValueMap<'q> = Box::new(|_, value| Some(value));
    let floats = Box::new(Map { query: plan.query, inner, function, histograms: None });
    sorted(plan, floats, span, |vector, a, b| {
        let (a, b) = (vector.columns[a].values[0], vector.columns[b].values[0]);
        by_value(a, b, descending)
    })
}

/// NaN last in both directions.
pub fn by_value(a: f64, b: f64, descending: bool) -> Ordering {
    let by_number = a.partial_cmp(&b).unwrap_or(Ordering::Equal);
    let by_number = if descending { by_number.reverse() } else { by_number };
    a.is_nan().cmp(&b.is_nan()).then(by_number)
}

/// By the natural order of the labels named, then by all labels.
pub fn sort_by_label<'q>(
    plan: &Plan<'q>,
    arg: &Expr,
    names: &[Expr],
    span: Span,
    descending: bool,
) -> Result<BoxOperator<'q>, QueryError> {
    let names = names.iter().map(|name| plan.text(name)).collect::<Result<Vec<_>, _>>()?;
    sorted(plan, plan.vector(arg)?, span, |vector, a, b| {
        let order = compare_by_labels(&vector.series[a].labels, &vector.series[b].labels, &names);
        if descending { order.reverse() } else { order }
    })
}

fn sorted<'q>(
    plan: &Plan<'q>,
    inner: BoxOperator<'q>,
    span: Span,
    compare: impl Fn(&Materialized<'q>, usize, usize) -> Ordering,
) -> Result<BoxOperator<'q>, QueryError> {
    if !plan.is_instant() {
        // A subquery may have no step at all.
        if plan.timeline.count > 0 {
            let message =
                "sort is ineffective for range queries since results are always ordered by labels";
            plan.query.warn(span, message);
        }
        return Ok(inner);
    }
    let vector = Materialized::of(plan.query, inner)?;
    let mut present: Vec<usize> =
        (0..vector.series.len()).filter(|index| !vector.columns[*index].is_empty()).collect();
    sort_indices(plan.query, &mut present, |a, b| compare(&vector, a, b))?;
    Ok(Box::new(vector.select(&present)))
}

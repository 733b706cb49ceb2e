//! `info(v, {matchers})`: every element of `v` with the labels that info metrics have about the same target at the same
//! time. Which info metrics, and which of their labels, is asked by a [`Request`]; what they say about each target is
//! found by [`super::info_metrics`] before any column of `v` is evaluated, so the series of the result are known.

use super::ast::{Expr, ExprKind};
use super::column::Column;
use super::info_metrics::{self, Choice, Request, Targets};
use super::operator::{BoxOperator, Materialized, Meta, Operator, Scratch};
use super::plan::Plan;
use super::query::{Query, series_cost};
use super::timeline::{Frame, TimeShift};
use super::unique::merge_equal;
use super::value::QueryError;
use crate::model::{Labels, LabelsBuilder};

/// # Errors
/// Evaluating the base failed, or info series of one metric contradict each other.
pub fn build<'q>(
    plan: &Plan<'q>,
    base: &Expr,
    wanted: Option<&Expr>,
) -> Result<BoxOperator<'q>, QueryError> {
    let request = match wanted.map(|expr| &expr.kind) {
        Some(ExprKind::Selector(selector)) => Request::new(&selector.matchers)?,
        _ => Request::new(&[])?,
    };
    let shift = first_shift(&plan.query.frame, base)?.unwrap_or(TimeShift::NONE);
    let base = plan.vector(base)?;
    let targets = Targets::of(plan.query, base.series(), &request)?;
    let choices = info_metrics::choices(plan, &request, shift, &targets)?;
    let split = targets.of.iter().map(|target| target.map_or(1, |target| choices[target].len()));
    plan.query.keep(series_cost(0, 0).saturating_mul(split.sum()))?;
    let mut parts = parts(plan.query, &request, &targets, &choices)?;
    let enriched = parts.iter_mut().map(|part| part.enrich(&base.series()[part.base], &choices));
    let series = plan.query.collect_labels(enriched)?;
    let is_split = parts.windows(2).any(|pair| pair[0].base == pair[1].base);
    // The columns of the base are asked for once.
    let base = if is_split { Box::new(Materialized::of(plan.query, base)?) } else { base };
    let query = plan.query;
    merge_equal(query, Box::new(Enriched { query, base, series, parts, choices }))
}

/// What the result series come from, in the order of the base series.
fn parts(
    query: &Query<'_>,
    request: &Request,
    targets: &Targets,
    choices: &[Vec<Choice>],
) -> Result<Vec<Part>, QueryError> {
    let mut parts = Vec::new();
    for (base, target) in targets.of.iter().enumerate() {
        query.check_at(base)?;
        let Some(target) = *target else {
            if targets.passes(base) || !request.requires_labels() {
                parts.push(Part { base, of: None, conflict: None });
            }
            continue;
        };
        for (position, choice) in choices[target].iter().enumerate() {
            if choice.members.is_empty() && request.requires_labels() {
                continue;
            }
            query.check_at(parts.len())?;
            parts.push(Part { base, of: Some((target, position)), conflict: None });
        }
    }
    Ok(parts)
}

/// How the first selector in an expression moves time: info metrics are looked at when that one is.
fn first_shift(frame: &Frame, expr: &Expr) -> Result<Option<TimeShift>, QueryError> {
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::String(_) | ExprKind::NotUtf8(_) => Ok(None),
        ExprKind::Selector(selector) => frame.shift(&selector.time).map(Some),
        ExprKind::Matrix(matrix) => frame.shift(&matrix.selector.time).map(Some),
        ExprKind::Subquery(subquery) => {
            let outer = frame.shift(&subquery.time)?;
            Ok(first_shift(frame, &subquery.expr)?.map(|inner| outer.then(inner)))
        }
        ExprKind::Call(call) => first_of(frame, &call.args),
        ExprKind::Aggregate(aggregate) => {
            first_of(frame, std::iter::once(&aggregate.expr).chain(&aggregate.param))
        }
        ExprKind::Binary(binary) => first_of(frame, [&binary.lhs, &binary.rhs]),
        ExprKind::Unary(unary) => first_shift(frame, &unary.expr),
        ExprKind::Paren(inner) => first_shift(frame, inner),
    }
}

fn first_of<'a>(
    frame: &Frame,
    exprs: impl IntoIterator<Item = &'a Expr>,
) -> Result<Option<TimeShift>, QueryError> {
    exprs.into_iter().find_map(|expr| first_shift(frame, expr).transpose()).transpose()
}

/// The labels of a base series and those that a choice adds; and the label, if any, that two info metrics give
/// different values. Labels that the base has stay as they are.
fn enriched(base: &Labels, choice: &Choice) -> (Labels, Option<String>) {
    let mut labels = LabelsBuilder::from_labels(base);
    let mut conflict = None;
    for (name, value) in choice.labels.iter().filter(|(name, _)| base.get(name).is_none()) {
        match labels.get(name) {
            Some(other) if other != value => conflict = conflict.or(Some(name.clone())),
            _ => {
                labels.set(name, value);
            }
        }
    }
    (labels.build(), conflict)
}

/// A result series: a base series at some steps.
struct Part {
    base: usize,
    /// The target and which of its choices holds at those steps; `None`: all steps.
    of: Option<(usize, usize)>,
    /// A label that two info metrics disagree about: an error wherever the base has an element.
    conflict: Option<String>,
}

impl Part {
    /// The series of the result; notes what its info metrics disagree about.
    fn enrich(&mut self, base: &Meta, choices: &[Vec<Choice>]) -> Meta {
        let Some((target, position)) = self.of else { return base.clone() };
        let (labels, conflict) = enriched(&base.labels, &choices[target][position]);
        self.conflict = conflict;
        Meta { labels, drop_name: base.drop_name }
    }
}

struct Enriched<'q> {
    query: &'q Query<'q>,
    base: BoxOperator<'q>,
    series: Vec<Meta>,
    parts: Vec<Part>,
    /// Of every target.
    choices: Vec<Vec<Choice>>,
}

impl Operator for Enriched<'_> {
    fn series(&self) -> &[Meta] {
        &self.series
    }

    fn column(
        &self,
        index: usize,
        scratch: &mut Scratch,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        self.query.check()?;
        let part = &self.parts[index];
        self.base.column(part.base, scratch, out)?;
        if let Some((target, position)) = part.of {
            out.keep(&self.choices[target][position].steps);
        }
        match &part.conflict {
            Some(label) if !out.is_empty() => {
                Err(QueryError::Execution(format!("conflicting label: {label}")))
            }
            _ => Ok(()),
        }
    }
}

//! What a query will cost, and what it has cost: the tree of its nodes, each with the series and samples that the index
//! and the blocks let expect, and, if it was evaluated for that, with what was measured. Called by `engine`; reads no
//! samples itself.
//!
//! Estimates of series are upper bounds as far as those of the selectors are right: that labels do not match, or that
//! values are filtered, is not foreseen.

use std::collections::BTreeMap;

use super::ast::{
    Aggregate, AggregateOp, Binary, BinaryOp, Call, Cardinality, Expr, ExprKind, Selector, Span,
    ValueType,
};
use super::plan::stands_for_all;
use super::probe::{Measured, Probe};
use super::query::Query;
use super::select::Reach;
use super::subquery::inner_timeline;
use super::timeline::Timeline;
use super::value::{QueryError, QueryStats};
use super::window::reach_of;
use crate::read::Estimate;
use crate::sync::Arc;

/// What there is to tell of a query.
#[derive(Debug)]
pub struct Explanation {
    pub plan: PlanNode,
    /// If it was evaluated.
    pub stats: Option<QueryStats>,
}

/// A part of an expression that is evaluated on its own; parentheses and literal operands are not.
#[derive(Debug)]
pub struct PlanNode {
    pub operator: OperatorKind,
    /// The function, aggregation or operator; empty for anything else.
    pub name: &'static str,
    pub span: Span,
    /// Of a selector to which matchers were added: what is read in its place.
    pub read_as: Option<String>,
    /// Series that it gives, and samples that it and all below it read.
    pub estimated: Estimate,
    /// Of the samples, too, those of all below.
    pub measured: Option<Measured>,
    pub children: Vec<PlanNode>,
}

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperatorKind {
    Literal,
    InstantSelector,
    RangeSelector,
    Subquery,
    Call,
    Aggregation,
    Binary,
    Unary,
}

impl OperatorKind {
    pub fn as_str(self) -> &'static str {
        match self {
            OperatorKind::Literal => "literal",
            OperatorKind::InstantSelector => "instant selector",
            OperatorKind::RangeSelector => "range selector",
            OperatorKind::Subquery => "subquery",
            OperatorKind::Call => "call",
            OperatorKind::Aggregation => "aggregation",
            OperatorKind::Binary => "binary operation",
            OperatorKind::Unary => "unary operation",
        }
    }
}

impl PlanNode {
    /// The tree of an expression on a timeline.
    ///
    /// # Errors
    /// A duration in it is none, the index cannot be read, or nobody waits for the answer any more.
    pub fn new(query: &Query<'_>, expr: &Expr, timeline: Timeline) -> Result<PlanNode, QueryError> {
        query.check()?;
        match stands_for_all(expr, timeline) {
            true => PlanNode::on_steps(query, expr, Timeline::at(timeline.start)),
            false => PlanNode::on_steps(query, expr, timeline),
        }
    }

    fn on_steps(
        query: &Query<'_>,
        expr: &Expr,
        timeline: Timeline,
    ) -> Result<PlanNode, QueryError> {
        let span = expr.span;
        let operands = |exprs: &[&Expr]| -> Result<Vec<PlanNode>, QueryError> {
            let exprs = exprs.iter().filter(|expr| !is_literal(expr));
            exprs.map(|expr| PlanNode::new(query, expr, timeline)).collect()
        };
        Ok(match &expr.kind {
            ExprKind::Number(_) | ExprKind::String(_) | ExprKind::NotUtf8(_) => {
                PlanNode::above(Vec::new(), OperatorKind::Literal, "", span, 0)
            }
            ExprKind::Selector(selector) => {
                let reach = Reach::of_instant(query, selector);
                PlanNode::reading(
                    query,
                    OperatorKind::InstantSelector,
                    selector,
                    span,
                    timeline,
                    reach,
                )?
            }
            ExprKind::Matrix(matrix) => {
                let range_ms = query.frame.positive_duration_ms(&matrix.range)?;
                let (kind, selector) = (OperatorKind::RangeSelector, &matrix.selector);
                let reach = reach_of(query, selector, range_ms);
                PlanNode::reading(query, kind, selector, span, timeline, reach)?
            }
            ExprKind::Subquery(subquery) => {
                let shift = query.frame.shift(&subquery.time)?;
                let range_ms = query.frame.positive_duration_ms(&subquery.range)?;
                let inner = inner_timeline(query, subquery, timeline, shift, range_ms)?;
                let child = PlanNode::new(query, &subquery.expr, inner)?;
                let series = child.estimated.series;
                PlanNode::above(vec![child], OperatorKind::Subquery, "", span, series)
            }
            ExprKind::Call(call) => {
                let children = operands(&args_read(call))?;
                let (name, series) = (call.function.name, series_of_call(call, &children));
                PlanNode::above(children, OperatorKind::Call, name, span, series)
            }
            ExprKind::Aggregate(aggregate) => {
                let exprs: Vec<&Expr> = aggregate.param.iter().chain([&aggregate.expr]).collect();
                let children = operands(&exprs)?;
                let (name, series) =
                    (aggregate.op.as_str(), series_of_groups(aggregate, &children));
                PlanNode::above(children, OperatorKind::Aggregation, name, span, series)
            }
            ExprKind::Binary(binary) => {
                let children = operands(&[&binary.lhs, &binary.rhs])?;
                let (name, series) = (binary.op.as_str(), series_of_binary(binary, &children));
                PlanNode::above(children, OperatorKind::Binary, name, span, series)
            }
            ExprKind::Unary(unary) => {
                let children = operands(&[&unary.expr])?;
                let (name, series) =
                    (if unary.negative { "-" } else { "+" }, most_series(&children));
                PlanNode::above(children, OperatorKind::Unary, name, span, series)
            }
            ExprKind::Paren(inner) => PlanNode::new(query, inner, timeline)?,
        })
    }

    /// A node that gives so many series and reads what those below it read.
    fn above(
        children: Vec<PlanNode>,
        operator: OperatorKind,
        name: &'static str,
        span: Span,
        series: u64,
    ) -> PlanNode {
        let samples = children.iter().map(|child| child.estimated.samples).sum();
        let estimated = Estimate { series, samples };
        PlanNode { operator, name, span, read_as: None, estimated, measured: None, children }
    }

    /// Notes of selectors, by their places, what is read in their place.
    pub fn note_narrowed(&mut self, narrowed: &BTreeMap<Span, String>) {
        if self.children.is_empty() {
            self.read_as = narrowed.get(&self.span).cloned();
        }
        self.children.iter_mut().for_each(|child| child.note_narrowed(narrowed));
    }

    /// A selector.
    fn reading(
        query: &Query<'_>,
        operator: OperatorKind,
        selector: &Selector,
        span: Span,
        timeline: Timeline,
        reach: Reach,
    ) -> Result<PlanNode, QueryError> {
        let range = reach.around(timeline, query.frame.shift(&selector.time)?);
        let estimated = query.source.estimate(&selector.matchers, range)?;
        let mut node = PlanNode::above(Vec::new(), operator, "", span, 0);
        node.estimated = estimated;
        Ok(node)
    }
}

fn is_literal(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Number(_) | ExprKind::String(_) | ExprKind::NotUtf8(_))
}

/// The second argument of `info` is no selector of samples, although it looks like one.
fn args_read(call: &Call) -> Vec<&Expr> {
    let count = if call.function.name == "info" { 1 } else { call.args.len() };
    call.args.iter().take(count).collect()
}

fn most_series(children: &[PlanNode]) -> u64 {
    children.iter().map(|child| child.estimated.series).max().unwrap_or(0)
}

fn series_of_call(call: &Call, children: &[PlanNode]) -> u64 {
    match (call.function.name, call.function.returns) {
        (_, ValueType::Scalar | ValueType::String) => 0,
        ("absent" | "absent_over_time" | "vector", _) => 1,
        // Functions of the date that look at the time of the step.
        _ if call.args.is_empty() => 1,
        _ => most_series(children),
    }
}

/// As many groups as series, unless there is but one.
fn series_of_groups(aggregate: &Aggregate, children: &[PlanNode]) -> u64 {
    use AggregateOp::*;
    let series = children.last().map_or(0, |operand| operand.estimated.series);
    let is_one_group = !aggregate.grouping.without && aggregate.grouping.labels.is_empty();
    match aggregate.op {
        Topk | Bottomk | Limitk | LimitRatio | CountValues => series,
        _ if is_one_group => series.min(1),
        _ => series,
    }
}

fn series_of_binary(binary: &Binary, children: &[PlanNode]) -> u64 {
    let [lhs, rhs] = children else { return most_series(children) };
    let (lhs, rhs) = (lhs.estimated.series, rhs.estimated.series);
    // A scalar has no series.
    if lhs == 0 || rhs == 0 {
        return lhs.max(rhs);
    }
    let fills = binary.matching.fill_left.is_some() || binary.matching.fill_right.is_some();
    match (binary.op, binary.matching.cardinality) {
        (BinaryOp::Or, _) => lhs + rhs,
        (BinaryOp::And | BinaryOp::Unless, _) => lhs,
        _ if fills => lhs + rhs,
        (_, Cardinality::ManyToOne) => lhs,
        (_, Cardinality::OneToMany) => rhs,
        _ => lhs.min(rhs),
    }
}

/// What the nodes of one query cost.
#[derive(Debug)]
pub struct Analysis {
    probes: BTreeMap<Span, Arc<Probe>>,
}

impl Analysis {
    /// Nothing yet.
    pub fn new(plan: &PlanNode) -> Analysis {
        let mut probes = BTreeMap::new();
        let mut nodes = vec![plan];
        while let Some(node) = nodes.pop() {
            probes.insert(node.span, Arc::default());
            nodes.extend(&node.children);
        }
        Analysis { probes }
    }

    /// The cost of the node that stands at a place in the text.
    pub fn probe(&self, span: Span) -> Option<&Arc<Probe>> {
        self.probes.get(&span)
    }

    /// The samples that every node has read by now, for [`Analysis::restore`].
    pub fn snapshot(&self) -> Vec<u64> {
        self.probes.values().map(|probe| probe.samples()).collect()
    }

    /// Forgets what was read since. The time that it took, and the memory, are spent.
    pub fn restore(&self, samples: &[u64]) {
        let probes = self.probes.values().zip(samples);
        probes.for_each(|(probe, samples)| probe.restore_samples(*samples));
    }

    /// Puts the measured costs into the tree.
    pub fn fill(&self, node: &mut PlanNode) {
        let mut measured = self.probe(node.span).map(|probe| probe.measured()).unwrap_or_default();
        for child in &mut node.children {
            self.fill(child);
            measured.samples += child.measured.map_or(0, |measured| measured.samples);
        }
        node.measured = Some(measured);
    }
}

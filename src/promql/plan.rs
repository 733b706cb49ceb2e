//! From the tree to operators, on one timeline. Building evaluates what an operator must know before it can tell its
//! series (the groups of an aggregation, one side of a join); the rest runs when columns are asked for. Parts that do
//! not depend on the step are built on a timeline of one step and repeated.

use super::ast::{Expr, ExprKind, Unary, ValueType};
use super::check::not_utf8;
use super::column::Element;
use super::functions::Context;
use super::instant::{InstantSelector, Take};
use super::map::Map;
use super::operator::{BoxOperator, Repeat, drop_names};
use super::query::{Query, values_cost};
use super::shared::{self, Shared};
use super::tally::Counting;
use super::timeline::Timeline;
use super::value::QueryError;
use super::{aggregate, binary, call, watched};
use crate::sync::Arc;

/// What an expression becomes.
pub enum Node<'q> {
    /// A value at every step. Counted as held until the query ends: there are only as many as its text has.
    Scalar(Vec<f64>),
    Vector(BoxOperator<'q>),
    Text(String),
}

/// Where an expression is evaluated.
#[derive(Clone)]
pub struct Plan<'q> {
    pub query: &'q Query<'q>,
    pub timeline: Timeline,
    /// What is evaluated already.
    shared: Arc<Vec<Shared<'q>>>,
    /// Histograms tell whether they follow a counter reset, even if storage does not know.
    pub detects_resets: bool,
    /// How the samples count that selectors find.
    pub counting: Counting,
    /// Nobody sees in which order series come, so it may be that in which they are read soonest.
    pub any_order: bool,
}

impl<'q> Plan<'q> {
    pub fn new(query: &'q Query<'q>, timeline: Timeline) -> Plan<'q> {
        Plan {
            query,
            timeline,
            shared: Arc::default(),
            detects_resets: false,
            counting: Counting::Steps,
            any_order: false,
        }
    }

    /// The same, after what the expression has several times was evaluated.
    pub fn sharing(mut self, expr: &Expr) -> Result<Plan<'q>, QueryError> {
        for repeated in shared::repeated(expr) {
            if let Some(value) = shared::evaluate(&self, repeated)? {
                Arc::make_mut(&mut self.shared).push(value);
            }
        }
        Ok(self)
    }

    /// The same query on another timeline.
    pub fn on(&self, timeline: Timeline) -> Plan<'q> {
        let shared = if timeline == self.timeline { self.shared.clone() } else { Arc::default() };
        Plan { timeline, shared, ..self.clone() }
    }

    /// The same, with or without a look for counter resets.
    pub fn detecting_resets(&self, detects_resets: bool) -> Plan<'q> {
        let shared = match detects_resets == self.detects_resets {
            true => self.shared.clone(),
            false => Arc::default(),
        };
        Plan { shared, detects_resets, ..self.clone() }
    }

    /// The same for an operand whose order can be seen, or cannot.
    pub fn ordered(&self, is_seen: bool) -> Plan<'q> {
        Plan { any_order: !is_seen, ..self.clone() }
    }

    /// The one step that stands for all of this timeline.
    fn on_one_step(&self) -> Plan<'q> {
        let counting = match self.counting {
            Counting::Steps => Counting::OneForAll,
            counting => counting,
        };
        Plan { counting, ..self.on(Timeline::at(self.timeline.start)) }
    }

    /// The timeline of a subquery.
    pub fn within_subquery(&self, timeline: Timeline) -> Plan<'q> {
        Plan { counting: Counting::Nothing, detects_resets: false, ..self.on(timeline) }
    }

    /// Is this one point in time, so that the order of a vector can matter?
    pub fn is_instant(&self) -> bool {
        self.timeline.count == 1
    }

    /// # Errors
    /// The expression cannot be evaluated, or what had to be evaluated already failed.
    pub fn build(&self, expr: &Expr) -> Result<Node<'q>, QueryError> {
        self.query.check()?;
        if let Some(shared) = shared::find(&self.shared, expr) {
            return Ok(Node::Vector(Box::new(shared.take(self))));
        }
        match self.query.probe(expr).filter(|_| !matches!(expr.kind, ExprKind::Paren(_))) {
            Some(probe) => watched::node(probe, || self.build_steps(expr)),
            None => self.build_steps(expr),
        }
    }

    fn build_steps(&self, expr: &Expr) -> Result<Node<'q>, QueryError> {
        if !stands_for_all(expr, self.timeline) {
            return self.build_here(expr);
        }
        let count = self.timeline.count;
        Ok(match self.on_one_step().build_here(expr)? {
            Node::Scalar(values) => {
                self.query.keep(values_cost(count))?;
                Node::Scalar(vec![values[0]; count])
            }
            Node::Vector(inner) => {
                Node::Vector(Box::new(Repeat { query: self.query, inner, count }))
            }
            Node::Text(text) => Node::Text(text),
        })
    }

    fn build_here(&self, expr: &Expr) -> Result<Node<'q>, QueryError> {
        if makes_scalar(expr) {
            self.query.keep(values_cost(self.timeline.count))?;
        }
        Ok(match &expr.kind {
            ExprKind::Number(literal) => Node::Scalar(self.constant(literal.value)),
            ExprKind::String(text) => Node::Text(text.clone()),
            ExprKind::NotUtf8(shown) => return Err(QueryError::Execution(not_utf8(shown))),
            ExprKind::Paren(inner) => self.build(inner)?,
            ExprKind::Unary(unary) => self.build_unary(unary)?,
            ExprKind::Selector(selector) => {
                let selector = InstantSelector::new(self, selector, Take::Value)?;
                let selector = selector.at(expr.span).detecting_resets(self.detects_resets);
                Node::Vector(Box::new(selector))
            }
            ExprKind::Binary(binary) => binary::build(self, binary)?,
            ExprKind::Aggregate(aggregate) => {
                Node::Vector(aggregate::build(self, aggregate, expr.span)?)
            }
            ExprKind::Call(call) => call::build(self, call, expr.span)?,
            ExprKind::Matrix(_) | ExprKind::Subquery(_) => {
                return Err(QueryError::Execution("unexpected range vector".to_string()));
            }
        })
    }

    fn build_unary(&self, unary: &Unary) -> Result<Node<'q>, QueryError> {
        let operand = self.build(&unary.expr)?;
        if !unary.negative {
            return Ok(operand);
        }
        Ok(match operand {
            Node::Scalar(mut values) => {
                values.iter_mut().for_each(|value| *value = -*value);
                Node::Scalar(values)
            }
            Node::Vector(inner) => {
                let negate = Map {
                    query: self.query,
                    inner,
                    function: Box::new(|_, value| Some(-value)),
                    histograms: Some(Box::new(|_, histogram| {
                        let mut negative = histogram.clone();
                        negative.scale(-1.0);
                        Some(Element::Histogram(Arc::new(negative)))
                    })),
                };
                Node::Vector(drop_names(self.query, Box::new(negate))?)
            }
            Node::Text(text) => Node::Text(text),
        })
    }

    /// An expression of type instant vector.
    pub fn vector(&self, expr: &Expr) -> Result<BoxOperator<'q>, QueryError> {
        match self.build(expr)? {
            Node::Vector(operator) => Ok(operator),
            _ => Err(QueryError::Execution("expected an instant vector".to_string())),
        }
    }

    /// An expression of type scalar: its value at every step.
    pub fn scalar(&self, expr: &Expr) -> Result<Vec<f64>, QueryError> {
        match self.build(expr)? {
            Node::Scalar(values) => Ok(values),
            _ => Err(QueryError::Execution("expected a scalar".to_string())),
        }
    }

    /// An expression of type string.
    pub fn text(&self, expr: &Expr) -> Result<String, QueryError> {
        match self.build(expr)? {
            Node::Text(text) => Ok(text),
            _ => Err(QueryError::Execution("expected a string".to_string())),
        }
    }

    /// The same value at every step.
    pub fn constant(&self, value: f64) -> Vec<f64> {
        vec![value; self.timeline.count]
    }

    /// The times of the steps in seconds.
    pub fn times(&self) -> Vec<f64> {
        (0..self.timeline.count).map(|step| self.timeline.time(step) as f64 / 1e3).collect()
    }
}

/// Is this where a scalar comes from, not one that takes the place of its operand?
fn makes_scalar(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Number(_) => true,
        ExprKind::Call(call) => call.function.returns == ValueType::Scalar,
        _ => false,
    }
}

/// Is an expression evaluated at one step of several, of which it stands for all?
pub fn stands_for_all(expr: &Expr, timeline: Timeline) -> bool {
    let constant = matches!(expr.kind, ExprKind::Number(_) | ExprKind::String(_));
    timeline.count > 1 && !constant && is_step_invariant(expr)
}

/// The expression within any parentheses.
pub fn unparen(expr: &Expr) -> &Expr {
    match &expr.kind {
        ExprKind::Paren(inner) => unparen(inner),
        _ => expr,
    }
}

/// Is the result the same at every step, because `@` pins all that reads data?
fn is_step_invariant(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::String(_) | ExprKind::NotUtf8(_) => true,
        ExprKind::Selector(selector) => selector.time.at.is_some(),
        ExprKind::Matrix(matrix) => matrix.selector.time.at.is_some(),
        ExprKind::Subquery(subquery) => subquery.time.at.is_some(),
        ExprKind::Call(call) => {
            // The second argument of `info` is read when the first is.
            let read = if call.function.name == "info" { 1 } else { call.args.len() };
            call.function.context != Context::Step
                && call.args.iter().take(read).all(is_step_invariant)
        }
        ExprKind::Aggregate(aggregate) => {
            is_step_invariant(&aggregate.expr)
                && aggregate.param.as_ref().is_none_or(is_step_invariant)
        }
        ExprKind::Binary(binary) => {
            is_step_invariant(&binary.lhs) && is_step_invariant(&binary.rhs)
        }
        ExprKind::Unary(unary) => is_step_invariant(&unary.expr),
        ExprKind::Paren(inner) => is_step_invariant(inner),
    }
}

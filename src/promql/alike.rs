//! Whether all series that a selector finds have the same value of a label, or none of them has it: asked of the index for
//! [`super::propagate`], about labels that an operator drops or writes. Reads no samples.
//!
//! It is asked about all the time that the query reads, and some more; what cannot be told is not certain.

use std::cell::RefCell;
use std::collections::HashMap;

use super::ast::{Aggregate, DurationExpr, Expr, ExprKind, Selector, TimeModifiers};
use super::query::Query;
use super::timeline::Frame;
use super::value::QueryError;
use crate::model::{MatchOp, Matcher, TimeRange};
use crate::read::{ReadError, Source};

/// What there is to ask about the selectors of an expression.
pub struct Alike<'q> {
    source: &'q dyn Source,
    range: Option<TimeRange>,
    /// By matchers and label.
    answers: RefCell<HashMap<(String, String), bool>>,
}

impl<'q> Alike<'q> {
    pub fn new(query: &Query<'q>, expr: &Expr) -> Alike<'q> {
        let range = Reads::of(query, expr).ok();
        Alike { source: query.source, range, answers: RefCell::default() }
    }

    /// Is it certain?
    pub fn is_certain(&self, selector: &Selector, label: &str) -> bool {
        if !self.source.may_have_label(label) {
            return true;
        }
        let Some(range) = self.range else { return false };
        let matchers: Vec<String> = selector.matchers.iter().map(Matcher::to_string).collect();
        let key = (matchers.join(","), label.to_string());
        let known = self.answers.borrow().get(&key).copied();
        known.unwrap_or_else(|| {
            let answer = self.ask(&selector.matchers, label, range).unwrap_or(false);
            self.answers.borrow_mut().insert(key, answer);
            answer
        })
    }

    fn ask(&self, matchers: &[Matcher], label: &str, range: TimeRange) -> Result<bool, ReadError> {
        let has_any = |op| -> Result<bool, ReadError> {
            let Ok(matcher) = Matcher::new(label, op, "") else { return Ok(true) };
            let matchers: Vec<Matcher> = matchers.iter().cloned().chain([matcher]).collect();
            Ok(!self.source.select(&matchers, range)?.is_empty())
        };
        if !has_any(MatchOp::NotEqual)? {
            return Ok(true);
        }
        Ok(!has_any(MatchOp::Equal)?
            && self.source.label_values(label, matchers, range)?.len() == 1)
    }
}

/// The time that an expression reads, about.
struct Reads {
    frame: Frame,
    /// Where steps lie.
    steps: TimeRange,
    /// How far from a step it reads at most.
    reach_ms: i64,
}

impl Reads {
    /// # Errors
    /// A duration is none.
    fn of(query: &Query<'_>, expr: &Expr) -> Result<TimeRange, QueryError> {
        let frame = query.frame;
        let steps = TimeRange::new(frame.start, frame.end);
        let mut reads = Reads { frame, steps, reach_ms: query.lookback_delta_ms };
        reads.add(expr)?;
        let Reads { steps, reach_ms, .. } = reads;
        let (mint, maxt) =
            (steps.mint.saturating_sub(reach_ms), steps.maxt.saturating_add(reach_ms));
        Ok(TimeRange::new(mint, maxt))
    }

    /// Together all ranges and offsets of an expression are longer than those on any way down it.
    fn add(&mut self, expr: &Expr) -> Result<(), QueryError> {
        match &expr.kind {
            ExprKind::Number(_) | ExprKind::String(_) | ExprKind::NotUtf8(_) => Ok(()),
            ExprKind::Selector(selector) => self.shift(&selector.time),
            ExprKind::Matrix(matrix) => {
                self.range(&matrix.range)?;
                self.shift(&matrix.selector.time)
            }
            ExprKind::Subquery(subquery) => {
                self.range(&subquery.range)?;
                self.shift(&subquery.time)?;
                self.add(&subquery.expr)
            }
            ExprKind::Paren(inner) => self.add(inner),
            ExprKind::Unary(unary) => self.add(&unary.expr),
            ExprKind::Call(call) => call.args.iter().try_for_each(|arg| self.add(arg)),
            ExprKind::Aggregate(aggregate) => {
                let Aggregate { param, expr, .. } = aggregate.as_ref();
                param.iter().chain([expr]).try_for_each(|expr| self.add(expr))
            }
            ExprKind::Binary(binary) => {
                self.add(&binary.lhs)?;
                self.add(&binary.rhs)
            }
        }
    }

    fn range(&mut self, range: &DurationExpr) -> Result<(), QueryError> {
        let range_ms = self.frame.positive_duration_ms(range)?;
        self.reach_ms = self.reach_ms.saturating_add(range_ms);
        Ok(())
    }

    fn shift(&mut self, time: &TimeModifiers) -> Result<(), QueryError> {
        let shift = self.frame.shift(time)?;
        shift.at.into_iter().for_each(|at| self.steps.include(at));
        self.reach_ms = self.reach_ms.saturating_add(shift.offset_ms.saturating_abs());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::promql::engine::{Engine, Limits, Steps, When};
    use crate::promql::explain::PlanNode;
    use crate::promql::tests::{Fixture, labels_of, load, options};

    /// What is read in the place of selectors.
    fn read_as(node: &PlanNode, found: &mut Vec<String>) {
        found.extend(node.read_as.clone());
        node.children.iter().for_each(|child| read_as(child, found));
    }

    fn narrowed(f: &Fixture, text: &str) -> Vec<String> {
        let steps = Steps { start: 60_000, end: 120_000, step_ms: 10_000 };
        let (when, limits) = (When::Over(steps), Limits::default());
        let engine = Engine::new(options());
        let explanation = engine.explain(&f.source, text, when, false, &limits);
        let mut found = Vec::new();
        read_as(&explanation.unwrap_or_else(|error| panic!("{text}: {error}")).plan, &mut found);
        found
    }

    #[test]
    fn types_and_units_of_one_metric() {
        let f = load(
            60,
            &[
                ("a{i='1'}", "1 1 1"),
                ("same_total{i='1',__type__='counter'}", "1 2 3"),
                ("same_total{i='2',__type__='counter'}", "1 2 3"),
                ("other_total{i='1',__type__='counter'}", "1 2 3"),
                ("other_total{i='1',__type__='gauge'}", "1 2 3"),
                ("some_total{i='1',__unit__='s'}", "1 2 3"),
                ("some_total{i='2'}", "1 2 3"),
            ],
        );
        let rates = |name| narrowed(&f, &format!("a{{i='1'}} and rate({name}_total[1m])"));
        assert_eq!(rates("same"), [r#"same_total{i="1"}[1m]"#]);
        assert_eq!(rates("no"), [r#"no_total{i="1"}[1m]"#]);
        assert!(rates("other").is_empty());
        assert!(rates("some").is_empty());
        let pinned = narrowed(&f, "a{i='1'} and abs(other_total{__type__='gauge',__unit__=''})");
        assert_eq!(pinned.len(), 1);
    }

    #[test]
    fn labels_that_are_written() {
        let f = load(60, &[("a{i='1'}", "1 1 1"), ("b{i='1'}", "1 2"), ("c{i='1',k='1'}", "1 2")]);
        let replaced = |name: &str| {
            narrowed(&f, &format!("a{{i='1'}} and label_replace({name}, 'k', '$1', 'i', '(.*)')"))
        };
        assert_eq!(replaced("b"), [r#"b{i="1"}"#]);
        assert_eq!(replaced("c"), [r#"c{i="1"}"#]);
        assert!(replaced("{__name__=~'b|c'}").is_empty());
    }

    #[test]
    fn only_the_time_that_is_read_matters() {
        let mut f = load(60, &[("a{i='1'}", "1 1 1"), ("b{i='1',k='1'}", "1 1 1")]);
        f.source.add(&labels_of("b{i='1',k='2'}"), 86_400_000, 1.0);
        let replaced = |modifiers: &str| {
            let call = format!("label_replace(b{modifiers}, 'k', '', '', '')");
            narrowed(&f, &format!("a{{i='1'}} and {call}")).len()
        };
        assert_eq!(replaced(""), 1);
        assert_eq!(replaced(" offset -1d"), 0);
        assert_eq!(replaced(" @ 86400"), 0);
    }
}

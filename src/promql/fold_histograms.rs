//! What becomes of the histograms in an aggregation that folds: counted like floats, summed up beside them, or ignored.
//! Called by [`super::fold`] for the columns that have any; those of floats alone never come here.

use std::collections::BTreeMap;

use super::ast::{AggregateOp, Span};
use super::column::Column;
use super::operator::Operator;
use super::query::{Held, Query, series_cost};
use super::select::CHECK_STEPS;
use super::value::QueryError;
use crate::model::Histogram;
use crate::model::histogram::{HistogramSum, Incompatible};
use crate::sync::Arc;

/// An aggregation, as far as histograms are concerned.
#[derive(Clone, Copy)]
pub struct HistogramRule<'a, 'q> {
    pub query: &'q Query<'q>,
    /// What is aggregated.
    pub inner: &'a dyn Operator,
    pub op: AggregateOp,
    /// Of the aggregated expression.
    pub span: Span,
    pub steps: usize,
}

impl<'a, 'q> HistogramRule<'a, 'q> {
    pub fn start(self) -> Result<HistogramSums<'a, 'q>, QueryError> {
        Ok(HistogramSums { rule: self, groups: BTreeMap::new(), held: self.query.hold(0)? })
    }

    fn tell_ignored(&self) {
        let op = self.op.as_str();
        self.query.info(self.span, format!("ignored histogram in {op} aggregation"));
    }

    /// The histograms of a series do not fit the others.
    fn tell_incompatible(&self, series: usize) {
        let metric = self.inner.series().get(series).map_or("", |meta| meta.labels.metric_name());
        let message = "vector contains a mix of histograms with exponential and custom buckets \
                       schemas for metric name";
        self.query.warn(self.span, format!("{message} {metric:?}"));
    }

    fn tell_mixed(&self) {
        let message = "encountered a mix of histograms and floats for aggregation";
        self.query.warn(self.span, message);
    }

    /// The value of a group at a step.
    fn result(&self, sum: &HistogramSum) -> Histogram {
        let combined = sum.combined();
        if combined.reset_conflict {
            let message = "conflicting counter resets during histogram aggregation";
            self.query.warn(self.span, message);
        }
        if combined.bounds_reconciled {
            let message = "mismatched custom buckets were reconciled during aggregation";
            self.query.info(self.span, message);
        }
        if self.op == AggregateOp::Avg { sum.mean() } else { sum.sum() }
    }
}

/// The histograms of groups, added up at every step.
pub struct HistogramSums<'a, 'q> {
    rule: HistogramRule<'a, 'q>,
    groups: BTreeMap<usize, Group>,
    held: Held<'q>,
}

struct Group {
    /// The first series with a histogram.
    first: usize,
    /// `None`: no histogram at that step.
    steps: Vec<Option<State>>,
    /// What all this costs of the budget, in samples.
    cost: usize,
}

impl Group {
    fn new(first: usize, steps: usize) -> Group {
        let cost = series_cost(steps, size_of::<Option<State>>());
        Group { first, steps: (0..steps).map(|_| None).collect(), cost }
    }

    /// Adds a histogram of a series.
    fn add(
        &mut self,
        rule: &HistogramRule<'_, '_>,
        series: usize,
        step: usize,
        histogram: &Histogram,
    ) {
        let state = &mut self.steps[step];
        let before = state.as_ref().map_or(0, State::cost);
        match state {
            None => *state = Some(State::Sum(Box::new(HistogramSum::new(histogram)))),
            Some(state) => {
                if state.add(histogram).is_err() {
                    rule.tell_incompatible(series);
                }
            }
        }
        let after = state.as_ref().map_or(0, State::cost);
        self.cost = self.cost + after - before;
    }

    /// Adds the histograms of another, which come later.
    fn merge(&mut self, rule: &HistogramRule<'_, '_>, other: Group) {
        for (state, theirs) in self.steps.iter_mut().zip(other.steps) {
            let Some(theirs) = theirs else { continue };
            let before = state.as_ref().map_or(0, State::cost);
            match state {
                None => *state = Some(theirs),
                Some(state) => {
                    if state.merge(theirs).is_err() {
                        rule.tell_incompatible(other.first);
                    }
                }
            }
            let after = state.as_ref().map_or(0, State::cost);
            self.cost = self.cost + after - before;
        }
    }
}

enum State {
    Sum(Box<HistogramSum>),
    /// Exponential and custom buckets have met.
    Incompatible,
}

impl State {
    fn cost(&self) -> usize {
        match self {
            State::Sum(sum) => sum.sample_cost(),
            State::Incompatible => 0,
        }
    }

    /// `Err`: exponential and custom buckets have met just now.
    fn add(&mut self, histogram: &Histogram) -> Result<(), Incompatible> {
        let State::Sum(sum) = self else { return Ok(()) };
        sum.add(histogram).inspect_err(|_| *self = State::Incompatible)
    }

    /// `Err` as above.
    fn merge(&mut self, other: State) -> Result<(), Incompatible> {
        match (&mut *self, other) {
            (State::Sum(sum), State::Sum(other)) => {
                sum.merge(&other).inspect_err(|_| *self = State::Incompatible)
            }
            _ => {
                *self = State::Incompatible;
                Ok(())
            }
        }
    }
}

impl<'q> HistogramSums<'_, 'q> {
    /// Takes the histograms out of the column of a series.
    ///
    /// # Errors
    /// Over the budget, or nobody waits for the answer any more.
    pub fn take(
        &mut self,
        group: usize,
        series: usize,
        column: &mut Column,
    ) -> Result<(), QueryError> {
        let histograms = std::mem::take(&mut column.histograms);
        match self.rule.op {
            AggregateOp::Count | AggregateOp::Group => {
                histograms.iter().for_each(|(step, _)| column.set(step, 0.0));
            }
            AggregateOp::Sum | AggregateOp::Avg => {
                let rule = self.rule;
                let new = || Group::new(series, rule.steps);
                let group = self.groups.entry(group).or_insert_with(new);
                for (position, (step, histogram)) in histograms.iter().enumerate() {
                    if position % CHECK_STEPS == 0 {
                        rule.query.check()?;
                    }
                    group.add(&rule, series, step, histogram);
                }
                self.hold()?;
            }
            _ => self.rule.tell_ignored(),
        }
        Ok(())
    }

    /// What all groups cost. They never cost more together than apart.
    fn cost(&self) -> usize {
        self.groups.values().map(|group| group.cost).sum()
    }

    fn hold(&mut self) -> Result<(), QueryError> {
        let more = self.cost().saturating_sub(self.held.samples());
        self.held.absorb(self.rule.query.hold(more)?);
        Ok(())
    }

    /// Adds the histograms of others, which come later.
    pub fn merge(&mut self, other: HistogramSums<'_, 'q>) {
        self.held.absorb(other.held);
        for (group, theirs) in other.groups {
            match self.groups.get_mut(&group) {
                Some(mine) => mine.merge(&self.rule, theirs),
                None => {
                    self.groups.insert(group, theirs);
                }
            }
        }
        self.held.shrink(self.cost());
    }

    /// Puts the results of a group into its column, which holds those of its floats: where there are both, neither
    /// stays.
    pub fn finish(&mut self, group: usize, column: &mut Column) {
        let Some(Group { steps, .. }) = self.groups.remove(&group) else { return };
        for (step, state) in steps.into_iter().enumerate() {
            let Some(state) = state else { continue };
            if column.present.contains(step) {
                self.rule.tell_mixed();
                column.present.remove(step);
            } else if let State::Sum(sum) = state {
                column.set_histogram(step, Arc::new(self.rule.result(&sum)));
            }
        }
    }
}

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
    steps: Vec<Option<Box<State>>>,
}

enum State {
    Sum(HistogramSum),
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
                for (position, (step, histogram)) in histograms.iter().enumerate() {
                    if position % CHECK_STEPS == 0 {
                        self.rule.query.check()?;
                    }
                    self.add(group, series, step, histogram)?;
                }
            }
            _ => self.rule.tell_ignored(),
        }
        Ok(())
    }

    fn add(
        &mut self,
        group: usize,
        series: usize,
        step: usize,
        histogram: &Histogram,
    ) -> Result<(), QueryError> {
        let rule = self.rule;
        let state = &mut self.group(group, series)?.steps[step];
        let cost = match state {
            None => state.insert(Box::new(State::Sum(HistogramSum::new(histogram)))).cost(),
            Some(state) => {
                let before = state.cost();
                if state.add(histogram).is_err() {
                    rule.tell_incompatible(series);
                }
                state.cost().saturating_sub(before)
            }
        };
        if cost > 0 {
            self.held.absorb(rule.query.hold(cost)?);
        }
        Ok(())
    }

    fn group(&mut self, group: usize, first: usize) -> Result<&mut Group, QueryError> {
        if !self.groups.contains_key(&group) {
            let steps = self.rule.steps;
            let cost = series_cost(steps, size_of::<Option<Box<State>>>());
            self.held.absorb(self.rule.query.hold(cost)?);
        }
        Ok(self.groups.entry(group).or_insert_with(|| Group {
            first,
            steps: (0..self.rule.steps).map(|_| None).collect(),
        }))
    }

    /// Adds the histograms of others, which come later.
    pub fn merge(&mut self, other: HistogramSums<'_, 'q>) {
        self.held.absorb(other.held);
        for (group, theirs) in other.groups {
            let Some(mine) = self.groups.get_mut(&group) else {
                self.groups.insert(group, theirs);
                continue;
            };
            let first = theirs.first;
            for (mine, theirs) in mine.steps.iter_mut().zip(theirs.steps) {
                match (mine, theirs) {
                    (_, None) => {}
                    (mine @ None, theirs) => *mine = theirs,
                    (Some(state), Some(other)) => {
                        if state.merge(*other).is_err() {
                            self.rule.tell_incompatible(first);
                        }
                    }
                }
            }
        }
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
            } else if let State::Sum(sum) = *state {
                column.set_histogram(step, Arc::new(self.rule.result(&sum)));
            }
        }
    }
}

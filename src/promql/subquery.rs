//! Subqueries: an instant vector evaluated on a timeline of its own, at absolute multiples of its step, whose columns
//! become the samples of a range vector. The inner columns are evaluated once for all windows of all outer steps.

use super::ast::Subquery;
use super::kept_names::together;
use super::operator::{BoxOperator, Meta, Scratch};
use super::plan::Plan;
use super::query::{Query, column_cost};
use super::samples::forget_resets;
use super::select::CHECK_STEPS;
use super::slices::Slices;
use super::timeline::{TimeShift, Timeline};
use super::value::QueryError;
use super::window::{RangeInput, Reading};
use crate::model::TimeRange;
use crate::read::HistogramSample;

pub struct SubqueryInput<'q> {
    query: &'q Query<'q>,
    inner: BoxOperator<'q>,
    timeline: Timeline,
}

impl<'q> SubqueryInput<'q> {
    pub fn new(
        plan: &Plan<'q>,
        subquery: &Subquery,
        shift: TimeShift,
        range_ms: i64,
    ) -> Result<SubqueryInput<'q>, QueryError> {
        let query = plan.query;
        let timeline = inner_timeline(query, subquery, plan.timeline, shift, range_ms)?;
        // A column of the inner timeline must fit the budget before one is made.
        drop(query.hold(column_cost(timeline.count))?);
        let inner = together(query, plan.within_subquery(timeline).vector(&subquery.expr)?)?;
        Ok(SubqueryInput { query, inner, timeline })
    }
}

/// The steps that windows over `range_ms`, at the steps of the outer timeline, hold.
///
/// # Errors
/// The step of the subquery is no step.
pub fn inner_timeline(
    query: &Query<'_>,
    subquery: &Subquery,
    outer: Timeline,
    shift: TimeShift,
    range_ms: i64,
) -> Result<Timeline, QueryError> {
    let step_ms = match &subquery.step {
        Some(step) => query.frame.positive_duration_ms(step)?,
        None => query.options.default_step_ms,
    };
    let first = shift.apply(outer.start).saturating_sub(range_ms);
    if outer.count == 0 {
        return Ok(Timeline { start: first, step_ms, count: 0 });
    }
    Ok(Timeline::aligned(first, shift.apply(outer.end()), step_ms))
}

impl RangeInput for SubqueryInput<'_> {
    fn series(&self) -> &[Meta] {
        self.inner.series()
    }

    /// The inner columns are not cut: all samples at once.
    fn slices(&self) -> Slices {
        Slices::whole(TimeRange::new(self.timeline.start, self.timeline.end()))
    }

    fn read_next(&self, index: usize, slices: &mut Slices, scratch: &mut Scratch) -> Reading<'_> {
        slices.take();
        let _column = self.query.hold(column_cost(self.timeline.count))?;
        let mut column = scratch.take();
        self.inner.column(index, scratch, &mut column)?;
        let held = self.query.hold(column.present.count() + column.histograms.cost())?;
        scratch.samples.clear();
        for (position, (step, value)) in column.iter().enumerate() {
            if position % CHECK_STEPS == 0 {
                self.query.check()?;
            }
            scratch.samples.push(self.timeline.time(step), value);
        }
        scratch.samples.histograms.extend(column.histograms.iter().map(|(step, histogram)| {
            let timestamp = self.timeline.time(step);
            let mut histogram = histogram.clone();
            forget_resets(&mut histogram);
            HistogramSample { timestamp, start: 0, histogram }
        }));
        scratch.give(column);
        Ok(held)
    }
}

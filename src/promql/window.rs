//! Range vectors. A series is read once, a slice of time after the other, while a window slides over its samples;
//! whoever consumes it sees the samples of one window per step. The two inputs are the range selector and the subquery.

use std::ops::Range;

use super::ast::{self, Expr, ExprKind, MatrixSelector, Selector};
use super::functions::Window;
use super::functions::extended::{self, Edges, extended_function};
use super::functions::whole::Span;
use super::operator::{Meta, Scratch};
use super::plan::{Plan, unparen};
use super::query::{Held, Query};
use super::samples::samples_cost;
use super::select::{RangeSelector, Reach};
use super::slices::Slices;
use super::spans::{Spans, WindowTimes, Windows};
use super::subquery::SubqueryInput;
use super::tally::Counting;
use super::value::{MatrixSeries, QueryError};
use super::watched;
use crate::model::groups::LabelGroups;
use crate::read::Columns;

/// Samples of whole series.
pub trait RangeInput: Send + Sync {
    fn series(&self) -> &[Meta];

    /// See [`Operator`] of this and the next two.
    fn series_count(&self) -> usize {
        self.series().len()
    }

    fn one_name(&self) -> Option<&str> {
        None
    }

    fn group_by(&self, _names: &[&str]) -> Option<LabelGroups> {
        None
    }

    /// The time that the windows need samples of.
    fn slices(&self) -> Slices;

    /// Appends the samples of series `index` in the next slice to `scratch.samples`, without staleness markers.
    /// They are counted as held by what is returned.
    fn read_next(&self, index: usize, slices: &mut Slices, scratch: &mut Scratch) -> Reading<'_>;
}

/// What is counted as held for samples just read.
pub type Reading<'a> = Result<Held<'a>, QueryError>;

/// A range vector: the samples, and the window at each step.
pub struct RangeVector<'q> {
    pub query: &'q Query<'q>,
    pub input: Box<dyn RangeInput + 'q>,
    pub windows: Windows,
    /// `anchored` or `smoothed`: the windows hold samples beyond their range.
    pub edges: Option<Edges>,
    pub counting: Counting,
    /// Of the expression, for annotations.
    pub span: ast::Span,
}

/// Samples that windows may visit between two looks at the deadline: some milliseconds of the dearest functions.
const VISITS_PER_CHECK: usize = 1 << 20;
/// What a step counts besides the samples of its window.
const STEP_VISITS: usize = 1 << 10;

/// Samples of a series and the windows that they fill.
pub struct Slice<'a> {
    pub samples: &'a Columns,
    pub spans: &'a mut Spans,
    /// Floats of the series before these that are not kept.
    dropped: u64,
    windows: Windows,
}

impl<'q> RangeVector<'q> {
    /// From an expression of type range vector.
    pub fn build(plan: &Plan<'q>, expr: &Expr) -> Result<RangeVector<'q>, QueryError> {
        let expr = unparen(expr);
        match plan.query.probe(expr) {
            Some(probe) => watched::range(probe, || RangeVector::build_input(plan, expr)),
            None => RangeVector::build_input(plan, expr),
        }
    }

    fn build_input(plan: &Plan<'q>, expr: &Expr) -> Result<RangeVector<'q>, QueryError> {
        match &expr.kind {
            ExprKind::Matrix(matrix) => RangeVector::of_selector(plan, matrix, expr.span),
            ExprKind::Subquery(subquery) => {
                let query = plan.query;
                let shift = query.frame.shift(&subquery.time)?;
                let range_ms = query.frame.positive_duration_ms(&subquery.range)?;
                let input = Box::new(SubqueryInput::new(plan, subquery, shift, range_ms)?);
                let (timeline, beyond) = (plan.timeline, Reach::NONE);
                let windows = Windows { timeline, shift, range_ms, beyond };
                let (counting, span) = (plan.counting, expr.span);
                Ok(RangeVector { query, input, windows, edges: None, counting, span })
            }
            _ => Err(QueryError::Unsupported("this kind of range vector".to_string())),
        }
    }

    fn of_selector(
        plan: &Plan<'q>,
        matrix: &MatrixSelector,
        span: ast::Span,
    ) -> Result<RangeVector<'q>, QueryError> {
        let &Plan { query, timeline, counting, .. } = plan;
        let shift = query.frame.shift(&matrix.selector.time)?;
        let range_ms = query.frame.positive_duration_ms(&matrix.range)?;
        let edges = edges(&matrix.selector);
        let beyond = beyond(query, edges);
        let reach = reach_of(query, &matrix.selector, range_ms);
        let input = Box::new(RangeSelector::new(plan, &matrix.selector, shift, reach)?);
        let windows = Windows { timeline, shift, range_ms, beyond };
        Ok(RangeVector { query, input, windows, edges, counting, span })
    }

    /// The range vector for `user`, a function that takes only windows without samples beyond their range.
    pub fn plain(self, user: &str) -> Result<RangeVector<'q>, QueryError> {
        match self.edges.map(|edges| extended_function(edges, user)) {
            Some(Err(message)) => Err(QueryError::Execution(message)),
            _ => Ok(self),
        }
    }

    /// Calls `visit` with every window of series `index` that holds samples.
    pub fn for_each_window(
        &self,
        index: usize,
        scratch: &mut Scratch,
        mut visit: impl FnMut(usize, &Window<'_>) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        self.for_each_slice(index, scratch, |slice| {
            slice.for_each_window(self.query, |step, _, window| visit(step, window))
        })
    }

    /// Calls `visit` with the windows of series `index`, as many at a time as one reading fills. Keeps from reading to reading
    /// what later windows need.
    pub fn for_each_slice(
        &self,
        index: usize,
        scratch: &mut Scratch,
        mut visit: impl FnMut(&mut Slice<'_>) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let (query, windows, mut slices) = (self.query, self.windows, self.input.slices());
        let (mut held, mut step, mut dropped) = (query.hold(0)?, 0, 0);
        scratch.samples.clear();
        while step < windows.timeline.count {
            if step == 0 || slices.read_to() < windows.times(step).last {
                held.absorb(self.input.read_next(index, &mut slices, scratch)?);
            }
            let Scratch { samples, spans, .. } = scratch;
            let spans = spans.find(windows, step, slices.read_to(), &samples.timestamps);
            step = spans.end_step();
            let mut slice = Slice { samples, spans, dropped, windows };
            slice.count_used(query, self.counting);
            visit(&mut slice)?;
            if step < windows.timeline.count {
                let first = windows.times(step).first;
                slices.skip_to(first.saturating_add(1));
                let floats = samples.timestamps.partition_point(|time| *time <= first);
                let histograms =
                    samples.histograms.partition_point(|sample| sample.timestamp <= first);
                samples.drop_front(floats, histograms);
                dropped += floats as u64;
                held.shrink(samples_cost(samples));
            }
        }
        Ok(())
    }

    /// The samples themselves, of an instant query.
    pub fn matrix(&self) -> Result<Vec<MatrixSeries>, QueryError> {
        let mut matrix = Vec::new();
        let mut scratch = Scratch::default();
        for (index, meta) in self.input.series().iter().enumerate() {
            let mut points = Columns::default();
            self.for_each_window(index, &mut scratch, |_, window| {
                self.append_points(window, &mut points)?;
                self.query.keep(samples_cost(&points))
            })?;
            if !points.is_empty() {
                matrix.push(MatrixSeries { labels: meta.labels.clone(), points });
            }
        }
        Ok(matrix)
    }

    fn append_points(&self, window: &Window<'_>, points: &mut Columns) -> Result<(), QueryError> {
        let Some(edges) = self.edges else {
            points.timestamps.extend_from_slice(window.timestamps);
            points.floats.extend_from_slice(window.values);
            points.histograms.extend_from_slice(window.histograms);
            return Ok(());
        };
        if !window.histograms.is_empty() {
            let modifier = edges.as_str();
            return Err(QueryError::Execution(format!(
                "{modifier} modifier is not supported with histograms"
            )));
        }
        for (timestamp, value) in extended::points(window, edges) {
            points.push(timestamp, value);
        }
        Ok(())
    }
}

/// What a selector asks for beyond the range of its windows.
fn edges(selector: &Selector) -> Option<Edges> {
    match (selector.anchored, selector.smoothed) {
        (true, _) => Some(Edges::Anchored),
        (_, true) => Some(Edges::Smoothed),
        _ => None,
    }
}

fn beyond(query: &Query<'_>, edges: Option<Edges>) -> Reach {
    let lookback_ms = query.lookback_delta_ms;
    match edges {
        None => Reach::NONE,
        Some(Edges::Anchored) => Reach { back_ms: lookback_ms, ahead_ms: 0 },
        Some(Edges::Smoothed) => Reach { back_ms: lookback_ms, ahead_ms: lookback_ms },
    }
}

/// How far from its steps a range selector needs samples.
pub fn reach_of(query: &Query<'_>, selector: &Selector, range_ms: i64) -> Reach {
    let beyond = beyond(query, edges(selector));
    Reach { back_ms: range_ms.saturating_add(beyond.back_ms), ..beyond }
}

impl Slice<'_> {
    /// Calls `visit` with the step of every window that holds samples, with the number of its first float in its series, and
    /// with the window.
    pub fn for_each_window(
        &self,
        query: &Query<'_>,
        mut visit: impl FnMut(usize, u64, &Window<'_>) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let (mut unchecked, mut histograms) = (0, 0..0);
        for (step, span) in (self.spans.first_step..).zip(&self.spans.of) {
            query.check_canceled()?;
            let times = self.windows.times(step);
            histograms = self.histograms_in(times, histograms);
            let visited = span.range().len() + self.cost_of(&histograms);
            unchecked += STEP_VISITS + visited;
            if unchecked >= VISITS_PER_CHECK {
                unchecked = 0;
                query.check()?;
            }
            if visited > 0 {
                let window = self.window(times, *span, histograms.clone());
                visit(step, self.dropped + u64::from(span.from), &window)?;
            }
        }
        Ok(())
    }

    /// The histograms of a window, given those of one before.
    fn histograms_in(&self, times: WindowTimes, before: Range<usize>) -> Range<usize> {
        let Range { start: mut from, end: mut to } = before;
        let histograms = &self.samples.histograms;
        while to < histograms.len() && histograms[to].timestamp <= times.last {
            to += 1;
        }
        while from < to && histograms[from].timestamp <= times.first {
            from += 1;
        }
        from..to
    }

    fn cost_of(&self, histograms: &Range<usize>) -> usize {
        let histograms = &self.samples.histograms[histograms.clone()];
        histograms.iter().map(|sample| sample.histogram.sample_cost()).sum()
    }

    fn window(&self, times: WindowTimes, span: Span, histograms: Range<usize>) -> Window<'_> {
        Window {
            timestamps: &self.samples.timestamps[span.range()],
            values: &self.samples.floats[span.range()],
            starts: self.samples.starts.get(span.range()).unwrap_or(&[]),
            histograms: &self.samples.histograms[histograms],
            range_start: times.start,
            range_end: times.end,
            eval_time: times.eval_time,
        }
    }

    /// Counts the samples of all windows as used.
    fn count_used(&self, query: &Query<'_>, counting: Counting) {
        let each_step = query.tally.each_step(counting);
        let mut used = self.spans.visits;
        if each_step.is_some() || !self.samples.histograms.is_empty() {
            let mut histograms = 0..0;
            for (step, span) in (self.spans.first_step..).zip(&self.spans.of) {
                histograms = self.histograms_in(self.windows.times(step), histograms);
                let cost = self.cost_of(&histograms);
                used += cost as u64;
                each_step
                    .as_ref()
                    .inspect(|each_step| each_step.add(step, span.range().len() + cost));
            }
        }
        query.count_used(counting, used);
    }
}

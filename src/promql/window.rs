//! Range vectors. A series is read once, a slice of time after the other, while a window slides over its samples;
//! whoever consumes it sees the samples of one window per step. The two inputs are the range selector and the subquery.

use super::ast::{Expr, ExprKind, MatrixSelector, Span};
use super::functions::Window;
use super::functions::extended::{self, Edges, extended_function};
use super::operator::{Meta, Scratch};
use super::plan::{Plan, unparen};
use super::query::{Held, Query};
use super::samples::samples_cost;
use super::select::{RangeSelector, Reach};
use super::slices::Slices;
use super::subquery::SubqueryInput;
use super::timeline::{TimeShift, Timeline};
use super::value::{MatrixSeries, QueryError};
use crate::model::Timestamp;
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
    pub timeline: Timeline,
    pub shift: TimeShift,
    pub range_ms: i64,
    /// `anchored` or `smoothed`: the windows hold samples beyond their range.
    pub edges: Option<Edges>,
    /// How far beyond their range.
    pub beyond: Reach,
    /// Of the expression, for annotations.
    pub span: Span,
}

/// Times and spans below this, in milliseconds, can be added up without a look at the limits of 64 bits.
const TAME_MS: u64 = 1 << 60;

/// Where a window lies.
#[derive(Debug, Clone, Copy)]
struct WindowTimes {
    eval_time: Timestamp,
    /// Excluded.
    start: Timestamp,
    end: Timestamp,
    /// The same with what is needed beyond the range.
    first: Timestamp,
    last: Timestamp,
}

/// The samples of one window lie at `from..to`.
#[derive(Debug, Clone, Copy)]
struct Slot {
    from: usize,
    to: usize,
    /// Its histograms.
    histograms: (usize, usize),
    /// Excluded, samples beyond the range included.
    first: Timestamp,
    last: Timestamp,
    start: Timestamp,
    end: Timestamp,
    eval_time: Timestamp,
}

/// Samples that windows may visit between two looks at the deadline: some milliseconds of the dearest functions.
const VISITS_PER_CHECK: usize = 1 << 20;
/// What a step counts besides the samples of its window.
const STEP_VISITS: usize = 1 << 10;

/// How far the windows of one series have come.
#[derive(Clone, Copy, Default)]
struct Sweep {
    step: usize,
    /// The samples of the last window.
    from: usize,
    to: usize,
    histograms: (usize, usize),
    /// Floats that no window needs any more and that are not kept.
    dropped: u64,
    is_tame: bool,
    /// Visits since the last look at the deadline.
    unchecked: usize,
    queryable: u64,
}

impl<'q> RangeVector<'q> {
    /// From an expression of type range vector.
    pub fn build(plan: &Plan<'q>, expr: &Expr) -> Result<RangeVector<'q>, QueryError> {
        let expr = unparen(expr);
        match &expr.kind {
            ExprKind::Matrix(matrix) => RangeVector::of_selector(plan, matrix, expr.span),
            ExprKind::Subquery(subquery) => {
                let query = plan.query;
                let shift = query.frame.shift(&subquery.time)?;
                let range_ms = query.frame.positive_duration_ms(&subquery.range)?;
                let input = Box::new(SubqueryInput::new(plan, subquery, shift, range_ms)?);
                let (timeline, span) = (plan.timeline, expr.span);
                Ok(RangeVector {
                    query,
                    input,
                    timeline,
                    shift,
                    range_ms,
                    edges: None,
                    beyond: Reach::NONE,
                    span,
                })
            }
            _ => Err(QueryError::Unsupported("this kind of range vector".to_string())),
        }
    }

    fn of_selector(
        plan: &Plan<'q>,
        matrix: &MatrixSelector,
        span: Span,
    ) -> Result<RangeVector<'q>, QueryError> {
        let (query, timeline) = (plan.query, plan.timeline);
        let shift = query.frame.shift(&matrix.selector.time)?;
        let range_ms = query.frame.positive_duration_ms(&matrix.range)?;
        let edges = match (matrix.selector.anchored, matrix.selector.smoothed) {
            (true, _) => Some(Edges::Anchored),
            (_, true) => Some(Edges::Smoothed),
            _ => None,
        };
        let lookback_ms = query.lookback_delta_ms;
        let beyond = match edges {
            None => Reach::NONE,
            Some(Edges::Anchored) => Reach { back_ms: lookback_ms, ahead_ms: 0 },
            Some(Edges::Smoothed) => Reach { back_ms: lookback_ms, ahead_ms: lookback_ms },
        };
        let reach = Reach { back_ms: range_ms.saturating_add(beyond.back_ms), ..beyond };
        let input = RangeSelector::new(query, &matrix.selector, timeline, shift, reach)?;
        let input = Box::new(input.detecting_resets(plan.detects_resets));
        Ok(RangeVector { query, input, timeline, shift, range_ms, edges, beyond, span })
    }

    /// The range vector for `user`, a function that takes only windows without samples beyond their range.
    pub fn plain(self, user: &str) -> Result<RangeVector<'q>, QueryError> {
        match self.edges.map(|edges| extended_function(edges, user)) {
            Some(Err(message)) => Err(QueryError::Execution(message)),
            _ => Ok(self),
        }
    }

    /// Calls `visit` with every window of series `index` that holds samples. Reads slice by slice and keeps what
    /// later windows need.
    pub fn for_each_window(
        &self,
        index: usize,
        scratch: &mut Scratch,
        mut visit: impl FnMut(usize, &Window<'_>) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        self.for_each_place(index, scratch, |step, _, window| visit(step, window))
    }

    /// [`RangeVector::for_each_window`] that also tells the number of the first float of the window in its series.
    pub fn for_each_place(
        &self,
        index: usize,
        scratch: &mut Scratch,
        mut visit: impl FnMut(usize, u64, &Window<'_>) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let (query, mut slices) = (self.query, self.input.slices());
        let (mut held, mut sweep) =
            (query.hold(0)?, Sweep { is_tame: self.is_tame(), ..Sweep::default() });
        scratch.samples.clear();
        while sweep.step < self.timeline.count {
            held.absorb(self.input.read_next(index, &mut slices, scratch)?);
            sweep = self.sweep(&scratch.samples, slices.read_to(), sweep, &mut visit)?;
            if sweep.step < self.timeline.count {
                let slot = self.slot(&scratch.samples, &sweep);
                slices.skip_to(slot.first.saturating_add(1));
                scratch.samples.drop_front(slot.from, slot.histograms.0);
                sweep.dropped += slot.from as u64;
                (sweep.from, sweep.to) = (0, slot.to - slot.from);
                sweep.histograms = (0, slot.histograms.1 - slot.histograms.0);
                held.shrink(samples_cost(&scratch.samples));
            }
        }
        query.count_samples(0, sweep.queryable);
        Ok(())
    }

    /// Visits the windows that end by `read_to`, from `sweep` on. Returns where that ends.
    fn sweep(
        &self,
        samples: &Columns,
        read_to: Timestamp,
        mut sweep: Sweep,
        visit: &mut impl FnMut(usize, u64, &Window<'_>) -> Result<(), QueryError>,
    ) -> Result<Sweep, QueryError> {
        while sweep.step < self.timeline.count {
            let slot = self.slot(samples, &sweep);
            if slot.last > read_to {
                break;
            }
            (sweep.from, sweep.to, sweep.histograms) = (slot.from, slot.to, slot.histograms);
            let visited = slot.to - slot.from + slot.histograms_cost(samples);
            sweep.unchecked += STEP_VISITS + visited;
            if sweep.unchecked >= VISITS_PER_CHECK {
                sweep.unchecked = 0;
                self.query.check()?;
            }
            if visited > 0 {
                sweep.queryable += visited as u64;
                visit(sweep.step, sweep.dropped + slot.from as u64, &slot.window(samples))?;
            }
            sweep.step += 1;
        }
        Ok(sweep)
    }

    fn times(&self, step: usize) -> WindowTimes {
        let eval_time = self.timeline.time(step);
        let end = self.shift.apply(eval_time);
        let start = end.saturating_sub(self.range_ms);
        let first = start.saturating_sub(self.beyond.back_ms);
        let last = end.saturating_add(self.beyond.ahead_ms);
        WindowTimes { eval_time, start, end, first, last }
    }

    /// The same where no sum can leave 64 bits: several times cheaper.
    #[inline]
    fn times_within(&self, step: usize) -> WindowTimes {
        let eval_time = self.timeline.start + step as i64 * self.timeline.step_ms;
        let end = self.shift.at.unwrap_or(eval_time) - self.shift.offset_ms;
        let start = end - self.range_ms;
        let (first, last) = (start - self.beyond.back_ms, end + self.beyond.ahead_ms);
        WindowTimes { eval_time, start, end, first, last }
    }

    fn is_tame(&self) -> bool {
        let Reach { back_ms, ahead_ms } = self.beyond;
        let ends = [self.timeline.start, self.timeline.end(), self.shift.at.unwrap_or(0)];
        let spans = [self.shift.offset_ms, self.range_ms, back_ms, ahead_ms];
        ends.iter().chain(&spans).all(|ms| ms.unsigned_abs() < TAME_MS)
    }

    /// Times never fall from step to step, so both edges only move right.
    #[inline]
    fn slot(&self, samples: &Columns, sweep: &Sweep) -> Slot {
        let Sweep {
            mut from, mut to, histograms: (mut first_histogram, mut next_histogram), ..
        } = *sweep;
        let WindowTimes { eval_time, start, end, first, last } = match sweep.is_tame {
            true => self.times_within(sweep.step),
            false => self.times(sweep.step),
        };
        while to < samples.floats.len() && samples.timestamps[to] <= last {
            to += 1;
        }
        while from < to && samples.timestamps[from] <= first {
            from += 1;
        }
        let histogram_time = |index: usize| samples.histograms[index].timestamp;
        while next_histogram < samples.histograms.len() && histogram_time(next_histogram) <= last {
            next_histogram += 1;
        }
        while first_histogram < next_histogram && histogram_time(first_histogram) <= first {
            first_histogram += 1;
        }
        let histograms = (first_histogram, next_histogram);
        Slot { from, to, histograms, first, last, start, end, eval_time }
    }

    /// The samples themselves, of an instant query.
    pub fn matrix(&self) -> Result<Vec<MatrixSeries>, QueryError> {
        let mut matrix = Vec::new();
        let mut scratch = Scratch::default();
        let mut kept = Vec::new();
        for (index, meta) in self.input.series().iter().enumerate() {
            let mut points = Columns::default();
            self.for_each_window(index, &mut scratch, |_, window| {
                self.append_points(window, &mut points)?;
                kept.push(self.query.hold(samples_cost(&points))?);
                Ok(())
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

impl Slot {
    fn histograms_cost(&self, samples: &Columns) -> usize {
        let histograms = &samples.histograms[self.histograms.0..self.histograms.1];
        histograms.iter().map(|sample| sample.histogram.sample_cost()).sum()
    }

    fn window<'a>(&self, samples: &'a Columns) -> Window<'a> {
        Window {
            timestamps: &samples.timestamps[self.from..self.to],
            values: &samples.floats[self.from..self.to],
            starts: samples.starts.get(self.from..self.to).unwrap_or(&[]),
            histograms: &samples.histograms[self.histograms.0..self.histograms.1],
            range_start: self.start,
            range_end: self.end,
            eval_time: self.eval_time,
        }
    }
}

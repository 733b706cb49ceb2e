//! The engine: text or tree in, [`Answer`] out. What `api` calls; it owns the threads queries run on and the limits
//! they run under. Knows no storage beyond [`Source`] and nothing of HTTP.

use std::time::Instant;

use super::ast::{Expr, ExprKind, ValueType};
use super::budget::{Budget, BudgetLimits, Pool};
use super::check::value_type;
use super::column::Column;
use super::explain::{Analysis, Explanation, PlanNode};
use super::operator::{BoxOperator, Materialized, Meta, Relabel, Scratch};
use super::parser::ParseOptions;
use super::plan::{Node, Plan, unparen};
use super::propagate::propagated;
use super::query::{Query, Workers};
use super::quiet::Facts;
use super::slices::Slices;
use super::sort::sort;
use super::tally::Tally;
use super::timeline::{Frame, Timeline};
use super::unique::{merge_equal, same_labelset};
use super::value::{
    Answer, MatrixSeries, QueryError, QueryStats, StageTimes, Value, VectorElement,
};
use super::window::{RangeInput, RangeVector, Reading};
use crate::model::{Labels, Timestamp};
use crate::read::{Columns, HistogramSample, Source};
use crate::sync::{Arc, AtomicBool, Mutex, Ordering};

/// How far back an instant selector looks for a sample: Prometheus' default, so that answers agree.
pub const LOOKBACK_DELTA_MS: i64 = 300_000;
/// The step of a subquery that names none: Prometheus' default evaluation interval.
pub const DEFAULT_STEP_MS: i64 = 60_000;
/// Samples one query may hold at once: Prometheus' default, 800 MB of columns.
pub const SAMPLES_MAX: u64 = 50_000_000;
/// Memory one query may hold: the samples of [`SAMPLES_MAX`] and as many label sets as they are likely to have.
pub const MEMORY_MAX_BYTES: u64 = 1 << 30;
/// Memory all queries may hold together where nobody tells how much there is.
pub const MEMORY_BUDGET_DEFAULT_BYTES: u64 = 2 << 30;
/// Series one query may select: finding them takes a second per million. Label sets, where they are needed, are held
/// by the limit on bytes.
pub const SERIES_MAX: u64 = 10_000_000;

/// What all queries of a server have in common.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    pub lookback_delta_ms: i64,
    /// The step of a subquery that names none.
    pub default_step_ms: i64,
    /// Samples one query may hold at once.
    pub samples_max: u64,
    /// What one query may hold at once, samples and label sets.
    pub memory_max_bytes: u64,
    /// What all queries may hold at once together.
    pub memory_budget_bytes: u64,
    /// Series one query may select.
    pub series_max: u64,
    /// Threads of the query pool; 1 evaluates on the calling thread.
    pub threads: usize,
    /// Metric names are dropped at the very end only, so that later operators still see them.
    pub delayed_name_removal: bool,
    /// Functions of counters and `start_timestamp` look at since when samples count, where that is known.
    pub use_start_timestamps: bool,
    pub parse: ParseOptions,
}

impl Default for EngineOptions {
    fn default() -> EngineOptions {
        EngineOptions {
            lookback_delta_ms: LOOKBACK_DELTA_MS,
            default_step_ms: DEFAULT_STEP_MS,
            samples_max: SAMPLES_MAX,
            memory_max_bytes: MEMORY_MAX_BYTES,
            memory_budget_bytes: MEMORY_BUDGET_DEFAULT_BYTES,
            series_max: SERIES_MAX,
            threads: 1,
            delayed_name_removal: false,
            use_start_timestamps: false,
            parse: ParseOptions::default(),
        }
    }
}

/// What one query may take.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    pub deadline: Option<Instant>,
    /// Set by whoever no longer wants the answer.
    pub canceled: Arc<AtomicBool>,
    /// Takes the place of the engine's lookback.
    pub lookback_delta_ms: Option<i64>,
    /// Where what it holds is counted, from [`Engine::budget`]; if absent, somewhere nobody else sees.
    pub budget: Option<Arc<Budget>>,
    /// Whether the statistics tell the samples of every step.
    pub step_stats: bool,
}

impl Limits {
    /// # Errors
    /// Nobody waits for the answer any more.
    pub fn check(&self) -> Result<(), QueryError> {
        if self.canceled.load(Ordering::Relaxed) {
            return Err(QueryError::Canceled);
        }
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(QueryError::Timeout),
            _ => Ok(()),
        }
    }
}

/// Evaluates queries.
pub struct Engine {
    options: EngineOptions,
    workers: Workers,
    pool: Arc<Pool>,
}

impl Engine {
    pub fn new(options: EngineOptions) -> Engine {
        let workers = Workers::new(options.threads);
        let pool = Arc::new(Pool::new(options.memory_budget_bytes));
        Engine { options, workers, pool }
    }

    pub fn options(&self) -> &EngineOptions {
        &self.options
    }

    /// What all queries hold together.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The budget of one more query.
    pub fn budget(&self) -> Arc<Budget> {
        let EngineOptions { samples_max, memory_max_bytes, series_max, .. } = self.options;
        let limits = BudgetLimits { samples_max, memory_max_bytes, series_max };
        Arc::new(Budget::new(limits, self.pool.clone()))
    }

    /// The answer at one point in time.
    ///
    /// # Errors
    /// The text is not PromQL, or its evaluation fails or meets a limit.
    pub fn instant(
        &self,
        source: &dyn Source,
        text: &str,
        time: Timestamp,
        limits: &Limits,
    ) -> Result<Answer, QueryError> {
        let begun = Instant::now();
        let expr = super::parser::parse(text, &self.options.parse)?;
        let preparation = begun.elapsed();
        let mut answer = self.instant_expr(source, text, &expr, time, limits)?;
        answer.stats.times.preparation = preparation;
        Ok(answer)
    }

    /// The answer at `start`, `start + step_ms`, ... up to `end`, as a matrix.
    ///
    /// # Errors
    /// As [`Engine::instant`]; also when the expression is neither a scalar nor an instant vector.
    pub fn range(
        &self,
        source: &dyn Source,
        text: &str,
        start: Timestamp,
        end: Timestamp,
        step_ms: i64,
        limits: &Limits,
    ) -> Result<Answer, QueryError> {
        let begun = Instant::now();
        let expr = super::parser::parse(text, &self.options.parse)?;
        let preparation = begun.elapsed();
        let steps = Steps { start, end, step_ms };
        let mut answer = self.range_expr(source, text, &expr, steps, limits)?;
        answer.stats.times.preparation = preparation;
        Ok(answer)
    }

    /// [`Engine::instant`] of a parsed expression; `text` is what its spans refer to.
    pub fn instant_expr(
        &self,
        source: &dyn Source,
        text: &str,
        expr: &Expr,
        time: Timestamp,
        limits: &Limits,
    ) -> Result<Answer, QueryError> {
        let query = self.query(source, When::At(time), limits, None);
        evaluated(query, text, expr, When::At(time))
    }

    /// [`Engine::range`] of a parsed expression; `text` is what its spans refer to.
    pub fn range_expr(
        &self,
        source: &dyn Source,
        text: &str,
        expr: &Expr,
        steps: Steps,
        limits: &Limits,
    ) -> Result<Answer, QueryError> {
        let query = self.query(source, When::Over(steps), limits, None);
        evaluated(query, text, expr, When::Over(steps))
    }

    /// What a query will cost, as far as can be told without reading samples; and, if `analyze`, what it did cost: then it is
    /// evaluated, and the answer dropped.
    ///
    /// # Errors
    /// As [`Engine::instant`] and [`Engine::range`], the latter part only if it is evaluated.
    pub fn explain(
        &self,
        source: &dyn Source,
        text: &str,
        when: When,
        analyze: bool,
        limits: &Limits,
    ) -> Result<Explanation, QueryError> {
        let begun = Instant::now();
        let expr = super::parser::parse(text, &self.options.parse)?;
        let preparation = begun.elapsed();
        let budget = limits.budget.clone().unwrap_or_else(|| self.budget());
        let limits = Limits { budget: Some(budget), ..limits.clone() };
        let query = self.query(source, when, &limits, None);
        let propagated = propagated(&query, &expr);
        let planned = propagated.as_ref().map_or(&expr, |propagated| &propagated.expr);
        let mut plan = PlanNode::new(&query, planned, when.timeline())?;
        propagated.iter().for_each(|propagated| plan.note_narrowed(&propagated.narrowed));
        let mut stats = None;
        if analyze {
            let analysis = Analysis::new(&plan);
            let query = self.query(source, when, &limits, Some(&analysis));
            let mut measured = evaluated(query, text, &expr, when)?.stats;
            measured.times.preparation = preparation;
            stats = Some(measured);
            analysis.fill(&mut plan);
        }
        Ok(Explanation { plan, stats })
    }

    fn query<'q>(
        &'q self,
        source: &'q dyn Source,
        when: When,
        limits: &Limits,
        analysis: Option<&'q Analysis>,
    ) -> Query<'q> {
        let steps = when.timeline().count;
        // More steps than samples fit no budget, which the evaluation will find out.
        let step_stats = limits.step_stats && steps as u64 <= self.options.samples_max;
        Query {
            options: &self.options,
            workers: &self.workers,
            source,
            facts: Facts::of(source),
            frame: when.frame(),
            lookback_delta_ms: limits.lookback_delta_ms.unwrap_or(self.options.lookback_delta_ms),
            limits: limits.clone(),
            failure: Mutex::default(),
            annotations: Mutex::default(),
            source_warnings: Mutex::default(),
            budget: limits.budget.clone().unwrap_or_else(|| self.budget()),
            tally: Tally::new(steps, step_stats),
            analysis,
        }
    }
}

/// The points in time of a range query, `end` included if a step meets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    pub start: Timestamp,
    pub end: Timestamp,
    pub step_ms: i64,
}

/// The time or times that a query asks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    At(Timestamp),
    Over(Steps),
}

impl When {
    fn frame(self) -> Frame {
        match self {
            When::At(time) => Frame { start: time, end: time, step_ms: 0 },
            When::Over(Steps { start, end, step_ms }) => Frame { start, end, step_ms },
        }
    }

    fn timeline(self) -> Timeline {
        match self {
            When::At(time) => Timeline::at(time),
            When::Over(Steps { start, end, step_ms }) => Timeline::new(start, end, step_ms),
        }
    }
}

/// The answer of a query.
fn evaluated(query: Query<'_>, text: &str, expr: &Expr, when: When) -> Result<Answer, QueryError> {
    let begun = Instant::now();
    let propagated = propagated(&query, expr);
    let expr = propagated.as_ref().map_or(expr, |propagated| &propagated.expr);
    let value = {
        let _entered = query.enter(expr);
        match when {
            When::At(time) => evaluate_instant(&query, expr, time),
            When::Over(_) => evaluate_range(&query, expr, when.timeline()),
        }
    };
    if let Some(failure) = query.failure.lock().take() {
        return Err(failure);
    }
    let mut value = value?;
    let evaluation = begun.elapsed();
    if let Value::Matrix(matrix) = &mut value {
        sort(&query, matrix, |a, b| a.labels.cmp(&b.labels))?;
        let is_twice = |pair: &[MatrixSeries]| pair[0].labels == pair[1].labels;
        if matches!(when, When::At(_)) && matrix.windows(2).any(is_twice) {
            return Err(same_labelset());
        }
    }
    let sorting = begun.elapsed().saturating_sub(evaluation);
    let times = StageTimes { evaluation, sorting, ..StageTimes::default() };
    let stats = QueryStats { times, ..stats(&query, when.timeline()) };
    Ok(answer(query, text, value, stats))
}

fn stats(query: &Query<'_>, timeline: Timeline) -> QueryStats {
    let timed = |(step, samples)| (timeline.time(step), samples);
    let used_at = query.tally.used_at();
    QueryStats {
        samples_queryable: query.tally.used(),
        samples_per_step: used_at.map(|used| used.into_iter().enumerate().map(timed).collect()),
        samples_read: query.tally.read(),
        samples_peak: query.budget.samples_peak(),
        peak_bytes: query.budget.peak_bytes(),
        times: StageTimes::default(),
    }
}

fn evaluate_instant(query: &Query<'_>, expr: &Expr, time: Timestamp) -> Result<Value, QueryError> {
    let plan = Plan::new(query, Timeline::at(time)).sharing(expr)?;
    if let ExprKind::Matrix(_) | ExprKind::Subquery(_) = &unparen(expr).kind {
        let mut range = RangeVector::build(&plan, expr)?;
        range.input = Box::new(Named {
            series: final_names(query, range.input.series())?,
            inner: range.input,
        });
        return range.matrix().map(Value::Matrix);
    }
    Ok(match plan.build(expr)? {
        Node::Text(value) => Value::String { timestamp: time, value },
        Node::Scalar(values) => {
            Value::Scalar { timestamp: time, value: values.first().copied().unwrap_or(f64::NAN) }
        }
        Node::Vector(operator) => {
            let vector = Materialized::of(query, finished(query, operator)?)?;
            let elements = vector.series.into_iter().zip(&vector.columns);
            let element = |(meta, column): (Meta, &Column)| {
                let value = column.element(0)?;
                Some(VectorElement { labels: meta.labels, timestamp: time, value })
            };
            Value::Vector(elements.filter_map(element).collect())
        }
    })
}

fn evaluate_range(query: &Query<'_>, expr: &Expr, timeline: Timeline) -> Result<Value, QueryError> {
    let value_type = value_type(expr);
    if !matches!(value_type, ValueType::Scalar | ValueType::Vector) {
        return Err(QueryError::Expression(format!(
            "invalid expression type {:?} for range query, must be Scalar or instant Vector",
            value_type.as_str()
        )));
    }
    // The columns that threads work on are within the budget, too.
    drop(query.hold(timeline.count)?);
    let plan = Plan::new(query, timeline).sharing(expr)?;
    let mut matrix = match plan.build(expr)? {
        Node::Vector(operator) => matrix_of(query, timeline, finished(query, operator)?)?,
        Node::Scalar(values) => {
            let times = (0..timeline.count).map(|step| timeline.time(step));
            let points =
                Columns { timestamps: times.collect(), floats: values, ..Columns::default() };
            vec![MatrixSeries { labels: Labels::empty(), points }]
        }
        Node::Text(_) => Vec::new(),
    };
    matrix.retain(|series| !series.points.is_empty());
    Ok(Value::Matrix(matrix))
}

/// Drops the names that were kept until now.
fn finished<'q>(
    query: &Query<'_>,
    operator: BoxOperator<'q>,
) -> Result<BoxOperator<'q>, QueryError> {
    if !query.options.delayed_name_removal {
        return Ok(operator);
    }
    let series = final_names(query, operator.series())?;
    merge_equal(query, Box::new(Relabel { inner: operator, series }))
}

/// Without the names whose removal was delayed.
fn final_names(query: &Query<'_>, series: &[Meta]) -> Result<Vec<Meta>, QueryError> {
    let drop = |meta: &Meta| if meta.drop_name { meta.without_name(false) } else { meta.clone() };
    query.collect_labels(series.iter().map(drop))
}

/// Other labels for the same samples.
struct Named<'q> {
    inner: Box<dyn RangeInput + 'q>,
    series: Vec<Meta>,
}

impl RangeInput for Named<'_> {
    fn series(&self) -> &[Meta] {
        &self.series
    }

    fn slices(&self) -> Slices {
        self.inner.slices()
    }

    fn read_next(&self, index: usize, slices: &mut Slices, scratch: &mut Scratch) -> Reading<'_> {
        self.inner.read_next(index, slices, scratch)
    }
}

fn matrix_of(
    query: &Query<'_>,
    timeline: Timeline,
    operator: BoxOperator<'_>,
) -> Result<Vec<MatrixSeries>, QueryError> {
    let mut matrix = Vec::new();
    query.for_each_chunk(
        operator.series().len(),
        |chunk| {
            let (mut scratch, mut column) = (Scratch::default(), Column::default());
            let (mut found, mut held) = (Vec::new(), query.hold(0)?);
            for index in chunk {
                query.check()?;
                operator.column(index, &mut scratch, &mut column)?;
                held.absorb(query.hold(column.present.count() + column.histograms.cost())?);
                let mut points = Columns::default();
                for (step, value) in column.iter() {
                    points.push(timeline.time(step), value);
                }
                points.histograms.extend(column.histograms.iter().map(|(step, histogram)| {
                    let timestamp = timeline.time(step);
                    HistogramSample { timestamp, start: 0, histogram: histogram.clone() }
                }));
                let labels = operator.series()[index].labels.clone();
                found.push(MatrixSeries { labels, points });
            }
            Ok((found, held))
        },
        |(found, held)| {
            matrix.extend(found.into_iter().filter(|series| !series.points.is_empty()));
            held.keep();
            Ok(())
        },
    )?;
    Ok(matrix)
}

fn answer(query: Query<'_>, text: &str, value: Value, stats: QueryStats) -> Answer {
    let (mut warnings, infos) = query.annotations.into_inner().into_sentences(text);
    warnings.extend(query.source_warnings.into_inner());
    warnings.sort();
    warnings.dedup();
    Answer { value, warnings, infos, stats }
}

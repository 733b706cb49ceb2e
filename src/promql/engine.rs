//! The engine: text or tree in, [`Answer`] out. What `api` calls; it owns the threads queries run on and the limits
//! they run under. Knows no storage beyond [`Source`] and nothing of HTTP.

use std::time::Instant;

use super::ast::{Expr, ExprKind, ValueType};
use super::check::value_type;
use super::column::Column;
use super::operator::{
    BoxOperator, Materialized, Meta, Relabel, Scratch, merge_equal, same_labelset,
};
use super::parser::ParseOptions;
use super::plan::{Node, Plan, unparen};
use super::query::{Query, Workers};
use super::slices::Slices;
use super::timeline::{Frame, Timeline};
use super::value::{Answer, MatrixSeries, QueryError, Value, VectorElement};
use super::window::{RangeInput, RangeVector, Reading};
use crate::model::{Labels, Timestamp};
use crate::read::{Columns, HistogramSample, Source};
use crate::sync::{Arc, AtomicBool, AtomicU64, Mutex};

/// How far back an instant selector looks for a sample: Prometheus' default, so that answers agree.
pub const LOOKBACK_DELTA_MS: i64 = 300_000;
/// The step of a subquery that names none: Prometheus' default evaluation interval.
pub const DEFAULT_STEP_MS: i64 = 60_000;
/// Samples one query may hold at once: Prometheus' default, 800 MB of columns.
pub const SAMPLES_MAX: u64 = 50_000_000;

/// What all queries of a server have in common.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    pub lookback_delta_ms: i64,
    /// The step of a subquery that names none.
    pub default_step_ms: i64,
    /// Samples one query may hold at once.
    pub samples_max: u64,
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
}

/// Evaluates queries.
pub struct Engine {
    options: EngineOptions,
    workers: Workers,
}

impl Engine {
    pub fn new(options: EngineOptions) -> Engine {
        let workers = Workers::new(options.threads);
        Engine { options, workers }
    }

    pub fn options(&self) -> &EngineOptions {
        &self.options
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
        let expr = super::parser::parse(text, &self.options.parse)?;
        self.instant_expr(source, text, &expr, time, limits)
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
        let expr = super::parser::parse(text, &self.options.parse)?;
        self.range_expr(source, text, &expr, Steps { start, end, step_ms }, limits)
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
        let frame = Frame { start: time, end: time, step_ms: 0 };
        let query = self.query(source, frame, limits);
        let value = evaluate_instant(&query, expr, time);
        answer(query, text, value)
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
        let Steps { start, end, step_ms } = steps;
        let query = self.query(source, Frame { start, end, step_ms }, limits);
        let value = evaluate_range(&query, expr, Timeline::new(start, end, step_ms));
        answer(query, text, value)
    }

    fn query<'q>(&'q self, source: &'q dyn Source, frame: Frame, limits: &Limits) -> Query<'q> {
        Query {
            options: &self.options,
            workers: &self.workers,
            source,
            frame,
            lookback_delta_ms: limits.lookback_delta_ms.unwrap_or(self.options.lookback_delta_ms),
            deadline: limits.deadline,
            canceled: limits.canceled.clone(),
            failure: Mutex::default(),
            annotations: Mutex::default(),
            source_warnings: Mutex::default(),
            samples_held: AtomicU64::new(0),
            samples_peak: AtomicU64::new(0),
            samples_read: AtomicU64::new(0),
            samples_queryable: AtomicU64::new(0),
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

fn evaluate_instant(query: &Query<'_>, expr: &Expr, time: Timestamp) -> Result<Value, QueryError> {
    let plan = Plan::new(query, Timeline::at(time)).sharing(expr)?;
    if let ExprKind::Matrix(_) | ExprKind::Subquery(_) = &unparen(expr).kind {
        let mut range = RangeVector::build(&plan, expr)?;
        range.input =
            Box::new(Named { series: final_names(range.input.series()), inner: range.input });
        let mut matrix = range.matrix()?;
        matrix.sort_by(|a, b| a.labels.cmp(&b.labels));
        if matrix.windows(2).any(|pair| pair[0].labels == pair[1].labels) {
            return Err(same_labelset());
        }
        return Ok(Value::Matrix(matrix));
    }
    Ok(match plan.build(expr)? {
        Node::Text(value) => Value::String { timestamp: time, value },
        Node::Scalar(values) => {
            Value::Scalar { timestamp: time, value: values.first().copied().unwrap_or(f64::NAN) }
        }
        Node::Vector(operator) => {
            let vector = Materialized::of(query, finished(query, operator))?;
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
        Node::Vector(operator) => matrix_of(query, timeline, finished(query, operator))?,
        Node::Scalar(values) => {
            let times = (0..timeline.count).map(|step| timeline.time(step));
            let points =
                Columns { timestamps: times.collect(), floats: values, ..Columns::default() };
            vec![MatrixSeries { labels: Labels::empty(), points }]
        }
        Node::Text(_) => Vec::new(),
    };
    matrix.retain(|series| !series.points.is_empty());
    matrix.sort_by(|a, b| a.labels.cmp(&b.labels));
    Ok(Value::Matrix(matrix))
}

/// Drops the names that were kept until now.
fn finished<'q>(query: &Query<'_>, operator: BoxOperator<'q>) -> BoxOperator<'q> {
    if !query.options.delayed_name_removal {
        return operator;
    }
    let series = final_names(operator.series());
    merge_equal(Box::new(Relabel { inner: operator, series }))
}

/// Without the names whose removal was delayed.
fn final_names(series: &[Meta]) -> Vec<Meta> {
    let drop = |meta: &Meta| if meta.drop_name { meta.without_name(false) } else { meta.clone() };
    series.iter().map(drop).collect()
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
    let mut all_held = Vec::new();
    query.for_each_chunk(
        operator.series().len(),
        |chunk| {
            let (mut scratch, mut column) = (Scratch::default(), Column::default());
            let (mut found, mut held) = (Vec::new(), Vec::new());
            for index in chunk {
                operator.column(index, &mut scratch, &mut column)?;
                held.push(query.hold(column.present.count() + column.histograms.cost())?);
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
            all_held.extend(held);
            Ok(())
        },
    )?;
    Ok(matrix)
}

fn answer(
    query: Query<'_>,
    text: &str,
    value: Result<Value, QueryError>,
) -> Result<Answer, QueryError> {
    if let Some(failure) = query.failure.lock().take() {
        return Err(failure);
    }
    let (value, stats) = (value?, query.stats());
    let (mut warnings, infos) = query.annotations.into_inner().into_sentences(text);
    warnings.extend(query.source_warnings.into_inner());
    warnings.sort();
    warnings.dedup();
    Ok(Answer { value, warnings, infos, stats })
}

//! The engine: text or tree in, [`Answer`] out. What `api` calls; it owns the threads queries run on and the limits
//! they run under. Knows no storage beyond [`Source`] and nothing of HTTP.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::ast::Expr;
use super::parser::ParseOptions;
use super::value::{Answer, QueryError};
use crate::model::Timestamp;
use crate::read::Source;

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
}

impl Engine {
    pub fn new(options: EngineOptions) -> Engine {
        Engine { options }
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
        _source: &dyn Source,
        _text: &str,
        _expr: &Expr,
        _time: Timestamp,
        _limits: &Limits,
    ) -> Result<Answer, QueryError> {
        Err(QueryError::Unsupported("evaluation".to_string()))
    }

    /// [`Engine::range`] of a parsed expression; `text` is what its spans refer to.
    pub fn range_expr(
        &self,
        _source: &dyn Source,
        _text: &str,
        _expr: &Expr,
        _steps: Steps,
        _limits: &Limits,
    ) -> Result<Answer, QueryError> {
        Err(QueryError::Unsupported("evaluation".to_string()))
    }
}

/// The points in time of a range query, `end` included if a step meets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    pub start: Timestamp,
    pub end: Timestamp,
    pub step_ms: i64,
}

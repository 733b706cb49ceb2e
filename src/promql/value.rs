//! What a query gives back, and why it may give nothing back. Shapes only; `api` turns them into JSON.

use std::fmt;
use std::time::Duration;

use super::budget::OverLimit;
pub use super::column::Element;
use super::parser::ParseError;
use crate::model::{Labels, Timestamp};
use crate::read::{Columns, ReadError};

/// The result of an evaluation.
#[derive(Debug, Clone)]
pub enum Value {
    Scalar {
        timestamp: Timestamp,
        value: f64,
    },
    String {
        timestamp: Timestamp,
        value: String,
    },
    /// Of an instant query; in the order the query asked for.
    Vector(Vec<VectorElement>),
    /// Of a range query, or of an instant query for a range vector: sorted by labels, no empty series.
    Matrix(Vec<MatrixSeries>),
}

#[derive(Debug, Clone)]
pub struct VectorElement {
    pub labels: Labels,
    pub timestamp: Timestamp,
    pub value: Element,
}

#[derive(Debug, Clone)]
pub struct MatrixSeries {
    pub labels: Labels,
    pub points: Columns,
}

/// A value and what the user should know about it.
#[derive(Debug, Clone)]
pub struct Answer {
    pub value: Value,
    /// Complete sentences with their position, as Prometheus words them; unique, in no particular order.
    pub warnings: Vec<String>,
    pub infos: Vec<String>,
    pub stats: QueryStats,
}

/// What an evaluation cost.
#[derive(Debug, Clone, Default)]
pub struct QueryStats {
    /// Samples in all windows of all steps: what Prometheus calls total queryable samples.
    pub samples_queryable: u64,
    /// The same at every step, if that was asked for: its time and the samples.
    pub samples_per_step: Option<Vec<(Timestamp, u64)>>,
    /// Samples decoded, each once.
    pub samples_read: u64,
    /// The most samples held at once.
    pub samples_peak: u64,
    /// The most bytes held at once.
    pub peak_bytes: u64,
    pub times: StageTimes,
}

/// How long the stages of an evaluation took.
#[derive(Debug, Clone, Copy, Default)]
pub struct StageTimes {
    /// Text to tree.
    pub preparation: Duration,
    /// Tree to values.
    pub evaluation: Duration,
    /// Putting series in order.
    pub sorting: Duration,
}

/// A query that could not be answered, told apart by what the client should do.
#[derive(Debug)]
pub enum QueryError {
    /// The text is not PromQL: correct it.
    Parse(ParseError),
    /// The text is PromQL, but not for this kind of query: correct it.
    Expression(String),
    /// PromQL that this version cannot evaluate.
    Unsupported(String),
    /// The data or the parameters do not allow an answer.
    Execution(String),
    /// Over the limit of samples, in Prometheus' words.
    TooManySamples,
    /// Over a limit; the text names it.
    OverLimit(OverLimit),
    Timeout,
    Canceled,
    Storage(ReadError),
}

impl QueryError {
    /// Could it be evaluated if less were held at once?
    pub fn is_over_budget(&self) -> bool {
        match self {
            QueryError::TooManySamples => true,
            QueryError::OverLimit(limit) => !matches!(limit, OverLimit::Series { .. }),
            _ => false,
        }
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            QueryError::Parse(error) => fmt::Display::fmt(error, f),
            QueryError::Expression(message) => f.write_str(message),
            QueryError::Unsupported(what) => write!(f, "not supported yet: {what}"),
            QueryError::Execution(message) => f.write_str(message),
            QueryError::TooManySamples => f.write_str(
                "query processing would load too many samples into memory in query execution",
            ),
            QueryError::OverLimit(limit) => fmt::Display::fmt(limit, f),
            QueryError::Timeout => f.write_str("query timed out in expression evaluation"),
            QueryError::Canceled => f.write_str("query was canceled in expression evaluation"),
            QueryError::Storage(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl std::error::Error for QueryError {}

impl From<ParseError> for QueryError {
    fn from(error: ParseError) -> QueryError {
        QueryError::Parse(error)
    }
}

impl From<ReadError> for QueryError {
    fn from(error: ReadError) -> QueryError {
        QueryError::Storage(error)
    }
}

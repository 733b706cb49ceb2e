//! What a script consists of, as read from its text. Plain data, no text and no evaluation.

use crate::model::{Histogram, Labels, Timestamp};
use crate::promql::engine::Steps;
use crate::sync::Arc;

/// A command and the line it begins on, from 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    pub line: usize,
    pub kind: CommandKind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum CommandKind {
    /// Forget everything loaded.
    Clear,
    Load(Load),
    Eval(Box<Eval>),
}

/// Samples for series at 0, `step_ms`, 2 * `step_ms`, ...
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    pub step_ms: i64,
    /// `load_with_nhcb`: classic histograms become native ones with custom buckets besides.
    pub custom_buckets: bool,
    pub series: Vec<Series>,
}

/// One series with a point, or none, per step.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    pub labels: Labels,
    pub points: Vec<Point>,
    /// Of each point where its start timestamp is, relative to its own; or empty.
    pub start_offsets_ms: Vec<Option<i64>>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Point {
    /// `_`
    Gap,
    /// `stale` is the staleness marker.
    Float(f64),
    Histogram(ScriptHistogram),
}

#[derive(Debug, Clone)]
pub struct ScriptHistogram {
    pub histogram: Arc<Histogram>,
    /// The reset hint is compared only if it was written.
    pub hint_written: bool,
}

impl PartialEq for ScriptHistogram {
    fn eq(&self, other: &ScriptHistogram) -> bool {
        self.histogram.equals(&other.histogram)
            && self.histogram.hint == other.histogram.hint
            && self.hint_written == other.hint_written
    }
}

/// A query, when to evaluate it, and what must come of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Eval {
    pub query: String,
    pub at: EvalTime,
    pub expected: Expected,
    /// Of the annotations; independent of the value.
    pub warnings: NoteRule,
    pub infos: NoteRule,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum EvalTime {
    Instant(Timestamp),
    Range(Steps),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// An error; the text must match if there is a pattern.
    Failure(TextPattern),
    Scalar(f64),
    String(String),
    /// Exactly these series, in this order if `ordered`. Of an instant query one point each.
    Series {
        series: Vec<Series>,
        ordered: bool,
    },
    /// An instant query for a range vector, its points on these steps.
    RangeVector {
        series: Vec<Series>,
        steps: Steps,
    },
}

/// What a message must look like.
#[derive(Debug, Clone)]
pub enum TextPattern {
    Any,
    Exact(String),
    /// Found anywhere in the text.
    Regex(regex::Regex),
}

impl TextPattern {
    pub fn matches(&self, text: &str) -> bool {
        match self {
            TextPattern::Any => true,
            TextPattern::Exact(exact) => text == exact,
            TextPattern::Regex(regex) => regex.is_match(text),
        }
    }
}

impl PartialEq for TextPattern {
    fn eq(&self, other: &TextPattern) -> bool {
        match (self, other) {
            (TextPattern::Any, TextPattern::Any) => true,
            (TextPattern::Exact(a), TextPattern::Exact(b)) => a == b,
            (TextPattern::Regex(a), TextPattern::Regex(b)) => a.as_str() == b.as_str(),
            _ => false,
        }
    }
}

/// What is expected of the warnings (or infos) of an answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum NoteRule {
    #[default]
    Ignored,
    /// There must be none.
    None,
    /// Every note must match a pattern and every pattern a note.
    Match(Vec<TextPattern>),
}

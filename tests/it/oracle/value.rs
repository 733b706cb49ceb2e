//! What the oracle computes with: label sets as maps, values of either kind.

use std::collections::BTreeMap;

use silverback::model::Histogram;

pub const NAME: &str = "__name__";

/// The labels that say what a metric is: they go together.
pub const METADATA: [&str; 3] = [NAME, "__type__", "__unit__"];

pub type LabelMap = BTreeMap<String, String>;

#[derive(Debug, Clone)]
pub enum Value {
    Float(f64),
    Histogram(Histogram),
}

impl Value {
    pub fn float(&self) -> Option<f64> {
        match self {
            Value::Float(value) => Some(*value),
            Value::Histogram(_) => None,
        }
    }

    pub fn histogram(&self) -> Option<&Histogram> {
        match self {
            Value::Float(_) => None,
            Value::Histogram(histogram) => Some(histogram),
        }
    }

    pub fn is_histogram(&self) -> bool {
        self.histogram().is_some()
    }

    pub fn is_stale(&self) -> bool {
        match self {
            Value::Float(value) => silverback::model::is_stale(*value),
            Value::Histogram(histogram) => histogram.is_stale(),
        }
    }
}

/// A sample.
#[derive(Debug, Clone)]
pub struct Point {
    pub time: i64,
    /// Since when it counts; 0: not known.
    pub start: i64,
    pub value: Value,
}

/// All samples of all series, in order of time.
pub type Data = BTreeMap<LabelMap, Vec<Point>>;

/// An element of an instant vector.
#[derive(Debug, Clone)]
pub struct Element {
    pub labels: LabelMap,
    /// The name goes at the end of the query.
    pub drops_name: bool,
    pub value: Value,
}

impl Element {
    /// As the user sees it at the end.
    pub fn final_labels(&self) -> LabelMap {
        let labels = self.labels.clone();
        if self.drops_name { without_metadata(labels) } else { labels }
    }

    pub fn metric(&self) -> &str {
        metric(&self.labels)
    }
}

/// The name, or nothing.
pub fn metric(labels: &LabelMap) -> &str {
    labels.get(NAME).map_or("", String::as_str)
}

pub fn without_metadata(mut labels: LabelMap) -> LabelMap {
    labels.retain(|name, _| !METADATA.contains(&name.as_str()));
    labels
}

/// A series of a range vector with its points in order of time.
#[derive(Debug, Clone)]
pub struct Track {
    pub labels: LabelMap,
    pub drops_name: bool,
    pub points: Vec<Point>,
}

/// What an expression is worth at one time.
#[derive(Debug, Clone)]
pub enum Answer {
    Scalar(f64),
    Text(String),
    Vector(Vec<Element>),
}

/// The evaluation has no answer, for this reason.
#[derive(Debug, Clone)]
pub struct Failure(pub String);

pub type Result<T> = std::result::Result<T, Failure>;

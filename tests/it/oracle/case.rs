//! A query over random data, made of bytes.

use std::fmt;

use silverback::promql::engine::Steps;

use super::data::data;
use super::matching::in_braces;
use super::samples::{INTERVAL_MS, SAMPLES};
use super::value::{Data, LabelMap, Point, Value, metric};
use super::vocabulary::VOCABULARY;
use crate::choices::Choices;
use crate::promql_generator::Generator;

/// How deep expressions are nested at most.
const DEPTH: usize = 4;
/// The bytes that decide about the data; those of the query follow.
pub const DATA_BYTES: usize = 128;

pub struct Case {
    pub data: Data,
    pub text: String,
    pub frame: Frame,
}

/// When and how a query is evaluated.
#[derive(Debug, Clone)]
pub struct Frame {
    pub steps: Steps,
    pub lookback_ms: i64,
    pub delayed_name_removal: bool,
    pub use_start_timestamps: bool,
}

impl Case {
    pub fn of(bytes: &[u8]) -> Case {
        let (for_data, for_query) = bytes.split_at(bytes.len().min(DATA_BYTES));
        let choices = &mut Choices::of(for_query);
        let frame = Frame::of(choices);
        let depth = 1 + choices.below(DEPTH) as u32;
        let kind = choices.weighted(&[7, 2, 1]);
        let mut generator = Generator::new(choices, &VOCABULARY);
        let text = match kind {
            0 => generator.vector(depth),
            1 => generator.ordered(depth),
            _ => generator.scalar(depth),
        };
        Case { data: data(&mut Choices::of(for_data)), text, frame }
    }
}

impl Frame {
    pub fn of(choices: &mut Choices<'_>) -> Frame {
        let start = choices.between(-30_000, SAMPLES as i64 * INTERVAL_MS);
        let count = choices.between(1, 12);
        let step_ms = choices.pick(&[15_000, 10_000, 7_919, 30_000, 15_000, 39_500, 1_000, 1]);
        let lookback_ms = choices.pick(&[25_000, 59_000, 11_111, 10_000, 25_000, 300_000, 1_000]);
        Frame {
            steps: Steps { start, end: start + (count - 1) * step_ms, step_ms },
            lookback_ms,
            delayed_name_removal: choices.one_in(2),
            use_start_timestamps: choices.one_in(2),
        }
    }
}

/// The query, and the series that it may select.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {:?}", self.text, self.frame)?;
        let selects = |labels: &LabelMap| {
            self.text.contains(metric(labels))
                || self.text.contains('{')
                || (self.text.contains("info(") && metric(labels).ends_with("_info"))
        };
        for (labels, points) in self.data.iter().filter(|(labels, _)| selects(labels)) {
            write!(f, "\n    {}", in_braces(labels))?;
            points.iter().try_for_each(|point| write_point(f, point))?;
        }
        Ok(())
    }
}

fn write_point(f: &mut fmt::Formatter<'_>, point: &Point) -> fmt::Result {
    match &point.value {
        value if value.is_stale() => write!(f, " stale")?,
        Value::Float(value) => write!(f, " {value}")?,
        Value::Histogram(one) => write!(f, " {one}/{}/{:?}", one.schema, one.hint)?,
    }
    write!(f, "@{}", point.time)?;
    if point.start != 0 { write!(f, "({})", point.start) } else { Ok(()) }
}

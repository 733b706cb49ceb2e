//! The queries, by topic: every function, aggregation, operator and modifier that Prometheus 2.42 has, over all kinds of series.

mod aggregations;
mod differences;
mod errors;
mod functions;
mod histograms;
mod operators;
mod ranges;
mod recorded;
mod selectors;

use super::rules::{DOT_ALL, LOOKBACK, NEW_WORDS};
use super::samples::{ON_SAMPLES, WITHIN_RECORDING};
use super::template::Family;

pub const FAMILIES: &[Family] = &[
    Family::new("generated: selectors", selectors::SELECTORS),
    Family::instant("generated: raw samples", selectors::RAW),
    Family::new("generated: subqueries", selectors::SUBQUERIES),
    Family::new("generated: counters over time", ranges::COUNTERS),
    Family::new("generated: gauges over time", ranges::GAUGES),
    Family::new("generated: functions of each value", functions::MATH),
    Family::new("generated: dates and times", functions::TIMES),
    Family::new("generated: labels", functions::LABELS),
    Family::instant("generated: sorting", functions::SORTING),
    Family::new("generated: absence", functions::ABSENCE),
    Family::new("generated: classic histograms", histograms::HISTOGRAMS),
    Family::new("generated: aggregations", aggregations::AGGREGATIONS),
    Family::new("generated: arithmetic", operators::ARITHMETIC),
    Family::new("generated: comparisons", operators::COMPARISONS),
    Family::new("generated: matching", operators::MATCHING),
    Family::new("generated: sets", operators::SETS),
    Family::new("generated: errors", errors::ERRORS),
    Family {
        questions: WITHIN_RECORDING,
        ..Family::new("generated: the recording", recorded::QUERIES)
    },
    Family {
        listed: &[DOT_ALL, NEW_WORDS],
        ..Family::new("generated: words of 3.x", differences::NAMES)
    },
    Family {
        listed: &[LOOKBACK],
        questions: ON_SAMPLES,
        ..Family::new("generated: edges", differences::EDGES)
    },
];

/// Does the language say in which order the elements of an answer come?
pub fn is_ordered(query: &str) -> bool {
    ["sort(", "sort_desc(", "topk(", "bottomk("].iter().any(|begin| query.starts_with(begin))
}

//! The functions of PromQL: their signatures here, their arithmetic in the files beside.

pub mod accumulate;
mod combine;
pub mod date;
pub mod extended;
mod extended_histograms;
mod extrapolation;
pub mod histogram;
mod histogram_rate;
pub mod kahan;
pub mod labels;
mod lookup;
pub mod math;
mod mixed;
mod over_time;
pub mod quantile;
mod rate;
mod regression;
mod remarks;
mod sliding;
mod started;
mod table;
#[cfg(test)]
mod testing;
mod transitions;
pub mod whole;

pub use date::date_function;
pub use lookup::range_function;
pub use math::math_function;
pub use mixed::{MixedFunction, mixed_function, uses_start_times};
pub use over_time::factor_problem;
pub use sliding::{Sliding, SlidingFunction, sliding_function};
pub use table::{signature, signatures};

pub use remarks::{Remark, Remarks};

use super::ast::ValueType;
use crate::read::HistogramSample;

/// What the checker knows of a function.
#[derive(Debug, PartialEq)]
pub struct Signature {
    pub name: &'static str,
    /// Types of the arguments, optional and repeated ones included once.
    pub args: &'static [ValueType],
    pub variadic: Variadic,
    pub returns: ValueType,
    /// Behind the feature flag `promql-experimental-functions`.
    pub experimental: bool,
    pub context: Context,
}

/// What the answer of a function depends on besides its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    Nothing,
    /// Where the query starts and ends, and how it steps.
    Query,
    /// The time of the step.
    Step,
}

/// How many arguments beyond the fixed ones a call may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variadic {
    /// Exactly `args.len()`.
    No,
    /// The last `n` of `args` may be left out.
    Optional(usize),
    /// The last of `args` may be left out or repeated, up to the given number of arguments in all.
    Repeated { max: Option<usize> },
}

/// One evaluation of a range function: the samples of one series in the left-open window
/// `(range_start, range_end]`, stale markers already removed.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a> {
    pub timestamps: &'a [i64],
    pub values: &'a [f64],
    /// Of each float sample the time its counter counts from, 0 if not known; or empty.
    pub starts: &'a [i64],
    pub histograms: &'a [HistogramSample],
    /// The excluded left edge, ms; `range_end` minus the range.
    pub range_start: i64,
    /// The included right edge, ms: evaluation time with `@` and `offset` applied.
    pub range_end: i64,
    /// The time of the step, ms, before `@` and `offset`.
    pub eval_time: i64,
}

/// A function of a window without histograms and the values of its scalar arguments, in the order of the call without the
/// matrix. `None`: no result at this step.
pub type RangeFunction = fn(&Window<'_>, &[f64]) -> Option<f64>;

/// A function of each value on its own and the values of its scalar arguments.
pub type MathFunction = fn(f64, &[f64]) -> f64;

fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}

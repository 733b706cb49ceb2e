//! Time in a query: the steps it is evaluated at, and how `@`, `offset` and durations computed from the query's own
//! step and range move a selector away from them. Arithmetic only.

use super::ast::{At, DurationExpr, DurationOp, TimeModifiers};
use super::value::QueryError;
use crate::model::Timestamp;

/// Evenly spaced points in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeline {
    pub start: Timestamp,
    /// At least 1, even with one step.
    pub step_ms: i64,
    pub count: usize,
}

impl Timeline {
    /// `start`, `start + step_ms`, ... up to `end`.
    pub fn new(start: Timestamp, end: Timestamp, step_ms: i64) -> Timeline {
        let count = if end < start { 0 } else { end.abs_diff(start) / step_ms.max(1) as u64 + 1 };
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        Timeline { start, step_ms: step_ms.max(1), count }
    }

    pub fn at(time: Timestamp) -> Timeline {
        Timeline { start: time, step_ms: 1, count: 1 }
    }

    pub fn time(&self, step: usize) -> Timestamp {
        self.start.saturating_add((step as i64).saturating_mul(self.step_ms))
    }

    /// The last step, or the start of a timeline without steps.
    pub fn end(&self) -> Timestamp {
        self.time(self.count.saturating_sub(1))
    }

    /// The multiples of `step_ms` in the left-open range.
    pub fn aligned(after: Timestamp, end: Timestamp, step_ms: i64) -> Timeline {
        let start = after.div_euclid(step_ms).saturating_add(1).saturating_mul(step_ms);
        Timeline::new(start, end, step_ms)
    }
}

/// The query as a whole: what `start()`, `end()`, `step()` and `range()` mean in it. An instant query has
/// no step and no range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    pub start: Timestamp,
    pub end: Timestamp,
    /// 0 in an instant query.
    pub step_ms: i64,
}

/// Where a selector looks, relative to the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeShift {
    pub at: Option<Timestamp>,
    pub offset_ms: i64,
}

impl TimeShift {
    pub const NONE: TimeShift = TimeShift { at: None, offset_ms: 0 };

    /// This shift of a subquery and then that of a selector within it.
    pub fn then(self, inner: TimeShift) -> TimeShift {
        match inner.at {
            Some(_) => inner,
            None => {
                let offset_ms = self.offset_ms.saturating_add(inner.offset_ms);
                TimeShift { at: self.at, offset_ms }
            }
        }
    }

    /// The time a selector looks at when the step is at `time`.
    pub fn apply(&self, time: Timestamp) -> Timestamp {
        self.at.unwrap_or(time).saturating_sub(self.offset_ms)
    }
}

impl Frame {
    pub fn shift(&self, modifiers: &TimeModifiers) -> Result<TimeShift, QueryError> {
        let at = modifiers.at.map(|at| match at {
            At::Timestamp(timestamp) => timestamp,
            At::Start => self.start,
            At::End => self.end,
        });
        let offset_ms = match &modifiers.offset {
            Some(offset) => self.duration_ms(offset)?,
            None => 0,
        };
        Ok(TimeShift { at, offset_ms })
    }

    /// The range of a range vector or the step of a subquery: positive.
    pub fn positive_duration_ms(&self, expr: &DurationExpr) -> Result<i64, QueryError> {
        match self.duration_ms(expr)? {
            ms if ms > 0 => Ok(ms),
            _ => Err(QueryError::Execution("duration must be greater than 0".to_string())),
        }
    }

    /// Milliseconds, truncated.
    pub fn duration_ms(&self, expr: &DurationExpr) -> Result<i64, QueryError> {
        let seconds = self.duration_s(expr)?;
        if !seconds.is_finite() {
            let message = "duration expression result is NaN or infinite";
            return Err(QueryError::Execution(message.to_string()));
        }
        // Prometheus keeps durations as nanoseconds in 64 bits.
        if (seconds * 1e9).abs() >= i64::MAX as f64 {
            let message = "duration expression result is out of range";
            return Err(QueryError::Execution(message.to_string()));
        }
        // Rounded to nanoseconds first: 0.3 s times 1000 is a little less than 300.
        Ok((seconds * 1e9).round() as i64 / 1_000_000)
    }

    fn duration_s(&self, expr: &DurationExpr) -> Result<f64, QueryError> {
        Ok(match expr {
            DurationExpr::Literal(literal) => literal.value,
            DurationExpr::Step => self.step_ms as f64 / 1e3,
            DurationExpr::Range => (self.end - self.start) as f64 / 1e3,
            DurationExpr::Negate(inner) => -self.duration_s(inner)?,
            DurationExpr::Plus(inner) | DurationExpr::Paren(inner) => self.duration_s(inner)?,
            DurationExpr::MinOf(a, b) => self.duration_s(a)?.min(self.duration_s(b)?),
            DurationExpr::MaxOf(a, b) => self.duration_s(a)?.max(self.duration_s(b)?),
            DurationExpr::Binary { op, lhs, rhs } => {
                compute(*op, self.duration_s(lhs)?, self.duration_s(rhs)?)?
            }
        })
    }
}

fn compute(op: DurationOp, lhs: f64, rhs: f64) -> Result<f64, QueryError> {
    Ok(match op {
        DurationOp::Add => lhs + rhs,
        DurationOp::Sub => lhs - rhs,
        DurationOp::Mul => lhs * rhs,
        DurationOp::Div if rhs == 0.0 => {
            return Err(QueryError::Execution("division by zero".to_string()));
        }
        DurationOp::Mod if rhs == 0.0 => {
            return Err(QueryError::Execution("modulo by zero".to_string()));
        }
        DurationOp::Div => lhs / rhs,
        DurationOp::Mod => lhs % rhs,
        DurationOp::Pow => lhs.powf(rhs),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligned_steps_are_absolute_multiples_in_a_left_open_range() {
        assert_eq!(Timeline::aligned(0, 30, 10), Timeline { start: 10, step_ms: 10, count: 3 });
        assert_eq!(Timeline::aligned(-25, 5, 10), Timeline { start: -20, step_ms: 10, count: 3 });
        assert_eq!(Timeline::aligned(1, 9, 10).count, 0);
    }

    #[test]
    fn a_range_query_includes_its_end_only_if_a_step_meets_it() {
        assert_eq!(Timeline::new(0, 30, 10).count, 4);
        assert_eq!(Timeline::new(0, 29, 10).count, 3);
        assert_eq!(Timeline::new(5, 5, 10).end(), 5);
    }
}

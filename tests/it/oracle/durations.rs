//! Durations and shifts in time: `[5m]`, `offset`, `@`.

use silverback::promql::ast::{
    At, DurationExpr, DurationOp, Expr, ExprKind, Selector, TimeModifiers,
};

use super::eval::Oracle;
use super::tree::children;
use super::value::Result;

impl Oracle<'_> {
    /// What is wrong with a duration is wrong also where nothing is evaluated.
    pub fn check_durations(&self, expr: &Expr) -> Result<()> {
        match &expr.kind {
            ExprKind::Matrix(matrix) => drop(self.positive_ms(&matrix.range)?),
            ExprKind::Subquery(subquery) => {
                self.positive_ms(&subquery.range)?;
                subquery.step.as_ref().map_or(Ok(1), |step| self.positive_ms(step))?;
            }
            _ => {}
        }
        children(expr).into_iter().try_for_each(|child| self.check_durations(child))
    }

    pub fn shifted(&self, modifiers: &TimeModifiers, time: i64) -> Result<i64> {
        let base = match modifiers.at {
            None => time,
            Some(At::Timestamp(at)) => at,
            Some(At::Start) => self.start,
            Some(At::End) => self.end,
        };
        let offset = modifiers.offset.as_ref().map_or(Ok(0), |offset| self.duration_ms(offset))?;
        Ok(base - offset)
    }

    /// The time at which the first selector of an expression looks at samples.
    pub fn time_of_first_selector(&self, expr: &Expr, time: i64) -> Result<i64> {
        Ok(self.first_selector(expr, time)?.unwrap_or(time))
    }

    pub fn has_selector(&self, expr: &Expr) -> bool {
        matches!(self.first_selector(expr, self.start), Ok(Some(_)))
    }

    fn first_selector(&self, expr: &Expr, time: i64) -> Result<Option<i64>> {
        let of = |selector: &Selector| self.shifted(&selector.time, time).map(Some);
        match &expr.kind {
            ExprKind::Selector(selector) => of(selector),
            ExprKind::Matrix(matrix) => of(&matrix.selector),
            ExprKind::Subquery(subquery) => {
                self.first_selector(&subquery.expr, self.shifted(&subquery.time, time)?)
            }
            ExprKind::Unary(unary) => self.first_selector(&unary.expr, time),
            ExprKind::Paren(inner) => self.first_selector(inner, time),
            ExprKind::Call(call) => self.first_of(&call.args.iter().collect::<Vec<_>>(), time),
            ExprKind::Aggregate(aggregate) => {
                let all: Vec<&Expr> =
                    [&aggregate.expr].into_iter().chain(&aggregate.param).collect();
                self.first_of(&all, time)
            }
            ExprKind::Binary(binary) => self.first_of(&[&binary.lhs, &binary.rhs], time),
            _ => Ok(None),
        }
    }

    fn first_of(&self, exprs: &[&Expr], time: i64) -> Result<Option<i64>> {
        for expr in exprs {
            if let Some(found) = self.first_selector(expr, time)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    pub fn positive_ms(&self, duration: &DurationExpr) -> Result<i64> {
        match self.duration_ms(duration)? {
            ms if ms > 0 => Ok(ms),
            _ => self.fail("duration must be greater than 0"),
        }
    }

    fn duration_ms(&self, duration: &DurationExpr) -> Result<i64> {
        let seconds = self.seconds(duration)?;
        if !seconds.is_finite() {
            return self.fail("duration is NaN or infinite");
        }
        // Whole milliseconds, but for what rounding took.
        Ok((seconds * 1e3 + 1e-6 * seconds.signum()).trunc() as i64)
    }

    fn seconds(&self, duration: &DurationExpr) -> Result<f64> {
        Ok(match duration {
            DurationExpr::Literal(number) => number.value,
            DurationExpr::Step => self.step_ms as f64 / 1e3,
            DurationExpr::Range => (self.end - self.start) as f64 / 1e3,
            DurationExpr::Negate(inner) => -self.seconds(inner)?,
            DurationExpr::Plus(inner) | DurationExpr::Paren(inner) => self.seconds(inner)?,
            DurationExpr::MinOf(a, b) => self.seconds(a)?.min(self.seconds(b)?),
            DurationExpr::MaxOf(a, b) => self.seconds(a)?.max(self.seconds(b)?),
            DurationExpr::Binary { op, lhs, rhs } => {
                let (lhs, rhs) = (self.seconds(lhs)?, self.seconds(rhs)?);
                match op {
                    DurationOp::Add => lhs + rhs,
                    DurationOp::Sub => lhs - rhs,
                    DurationOp::Mul => lhs * rhs,
                    DurationOp::Div if rhs == 0.0 => return self.fail("division by zero"),
                    DurationOp::Mod if rhs == 0.0 => return self.fail("modulo by zero"),
                    DurationOp::Div => lhs / rhs,
                    DurationOp::Mod => lhs % rhs,
                    DurationOp::Pow => lhs.powf(rhs),
                }
            }
        })
    }
}

//! The walk over the tree, for one point in time. Selectors look at every sample there is, subqueries evaluate their
//! expression anew at each of their times.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use silverback::model::Matcher;
use silverback::model::histogram::ResetHint;
use silverback::promql::ast::{
    At, Call, DurationExpr, DurationOp, Expr, ExprKind, Selector, Subquery, TimeModifiers,
    ValueType,
};

use super::value::{Answer, Element, Failure, LabelMap, NAME, Result, Track, Value};
use super::{calls, range};

/// All samples of all series.
pub type Data = BTreeMap<LabelMap, BTreeMap<i64, Value>>;

pub struct Oracle<'d> {
    pub data: &'d Data,
    pub lookback_ms: i64,
    pub default_step_ms: i64,
    /// Of the query.
    pub start: i64,
    pub end: i64,
    pub step_ms: i64,
    pub delayed_name_removal: bool,
    /// A tiny difference in rounding would have made another answer somewhere.
    pub doubtful: Cell<bool>,
}

/// A range vector at one time, and its edges; the left one is excluded.
pub struct Windows {
    pub tracks: Vec<Track>,
    pub start: i64,
    pub end: i64,
}

impl Oracle<'_> {
    /// The answer as the user sees it.
    pub fn answer(&self, expr: &Expr, time: i64) -> Result<Answer> {
        self.check_durations(expr)?;
        Ok(match self.eval(expr, time)? {
            Answer::Vector(mut vector) => {
                for element in vector.iter_mut().filter(|element| element.drops_name) {
                    element.labels.remove(NAME);
                }
                Answer::Vector(unique(vector)?)
            }
            other => other,
        })
    }

    /// What is wrong with a duration is wrong also where nothing is evaluated.
    fn check_durations(&self, expr: &Expr) -> Result<()> {
        match &expr.kind {
            ExprKind::Matrix(matrix) => self.positive_ms(&matrix.range).map(drop),
            ExprKind::Subquery(subquery) => {
                self.positive_ms(&subquery.range)?;
                subquery.step.as_ref().map_or(Ok(1), |step| self.positive_ms(step))?;
                self.check_durations(&subquery.expr)
            }
            ExprKind::Call(call) => call.args.iter().try_for_each(|arg| self.check_durations(arg)),
            ExprKind::Aggregate(aggregate) => {
                let param = aggregate.param.iter();
                param.chain([&aggregate.expr]).try_for_each(|expr| self.check_durations(expr))
            }
            ExprKind::Binary(binary) => {
                self.check_durations(&binary.lhs)?;
                self.check_durations(&binary.rhs)
            }
            ExprKind::Unary(unary) => self.check_durations(&unary.expr),
            ExprKind::Paren(inner) => self.check_durations(inner),
            _ => Ok(()),
        }
    }

    pub fn eval(&self, expr: &Expr, time: i64) -> Result<Answer> {
        match &expr.kind {
            ExprKind::Number(number) => Ok(Answer::Scalar(number.value)),
            ExprKind::String(text) => Ok(Answer::Text(text.clone())),
            ExprKind::Paren(inner) => self.eval(inner, time),
            ExprKind::Selector(selector) => {
                let newest = self.newest(selector, time)?;
                Ok(Answer::Vector(newest.into_iter().map(|(_, element)| element).collect()))
            }
            ExprKind::Unary(unary) => match (self.eval(&unary.expr, time)?, unary.negative) {
                (answer, false) => Ok(answer),
                (Answer::Scalar(value), true) => Ok(Answer::Scalar(-value)),
                (Answer::Vector(vector), true) => self.map(vector, negated),
                (Answer::Text(_), true) => Err(Failure("a sign before a string")),
            },
            ExprKind::Call(call) => self.call(call, time),
            ExprKind::Aggregate(aggregate) => self.aggregate(aggregate, time),
            ExprKind::Binary(binary) => self.binary(binary, time),
            ExprKind::Matrix(_) | ExprKind::Subquery(_) | ExprKind::NotUtf8(_) => {
                Err(Failure("not an instant vector, scalar or string"))
            }
        }
    }

    pub fn vector(&self, expr: &Expr, time: i64) -> Result<Vec<Element>> {
        match self.eval(expr, time)? {
            Answer::Vector(vector) => Ok(vector),
            _ => Err(Failure("not an instant vector")),
        }
    }

    pub fn scalar(&self, expr: &Expr, time: i64) -> Result<f64> {
        match self.eval(expr, time)? {
            Answer::Scalar(value) => Ok(value),
            _ => Err(Failure("not a scalar")),
        }
    }

    pub fn text(&self, expr: &Expr, time: i64) -> Result<String> {
        match self.eval(expr, time)? {
            Answer::Text(text) => Ok(text),
            _ => Err(Failure("not a string")),
        }
    }

    /// The newest sample of every selected series within the lookback, with its time.
    pub fn newest(&self, selector: &Selector, time: i64) -> Result<Vec<(i64, Element)>> {
        let time = self.shifted(&selector.time, time)?;
        let newest = self.selected(&selector.matchers).filter_map(|(labels, samples)| {
            let within =
                samples.iter().filter(|(at, _)| **at > time - self.lookback_ms && **at <= time);
            let (at, value) = within.last()?;
            let element =
                Element { labels: labels.clone(), drops_name: false, value: value.clone() };
            (!value.is_stale()).then_some((*at, element))
        });
        Ok(newest.collect())
    }

    fn selected(
        &self,
        matchers: &[Matcher],
    ) -> impl Iterator<Item = (&LabelMap, &BTreeMap<i64, Value>)> {
        self.data.iter().filter(move |(labels, _)| {
            matchers.iter().all(|m| m.matches(labels.get(&m.name).map_or("", String::as_str)))
        })
    }

    /// The points of a range selector or subquery.
    pub fn windows(&self, expr: &Expr, time: i64) -> Result<Windows> {
        match &expr.kind {
            ExprKind::Paren(inner) => self.windows(inner, time),
            ExprKind::Matrix(matrix) => {
                let end = self.shifted(&matrix.selector.time, time)?;
                let start = end - self.positive_ms(&matrix.range)?;
                let tracks = self.selected(&matrix.selector.matchers).map(|(labels, samples)| {
                    let within = samples.iter().filter(|(at, _)| **at > start && **at <= end);
                    let points = within.filter(|(_, value)| !value.is_stale());
                    let points = points.map(|(at, value)| (*at, value.clone())).collect();
                    Track { labels: labels.clone(), drops_name: false, points }
                });
                Ok(Windows {
                    tracks: tracks.filter(|t| !t.points.is_empty()).collect(),
                    start,
                    end,
                })
            }
            ExprKind::Subquery(subquery) => self.subquery(subquery, time),
            _ => Err(Failure("not a range vector")),
        }
    }

    fn subquery(&self, subquery: &Subquery, time: i64) -> Result<Windows> {
        let end = self.shifted(&subquery.time, time)?;
        let start = end - self.positive_ms(&subquery.range)?;
        let step_ms = match &subquery.step {
            Some(step) => self.positive_ms(step)?,
            None => self.default_step_ms,
        };
        let mut tracks: BTreeMap<LabelMap, Track> = BTreeMap::new();
        let mut at = (start.div_euclid(step_ms) + 1) * step_ms;
        while at <= end {
            for element in self.vector(&subquery.expr, at)? {
                let Element { labels, drops_name, value } = element;
                let empty = || Track { labels: labels.clone(), drops_name, points: Vec::new() };
                let track = tracks.entry(labels.clone()).or_insert_with(empty);
                track.points.push((at, without_reset_hint(value)));
            }
            at += step_ms;
        }
        Ok(Windows { tracks: tracks.into_values().collect(), start, end })
    }

    fn shifted(&self, modifiers: &TimeModifiers, time: i64) -> Result<i64> {
        let base = match modifiers.at {
            None => time,
            Some(At::Timestamp(at)) => at,
            Some(At::Start) => self.start,
            Some(At::End) => self.end,
        };
        let offset = modifiers.offset.as_ref().map_or(Ok(0), |offset| self.duration_ms(offset))?;
        Ok(base - offset)
    }

    fn positive_ms(&self, duration: &DurationExpr) -> Result<i64> {
        let ms = self.duration_ms(duration)?;
        if ms > 0 { Ok(ms) } else { Err(Failure("duration must be greater than 0")) }
    }

    fn duration_ms(&self, duration: &DurationExpr) -> Result<i64> {
        let seconds = self.seconds(duration)?;
        if !seconds.is_finite() {
            return Err(Failure("duration is not finite"));
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
                    DurationOp::Div | DurationOp::Mod if rhs == 0.0 => {
                        return Err(Failure("division by zero"));
                    }
                    DurationOp::Div => lhs / rhs,
                    DurationOp::Mod => lhs % rhs,
                    DurationOp::Pow => lhs.powf(rhs),
                }
            }
        })
    }

    fn call(&self, call: &Call, time: i64) -> Result<Answer> {
        let name = call.function.name;
        match call.function.args.iter().position(|arg| *arg == ValueType::Matrix) {
            Some(index) => {
                let windows = self.windows(&call.args[index], time)?;
                let others = call.args.iter().enumerate().filter(|(other, _)| *other != index);
                let args = others.map(|(_, arg)| self.scalar(arg, time));
                let args = args.collect::<Result<Vec<f64>>>()?;
                if name == "absent_over_time" {
                    let empty = windows.tracks.is_empty();
                    return Ok(Answer::Vector(calls::absent(empty, &call.args[index])));
                }
                self.over_windows(name, &windows, &args, time)
            }
            None => self.call_of_values(call, time),
        }
    }

    fn over_windows(
        &self,
        name: &str,
        windows: &Windows,
        args: &[f64],
        time: i64,
    ) -> Result<Answer> {
        let mut vector = Vec::new();
        for track in &windows.tracks {
            let window = range::Window {
                points: &track.points,
                start: windows.start,
                end: windows.end,
                time,
            };
            let Some(value) = range::apply(self, name, &window, args)? else { continue };
            let Track { labels, drops_name, .. } = track.clone();
            let element = Element { labels, drops_name, value };
            let keeps_name = matches!(name, "first_over_time" | "last_over_time");
            vector.push(if keeps_name { element } else { self.without_name(element) });
        }
        self.checked(vector)
    }

    /// Each value replaced or removed; without names.
    pub fn map(
        &self,
        vector: Vec<Element>,
        change: impl Fn(Value) -> Option<Value>,
    ) -> Result<Answer> {
        let changed = vector.into_iter().filter_map(|element| {
            let value = change(element.value.clone())?;
            Some(self.without_name(Element { value, ..element }))
        });
        self.checked(changed.collect())
    }

    pub fn without_name(&self, mut element: Element) -> Element {
        match self.delayed_name_removal {
            true => element.drops_name = true,
            false => drop(element.labels.remove(NAME)),
        }
        element
    }

    /// While names stay until the end, so may equal label sets.
    pub fn checked(&self, vector: Vec<Element>) -> Result<Answer> {
        Ok(Answer::Vector(if self.delayed_name_removal { vector } else { unique(vector)? }))
    }

    /// A decision hangs on these two: does it hang on the last bits of one?
    pub fn compared(&self, a: f64, b: f64) {
        let is_round = |value: f64| (value * 1024.0).fract() == 0.0 && value.abs() < 1e9;
        let near = (a - b).abs() <= 1e-9 * (a.abs() + b.abs()) + 1e-12;
        if near && !(is_round(a) && is_round(b)) {
            self.doubtful.set(true);
        }
    }
}

pub fn unique(vector: Vec<Element>) -> Result<Vec<Element>> {
    let labels: BTreeSet<&LabelMap> = vector.iter().map(|element| &element.labels).collect();
    if labels.len() < vector.len() {
        return Err(Failure("vector cannot contain metrics with the same labelset"));
    }
    Ok(vector)
}

fn negated(value: Value) -> Option<Value> {
    Some(match value {
        Value::Float(value) => Value::Float(-value),
        Value::Histogram(mut histogram) => {
            histogram.scale(-1.0);
            Value::Histogram(histogram)
        }
    })
}

/// What a histogram is known to follow is not what stands before it in a subquery.
fn without_reset_hint(value: Value) -> Value {
    match value {
        Value::Histogram(mut histogram) if histogram.hint != ResetHint::Gauge => {
            histogram.hint = ResetHint::Unknown;
            Value::Histogram(histogram)
        }
        other => other,
    }
}

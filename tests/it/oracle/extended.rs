//! `anchored` and `smoothed`: values at the edges of a window that come from samples beside it, and nothing extrapolated.

use silverback::model::Histogram;
use silverback::model::histogram::ResetHint;
use silverback::promql::ast::{Call, Expr, ExprKind};

use super::eval::Oracle;
use super::range::{self, Window};
use super::rates::lost;
use super::tree::{children, unwrapped};
use super::value::{Point, Result, Value};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edges {
    Anchored,
    Smoothed,
}

/// The functions of windows with such edges.
pub const ANCHORED: &[&str] = &["changes", "delta", "increase", "rate", "resets"];
pub const SMOOTHED: &[&str] = &["delta", "increase", "rate"];

/// The samples between two edges: the first lies at the left one or before, if there is one, the last at the right one or,
/// smoothed, after it.
struct Between<'p> {
    points: &'p [Point],
    start: i64,
    end: i64,
    edges: Edges,
}

impl Between<'_> {
    fn cuts_left(&self) -> bool {
        self.edges == Edges::Smoothed && self.points[0].time < self.start
    }

    fn cuts_right(&self) -> bool {
        self.edges == Edges::Smoothed && self.points[self.points.len() - 1].time > self.end
    }
}

fn between<'p>(window: &Window<'p>, edges: Edges) -> Option<Between<'p>> {
    let (points, start, end) = (window.points, window.start, window.end);
    let first = points.iter().rposition(|point| point.time <= start).unwrap_or(0);
    let newest = points.len() - 1;
    let last = match edges {
        Edges::Anchored => newest,
        Edges::Smoothed => points.iter().position(|point| point.time >= end).unwrap_or(newest),
    };
    let is_outside = points[last].time <= start || points[first].time > end;
    (!is_outside).then(|| Between { points: &points[first..=last], start, end, edges })
}

impl Oracle<'_> {
    /// All that is wrong with where the modifiers stand, and with functions that are not enabled: whether there is a step or not.
    pub fn check_modifiers(&self, expr: &Expr) -> Result<()> {
        let mut checked = Ok(());
        if let ExprKind::Selector(selector) = &expr.kind
            && selector.anchored
        {
            checked = self.fail("anchored modifier can only be used with range selectors");
        }
        if let ExprKind::Call(call) = &expr.kind {
            checked = call.args.iter().try_for_each(|arg| self.check_window(call, arg));
            if call.function.name == "start_timestamp" && !self.use_start_timestamps {
                let message =
                    "start_timestamp is not enabled: add --enable-feature=use-start-timestamps";
                checked = checked.and(self.fail(message));
            }
        }
        // All of it, since it is not said which is found first.
        children(expr)
            .into_iter()
            .map(|child| self.check_modifiers(child))
            .fold(checked, Result::and)
    }

    fn check_window(&self, call: &Call, arg: &Expr) -> Result<()> {
        let ExprKind::Matrix(matrix) = &unwrapped(arg).kind else { return Ok(()) };
        let selector = &matrix.selector;
        let (modifier, allowed) = match (selector.anchored, selector.smoothed) {
            (true, _) => ("anchored", ANCHORED),
            (_, true) => ("smoothed", SMOOTHED),
            _ => return Ok(()),
        };
        let (name, list) = (call.function.name, allowed.join(", "));
        match allowed.contains(&name) {
            true => Ok(()),
            false => self.fail(format!(
                "{modifier} modifier can only be used with: {list} - not with {name}"
            )),
        }
    }

    /// A function of a window with such edges.
    pub fn between_edges(&self, name: &str, window: &Window<'_>, edges: Edges) -> Option<Value> {
        if matches!(name, "changes" | "resets") {
            let points = between(window, edges)?.points;
            return Some(Value::Float(range::count(self, name, points, false)));
        }
        if window.is_mixed() {
            self.note_mixed_kinds(window.metric, window.place);
            return None;
        }
        let found = between(window, edges)?;
        let is_counter = name != "delta";
        let seconds = if name == "rate" { (window.end - window.start) as f64 / 1e3 } else { 1.0 };
        match found.points[0].value {
            Value::Float(_) => Some(Value::Float(float_difference(&found, is_counter)? / seconds)),
            Value::Histogram(_) => {
                let mut difference = self.histogram_difference(&found, is_counter, window)?;
                if name == "rate" {
                    difference.divide(seconds);
                }
                Some(Value::Histogram(difference))
            }
        }
    }

    fn histogram_difference(
        &self,
        found: &Between<'_>,
        is_counter: bool,
        window: &Window<'_>,
    ) -> Option<Histogram> {
        let points: Vec<(i64, &Histogram)> =
            found.points.iter().filter_map(|p| Some((p.time, p.value.histogram()?))).collect();
        let newest = points.len() - 1;
        let ends = [points[0].1, points[newest].1];
        match is_counter {
            true => self.note_gauges(points.iter().map(|(_, one)| *one), window),
            false => self.note_counters(ends, window),
        }
        self.one_schema(points.iter().map(|(_, one)| *one), window)?;
        let left = match found.cuts_left() {
            true => self.line(points[0], points[1], found.start, is_counter, window)?,
            false => points[0].1.clone(),
        };
        let mut difference = match found.cuts_right() {
            true => self.line(points[newest - 1], points[newest], found.end, is_counter, window)?,
            false => points[newest].1.clone(),
        };
        self.subtract(&mut difference, &left, window)?;
        // Before a reset along the line from the left edge the counter is zero there already.
        for pair in points[usize::from(found.cuts_left())..].windows(2) {
            if is_counter && pair[1].1.is_reset_after(pair[0].1) {
                self.add(&mut difference, pair[0].1, window)?;
            }
        }
        let lowest = points.iter().map(|(_, one)| one.schema).min()?;
        let _ = difference.reduce_schema(lowest);
        difference.hint = ResetHint::Gauge;
        difference.compact();
        Some(difference)
    }

    /// The histogram at `time` on the line between two.
    fn line(
        &self,
        (from, before): (i64, &Histogram),
        (to, after): (i64, &Histogram),
        time: i64,
        is_counter: bool,
        window: &Window<'_>,
    ) -> Option<Histogram> {
        let share = (time - from) as f64 / (to - from) as f64;
        self.one_schema([before, after].into_iter(), window)?;
        let mut result = after.clone();
        if is_counter && after.is_reset_after(before) {
            result.scale(share);
            return Some(result);
        }
        self.subtract(&mut result, before, window)?;
        result.scale(share);
        result.hint = before.hint;
        self.add(&mut result, before, window)?;
        Some(result)
    }

    /// The value of a smoothed instant selector; `around`: a lookback to either side.
    pub fn smoothed(&self, around: &[Point], time: i64, metric: &str, place: u32) -> Option<Value> {
        let window = Window { points: around, start: time, end: time, time, metric, place };
        if window.is_mixed() {
            self.note_mixed_kinds(metric, place);
            return None;
        }
        let before = around.iter().rfind(|point| point.time <= time)?;
        let after = around.iter().find(|point| point.time > time);
        let Some(after) = after.filter(|_| before.time < time) else {
            return Some(before.value.clone());
        };
        match (&before.value, &after.value) {
            (Value::Float(a), Value::Float(b)) => {
                Some(Value::Float(on_line((before.time, *a), (after.time, *b), time)))
            }
            (Value::Histogram(a), Value::Histogram(b)) => {
                let is_gauge = a.hint == ResetHint::Gauge || b.hint == ResetHint::Gauge;
                let (a, b) = ((before.time, a), (after.time, b));
                let mut result = self.line(a, b, time, !is_gauge, &window)?;
                result.hint = if is_gauge { ResetHint::Gauge } else { ResetHint::Unknown };
                Some(Value::Histogram(result))
            }
            _ => None,
        }
    }
}

fn on_line(before: (i64, f64), after: (i64, f64), time: i64) -> f64 {
    let share = (time - before.0) as f64 / (after.0 - before.0) as f64;
    before.1 + (after.1 - before.1) * share
}

fn float_difference(found: &Between<'_>, is_counter: bool) -> Option<f64> {
    let points: Vec<(i64, f64)> =
        found.points.iter().filter_map(|p| Some((p.time, p.value.float()?))).collect();
    let newest = points.len() - 1;
    // A counter that is reset on the way has been zero at the beginning of the line.
    let cut = |before: (i64, f64), after: (i64, f64), time| match is_counter && after.1 < before.1 {
        true => on_line((before.0, 0.0), after, time),
        false => on_line(before, after, time),
    };
    let left = match found.cuts_left() {
        true => cut(points[0], points[1], found.start),
        false => points[0].1,
    };
    let right = match found.cuts_right() && newest > 0 {
        true => cut(points[newest - 1], points[newest], found.end),
        false => points[newest].1,
    };
    let inner = points.iter().filter(|(time, _)| *time > found.start && *time < found.end);
    let mut values = vec![left];
    values.extend(inner.map(|(_, value)| *value));
    values.push(right);
    Some(right - left + if is_counter { lost(&values) } else { 0.0 })
}

//! The walk over the tree, for one point in time.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use silverback::promql::ast::{Call, Expr, ExprKind, ValueType};

use super::absent;
use super::notes::{Limited, Notes};
use super::range::{self, Window};
use super::selectors::{Grid, GridKey, Windows};
use super::value::{
    Answer, Data, Element, Failure, LabelMap, Result, Track, Value, metric, without_metadata,
};

pub struct Oracle<'d> {
    pub data: &'d Data,
    pub lookback_ms: i64,
    pub default_step_ms: i64,
    /// Of the query.
    pub start: i64,
    pub end: i64,
    pub step_ms: i64,
    pub is_range_query: bool,
    pub delayed_name_removal: bool,
    pub use_start_timestamps: bool,
    /// The first and the last time at which what is evaluated now is evaluated: those of the query, or of a subquery.
    pub times: Cell<(i64, i64)>,
    /// What subqueries gave so far.
    pub grids: RefCell<BTreeMap<GridKey, Grid>>,
    pub notes: RefCell<Notes>,
    /// Everything that is wrong somewhere: which of it is found first is not said.
    pub failures: RefCell<BTreeSet<String>>,
    /// A tiny difference in rounding would have made another answer somewhere.
    pub doubtful: Cell<bool>,
}

impl Oracle<'_> {
    /// The answer as the user sees it.
    pub fn answer(&self, expr: &Expr, time: i64) -> Result<Answer> {
        let checked = self.check_durations(expr).and(self.check_modifiers(expr));
        let answer = self.eval(expr, time);
        checked?;
        Ok(match answer? {
            Answer::Vector(mut vector) => {
                for element in &mut vector {
                    element.labels = element.final_labels();
                }
                Answer::Vector(self.unique(vector)?)
            }
            other => other,
        })
    }

    pub fn fail<T>(&self, text: impl Into<String>) -> Result<T> {
        let text = text.into();
        self.failures.borrow_mut().insert(text.clone());
        Err(Failure(text))
    }

    pub fn eval(&self, expr: &Expr, time: i64) -> Result<Answer> {
        match &expr.kind {
            ExprKind::Number(number) => Ok(Answer::Scalar(number.value)),
            ExprKind::String(text) => Ok(Answer::Text(text.clone())),
            ExprKind::Paren(inner) => self.eval(inner, time),
            ExprKind::Selector(selector) => Ok(Answer::Vector(self.instant(expr, selector, time)?)),
            ExprKind::Unary(unary) => match (self.eval(&unary.expr, time)?, unary.negative) {
                (answer, false) => Ok(answer),
                (Answer::Scalar(value), true) => Ok(Answer::Scalar(-value)),
                (Answer::Vector(vector), true) => self.map(vector, negated),
                (Answer::Text(_), true) => self.fail("a sign before a string"),
            },
            ExprKind::Call(call) => self.call(expr, call, time),
            ExprKind::Aggregate(aggregate) => self.aggregate(expr, aggregate, time),
            ExprKind::Binary(binary) => self.binary(binary, time),
            ExprKind::Matrix(_) | ExprKind::Subquery(_) | ExprKind::NotUtf8(_) => {
                self.fail("not an instant vector, scalar or string")
            }
        }
    }

    pub fn vector(&self, expr: &Expr, time: i64) -> Result<Vec<Element>> {
        match self.eval(expr, time)? {
            Answer::Vector(vector) => Ok(vector),
            _ => self.fail("not an instant vector"),
        }
    }

    pub fn scalar(&self, expr: &Expr, time: i64) -> Result<f64> {
        match self.eval(expr, time)? {
            Answer::Scalar(value) => Ok(value),
            _ => self.fail("not a scalar"),
        }
    }

    pub fn scalars(&self, exprs: &[Expr], time: i64) -> Result<Vec<f64>> {
        exprs.iter().map(|expr| self.scalar(expr, time)).collect()
    }

    pub fn text(&self, expr: &Expr, time: i64) -> Result<String> {
        match self.eval(expr, time)? {
            Answer::Text(text) => Ok(text),
            _ => self.fail("not a string"),
        }
    }

    fn call(&self, expr: &Expr, call: &Call, time: i64) -> Result<Answer> {
        let name = call.function.name;
        let Some(index) = call.function.args.iter().position(|arg| *arg == ValueType::Matrix)
        else {
            return self.call_of_values(expr, call, time);
        };
        let windows = self.windows(&call.args[index], time);
        let others = call.args.iter().enumerate().filter(|(other, _)| *other != index);
        let args: Result<Vec<f64>> = others.map(|(_, arg)| self.scalar(arg, time)).collect();
        if let (Err(_), Ok(args)) = (&windows, &args) {
            // Either may be found first.
            self.check_factors(name, args)?;
        }
        let (windows, args) = (windows?, args?);
        if name == "absent_over_time" {
            return Ok(Answer::Vector(absent::of(windows.tracks.is_empty(), &call.args[index])));
        }
        if name == "quantile_over_time" {
            let place = call.args[0].span.start;
            self.judged(Limited::Quantile, place, args[0]);
            // Histograms have none.
            if windows
                .tracks
                .iter()
                .flat_map(|track| &track.points)
                .any(|p| !p.value.is_histogram())
            {
                self.notes.borrow_mut().used(place);
            }
        }
        self.over_windows(name, &windows, &args, time)
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
            let window = Window {
                points: &track.points,
                start: windows.start,
                end: windows.end,
                time,
                metric: metric(&track.labels),
                place: windows.place,
            };
            let value = match windows.edges {
                Some(edges) => self.between_edges(name, &window, edges),
                None => range::apply(self, name, &window, args)?,
            };
            let Some(value) = value else { continue };
            if matches!(name, "rate" | "increase") && !value.is_histogram() {
                self.note_counter(&window);
            }
            let Track { labels, drops_name, .. } = track.clone();
            let element = Element { labels, drops_name, value };
            let keeps_name = matches!(name, "first_over_time" | "last_over_time");
            vector.push(if keeps_name { element } else { self.without_name(element) });
        }
        self.checked(vector)
    }

    /// A parameter that is looked at in any case.
    pub fn parameter(&self, limited: Limited, place: u32, value: f64) {
        self.judged(limited, place, value);
        self.notes.borrow_mut().used(place);
    }

    /// A parameter that is shown if it is outside its limits.
    fn judged(&self, limited: Limited, place: u32, value: f64) {
        if !(0.0..=1.0).contains(&value) {
            self.shown(value);
        }
        self.notes.borrow_mut().parameter(limited, place, value);
    }

    fn note_counter(&self, window: &Window<'_>) {
        let name = window.metric;
        let suffixes = ["_total", "_sum", "_count", "_bucket"];
        if !name.is_empty() && !suffixes.iter().any(|suffix| name.ends_with(suffix)) {
            let text =
                "metric might not be a counter, name does not end in _total/_sum/_count/_bucket:";
            self.notes.borrow_mut().info(window.place, format!("{text} {name:?}"));
        }
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
            false => element.labels = without_metadata(element.labels),
        }
        element
    }

    pub fn checked(&self, vector: Vec<Element>) -> Result<Answer> {
        Ok(Answer::Vector(self.unique(vector)?))
    }

    pub fn unique(&self, vector: Vec<Element>) -> Result<Vec<Element>> {
        let labels: BTreeSet<&LabelMap> = vector.iter().map(|element| &element.labels).collect();
        if labels.len() < vector.len() {
            return self.fail("vector cannot contain metrics with the same labelset");
        }
        Ok(vector)
    }

    /// All digits of a number count, as where they become text.
    pub fn shown(&self, value: f64) {
        if value.is_finite() && !is_round(value) {
            self.doubtful.set(true);
        }
    }

    /// A decision hangs on these two: does it hang on the last bits of one?
    pub fn compared(&self, a: f64, b: f64) {
        if is_near(a, b) && !(is_round(a) && is_round(b)) {
            self.doubtful.set(true);
        }
    }

    /// The rest is nothing or nearly the divisor: does it hang on the last bits of the two?
    pub fn divided(&self, lhs: f64, rhs: f64) {
        let quotient = lhs / rhs;
        if is_near(quotient, quotient.round()) && !(is_round(lhs) && is_round(rhs)) {
            self.doubtful.set(true);
        }
    }
}

fn is_near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * (a.abs() + b.abs()) + 1e-12
}

/// Has it so few digits that they do not come from rounding?
fn is_round(value: f64) -> bool {
    (value * 1024.0).fract() == 0.0 && value.abs() < 1e9
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

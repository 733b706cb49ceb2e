//! Selectors and subqueries: every sample there is is looked at, for every time anew.

use std::collections::BTreeMap;
use std::rc::Rc;

use silverback::model::Matcher;
use silverback::model::histogram::ResetHint;
use silverback::promql::ast::{Expr, ExprKind, MatrixSelector, Selector, Span, Subquery};

use super::eval::Oracle;
use super::extended::Edges;
use super::value::{Element, LabelMap, Point, Result, Track, Value, metric};

/// What an expression gives at all times of a subquery: from the first window of all to the last one, also between windows.
/// For what is wrong or has to be told there, it does not matter whether a window holds it.
pub type Grid = Rc<Vec<(i64, Result<Vec<Element>>)>>;

/// A subquery, and where its windows begin and end. Whoever asks again is not told again.
pub type GridKey = (Span, i64, i64);

/// A range vector at one time, and its edges; the left one is excluded.
pub struct Windows {
    pub tracks: Vec<Track>,
    pub start: i64,
    pub end: i64,
    /// Where the values at the edges come from, if not from the samples within.
    pub edges: Option<Edges>,
    /// Where it stands in the query.
    pub place: u32,
}

impl Oracle<'_> {
    /// The newest sample of every selected series within the lookback.
    pub fn newest(&self, selector: &Selector, time: i64) -> Result<Vec<(Point, Element)>> {
        let time = self.shifted(&selector.time, time)?;
        Ok(self.newest_at(&selector.matchers, time))
    }

    pub fn newest_at(&self, matchers: &[Matcher], time: i64) -> Vec<(Point, Element)> {
        let newest = self.selected(matchers).filter_map(|(labels, samples)| {
            let within =
                samples.iter().filter(|p| p.time > time - self.lookback_ms && p.time <= time);
            let point = within.last()?.clone();
            let (labels, value) = (labels.clone(), point.value.clone());
            let is_there = !value.is_stale();
            is_there.then_some((point, Element { labels, drops_name: false, value }))
        });
        newest.collect()
    }

    /// What a selector gives, of whatever kind it is.
    pub fn instant(&self, expr: &Expr, selector: &Selector, time: i64) -> Result<Vec<Element>> {
        if !selector.smoothed {
            return Ok(self
                .newest(selector, time)?
                .into_iter()
                .map(|(_, element)| element)
                .collect());
        }
        let time = self.shifted(&selector.time, time)?;
        let elements = self.selected(&selector.matchers).filter_map(|(labels, samples)| {
            let around = self.around(samples, time, time);
            let value = self.smoothed(&around, time, metric(labels), expr.span.start)?;
            Some(Element { labels: labels.clone(), drops_name: false, value })
        });
        Ok(elements.collect())
    }

    /// The samples from a lookback before `start` to one after `end`.
    fn around(&self, samples: &[Point], start: i64, end: i64) -> Vec<Point> {
        let (first, last) = (start - self.lookback_ms, end + self.lookback_ms);
        let within = samples.iter().filter(|p| p.time > first && p.time <= last);
        within.filter(|point| !point.value.is_stale()).cloned().collect()
    }

    fn selected(&self, matchers: &[Matcher]) -> impl Iterator<Item = (&LabelMap, &Vec<Point>)> {
        self.data.iter().filter(move |(labels, _)| {
            matchers.iter().all(|m| m.matches(labels.get(&m.name).map_or("", String::as_str)))
        })
    }

    /// The points of a range selector or subquery.
    pub fn windows(&self, expr: &Expr, time: i64) -> Result<Windows> {
        let inner = match &expr.kind {
            ExprKind::Paren(inner) => self.windows(inner, time),
            ExprKind::Matrix(matrix) => self.range(matrix, time),
            ExprKind::Subquery(subquery) => self.subquery(expr, subquery, time),
            _ => self.fail("not a range vector"),
        };
        Ok(Windows { place: expr.span.start, ..inner? })
    }

    fn range(&self, matrix: &MatrixSelector, time: i64) -> Result<Windows> {
        let selector = &matrix.selector;
        let end = self.shifted(&selector.time, time)?;
        let start = end - self.positive_ms(&matrix.range)?;
        let edges = match (selector.anchored, selector.smoothed) {
            (true, _) => Some(Edges::Anchored),
            (_, true) => Some(Edges::Smoothed),
            _ => None,
        };
        let tracks = self.selected(&selector.matchers).map(|(labels, samples)| {
            let mut points = self.around(samples, start, end);
            points.retain(|point| match edges {
                None => point.time > start && point.time <= end,
                Some(Edges::Anchored) => point.time <= end,
                Some(Edges::Smoothed) => true,
            });
            Track { labels: labels.clone(), drops_name: false, points }
        });
        let tracks = tracks.filter(|track| !track.points.is_empty()).collect();
        Ok(Windows { tracks, start, end, edges, place: 0 })
    }

    fn grid(&self, key: GridKey, expr: &Expr, step_ms: i64) -> Grid {
        if let Some(known) = self.grids.borrow().get(&key) {
            return known.clone();
        }
        let times = multiples((key.1, key.2), step_ms);
        let outer = self.times.get();
        self.times.set((times.first().map_or(0, |at| *at), times.last().map_or(0, |at| *at)));
        let grid = times.into_iter().map(|at| (at, self.vector(expr, at))).collect();
        self.times.set(outer);
        self.grids.borrow_mut().entry(key).or_insert(Rc::new(grid)).clone()
    }

    fn subquery(&self, expr: &Expr, subquery: &Subquery, time: i64) -> Result<Windows> {
        let end = self.shifted(&subquery.time, time)?;
        let start = end - self.positive_ms(&subquery.range)?;
        let step_ms = match &subquery.step {
            Some(step) => self.positive_ms(step)?,
            None => self.default_step_ms,
        };
        let (first, last) = self.times.get();
        let first = self.shifted(&subquery.time, first)? - (end - start);
        let last = self.shifted(&subquery.time, last)?;
        let mut tracks: BTreeMap<LabelMap, Track> = BTreeMap::new();
        let grid = self.grid((expr.span, first, last), &subquery.expr, step_ms);
        for (at, elements) in grid.iter().filter(|(at, _)| *at > start && *at <= end) {
            for element in elements.clone()? {
                let Element { labels, drops_name, value } = element;
                let empty = || Track { labels: labels.clone(), drops_name, points: Vec::new() };
                let track = tracks.entry(labels.clone()).or_insert_with(empty);
                // Whose name a window keeps that has it of some points only is not said.
                track.drops_name |= drops_name;
                // Since when it counts is not known of what was computed.
                let value = without_reset_hint(value);
                track.points.push(Point { time: *at, start: 0, value });
            }
        }
        let tracks = tracks.into_values().collect();
        Ok(Windows { tracks, start, end, edges: None, place: 0 })
    }
}

/// The multiples of the step in the left-open range.
fn multiples((start, end): (i64, i64), step_ms: i64) -> Vec<i64> {
    let first = start.div_euclid(step_ms) + 1;
    (first..=end.div_euclid(step_ms)).map(|number| number * step_ms).collect()
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

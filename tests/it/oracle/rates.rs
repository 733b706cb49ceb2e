//! The functions of differences: `rate`, `increase`, `delta`, `irate`, `idelta`; and what is said of the samples they see.

use silverback::model::Histogram;
use silverback::model::histogram::{Combined, ResetHint};

use super::eval::Oracle;
use super::range::Window;
use super::value::{Point, Value};

impl Oracle<'_> {
    /// The difference between first and last point, stretched to the window.
    pub fn extrapolated(&self, name: &str, window: &Window<'_>) -> Option<Value> {
        if window.is_mixed() {
            self.note_mixed_kinds(window.metric, window.place);
            return None;
        }
        let is_counter = name != "delta";
        let knows_starts = is_counter && self.use_start_timestamps;
        let started = window.points[0].start;
        let is_within = started > window.start && started < window.points[0].time;
        let started = (knows_starts && started != 0 && is_within).then_some(started);
        if window.points.len() < 2 && started.is_none() {
            return None;
        }
        if knows_starts && window.points.windows(2).any(|pair| overlaps(&pair[0], &pair[1])) {
            self.notes.borrow_mut().overlap(window.place, window.metric);
        }
        let seconds = (window.end - window.start) as f64 / 1e3;
        let per_second = if name == "rate" { seconds } else { 1.0 };
        if window.points[0].value.is_histogram() {
            let mut difference = self.histogram_difference_of(window, is_counter, started)?;
            let first = window.points[0].value.histogram()?.count;
            let zero = is_counter.then_some((first, difference.count));
            difference.scale(stretch(window, zero, started) / per_second);
            return Some(Value::Histogram(difference));
        }
        let values = window.values();
        let mut difference = values[values.len() - 1];
        if started.is_none() {
            difference -= values[0];
        }
        for (index, pair) in window.points.windows(2).enumerate() {
            if is_counter && self.is_reset(&pair[0], &pair[1]) {
                difference += values[index];
            }
        }
        let zero = is_counter.then_some((values[0], difference));
        Some(Value::Float(difference * stretch(window, zero, started) / per_second))
    }

    /// Did the counter begin anew between two points of one kind?
    pub fn is_reset(&self, before: &Point, after: &Point) -> bool {
        let by_value = match (&before.value, &after.value) {
            (Value::Float(before), Value::Float(after)) => after < before,
            (Value::Histogram(before), Value::Histogram(after)) => after.is_reset_after(before),
            _ => true,
        };
        by_value || (self.use_start_timestamps && starts_anew(before, after))
    }

    fn histogram_difference_of(
        &self,
        window: &Window<'_>,
        is_counter: bool,
        started: Option<i64>,
    ) -> Option<Histogram> {
        let all = window.histograms();
        let ends = [all[0], all[all.len() - 1]];
        if is_counter {
            self.note_gauges(all.iter().copied(), window);
        }
        let reset_at_once =
            is_counter && started.is_none() && self.is_reset(&window.points[0], &window.points[1]);
        let skipped = usize::from(reset_at_once);
        self.one_schema(all[skipped..].iter().copied(), window)?;
        let mut difference = ends[1].clone();
        if !reset_at_once && started.is_none() {
            self.subtract(&mut difference, ends[0], window)?;
        }
        if !is_counter {
            self.note_counters(ends, window);
        }
        for pair in window.points[skipped..].windows(2) {
            if is_counter && self.is_reset(&pair[0], &pair[1]) {
                self.add(&mut difference, pair[0].value.histogram()?, window)?;
            }
        }
        let lowest = all[skipped..].iter().map(|histogram| histogram.schema).min()?;
        let _ = difference.reduce_schema(lowest);
        difference.hint = ResetHint::Gauge;
        difference.compact();
        Some(difference)
    }

    /// The difference between the last two points.
    pub fn of_last_two(&self, name: &str, window: &Window<'_>) -> Option<Value> {
        let [.., before, last] = window.points else { return None };
        let is_counter = name == "irate";
        let per_second = if is_counter { (last.time - before.time) as f64 / 1e3 } else { 1.0 };
        let whole = is_counter && self.is_reset(before, last);
        match (&before.value, &last.value) {
            (Value::Float(before), Value::Float(last)) => {
                let difference = if whole { *last } else { last - before };
                Some(Value::Float(difference / per_second))
            }
            (Value::Histogram(before), Value::Histogram(last)) => {
                if is_counter {
                    self.note_gauges([before, last].into_iter(), window);
                }
                let mut difference = last.clone();
                if !whole {
                    self.subtract(&mut difference, before, window)?;
                }
                if !is_counter {
                    self.note_counters([before, last], window);
                }
                difference.hint = ResetHint::Gauge;
                difference.compact();
                difference.divide(per_second);
                Some(Value::Histogram(difference))
            }
            _ => {
                self.note_mixed_kinds(window.metric, window.place);
                None
            }
        }
    }

    pub fn note_mixed_kinds(&self, metric: &str, place: u32) {
        let text = "encountered a mix of histograms and floats for metric name";
        self.notes.borrow_mut().warn(place, format!("{text} {metric:?}"));
    }

    pub fn note_gauges<'h>(
        &self,
        mut all: impl Iterator<Item = &'h Histogram>,
        window: &Window<'_>,
    ) {
        if all.any(|histogram| histogram.hint == ResetHint::Gauge) {
            let text =
                format!("this native histogram metric is not a counter: {:?}", window.metric);
            self.notes.borrow_mut().warn(window.place, text);
        }
    }

    pub fn note_counters(&self, ends: [&Histogram; 2], window: &Window<'_>) {
        if ends.iter().any(|histogram| histogram.hint != ResetHint::Gauge) {
            let text = format!("this native histogram metric is not a gauge: {:?}", window.metric);
            self.notes.borrow_mut().warn(window.place, text);
        }
    }

    /// `None`, and a warning: there are exponential and custom buckets.
    pub fn one_schema<'h>(
        &self,
        all: impl Iterator<Item = &'h Histogram>,
        window: &Window<'_>,
    ) -> Option<()> {
        let kinds: Vec<bool> = all.map(Histogram::uses_custom_buckets).collect();
        let is_mixed = kinds.contains(&true) && kinds.contains(&false);
        self.noted(if is_mixed { None } else { Some(Combined::default()) }, "", window)
    }

    pub fn add(&self, sum: &mut Histogram, term: &Histogram, window: &Window<'_>) -> Option<()> {
        self.noted(sum.add(term).ok(), "addition", window)
    }

    pub fn subtract(
        &self,
        from: &mut Histogram,
        term: &Histogram,
        window: &Window<'_>,
    ) -> Option<()> {
        self.noted(from.sub(term).ok(), "subtraction", window)
    }

    fn noted(&self, done: Option<Combined>, what: &str, window: &Window<'_>) -> Option<()> {
        let mut notes = self.notes.borrow_mut();
        let Some(combined) = done else {
            notes.warn(window.place, mixed_schemas(window.metric));
            return None;
        };
        if combined.bounds_reconciled {
            let text = format!("mismatched custom buckets were reconciled during {what}");
            notes.info(window.place, text);
        }
        Some(())
    }
}

pub fn mixed_schemas(metric: &str) -> String {
    format!(
        "vector contains a mix of histograms with exponential and custom buckets schemas for metric \
         name {metric:?}"
    )
}

/// What a counter with these values had reached before each of its resets.
pub fn lost(values: &[f64]) -> f64 {
    values.windows(2).filter(|pair| pair[1] < pair[0]).map(|pair| pair[0]).sum()
}

/// Does the start time of a sample tell that its counter began anew after the one before?
fn starts_anew(before: &Point, after: &Point) -> bool {
    let means_something = |point: &Point| point.start != 0 && point.start < point.time;
    let is_later = after.start > before.time;
    // A delta begins where the one before it ended; an unknown start is made up like that as well.
    let is_delta = after.start == before.time && means_something(before);
    means_something(after) && (is_later || is_delta)
}

fn overlaps(before: &Point, after: &Point) -> bool {
    after.start != 0 && after.start < before.time && after.start != before.start
}

/// How much longer than between its points the series is taken to go on within the window. `zero`: the first value of a
/// counter and its increase, since it is not taken to go on below zero. `started`: when it was zero, if that is known.
fn stretch(window: &Window<'_>, zero: Option<(f64, f64)>, started: Option<i64>) -> f64 {
    let (first, last) = (window.points[0].time, window.points[window.points.len() - 1].time);
    let (sampled, spacings) = (last - first, window.points.len() as i64 - 1);
    let half = if spacings == 0 { 0.0 } else { sampled as f64 / spacings as f64 / 2.0 };
    let is_far = |gap: i64| gap * spacings * 10 >= sampled * 11;
    let reached = |gap: i64| if is_far(gap) { half } else { gap as f64 };
    let after = reached(window.end - last);
    if let Some(started) = started {
        let lived = (last - started) as f64;
        return (lived + after) / lived;
    }
    let mut before = reached(first - window.start);
    if let Some((value, increase)) = zero
        && increase > 0.0
        && value >= 0.0
    {
        let to_zero = sampled as f64 * (value / increase);
        if to_zero < before {
            before = to_zero;
        }
    }
    (sampled as f64 + before + after) / sampled as f64
}

//! The samples of a random series: numbers that go up and down, counters with resets, histograms; with gaps, staleness markers,
//! NaN and infinities, at times that are a little off, from when a series begins to when it ends.

use silverback::model::histogram::{Buckets, CUSTOM_BUCKETS_SCHEMA, ResetHint};
use silverback::model::{Histogram, STALE_NAN_BITS};

use super::value::{Point, Value};
use crate::choices::Choices;

/// Samples of a series, gaps included.
pub const SAMPLES: usize = 24;
pub const INTERVAL_MS: i64 = 10_000;

/// Custom bounds that have something in common, and some that have not.
const BOUNDS: &[&[f64]] = &[&[1.0, 2.0, 5.0], &[0.5, 2.0, 5.0], &[2.0, 7.5]];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Gauge,
    Counter,
    Histogram,
    /// Floats here, histograms there.
    Mixed,
    /// Of a classic histogram: the larger the number, the more it counts.
    Bucket(usize),
    /// Always 1, and not always there.
    Info,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Complete, regular, all numbers.
    Plain,
    Odd,
}

/// What a sample may be besides a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Odd {
    No,
    Gap,
    Stale,
    Nan,
    Infinite,
    Reset,
}

const ODDITIES: [Odd; 6] = [Odd::No, Odd::Gap, Odd::Reset, Odd::Stale, Odd::Nan, Odd::Infinite];

pub fn points(kind: Kind, shape: Shape, seed: u64) -> Vec<Point> {
    let choices = &mut Choices::seeded(seed);
    let is_odd = shape == Shape::Odd;
    let (mut first, mut last) = (0, SAMPLES);
    if is_odd && choices.one_in(3) {
        first = choices.below(SAMPLES / 2);
    }
    if is_odd && choices.one_in(3) {
        last = SAMPLES / 2 + choices.below(SAMPLES / 2);
    }
    let is_jittery = is_odd && choices.one_in(2);
    let is_calm = choices.one_in(2);
    let starts = choices.pick(&[
        Starts::Unknown,
        Starts::Unknown,
        Starts::AtResets,
        Starts::Delta,
        Starts::Any,
    ]);
    let mut series = Series::new(kind, choices);
    let mut points = Vec::new();
    for index in 0..SAMPLES {
        let weights = if is_calm { [60, 1, 1, 1, 1, 1] } else { [30, 4, 2, 1, 1, 1] };
        let odd = ODDITIES[if is_odd { choices.weighted(&weights) } else { 0 }];
        let value = series.next(choices, odd, index);
        let jitter = choices.pick(&[0, 0, 1, -1, 2_500, -1_300]);
        let time = index as i64 * INTERVAL_MS + if is_jittery { jitter } else { 0 };
        if odd == Odd::Gap || !(first..last).contains(&index) {
            continue;
        }
        let start = starts.next(choices, points.last(), time, odd == Odd::Reset);
        points.push(Point { time, start, value });
    }
    points
}

/// Since when samples say they count.
#[derive(Debug, Clone, Copy)]
enum Starts {
    Unknown,
    AtResets,
    /// Each where the one before was taken.
    Delta,
    Any,
}

impl Starts {
    fn next(
        self,
        choices: &mut Choices<'_>,
        before: Option<&Point>,
        time: i64,
        reset: bool,
    ) -> i64 {
        let within = time - 1 - choices.between(0, INTERVAL_MS);
        match (self, before) {
            (Starts::Unknown, _) => 0,
            (Starts::Delta, Some(before)) => before.time,
            (Starts::AtResets, Some(before)) if !reset => before.start,
            (Starts::AtResets | Starts::Delta, _) => within,
            (Starts::Any, _) => {
                let earlier = time - choices.between(0, 4 * INTERVAL_MS);
                choices.pick(&[0, within, earlier, time, time + 1])
            }
        }
    }
}

/// The state of a series on its way through time.
struct Series {
    kind: Kind,
    total: f64,
    histograms: Histograms,
    /// Thirds of a mixed series that are histograms.
    thirds: [bool; 3],
}

impl Series {
    fn new(kind: Kind, choices: &mut Choices<'_>) -> Series {
        let total = choices.below(100) as f64;
        let thirds = [(); 3].map(|()| choices.one_in(2));
        Series { kind, total, histograms: Histograms::new(choices), thirds }
    }

    fn next(&mut self, choices: &mut Choices<'_>, odd: Odd, index: usize) -> Value {
        let histogram = self.histograms.next(choices, odd);
        let is_histogram = match self.kind {
            Kind::Histogram => true,
            Kind::Mixed => self.thirds[index * 3 / SAMPLES],
            // Nobody knows what that is for.
            Kind::Info => odd == Odd::Nan && choices.one_in(4),
            _ => false,
        };
        if odd == Odd::Stale {
            return Value::Float(f64::from_bits(STALE_NAN_BITS));
        }
        if is_histogram {
            return Value::Histogram(histogram);
        }
        let step = choices.below(9) as f64;
        let value = match self.kind {
            Kind::Info => 1.0,
            Kind::Counter | Kind::Bucket(_) => {
                let step = if let Kind::Bucket(index) = self.kind {
                    step * (1 + index) as f64
                } else {
                    step
                };
                self.total = if odd == Odd::Reset { step } else { self.total + step };
                self.total
            }
            _ => choices.between(-12, 13) as f64 / 2.0,
        };
        Value::Float(match odd {
            Odd::Nan => f64::NAN,
            Odd::Infinite => f64::INFINITY.copysign(value),
            _ => value,
        })
    }
}

struct Histograms {
    total: Histogram,
    schema: i32,
    bounds: &'static [f64],
    /// Index of the first bucket.
    first: i32,
    is_gauge: bool,
    tells_resets: bool,
}

impl Histograms {
    fn new(choices: &mut Choices<'_>) -> Histograms {
        Histograms {
            total: Histogram::default(),
            schema: choices.pick(&[0, 1, 3, -1, CUSTOM_BUCKETS_SCHEMA, CUSTOM_BUCKETS_SCHEMA]),
            bounds: choices.pick(BOUNDS),
            first: choices.between(-2, 3) as i32,
            is_gauge: choices.one_in(3),
            tells_resets: choices.one_in(3),
        }
    }

    fn next(&mut self, choices: &mut Choices<'_>, odd: Odd) -> Histogram {
        let observed = self.observed(choices);
        let is_new = odd == Odd::Reset || self.total.count == 0.0;
        if self.is_gauge || is_new {
            self.total = observed;
        } else {
            // Both have the same layout.
            let _ = self.total.add(&observed);
        }
        self.total.hint = match (self.is_gauge, self.tells_resets, is_new) {
            (true, ..) => ResetHint::Gauge,
            (false, false, _) => ResetHint::Unknown,
            (false, true, true) => ResetHint::Reset,
            (false, true, false) => ResetHint::NotReset,
        };
        match odd {
            // Observations of NaN are counted, but in no bucket.
            Odd::Nan => {
                let count = self.total.count + 1.0;
                Histogram { sum: f64::NAN, count, ..self.total.clone() }
            }
            _ => self.total.clone(),
        }
    }

    /// What is counted from one sample to the next.
    fn observed(&self, choices: &mut Choices<'_>) -> Histogram {
        let mut counts = |len: usize, below: usize| {
            (0..len).map(|_| choices.below(below) as f64).collect::<Vec<f64>>()
        };
        let is_custom = self.schema == CUSTOM_BUCKETS_SCHEMA;
        let schema = self.schema;
        let mut histogram = Histogram { schema, ..Histogram::default() };
        if is_custom {
            histogram.positive = Buckets::contiguous(0, counts(self.bounds.len() + 1, 4));
            histogram.custom_bounds = self.bounds.iter().copied().collect();
        } else {
            histogram.positive = Buckets::contiguous(self.first, counts(4, 4));
            histogram.negative = Buckets::contiguous(-self.first, counts(2, 3));
            histogram.zero_threshold = 0.001;
            histogram.zero_count = counts(1, 2)[0];
        }
        histogram.count =
            histogram.positive.total() + histogram.negative.total() + histogram.zero_count;
        histogram.sum = choices.between(-20, 40) as f64 / 2.0;
        histogram
    }
}

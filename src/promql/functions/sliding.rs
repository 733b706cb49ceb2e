//! Range functions whose windows share work: as a window moves over a series, what is known of the samples that stay is kept. So
//! every sample is looked at a few times, however many windows cover it. The results are those of the functions of one
//! window (`over_time`, `rate`), up to the rounding of sums.
//!
//! | functions | kept |
//! |---|---|
//! | `rate` `increase` | the resets in the window |
//! | `changes` `resets` | the number of pairs |
//! | `min_over_time` `max_over_time` | a queue of values, each better than all before it in the window |
//! | `sum_over_time` `avg_over_time` `stddev_over_time` `stdvar_over_time` | two stacks of accumulators: nothing is ever subtracted |
//! | `quantile_over_time` | the values in order |

use std::collections::VecDeque;

use super::accumulate::Accumulate;
use super::kahan::{Kahan, Mean, Variance};
use super::quantile::{nan_first, quantile_of_sorted};
use super::{Window, rate};

/// A function of windows without histograms that moves over one series.
pub trait Sliding {
    /// The result of the next window, whose first sample is number `from` of its series. Neither end of a window lies before that of the
    /// window before.
    fn result(&mut self, window: &Window<'_>, from: u64, args: &[f64]) -> Option<f64>;
}

/// Makes the state of a function for a series.
pub type SlidingFunction = fn() -> Box<dyn Sliding>;

/// The sliding form of the function of this name, if it has one.
pub fn sliding_function(name: &str) -> Option<SlidingFunction> {
    Some(match name {
        "rate" => || Box::new(Counter::new(true)),
        "increase" => || Box::new(Counter::new(false)),
        "changes" => || Box::new(Pairs::new(rate::is_change)),
        "resets" => || Box::new(Pairs::new(rate::is_reset)),
        "min_over_time" => || Box::new(Extreme::new(|kept, new| new < kept)),
        "max_over_time" => || Box::new(Extreme::new(|kept, new| new > kept)),
        "sum_over_time" => || Box::new(Stacks::<Kahan>::new(|sum| sum.value())),
        "avg_over_time" => || Box::new(Stacks::<Mean>::new(|mean| mean.value())),
        "stdvar_over_time" => || Box::new(Stacks::<Variance>::new(|variance| variance.value())),
        "stddev_over_time" => {
            || Box::new(Stacks::<Variance>::new(|variance| variance.value().sqrt()))
        }
        "quantile_over_time" => || Box::new(Ordered::default()),
        _ => return None,
    })
}

/// Which samples of the series have been taken in.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// The number of the next sample to come.
    end: u64,
}

impl Seen {
    /// Where in the window the samples begin that were not in the window before; takes them in.
    fn advance(&mut self, window: &Window<'_>, from: u64) -> usize {
        let new = self.end.max(from) - from;
        self.end = from + window.values.len() as u64;
        new as usize
    }
}

struct Counter {
    /// The number of the sample after each reset in the window, and the value before it.
    resets: VecDeque<(u64, f64)>,
    seen: Seen,
    per_second: bool,
}

impl Counter {
    fn new(per_second: bool) -> Counter {
        Counter { resets: VecDeque::new(), seen: Seen::default(), per_second }
    }

    /// What was lost in the resets behind the sample number `from`; those before are forgotten.
    fn lost(&mut self, from: u64) -> f64 {
        while self.resets.front().is_some_and(|(number, _)| *number <= from) {
            self.resets.pop_front();
        }
        self.resets.iter().map(|(_, before)| before).sum()
    }
}

impl Sliding for Counter {
    fn result(&mut self, window: &Window<'_>, from: u64, _: &[f64]) -> Option<f64> {
        // The pair of the last sample seen and the first new one counts as well.
        let first = self.seen.advance(window, from).max(1);
        for (index, pair) in window.values.get(first - 1..)?.windows(2).enumerate() {
            if rate::is_reset(pair[0], pair[1]) {
                self.resets.push_back((from + (first + index) as u64, pair[0]));
            }
        }
        let lost = if self.resets.is_empty() { 0.0 } else { self.lost(from) };
        rate::counter_increase(window, lost, self.per_second)
    }
}

/// How many pairs of neighbours satisfy a condition.
struct Pairs {
    counts: fn(f64, f64) -> bool,
    /// The numbers of the later ones of such pairs.
    numbers: VecDeque<u64>,
    seen: Seen,
}

impl Pairs {
    fn new(counts: fn(f64, f64) -> bool) -> Pairs {
        Pairs { counts, numbers: VecDeque::new(), seen: Seen::default() }
    }
}

impl Sliding for Pairs {
    fn result(&mut self, window: &Window<'_>, from: u64, _: &[f64]) -> Option<f64> {
        let first = self.seen.advance(window, from).max(1);
        for (index, pair) in window.values.get(first - 1..)?.windows(2).enumerate() {
            if (self.counts)(pair[0], pair[1]) {
                self.numbers.push_back(from + (first + index) as u64);
            }
        }
        while self.numbers.front().is_some_and(|number| *number <= from) {
            self.numbers.pop_front();
        }
        (!window.values.is_empty()).then_some(self.numbers.len() as f64)
    }
}

/// The least or the greatest value; NaN only if there is nothing else.
struct Extreme {
    /// Does a new value make a kept one useless?
    replaces: fn(f64, f64) -> bool,
    /// Numbers and values, the best first. No NaN.
    queue: VecDeque<(u64, f64)>,
    seen: Seen,
}

impl Extreme {
    fn new(replaces: fn(f64, f64) -> bool) -> Extreme {
        Extreme { replaces, queue: VecDeque::new(), seen: Seen::default() }
    }
}

impl Sliding for Extreme {
    fn result(&mut self, window: &Window<'_>, from: u64, _: &[f64]) -> Option<f64> {
        let new = self.seen.advance(window, from);
        while self.queue.front().is_some_and(|(number, _)| *number < from) {
            self.queue.pop_front();
        }
        for (index, value) in window.values.iter().enumerate().skip(new) {
            if value.is_nan() {
                continue;
            }
            while self.queue.back().is_some_and(|(_, kept)| (self.replaces)(*kept, *value)) {
                self.queue.pop_back();
            }
            self.queue.push_back((from + index as u64, *value));
        }
        match self.queue.front() {
            Some((_, best)) => Some(*best),
            None => window.values.last().copied(),
        }
    }
}

/// An accumulator of the values in the window, though it cannot give values back. The older values are a stack of which each
/// state holds its value and all later ones up to the newer part, which is one state.
struct Stacks<A> {
    value: fn(&A) -> f64,
    /// By age, the newest of them first.
    older: Vec<A>,
    /// The number of the sample behind the oldest state.
    boundary: u64,
    newer: A,
    seen: Seen,
}

impl<A: Accumulate> Stacks<A> {
    fn new(value: fn(&A) -> f64) -> Stacks<A> {
        let (older, newer) = (Vec::new(), A::default());
        Stacks { value, older, boundary: 0, newer, seen: Seen::default() }
    }

    /// Makes a stack of all values of the window.
    fn rebuild(&mut self, window: &Window<'_>, from: u64) {
        self.older.clear();
        for value in window.values.iter().rev() {
            // The oldest value comes first in its state, as where it is added up in one go.
            let mut state = A::default();
            state.add(*value);
            if let Some(later) = self.older.last() {
                state.merge(later);
            }
            self.older.push(state);
        }
        self.boundary = from + window.values.len() as u64;
        self.newer = A::default();
    }
}

impl<A: Accumulate> Sliding for Stacks<A> {
    fn result(&mut self, window: &Window<'_>, from: u64, _: &[f64]) -> Option<f64> {
        let new = self.seen.advance(window, from);
        if window.values.is_empty() {
            return None;
        }
        if from >= self.boundary {
            self.rebuild(window, from);
        } else {
            self.older.truncate((self.boundary - from) as usize);
            window.values[new..].iter().for_each(|value| self.newer.add(*value));
        }
        let mut all = self.older.last().cloned().unwrap_or_default();
        all.merge(&self.newer);
        Some((self.value)(&all))
    }
}

/// The values of the window in order.
#[derive(Default)]
struct Ordered {
    sorted: Vec<f64>,
    /// In order of time.
    values: VecDeque<f64>,
    /// The number of the first of them.
    start: u64,
    seen: Seen,
}

/// Values that come and go between two windows, beyond which it is cheaper to sort the window anew: each of them moves half of
/// the others.
const CHANGES_MAX: u64 = 48;

impl Ordered {
    fn rebuild(&mut self, values: &[f64]) {
        self.values.clear();
        self.values.extend(values);
        self.sorted.clear();
        self.sorted.extend_from_slice(values);
        self.sorted.sort_unstable_by(nan_first);
    }

    fn place(&self, value: f64) -> usize {
        self.sorted.partition_point(|other| nan_first(other, &value).is_lt())
    }
}

impl Sliding for Ordered {
    fn result(&mut self, window: &Window<'_>, from: u64, args: &[f64]) -> Option<f64> {
        let phi = args.first().copied()?;
        let new = self.seen.advance(window, from);
        let (leaving, coming) = (from - self.start, window.values.len() - new);
        if leaving + coming as u64 > CHANGES_MAX {
            self.rebuild(window.values);
            self.start = from;
            return Some(quantile_of_sorted(phi, &self.sorted));
        }
        while self.start < from {
            self.start += 1;
            if let Some(value) = self.values.pop_front() {
                self.sorted.remove(self.place(value));
            }
        }
        for value in &window.values[new..] {
            self.values.push_back(*value);
            self.sorted.insert(self.place(*value), *value);
        }
        (!self.sorted.is_empty()).then(|| quantile_of_sorted(phi, &self.sorted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::functions::range_function;
    use proptest::prelude::*;

    /// Values with resets, repeats and what is no number.
    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            6 => (0..50i32).prop_map(f64::from),
            3 => -1e6f64..1e6,
            1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(0.0), Just(-0.0)],
        ]
    }

    fn same(a: Option<f64>, b: Option<f64>) -> bool {
        match (a, b) {
            (Some(a), Some(b)) => {
                let near = (a - b).abs() <= 1e-9 * (a.abs() + b.abs()).max(1e-3);
                near || a == b || (a.is_nan() && b.is_nan())
            }
            (None, None) => true,
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn moving_windows_have_the_results_of_single_ones(
            values in proptest::collection::vec(value(), 1..300),
            moves in proptest::collection::vec((0usize..6, 0usize..60), 1..60),
            name in prop::sample::select(vec![
                "rate", "increase", "changes", "resets", "min_over_time", "max_over_time", "sum_over_time",
                "avg_over_time", "stddev_over_time", "stdvar_over_time", "quantile_over_time",
            ]),
            phi in 0.0f64..1.0,
        ) {
            let timestamps: Vec<i64> = (0..values.len() as i64).map(|i| i * 1_000).collect();
            let plain = range_function(name).unwrap();
            let mut sliding = sliding_function(name).unwrap()();
            let (mut from, mut to) = (0, 0);
            for (left, right) in moves {
                to = (to + right).min(values.len());
                from = (from + left).min(to);
                let window = Window {
                    timestamps: &timestamps[from..to],
                    values: &values[from..to],
                    starts: &[],
                    histograms: &[],
                    range_start: from as i64 * 1_000 - 500,
                    range_end: to as i64 * 1_000,
                    eval_time: 0,
                };
                if from == to {
                    continue;
                }
                let (want, got) = (plain(&window, &[phi]), sliding.result(&window, from as u64, &[phi]));
                prop_assert!(same(want, got), "{} of {:?}: {:?}, sliding {:?}", name, &values[from..to], want, got);
            }
        }
    }
}

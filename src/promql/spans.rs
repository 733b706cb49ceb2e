//! Where the windows of a timeline lie: in time ([`Windows`]) and in the samples of a series ([`Spans`]). Series that were scraped
//! together have the same timestamps, so what was found for one is kept for the next. Arithmetic only; `window` and `instant` read.

use super::column::Bits;
use super::functions::whole::{Span, Stretches};
use super::select::Reach;
use super::timeline::{TimeShift, Timeline};
use crate::model::Timestamp;

/// Times and spans below this, in milliseconds, can be added up without a look at the limits of 64 bits.
const TAME_MS: u64 = 1 << 60;
/// Steps that are looked at together: 32 KiB of spans.
const SPANS_STEPS_MAX: usize = 4_096;
/// Timestamps kept to be compared with those of the next series: 128 KiB.
const KEPT_TIMESTAMPS_MAX: usize = 1 << 14;
/// Spans that a thread keeps: in order of labels, series of some dozens of targets take turns. 1 MiB of an hour at 15 s, 4 MiB at
/// most.
const KEPT_SPANS_MAX: usize = 64;
/// Timestamps and steps of a slice beyond which its spans are kept in one of the first places only.
const SMALL_SLICE_MAX: usize = 1 << 10;
/// Those places.
const KEPT_LARGE_MAX: usize = 4;

/// The windows of a range vector: `range_ms` long, left-open, one ending at each shifted step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    pub timeline: Timeline,
    pub shift: TimeShift,
    pub range_ms: i64,
    /// How far beyond their range they hold samples.
    pub beyond: Reach,
}

/// Where a window lies.
#[derive(Debug, Clone, Copy)]
pub struct WindowTimes {
    pub eval_time: Timestamp,
    /// Excluded.
    pub start: Timestamp,
    pub end: Timestamp,
    /// The same with what is needed beyond the range.
    pub first: Timestamp,
    pub last: Timestamp,
}

impl Windows {
    pub fn times(&self, step: usize) -> WindowTimes {
        let eval_time = self.timeline.time(step);
        let end = self.shift.apply(eval_time);
        let start = end.saturating_sub(self.range_ms);
        let first = start.saturating_sub(self.beyond.back_ms);
        let last = end.saturating_add(self.beyond.ahead_ms);
        WindowTimes { eval_time, start, end, first, last }
    }

    /// The same where no sum can leave 64 bits: several times cheaper.
    #[inline]
    pub fn times_within(&self, step: usize) -> WindowTimes {
        let eval_time = self.timeline.start + step as i64 * self.timeline.step_ms;
        let end = self.shift.at.unwrap_or(eval_time) - self.shift.offset_ms;
        let start = end - self.range_ms;
        let (first, last) = (start - self.beyond.back_ms, end + self.beyond.ahead_ms);
        WindowTimes { eval_time, start, end, first, last }
    }

    #[inline]
    fn times_if(&self, is_tame: bool, step: usize) -> WindowTimes {
        if is_tame { self.times_within(step) } else { self.times(step) }
    }

    /// After how many steps a window starts where this one ends, if one does.
    fn steps_per_range(&self) -> Option<usize> {
        let is_met = self.range_ms % self.timeline.step_ms == 0
            && self.shift.at.is_none()
            && self.beyond == Reach::NONE;
        is_met.then(|| usize::try_from(self.range_ms / self.timeline.step_ms).ok())?
    }

    /// Are all times within what [`Windows::times_within`] takes?
    pub fn is_tame(&self) -> bool {
        let Reach { back_ms, ahead_ms } = self.beyond;
        let ends = [self.timeline.start, self.timeline.end(), self.shift.at.unwrap_or(0)];
        let spans = [self.shift.offset_ms, self.range_ms, back_ms, ahead_ms];
        ends.iter().chain(&spans).all(|ms| ms.unsigned_abs() < TAME_MS)
    }

    /// Does every window share samples with the next?
    pub fn overlap(&self) -> bool {
        let Timeline { step_ms, count, .. } = self.timeline;
        count > 1 && self.range_ms > step_ms && self.shift.at.is_none()
    }
}

/// The steps from `first_step` on whose windows end by `read_to`, and what these windows hold of some samples.
#[derive(Debug)]
pub struct Spans {
    windows: Windows,
    pub first_step: usize,
    read_to: Timestamp,
    /// Those of the samples; `None`: there are none yet, or too many to be kept.
    timestamps: Option<Vec<Timestamp>>,
    /// One per step.
    pub of: Vec<Span>,
    /// The steps whose windows hold a sample.
    pub some: Bits,
    /// Those whose windows hold two or more.
    pub pairs: Bits,
    /// Samples in all windows, each counted in every window that holds it.
    pub visits: u64,
    /// Made when they are asked for.
    stretches: Stretches,
}

impl Spans {
    fn new(windows: Windows) -> Spans {
        let (timestamps, of, some, pairs, stretches) = Default::default();
        let (first_step, read_to, visits) = (0, 0, 0);
        Spans { windows, first_step, read_to, timestamps, of, some, pairs, visits, stretches }
    }

    /// Finds the spans. A slice has fewer than 2^32 samples: the budget and memory end before.
    fn fill(&mut self, first_step: usize, read_to: Timestamp, timestamps: &[Timestamp]) {
        (self.first_step, self.read_to) = (first_step, read_to);
        self.stretches.clear();
        let is_kept = timestamps.len() <= KEPT_TIMESTAMPS_MAX;
        let mut kept = self.timestamps.take().unwrap_or_default();
        kept.clear();
        self.timestamps = is_kept.then(|| {
            kept.extend_from_slice(timestamps);
            kept
        });
        self.find_ends(timestamps);
        self.find_starts(timestamps);
        self.visits = self.of.iter().map(|span| u64::from(span.to - span.from)).sum();
        let fewest = self.of.iter().map(|span| span.to - span.from).min();
        let steps = first_step..self.end_step();
        for (bits, least) in [(&mut self.some, 1), (&mut self.pairs, 2)] {
            bits.reset(self.windows.timeline.count);
            match fewest.is_some_and(|fewest| fewest >= least) {
                true => bits.insert_range(steps.clone()),
                false => {
                    let has_enough = |span: &Span| span.to - span.from >= least;
                    let found = steps.clone().zip(&self.of).filter(|(_, span)| has_enough(span));
                    found.for_each(|(step, _)| bits.insert(step));
                }
            }
        }
    }

    /// Of every step up to the first whose window does not end by `read_to`. Times never fall from step to step, so ends only
    /// move right.
    fn find_ends(&mut self, timestamps: &[Timestamp]) {
        let (windows, mut to) = (self.windows, 0);
        let is_tame = windows.is_tame();
        let end_step = windows.timeline.count.min(self.first_step + SPANS_STEPS_MAX);
        self.of.clear();
        for step in self.first_step..end_step {
            let last = windows.times_if(is_tame, step).last;
            if last > self.read_to {
                break;
            }
            while timestamps.get(to).is_some_and(|time| *time <= last) {
                to += 1;
            }
            self.of.push(Span { from: 0, to: to as u32 });
        }
    }

    fn find_starts(&mut self, timestamps: &[Timestamp]) {
        let (windows, mut from) = (self.windows, 0);
        let is_tame = windows.is_tame();
        // From there on a window starts where one before it ended.
        let known = windows.steps_per_range().filter(|_| is_tame).unwrap_or(usize::MAX);
        let known = known.min(self.of.len());
        for (step, span) in (self.first_step..).zip(&mut self.of[..known]) {
            let first = windows.times_if(is_tame, step).first;
            while timestamps.get(from).is_some_and(|time| *time <= first) {
                from += 1;
            }
            span.from = span.to.min(from as u32);
        }
        for index in known..self.of.len() {
            self.of[index].from = self.of[index - known].to;
        }
    }

    /// Are these the spans of such a slice?
    fn are_of(&self, first_step: usize, read_to: Timestamp, timestamps: &[Timestamp]) -> bool {
        (self.first_step, self.read_to) == (first_step, read_to)
            && self.timestamps.as_deref() == Some(timestamps)
    }

    /// The step behind the last of these.
    pub fn end_step(&self) -> usize {
        self.first_step + self.of.len()
    }

    /// The spans, the steps of those with two samples, and how differences in them are stretched, if no window goes beyond its
    /// range. `None` at the limits of time.
    pub fn stretched(
        &mut self,
        timestamps: &[Timestamp],
        per_second: bool,
    ) -> Option<(&[Span], &Bits, &Stretches)> {
        let windows = self.windows;
        if !windows.is_tame() {
            return None;
        }
        if !self.stretches.are_of(per_second) {
            let ends = (self.first_step..).map(|step| windows.times_within(step).end);
            let with_ends = self.of.iter().copied().zip(ends);
            self.stretches.fill(with_ends, timestamps, windows.range_ms, per_second);
        }
        Some((&self.of, &self.pairs, &self.stretches))
    }
}

/// Spans that one thread found, each in a place that its windows and timestamps tell.
#[derive(Debug, Default)]
pub struct SpansCache {
    kept: Vec<Spans>,
}

impl SpansCache {
    /// The spans of the steps from `first_step` on whose windows end by `read_to`, or of the first of these.
    pub fn find(
        &mut self,
        windows: Windows,
        first_step: usize,
        read_to: Timestamp,
        timestamps: &[Timestamp],
    ) -> &mut Spans {
        let place = place(windows, timestamps);
        if place >= self.kept.len() {
            self.kept.resize_with(place + 1, || Spans::new(windows));
        }
        let spans = &mut self.kept[place];
        if spans.windows != windows || !spans.are_of(first_step, read_to, timestamps) {
            spans.windows = windows;
            spans.fill(first_step, read_to, timestamps);
        }
        spans
    }
}

/// Where spans are kept. Targets are mostly scraped at times of their own.
fn place(windows: Windows, timestamps: &[Timestamp]) -> usize {
    let steps = windows.timeline.count;
    let is_small = timestamps.len().max(steps) <= SMALL_SLICE_MAX;
    let places = if is_small { KEPT_SPANS_MAX } else { KEPT_LARGE_MAX };
    let first = timestamps.first().copied().unwrap_or_default() as u64;
    let key = first ^ (windows.range_ms as u64).rotate_left(32) ^ windows.shift.offset_ms as u64;
    // The highest bits of a product depend on all bits of both factors: the golden ratio's spread numbers evenly.
    (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % places
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn windows() -> impl Strategy<Value = Windows> {
        let wild = wild_windows();
        // Most people ask for ranges of a whole number of steps.
        let even = (wild_windows(), 1i64..8).prop_map(|(windows, steps)| Windows {
            range_ms: windows.timeline.step_ms * steps,
            beyond: Reach::NONE,
            ..windows
        });
        prop_oneof![wild, even]
    }

    fn wild_windows() -> impl Strategy<Value = Windows> {
        let shift = prop_oneof![Just(None), (0i64..2_000).prop_map(Some)];
        let times = (-100i64..1_000, 1i64..200, 1usize..30, shift, -300i64..300);
        let reaches = (1i64..400, 0i64..100, 0i64..100);
        (times, reaches).prop_map(|((start, step_ms, count, at, offset_ms), reaches)| {
            let (range_ms, back_ms, ahead_ms) = reaches;
            Windows {
                timeline: Timeline { start, step_ms, count },
                shift: TimeShift { at, offset_ms },
                range_ms,
                beyond: Reach { back_ms, ahead_ms },
            }
        })
    }

    fn series() -> impl Strategy<Value = Vec<Timestamp>> {
        proptest::collection::btree_set(-500i64..3_000, 0..60)
            .prop_map(|times| times.into_iter().collect())
    }

    proptest! {
        #[test]
        fn spans_are_those_of_their_series_whatever_was_kept(
            windows in proptest::collection::vec(windows(), 1..3),
            series in proptest::collection::vec(series(), 1..3),
            asked in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0usize..5, 0i64..3_000), 1..40),
        ) {
            let mut cache = SpansCache::default();
            for (of_windows, of_series, first_step, read_to) in asked {
                let (windows, timestamps) = (*of_windows.get(&windows), of_series.get(&series));
                let first_step = first_step.min(windows.timeline.count - 1);
                let spans = cache.find(windows, first_step, read_to, timestamps);
                let mut visits = 0;
                for (step, span) in (first_step..).zip(&spans.of) {
                    let times = windows.times(step);
                    prop_assert!(times.last <= read_to);
                    let is_in = |time: &&Timestamp| **time > times.first && **time <= times.last;
                    let expected: Vec<_> = timestamps.iter().filter(is_in).collect();
                    prop_assert!(timestamps[span.range()].iter().eq(expected.iter().copied()));
                    prop_assert_eq!(spans.some.contains(step), !expected.is_empty());
                    prop_assert_eq!(spans.pairs.contains(step), expected.len() > 1);
                    visits += expected.len() as u64;
                }
                prop_assert_eq!(spans.visits, visits);
                let end = spans.end_step();
                prop_assert!(end == windows.timeline.count || windows.times(end).last > read_to);
            }
        }
    }

    #[test]
    fn a_series_without_samples_is_not_taken_for_one_with_too_many_to_keep() {
        let timeline = Timeline { start: 0, step_ms: 1, count: 3 };
        let windows =
            Windows { timeline, shift: TimeShift::NONE, range_ms: 10, beyond: Reach::NONE };
        let mut cache = SpansCache::default();
        let many: Vec<Timestamp> = (0..=KEPT_TIMESTAMPS_MAX as i64).collect();
        assert_eq!(cache.find(windows, 0, Timestamp::MAX, &many).visits, 6);
        assert_eq!(cache.find(windows, 0, Timestamp::MAX, &[]).visits, 0);
    }

    #[test]
    fn many_steps_are_looked_at_in_parts() {
        let timeline = Timeline { start: 0, step_ms: 1, count: SPANS_STEPS_MAX + 1 };
        let windows =
            Windows { timeline, shift: TimeShift::NONE, range_ms: 10, beyond: Reach::NONE };
        let mut cache = SpansCache::default();
        assert_eq!(cache.find(windows, 0, Timestamp::MAX, &[1]).end_step(), SPANS_STEPS_MAX);
        let rest = cache.find(windows, SPANS_STEPS_MAX, Timestamp::MAX, &[1]);
        assert_eq!((rest.of.len(), rest.end_step()), (1, timeline.count));
    }
}

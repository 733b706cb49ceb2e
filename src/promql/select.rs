//! Selectors: where samples enter an evaluation. Every series is decoded once, a slice of time after the other; the
//! instant selector takes the newest sample within the lookback at each step, the range selector hands all samples to
//! [`super::window`].

use super::ast::Selector;
use super::column::Column;
use super::functions::extended::interpolate;
use super::operator::{METADATA_LABELS, Meta, Operator, Scratch};
use super::query::{Held, Query};
use super::timeline::{TimeShift, Timeline};
use super::value::QueryError;
use super::window::{RangeInput, Reading};
use crate::model::groups::LabelGroups;
use crate::model::{METRIC_NAME, MatchOp, Matcher, TimeRange, Timestamp, is_stale};
use crate::read::{Columns, HistogramSample, SeriesSet};
use crate::sync::OnceLock;

/// Steps between two looks at the deadline.
pub const CHECK_STEPS: usize = 1_024;

/// What the first slice of a series covers: most queries need no second, and even with a sample every millisecond
/// it stays far below the budget.
const FIRST_SLICE_MS: i64 = 4 * 3_600_000;
/// How much longer than the slice before it a slice may be: samples may be denser than they were.
const SLICE_GROWTH: f64 = 8.0;

/// A time range cut into slices that have about as many samples each, going by the slices before.
#[derive(Debug)]
pub struct Slices {
    rest: TimeRange,
    width_ms: i64,
    /// How many samples a slice should have.
    samples: usize,
}

impl Slices {
    pub fn new(range: TimeRange, samples: usize) -> Slices {
        Slices { rest: range, width_ms: FIRST_SLICE_MS, samples }
    }

    /// All in one.
    pub fn whole(range: TimeRange) -> Slices {
        Slices { rest: range, width_ms: i64::MAX, samples: usize::MAX }
    }

    /// The next slice; empty after the last.
    pub fn take(&mut self) -> TimeRange {
        let end = self.rest.mint.saturating_add(self.width_ms - 1);
        if self.rest.is_empty() || end >= self.rest.maxt {
            return std::mem::replace(&mut self.rest, TimeRange::EMPTY);
        }
        let slice = TimeRange::new(self.rest.mint, end);
        self.rest.mint = end + 1;
        slice
    }

    /// The last slice had so many samples.
    fn found(&mut self, samples: usize) {
        let factor = self.samples as f64 / samples.max(1) as f64;
        self.width_ms = (self.width_ms as f64 * factor.min(SLICE_GROWTH)).max(1.0) as i64;
    }

    /// Samples before `start` are not needed any more.
    pub fn skip_to(&mut self, start: Timestamp) {
        self.rest.mint = self.rest.mint.max(start);
    }

    /// All samples up to here are in the slices taken.
    pub fn read_to(&self) -> Timestamp {
        if self.rest.is_empty() { Timestamp::MAX } else { self.rest.mint - 1 }
    }
}

/// Series of the source and the part of them a selector needs.
struct Selection<'q> {
    query: &'q Query<'q>,
    set: Box<dyn SeriesSet>,
    /// Made when they are asked for: an aggregation does not need them.
    series: OnceLock<Vec<Meta>>,
    range: TimeRange,
    /// The selector asks for one name, and no label beside it goes where the name goes.
    has_one_name: bool,
}

/// How far from the shifted steps samples are needed: less than `back_ms` before, up to `ahead_ms` after.
#[derive(Debug, Clone, Copy)]
pub struct Reach {
    pub back_ms: i64,
    pub ahead_ms: i64,
}

impl Reach {
    pub const NONE: Reach = Reach { back_ms: 0, ahead_ms: 0 };
}

/// What could not be read is known once everything was.
impl Drop for Selection<'_> {
    fn drop(&mut self) {
        self.query.source_warnings.lock().extend(self.set.warnings());
    }
}

impl<'q> Selection<'q> {
    fn new(
        query: &'q Query<'q>,
        selector: &Selector,
        timeline: Timeline,
        shift: TimeShift,
        reach: Reach,
    ) -> Result<Selection<'q>, QueryError> {
        query.check()?;
        let first = shift.apply(timeline.start).saturating_sub(reach.back_ms).saturating_add(1);
        let last = shift.apply(timeline.end()).saturating_add(reach.ahead_ms);
        let range = match timeline.count {
            0 => TimeRange::EMPTY,
            _ => TimeRange::new(first, last),
        };
        let set = query.source.select(&selector.matchers, range)?;
        let is_name = |m: &Matcher| m.name == METRIC_NAME && m.op == MatchOp::Equal;
        let has_one_name = selector.matchers.iter().any(is_name)
            && METADATA_LABELS.iter().all(|name| !set.may_have_label(name));
        Ok(Selection { query, set, series: OnceLock::new(), range, has_one_name })
    }

    fn series(&self) -> &[Meta] {
        self.series.get_or_init(|| match self.set.labels() {
            Ok(labels) => labels.iter().cloned().map(Meta::new).collect(),
            Err(error) => {
                self.query.fail(error.into());
                Vec::new()
            }
        })
    }

    fn series_count(&self) -> usize {
        self.series.get().map_or_else(|| self.set.len(), Vec::len)
    }

    /// The groups of the series, unless their labels have been made: these are in an order of their own.
    fn group_by(&self, names: &[&str]) -> Option<LabelGroups> {
        if self.series.get().is_some() { None } else { self.set.group(names) }
    }

    fn slices(&self) -> Slices {
        Slices::new(self.range, self.query.slice_samples())
    }

    /// Replaces `samples` with those of the next slice.
    fn read_next(
        &self,
        index: usize,
        slices: &mut Slices,
        samples: &mut Columns,
    ) -> Result<Held<'q>, QueryError> {
        self.query.check()?;
        self.set.read(index, slices.take(), samples)?;
        slices.found(samples.len());
        let cost = samples_cost(samples);
        self.query.count_samples(cost, 0);
        self.query.hold(cost)
    }
}

/// What an instant selector gives of the sample it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    Value,
    /// The time of the sample, in seconds.
    Time,
    /// The time of a float sample; a histogram is given itself.
    TimeOfFloat,
}

pub struct InstantSelector<'q> {
    selection: Selection<'q>,
    timeline: Timeline,
    shift: TimeShift,
    take: Take,
    smoothed: bool,
}

impl<'q> InstantSelector<'q> {
    pub fn new(
        query: &'q Query<'q>,
        selector: &Selector,
        timeline: Timeline,
        take: Take,
    ) -> Result<InstantSelector<'q>, QueryError> {
        let shift = query.frame.shift(&selector.time)?;
        InstantSelector::shifted(query, selector, timeline, shift, take)
    }

    /// The selector seen at times moved by `shift`, whatever its own modifiers are.
    pub fn shifted(
        query: &'q Query<'q>,
        selector: &Selector,
        timeline: Timeline,
        shift: TimeShift,
        take: Take,
    ) -> Result<InstantSelector<'q>, QueryError> {
        if selector.anchored {
            let message = "anchored modifier can only be used with range selectors";
            return Err(QueryError::Execution(message.to_string()));
        }
        let lookback_ms = query.lookback_delta_ms;
        let ahead_ms = if selector.smoothed { lookback_ms } else { 0 };
        let reach = Reach { back_ms: lookback_ms, ahead_ms };
        let selection = Selection::new(query, selector, timeline, shift, reach)?;
        Ok(InstantSelector { selection, timeline, shift, take, smoothed: selector.smoothed })
    }

    /// Puts at every step the value on the line between the samples around it, within the lookback of either
    /// side; after the last sample, that one's value. Returns how many there are.
    fn fill_smoothed(&self, samples: &Columns, out: &mut Column) -> Result<u64, QueryError> {
        let query = self.selection.query;
        let mut next = 0;
        let mut found = 0;
        for step in 0..self.timeline.count {
            if step % CHECK_STEPS == CHECK_STEPS - 1 {
                query.check()?;
            }
            let time = self.shift.apply(self.timeline.time(step));
            while next < samples.floats.len() && samples.timestamps[next] <= time {
                next += 1;
            }
            let sample = |index: usize| (samples.timestamps[index], samples.floats[index]);
            let Some(before) = next.checked_sub(1).map(sample) else { continue };
            if before.0 <= time.saturating_sub(query.lookback_delta_ms) {
                continue;
            }
            let ahead = time.saturating_add(query.lookback_delta_ms);
            let after =
                (next < samples.floats.len()).then(|| sample(next)).filter(|s| s.0 <= ahead);
            found += 1;
            out.set(step, after.map_or(before.1, |after| interpolate(before, after, time)));
        }
        Ok(found)
    }

    /// Puts the newest sample in `(time - lookback, time]` at every step up to `read_to`; none if that is a
    /// staleness marker.
    fn fill(
        &self,
        samples: &Columns,
        read_to: Timestamp,
        filling: &mut Filling,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        let query = self.selection.query;
        let sample = |index: usize| (samples.timestamps[index], samples.floats[index]);
        let (mut next, mut next_histogram) = (0, 0);
        for step in filling.step..self.timeline.count {
            if step % CHECK_STEPS == CHECK_STEPS - 1 {
                query.check()?;
            }
            let time = self.shift.apply(self.timeline.time(step));
            if time > read_to {
                break;
            }
            filling.step = step + 1;
            while next < samples.floats.len() && samples.timestamps[next] <= time {
                next += 1;
            }
            let oldest = time.saturating_sub(query.lookback_delta_ms);
            if !samples.histograms.is_empty() || filling.newest_histogram.is_some() {
                while next_histogram < samples.histograms.len()
                    && samples.histograms[next_histogram].timestamp <= time
                {
                    next_histogram += 1;
                }
                let newest = next_histogram.checked_sub(1).map(|index| &samples.histograms[index]);
                let newest = newest.or(filling.newest_histogram.as_ref());
                let float = next.checked_sub(1).map(|index| samples.timestamps[index]);
                let float = float.or(filling.newest.map(|(timestamp, _)| timestamp));
                if let Some(newest) = newest
                    && float < Some(newest.timestamp)
                {
                    if newest.timestamp > oldest && !newest.histogram.is_stale() {
                        filling.found += newest.histogram.sample_cost() as u64;
                        self.put_histogram(step, newest, out);
                    }
                    continue;
                }
            }
            let newest = next.checked_sub(1).map(sample).or(filling.newest);
            let Some((timestamp, value)) = newest else { continue };
            if timestamp <= oldest || is_stale(value) {
                continue;
            }
            filling.found += 1;
            match self.take {
                Take::Value => out.set(step, value),
                Take::Time | Take::TimeOfFloat => out.set(step, timestamp as f64 / 1e3),
            }
        }
        filling.newest = samples.floats.len().checked_sub(1).map(sample).or(filling.newest);
        if let Some(last) = samples.histograms.last() {
            filling.newest_histogram = Some(last.clone());
        }
        Ok(())
    }

    fn put_histogram(&self, step: usize, newest: &HistogramSample, out: &mut Column) {
        match self.take {
            Take::Value | Take::TimeOfFloat => out.set_histogram(step, newest.histogram.clone()),
            Take::Time => out.set(step, newest.timestamp as f64 / 1e3),
        }
    }

    /// [`InstantSelector::fill`] over all slices. Returns how many steps have a sample.
    fn fill_slices(
        &self,
        index: usize,
        samples: &mut Columns,
        out: &mut Column,
    ) -> Result<u64, QueryError> {
        let mut slices = self.selection.slices();
        let mut filling = Filling { step: 0, newest: None, newest_histogram: None, found: 0 };
        while filling.step < self.timeline.count {
            let _held = self.selection.read_next(index, &mut slices, samples)?;
            self.fill(samples, slices.read_to(), &mut filling, out)?;
            let time = self.shift.apply(self.timeline.time(filling.step));
            let lookback_ms = self.selection.query.lookback_delta_ms;
            slices.skip_to(time.saturating_sub(lookback_ms).saturating_add(1));
        }
        Ok(filling.found)
    }
}

/// How far the steps of one series are filled.
struct Filling {
    step: usize,
    /// The last sample of the slices before.
    newest: Option<(Timestamp, f64)>,
    newest_histogram: Option<HistogramSample>,
    found: u64,
}

impl Operator for InstantSelector<'_> {
    fn series(&self) -> &[Meta] {
        self.selection.series()
    }

    fn series_count(&self) -> usize {
        self.selection.series_count()
    }

    fn drops_names(&self) -> Option<bool> {
        Some(false)
    }

    fn has_one_name(&self) -> bool {
        self.selection.has_one_name
    }

    fn group_by(&self, names: &[&str]) -> Option<LabelGroups> {
        self.selection.group_by(names)
    }

    fn column(
        &self,
        index: usize,
        scratch: &mut Scratch,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        out.reset(self.timeline.count);
        let samples = &mut scratch.samples;
        let found = if self.smoothed {
            let mut slices = Slices::whole(self.selection.range);
            let _held = self.selection.read_next(index, &mut slices, samples)?;
            remove_stale(samples);
            self.fill_smoothed(samples, out)?
        } else {
            self.fill_slices(index, samples, out)?
        };
        self.selection.query.count_samples(0, found);
        Ok(())
    }
}

pub struct RangeSelector<'q> {
    selection: Selection<'q>,
}

impl<'q> RangeSelector<'q> {
    pub fn new(
        query: &'q Query<'q>,
        selector: &Selector,
        timeline: Timeline,
        shift: TimeShift,
        reach: Reach,
    ) -> Result<RangeSelector<'q>, QueryError> {
        let selection = Selection::new(query, selector, timeline, shift, reach)?;
        Ok(RangeSelector { selection })
    }
}

impl RangeInput for RangeSelector<'_> {
    fn series(&self) -> &[Meta] {
        self.selection.series()
    }

    fn series_count(&self) -> usize {
        self.selection.series_count()
    }

    fn has_one_name(&self) -> bool {
        self.selection.has_one_name
    }

    fn group_by(&self, names: &[&str]) -> Option<LabelGroups> {
        self.selection.group_by(names)
    }

    fn slices(&self) -> Slices {
        self.selection.slices()
    }

    fn read_next(&self, index: usize, slices: &mut Slices, scratch: &mut Scratch) -> Reading<'_> {
        let Scratch { samples, slice, .. } = scratch;
        let held = self.selection.read_next(index, slices, slice)?;
        remove_stale(slice);
        samples.append(slice);
        Ok(held)
    }
}

/// Staleness markers are no samples of a range.
fn remove_stale(samples: &mut Columns) {
    if samples.floats.iter().any(|value| is_stale(*value)) {
        let mut kept = 0;
        for index in 0..samples.floats.len() {
            if !is_stale(samples.floats[index]) {
                samples.timestamps[kept] = samples.timestamps[index];
                samples.floats[kept] = samples.floats[index];
                if !samples.starts.is_empty() {
                    samples.starts[kept] = samples.starts[index];
                }
                kept += 1;
            }
        }
        samples.timestamps.truncate(kept);
        samples.floats.truncate(kept);
        samples.starts.truncate(kept);
    }
    samples.histograms.retain(|sample| !sample.histogram.is_stale());
}

/// What samples count in the budget: histograms by their size.
pub fn samples_cost(samples: &Columns) -> usize {
    let histograms = samples.histograms.iter().map(|sample| sample.histogram.sample_cost());
    samples.floats.len() + histograms.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_cover_the_range_once() {
        let range = TimeRange::new(-1_000, 3 * FIRST_SLICE_MS);
        let mut slices = Slices::new(range, 100);
        let (mut next, mut count) = (range.mint, 0);
        loop {
            let slice = slices.take();
            assert_eq!(slice.mint, next);
            next = slice.maxt.saturating_add(1);
            slices.found(100);
            count += 1;
            if slices.read_to() == Timestamp::MAX {
                assert_eq!((slice.maxt, count), (range.maxt, 4));
                break;
            }
            assert_eq!(slices.read_to(), slice.maxt);
        }
        assert!(slices.take().is_empty());
    }

    #[test]
    fn slices_grow_where_samples_are_sparse_and_skip_what_nobody_needs() {
        let mut slices = Slices::new(TimeRange::new(0, i64::MAX), 100);
        assert_eq!(slices.take().maxt, FIRST_SLICE_MS - 1);
        slices.found(0);
        slices.skip_to(2 * FIRST_SLICE_MS);
        let next = TimeRange::new(2 * FIRST_SLICE_MS, 10 * FIRST_SLICE_MS - 1);
        assert_eq!(slices.take(), next);
        assert_eq!(Slices::whole(next).take(), next);
    }
}

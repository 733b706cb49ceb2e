//! Selectors: where samples enter an evaluation. Every series is decoded once; the instant selector takes the newest
//! sample within the lookback at each step, the range selector hands the whole run to [`super::window`].

use super::ast::Selector;
use super::column::Column;
use super::functions::extended::interpolate;
use super::operator::{Meta, Operator, Scratch};
use super::query::Query;
use super::timeline::{TimeShift, Timeline};
use super::value::QueryError;
use super::window::RangeInput;
use crate::model::{TimeRange, is_stale};
use crate::read::{Columns, SeriesSet};

/// Steps between two looks at the deadline.
pub const CHECK_STEPS: usize = 1_024;

/// Series of the source and the part of them a selector needs.
struct Selection<'q> {
    query: &'q Query<'q>,
    set: Box<dyn SeriesSet>,
    series: Vec<Meta>,
    range: TimeRange,
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
        query.source_warnings.lock().extend(set.warnings());
        let series = set.labels().iter().cloned().map(Meta::new).collect();
        Ok(Selection { query, set, series, range })
    }

    fn read(&self, index: usize, samples: &mut Columns) -> Result<(), QueryError> {
        self.query.check()?;
        Ok(self.set.read(index, self.range, samples)?)
    }
}

/// What an instant selector gives of the sample it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    Value,
    /// The time of the sample, in seconds.
    Time,
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
        if selector.anchored {
            let message = "anchored modifier can only be used with range selectors";
            return Err(QueryError::Execution(message.to_string()));
        }
        let shift = query.frame.shift(&selector.time)?;
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
            while next < samples.len() && samples.timestamps[next] <= time {
                next += 1;
            }
            let sample = |index: usize| (samples.timestamps[index], samples.floats[index]);
            let Some(before) = next.checked_sub(1).map(sample) else { continue };
            if before.0 <= time.saturating_sub(query.lookback_delta_ms) {
                continue;
            }
            let ahead = time.saturating_add(query.lookback_delta_ms);
            let after = (next < samples.len()).then(|| sample(next)).filter(|s| s.0 <= ahead);
            found += 1;
            out.set(step, after.map_or(before.1, |after| interpolate(before, after, time)));
        }
        Ok(found)
    }

    /// Puts the newest sample in `(time - lookback, time]` at every step; none if that is a staleness marker.
    /// Returns how many there are.
    fn fill(&self, samples: &Columns, out: &mut Column) -> Result<u64, QueryError> {
        let query = self.selection.query;
        let mut next = 0;
        let mut found = 0;
        for step in 0..self.timeline.count {
            if step % CHECK_STEPS == CHECK_STEPS - 1 {
                query.check()?;
            }
            let time = self.shift.apply(self.timeline.time(step));
            while next < samples.len() && samples.timestamps[next] <= time {
                next += 1;
            }
            let Some(newest) = next.checked_sub(1) else { continue };
            let (timestamp, value) = (samples.timestamps[newest], samples.floats[newest]);
            if timestamp <= time.saturating_sub(query.lookback_delta_ms) || is_stale(value) {
                continue;
            }
            found += 1;
            match self.take {
                Take::Value => out.set(step, value),
                Take::Time => out.set(step, timestamp as f64 / 1e3),
            }
        }
        Ok(found)
    }
}

impl Operator for InstantSelector<'_> {
    fn series(&self) -> &[Meta] {
        &self.selection.series
    }

    fn column(
        &self,
        index: usize,
        scratch: &mut Scratch,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        out.reset(self.timeline.count);
        self.selection.read(index, &mut scratch.samples)?;
        let _held = self.selection.query.hold(scratch.samples.len())?;
        let found = if self.smoothed {
            remove_stale(&mut scratch.samples);
            self.fill_smoothed(&scratch.samples, out)?
        } else {
            self.fill(&scratch.samples, out)?
        };
        self.selection.query.count_samples(scratch.samples.len(), found);
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
        &self.selection.series
    }

    fn samples(&self, index: usize, scratch: &mut Scratch) -> Result<(), QueryError> {
        let samples = &mut scratch.samples;
        self.selection.read(index, samples)?;
        self.selection.query.count_samples(samples.len(), 0);
        remove_stale(samples);
        Ok(())
    }
}

/// Staleness markers are no samples of a range.
fn remove_stale(samples: &mut Columns) {
    if !samples.floats.iter().any(|value| is_stale(*value)) {
        return;
    }
    let mut kept = 0;
    for index in 0..samples.len() {
        if !is_stale(samples.floats[index]) {
            samples.timestamps[kept] = samples.timestamps[index];
            samples.floats[kept] = samples.floats[index];
            kept += 1;
        }
    }
    samples.timestamps.truncate(kept);
    samples.floats.truncate(kept);
}

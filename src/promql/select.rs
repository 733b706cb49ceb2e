//! Selectors: where samples enter an evaluation. Every series is decoded once, a slice of time after the other; the
//! instant selector takes the newest sample within the lookback at each step, the range selector hands all samples to
//! [`super::window`].

use super::ast::{Selector, Span};
use super::column::Column;
use super::functions::Remarks;
use super::operator::{METADATA_LABELS, Meta, Operator, Scratch};
use super::plan::Plan;
use super::query::{Held, Query};
use super::samples::{detect_resets, remove_stale, remove_starts, samples_cost, take_starts};
use super::slices::Slices;
use super::smoothed;
use super::tally::Counting;
use super::timeline::{TimeShift, Timeline};
use super::value::QueryError;
use super::window::{RangeInput, Reading};
use crate::model::groups::LabelGroups;
use crate::model::{METRIC_NAME, MatchOp, Matcher, TimeRange, Timestamp, is_stale};
use crate::read::{Columns, HistogramSample, SeriesSet};
use crate::sync::OnceLock;

/// Steps between two looks at the deadline.
pub const CHECK_STEPS: usize = 1_024;

/// Series of the source and the part of them a selector needs.
struct Selection<'q> {
    query: &'q Query<'q>,
    set: Box<dyn SeriesSet>,
    /// Made when they are asked for: an aggregation does not need them.
    series: OnceLock<Vec<Meta>>,
    range: TimeRange,
    /// The name the selector asks for, unless a series may have a label that goes where the name goes.
    one_name: Option<String>,
    detects_resets: bool,
    /// Since when samples count is of interest. `anchored` and `smoothed` know no start times.
    keeps_starts: bool,
    /// Label sets that were made to count the series.
    _held: Held<'q>,
}

/// How far from the shifted steps samples are needed: less than `back_ms` before, up to `ahead_ms` after.
#[derive(Debug, Clone, Copy)]
pub struct Reach {
    pub back_ms: i64,
    pub ahead_ms: i64,
}

impl Reach {
    pub const NONE: Reach = Reach { back_ms: 0, ahead_ms: 0 };

    /// Of an instant selector.
    pub fn of_instant(query: &Query<'_>, selector: &Selector) -> Reach {
        let back_ms = query.lookback_delta_ms;
        Reach { back_ms, ahead_ms: if selector.smoothed { back_ms } else { 0 } }
    }

    /// The time around shifted steps.
    pub fn around(self, timeline: Timeline, shift: TimeShift) -> TimeRange {
        let first = shift.apply(timeline.start).saturating_sub(self.back_ms).saturating_add(1);
        let last = shift.apply(timeline.end()).saturating_add(self.ahead_ms);
        match timeline.count {
            0 => TimeRange::EMPTY,
            _ => TimeRange::new(first, last),
        }
    }
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
        let range = reach.around(timeline, shift);
        let set = query.source.select(&selector.matchers, range)?;
        let held = query.select(set.as_ref())?;
        let is_name = |m: &&Matcher| m.name == METRIC_NAME && m.op == MatchOp::Equal;
        let one_name = selector.matchers.iter().find(is_name).map(|m| m.value.clone());
        let one_name =
            one_name.filter(|_| METADATA_LABELS.iter().all(|name| !set.may_have_label(name)));
        let series = OnceLock::new();
        let extended = selector.anchored || selector.smoothed;
        let keeps_starts = query.options.use_start_timestamps && !extended;
        let (detects_resets, _held) = (false, held);
        Ok(Selection { query, set, series, range, one_name, detects_resets, keeps_starts, _held })
    }

    fn series(&self) -> &[Meta] {
        self.series.get_or_init(|| {
            self.read_labels().unwrap_or_else(|error| {
                self.query.fail(error);
                Vec::new()
            })
        })
    }

    fn read_labels(&self) -> Result<Vec<Meta>, QueryError> {
        let series: Vec<Meta> = self.set.labels()?.iter().cloned().map(Meta::new).collect();
        match self.set.parts().is_empty() {
            true => self.query.keep_labels(&series)?,
            false => self.query.keep_clones(series.len())?,
        }
        Ok(series)
    }

    fn series_count(&self) -> usize {
        self.series.get().map_or_else(|| self.set.len(), Vec::len)
    }

    /// The groups of the series, unless their labels have been made: these are in an order of their own.
    fn group_by(&self, names: &[&str]) -> Option<LabelGroups> {
        if self.series.get().is_some() { None } else { self.set.group(names) }
    }

    fn slices(&self) -> Slices {
        let slices = Slices::new(self.range, self.query.slice_samples());
        // Whether a histogram follows a reset is told by the one before it, whether that is of use or not.
        if self.detects_resets { slices.gapless() } else { slices }
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
        let cost = samples_cost(samples);
        slices.found(cost);
        if !self.keeps_starts {
            remove_starts(samples);
        }
        if self.detects_resets {
            detect_resets(samples, &mut slices.last_histogram);
        }
        self.query.count_read(cost);
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
    /// Since when it counts, in seconds; 0 if that is not known.
    Start,
}

pub struct InstantSelector<'q> {
    selection: Selection<'q>,
    timeline: Timeline,
    shift: TimeShift,
    take: Take,
    smoothed: bool,
    counting: Counting,
    /// Of the expression, for annotations.
    span: Span,
}

impl<'q> InstantSelector<'q> {
    pub fn new(
        plan: &Plan<'q>,
        selector: &Selector,
        take: Take,
    ) -> Result<InstantSelector<'q>, QueryError> {
        let shift = plan.query.frame.shift(&selector.time)?;
        InstantSelector::shifted(plan, selector, shift, take)
    }

    /// The selector seen at times moved by `shift`, whatever its own modifiers are.
    pub fn shifted(
        plan: &Plan<'q>,
        selector: &Selector,
        shift: TimeShift,
        take: Take,
    ) -> Result<InstantSelector<'q>, QueryError> {
        if selector.anchored {
            let message = "anchored modifier can only be used with range selectors";
            return Err(QueryError::Execution(message.to_string()));
        }
        let &Plan { query, timeline, counting, .. } = plan;
        let reach = Reach::of_instant(query, selector);
        let selection = Selection::new(query, selector, timeline, shift, reach)?;
        let (smoothed, span) = (selector.smoothed, Span::default());
        Ok(InstantSelector { selection, timeline, shift, take, smoothed, counting, span })
    }

    /// Where annotations point to.
    pub fn at(mut self, span: Span) -> InstantSelector<'q> {
        self.span = span;
        self
    }

    /// Should every histogram of a counter tell whether it follows a reset, even if storage does not know?
    pub fn detecting_resets(mut self, detects: bool) -> InstantSelector<'q> {
        self.selection.detects_resets = detects;
        self
    }

    /// Puts at every step the value on the line between the samples around it. Returns how many there are.
    fn fill_smoothed(
        &self,
        index: usize,
        samples: &Columns,
        out: &mut Column,
    ) -> Result<u64, QueryError> {
        let query = self.selection.query;
        let (mut remarks, mut found) = (Remarks::default(), 0);
        for step in 0..self.timeline.count {
            if step % CHECK_STEPS == CHECK_STEPS - 1 {
                query.check()?;
            }
            let time = self.shift.apply(self.timeline.time(step));
            if let Some(element) =
                smoothed::at(samples, time, query.lookback_delta_ms, &mut remarks)
            {
                found += 1;
                out.set_element(step, element);
            }
        }
        let name = self.series().get(index).map_or("", |meta| meta.labels.metric_name());
        query.remark(self.span, name, &remarks);
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
                Take::Value | Take::Start => out.set(step, value),
                Take::Time | Take::TimeOfFloat => out.set(step, timestamp as f64 / 1e3),
            }
        }
        filling.newest = samples.floats.len().checked_sub(1).map(sample).or(filling.newest);
        if let Some(last) = samples.histograms.last() {
            filling.newest_histogram = Some(last.clone());
        }
        Ok(())
    }

    /// Counts the samples that were found, and those of every step.
    fn count_used(&self, found: u64, out: &Column) {
        let query = self.selection.query;
        query.count_used(self.counting, found);
        let Some(each_step) = query.tally.each_step(self.counting) else { return };
        out.present.iter().for_each(|step| each_step.add(step, 1));
        for (step, histogram) in out.histograms.iter() {
            each_step.add(step, histogram.sample_cost());
        }
    }

    fn put_histogram(&self, step: usize, newest: &HistogramSample, out: &mut Column) {
        match self.take {
            Take::Value | Take::TimeOfFloat => out.set_histogram(step, newest.histogram.clone()),
            Take::Time => out.set(step, newest.timestamp as f64 / 1e3),
            Take::Start => out.set(step, newest.start as f64 / 1e3),
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
            if self.take == Take::Start {
                take_starts(samples);
            }
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

    fn one_name(&self) -> Option<&str> {
        self.selection.one_name.as_deref()
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
            self.fill_smoothed(index, samples, out)?
        } else {
            self.fill_slices(index, samples, out)?
        };
        self.count_used(found, out);
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

    /// As [`InstantSelector::detecting_resets`].
    pub fn detecting_resets(mut self, detects: bool) -> RangeSelector<'q> {
        self.selection.detects_resets = detects;
        self
    }
}

impl RangeInput for RangeSelector<'_> {
    fn series(&self) -> &[Meta] {
        self.selection.series()
    }

    fn series_count(&self) -> usize {
        self.selection.series_count()
    }

    fn one_name(&self) -> Option<&str> {
        self.selection.one_name.as_deref()
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

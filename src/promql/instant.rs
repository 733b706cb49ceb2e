//! Instant selectors: at each step the newest sample within the lookback.

use super::ast::{Selector, Span};
use super::column::Column;
use super::functions::Remarks;
use super::operator::{Meta, Operator, Scratch};
use super::plan::Plan;
use super::samples::{remove_stale, take_starts};
use super::select::{CHECK_STEPS, Reach, Selection};
use super::slices::Slices;
use super::smoothed;
use super::spans::{SpansCache, Windows};
use super::tally::Counting;
use super::timeline::{TimeShift, Timeline};
use super::value::QueryError;
use crate::model::groups::LabelGroups;
use crate::model::{Timestamp, is_stale};
use crate::read::{Columns, HistogramSample};

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
        let mut selection = Selection::new(plan, selector, shift, reach)?;
        let (smoothed, span) = (selector.smoothed, Span::default());
        selection.needs_newest = timeline.count == 1 && !smoothed;
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

    /// Is it all the same to the steps which sample they find?
    fn is_plain(&self, samples: &Columns) -> bool {
        let stale = |found: bool, value: &f64| found | is_stale(*value);
        self.timeline.count > 1
            && matches!(self.take, Take::Value | Take::Start)
            && samples.histograms.is_empty()
            && !samples.floats.iter().fold(false, stale)
    }

    /// [`InstantSelector::fill`] of all steps from all samples, which are plain.
    fn fill_at_once(&self, samples: &Columns, spans: &mut SpansCache, out: &mut Column) {
        let (timeline, shift) = (self.timeline, self.shift);
        let range_ms = self.selection.query.lookback_delta_ms;
        let windows = Windows { timeline, shift, range_ms, beyond: Reach::NONE };
        let mut step = 0;
        while step < timeline.count {
            let spans = spans.find(windows, step, Timestamp::MAX, &samples.timestamps);
            for (value, span) in out.values[step..].iter_mut().zip(&spans.of) {
                // At steps without a sample any value will do.
                let newest = (span.to as usize).wrapping_sub(1);
                *value = samples.floats.get(newest).copied().unwrap_or_default();
            }
            out.present.union(&spans.some);
            step = spans.end_step();
        }
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
        scratch: &mut Scratch,
        out: &mut Column,
    ) -> Result<u64, QueryError> {
        let mut slices = self.selection.slices();
        let mut filling = Filling { step: 0, newest: None, newest_histogram: None, found: 0 };
        let Scratch { samples, spans, .. } = scratch;
        while filling.step < self.timeline.count {
            let _held = self.selection.read_next(index, &mut slices, samples)?;
            if self.take == Take::Start {
                take_starts(samples);
            }
            if filling.step == 0 && slices.read_to() == Timestamp::MAX && self.is_plain(samples) {
                self.fill_at_once(samples, spans, out);
                return Ok(out.present.count() as u64);
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
        let found = if self.smoothed {
            let samples = &mut scratch.samples;
            let mut slices = Slices::whole(self.selection.range);
            let _held = self.selection.read_next(index, &mut slices, samples)?;
            remove_stale(samples);
            self.fill_smoothed(index, samples, out)?
        } else {
            self.fill_slices(index, scratch, out)?
        };
        self.count_used(found, out);
        Ok(())
    }
}

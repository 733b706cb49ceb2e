//! Selectors: where samples enter an evaluation. Every series is decoded once, a slice of time after the other;
//! [`super::instant`] takes the newest sample within the lookback at each step, the range selector hands all samples to
//! [`super::window`].

use super::ast::Selector;
use super::operator::{METADATA_LABELS, Meta, Scratch};
use super::plan::Plan;
use super::query::{Held, Query};
use super::samples::{detect_resets, remove_stale, remove_starts, samples_cost};
use super::slices::Slices;
use super::timeline::{TimeShift, Timeline};
use super::value::QueryError;
use super::window::{RangeInput, Reading};
use crate::model::groups::LabelGroups;
use crate::model::{METRIC_NAME, MatchOp, Matcher, TimeRange};
use crate::read::{Columns, SeriesSet};
use crate::sync::OnceLock;

/// Steps between two looks at the deadline.
pub const CHECK_STEPS: usize = 1_024;

/// Short series between two looks at the deadline.
const CHECK_SERIES: usize = 16;

/// Series of the source and the part of them a selector needs.
pub struct Selection<'q> {
    pub query: &'q Query<'q>,
    set: Box<dyn SeriesSet>,
    /// Made when they are asked for: an aggregation does not need them.
    series: OnceLock<Vec<Meta>>,
    pub range: TimeRange,
    /// The name the selector asks for, unless a series may have a label that goes where the name goes.
    pub one_name: Option<String>,
    pub detects_resets: bool,
    /// Of every slice the last sample is enough.
    pub needs_newest: bool,
    /// Since when samples count is of interest. `anchored` and `smoothed` know no start times.
    keeps_starts: bool,
    /// Label sets that were made to count the series.
    _held: Held<'q>,
}

/// How far from the shifted steps samples are needed: less than `back_ms` before, up to `ahead_ms` after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    pub fn new(
        plan: &Plan<'q>,
        selector: &Selector,
        shift: TimeShift,
        reach: Reach,
    ) -> Result<Selection<'q>, QueryError> {
        let query = plan.query;
        query.check()?;
        let range = reach.around(plan.timeline, shift);
        let set = query.source.select(&selector.matchers, range)?;
        if plan.any_order {
            set.take_any_order();
        }
        let held = query.select(set.as_ref())?;
        let is_name = |m: &&Matcher| m.name == METRIC_NAME && m.op == MatchOp::Equal;
        let one_name = selector.matchers.iter().find(is_name).map(|m| m.value.clone());
        let one_name =
            one_name.filter(|_| METADATA_LABELS.iter().all(|name| !set.may_have_label(name)));
        let series = OnceLock::new();
        let extended = selector.anchored || selector.smoothed;
        let keeps_starts = query.options.use_start_timestamps && !extended;
        let (detects_resets, needs_newest, _held) = (false, false, held);
        Ok(Selection {
            query,
            set,
            series,
            range,
            one_name,
            detects_resets,
            needs_newest,
            keeps_starts,
            _held,
        })
    }

    pub fn series(&self) -> &[Meta] {
        self.series.get_or_init(|| {
            self.read_labels().unwrap_or_else(|error| {
                self.query.fail(error);
                Vec::new()
            })
        })
    }

    fn read_labels(&self) -> Result<Vec<Meta>, QueryError> {
        let (query, set) = (self.query, self.set.as_ref());
        if !set.parts().is_empty() {
            let series: Vec<Meta> = set.labels()?.iter().cloned().map(Meta::new).collect();
            query.keep_clones(series.len())?;
            return Ok(series);
        }
        let mut series = query.make_labels(set.len(), |chunk| {
            Ok(set.labels_within(chunk)?.into_iter().map(Meta::new).collect())
        })?;
        // A set that had to go on without some labels has none.
        series.truncate(set.len());
        Ok(series)
    }

    pub fn series_count(&self) -> usize {
        self.series.get().map_or_else(|| self.set.len(), Vec::len)
    }

    /// The groups of the series, unless their labels have been made: these are in an order of their own.
    pub fn group_by(&self, names: &[&str]) -> Option<LabelGroups> {
        if self.series.get().is_some() { None } else { self.set.group(names) }
    }

    pub fn slices(&self) -> Slices {
        let slices = Slices::new(self.range, self.query.slice_samples());
        // Whether a histogram follows a reset is told by the one before it, whether that is of use or not.
        if self.detects_resets { slices.gapless() } else { slices }
    }

    /// Replaces `samples` with those of the next slice.
    pub fn read_next(
        &self,
        index: usize,
        slices: &mut Slices,
        samples: &mut Columns,
    ) -> Result<Held<'q>, QueryError> {
        // To look at the clock takes as long as to read a short series.
        match index.is_multiple_of(CHECK_SERIES) {
            true => self.query.check()?,
            false => self.query.check_canceled()?,
        }
        // Whether a histogram follows a reset, the one before it tells.
        match self.needs_newest && !self.detects_resets {
            true => self.set.read_newest(index, slices.take(), samples)?,
            false => self.set.read(index, slices.take(), samples)?,
        }
        let cost = samples_cost(samples);
        if cost >= CHECK_STEPS {
            self.query.check()?;
        }
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

/// The samples of whole series.
pub struct RangeSelector<'q> {
    selection: Selection<'q>,
}

impl<'q> RangeSelector<'q> {
    pub fn new(
        plan: &Plan<'q>,
        selector: &Selector,
        shift: TimeShift,
        reach: Reach,
    ) -> Result<RangeSelector<'q>, QueryError> {
        let mut selection = Selection::new(plan, selector, shift, reach)?;
        selection.detects_resets = plan.detects_resets;
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

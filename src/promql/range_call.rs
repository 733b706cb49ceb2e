//! Functions of range vectors: one value per window. Windows of floats alone go to the plain function; those with
//! histograms, and of counters whose start times are known, to the one of mixed samples.

use super::ast::Span;
use super::column::{Column, Element};
use super::functions::whole::WholeFunction;
use super::functions::{
    MixedFunction, RangeFunction, Remark, Remarks, Sliding, SlidingFunction, Window,
};
use super::operator::{Meta, Operator, Scratch};
use super::query::Held;
use super::value::QueryError;
use super::window::{RangeVector, Slice};
use crate::model::groups::LabelGroups;
use crate::read::Columns;

/// A function of a range vector and of scalars, applied to every series.
pub struct RangeCall<'q> {
    pub range: RangeVector<'q>,
    pub function: RangeFunction,
    /// The same function of all windows at once, if it has such a form.
    pub whole: Option<WholeFunction>,
    /// The same function of windows that overlap, if it has such a form.
    pub sliding: Option<SlidingFunction>,
    /// Of windows with histograms; `None`: they are passed over.
    pub mixed: Option<MixedFunction>,
    /// The function knows what start times mean: it is `mixed` that looks at them.
    pub uses_start_times: bool,
    /// The scalar arguments, each with a value per step.
    pub args: Vec<Vec<f64>>,
    pub notes: Notes,
}

/// What a call has to tell the user about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notes {
    None,
    /// The function expects a counter.
    Counter,
    /// The first argument is a quantile, written here.
    Quantile(Span),
}

/// What a sliding function keeps of every sample of a window at most, in samples.
const SLIDING_COST: usize = 3;
/// States up to this, in samples, are not looked at: a few per thread at a time.
const SLIDING_FREE: usize = 1 << 14;

/// What evaluating a series keeps from slice to slice.
struct State<'q> {
    args: Vec<f64>,
    remarks: Remarks,
    /// Of windows that overlap, once one is looked at.
    sliding: Option<Box<dyn Sliding>>,
    /// What `sliding` keeps.
    held: Held<'q>,
}

/// What the names of counters end in.
const COUNTER_SUFFIXES: [&str; 4] = ["_total", "_sum", "_count", "_bucket"];

/// Is this the name of a counter, or none?
pub fn is_counter_name(name: &str) -> bool {
    name.is_empty() || COUNTER_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

impl<'q> RangeCall<'q> {
    fn evaluate(
        &self,
        index: usize,
        scratch: &mut Scratch,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        let mut state = State {
            args: vec![0.0; self.args.len()],
            remarks: Remarks::default(),
            sliding: None,
            held: self.range.query.hold(0)?,
        };
        self.range.for_each_slice(index, scratch, |slice| {
            match self.whole.filter(|_| self.is_plain_all(slice.samples)) {
                Some(whole) if whole_results(whole, slice, out) => Ok(()),
                _ => self.evaluate_windows(slice, &mut state, out),
            }
        })?;
        if !state.remarks.is_empty() {
            let name = self.metric_name(index);
            self.range.query.remark(self.range.span, name, &state.remarks);
        }
        Ok(())
    }

    /// Are all windows over these samples for the plain function?
    fn is_plain_all(&self, samples: &Columns) -> bool {
        samples.histograms.is_empty() && (samples.starts.is_empty() || !self.uses_start_times)
    }

    fn evaluate_windows(
        &self,
        slice: &Slice<'_>,
        state: &mut State<'q>,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        let State { args, remarks, sliding, held } = state;
        if let Some(start) = self.sliding.filter(|_| self.range.windows.overlap()) {
            sliding.get_or_insert_with(start);
        }
        slice.for_each_window(self.range.query, |step, from, window| {
            for (arg, values) in args.iter_mut().zip(&self.args) {
                *arg = values[step];
            }
            let cost = window.values.len().saturating_mul(SLIDING_COST);
            if sliding.is_some() && cost > SLIDING_FREE.max(held.samples()) {
                held.absorb(self.range.query.hold(cost - held.samples())?);
            }
            if self.is_plain(window) {
                let value = match sliding {
                    // Sums that overflow on the way depend on where they begin.
                    Some(sliding) => match sliding.result(window, from, args) {
                        Some(value) if !value.is_finite() => (self.function)(window, args),
                        value => value,
                    },
                    None => (self.function)(window, args),
                };
                if let Some(value) = value {
                    out.set(step, value);
                }
            } else if let Some(element) = self.of_mixed(window, args, remarks) {
                out.set_element(step, element);
            }
            Ok(())
        })
    }

    /// The name of the metric of a series.
    fn metric_name(&self, index: usize) -> &str {
        let input = &self.range.input;
        // Without series the query fails anyway: their labels could not be read.
        let named = || input.series().get(index).map_or("", |meta| meta.labels.metric_name());
        input.one_name().unwrap_or_else(named)
    }

    /// Is the window one for the plain function?
    fn is_plain(&self, window: &Window<'_>) -> bool {
        window.histograms.is_empty() && (window.starts.is_empty() || !self.uses_start_times)
    }

    fn of_mixed(
        &self,
        window: &Window<'_>,
        args: &[f64],
        remarks: &mut Remarks,
    ) -> Option<Element> {
        if let Some(mixed) = self.mixed {
            return mixed(window, args, remarks);
        }
        if window.values.is_empty() {
            return None;
        }
        remarks.add(Remark::HistogramsIgnored);
        (self.function)(&Window { histograms: &[], ..*window }, args).map(Element::Float)
    }

    fn note_counter(&self, index: usize) {
        let name = self.metric_name(index);
        if is_counter_name(name) {
            return;
        }
        let message = format!(
            "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {name:?}"
        );
        self.range.query.info(self.range.span, message);
    }
}

/// Puts the results of all windows of a slice into `out`; false if the windows must be looked at one by one.
fn whole_results(whole: WholeFunction, slice: &mut Slice<'_>, out: &mut Column) -> bool {
    let Slice { samples, spans, .. } = slice;
    let steps = spans.first_step..spans.end_step();
    let Some((spans, pairs, stretches)) = spans.stretched(&samples.timestamps, whole.per_second)
    else {
        return false;
    };
    whole.results(spans, stretches, &samples.floats, &mut out.values[steps]);
    out.present.union(pairs);
    true
}

impl Operator for RangeCall<'_> {
    fn series(&self) -> &[Meta] {
        self.range.input.series()
    }

    fn series_count(&self) -> usize {
        self.range.input.series_count()
    }

    fn drops_names(&self) -> Option<bool> {
        // A subquery may have dropped some.
        self.range.input.one_name().map(|_| false)
    }

    fn one_name(&self) -> Option<&str> {
        self.range.input.one_name()
    }

    fn group_by(&self, names: &[&str]) -> Option<LabelGroups> {
        self.range.input.group_by(names)
    }

    fn column(
        &self,
        index: usize,
        scratch: &mut Scratch,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        out.reset(self.range.windows.timeline.count);
        self.evaluate(index, scratch, out)?;
        match self.notes {
            Notes::Counter if !out.present.is_empty() => self.note_counter(index),
            Notes::Quantile(span) if !out.is_empty() => {
                self.range.query.check_quantiles(span, &self.args[0]);
            }
            _ => {}
        }
        Ok(())
    }
}

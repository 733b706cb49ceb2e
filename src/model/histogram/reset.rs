//! Counter resets: does a histogram count from zero again, compared with the one before it in its series?

use super::layout::Layout;
use super::{Histogram, ResetHint};

impl Histogram {
    /// Was the counter reset between `previous` and this? The hint decides if it says so; a gauge is looked at as if it
    /// were a counter, which is for the caller to warn of. A counter never moves to a finer schema, to a narrower zero
    /// bucket or between exponential and custom buckets, and none of its buckets ever shrinks.
    pub fn is_reset_after(&self, previous: &Histogram) -> bool {
        match self.hint {
            ResetHint::Reset => return true,
            ResetHint::NotReset => return false,
            ResetHint::Unknown | ResetHint::Gauge => {}
        }
        if self.count < previous.count {
            return true;
        }
        let Some(layout) = self.layout_to_compare(previous) else { return true };
        let (current, previous) = (self.fitted(&layout), previous.fitted(&layout));
        current.zero_count < previous.zero_count
            || current.positive.any_below(&previous.positive)
            || current.negative.any_below(&previous.negative)
    }

    /// The layout a counter without a reset can be compared in with `previous`, if there is one.
    fn layout_to_compare(&self, previous: &Histogram) -> Option<Layout> {
        if self.uses_custom_buckets() || previous.uses_custom_buckets() {
            return Layout::common(self, previous).ok();
        }
        let coarser = self.schema <= previous.schema
            && self.zero_threshold >= previous.covering_threshold(self.zero_threshold);
        coarser.then_some(Layout::Exponential {
            schema: self.schema,
            zero_threshold: self.zero_threshold,
        })
    }
}

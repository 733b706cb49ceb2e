//! The smoothed instant selector (Prometheus docs, "Extended range selectors"): the value on the line between the
//! samples around a time, within the lookback of either side; after the last sample, that one's value.

use super::column::Element;
use super::functions::extended::{interpolate, interpolate_histograms};
use super::functions::{Remark, Remarks};
use crate::model::Timestamp;
use crate::read::{Columns, HistogramSample};

/// The value at `time`; `samples` without staleness markers. Floats and histograms within the lookback cannot be on one
/// line.
pub fn at(
    samples: &Columns,
    time: Timestamp,
    lookback_ms: i64,
    remarks: &mut Remarks,
) -> Option<Element> {
    let oldest = time.saturating_sub(lookback_ms).saturating_add(1);
    let newest = time.saturating_add(lookback_ms);
    let float_at = |index: usize| (samples.timestamps[index], samples.floats[index]);
    let floats = Around::of(&samples.timestamps, |timestamp| *timestamp, [oldest, time, newest]);
    let timestamp = |sample: &HistogramSample| sample.timestamp;
    let histograms = Around::of(&samples.histograms, timestamp, [oldest, time, newest]);
    if floats.is_some() && histograms.is_some() {
        remarks.add(Remark::MixedKinds);
        return None;
    }
    if let Some(Around { before, after }) = floats {
        let before = float_at(before?);
        let after = after.filter(|_| before.0 < time).map(float_at);
        let value = after.map_or(before.1, |after| interpolate(before, after, time));
        return Some(Element::Float(value));
    }
    let Around { before, after } = histograms?;
    let before = &samples.histograms[before?];
    let after = after.map(|index| &samples.histograms[index]);
    match after.filter(|_| before.timestamp < time) {
        Some(after) => interpolate_histograms(before, after, time, remarks).map(Element::from),
        None => Some(Element::Histogram(before.histogram.clone())),
    }
}

/// The samples next to a time, at least one of them: at or before it, and after it.
struct Around {
    before: Option<usize>,
    after: Option<usize>,
}

impl Around {
    fn of<T>(
        samples: &[T],
        timestamp: impl Fn(&T) -> Timestamp,
        [oldest, time, newest]: [Timestamp; 3],
    ) -> Option<Around> {
        let next = samples.partition_point(|sample| timestamp(sample) <= time);
        let within = |index: &usize| {
            samples.get(*index).is_some_and(|s| (oldest..=newest).contains(&timestamp(s)))
        };
        let before = next.checked_sub(1).filter(within);
        let after = Some(next).filter(within);
        (before.is_some() || after.is_some()).then_some(Around { before, after })
    }
}

//! What selectors do with samples just read, before anybody evaluates them.

use crate::model::histogram::ResetHint;
use crate::model::{Histogram, is_stale};
use crate::read::Columns;
use crate::sync::Arc;

/// Staleness markers are no samples of a range.
pub fn remove_stale(samples: &mut Columns) {
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

/// Forgets since when the samples count.
pub fn remove_starts(samples: &mut Columns) {
    samples.starts.clear();
    samples.histograms.iter_mut().for_each(|sample| sample.start = 0);
}

/// Puts the start times in the place of the values, in seconds; staleness markers stay.
pub fn take_starts(samples: &mut Columns) {
    for (index, value) in samples.floats.iter_mut().enumerate() {
        if !is_stale(*value) {
            *value = samples.starts.get(index).copied().unwrap_or(0) as f64 / 1e3;
        }
    }
}

/// Says of every histogram of a counter whether it is the first after a reset: of the first here, compared with
/// `last`, the one before it in its series. Becomes the last of all.
pub fn detect_resets(samples: &mut Columns, last: &mut Option<Arc<Histogram>>) {
    for sample in samples.histograms.iter_mut().filter(|sample| !sample.histogram.is_stale()) {
        if let Some(before) = last
            && sample.histogram.hint == ResetHint::Unknown
        {
            let is_reset = sample.histogram.is_reset_after(before);
            let hint = if is_reset { ResetHint::Reset } else { ResetHint::NotReset };
            Arc::make_mut(&mut sample.histogram).hint = hint;
        }
        *last = Some(sample.histogram.clone());
    }
}

/// Forgets what is known of resets: the histogram before is another one than in the series the hint comes from.
pub fn forget_resets(histogram: &mut Arc<Histogram>) {
    if matches!(histogram.hint, ResetHint::Reset | ResetHint::NotReset) {
        Arc::make_mut(histogram).hint = ResetHint::Unknown;
    }
}

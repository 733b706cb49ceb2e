//! The range functions of windows that hold histograms.

use super::{MixedFunction, Remark};
use crate::promql::column::Element;

/// The function of this name for windows with histograms; `None` if it passes over them.
pub fn mixed_function(name: &str) -> Option<MixedFunction> {
    Some(match name {
        "last_over_time" => |window, _, _| {
            let float = window.timestamps.last().copied();
            let histogram = window.histograms.last()?;
            match float > Some(histogram.timestamp) {
                true => window.values.last().copied().map(Element::Float),
                false => Some(Element::Histogram(histogram.histogram.clone())),
            }
        },
        "sum_over_time" => |window, _, remarks| {
            if !window.values.is_empty() {
                remarks.add(Remark::MixedKinds);
            }
            None
        },
        _ => return None,
    })
}

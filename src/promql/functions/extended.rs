//! The functions of range selectors with `anchored` or `smoothed` (Prometheus docs, "Extended range selectors"): the
//! values at the edges of the window come from samples at or around them, and nothing is extrapolated.
//!
//! The windows here hold more than their range: up to a lookback before it, and for `smoothed` after it as well.
//! 1. The left edge is the newest sample at or before it, else the oldest in range. Smoothed, it lies on the line
//!    from that sample to the next.
//! 2. The right edge is the newest sample at or before it. Smoothed, it lies on the line to the next sample.
//! 3. A counter that is reset along such a line starts from zero at the line's beginning.
//! 4. Without a sample in range (smoothed: or a line through it) there is no answer.

pub use super::extended_histograms::{extended_mixed_function, interpolate_histograms};
use super::{RangeFunction, Window, rate};

/// Where the values at the edges of a window come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edges {
    Anchored,
    Smoothed,
}

impl Edges {
    pub fn as_str(self) -> &'static str {
        match self {
            Edges::Anchored => "anchored",
            Edges::Smoothed => "smoothed",
        }
    }
}

/// The function of this name for windows with such edges.
///
/// # Errors
/// The function does not take such a selector; the text is the query's error, in Prometheus' words.
pub fn extended_function(edges: Edges, name: &str) -> Result<RangeFunction, String> {
    Ok(match (edges, name) {
        (Edges::Anchored, "increase") => |w, _| difference(w, Edges::Anchored, true),
        (Edges::Anchored, "rate") => |w, _| per_second(w, difference(w, Edges::Anchored, true)),
        (Edges::Anchored, "delta") => |w, _| difference(w, Edges::Anchored, false),
        (Edges::Anchored, "changes") => |w, _| rate::changes(&anchored(w)?, &[]),
        (Edges::Anchored, "resets") => |w, _| rate::resets(&anchored(w)?, &[]),
        (Edges::Smoothed, "increase") => |w, _| difference(w, Edges::Smoothed, true),
        (Edges::Smoothed, "rate") => |w, _| per_second(w, difference(w, Edges::Smoothed, true)),
        (Edges::Smoothed, "delta") => |w, _| difference(w, Edges::Smoothed, false),
        _ => {
            let allowed = match edges {
                Edges::Anchored => "changes, delta, increase, rate, resets",
                Edges::Smoothed => "delta, increase, rate",
            };
            let modifier = edges.as_str();
            return Err(format!(
                "{modifier} modifier can only be used with: {allowed} - not with {name}"
            ));
        }
    })
}

/// The value at `time` on the line between two samples, `(time, value)` each.
pub fn interpolate(before: (i64, f64), after: (i64, f64), time: i64) -> f64 {
    let share = (time - before.0) as f64 / (after.0 - before.0) as f64;
    before.1 + (after.1 - before.1) * share
}

fn per_second(window: &Window<'_>, difference: Option<f64>) -> Option<f64> {
    let range_seconds = (window.range_end - window.range_start) as f64 / 1000.0;
    difference.map(|difference| difference / range_seconds)
}

/// The samples from the left edge's on, if there are any in range.
fn anchored<'a>(window: &Window<'a>) -> Option<Window<'a>> {
    if *window.timestamps.last()? <= window.range_start {
        return None;
    }
    let first = first_index(window);
    Some(Window {
        timestamps: &window.timestamps[first..],
        values: &window.values[first..],
        ..*window
    })
}

/// The newest sample at or before the left edge, else the oldest.
fn first_index(window: &Window<'_>) -> usize {
    window.timestamps.partition_point(|t| *t <= window.range_start).saturating_sub(1)
}

/// What a window comes down to: the values at its edges and the samples between them.
struct Ends<'a> {
    left: f64,
    times: &'a [i64],
    inner: &'a [f64],
    right: f64,
}

/// From the value at the left edge to that at the right, resets of a counter undone.
fn difference(window: &Window<'_>, edges: Edges, is_counter: bool) -> Option<f64> {
    let Ends { left, inner, right, .. } = ends(window, edges, is_counter)?;
    let values = std::iter::once(left).chain(inner.iter().copied()).chain([right]);
    let lost = if is_counter { rate::lost_in(values) } else { 0.0 };
    Some(right - left + lost)
}

/// The samples that stand for the window outside of any function, by time: those within, and one at either edge.
pub fn points(window: &Window<'_>, edges: Edges) -> Vec<(i64, f64)> {
    let Some(Ends { left, times, inner, right }) = ends(window, edges, false) else {
        return Vec::new();
    };
    let inner = times.iter().copied().zip(inner.iter().copied());
    let left = std::iter::once((window.range_start, left));
    left.chain(inner).chain([(window.range_end, right)]).collect()
}

fn ends<'a>(window: &Window<'a>, edges: Edges, is_counter: bool) -> Option<Ends<'a>> {
    let Window { timestamps, values, range_start, range_end, .. } = *window;
    let newest = timestamps.len().checked_sub(1)?;
    let first = first_index(window);
    let last = match edges {
        Edges::Anchored => newest,
        Edges::Smoothed => timestamps.partition_point(|t| *t < range_end).min(newest),
    };
    if timestamps[last] <= range_start || timestamps[first] > range_end {
        return None;
    }
    let line = |from: usize, time| {
        let (start, end) = (values[from], values[from + 1]);
        let start = if is_counter && end < start { 0.0 } else { start };
        interpolate((timestamps[from], start), (timestamps[from + 1], end), time)
    };
    let smoothed = edges == Edges::Smoothed;
    let left = if smoothed && timestamps[first] < range_start {
        line(first, range_start)
    } else {
        values[first]
    };
    let right = if smoothed && last > 0 && timestamps[last] > range_end {
        line(last - 1, range_end)
    } else {
        values[last]
    };
    let inner_start = first + usize::from(timestamps[first] <= range_start);
    let inner_end = last + usize::from(timestamps[last] < range_end);
    let times = timestamps.get(inner_start..inner_end).unwrap_or(&[]);
    let inner = values.get(inner_start..inner_end).unwrap_or(&[]);
    Some(Ends { left, times, inner, right })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{WindowOf, close};
    use super::*;

    fn of(edges: Edges, name: &str, values: &[f64], start: i64, end: i64) -> Option<f64> {
        let series = WindowOf::every(10, values);
        let function = extended_function(edges, name).unwrap();
        function(&series.window(start, end), &[])
    }

    #[test]
    fn anchored_takes_the_samples_at_or_before_the_edges() {
        let anchored =
            |name, start, end| of(Edges::Anchored, name, &[1.0, 2.0, 4.0, 1.0], start, end);
        assert_eq!(anchored("increase", 5, 30), Some(4.0));
        assert_eq!(anchored("delta", 5, 30), Some(0.0));
        assert_eq!(anchored("rate", 5, 30), Some(160.0));
        assert_eq!(anchored("changes", 10, 30), Some(2.0));
        assert_eq!(anchored("resets", 15, 30), Some(1.0));
        assert_eq!(anchored("increase", 30, 40), None);
        assert_eq!(anchored("changes", 30, 40), None);
        assert_eq!(anchored("increase", -10, 30), Some(4.0));
    }

    #[test]
    fn smoothed_lies_on_lines_between_samples() {
        let smoothed =
            |name, values: &[f64], start, end| of(Edges::Smoothed, name, values, start, end);
        assert!(close(smoothed("increase", &[1.0, 2.0, 4.0], 5, 15), 1.5));
        assert!(close(smoothed("delta", &[4.0, 2.0, 4.0], 5, 15), 0.0));
        // Both edges on one line, along which the counter is reset.
        assert!(close(smoothed("increase", &[100.0, 10.0], 2, 8), 6.0));
        // Reset on the left, within, and on the right: from 4 to 8, down to 5, down to 2 of 4.
        assert!(close(smoothed("increase", &[9.0, 8.0, 5.0, 4.0], 5, 25), 4.0 + 5.0 + 2.0));
        assert_eq!(smoothed("increase", &[1.0, 2.0], -20, -10), None);
        assert_eq!(smoothed("increase", &[1.0, 2.0], 10, 20), None);
        assert_eq!(smoothed("increase", &[], 10, 20), None);
    }

    #[test]
    fn other_functions_say_which_are_allowed() {
        assert_eq!(
            extended_function(Edges::Smoothed, "resets").unwrap_err(),
            "smoothed modifier can only be used with: delta, increase, rate - not with resets"
        );
        assert!(extended_function(Edges::Anchored, "irate").unwrap_err().ends_with("irate"));
    }
}

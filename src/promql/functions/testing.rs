//! Fixtures of the tests of the range functions.

use super::Window;

/// Samples to take windows of.
pub struct WindowOf {
    timestamps: Vec<i64>,
    values: Vec<f64>,
}

impl WindowOf {
    /// Values at 0, `step_ms`, 2 * `step_ms`, ...
    pub fn every(step_ms: i64, values: &[f64]) -> WindowOf {
        let timestamps = (0..values.len() as i64).map(|index| index * step_ms).collect();
        WindowOf { timestamps, values: values.to_vec() }
    }

    /// All samples, as the window from `start_ms` (excluded) to `end_ms`.
    pub fn window(&self, start_ms: i64, end_ms: i64) -> Window<'_> {
        Window {
            timestamps: &self.timestamps,
            values: &self.values,
            starts: &[],
            histograms: &[],
            range_start: start_ms,
            range_end: end_ms,
            eval_time: end_ms,
        }
    }
}

pub fn close(got: Option<f64>, want: f64) -> bool {
    got.is_some_and(|got| (got - want).abs() <= 1e-9 * want.abs().max(1.0))
}

//! When the samples of the comparison lie and when it asks. All of it is the same in every run.
//!
//! Prometheus 2.42 includes the left edge of a range, 3.x does not. Samples lie at milliseconds other than 0 and 500 of their
//! second, questions at 500 and the steps of subqueries at 0, so that no sample lies on an edge; but for those of `edge`
//! and the questions about them, where the difference is to show.

use crate::crash::Random;
use crate::remote_write::Series;

/// The 29th of February 2024, 0:00 UTC: the first sample.
pub const BEGIN_MS: i64 = 1_709_164_800_000;
/// Between two samples of a series.
pub const SCRAPE_MS: i64 = 15_000;
/// Samples of a series: 72 minutes.
pub const SCRAPES: i64 = 288;
pub const MINUTE_MS: i64 = 60_000;

/// When a query is asked: at two single times and at the steps of a range.
pub struct Questions {
    pub instants_ms: [i64; 2],
    pub range_start_ms: i64,
    pub range_end_ms: i64,
    pub range_step_ms: i64,
}

/// Half a second behind whole ones; some steps lie before the first sample and behind the last.
pub const BETWEEN_SAMPLES: Questions = Questions {
    instants_ms: [BEGIN_MS + 31 * MINUTE_MS + 500, BEGIN_MS + 64 * MINUTE_MS + 500],
    range_start_ms: BEGIN_MS - MINUTE_MS + 500,
    range_end_ms: BEGIN_MS + 78 * MINUTE_MS + 500,
    range_step_ms: 137_000,
};

/// Not where a range reaches back before the recording: some of its counters are young then (see `rules`).
pub const WITHIN_RECORDING: Questions =
    Questions { range_start_ms: BEGIN_MS + 11 * MINUTE_MS + 500, ..BETWEEN_SAMPLES };

/// Where samples of `edge` lie.
pub const ON_SAMPLES: Questions = Questions {
    instants_ms: [BEGIN_MS + 31 * MINUTE_MS, BEGIN_MS + 64 * MINUTE_MS],
    range_start_ms: BEGIN_MS + 5 * MINUTE_MS,
    range_end_ms: BEGIN_MS + 75 * MINUTE_MS,
    range_step_ms: 2 * MINUTE_MS,
};

/// A timestamp at which no edge of a range lies.
pub fn off_edges(timestamp_ms: i64) -> i64 {
    if matches!(timestamp_ms.rem_euclid(1000), 0 | 500) { timestamp_ms + 1 } else { timestamp_ms }
}

/// Any numbers, the same for the same seed.
pub fn random(seed: u64) -> Random {
    // Odd, since the generator must not begin at 0.
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    for _ in 0..8 {
        random.below(1);
    }
    random
}

/// A series of a sample per scrape, a little late as real ones are; none where `value` gives none.
pub fn series(
    name: &str,
    labels: &[(&str, &str)],
    mut value: impl FnMut(i64, &mut Random) -> Option<f64>,
) -> Series {
    let mut own: Vec<(String, String)> =
        labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    own.push(("__name__".to_string(), name.to_string()));
    own.sort();
    let bytes = own.iter().flat_map(|(name, value)| [name, "=", value, ","].concat().into_bytes());
    let seed = bytes.fold(7, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
    let mut random = random(seed);
    let offset_ms = random.below(SCRAPE_MS as u64 - 100) as i64;
    let mut samples = Vec::new();
    for scrape in 0..SCRAPES {
        let late_ms = random.below(5) as i64;
        if let Some(value) = value(scrape, &mut random) {
            let timestamp_ms = BEGIN_MS + scrape * SCRAPE_MS + offset_ms + late_ms;
            samples.push((off_edges(timestamp_ms), value));
        }
    }
    Series { labels: own, samples }
}

/// A counter that begins at `value`, grows by less than `growth`, and begins anew once in `reset_one_in` samples.
pub fn counter(
    mut value: u64,
    growth: u64,
    reset_one_in: u64,
) -> impl FnMut(i64, &mut Random) -> Option<f64> {
    move |_, random| {
        value = if random.below(reset_one_in) == 0 { 0 } else { value };
        value += random.below(growth);
        Some(value as f64)
    }
}

/// A gauge of two decimals around `middle`.
pub fn gauge(middle: f64, width: u64) -> impl FnMut(i64, &mut Random) -> Option<f64> {
    move |_, random| {
        let hundredths = random.below(width * 100) as f64 - width as f64 * 50.0;
        Some((middle * 100.0 + hundredths).round() / 100.0)
    }
}

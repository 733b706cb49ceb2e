//! What an answer has to tell the user: warnings and infos by their text, each at the first place in the query that has cause
//! for it. Some sum up all steps, so they are worded at the end.

use std::collections::{BTreeMap, BTreeSet};

/// Sentences by text, with the byte of the query where each begins.
#[derive(Debug, Default)]
pub struct Notes {
    /// What must be told.
    certain: BTreeMap<String, u32>,
    /// What may be told as well: the engine looks at all steps at once.
    possible: BTreeSet<String>,
    /// The parameters that should be within limits, by place.
    parameters: BTreeMap<(Limited, u32), Vec<f64>>,
    /// The places of parameters that something came of.
    used: BTreeSet<u32>,
    /// By metric name, of buckets that fall: place, bounds, differences and times.
    repairs: BTreeMap<String, (u32, Vec<Repair>)>,
    /// By metric name, windows whose samples start before the one before was taken.
    overlaps: BTreeMap<String, (u32, u64)>,
}

/// A parameter that has limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limited {
    Quantile,
    Ratio,
}

/// Counts of classic buckets that were raised.
#[derive(Debug, Clone, Copy)]
pub struct Repair {
    pub lowest: f64,
    pub highest: f64,
    pub largest_raise: f64,
    pub time: i64,
}

impl Notes {
    pub fn warn(&mut self, place: u32, text: impl Into<String>) {
        self.tell(place, format!("PromQL warning: {}", text.into()));
    }

    pub fn info(&mut self, place: u32, text: impl Into<String>) {
        self.tell(place, format!("PromQL info: {}", text.into()));
    }

    pub fn may_info(&mut self, text: impl Into<String>) {
        self.possible.insert(format!("PromQL info: {}", text.into()));
    }

    pub fn may_warn(&mut self, text: impl Into<String>) {
        self.possible.insert(format!("PromQL warning: {}", text.into()));
    }

    fn tell(&mut self, place: u32, text: String) {
        let first = self.certain.entry(text).or_insert(place);
        *first = place.min(*first);
    }

    /// Something came of the parameter here.
    pub fn used(&mut self, place: u32) {
        self.used.insert(place);
    }

    pub fn parameter(&mut self, limited: Limited, place: u32, value: f64) {
        self.parameters.entry((limited, place)).or_default().push(value);
    }

    pub fn repair(&mut self, place: u32, metric: &str, repair: Repair) {
        let (first, all) = self.repairs.entry(metric.to_string()).or_insert((place, Vec::new()));
        *first = place.min(*first);
        all.push(repair);
    }

    pub fn overlap(&mut self, place: u32, metric: &str) {
        let (first, windows) = self.overlaps.entry(metric.to_string()).or_insert((place, 0));
        *first = place.min(*first);
        *windows += 1;
    }

    /// All that must be told, as sentences; and the texts that may be told, without a place.
    pub fn sentences(mut self) -> (BTreeSet<String>, BTreeSet<String>) {
        for ((limited, place), values) in std::mem::take(&mut self.parameters) {
            if self.used.contains(&place) {
                limited.complaints(&values).into_iter().for_each(|text| self.warn(place, text));
            }
        }
        for (metric, (place, windows)) in std::mem::take(&mut self.overlaps) {
            let times =
                if windows > 1 { format!(" ({windows} occurrences)") } else { String::new() };
            let text =
                "sample has start time that overlaps with previous sample timestamp for metric";
            self.warn(place, format!("{text} {metric:?}{times}"));
        }
        for (metric, (place, repairs)) in std::mem::take(&mut self.repairs) {
            self.info(place, repaired(&metric, &repairs));
        }
        let at = |(text, place): (String, u32)| format!("{text} (1:{})", place + 1);
        (self.certain.into_iter().map(at).collect(), self.possible)
    }
}

impl Limited {
    /// Of all values only the largest, the smallest, and that there is a NaN.
    fn complaints(self, values: &[f64]) -> Vec<String> {
        let largest = values.iter().copied().fold(f64::NAN, f64::max);
        let smallest = values.iter().copied().fold(f64::NAN, f64::min);
        let mut texts = Vec::new();
        match self {
            Limited::Quantile => {
                let has_nan = values.iter().any(|value| value.is_nan());
                let nan = has_nan.then_some(f64::NAN);
                let wrong =
                    [nan, Some(largest).filter(|v| *v > 1.0), Some(smallest).filter(|v| *v < 0.0)];
                for value in wrong.into_iter().flatten() {
                    let value = general(value);
                    texts.push(format!("quantile value should be between 0 and 1, got {value}"));
                }
            }
            Limited::Ratio => {
                for (value, cap, is_wrong) in
                    [(largest, 1, largest > 1.0), (smallest, -1, smallest < -1.0)]
                {
                    let value = general(value);
                    let text = format!(
                        "ratio value should be between -1 and 1, got {value}, capping to {cap}"
                    );
                    texts.extend(is_wrong.then_some(text));
                }
            }
        }
        texts
    }
}

fn repaired(metric: &str, repairs: &[Repair]) -> String {
    let lowest = repairs.iter().map(|repair| repair.lowest).fold(f64::INFINITY, f64::min);
    let highest = repairs.iter().map(|repair| repair.highest).fold(f64::NEG_INFINITY, f64::max);
    let raise = repairs.iter().map(|repair| repair.largest_raise).fold(0.0, f64::max);
    let seconds = |time: i64| {
        // All times of the oracle are within an hour of 1970.
        let (sign, day) = if time < 0 { ("1969-12-31", 86_400_000) } else { ("1970-01-01", 0) };
        let ms = time + day;
        let fraction = match ms % 1000 {
            0 => String::new(),
            ms => format!(".{ms:03}").trim_end_matches('0').to_string(),
        };
        let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        format!("{sign}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
    };
    let first = repairs.iter().map(|repair| repair.time).min().unwrap_or(0);
    let last = repairs.iter().map(|repair| repair.time).max().unwrap_or(0);
    format!(
        "input to histogram_quantile needed to be fixed for monotonicity \
         (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile){}, \
         from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
        for_metric(metric),
        general(lowest),
        general(highest),
        two_digits(raise),
        repairs.len(),
        seconds(first),
        seconds(last),
    )
}

pub fn for_metric(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!(" for metric name {name:?}") }
}

/// Like `%g` in Go without a precision.
pub fn general(value: f64) -> String {
    if value.is_nan() || value.is_infinite() {
        return if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "+Inf"
        } else {
            "-Inf"
        }
        .into();
    }
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-4..1e6).contains(&magnitude) {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').expect("an exponent was asked for");
        let exponent: i32 = exponent.parse().expect("a number");
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    value.to_string()
}

/// Like `%.2g` in Go, for the differences there are.
fn two_digits(value: f64) -> String {
    if !value.is_finite() {
        return general(value);
    }
    let rounded: f64 = format!("{value:.1e}").parse().expect("a number");
    match rounded.abs() >= 100.0 {
        true => {
            let text = format!("{rounded:e}");
            let (digits, exponent) = text.split_once('e').expect("an exponent was asked for");
            format!("{digits}e+{exponent:0>2}")
        }
        false => general(rounded),
    }
}

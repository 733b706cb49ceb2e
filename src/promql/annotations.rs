//! What the user should know about an answer: warnings and infos with the place in the query they come from. Unique by
//! text; of several places the first in the query stands. Every operator adds to them, from several threads.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::ast::{Span, line_and_column};
use super::functions::histogram::MonotonicityFix;
use super::functions::{Remark, Remarks};
use crate::model::Timestamp;
use crate::model::time::{DAY_MS, civil_from_days};

#[derive(Debug, Default)]
pub struct Annotations {
    warnings: BTreeMap<String, Span>,
    infos: BTreeMap<String, Span>,
    monotonicity: BTreeMap<String, (Span, MonotonicityRun)>,
    /// By metric name, how many windows hold overlapping start times.
    start_overlaps: BTreeMap<String, (Span, u64)>,
}

/// All repairs of the buckets of one histogram.
#[derive(Debug, Clone, Copy)]
pub struct MonotonicityRun {
    pub fix: MonotonicityFix,
    pub samples: u64,
    pub first: Timestamp,
    pub last: Timestamp,
}

impl MonotonicityRun {
    pub fn one(fix: MonotonicityFix, time: Timestamp) -> MonotonicityRun {
        MonotonicityRun { fix, samples: 1, first: time, last: time }
    }

    pub fn merge(&mut self, other: &MonotonicityRun) {
        self.samples += other.samples;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.fix.min_bucket = self.fix.min_bucket.min(other.fix.min_bucket);
        self.fix.max_bucket = self.fix.max_bucket.max(other.fix.max_bucket);
        self.fix.max_diff = self.fix.max_diff.max(other.fix.max_diff);
    }
}

impl Annotations {
    pub fn warn(&mut self, span: Span, message: String) {
        add(&mut self.warnings, span, message);
    }

    pub fn info(&mut self, span: Span, message: String) {
        add(&mut self.infos, span, message);
    }

    /// Repairs of the metric `name`, which is empty when it is not known.
    pub fn forced_monotonic(&mut self, span: Span, name: &str, run: MonotonicityRun) {
        match self.monotonicity.entry(name.to_string()) {
            Entry::Vacant(entry) => {
                entry.insert((span, run));
            }
            Entry::Occupied(mut entry) => {
                let (first, all) = entry.get_mut();
                *first = (*first).min(span);
                all.merge(&run);
            }
        }
    }

    /// What a function remarked about samples of the metric `name`, which is empty when it is not known.
    pub fn remark(&mut self, span: Span, name: &str, remarks: &Remarks) {
        for remark in remarks.iter() {
            match remark_message(remark, name) {
                (Severity::Warning, message) => self.warn(span, message),
                (Severity::Info, message) => self.info(span, message),
            }
        }
        if remarks.start_overlaps > 0 {
            let first = self.start_overlaps.entry(name.to_string()).or_insert((span, 0));
            *first = (first.0.min(span), first.1 + remarks.start_overlaps);
        }
    }

    /// Whole sentences; `text` is the query.
    pub fn into_sentences(mut self, text: &str) -> (Vec<String>, Vec<String>) {
        for (name, (span, windows)) in std::mem::take(&mut self.start_overlaps) {
            self.warn(span, start_overlap_message(&name, windows));
        }
        for (name, (span, run)) in std::mem::take(&mut self.monotonicity) {
            self.info(span, monotonicity_message(&name, &run));
        }
        let sentences = |kind: &str, all: BTreeMap<String, Span>| {
            let sentence = |(message, span): (String, Span)| {
                let (line, column) = line_and_column(text, span.start as usize);
                format!("PromQL {kind}: {message} ({line}:{column})")
            };
            all.into_iter().map(sentence).collect()
        };
        (sentences("warning", self.warnings), sentences("info", self.infos))
    }
}

fn add(messages: &mut BTreeMap<String, Span>, span: Span, message: String) {
    let first = messages.entry(message).or_insert(span);
    *first = (*first).min(span);
}

enum Severity {
    Warning,
    Info,
}

fn remark_message(remark: Remark, name: &str) -> (Severity, String) {
    use Severity::{Info, Warning};
    match remark {
        Remark::MixedKinds => (
            Warning,
            format!("encountered a mix of histograms and floats for metric name {name:?}"),
        ),
        Remark::MixedSchemas => (
            Warning,
            format!(
                "vector contains a mix of histograms with exponential and custom buckets schemas \
                 for metric name {name:?}"
            ),
        ),
        Remark::HistogramsIgnored => (
            Info,
            format!(
                "ignored histograms in a range containing both floats and histograms for metric \
                 name {name:?}"
            ),
        ),
        Remark::NotCounter => {
            (Warning, format!("this native histogram metric is not a counter: {name:?}"))
        }
        Remark::NotGauge => {
            (Warning, format!("this native histogram metric is not a gauge: {name:?}"))
        }
        Remark::ResetConflict => {
            (Warning, "conflicting counter resets during histogram aggregation".to_string())
        }
        Remark::BoundsReconciledInAddition => (Info, reconciled_message("addition")),
        Remark::BoundsReconciledInSubtraction => (Info, reconciled_message("subtraction")),
        Remark::BoundsReconciledInAggregation => (Info, reconciled_message("aggregation")),
    }
}

fn reconciled_message(operation: &str) -> String {
    format!("mismatched custom buckets were reconciled during {operation}")
}

fn start_overlap_message(name: &str, windows: u64) -> String {
    let occurrences = match windows {
        1 => String::new(),
        windows => format!(" ({windows} occurrences)"),
    };
    format!(
        "sample has start time that overlaps with previous sample timestamp for metric \
         {name:?}{occurrences}"
    )
}

fn monotonicity_message(name: &str, run: &MonotonicityRun) -> String {
    let MonotonicityRun { fix, samples, first, last } = run;
    format!(
        "input to histogram_quantile needed to be fixed for monotonicity \
         (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile){}, \
         from buckets {} to {}, with a max diff of {}, over {samples} samples from {} to {}",
        for_metric(name),
        format_value(fix.min_bucket),
        format_value(fix.max_bucket),
        two_digits(fix.max_diff),
        rfc3339(*first),
        rfc3339(*last),
    )
}

/// ` for metric name "x"`, or nothing when the name is not known.
pub fn for_metric(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!(" for metric name {name:?}") }
}

/// As Go's `%g`: shortest digits, with an exponent where it would be below -4, or above 5.
pub fn format_value(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_string();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_string();
    }
    let scientific = format!("{value:e}");
    let exponent = scientific.split_once('e').and_then(|(_, exponent)| exponent.parse().ok());
    match exponent.unwrap_or(0) {
        -4..=5 => format!("{value}"),
        _ => go_exponent(&scientific),
    }
}

/// As Go's `%.2g`.
fn two_digits(value: f64) -> String {
    let scientific = format!("{value:.1e}");
    let exponent =
        scientific.split_once('e').and_then(|(_, exponent)| exponent.parse::<i32>().ok());
    match exponent {
        Some(0) => trim_zeros(&format!("{value:.1}")),
        Some(1) => format!("{value:.0}"),
        Some(exponent @ -4..=-1) => trim_zeros(&format!("{value:.*}", (1 - exponent) as usize)),
        Some(_) => {
            let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
            go_exponent(&format!("{}e{exponent}", trim_zeros(digits)))
        }
        None => format_value(value),
    }
}

fn trim_zeros(digits: &str) -> String {
    match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => digits.to_string(),
    }
}

/// Go writes at least two digits and a sign of an exponent.
fn go_exponent(rust: &str) -> String {
    let Some((digits, exponent)) = rust.split_once('e') else { return rust.to_string() };
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

/// UTC with as many fractional digits as needed.
fn rfc3339(time: Timestamp) -> String {
    let (year, month, day) = civil_from_days(time.div_euclid(DAY_MS));
    let ms = time.rem_euclid(DAY_MS);
    let fraction = match ms % 1000 {
        0 => String::new(),
        ms => format!(".{ms:03}").trim_end_matches('0').to_string(),
    };
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_ends_with_the_first_place() {
        let mut annotations = Annotations::default();
        annotations.warn(Span { start: 8, end: 9 }, "odd".to_string());
        annotations.warn(Span { start: 3, end: 9 }, "odd".to_string());
        annotations.warn(Span { start: 3, end: 4 }, "odd".to_string());
        assert_eq!(annotations.warnings["odd"], Span { start: 3, end: 4 });
        let (warnings, infos) = annotations.into_sentences("ab\ncd + ef");
        assert_eq!(warnings, ["PromQL warning: odd (2:1)"]);
        assert!(infos.is_empty());
    }

    #[test]
    fn numbers_as_go_writes_them() {
        let cases = [
            (0.0, "0"),
            (0.5, "0.5"),
            (-1e-7, "-1e-07"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (123_456.7, "123456.7"),
            (100_000.0, "100000"),
            (1e6, "1e+06"),
            (1_048_576.0, "1.048576e+06"),
            (-1_234_567.0, "-1.234567e+06"),
            (1e100, "1e+100"),
            (f64::INFINITY, "+Inf"),
        ];
        for (value, written) in cases {
            assert_eq!(format_value(value), written);
        }
        let written = [0.15, 5.0, 12.3, 123.0, 0.0001, 2.4e-9].map(two_digits);
        assert_eq!(written, ["0.15", "5", "12", "1.2e+02", "0.0001", "2.4e-09"]);
    }

    #[test]
    fn times_as_rfc3339() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_400_120), "2000-02-29T00:00:00.12Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999Z");
    }
}

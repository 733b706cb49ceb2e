//! Native histograms as scripts write them: `{{schema:0 sum:5 count:4 buckets:[1 2 1]}}`, read and written.

use std::fmt::Write;

use super::scanner::Scanner;
use super::syntax::ScriptHistogram;
use crate::model::Histogram;
use crate::model::histogram::{Buckets, ResetHint};
use crate::sync::Arc;

/// Furthest a first bucket may be from bucket 0. Even schema 8, the finest, has all floats within 2^18 buckets; the
/// arithmetic of indexes has room to spare.
const OFFSET_MAX: i32 = 1 << 24;

/// Widest run of buckets that is shown: a few far apart would fill pages with zeros.
const SHOWN_BUCKETS_MAX: i32 = 1_000;

/// From `{{` to `}}`. Buckets are one run from an offset on, with absolute counts; whatever is not written is 0.
pub fn scan_histogram(scanner: &mut Scanner<'_>) -> Result<ScriptHistogram, String> {
    let mut literal = Literal::default();
    let mut seen: Vec<&str> = Vec::new();
    scanner.expect("{{")?;
    loop {
        scanner.skip_blanks();
        if scanner.take("}}") {
            return Ok(literal.finish());
        }
        let key = scanner.take_while(|c| c.is_ascii_lowercase() || c == '_');
        if seen.contains(&key) {
            return Err(format!("duplicate key {key:?} in histogram"));
        }
        seen.push(key);
        scanner.expect(":")?;
        literal.scan_value(key, scanner)?;
    }
}

/// What is written between the braces.
#[derive(Default)]
struct Literal {
    histogram: Histogram,
    hint: Option<ResetHint>,
    offset: i32,
    buckets: Vec<f64>,
    negative_offset: i32,
    negative_buckets: Vec<f64>,
}

impl Literal {
    fn scan_value(&mut self, key: &str, scanner: &mut Scanner<'_>) -> Result<(), String> {
        match key {
            "schema" => self.histogram.schema = integer(scanner)?,
            "sum" => self.histogram.sum = scanner.number()?,
            "count" => self.histogram.count = scanner.number()?,
            "z_bucket" => self.histogram.zero_count = scanner.number()?,
            "z_bucket_w" => self.histogram.zero_threshold = scanner.number()?,
            "offset" => self.offset = integer(scanner)?,
            "buckets" => self.buckets = numbers(scanner)?,
            "n_offset" => self.negative_offset = integer(scanner)?,
            "n_buckets" => self.negative_buckets = numbers(scanner)?,
            "custom_values" => self.histogram.custom_bounds = numbers(scanner)?.into(),
            "counter_reset_hint" => self.hint = Some(hint(scanner)?),
            _ => return Err(format!("unknown key {key:?} in histogram")),
        }
        Ok(())
    }

    fn finish(self) -> ScriptHistogram {
        let histogram = Histogram {
            positive: Buckets::contiguous(self.offset, self.buckets),
            negative: Buckets::contiguous(self.negative_offset, self.negative_buckets),
            hint: self.hint.unwrap_or_default(),
            ..self.histogram
        };
        ScriptHistogram { histogram: Arc::new(histogram), hint_written: self.hint.is_some() }
    }
}

fn integer(scanner: &mut Scanner<'_>) -> Result<i32, String> {
    let negative = scanner.take("-");
    let before = scanner.clone();
    match i32::try_from(scanner.uint()?) {
        Ok(magnitude) if magnitude <= OFFSET_MAX => {
            Ok(if negative { -magnitude } else { magnitude })
        }
        _ => Err(before.unexpected(&format!("an integer up to {OFFSET_MAX}"))),
    }
}

fn numbers(scanner: &mut Scanner<'_>) -> Result<Vec<f64>, String> {
    let mut numbers = Vec::new();
    scanner.expect("[")?;
    loop {
        scanner.skip_blanks();
        if scanner.take("]") {
            return Ok(numbers);
        }
        numbers.push(scanner.number()?);
    }
}

fn hint(scanner: &mut Scanner<'_>) -> Result<ResetHint, String> {
    match scanner.take_while(|c| c.is_ascii_lowercase() || c == '_') {
        "unknown" => Ok(ResetHint::Unknown),
        "reset" => Ok(ResetHint::Reset),
        "not_reset" => Ok(ResetHint::NotReset),
        "gauge" => Ok(ResetHint::Gauge),
        other => Err(format!("unknown counter reset hint {other:?}")),
    }
}

/// The literal of a histogram: what a script would have to expect.
pub fn literal(histogram: &Histogram) -> String {
    let mut words = Vec::new();
    if histogram.schema != 0 {
        words.push(format!("schema:{}", histogram.schema));
    }
    for (key, value) in [
        ("sum", histogram.sum),
        ("count", histogram.count),
        ("z_bucket", histogram.zero_count),
        ("z_bucket_w", histogram.zero_threshold),
    ] {
        if value != 0.0 {
            words.push(format!("{key}:{value}"));
        }
    }
    if !histogram.custom_bounds.is_empty() {
        words.push(format!("custom_values:[{}]", spaced(&histogram.custom_bounds)));
    }
    push_buckets(&mut words, &histogram.positive, "");
    push_buckets(&mut words, &histogram.negative, "n_");
    match histogram.hint {
        ResetHint::Unknown => {}
        ResetHint::Reset => words.push("counter_reset_hint:reset".to_string()),
        ResetHint::NotReset => words.push("counter_reset_hint:not_reset".to_string()),
        ResetHint::Gauge => words.push("counter_reset_hint:gauge".to_string()),
    }
    format!("{{{{{}}}}}", words.join(" "))
}

fn push_buckets(words: &mut Vec<String>, buckets: &Buckets, prefix: &str) {
    let populated: Vec<(i32, f64)> = buckets.populated().collect();
    let (Some((first, _)), Some((last, _))) = (populated.first(), populated.last()) else { return };
    if last - first >= SHOWN_BUCKETS_MAX {
        let text = format!("{prefix}buckets:[{} from {first} to {last}]", populated.len());
        return words.push(text);
    }
    let mut counts = vec![0.0; (last - first + 1) as usize];
    for (index, count) in &populated {
        counts[(index - first) as usize] = *count;
    }
    if *first != 0 {
        words.push(format!("{prefix}offset:{first}"));
    }
    words.push(format!("{prefix}buckets:[{}]", spaced(&counts)));
}

fn spaced(numbers: &[f64]) -> String {
    let mut text = String::new();
    for (index, number) in numbers.iter().enumerate() {
        let _ = write!(text, "{}{number}", if index == 0 { "" } else { " " });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scan(text: &str) -> Result<ScriptHistogram, String> {
        scan_histogram(&mut Scanner::new(text))
    }

    #[test]
    fn all_keys_in_any_order() {
        let text = "{{sum:-2.5 schema:-1 count:7 n_buckets:[1 Inf] offset:-3 buckets:[1 .5] n_offset:2 \
                    z_bucket:2 z_bucket_w:0.001 custom_values:[5 10] counter_reset_hint:gauge}}x";
        let mut scanner = Scanner::new(text);
        let got = scan_histogram(&mut scanner).unwrap();
        assert_eq!(scanner.rest(), "x");
        let want = Histogram {
            schema: -1,
            sum: -2.5,
            count: 7.0,
            zero_count: 2.0,
            zero_threshold: 0.001,
            positive: Buckets::contiguous(-3, vec![1.0, 0.5]),
            negative: Buckets::contiguous(2, vec![1.0, f64::INFINITY]),
            custom_bounds: vec![5.0, 10.0].into(),
            hint: ResetHint::Gauge,
        };
        assert_eq!(got, ScriptHistogram { histogram: Arc::new(want), hint_written: true });
    }

    #[test]
    fn malformed_ones_are_errors() {
        let empty = scan("{{}}").unwrap();
        let default = Arc::new(Histogram::default());
        assert_eq!(empty, ScriptHistogram { histogram: default, hint_written: false });
        for bad in [
            "{{",
            "{{sum}}",
            "{{sum:1 sum:2}}",
            "{{what:1}}",
            "{{buckets:[1}}",
            "{{schema:x}}",
            "{{offset:99999999999}}",
            "{{counter_reset_hint:maybe}}",
        ] {
            assert!(scan(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_literal_reads_back(
            (schema, sum, count, zero, width) in (-4..9, -9.0..9.0, 0.0..9.0, 0.0..9.0, 0.0..9.0),
            (offset, buckets) in (-9..9, prop::collection::vec(-2.0..9.0, 0..5)),
            (negative_offset, negative_buckets) in (-9..9, prop::collection::vec(0.0..9.0, 0..5)),
            bounds in prop::collection::vec(0.0..9.0, 0..3),
            hint in prop::sample::select(vec![ResetHint::Unknown, ResetHint::NotReset, ResetHint::Gauge]),
        ) {
            let histogram = Histogram {
                schema,
                sum,
                count,
                zero_count: zero,
                zero_threshold: width,
                positive: Buckets::contiguous(offset, buckets),
                negative: Buckets::contiguous(negative_offset, negative_buckets),
                custom_bounds: bounds.into(),
                hint,
            };
            let read = scan(&literal(&histogram)).unwrap().histogram;
            prop_assert!(read.equals(&histogram) && read.hint == histogram.hint, "{:?}", read);
        }
    }
}

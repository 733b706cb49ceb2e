//! Native histograms as scripts write them: `{{schema:0 sum:5 count:4 buckets:[1 2 1]}}`.

use super::scanner::Scanner;

/// A histogram: buckets are one run from an offset on, with absolute counts. Whatever is not written is 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HistogramLiteral {
    pub schema: i64,
    pub sum: f64,
    pub count: f64,
    pub zero_count: f64,
    pub zero_threshold: f64,
    pub offset: i64,
    pub buckets: Vec<f64>,
    pub negative_offset: i64,
    pub negative_buckets: Vec<f64>,
    pub custom_values: Vec<f64>,
    /// Compared only if written.
    pub counter_reset_hint: Option<CounterResetHint>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CounterResetHint {
    Unknown,
    Reset,
    NotReset,
    Gauge,
}

impl HistogramLiteral {
    /// From `{{` to `}}`.
    pub fn scan(scanner: &mut Scanner<'_>) -> Result<HistogramLiteral, String> {
        let mut histogram = HistogramLiteral::default();
        let mut seen: Vec<&str> = Vec::new();
        scanner.expect("{{")?;
        loop {
            scanner.skip_blanks();
            if scanner.take("}}") {
                return Ok(histogram);
            }
            let key = scanner.take_while(|c| c.is_ascii_lowercase() || c == '_');
            if seen.contains(&key) {
                return Err(format!("duplicate key {key:?} in histogram"));
            }
            seen.push(key);
            scanner.expect(":")?;
            histogram.scan_value(key, scanner)?;
        }
    }

    fn scan_value(&mut self, key: &str, scanner: &mut Scanner<'_>) -> Result<(), String> {
        match key {
            "schema" => self.schema = integer(scanner)?,
            "sum" => self.sum = scanner.number()?,
            "count" => self.count = scanner.number()?,
            "z_bucket" => self.zero_count = scanner.number()?,
            "z_bucket_w" => self.zero_threshold = scanner.number()?,
            "offset" => self.offset = integer(scanner)?,
            "buckets" => self.buckets = numbers(scanner)?,
            "n_offset" => self.negative_offset = integer(scanner)?,
            "n_buckets" => self.negative_buckets = numbers(scanner)?,
            "custom_values" => self.custom_values = numbers(scanner)?,
            "counter_reset_hint" => self.counter_reset_hint = Some(hint(scanner)?),
            _ => return Err(format!("unknown key {key:?} in histogram")),
        }
        Ok(())
    }
}

fn integer(scanner: &mut Scanner<'_>) -> Result<i64, String> {
    let negative = scanner.take("-");
    let magnitude = scanner.uint()? as i64;
    Ok(if negative { -magnitude } else { magnitude })
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

fn hint(scanner: &mut Scanner<'_>) -> Result<CounterResetHint, String> {
    match scanner.take_while(|c| c.is_ascii_lowercase() || c == '_') {
        "unknown" => Ok(CounterResetHint::Unknown),
        "reset" => Ok(CounterResetHint::Reset),
        "not_reset" => Ok(CounterResetHint::NotReset),
        "gauge" => Ok(CounterResetHint::Gauge),
        other => Err(format!("unknown counter reset hint {other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_in_any_order() {
        let text = "{{sum:-2.5 schema:-1 count:7 n_buckets:[1 Inf] offset:-3 buckets:[1 .5] n_offset:2 \
                    z_bucket:2 z_bucket_w:0.001 custom_values:[5 10] counter_reset_hint:gauge}}x";
        let mut scanner = Scanner::new(text);
        let histogram = HistogramLiteral::scan(&mut scanner).unwrap();
        assert_eq!(scanner.rest(), "x");
        let want = HistogramLiteral {
            schema: -1,
            sum: -2.5,
            count: 7.0,
            zero_count: 2.0,
            zero_threshold: 0.001,
            offset: -3,
            buckets: vec![1.0, 0.5],
            negative_offset: 2,
            negative_buckets: vec![1.0, f64::INFINITY],
            custom_values: vec![5.0, 10.0],
            counter_reset_hint: Some(CounterResetHint::Gauge),
        };
        assert_eq!(histogram, want);
    }

    #[test]
    fn malformed_ones_are_errors() {
        let scan = |text| HistogramLiteral::scan(&mut Scanner::new(text));
        assert_eq!(scan("{{}}"), Ok(HistogramLiteral::default()));
        for bad in
            ["{{", "{{sum}}", "{{sum:1 sum:2}}", "{{what:1}}", "{{buckets:[1}}", "{{schema:x}}"]
        {
            assert!(scan(bad).is_err(), "{bad}");
        }
        assert!(scan("{{counter_reset_hint:maybe}}").is_err());
    }
}

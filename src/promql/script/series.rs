//! One line of a `load` or of an expectation: a label set and a sequence of values.

use super::histogram::scan_histogram;
use super::scanner::Scanner;
use super::syntax::{Point, ScriptHistogram, Series};
use crate::model::histogram::{Combined, Incompatible, ResetHint};
use crate::model::{Histogram, Labels, METRIC_NAME, STALE_NAN_BITS};
use crate::sync::Arc;

/// Most points one series of a script may have: a slip of the keyboard must not take all memory.
const POINTS_MAX: usize = 1_000_000;

/// `name{labels} values`
pub fn parse_series(line: &str) -> Result<Series, String> {
    let mut scanner = Scanner::new(line);
    let labels = scan_labels(&mut scanner)?;
    let points = scan_points(&mut scanner)?;
    Ok(Series { labels, points, start_offsets_ms: Vec::new() })
}

/// A slip of the keyboard is an error.
pub fn check_count(count: usize) -> Result<(), String> {
    if count > POINTS_MAX {
        return Err(format!("more than {POINTS_MAX} points in one series"));
    }
    Ok(())
}

/// `name{labels}`, one of both at least.
pub fn scan_labels(scanner: &mut Scanner<'_>) -> Result<Labels, String> {
    let name = scanner.take_while(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
    let mut pairs: Vec<(String, String)> = Vec::new();
    if !name.is_empty() {
        pairs.push((METRIC_NAME.to_string(), name.to_string()));
    }
    if scanner.take("{") {
        scan_label_list(scanner, &mut pairs)?;
    } else if name.is_empty() {
        return Err(scanner.unexpected("a series"));
    }
    Ok(Labels::from_pairs(pairs.iter().map(|(n, v)| (n.as_str(), v.as_str()))))
}

/// What follows `{`, with the closing brace. A quoted string on its own is the metric name.
fn scan_label_list(
    scanner: &mut Scanner<'_>,
    pairs: &mut Vec<(String, String)>,
) -> Result<(), String> {
    loop {
        scanner.skip_blanks();
        if scanner.take("}") {
            return Ok(());
        }
        let quoted = matches!(scanner.peek(), Some('"' | '\'' | '`'));
        let name = if quoted {
            scanner.quoted_string()?
        } else {
            scanner.take_while(|c| c.is_ascii_alphanumeric() || c == '_').to_string()
        };
        scanner.skip_blanks();
        if scanner.take("=") {
            scanner.skip_blanks();
            pairs.push((name, scanner.quoted_string()?));
        } else if quoted {
            pairs.push((METRIC_NAME.to_string(), name));
        } else {
            return Err(scanner.unexpected("\"=\""));
        }
        scanner.skip_blanks();
        if !scanner.take(",") && scanner.peek() != Some('}') {
            return Err(scanner.unexpected("\",\" or \"}\""));
        }
    }
}

fn scan_points(scanner: &mut Scanner<'_>) -> Result<Vec<Point>, String> {
    let mut points = Vec::new();
    while scanner.skip_to_item()? {
        scan_item(scanner, &mut points)?;
        check_count(points.len())?;
    }
    Ok(points)
}

/// `_`, `_xN`, `v`, `vxN`, `v+dxN` or `v-dxN`. With a value, `xN` makes N+1 points.
fn scan_item(scanner: &mut Scanner<'_>, points: &mut Vec<Point>) -> Result<(), String> {
    if let Some(gaps) = scan_gaps(scanner)? {
        points.extend(std::iter::repeat_n(Point::Gap, gaps));
        return Ok(());
    }
    if scanner.take("stale") {
        points.push(Point::Float(f64::from_bits(STALE_NAN_BITS)));
        return Ok(());
    }
    if scanner.rest().starts_with("{{") {
        return scan_histograms(scanner, points);
    }
    let mut value = scanner.number()?;
    let step = match scanner.peek() {
        Some('+' | '-') => scanner.number()?,
        _ => 0.0,
    };
    let stepped = step != 0.0;
    let repeats = scan_repeats(scanner)?;
    for index in 0..=repeats {
        if index > 0 && stepped {
            value += step;
        }
        points.push(Point::Float(value));
    }
    Ok(())
}

/// `_` or `_xN`: how many gaps; `None` if there is a value.
pub fn scan_gaps(scanner: &mut Scanner<'_>) -> Result<Option<usize>, String> {
    if !scanner.take("_") {
        return Ok(None);
    }
    let count = if scanner.take("x") { scanner.uint()? } else { 1 };
    check_count(count)?;
    Ok(Some(count))
}

/// `xN`, or nothing: how many points come after the first.
pub fn scan_repeats(scanner: &mut Scanner<'_>) -> Result<usize, String> {
    let repeats = if scanner.take("x") { scanner.uint()? } else { 0 };
    check_count(repeats)?;
    Ok(repeats)
}

/// `h`, `hxN`, `h+sxN` or `h-sxN`.
fn scan_histograms(scanner: &mut Scanner<'_>, points: &mut Vec<Point>) -> Result<(), String> {
    let ScriptHistogram { mut histogram, hint_written } = scan_histogram(scanner)?;
    let combine = match scanner.peek() {
        Some('+') => Some(Histogram::add as Combine),
        Some('-') => Some(subtract as Combine),
        _ => None,
    };
    let step = match combine {
        Some(combine) => {
            scanner.take_while(|c| matches!(c, '+' | '-'));
            Some((combine, scan_histogram(scanner)?.histogram))
        }
        None => None,
    };
    for index in 0..=scan_repeats(scanner)? {
        if let (1.., Some((combine, step))) = (index, &step) {
            histogram = stepped(&histogram, *combine, step)?;
        }
        points
            .push(Point::Histogram(ScriptHistogram { histogram: histogram.clone(), hint_written }));
    }
    Ok(())
}

type Combine = fn(&mut Histogram, &Histogram) -> Result<Combined, Incompatible>;

fn stepped(
    histogram: &Histogram,
    combine: Combine,
    step: &Histogram,
) -> Result<Arc<Histogram>, String> {
    if histogram.schema > step.schema {
        return Err(format!(
            "the step has schema {}, lower than {} of the histogram: write the first one with the schema of the step",
            step.schema, histogram.schema
        ));
    }
    let mut next = Histogram::clone(histogram);
    match combine(&mut next, step) {
        Ok(_) => Ok(Arc::new(next)),
        Err(_) => Err("the step has other buckets than the histogram".to_string()),
    }
}

/// What decreases step by step need not be a gauge.
fn subtract(histogram: &mut Histogram, step: &Histogram) -> Result<Combined, Incompatible> {
    let hint = histogram.hint;
    let combined = histogram.sub(step)?;
    histogram.hint = if step.hint == ResetHint::Gauge { step.hint } else { hint };
    Ok(combined)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::script::histogram::literal;
    use proptest::prelude::*;

    fn floats(sequence: &str) -> Vec<Option<f64>> {
        let series = parse_series(&format!("m {sequence}")).unwrap();
        series
            .points
            .into_iter()
            .map(|point| match point {
                Point::Float(value) => Some(value),
                Point::Gap => None,
                Point::Histogram(_) => panic!("no histogram was written"),
            })
            .collect()
    }

    #[test]
    fn sequences() {
        assert_eq!(floats("1 -2.5 _ 3"), [Some(1.0), Some(-2.5), None, Some(3.0)]);
        assert_eq!(floats("_x3 7x2"), [None, None, None, Some(7.0), Some(7.0), Some(7.0)]);
        assert_eq!(floats("1+2x2"), [Some(1.0), Some(3.0), Some(5.0)]);
        assert_eq!(floats("-1-0.5x2"), [Some(-1.0), Some(-1.5), Some(-2.0)]);
        assert_eq!(floats("5x0 5+1x0"), [Some(5.0), Some(5.0)]);
        assert_eq!(floats("Inf")[0], Some(f64::INFINITY));
        assert_eq!(floats("stale")[0].unwrap().to_bits(), STALE_NAN_BITS);
        assert_eq!(floats(""), []);
    }

    #[test]
    fn labels_in_all_forms() {
        let labels = |line| parse_series(line).unwrap().labels;
        let want = Labels::from_pairs([(METRIC_NAME, "a.b"), ("c", "d,}"), ("e f", "g")]);
        assert_eq!(labels(r#"{"a.b", c="d,}", "e f"='g',} 1"#), want);
        assert_eq!(labels("{} 1"), Labels::empty());
        assert_eq!(labels("a:b{} 1").metric_name(), "a:b");
        assert_eq!(labels(r#"a { } 1"#.replace(" {", "{").as_str()).metric_name(), "a");
    }

    fn histograms(sequence: &str) -> Vec<String> {
        let points = parse_series(&format!("m {sequence}")).unwrap().points;
        let words = points.into_iter().map(|point| match point {
            Point::Histogram(one) => literal(&one.histogram),
            other => panic!("a histogram, not {other:?}"),
        });
        words.collect()
    }

    #[test]
    fn sequences_of_histograms() {
        assert_eq!(histograms("{{}} {{sum:1}}x1"), ["{{}}", "{{sum:1}}", "{{sum:1}}"]);
        assert_eq!(
            histograms("{{sum:1 buckets:[1]}}+{{sum:2 buckets:[1 3]}}x2"),
            ["{{sum:1 buckets:[1]}}", "{{sum:3 buckets:[2 3]}}", "{{sum:5 buckets:[3 6]}}"]
        );
        assert_eq!(histograms("{{count:5}}-{{count:2}}x1"), ["{{count:5}}", "{{count:3}}"]);
        assert_eq!(
            histograms("{{count:5}}-{{count:2 counter_reset_hint:gauge}}x1")[1],
            "{{count:3 counter_reset_hint:gauge}}"
        );
        assert!(parse_series("m {{schema:1}}+{{schema:0}}x1").is_err());
        assert!(parse_series("m {{schema:1}}+{{schema:0}}x0").is_ok());
        assert!(parse_series("m {{schema:-53}}+{{}}x1").is_err());
    }

    #[test]
    fn bad_lines_are_errors() {
        for bad in [
            "",
            "{",
            "m{a} 1",
            "m{a=b} 1",
            "m{a=\"b\" c=\"d\"} 1",
            "m 1x",
            "m 1y2z",
            "m 1+x3",
            "m 5x99999999999",
        ] {
            assert!(parse_series(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_refused(line in "[a-z{}=\"_x+ 0-9@,.-]{0,30}") {
            let _ = parse_series(&line);
        }
    }
}

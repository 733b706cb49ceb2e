//! One line of a `load` or of an expectation: a label set and a sequence of values.

use super::histogram::HistogramLiteral;
use super::scanner::Scanner;
use super::syntax::{Point, Series};
use crate::model::{Labels, METRIC_NAME, STALE_NAN_BITS};

/// Most points one series of a script may have: a slip of the keyboard must not take all memory.
const POINTS_MAX: usize = 1_000_000;

/// `name{labels} values`
pub fn parse_series(line: &str) -> Result<Series, String> {
    let mut scanner = Scanner::new(line);
    let labels = scan_labels(&mut scanner)?;
    let points = scan_points(&mut scanner)?;
    Ok(Series { labels, points, has_start_times: false })
}

/// `name{labels}@st offsets`: the labels and how many points there are; `None` if it is no such line.
pub fn parse_start_times(line: &str) -> Result<Option<(Labels, usize)>, String> {
    let mut scanner = Scanner::new(line);
    let labels = scan_labels(&mut scanner)?;
    if !scanner.take("@st") {
        return Ok(None);
    }
    let mut count = 0;
    loop {
        scanner.skip_blanks();
        if scanner.is_done() {
            return Ok(Some((labels, count)));
        }
        count += scan_start_time(&mut scanner)?;
        check_count(count)?;
    }
}

/// One item of a sequence of start times: how many points it is for.
fn scan_start_time(scanner: &mut Scanner<'_>) -> Result<usize, String> {
    if scanner.take("_") {
        return if scanner.take("x") { scanner.uint() } else { Ok(1) };
    }
    let _ = scanner.take("-") || scanner.take("+");
    scanner.duration_ms()?;
    if scanner.take("+") || scanner.take("-") {
        scanner.duration_ms()?;
    }
    Ok(if scanner.take("x") { scanner.uint()? + 1 } else { 1 })
}

fn check_count(count: usize) -> Result<(), String> {
    if count > POINTS_MAX {
        return Err(format!("more than {POINTS_MAX} points in one series"));
    }
    Ok(())
}

fn scan_labels(scanner: &mut Scanner<'_>) -> Result<Labels, String> {
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
    loop {
        let before = scanner.rest();
        scanner.skip_blanks();
        if scanner.is_done() {
            return Ok(points);
        }
        if scanner.rest() == before {
            return Err(scanner.unexpected("a blank"));
        }
        scan_item(scanner, &mut points)?;
        check_count(points.len())?;
    }
}

/// `_`, `_xN`, `v`, `vxN`, `v+dxN` or `v-dxN`. With a value, `xN` makes N+1 points.
fn scan_item(scanner: &mut Scanner<'_>, points: &mut Vec<Point>) -> Result<(), String> {
    if scanner.take("_") {
        let count = if scanner.take("x") { scanner.uint()? } else { 1 };
        check_count(count)?;
        points.extend(std::iter::repeat_n(Point::Gap, count));
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

fn scan_repeats(scanner: &mut Scanner<'_>) -> Result<usize, String> {
    let repeats = if scanner.take("x") { scanner.uint()? } else { 0 };
    check_count(repeats)?;
    Ok(repeats)
}

/// Repeated and stepped histograms keep their first form: nothing computes with them yet.
fn scan_histograms(scanner: &mut Scanner<'_>, points: &mut Vec<Point>) -> Result<(), String> {
    let histogram = HistogramLiteral::scan(scanner)?;
    if scanner.take("+") || scanner.take("-") {
        let step = HistogramLiteral::scan(scanner)?;
        if histogram.schema > step.schema {
            return Err("the step's schema is lower than that of the histogram".to_string());
        }
    }
    let repeats = scan_repeats(scanner)?;
    points.extend(std::iter::repeat_n(Point::Histogram(histogram), repeats + 1));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
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

    #[test]
    fn histograms_are_points() {
        let series = parse_series("m {{}} {{sum:1}}x2 {{schema:1}}+{{schema:1}}x1").unwrap();
        assert_eq!(series.points.len(), 6);
        assert!(parse_series("m {{schema:1}}+{{schema:0}}x1").is_err());
    }

    #[test]
    fn start_times_are_counted() {
        let count = |line| parse_start_times(line).unwrap().map(|(_, count)| count);
        assert_eq!(
            count("m{a=\"b\"}@st _ _ -30s-1mx2 0-1mx4 -0ms +1ms+2sx1 _x3"),
            Some(2 + 3 + 5 + 1 + 2 + 3)
        );
        assert_eq!(count("m{a=\"b\"} 1 2"), None);
        assert!(parse_start_times("m@st 5").is_err());
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
            let _ = (parse_series(&line), parse_start_times(&line));
        }
    }
}

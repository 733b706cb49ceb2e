//! Is an answer what a script expects? Floats may differ a little; labels, times and the number of points may not.

use std::fmt::Write;

use super::histogram::literal;
use super::syntax::{NoteRule, Point, ScriptHistogram, Series};
use crate::model::histogram::Buckets;
use crate::model::{Histogram, Timestamp, is_stale};
use crate::promql::engine::Steps;
use crate::promql::functions::histogram;
use crate::promql::value::{Element, MatrixSeries, VectorElement};
use crate::read::Columns;

/// Two floats are the same if they differ by less than this, relative to the sum of their magnitudes.
const TOLERANCE_RELATIVE: f64 = 1e-6;

/// Same number within the tolerance, both NaN, or both the staleness marker.
pub fn almost_equal(a: f64, b: f64) -> bool {
    match is_stale(a) || is_stale(b) {
        true => is_stale(a) && is_stale(b),
        false => histogram::almost_equal(a, b, TOLERANCE_RELATIVE),
    }
}

/// The same histogram but for layout and tolerance; the reset hint counts only if the script has one.
fn same_histogram(wanted: &ScriptHistogram, got: &Histogram) -> bool {
    let (a, b) = (&wanted.histogram, got);
    a.schema == b.schema
        && almost_equal(a.count, b.count)
        && almost_equal(a.sum, b.sum)
        && a.custom_bounds == b.custom_bounds
        && a.zero_threshold == b.zero_threshold
        && almost_equal(a.zero_count, b.zero_count)
        && same_buckets(&a.positive, &b.positive)
        && same_buckets(&a.negative, &b.negative)
        && (!wanted.hint_written || a.hint == b.hint)
}

fn same_buckets(wanted: &Buckets, got: &Buckets) -> bool {
    let (mut wanted, mut got) = (wanted.populated(), got.populated());
    loop {
        match (wanted.next(), got.next()) {
            (None, None) => return true,
            (Some((i, a)), Some((j, b))) if i == j && almost_equal(a, b) => {}
            _ => return false,
        }
    }
}

/// Is the element what the point says? A gap is never an element.
fn same_element(wanted: &Point, got: &Element) -> bool {
    match (wanted, got) {
        (Point::Float(wanted), Element::Float(got)) => almost_equal(*wanted, *got),
        (Point::Histogram(wanted), Element::Histogram(got)) => same_histogram(wanted, got),
        _ => false,
    }
}

/// The points of both kinds in order of time.
pub fn elements(points: &Columns) -> Vec<(Timestamp, Element)> {
    let floats = points.timestamps.iter().zip(&points.floats);
    let floats = floats.map(|(timestamp, value)| (*timestamp, Element::Float(*value)));
    let histograms = points.histograms.iter();
    let histograms = histograms.map(|h| (h.timestamp, Element::Histogram(h.histogram.clone())));
    let mut elements: Vec<_> = floats.chain(histograms).collect();
    elements.sort_by_key(|(timestamp, _)| *timestamp);
    elements
}

/// Every expected element and no other, in the same order if `ordered`.
pub fn compare_vector(
    expected: &[Series],
    ordered: bool,
    got: &[VectorElement],
) -> Result<(), String> {
    let differs = |what: String| Err(format!("{what}; got {}", show_vector(got)));
    for (index, element) in got.iter().enumerate() {
        let Some(position) = expected.iter().position(|s| s.labels == element.labels) else {
            return differs(format!("unexpected {}", element.labels));
        };
        if ordered && position != index {
            return differs(format!("{} at position {index}, not {position}", element.labels));
        }
        let points = &expected[position].points;
        if !points.first().is_some_and(|point| same_element(point, &element.value)) {
            return differs(format!("expected {} {}", element.labels, show_points(points)));
        }
    }
    match expected.iter().find(|s| !got.iter().any(|element| element.labels == s.labels)) {
        Some(series) => {
            differs(format!("expected {} {}", series.labels, show_points(&series.points)))
        }
        None if got.len() != expected.len() => differs("the same labels twice".to_string()),
        None => Ok(()),
    }
}

/// Every expected series and no other, sorted by labels, with exactly the expected points.
pub fn compare_matrix(
    expected: &[Series],
    steps: Steps,
    got: &[MatrixSeries],
) -> Result<(), String> {
    if !got.is_sorted_by(|a, b| a.labels < b.labels) {
        return Err(format!("not sorted by labels, or not unique: {}", show_matrix(got)));
    }
    for series in got {
        let Some(wanted) = expected.iter().find(|s| s.labels == series.labels) else {
            return Err(format!("unexpected {}; got {}", series.labels, show_matrix(got)));
        };
        if !same_points(&wanted.points, steps, series) {
            let points = show_points(&wanted.points);
            return Err(format!("expected {} {points}; got {}", series.labels, show_matrix(got)));
        }
    }
    let missing = expected.iter().find(|wanted| {
        let is_empty = wanted.points.iter().all(|point| matches!(point, Point::Gap));
        !is_empty && !got.iter().any(|series| series.labels == wanted.labels)
    });
    match missing {
        Some(series) => Err(format!("expected {}; got {}", series.labels, show_matrix(got))),
        None => Ok(()),
    }
}

fn same_points(wanted: &[Point], steps: Steps, got: &MatrixSeries) -> bool {
    let times = (0..).map(|index: i64| steps.start + index * steps.step_ms);
    let mut wanted = times.zip(wanted).filter(|(_, point)| !matches!(point, Point::Gap));
    let mut got = elements(&got.points).into_iter();
    let same = |(time, point): (Timestamp, &Point)| {
        got.next().is_some_and(|(at, element)| at == time && same_element(point, &element))
    };
    wanted.all(same) && got.next().is_none()
}

/// Do the warnings (or infos) follow the rule?
pub fn compare_notes(rule: &NoteRule, notes: &[String], what: &str) -> Result<(), String> {
    match rule {
        NoteRule::Ignored => Ok(()),
        NoteRule::None if notes.is_empty() => Ok(()),
        NoteRule::None => Err(format!("expected no {what}; got {notes:?}")),
        NoteRule::Match(patterns) => {
            if let Some(note) = notes.iter().find(|note| !patterns.iter().any(|p| p.matches(note)))
            {
                return Err(format!("unexpected {what} {note:?}, wanted {patterns:?}"));
            }
            match patterns.iter().find(|pattern| !notes.iter().any(|note| pattern.matches(note))) {
                Some(pattern) => Err(format!("no {what} is {pattern:?}; got {notes:?}")),
                None => Ok(()),
            }
        }
    }
}

fn show_points(points: &[Point]) -> String {
    let words = points.iter().map(|point| match point {
        Point::Gap => "_".to_string(),
        Point::Float(value) => value.to_string(),
        Point::Histogram(histogram) => literal(&histogram.histogram),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn show_vector(vector: &[VectorElement]) -> String {
    let mut out = String::from("[");
    for element in vector {
        let _ = write!(out, " {} {}", element.labels, show_element(&element.value));
    }
    out + " ]"
}

fn show_matrix(matrix: &[MatrixSeries]) -> String {
    let mut out = String::from("[");
    for series in matrix {
        let _ = write!(out, " {}", series.labels);
        for (timestamp, element) in elements(&series.points) {
            let _ = write!(out, " {}@{timestamp}ms", show_element(&element));
        }
        out.push(';');
    }
    out + " ]"
}

fn show_element(element: &Element) -> String {
    match element {
        Element::Float(value) => value.to_string(),
        Element::Histogram(histogram) => literal(histogram),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Labels, STALE_NAN_BITS};
    use crate::promql::script::series::parse_series;
    use crate::promql::script::syntax::TextPattern;

    #[test]
    fn floats() {
        assert!(almost_equal(1.0, 1.000001));
        assert!(!almost_equal(1.0, 1.00001));
        assert!(almost_equal(0.0, -0.0));
        assert!(!almost_equal(0.0, 1e-300));
        assert!(almost_equal(f64::INFINITY, f64::INFINITY));
        assert!(!almost_equal(f64::INFINITY, f64::NEG_INFINITY));
        assert!(almost_equal(f64::NAN, -f64::NAN));
        assert!(!almost_equal(f64::NAN, f64::from_bits(STALE_NAN_BITS)));
        assert!(!almost_equal(f64::MAX, f64::MIN));
    }

    #[test]
    fn histograms() {
        let point = |text: &str| parse_series(&format!("m {text}")).unwrap().points.remove(0);
        let same = |wanted: &str, got: &str| {
            let Point::Histogram(got) = point(got) else { panic!("a histogram") };
            same_element(&point(wanted), &Element::Histogram(got.histogram))
        };
        let full =
            "{{schema:1 sum:2 count:3 z_bucket:1 z_bucket_w:0.5 buckets:[1 0 1] n_buckets:[2]}}";
        assert!(same(full, full));
        assert!(same("{{buckets:[0 1 0] offset:2}}", "{{buckets:[1] offset:3}}"));
        assert!(same("{{sum:1 buckets:[3]}}", "{{sum:1.000001 buckets:[3.000001]}}"));
        for other in [
            "{{schema:2 sum:2 count:3 z_bucket:1 z_bucket_w:0.5 buckets:[1 0 1] n_buckets:[2]}}",
            "{{schema:1 sum:3 count:3 z_bucket:1 z_bucket_w:0.5 buckets:[1 0 1] n_buckets:[2]}}",
            "{{schema:1 sum:2 count:4 z_bucket:1 z_bucket_w:0.5 buckets:[1 0 1] n_buckets:[2]}}",
            "{{schema:1 sum:2 count:3 z_bucket:2 z_bucket_w:0.5 buckets:[1 0 1] n_buckets:[2]}}",
            "{{schema:1 sum:2 count:3 z_bucket:1 z_bucket_w:0.51 buckets:[1 0 1] n_buckets:[2]}}",
            "{{schema:1 sum:2 count:3 z_bucket:1 z_bucket_w:0.5 buckets:[1 1] n_buckets:[2]}}",
            "{{schema:1 sum:2 count:3 z_bucket:1 z_bucket_w:0.5 buckets:[1 0 1] n_buckets:[3]}}",
        ] {
            assert!(!same(full, other), "{other}");
        }
        assert!(!same("{{schema:-53 custom_values:[1 2]}}", "{{schema:-53 custom_values:[1]}}"));
        assert!(same("{{}}", "{{counter_reset_hint:gauge}}"));
        assert!(!same("{{counter_reset_hint:unknown}}", "{{counter_reset_hint:gauge}}"));
        assert!(!same("0", "{{}}"));
    }

    fn expected(lines: &[&str]) -> Vec<Series> {
        lines.iter().map(|line| parse_series(line).unwrap()).collect()
    }

    fn element(name: &str, value: f64) -> VectorElement {
        let labels = Labels::from_pairs([("__name__", name)]);
        VectorElement { labels, timestamp: 0, value: Element::Float(value) }
    }

    #[test]
    fn vectors() {
        let wanted = expected(&["b 2", "a 1"]);
        let (a, b) = (element("a", 1.0), element("b", 2.0));
        assert!(compare_vector(&wanted, false, &[a.clone(), b.clone()]).is_ok());
        assert!(compare_vector(&wanted, true, &[b.clone(), a.clone()]).is_ok());
        for (ordered, got) in [
            (true, vec![a.clone(), b.clone()]),
            (false, vec![a.clone()]),
            (false, vec![a.clone(), element("b", 3.0)]),
            (false, vec![a.clone(), b.clone(), element("c", 3.0)]),
            (false, vec![a.clone(), b.clone(), b.clone()]),
            (false, vec![]),
        ] {
            assert!(compare_vector(&wanted, ordered, &got).is_err(), "{got:?}");
        }
    }

    #[test]
    fn matrices() {
        let steps = Steps { start: 0, end: 20, step_ms: 10 };
        let series = |name: &str, points: &[(i64, f64)]| MatrixSeries {
            labels: Labels::from_pairs([("__name__", name)]),
            points: Columns {
                timestamps: points.iter().map(|(t, _)| *t).collect(),
                floats: points.iter().map(|(_, v)| *v).collect(),
                ..Columns::default()
            },
        };
        let compare =
            |lines: &[&str], got: &[MatrixSeries]| compare_matrix(&expected(lines), steps, got);
        let (a, b) = (series("a", &[(0, 1.0), (20, 3.0)]), series("b", &[(10, 2.0)]));
        let both = [a.clone(), b.clone()];
        assert!(compare(&["b _ 2", "a 1 _ 3"], &both).is_ok());
        assert!(compare(&["a 1 _ 3", "b _ 2 _", "c _x3"], &both).is_ok());
        for lines in [
            &["a 1 3", "b _ 2"][..],
            &["a 1 _", "b _ 2"],
            &["a 1 _ 3"],
            &["a 1 _ 3", "b _ 2", "c 1"],
        ] {
            assert!(compare(lines, &both).is_err(), "{lines:?}");
        }
        assert!(compare(&["b _ 2", "a 1 _ 3"], &[b, a.clone()]).is_err());
        assert!(compare(&["a 1 _ 3"], &[a.clone(), a]).is_err());
    }

    #[test]
    fn notes() {
        let notes = |texts: &[&str]| texts.iter().map(|t| t.to_string()).collect::<Vec<_>>();
        let exact = |text: &str| TextPattern::Exact(text.to_string());
        let check =
            |rule: &NoteRule, texts: &[&str]| compare_notes(rule, &notes(texts), "warning").is_ok();
        assert!(check(&NoteRule::Ignored, &["a"]));
        assert!(check(&NoteRule::None, &[]) && !check(&NoteRule::None, &["a"]));
        let both = NoteRule::Match(vec![exact("a"), exact("b")]);
        assert!(
            check(&both, &["b", "a"]) && !check(&both, &["a"]) && !check(&both, &["a", "b", "c"])
        );
    }
}

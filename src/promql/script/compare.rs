//! Is an answer what a script expects? Floats may differ a little; labels, times and the number of points may not.

use std::fmt::Write;

use super::syntax::{NoteRule, Point, Series};
use crate::model::is_stale;
use crate::promql::engine::Steps;
use crate::promql::functions::histogram;
use crate::promql::value::{MatrixSeries, VectorElement};

/// Two floats are the same if they differ by less than this, relative to the sum of their magnitudes.
const TOLERANCE_RELATIVE: f64 = 1e-6;

/// Same number within the tolerance, both NaN, or both the staleness marker.
pub fn almost_equal(a: f64, b: f64) -> bool {
    match is_stale(a) || is_stale(b) {
        true => is_stale(a) && is_stale(b),
        false => histogram::almost_equal(a, b, TOLERANCE_RELATIVE),
    }
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
        let same = match expected[position].points.first() {
            Some(Point::Float(value)) => {
                element.value.float().is_some_and(|got| almost_equal(*value, got))
            }
            _ => false,
        };
        if !same {
            let point = &expected[position].points[..1];
            return differs(format!("expected {} {}", element.labels, show_points(point)));
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
    let times = got.points.timestamps.iter().copied();
    let mut points = times.zip(got.points.floats.iter().copied());
    for (index, point) in wanted.iter().enumerate() {
        let time = steps.start + index as i64 * steps.step_ms;
        let same = match point {
            Point::Gap => true,
            Point::Float(value) => {
                points.next().is_some_and(|(t, v)| t == time && almost_equal(*value, v))
            }
            Point::Histogram(_) => false,
        };
        if !same {
            return false;
        }
    }
    points.next().is_none()
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
        Point::Histogram(histogram) => format!("{histogram:?}"),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn show_vector(vector: &[VectorElement]) -> String {
    let mut out = String::from("[");
    for element in vector {
        let _ = write!(out, " {} {}", element.labels, element.value);
    }
    out + " ]"
}

fn show_matrix(matrix: &[MatrixSeries]) -> String {
    let mut out = String::from("[");
    for series in matrix {
        let _ = write!(out, " {}", series.labels);
        for (timestamp, value) in series.points.timestamps.iter().zip(&series.points.floats) {
            let _ = write!(out, " {value}@{timestamp}ms");
        }
        out.push(';');
    }
    out + " ]"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Labels, STALE_NAN_BITS};
    use crate::promql::script::series::parse_series;
    use crate::promql::script::syntax::TextPattern;
    use crate::read::Columns;

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

    fn expected(lines: &[&str]) -> Vec<Series> {
        lines.iter().map(|line| parse_series(line).unwrap()).collect()
    }

    fn element(name: &str, value: f64) -> VectorElement {
        let labels = Labels::from_pairs([("__name__", name)]);
        VectorElement { labels, timestamp: 0, value: crate::promql::value::Element::Float(value) }
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

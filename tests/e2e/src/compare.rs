//! Comparison of two answers of the query API: label sets and timestamps must be equal, values to a relative 1e-9.

use std::collections::BTreeMap;

use serde_json::Value;

/// Two engines may add in another order; more than this is another answer.
const RELATIVE_TOLERANCE: f64 = 1e-9;

/// A series as text, and its points as (time, value) texts.
type Series = BTreeMap<String, Vec<(String, String)>>;

fn points(element: &Value) -> Vec<(String, String)> {
    let pair = |p: &Value| (p[0].to_string(), p[1].as_str().unwrap_or("?").to_string());
    match element["values"].as_array() {
        Some(values) => values.iter().map(pair).collect(),
        None => vec![pair(&element["value"])],
    }
}

fn series(data: &Value) -> Result<Series, String> {
    let result = &data["result"];
    if matches!(data["resultType"].as_str(), Some("scalar" | "string")) {
        let point = (result[0].to_string(), result[1].as_str().unwrap_or("?").to_string());
        return Ok(Series::from([(String::new(), vec![point])]));
    }
    let mut all = Series::new();
    for element in result.as_array().ok_or(format!("no result in {data}"))? {
        // serde_json keeps the keys of an object sorted: equal label sets have equal text.
        let labels = element["metric"].to_string();
        if all.insert(labels.clone(), points(element)).is_some() {
            return Err(format!("{labels} comes twice"));
        }
    }
    Ok(all)
}

/// Are two values as texts the same but for rounding?
pub fn close(a: &str, b: &str) -> bool {
    close_within(a, b, RELATIVE_TOLERANCE)
}

fn close_within(a: &str, b: &str, tolerance: f64) -> bool {
    if a == b {
        return true;
    }
    let (Ok(x), Ok(y)) = (a.parse::<f64>(), b.parse::<f64>()) else { return false };
    let scale = x.abs().max(y.abs());
    (x.is_nan() && y.is_nan()) || (x - y).abs() <= tolerance * scale
}

/// Ok with the number of points compared; else the first difference.
pub fn same(ours: &Value, theirs: &Value) -> Result<usize, String> {
    same_within(ours, theirs, RELATIVE_TOLERANCE)
}

/// As [`same`], but every value must be the same number to the last bit.
pub fn identical(ours: &Value, theirs: &Value) -> Result<usize, String> {
    same_within(ours, theirs, 0.0)
}

/// As [`same`], with values equal to a relative `tolerance`.
pub fn same_within(ours: &Value, theirs: &Value, tolerance: f64) -> Result<usize, String> {
    if ours["resultType"] != theirs["resultType"] {
        return Err(format!("type {} instead of {}", ours["resultType"], theirs["resultType"]));
    }
    let (ours, theirs) = (series(ours)?, series(theirs)?);
    if let Some(extra) = ours.keys().find(|k| !theirs.contains_key(*k)) {
        return Err(format!("{} series instead of {}; extra: {extra}", ours.len(), theirs.len()));
    }
    let mut compared = 0;
    for (labels, want) in &theirs {
        let got = ours.get(labels).ok_or(format!("missing: {labels}"))?;
        if got.len() != want.len() {
            let other = got.iter().zip(want).position(|(a, b)| a.0 != b.0);
            return Err(format!(
                "{labels}: {} points instead of {}, different from point {other:?}",
                got.len(),
                want.len()
            ));
        }
        for (g, w) in got.iter().zip(want) {
            if g.0 != w.0 || !close_within(&g.1, &w.1, tolerance) {
                return Err(format!("{labels}: {g:?} instead of {w:?}"));
            }
            compared += 1;
        }
    }
    Ok(compared)
}

//! `load_with_nhcb`: the classic histograms of a load (series `x_bucket`, `x_count`, `x_sum`) as native ones with custom
//! buckets, of series `x`.

use std::collections::BTreeMap;

use super::syntax::{Load, Point, Series};
use crate::model::histogram::custom::ClassicError;
use crate::model::{Histogram, Labels, METRIC_NAME, Timestamp};

/// The label of a classic bucket's upper bound.
const BOUND_LABEL: &str = "le";

/// Native histograms by series and time.
pub type Histograms = BTreeMap<Labels, BTreeMap<Timestamp, Histogram>>;

/// # Errors
/// The series of a classic histogram contradict each other.
pub fn custom_bucket_histograms(load: &Load) -> Result<Histograms, String> {
    let mut classic: BTreeMap<Labels, BTreeMap<Timestamp, Classic>> = BTreeMap::new();
    for series in &load.series {
        let Some((labels, part)) = part_of(&series.labels) else { continue };
        let times = classic.entry(labels).or_default();
        for (timestamp, value) in floats(series, load.step_ms) {
            times.entry(timestamp).or_default().set(part, value);
        }
    }
    let convert = |(labels, times): (Labels, BTreeMap<Timestamp, Classic>)| {
        let native = times.into_iter().map(|(timestamp, one)| Ok((timestamp, one.native()?)));
        let native: Result<_, ClassicError> = native.collect();
        let native = native.map_err(|reason| format!("classic histogram {labels}: {reason}"))?;
        Ok((labels, native))
    };
    classic.into_iter().map(convert).collect()
}

/// What a series of a classic histogram says of it.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// How many observations are at most this.
    Bucket(f64),
    Count,
    Sum,
}

/// The series of the native histogram, and what this one adds to it.
fn part_of(labels: &Labels) -> Option<(Labels, Part)> {
    let name = labels.metric_name();
    let (base, part) = if let Some(base) = name.strip_suffix("_bucket") {
        let bound: f64 = labels.value(BOUND_LABEL).parse().ok()?;
        (base, (!bound.is_nan()).then_some(Part::Bucket(bound))?)
    } else if let Some(base) = name.strip_suffix("_count") {
        (base, Part::Count)
    } else {
        (name.strip_suffix("_sum")?, Part::Sum)
    };
    let others = labels.iter().filter(|(label, _)| *label != METRIC_NAME && *label != BOUND_LABEL);
    Some((Labels::from_pairs(others.chain([(METRIC_NAME, base)])), part))
}

fn floats(series: &Series, step_ms: i64) -> impl Iterator<Item = (Timestamp, f64)> {
    series.points.iter().enumerate().filter_map(move |(index, point)| match point {
        Point::Float(value) => Some((index as i64 * step_ms, *value)),
        _ => None,
    })
}

/// A classic histogram at one time.
#[derive(Default)]
struct Classic {
    /// Upper bounds and cumulative counts.
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: Option<f64>,
}

impl Classic {
    fn set(&mut self, part: Part, value: f64) {
        match part {
            Part::Bucket(bound) => self.buckets.push((bound, value)),
            Part::Count => self.count = Some(value),
            Part::Sum => self.sum = Some(value),
        }
    }

    fn native(&self) -> Result<Histogram, ClassicError> {
        Histogram::from_classic(&self.buckets, self.count, self.sum)
    }
}

#[cfg(test)]
mod tests {
    use super::super::histogram::literal;
    use super::super::parse::parse_script;
    use super::super::syntax::CommandKind;
    use super::*;

    fn converted(series: &[&str]) -> Result<Vec<String>, String> {
        let text = format!("load_with_nhcb 1m\n{}\n", series.join("\n"));
        let commands = parse_script(&text).unwrap();
        let CommandKind::Load(load) = &commands[0].kind else { panic!("a load") };
        let show = |(labels, times): (Labels, BTreeMap<Timestamp, Histogram>)| {
            let times = times.iter().map(|(t, histogram)| format!(" {t} {}", literal(histogram)));
            labels.to_string() + &times.collect::<String>()
        };
        Ok(custom_bucket_histograms(load)?.into_iter().map(show).collect())
    }

    #[test]
    fn buckets_are_converted_by_series_and_time() {
        let got = converted(&[
            "a_bucket{le=\"+Inf\", x=\"1\"} 6 7",
            "a_bucket{le=\"1e0\", x=\"1\"} 4 _",
            "a_bucket{le=\"1.0\", x=\"1\"} 4 _",
            "a_bucket{le=\"none\", x=\"1\"} 9 9",
            "a_bucket{le=\"nan\", x=\"1\"} 9 9",
            "a_sum{x=\"1\"} 2.5",
            "b_bucket{le=\"2\"} 3",
            "b_count 5",
            "other 1",
        ]);
        let want = [
            "a{x=\"1\"} 0 {{schema:-53 sum:2.5 count:6 custom_values:[1] buckets:[4 2]}} \
             60000 {{schema:-53 count:7 buckets:[7]}}",
            "b 0 {{schema:-53 count:5 custom_values:[2] buckets:[3 2]}}",
        ];
        assert_eq!(got.unwrap(), want);
    }

    #[test]
    fn buckets_that_decrease_are_refused() {
        let decreasing = converted(&["a_bucket{le=\"1\"} 3", "a_bucket{le=\"2\"} 2"]);
        assert!(decreasing.unwrap_err().contains("must not fall"));
    }
}

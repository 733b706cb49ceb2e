//! `sbtool dump`: series and samples as text.

use std::collections::BTreeMap;
use std::io::Write;

use silverback::model::labels::{is_legacy_label_name, quoted};
use silverback::model::{Labels, Matcher, TimeRange, Timestamp};
use silverback::promql::parser::{ParseOptions, parse_selector};
use silverback::read::{Columns, SeriesSet, Source};

use crate::number::put_shortest;
use crate::{Failure, finish};

/// What is printed.
pub struct Selection {
    /// A series is printed if all matchers of one of these match it.
    sets: Vec<Vec<Matcher>>,
    range: TimeRange,
}

impl Selection {
    pub fn parse(selectors: &[String], mint: i64, maxt: i64) -> Result<Selection, Failure> {
        let parse = |text: &String| {
            parse_selector(text, &ParseOptions::default())
                .map_err(|error| format!("--match {text:?} is no selector: {error}"))
        };
        let mut sets: Vec<Vec<Matcher>> = selectors.iter().map(parse).collect::<Result<_, _>>()?;
        if sets.is_empty() {
            sets.push(Vec::new());
        }
        Ok(Selection { sets, range: TimeRange::new(mint, maxt) })
    }

    pub fn is_everything(&self) -> bool {
        self.range == TimeRange::ALL && self.sets.iter().all(Vec::is_empty)
    }
}

/// Prints the selected samples, series in the order of their labels, each series in the order of time.
pub fn dump(
    source: &impl Source,
    selection: &Selection,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let selected: Result<Vec<Box<dyn SeriesSet>>, _> =
        selection.sets.iter().map(|matchers| source.select(matchers, selection.range)).collect();
    let sets = selected.map_err(|error| error.to_string())?;
    let mut places: BTreeMap<&Labels, (usize, usize)> = BTreeMap::new();
    for (set_index, set) in sets.iter().enumerate() {
        let labels = set.labels().map_err(|error| error.to_string())?;
        for (index, labels) in labels.iter().enumerate() {
            places.entry(labels).or_insert((set_index, index));
        }
    }
    let mut columns = Columns::default();
    for (labels, (set_index, index)) in places {
        let read = sets[set_index].read(index, selection.range, &mut columns);
        read.map_err(|error| error.to_string())?;
        let pairs: Vec<String> = labels.iter().map(|(name, value)| pair(name, value)).collect();
        self::columns(&format!("{{{}}}", pairs.join(", ")), &columns, out)?;
    }
    // A script must not take the rest for the whole.
    let warnings: Vec<String> = sets.iter().flat_map(|set| set.warnings()).collect();
    warnings.first().map_or(Ok(()), |first| Err(first.clone()))
}

/// Prints samples of one series, one per line.
pub fn columns(series: &str, columns: &Columns, out: &mut impl Write) -> Result<(), Failure> {
    let mut samples = columns.timestamps.iter().zip(&columns.floats);
    samples.try_for_each(|(timestamp, value)| sample(series, *timestamp, *value, out))
}

/// Prints one sample.
pub fn sample(
    series: &str,
    timestamp: Timestamp,
    value: f64,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut number = String::new();
    put_shortest(&mut number, value);
    finish(writeln!(out, "{series} {number} {timestamp}"))
}

fn pair(name: &str, value: &str) -> String {
    if is_legacy_label_name(name) {
        return format!("{name}={}", quoted(value));
    }
    format!("{}={}", quoted(name), quoted(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use silverback::read::memory::MemorySource;

    fn text(selectors: &[&str], mint: i64) -> String {
        let mut source = MemorySource::new();
        let up = Labels::from_pairs([("__name__", "up"), ("job", "q\"\n日")]);
        source.add(&up, 1000, 1.0);
        source.add(&up, 2000, 1e6);
        source.add(&Labels::from_pairs([("__name__", "a"), ("http.status", "2")]), 1, f64::NAN);
        let selectors: Vec<String> = selectors.iter().map(|s| s.to_string()).collect();
        let mut out = Vec::new();
        let selection = Selection::parse(&selectors, mint, i64::MAX).unwrap();
        dump(&source, &selection, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_are_those_of_promtool() {
        assert_eq!(
            text(&[], i64::MIN),
            "{__name__=\"a\", \"http.status\"=\"2\"} NaN 1\n\
             {__name__=\"up\", job=\"q\\\"\\n日\"} 1 1000\n\
             {__name__=\"up\", job=\"q\\\"\\n日\"} 1e+06 2000\n"
        );
    }

    #[test]
    fn selectors_are_a_union_and_times_a_range() {
        assert_eq!(text(&["up", "{job!=\"\"}", "nothing"], 2000).lines().count(), 1);
        assert_eq!(text(&["a", "up"], 0).lines().count(), 3);
        assert!(Selection::parse(&["up{".to_string()], 0, 0).is_err());
    }
}

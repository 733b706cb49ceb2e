//! From matchers to series of a block. The steps are those of `index::select`, on files: what is dear here is to read rows,
//! so series are filtered by their rows only where they are few.
//!
//! A matcher that an absent label does not satisfy *requires* one of some values; any other *excludes* some.
//! 1. Required values that can be looked up, smallest postings first, narrow the series.
//! 2. Other required ones: values behind the literal prefix are asked, or, if few series are left, the values of these.
//! 3. The same for what excludes.

use std::ops::Range;

use super::dictionary::{self, Name, TextCursor, each_list, lower_bound};
use super::reader::Block;
use super::rows::RowReader;
use crate::fs::sealed::FileError;
use crate::index::postings::{ascending, intersect, subtract};
use crate::model::{MatchOp, Matcher};

/// Regular expressions that every value and every non-empty value satisfies.
const ANY_VALUE: &str = ".*";
const ANY_NON_EMPTY_VALUE: &str = ".+";

/// Series are filtered by their rows if the postings in question are more than so many times their number, or the values that
/// would be asked: reading a row costs as much as decoding or asking so many.
const POSTINGS_PER_ROW: usize = 100;
const VALUES_PER_ROW: usize = 10;

/// The series that satisfy all matchers, ascending.
pub fn select(block: &Block, matchers: &[Matcher]) -> Result<Vec<u32>, FileError> {
    let (excluding, requiring): (Vec<&Matcher>, Vec<&Matcher>) =
        matchers.iter().partition(|matcher| matcher.matches_empty());
    let mut series = match require(block, &requiring)? {
        Some(series) => series,
        None => (0..block.series_count()).collect(),
    };
    for matcher in excluding {
        series = exclude(block, series, matcher)?;
    }
    Ok(series)
}

/// The series that satisfy the matchers that require a label; `None` if there is no such matcher.
fn require(block: &Block, requiring: &[&Matcher]) -> Result<Option<Vec<u32>>, FileError> {
    let mut known = Vec::new();
    let mut unknown = Vec::new();
    for matcher in requiring {
        let Some((number, name)) = block.name(&matcher.name) else { return Ok(Some(Vec::new())) };
        match matcher.literal_values() {
            Some(texts) => {
                let mut values = Vec::new();
                for text in texts {
                    values.extend(dictionary::find(block, name, text.as_bytes())?);
                }
                known.push(ValueSet::new(block, number, values)?);
            }
            None => unknown.push((number, *matcher)),
        }
    }
    known.sort_by_key(|values| values.series_count);
    let mut series = None;
    for values in &known {
        series = Some(values.narrow(block, series)?);
    }
    for (name, matcher) in unknown {
        series = Some(require_by_value(block, series, name, matcher)?);
    }
    Ok(series)
}

/// The series, of those given or of all, whose label has a value that satisfies a matcher.
fn require_by_value(
    block: &Block,
    series: Option<Vec<u32>>,
    name: u32,
    matcher: &Matcher,
) -> Result<Vec<u32>, FileError> {
    let range = prefix_range(block, &block.names()[name as usize], matcher.literal_prefix())?;
    match series {
        Some(series) if is_few(&series, range.len(), VALUES_PER_ROW) => {
            filter(block, series, name, |text| text.is_some_and(|text| matcher.matches(text)))
        }
        series => {
            let values = values_where(block, name, range, |text| satisfies(matcher, text))?;
            ValueSet::new(block, name, values)?.narrow(block, series)
        }
    }
}

/// Are there so few series that their rows are cheaper than something else, of which a row costs so many?
fn is_few(series: &[u32], other: usize, per_row: usize) -> bool {
    series.len().saturating_mul(per_row) < other
}

/// Removes the series whose label does not satisfy a matcher that an absent label satisfies.
fn exclude(block: &Block, series: Vec<u32>, matcher: &Matcher) -> Result<Vec<u32>, FileError> {
    let Some((number, name)) = block.name(&matcher.name) else { return Ok(series) };
    let values: Vec<u32> = match matcher.op {
        MatchOp::Regex if matcher.value == ANY_VALUE => return Ok(series),
        MatchOp::NotEqual => {
            dictionary::find(block, name, matcher.value.as_bytes())?.into_iter().collect()
        }
        _ if is_few(&series, name.value_count as usize, VALUES_PER_ROW) => {
            return filter(block, series, number, |text| text.is_none_or(|t| matcher.matches(t)));
        }
        _ => values_where(block, number, 0..name.value_count, |text| !matcher.matches(text))?,
    };
    let values = ValueSet::new(block, number, values)?;
    if is_few(&series, values.series_count, POSTINGS_PER_ROW) {
        return values.filter(block, series, false);
    }
    let mut series = series;
    subtract(&mut series, &values.union(block)?);
    Ok(series)
}

/// Does a value satisfy a matcher?
fn satisfies(matcher: &Matcher, value: &str) -> bool {
    let is_any = matcher.op == MatchOp::Regex && matcher.value == ANY_NON_EMPTY_VALUE;
    is_any || matcher.matches(value)
}

/// The values that begin with a prefix.
fn prefix_range(block: &Block, name: &Name, prefix: &str) -> Result<Range<u32>, FileError> {
    if prefix.is_empty() {
        return Ok(0..name.value_count);
    }
    let start = lower_bound(block, name, prefix.as_bytes())?;
    // No UTF-8 text has the byte 0xff, so this is above all that begin with the prefix.
    let behind = [prefix.as_bytes(), &[0xff]].concat();
    Ok(start..lower_bound(block, name, &behind)?.max(start))
}

fn values_where(
    block: &Block,
    name: u32,
    range: Range<u32>,
    keep: impl Fn(&str) -> bool,
) -> Result<Vec<u32>, FileError> {
    let mut values = Vec::new();
    dictionary::scan(block, &block.names()[name as usize], range, |value, text| {
        values.extend(keep(text).then_some(value));
    })?;
    Ok(values)
}

/// Keeps the series whose value of a label, or its absence, is accepted.
fn filter(
    block: &Block,
    series: Vec<u32>,
    name: u32,
    keep: impl Fn(Option<&str>) -> bool,
) -> Result<Vec<u32>, FileError> {
    let (mut rows, mut text) = (RowReader::default(), TextCursor::default());
    let mut kept = Vec::new();
    for series in series {
        let is_kept = match rows.value(block, series, name)? {
            None => keep(None),
            Some(value) => {
                text.seek(block, &block.names()[name as usize], value)?;
                keep(Some(text.text(block)?))
            }
        };
        kept.extend(is_kept.then_some(series));
    }
    Ok(kept)
}

/// Values of one name, one of which a series must have, or must not.
struct ValueSet {
    name: u32,
    /// Ascending.
    values: Vec<u32>,
    /// Series that have one of the values. None has two, since a series has one value per name.
    series_count: usize,
}

impl ValueSet {
    fn new(block: &Block, name: u32, mut values: Vec<u32>) -> Result<ValueSet, FileError> {
        values.sort_unstable();
        values.dedup();
        let mut series_count = 0;
        each_list(block, &block.names()[name as usize], &values, |_, list| {
            series_count += list.count as usize;
            Ok(())
        })?;
        Ok(ValueSet { name, values, series_count })
    }

    /// The series that have one of the values, ascending.
    fn union(&self, block: &Block) -> Result<Vec<u32>, FileError> {
        let mut series = Vec::new();
        let name = &block.names()[self.name as usize];
        each_list(block, name, &self.values, |_, list| {
            list.decode(block.series_count(), &mut series)
        })?;
        match self.values.len() {
            0 | 1 => Ok(series),
            // Lists of different values are disjoint but in a damaged file; the union holds each series once all the same.
            _ => Ok(ascending(series, block.series_count() as usize)),
        }
    }

    /// The series, of those given or of all, that have one of the values.
    fn narrow(&self, block: &Block, series: Option<Vec<u32>>) -> Result<Vec<u32>, FileError> {
        match series {
            None => self.union(block),
            Some(series) if is_few(&series, self.series_count, POSTINGS_PER_ROW) => {
                self.filter(block, series, true)
            }
            Some(mut series) => {
                intersect(&mut series, &self.union(block)?);
                Ok(series)
            }
        }
    }

    /// Keeps the series that have one of the values, or those that have none.
    fn filter(
        &self,
        block: &Block,
        series: Vec<u32>,
        keep_having: bool,
    ) -> Result<Vec<u32>, FileError> {
        let mut rows = RowReader::default();
        let mut kept = Vec::new();
        for series in series {
            let value = rows.value(block, series, self.name)?;
            let has = value.is_some_and(|value| self.values.binary_search(&value).is_ok());
            kept.extend((has == keep_having).then_some(series));
        }
        Ok(kept)
    }
}

//! Operators whose label sets must be made unique: those of two operators together, or those that a function has made
//! equal. Series with the same labels are one, as long as they do not have values at the same step; that they do is found
//! out when their column is asked for.

use hashbrown::HashMap;

use super::column::Column;
use super::matching::members;
use super::operator::{BoxOperator, Meta, Operator, Scratch};
use super::query::{Query, series_cost};
use super::value::QueryError;

/// The series of several operators, one operator after the other. Their labels may collide: for [`merge_equal`].
pub struct Concat<'q> {
    parts: Vec<BoxOperator<'q>>,
    series: Vec<Meta>,
}

impl<'q> Concat<'q> {
    /// # Errors
    /// The label sets are over the budget, or nobody waits for the answer any more.
    pub fn new(query: &Query<'_>, parts: Vec<BoxOperator<'q>>) -> Result<Concat<'q>, QueryError> {
        query.keep_clones(parts.iter().map(|part| part.series().len()).sum())?;
        let mut series = Vec::new();
        for (index, meta) in parts.iter().flat_map(|part| part.series()).enumerate() {
            query.check_at(index)?;
            series.push(meta.clone());
        }
        Ok(Concat { parts, series })
    }
}

impl Operator for Concat<'_> {
    fn series(&self) -> &[Meta] {
        &self.series
    }

    fn column(
        &self,
        mut index: usize,
        scratch: &mut Scratch,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        for part in &self.parts {
            match index.checked_sub(part.series().len()) {
                Some(rest) => index = rest,
                None => return part.column(index, scratch, out),
            }
        }
        unreachable!("the index is within the series of all parts")
    }
}

/// Makes the label sets unique again after some have become equal: series with the same labels are one, as long as
/// no two of them have a value at the same step.
///
/// # Errors
/// The label sets are over the budget, or nobody waits for the answer any more.
pub fn merge_equal<'q>(
    query: &Query<'_>,
    inner: BoxOperator<'q>,
) -> Result<BoxOperator<'q>, QueryError> {
    let count = inner.series().len();
    let _held = query.budget.hold_bytes(count.saturating_mul(MERGED_SERIES_BYTES))?;
    let (mut position, mut of) = (HashMap::with_capacity(count), Vec::with_capacity(count));
    for (index, meta) in inner.series().iter().enumerate() {
        query.check_at(index)?;
        let next = position.len();
        of.push(*position.entry(meta).or_insert(next));
    }
    let merged_count = position.len();
    drop(position);
    if merged_count == count {
        return Ok(inner);
    }
    query.keep(series_cost(0, 0).saturating_mul(merged_count))?;
    query.keep_clones(merged_count)?;
    let mut series = Vec::with_capacity(merged_count);
    for (index, at) in of.iter().enumerate() {
        query.check_at(index)?;
        if *at == series.len() {
            series.push(inner.series()[index].clone());
        }
    }
    let members = members(&of, merged_count);
    Ok(Box::new(Merged { inner, series, members }))
}

/// What [`merge_equal`] needs meanwhile for a series: its place, and that in a table of label sets.
const MERGED_SERIES_BYTES: usize = 48;

struct Merged<'q> {
    inner: BoxOperator<'q>,
    series: Vec<Meta>,
    members: Vec<Vec<usize>>,
}

impl Operator for Merged<'_> {
    fn series(&self) -> &[Meta] {
        &self.series
    }

    fn column(
        &self,
        index: usize,
        scratch: &mut Scratch,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        let members = &self.members[index];
        self.inner.column(members[0], scratch, out)?;
        for member in &members[1..] {
            let mut other = scratch.take();
            self.inner.column(*member, scratch, &mut other)?;
            out.merge(&other).map_err(|_| same_labelset())?;
            scratch.give(other);
        }
        Ok(())
    }
}

/// Two result series with the same labels and a value at the same step.
pub fn same_labelset() -> QueryError {
    QueryError::Execution("vector cannot contain metrics with the same labelset".to_string())
}

//! What an operator needs of the series of its operands: the [`Part`] that can meet something, and
//! [`hear_out`] for the rest, if it may have something to tell.

use super::column::Column;
use super::operator::{BoxOperator, Meta, Operator, Scratch};
use super::query::Query;
use super::value::QueryError;

/// Some of the series of an operator.
pub struct Part<'q> {
    inner: BoxOperator<'q>,
    indices: Vec<usize>,
    series: Vec<Meta>,
}

impl<'q> Part<'q> {
    /// The series at `indices`, in their order.
    pub fn new(inner: BoxOperator<'q>, indices: Vec<usize>) -> Part<'q> {
        let series = indices.iter().map(|index| inner.series()[*index].clone()).collect();
        Part { inner, indices, series }
    }
}

impl Operator for Part<'_> {
    fn series(&self) -> &[Meta] {
        &self.series
    }

    fn column(
        &self,
        index: usize,
        scratch: &mut Scratch,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        self.inner.column(self.indices[index], scratch, out)
    }
}

/// Evaluates series that nobody needs, for their errors and annotations.
///
/// # Errors
/// That of the first column that has one.
pub fn hear_out(
    query: &Query<'_>,
    operator: &dyn Operator,
    indices: &[usize],
) -> Result<(), QueryError> {
    query.for_each_chunk(
        indices.len(),
        |chunk| {
            let (mut scratch, mut column) = (Scratch::default(), Column::default());
            for index in &indices[chunk] {
                query.check()?;
                operator.column(*index, &mut scratch, &mut column)?;
            }
            Ok(())
        },
        Ok,
    )
}

//! What an operator needs of the series of its operands: the [`Part`] that can meet something, and
//! [`hear_out`] for the rest, if it may have something to tell.

use super::column::Column;
use super::operator::{BoxOperator, Meta, Operator, Scratch};
use super::query::Query;
use super::value::QueryError;
use crate::model::groups::LabelGroups;
use crate::sync::OnceLock;

/// Some of the series of an operator.
pub struct Part<'q> {
    inner: BoxOperator<'q>,
    indices: Vec<usize>,
    /// Made when they are asked for.
    series: OnceLock<Vec<Meta>>,
}

impl<'q> Part<'q> {
    /// The series at `indices`, in their order.
    pub fn new(inner: BoxOperator<'q>, indices: Vec<usize>) -> Part<'q> {
        Part { inner, indices, series: OnceLock::new() }
    }
}

impl Operator for Part<'_> {
    fn series(&self) -> &[Meta] {
        let of = |all: &[Meta]| {
            // Of series whose labels could not be read there are none; the query fails.
            self.indices.iter().filter_map(|index| all.get(*index).cloned()).collect()
        };
        self.series.get_or_init(|| of(self.inner.series()))
    }

    fn series_count(&self) -> usize {
        self.series.get().map_or(self.indices.len(), Vec::len)
    }

    fn drops_names(&self) -> Option<bool> {
        self.inner.drops_names()
    }

    fn one_name(&self) -> Option<&str> {
        self.inner.one_name()
    }

    /// Some of the groups may have no series.
    fn group_by(&self, names: &[&str]) -> Option<LabelGroups> {
        let LabelGroups { of, labels } = self.inner.group_by(names)?;
        Some(LabelGroups { of: self.indices.iter().map(|index| of[*index]).collect(), labels })
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

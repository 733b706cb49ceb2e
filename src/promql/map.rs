//! Functions of elements on their own, whatever their labels are: what `abs`, `histogram_count` or unary minus need.

use super::column::{Column, Element};
use super::operator::{BoxOperator, Meta, Operator, Scratch};
use super::query::Query;
use super::value::QueryError;
use crate::model::Histogram;

/// A function of each value and its step; `None` removes the value.
pub type ValueMap<'q> = Box<dyn Fn(usize, f64) -> Option<f64> + Send + Sync + 'q>;

/// A function of each histogram and its step; `None` removes it.
pub type HistogramMap<'q> = Box<dyn Fn(usize, &Histogram) -> Option<Element> + Send + Sync + 'q>;

/// Another value for every value, under the same labels.
pub struct Map<'q> {
    pub query: &'q Query<'q>,
    pub inner: BoxOperator<'q>,
    pub function: ValueMap<'q>,
    /// `None` drops all histograms.
    pub histograms: Option<HistogramMap<'q>>,
}

impl Operator for Map<'_> {
    fn series(&self) -> &[Meta] {
        self.inner.series()
    }

    fn inner(&self) -> Option<&dyn Operator> {
        Some(self.inner.as_ref())
    }

    fn column(
        &self,
        index: usize,
        scratch: &mut Scratch,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        self.inner.column(index, scratch, out)?;
        self.query.check()?;
        let histograms = std::mem::take(&mut out.histograms);
        out.filter_map(&self.function);
        if let Some(function) = &self.histograms {
            for (step, histogram) in histograms.iter() {
                if let Some(element) = function(step, histogram) {
                    out.set_element(step, element);
                }
            }
        }
        Ok(())
    }
}

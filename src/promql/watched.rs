//! Operators and range inputs that note what they cost ([`super::probe`]). They stand around every node of a query that
//! is analyzed, and around none of any other.

use super::column::Column;
use super::operator::{BoxOperator, Meta, Operator, Scratch};
use super::plan::Node;
use super::probe::{Probe, enter};
use super::slices::Slices;
use super::value::QueryError;
use super::window::{RangeInput, RangeVector, Reading};
use crate::model::groups::LabelGroups;
use crate::sync::Arc;

/// What `build` makes, watched; building it is its first cost.
pub fn node<'q>(
    probe: &Arc<Probe>,
    build: impl FnOnce() -> Result<Node<'q>, QueryError>,
) -> Result<Node<'q>, QueryError> {
    let _entered = enter(probe);
    Ok(match build()? {
        Node::Vector(inner) => {
            probe.set_series(inner.series_count());
            Node::Vector(Box::new(Watched { inner, probe: probe.clone() }))
        }
        node => node,
    })
}

/// [`node`] of range vectors.
pub fn range<'q>(
    probe: &Arc<Probe>,
    build: impl FnOnce() -> Result<RangeVector<'q>, QueryError>,
) -> Result<RangeVector<'q>, QueryError> {
    let _entered = enter(probe);
    let mut range = build()?;
    probe.set_series(range.input.series_count());
    range.input = Box::new(WatchedInput { inner: range.input, probe: probe.clone() });
    Ok(range)
}

struct Watched<'q> {
    inner: BoxOperator<'q>,
    probe: Arc<Probe>,
}

impl Operator for Watched<'_> {
    fn series(&self) -> &[Meta] {
        let _entered = enter(&self.probe);
        self.inner.series()
    }

    fn inner(&self) -> Option<&dyn Operator> {
        Some(self.inner.as_ref())
    }

    fn group_by(&self, names: &[&str]) -> Option<LabelGroups> {
        let _entered = enter(&self.probe);
        self.inner.group_by(names)
    }

    fn column(
        &self,
        index: usize,
        scratch: &mut Scratch,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        let _entered = enter(&self.probe);
        self.inner.column(index, scratch, out)
    }
}

struct WatchedInput<'q> {
    inner: Box<dyn RangeInput + 'q>,
    probe: Arc<Probe>,
}

impl RangeInput for WatchedInput<'_> {
    fn series(&self) -> &[Meta] {
        let _entered = enter(&self.probe);
        self.inner.series()
    }

    fn series_count(&self) -> usize {
        self.inner.series_count()
    }

    fn one_name(&self) -> Option<&str> {
        self.inner.one_name()
    }

    fn group_by(&self, names: &[&str]) -> Option<LabelGroups> {
        let _entered = enter(&self.probe);
        self.inner.group_by(names)
    }

    fn slices(&self) -> Slices {
        self.inner.slices()
    }

    fn read_next(&self, index: usize, slices: &mut Slices, scratch: &mut Scratch) -> Reading<'_> {
        let _entered = enter(&self.probe);
        self.inner.read_next(index, slices, scratch)
    }
}

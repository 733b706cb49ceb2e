//! The shape of evaluation: an operator tells its series first and gives the column of one series on demand. The
//! consumer asks for each column at most once, in any order, from several threads; an operator that needs a column
//! more often keeps it. No operator here reads data.

use std::ops::Range;

use super::column::Column;
use super::query::{Held, Query, column_cost};
use super::select::CHECK_STEPS;
use super::spans::SpansCache;
use super::unique::merge_equal;
use super::value::QueryError;
use crate::model::groups::LabelGroups;
use crate::model::{Labels, METRIC_NAME};
use crate::read::Columns;
use crate::sync::{Arc, OnceLock};

/// A result series before its values are known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Meta {
    pub labels: Labels,
    /// The metric name does not belong to the result, but is kept to the end (delayed name removal).
    pub drop_name: bool,
}

impl Meta {
    pub fn new(labels: Labels) -> Meta {
        Meta { labels, drop_name: false }
    }

    /// After an operation that changes what the metric is.
    pub fn without_name(&self, delayed: bool) -> Meta {
        match delayed {
            true => Meta { labels: self.labels.clone(), drop_name: true },
            false => Meta::new(without_metadata(&self.labels)),
        }
    }
}

impl AsRef<Labels> for Meta {
    fn as_ref(&self) -> &Labels {
        &self.labels
    }
}

/// Labels beside the name that describe the metric, not the thing measured.
pub const METADATA_LABELS: [&str; 2] = ["__type__", "__unit__"];

/// A label that describes the metric: it goes where the name goes.
pub fn is_metadata_label(name: &str) -> bool {
    name == METRIC_NAME || METADATA_LABELS.contains(&name)
}

/// The label set without name, type and unit of the metric.
pub fn without_metadata(labels: &Labels) -> Labels {
    match labels.iter().any(|(name, _)| is_metadata_label(name)) {
        true => labels.filtered(|name| !is_metadata_label(name)),
        false => labels.clone(),
    }
}

/// See the module. The label sets of `series` are unique.
pub trait Operator: Send + Sync {
    fn series(&self) -> &[Meta];

    /// The operator whose series these are: what follows is then known of these as far as of those.
    fn inner(&self) -> Option<&dyn Operator> {
        None
    }

    /// How many series there are.
    fn series_count(&self) -> usize {
        self.inner().map_or_else(|| self.series().len(), |inner| inner.series_count())
    }

    /// [`Meta::drop_name`] of all series, if that is known without a look at them.
    fn drops_names(&self) -> Option<bool> {
        self.inner()?.drops_names()
    }

    /// The name of all series, if that is known without a look at them, and that they have neither type nor unit.
    fn one_name(&self) -> Option<&str> {
        self.inner()?.one_name()
    }

    /// The groups of the series by the values of some labels, if they can be told without label sets.
    fn group_by(&self, names: &[&str]) -> Option<LabelGroups> {
        self.inner()?.group_by(names)
    }

    /// Replaces the contents of `out` with the values of series `index`.
    ///
    /// # Errors
    /// Reading fails, a budget is exceeded, or the values allow no result.
    fn column(
        &self,
        index: usize,
        scratch: &mut Scratch,
        out: &mut Column,
    ) -> Result<(), QueryError>;
}

pub type BoxOperator<'q> = Box<dyn Operator + 'q>;

/// Buffers of one thread, reused from series to series.
#[derive(Default)]
pub struct Scratch {
    /// What the input of the moment has read and still needs.
    pub samples: Columns,
    /// What it has read last.
    pub slice: Columns,
    pub spans: SpansCache,
    spare: Vec<Column>,
}

impl Scratch {
    /// A column with any contents.
    pub fn take(&mut self) -> Column {
        self.spare.pop().unwrap_or_default()
    }

    /// Gives a column back for reuse.
    pub fn give(&mut self, column: Column) {
        if self.spare.len() < SPARE_COLUMNS_MAX {
            self.spare.push(column);
        }
    }
}

/// Columns a thread keeps for reuse: more than operators nest in practice, few enough not to be counted as held.
const SPARE_COLUMNS_MAX: usize = 16;

/// Steps that [`Materialized::for_each_step`] gathers together: two cache lines of each column.
const STEPS_PER_BLOCK: usize = 16;

/// What a kept column costs, its histograms included, in samples.
pub fn kept_cost(column: &Column) -> usize {
    column_cost(column.len()) + column.histograms.cost()
}

/// Columns evaluated and kept.
pub struct Materialized<'q> {
    pub series: Vec<Meta>,
    pub columns: Vec<Column>,
    held: Held<'q>,
}

impl<'q> Materialized<'q> {
    /// Columns made by the caller, all of the same length.
    pub fn new(
        query: &'q Query<'_>,
        series: Vec<Meta>,
        columns: Vec<Column>,
    ) -> Result<Materialized<'q>, QueryError> {
        let held = query.hold(columns.iter().map(kept_cost).sum())?;
        Ok(Materialized::holding(series, columns, held))
    }

    /// Columns made by the caller, who holds them already.
    pub fn holding(series: Vec<Meta>, columns: Vec<Column>, held: Held<'q>) -> Materialized<'q> {
        Materialized { series, columns, held }
    }

    /// Evaluates an operator whole.
    pub fn of(
        query: &'q Query<'_>,
        operator: BoxOperator<'q>,
    ) -> Result<Materialized<'q>, QueryError> {
        let series = operator.series().to_vec();
        let (mut columns, mut all_held) = (Vec::with_capacity(series.len()), query.hold(0)?);
        query.for_each_chunk(
            series.len(),
            |chunk| {
                let mut scratch = Scratch::default();
                let mut columns = Vec::with_capacity(chunk.len());
                let mut held = query.hold(0)?;
                for index in chunk {
                    query.check()?;
                    let mut column = Column::default();
                    operator.column(index, &mut scratch, &mut column)?;
                    held.absorb(query.hold(kept_cost(&column))?);
                    columns.push(column);
                }
                Ok((columns, held))
            },
            |(chunk, held)| {
                columns.extend(chunk);
                all_held.absorb(held);
                Ok(())
            },
        )?;
        Ok(Materialized::holding(series, columns, all_held))
    }

    /// Adds what another one keeps.
    pub fn append(&mut self, other: Materialized<'q>) {
        self.series.extend(other.series);
        self.columns.extend(other.columns);
        self.held.absorb(other.held);
    }

    /// Only the series at `indices`, each at most once, in their order.
    pub fn select(mut self, indices: &[usize]) -> Materialized<'q> {
        let series = indices.iter().map(|index| self.series[*index].clone()).collect();
        let take = |index: &usize| std::mem::take(&mut self.columns[*index]);
        let columns = indices.iter().map(take).collect();
        Materialized { series, columns, held: self.held }
    }
}

impl Materialized<'_> {
    pub fn has_histograms(&self) -> bool {
        self.columns.iter().any(|column| !column.histograms.is_empty())
    }

    /// Gives `visit` the elements of some series at each step that has any: index and what `read` makes of the element,
    /// in the order of `members`. Reads whole stretches of each column, since a step of many columns is a cache miss each.
    pub fn for_each_step(
        &self,
        query: &Query<'_>,
        members: &[usize],
        read: impl Fn(&Column, usize) -> Option<f64>,
        mut visit: impl FnMut(usize, &mut Vec<(usize, f64)>),
    ) -> Result<(), QueryError> {
        let count = members.first().map_or(0, |member| self.columns[*member].len());
        let mut block: [Vec<(usize, f64)>; STEPS_PER_BLOCK] = Default::default();
        for start in (0..count).step_by(STEPS_PER_BLOCK) {
            query.check()?;
            let steps = start..count.min(start + STEPS_PER_BLOCK);
            block.iter_mut().for_each(Vec::clear);
            for (position, member) in members.iter().enumerate() {
                query.check_at(position * STEPS_PER_BLOCK)?;
                let column = &self.columns[*member];
                for step in steps.clone() {
                    if let Some(value) = read(column, step) {
                        block[step - start].push((*member, value));
                    }
                }
            }
            for (offset, elements) in block.iter_mut().enumerate() {
                if !elements.is_empty() {
                    query.check()?;
                    visit(start + offset, elements);
                }
            }
        }
        Ok(())
    }
}

impl Operator for Materialized<'_> {
    fn series(&self) -> &[Meta] {
        &self.series
    }

    fn column(&self, index: usize, _: &mut Scratch, out: &mut Column) -> Result<(), QueryError> {
        out.copy_from(&self.columns[index]);
        Ok(())
    }
}

/// A value that several use: it gives a column as often as it is asked.
pub type SharedOperator<'q> = Arc<dyn Operator + 'q>;

impl Operator for SharedOperator<'_> {
    fn series(&self) -> &[Meta] {
        self.as_ref().series()
    }

    fn inner(&self) -> Option<&dyn Operator> {
        Some(self.as_ref())
    }

    fn column(
        &self,
        index: usize,
        scratch: &mut Scratch,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        self.as_ref().column(index, scratch, out)
    }
}

/// One step's values, repeated over a timeline: an expression that does not depend on the step.
pub struct Repeat<'q> {
    pub query: &'q Query<'q>,
    pub inner: BoxOperator<'q>,
    pub count: usize,
}

impl Operator for Repeat<'_> {
    fn series(&self) -> &[Meta] {
        self.inner.series()
    }

    fn column(
        &self,
        index: usize,
        scratch: &mut Scratch,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        let mut once = scratch.take();
        self.inner.column(index, scratch, &mut once)?;
        out.reset(self.count);
        if let Some(element) = once.element(0) {
            for step in 0..self.count {
                if step % CHECK_STEPS == 0 {
                    self.query.check()?;
                }
                out.set_element(step, element.clone());
            }
        }
        scratch.give(once);
        Ok(())
    }
}

/// Other labels for the same values.
pub struct Relabel<'q> {
    pub inner: BoxOperator<'q>,
    pub series: Vec<Meta>,
}

impl Operator for Relabel<'_> {
    fn series(&self) -> &[Meta] {
        &self.series
    }

    fn column(
        &self,
        index: usize,
        scratch: &mut Scratch,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        self.inner.column(index, scratch, out)
    }
}

/// Drops the metric names of an operator and makes the label sets unique again.
///
/// # Errors
/// As [`merge_equal`].
pub fn drop_names<'q>(
    query: &'q Query<'q>,
    inner: BoxOperator<'q>,
) -> Result<BoxOperator<'q>, QueryError> {
    let delayed = query.options.delayed_name_removal;
    let unique = delayed || inner.one_name().is_some() || names_agree(query, inner.series())?;
    let dropped = Box::new(DropNames { query, inner, delayed, series: OnceLock::new() });
    if unique { Ok(dropped) } else { merge_equal(query, dropped) }
}

/// The same values without the names.
struct DropNames<'q> {
    query: &'q Query<'q>,
    inner: BoxOperator<'q>,
    delayed: bool,
    series: OnceLock<Vec<Meta>>,
}

impl Operator for DropNames<'_> {
    fn series(&self) -> &[Meta] {
        self.series.get_or_init(|| {
            let inner = self.inner.series();
            let dropped = |chunk: Range<usize>| {
                Ok(inner[chunk].iter().map(|meta| meta.without_name(self.delayed)).collect())
            };
            self.query.make_labels(inner.len(), dropped).unwrap_or_else(|error| {
                self.query.fail(error);
                Vec::new()
            })
        })
    }

    fn inner(&self) -> Option<&dyn Operator> {
        Some(self.inner.as_ref())
    }

    fn series_count(&self) -> usize {
        self.series.get().map_or_else(|| self.inner.series_count(), Vec::len)
    }

    fn drops_names(&self) -> Option<bool> {
        Some(self.delayed)
    }

    fn group_by(&self, names: &[&str]) -> Option<LabelGroups> {
        let stays = |name: &&&str| self.delayed || !is_metadata_label(name);
        self.inner.group_by(&names.iter().filter(stays).copied().collect::<Vec<_>>())
    }

    fn column(
        &self,
        index: usize,
        scratch: &mut Scratch,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        self.inner.column(index, scratch, out)
    }
}

/// All series have the same name and neither type nor unit: without it their labels are as unique as before.
fn names_agree(query: &Query<'_>, series: &[Meta]) -> Result<bool, QueryError> {
    let Some(first) = series.first() else { return Ok(true) };
    let name = first.labels.metric_name();
    let is_other = |(label, _): (&str, &str)| label != METRIC_NAME && is_metadata_label(label);
    for (index, Meta { labels, .. }) in series.iter().enumerate() {
        query.check_at(index)?;
        if labels.metric_name() != name || labels.iter().any(is_other) {
            return Ok(false);
        }
    }
    Ok(true)
}

//! Aggregations over all values of a group: `quantile` keeps every column, `count_values` the steps of each
//! distinct value.

use hashbrown::HashMap;

use super::aggregate::Groups;
use super::ast::{Aggregate, Expr, Grouping};
use super::column::Column;
use super::functions::quantile::quantile as quantile_of;
use super::kept_names::keeps_metadata;
use super::operator::{BoxOperator, Materialized, Meta, Operator, Scratch, is_metadata_label};
use super::plan::Plan;
use super::query::{Held, column_cost, series_cost, values_cost};
use super::select::CHECK_STEPS;
use super::unique::merge_equal;
use super::value::QueryError;
use crate::model::labels::quoted;
use crate::model::{LabelsBuilder, METRIC_NAME};
use crate::sync::Arc;

/// The quantile at every step; a warning if it is none somewhere.
pub fn quantile_parameter(plan: &Plan<'_>, param: &Expr) -> Result<Vec<f64>, QueryError> {
    let phis = plan.scalar(param)?;
    plan.query.check_quantiles(param.span, &phis);
    Ok(phis)
}

/// `quantile(phi, v)`
pub fn quantile<'q>(
    plan: &Plan<'q>,
    phis: Vec<f64>,
    inner: BoxOperator<'q>,
    aggregate: &Aggregate,
) -> Result<BoxOperator<'q>, QueryError> {
    let grouping = &aggregate.grouping;
    let apart = keeps_metadata(grouping);
    let groups = Groups::new(plan.query, inner.series(), grouping, apart)?;
    let input = Materialized::of(plan.query, inner)?;
    if input.has_histograms() {
        plan.query.info(aggregate.expr.span, "ignored histogram in quantile aggregation");
    }
    let members = groups.members();
    let held = plan.query.hold(column_cost(phis.len()).saturating_mul(members.len()))?;
    let mut columns = Vec::with_capacity(members.len());
    plan.query.for_each_chunk(
        members.len(),
        |chunk| {
            let column = |group: usize| group_quantile(plan, &phis, &input, &members[group]);
            chunk.map(column).collect::<Result<Vec<_>, _>>()
        },
        |chunk| {
            columns.extend(chunk);
            Ok(())
        },
    )?;
    Ok(Box::new(Materialized::holding(groups.series, columns, held)))
}

fn group_quantile(
    plan: &Plan<'_>,
    phis: &[f64],
    input: &Materialized<'_>,
    members: &[usize],
) -> Result<Column, QueryError> {
    let mut column = Column::new(phis.len());
    let mut values = Vec::with_capacity(members.len());
    input.for_each_step(plan.query, members, Column::get, |step, elements| {
        values.clear();
        values.extend(elements.iter().map(|(_, value)| *value));
        column.set(step, quantile_of(phis[step], &mut values));
    })?;
    Ok(column)
}

/// How often one value occurs in a group: steps and counts, ascending up to `merged`, as they came after that.
#[derive(Default)]
struct Occurrences {
    counts: Vec<(usize, u64)>,
    merged: usize,
}

impl Occurrences {
    fn add(&mut self, step: usize, times: u64) {
        match self.counts.last_mut() {
            Some((last, count)) if *last == step => *count += times,
            _ => {
                if self.counts.len() >= self.merged.saturating_mul(2).max(UNMERGED_MIN) {
                    self.merge();
                }
                self.counts.push((step, times));
            }
        }
    }

    /// One count per step.
    fn merge(&mut self) {
        self.counts.sort_by_key(|(step, _)| *step);
        self.counts.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 += if same { next.1 } else { 0 };
            same
        });
        self.merged = self.counts.len();
    }
}

/// Counts of one value that are not worth merging.
const UNMERGED_MIN: usize = 64;

/// A group and one value in it.
type Key = (usize, Shown);

/// What is told apart of values.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Shown {
    Nothing,
    /// The bits of a float; all NaNs read the same.
    Float(u64),
    /// A histogram in words.
    Histogram(Arc<str>),
}

impl Shown {
    fn float(value: f64) -> Shown {
        Shown::Float(if value.is_nan() { f64::NAN } else { value }.to_bits())
    }

    fn text(&self) -> String {
        match self {
            Shown::Nothing => String::new(),
            Shown::Float(bits) => value_text(f64::from_bits(*bits)),
            Shown::Histogram(text) => text.to_string(),
        }
    }

    fn cost(&self) -> usize {
        match self {
            Shown::Histogram(text) => values_cost(text.len().div_ceil(size_of::<f64>())),
            Shown::Nothing | Shown::Float(_) => 0,
        }
    }
}

/// The values of each group, in order of appearance.
struct Counts<'q> {
    position: HashMap<Key, usize>,
    values: Vec<(Key, Occurrences)>,
    /// What the texts of histograms cost.
    texts: usize,
    /// Steps and counts in all values.
    entries: usize,
    held: Held<'q>,
}

impl<'q> Counts<'q> {
    fn new(plan: &Plan<'q>) -> Result<Counts<'q>, QueryError> {
        let (position, values) = (HashMap::new(), Vec::new());
        Ok(Counts { position, values, texts: 0, entries: 0, held: plan.query.hold(0)? })
    }

    fn of(&mut self, key: Key) -> &mut Occurrences {
        let at = match self.position.get(&key) {
            Some(at) => *at,
            None => {
                self.texts += key.1.cost();
                self.position.insert(key.clone(), self.values.len());
                self.values.push((key, Occurrences::default()));
                self.values.len() - 1
            }
        };
        &mut self.values[at].1
    }

    fn add(&mut self, key: Key, step: usize, times: u64) {
        let occurrences = self.of(key);
        let before = occurrences.counts.len();
        occurrences.add(step, times);
        let after = occurrences.counts.len();
        self.entries = self.entries + after - before;
    }

    /// A column of one series of a group.
    fn add_column(
        &mut self,
        plan: &Plan<'q>,
        group: usize,
        column: &Column,
        by_value: bool,
    ) -> Result<(), QueryError> {
        let floats = column.iter().map(|(step, value)| (step, Shown::float(value)));
        let histograms = column.histograms.iter().map(|(step, histogram)| {
            let text = if by_value { histogram.to_string() } else { String::new() };
            (step, Shown::Histogram(text.into()))
        });
        for (position, (step, shown)) in floats.chain(histograms).enumerate() {
            self.add((group, if by_value { shown } else { Shown::Nothing }), step, 1);
            if position % CHECK_STEPS == 0 {
                plan.query.check()?;
                self.hold(plan)?;
            }
        }
        self.hold(plan)
    }

    /// What all this costs: a step and a count are as large as a sample.
    fn cost(&self) -> usize {
        series_cost(0, 0) * self.values.len() + self.texts + self.entries
    }

    fn hold(&mut self, plan: &Plan<'q>) -> Result<(), QueryError> {
        let more = self.cost().saturating_sub(self.held.samples());
        self.held.absorb(plan.query.hold(more)?);
        Ok(())
    }

    fn absorb(&mut self, other: Counts<'q>) {
        for (key, occurrences) in other.values {
            let mine = self.of(key);
            let before = mine.counts.len();
            occurrences.counts.into_iter().for_each(|(step, times)| mine.add(step, times));
            let after = mine.counts.len();
            self.entries = self.entries + after - before;
        }
        self.held.absorb(other.held);
        self.held.shrink(self.cost());
    }
}

/// `count_values(label, v)`: the value, as text, becomes a label of the result.
pub fn count_values<'q>(
    plan: &Plan<'q>,
    label: String,
    inner: BoxOperator<'q>,
    grouping: &Grouping,
) -> Result<BoxOperator<'q>, QueryError> {
    if label.is_empty() {
        return Err(QueryError::Execution(format!("invalid label name {}", quoted(&label))));
    }
    // What the label was before does not matter, whether it is grouped by or not.
    let mut base = grouping.clone();
    base.labels.retain(|name| *name != label);
    if grouping.without {
        base.labels.push(label.clone());
    }
    // A label that is not grouped by does not tell the values of a group apart; the name never is with `without`.
    let by_value = !grouping.without || !(label == METRIC_NAME || grouping.labels.contains(&label));
    let apart = keeps_metadata(&base) || is_metadata_label(&label);
    let groups = Groups::new(plan.query, inner.series(), &base, apart)?;
    let Counts { mut values, held, .. } = count_in_groups(plan, inner.as_ref(), &groups, by_value)?;
    values.iter_mut().for_each(|(_, occurrences)| occurrences.merge());
    let meta = |((group, shown), _): &(Key, Occurrences)| {
        let Meta { labels, drop_name } = &groups.series[*group];
        let mut labels = LabelsBuilder::from_labels(labels);
        if by_value {
            labels.set(&label, &shown.text());
        }
        // A name that was asked for stays.
        let names = by_value && label == METRIC_NAME;
        Meta { labels: labels.build(), drop_name: *drop_name && !names }
    };
    let series = plan.query.collect_labels(values.iter().map(meta))?;
    let counts = values.into_iter().map(|(_, occurrences)| occurrences.counts).collect();
    let steps = plan.timeline.count;
    merge_equal(plan.query, Box::new(ValueCounts { series, counts, steps, _held: held }))
}

/// The result of `count_values`: most values occur at few steps, so columns are made when asked for.
struct ValueCounts<'q> {
    series: Vec<Meta>,
    /// Of each series, steps and counts.
    counts: Vec<Vec<(usize, u64)>>,
    steps: usize,
    _held: Held<'q>,
}

impl Operator for ValueCounts<'_> {
    fn series(&self) -> &[Meta] {
        &self.series
    }

    fn column(&self, index: usize, _: &mut Scratch, out: &mut Column) -> Result<(), QueryError> {
        out.reset(self.steps);
        self.counts[index].iter().for_each(|(step, count)| out.set(*step, *count as f64));
        Ok(())
    }
}

fn count_in_groups<'q>(
    plan: &Plan<'q>,
    inner: &dyn Operator,
    groups: &Groups,
    by_value: bool,
) -> Result<Counts<'q>, QueryError> {
    let mut all = Counts::new(plan)?;
    plan.query.for_each_chunk(
        inner.series().len(),
        |chunk| {
            let (mut scratch, mut column) = (Scratch::default(), Column::default());
            let mut counts = Counts::new(plan)?;
            for index in chunk {
                plan.query.check()?;
                inner.column(index, &mut scratch, &mut column)?;
                counts.add_column(plan, groups.of[index], &column, by_value)?;
            }
            Ok(counts)
        },
        |counts| {
            all.absorb(counts);
            Ok(())
        },
    )?;
    Ok(all)
}

/// As Go's `%f` with the digits needed: never an exponent.
fn value_text(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_string(),
        f64::NEG_INFINITY => "-Inf".to_string(),
        value => format!("{value}"),
    }
}

//! Aggregations over all values of a group: `quantile` keeps every column, `count_values` a column per distinct value.

use hashbrown::HashMap;

use super::aggregate::Groups;
use super::ast::{Expr, Grouping};
use super::column::Column;
use super::functions::quantile::quantile as quantile_of;
use super::operator::{BoxOperator, Materialized, Meta, Operator, Scratch, merge_equal};
use super::plan::Plan;
use super::value::QueryError;
use crate::model::LabelsBuilder;
use crate::model::labels::quoted;

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
    grouping: &Grouping,
) -> Result<BoxOperator<'q>, QueryError> {
    let groups = Groups::new(inner.series(), grouping);
    let input = Materialized::of(plan.query, inner)?;
    let members = groups.members();
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
    Ok(Box::new(Materialized::new(plan.query, groups.series, columns)?))
}

fn group_quantile(
    plan: &Plan<'_>,
    phis: &[f64],
    input: &Materialized<'_>,
    members: &[usize],
) -> Result<Column, QueryError> {
    let mut column = Column::new(phis.len());
    let mut values = Vec::with_capacity(members.len());
    input.for_each_step(plan.query, members, |step, elements| {
        values.clear();
        values.extend(elements.iter().map(|(_, value)| *value));
        column.set(step, quantile_of(phis[step], &mut values));
    })?;
    Ok(column)
}

/// How often each value occurs in a group: columns by group and bits of the value, in order of appearance.
#[derive(Default)]
struct Counts {
    position: HashMap<(usize, u64), usize>,
    columns: Vec<((usize, u64), Column)>,
}

impl Counts {
    fn add(&mut self, group: usize, bits: u64, count: usize, step: usize, times: f64) {
        let key = (group, bits);
        let at = *self.position.entry(key).or_insert(self.columns.len());
        if at == self.columns.len() {
            self.columns.push((key, Column::new(count)));
        }
        let column = &mut self.columns[at].1;
        column.set(step, column.get(step).unwrap_or(0.0) + times);
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
    let named = grouping.labels.contains(&label);
    let mut base = grouping.clone();
    base.labels.retain(|name| *name != label);
    if grouping.without {
        base.labels.push(label.clone());
    }
    let groups = Groups::new(inner.series(), &base);
    let counts = count_in_groups(plan, inner.as_ref(), &groups)?;
    let (mut series, mut columns) = (Vec::new(), Vec::new());
    for ((group, bits), column) in counts.columns {
        let Meta { labels, drop_name } = &groups.series[group];
        let mut labels = LabelsBuilder::from_labels(labels);
        if !(grouping.without && named) {
            labels.set(&label, &value_text(f64::from_bits(bits)));
        }
        series.push(Meta { labels: labels.build(), drop_name: *drop_name });
        columns.push(column);
    }
    Ok(merge_equal(Box::new(Materialized::new(plan.query, series, columns)?)))
}

fn count_in_groups(
    plan: &Plan<'_>,
    inner: &dyn Operator,
    groups: &Groups,
) -> Result<Counts, QueryError> {
    let count = plan.timeline.count;
    let mut all = Counts::default();
    plan.query.for_each_chunk(
        inner.series().len(),
        |chunk| {
            let (mut scratch, mut column) = (Scratch::default(), Column::default());
            let mut counts = Counts::default();
            for index in chunk {
                inner.column(index, &mut scratch, &mut column)?;
                for (step, value) in column.iter() {
                    // All NaNs read the same.
                    let bits = if value.is_nan() { f64::NAN } else { value }.to_bits();
                    counts.add(groups.of[index], bits, count, step, 1.0);
                }
                drop(plan.query.hold(counts.columns.len() * count)?);
            }
            Ok(counts)
        },
        |counts| {
            for ((group, bits), column) in counts.columns {
                for (step, times) in column.iter() {
                    all.add(group, bits, count, step, times);
                }
            }
            drop(plan.query.hold(all.columns.len() * count)?);
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

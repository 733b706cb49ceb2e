//! Series of the same labels while the removal of names is delayed, of which one keeps its name and the other does not: they
//! take turns, since every step is evaluated on its own.
//!
//! A group of an aggregation loses its name, type and unit at the steps where one of its elements does. Where it has both
//! kinds of series, [`apart`] makes two of those that keep their name, one for either kind of step: each of the two groups that
//! [`Groups::new`] tells apart is then of one kind. Windows hold several steps, so before them [`together`] makes them one.

use hashbrown::HashSet;

use super::aggregate::Groups;
use super::ast::Grouping;
use super::column::{Bits, Column};
use super::operator::{BoxOperator, Materialized, Meta, Relabel, is_metadata_label};
use super::plan::Plan;
use super::query::Query;
use super::unique::merge_equal;
use super::value::QueryError;
use crate::model::Labels;

/// Do groups have labels that may be dropped later?
pub fn keeps_metadata(grouping: &Grouping) -> bool {
    grouping.without || grouping.labels.iter().any(|label| is_metadata_label(label))
}

/// The operand of an aggregation, its series told apart where that matters.
///
/// # Errors
/// Evaluating the operand failed.
pub fn apart<'q>(
    plan: &Plan<'q>,
    inner: BoxOperator<'q>,
    grouping: &Grouping,
) -> Result<BoxOperator<'q>, QueryError> {
    let query = plan.query;
    let may_differ = query.options.delayed_name_removal && inner.drops_names().is_none();
    if !may_differ || is_of_one_kind(inner.series()) {
        return Ok(inner);
    }
    let groups = Groups::new(query, inner.series(), grouping, false)?;
    let Materialized { series, columns, .. } = Materialized::of(query, inner)?;
    let mut losing = vec![Bits::new(plan.timeline.count); groups.series.len()];
    for ((meta, column), group) in series.iter().zip(&columns).zip(&groups.of) {
        if meta.drop_name {
            losing[*group].union(&column.presence());
        }
    }
    let mut told_apart: (Vec<Meta>, Vec<Column>) = (Vec::new(), Vec::new());
    for ((meta, mut column), group) in series.into_iter().zip(columns).zip(&groups.of) {
        let losing = &losing[*group];
        if !meta.drop_name && !losing.is_empty() {
            let mut lost = Column::default();
            lost.copy_from(&column);
            lost.keep(losing);
            column.drop_at(losing);
            told_apart.0.push(Meta { drop_name: true, ..meta.clone() });
            told_apart.1.push(lost);
        }
        told_apart.0.push(meta);
        told_apart.1.push(column);
    }
    Ok(Box::new(Materialized::new(query, told_apart.0, told_apart.1)?))
}

/// The operand of a subquery. What keeps its name at some steps only has lost it.
///
/// # Errors
/// The label sets are over the budget, or nobody waits for the answer any more.
pub fn together<'q>(
    query: &Query<'_>,
    inner: BoxOperator<'q>,
) -> Result<BoxOperator<'q>, QueryError> {
    if !query.options.delayed_name_removal {
        return Ok(inner);
    }
    if is_of_one_kind(inner.series()) {
        return merge_equal(query, inner);
    }
    let losing = inner.series().iter().filter(|meta| meta.drop_name);
    let losing: HashSet<Labels> = losing.map(|meta| meta.labels.clone()).collect();
    let as_one = |meta: &Meta| {
        let labels = meta.labels.clone();
        Meta { drop_name: losing.contains(&labels), labels }
    };
    let series = query.collect_labels(inner.series().iter().map(as_one))?;
    merge_equal(query, Box::new(Relabel { inner, series }))
}

fn is_of_one_kind(series: &[Meta]) -> bool {
    series.windows(2).all(|pair| pair[0].drop_name == pair[1].drop_name)
}

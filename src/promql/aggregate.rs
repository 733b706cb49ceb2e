//! Aggregations: which series form a group, and which file computes what. The ones that need one number per group and
//! step are folds ([`super::fold`]); the ones that choose elements rank them ([`super::rank`]); `quantile` and
//! `count_values` look at all values of a group ([`super::distribution`]).

use hashbrown::HashMap;

use super::ast::{Aggregate, AggregateOp, ExprKind, Grouping, Span};
use super::kept_names::keeps_metadata;
use super::operator::{BoxOperator, Meta, Operator, is_metadata_label};
use super::plan::Plan;
use super::query::Query;
use super::value::QueryError;
use super::{distribution, fold, kept_names, rank};
use crate::model::groups::LabelGroups;
use crate::model::{Labels, METRIC_NAME};

/// # Errors
/// Evaluating the operand failed, or the parameter is not allowed.
pub fn build<'q>(
    plan: &Plan<'q>,
    aggregate: &Aggregate,
    span: Span,
) -> Result<BoxOperator<'q>, QueryError> {
    use AggregateOp::*;
    let grouping = &aggregate.grouping;
    match (aggregate.op, &aggregate.param) {
        (Topk | Bottomk | Limitk | LimitRatio, Some(param)) => {
            let rule = rank::Rule::new(plan, aggregate.op, param)?;
            // Of equal elements, the first are chosen.
            let inner = plan.ordered(true).vector(&aggregate.expr)?;
            rank::build(plan, rule, inner, aggregate, span)
        }
        (Quantile, Some(param)) => {
            let phis = distribution::quantile_parameter(plan, param)?;
            distribution::quantile(plan, phis, operand(plan, aggregate, None)?, aggregate)
        }
        (CountValues, Some(param)) => {
            if let ExprKind::NotUtf8(shown) = &param.kind {
                return Err(QueryError::Execution(format!("invalid label name {shown}")));
            }
            let label = plan.text(param)?;
            let inner = operand(plan, aggregate, Some(&label))?;
            distribution::count_values(plan, label, inner, grouping)
        }
        _ => fold::build(plan, aggregate, operand(plan, aggregate, None)?),
    }
}

/// What is aggregated to values of groups, which may get a label.
fn operand<'q>(
    plan: &Plan<'q>,
    aggregate: &Aggregate,
    label: Option<&str>,
) -> Result<BoxOperator<'q>, QueryError> {
    let inner = plan.ordered(false).vector(&aggregate.expr)?;
    let grouping = &aggregate.grouping;
    match keeps_metadata(grouping) || label.is_some_and(is_metadata_label) {
        true => kept_names::apart(plan, inner, grouping),
        false => Ok(inner),
    }
}

/// The groups of the series of an operator by the values of some labels; without a look at the others if it can tell.
///
/// # Errors
/// As [`Groups::new`].
pub fn label_groups(
    query: &Query<'_>,
    operator: &dyn Operator,
    names: &[&str],
) -> Result<LabelGroups, QueryError> {
    if let Some(groups) = operator.group_by(names) {
        return Ok(groups);
    }
    let labels = names.iter().map(|name| name.to_string()).collect();
    let grouping = Grouping { without: false, labels };
    let Groups { series, of } = Groups::new(query, operator.series(), &grouping, false)?;
    let labels = series.into_iter().map(|meta| meta.labels).collect();
    Ok(LabelGroups { of: of.into_iter().map(|group| group as u32).collect(), labels })
}

/// The groups of an aggregation, in the order of their first series.
pub struct Groups {
    pub series: Vec<Meta>,
    /// Of every input series, its group.
    pub of: Vec<usize>,
}

impl Groups {
    /// The groups of the series of an operator; without a look at their labels if it can tell.
    ///
    /// # Errors
    /// As [`Groups::new`].
    pub fn of(
        query: &Query<'_>,
        operator: &dyn Operator,
        grouping: &Grouping,
    ) -> Result<Groups, QueryError> {
        let Some(groups) = Groups::without_labels(operator, grouping) else {
            return Groups::new(query, operator.series(), grouping, keeps_metadata(grouping));
        };
        query.keep_labels(&groups.series)?;
        Ok(groups)
    }

    fn without_labels(operator: &dyn Operator, grouping: &Grouping) -> Option<Groups> {
        let drop_name = operator.drops_names().filter(|_| !grouping.without)?;
        let count = operator.series_count();
        if count == 0 {
            return None;
        }
        if grouping.labels.is_empty() {
            let series = vec![Meta { labels: Labels::empty(), drop_name }];
            return Some(Groups { series, of: vec![0; count] });
        }
        let names: Vec<&str> = grouping.labels.iter().map(String::as_str).collect();
        let found = operator.group_by(&names)?;
        let series = found.labels.into_iter().map(|labels| Meta { labels, drop_name }).collect();
        Some(Groups { series, of: found.of.into_iter().map(|group| group as usize).collect() })
    }

    /// The groups of series. What one series loses is lost to the whole group; or, if `apart`, those that lose their name and
    /// those that keep it are groups of their own.
    ///
    /// # Errors
    /// The labels of the groups are over the budget, or nobody waits for the answer any more.
    pub fn new(
        query: &Query<'_>,
        series: &[Meta],
        grouping: &Grouping,
        apart: bool,
    ) -> Result<Groups, QueryError> {
        let mut position: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut groups = Groups { series: Vec::new(), of: Vec::with_capacity(series.len()) };
        let mut key = Vec::new();
        for (index, meta) in series.iter().enumerate() {
            query.check_at(index)?;
            key.clear();
            write_key(&meta.labels, grouping, &mut key);
            key.push(u8::from(apart && meta.drop_name));
            let group = match position.get(&key) {
                Some(group) => {
                    groups.series[*group].drop_name |= meta.drop_name;
                    *group
                }
                None => {
                    position.insert(key.clone(), groups.series.len());
                    let labels = group_labels(&meta.labels, grouping);
                    groups.series.push(Meta { labels, drop_name: meta.drop_name });
                    groups.series.len() - 1
                }
            };
            groups.of.push(group);
        }
        query.keep_labels(&groups.series)?;
        Ok(groups)
    }

    /// The input series of each group.
    pub fn members(&self) -> Vec<Vec<usize>> {
        super::matching::members(&self.of, self.series.len())
    }
}

/// What tells groups apart: names and values, each followed by a byte that UTF-8 never holds.
fn write_key(labels: &Labels, grouping: &Grouping, key: &mut Vec<u8>) {
    for (name, value) in labels.iter().filter(|(name, _)| belongs(name, grouping)) {
        for text in [name, value] {
            key.extend_from_slice(text.as_bytes());
            key.push(0xff);
        }
    }
}

/// The labels of the group of a series.
pub fn group_labels(labels: &Labels, grouping: &Grouping) -> Labels {
    labels.filtered(|name| belongs(name, grouping))
}

fn belongs(name: &str, grouping: &Grouping) -> bool {
    let listed = grouping.labels.iter().any(|label| label == name);
    match grouping.without {
        true => !listed && name != METRIC_NAME,
        false => listed,
    }
}

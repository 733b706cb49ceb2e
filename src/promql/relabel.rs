//! `label_replace` and `label_join`: other labels for the same values. Both are known before any value is.

use super::ast::Expr;
use super::functions::labels::{LabelJoin, LabelReplace};
use super::operator::{BoxOperator, Meta, Relabel};
use super::plan::Plan;
use super::query::Query;
use super::unique::merge_equal;
use super::value::QueryError;
use crate::model::METRIC_NAME;

/// `label_replace(v, destination, replacement, source, regex)`
pub fn label_replace<'q>(plan: &Plan<'q>, args: &[Expr]) -> Result<BoxOperator<'q>, QueryError> {
    let [arg, texts @ ..] = args else { return Err(missing("label_replace")) };
    let texts = texts.iter().map(|text| plan.text(text)).collect::<Result<Vec<_>, _>>()?;
    let [destination, replacement, source, regex] = texts.as_slice() else {
        return Err(missing("label_replace"));
    };
    let replace = LabelReplace::new(destination, replacement, source, regex)
        .map_err(QueryError::Execution)?;
    let names = replace.destination() == METRIC_NAME;
    let relabel = |meta: &Meta| match replace.apply(&meta.labels) {
        Some(labels) => Meta { labels, drop_name: meta.drop_name && !names },
        None => meta.clone(),
    };
    relabelled(plan.query, plan.vector(arg)?, relabel)
}

/// `label_join(v, destination, separator, source...)`
pub fn label_join<'q>(plan: &Plan<'q>, args: &[Expr]) -> Result<BoxOperator<'q>, QueryError> {
    let [arg, texts @ ..] = args else { return Err(missing("label_join")) };
    let texts = texts.iter().map(|text| plan.text(text)).collect::<Result<Vec<_>, _>>()?;
    let [destination, separator, sources @ ..] = texts.as_slice() else {
        return Err(missing("label_join"));
    };
    let join =
        LabelJoin::new(destination, separator, sources.to_vec()).map_err(QueryError::Execution)?;
    let names = join.destination() == METRIC_NAME;
    let relabel = |meta: &Meta| Meta {
        labels: join.apply(&meta.labels),
        drop_name: meta.drop_name && !names,
    };
    relabelled(plan.query, plan.vector(arg)?, relabel)
}

fn relabelled<'q>(
    query: &Query<'_>,
    inner: BoxOperator<'q>,
    relabel: impl Fn(&Meta) -> Meta,
) -> Result<BoxOperator<'q>, QueryError> {
    let series = query.collect_labels(inner.series().iter().map(relabel))?;
    merge_equal(query, Box::new(Relabel { inner, series }))
}

fn missing(name: &str) -> QueryError {
    QueryError::Execution(format!("missing arguments in call to {name:?}"))
}

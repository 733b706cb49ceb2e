//! How the elements of two vectors find each other, and the labels of what comes of them. Labels only, no values.

use hashbrown::HashMap;

use super::ast::{Cardinality, VectorMatching};
use super::join::Rule;
use super::operator::{Meta, is_metadata_label, without_metadata};
use super::query::Query;
use super::value::QueryError;
use crate::model::labels::quoted;
use crate::model::{Labels, LabelsBuilder, METRIC_NAME};

/// The part of a label set that must agree: the labels of `on`, or all but the name and the labels of `ignoring`.
pub fn signature(matching: &VectorMatching, labels: &Labels) -> Labels {
    let listed = |name: &str| matching.labels.iter().any(|label| label == name);
    match matching.on {
        true => labels.filtered(listed),
        false => labels.filtered(|name| name != METRIC_NAME && !listed(name)),
    }
}

/// Numbers for signatures, shared by the two sides.
#[derive(Default)]
pub struct SignatureTable {
    ids: HashMap<Labels, usize>,
}

impl SignatureTable {
    /// The numbers of the series, new ones where needed.
    ///
    /// # Errors
    /// Nobody waits for the answer any more.
    pub fn assign(
        &mut self,
        query: &Query<'_>,
        matching: &VectorMatching,
        series: &[Meta],
    ) -> Result<Vec<usize>, QueryError> {
        let signature_of = |index: usize| signature(matching, &series[index].labels);
        let mut ids = Vec::with_capacity(series.len());
        for (index, signature) in query.map(series.len(), signature_of)?.into_iter().enumerate() {
            query.check_at(index)?;
            let next = self.ids.len();
            ids.push(*self.ids.entry(signature).or_insert(next));
        }
        Ok(ids)
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }
}

/// The series of each signature.
pub fn members(ids: &[usize], count: usize) -> Vec<Vec<usize>> {
    let mut members = vec![Vec::new(); count];
    ids.iter().enumerate().for_each(|(index, id)| members[*id].push(index));
    members
}

/// The result of an element of the many side (of a one-to-one match: the left) and one of the one side.
pub fn result_meta(rule: &Rule, many: &Meta, one: &Labels) -> Meta {
    let matching = &rule.matching;
    let mut labels = match rule.op.is_comparison() || rule.op.is_trim() {
        true => many.labels.clone(),
        false => without_metadata(&many.labels),
    };
    if matching.cardinality == Cardinality::OneToOne {
        let listed = |name: &str| matching.labels.iter().any(|label| label == name);
        labels = labels.filtered(|name| listed(name) == matching.on);
    }
    if !matching.include.is_empty() {
        let mut builder = LabelsBuilder::from_labels(&labels);
        for name in &matching.include {
            builder.set(name, one.value(name));
        }
        labels = builder.build();
    }
    if rule.return_bool && !rule.delayed {
        labels = labels.filtered(|name| !is_metadata_label(name));
    }
    Meta { labels, drop_name: rule.delayed && (rule.return_bool || many.drop_name) }
}

/// A label set as Prometheus prints it in errors: the name among the other labels.
pub fn in_braces(labels: &Labels) -> String {
    let pairs = labels.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
}

//! How the elements of two vectors find each other, and the labels of what comes of them. Labels only, no values.

use std::hash::{BuildHasher, Hash, Hasher};

use hashbrown::{DefaultHashBuilder, HashTable};

use super::ast::{BinaryOp, Cardinality, VectorMatching};
use super::operator::{METADATA_LABELS, Meta, is_metadata_label};
use super::query::Query;
use super::value::QueryError;
use crate::model::labels::quoted;
use crate::model::{Labels, METRIC_NAME};

/// The part of a label set that must agree: the labels of `on`, or all but the name and the labels of `ignoring`.
pub fn signature(matching: &VectorMatching, labels: &Labels) -> Labels {
    labels.filtered(|name| is_in_signature(matching, name))
}

fn is_in_signature(matching: &VectorMatching, name: &str) -> bool {
    let is_listed = matching.labels.iter().any(|label| label == name);
    if matching.on { is_listed } else { !is_listed && name != METRIC_NAME }
}

fn in_signature<'a>(
    matching: &'a VectorMatching,
    labels: &'a Labels,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    labels.iter().filter(|(name, _)| is_in_signature(matching, name))
}

/// Numbers for signatures, shared by the two sides.
pub struct SignatureTable<'m> {
    matching: &'m VectorMatching,
    hasher: DefaultHashBuilder,
    ids: HashTable<usize>,
    /// By number: the hash of the signature, and a label set that has it.
    known: Vec<(u64, Labels)>,
}

impl<'m> SignatureTable<'m> {
    pub fn new(matching: &'m VectorMatching) -> SignatureTable<'m> {
        let (hasher, ids, known) = Default::default();
        SignatureTable { matching, hasher, ids, known }
    }

    /// The numbers of label sets, new ones where needed.
    ///
    /// # Errors
    /// Nobody waits for the answer any more.
    pub fn assign<T: AsRef<Labels> + Sync>(
        &mut self,
        query: &Query<'_>,
        sets: &[T],
    ) -> Result<Vec<usize>, QueryError> {
        let hashes = query.map(sets.len(), |index| self.hash(sets[index].as_ref()))?;
        let mut numbers = Vec::with_capacity(sets.len());
        for (index, hash) in hashes.into_iter().enumerate() {
            query.check_at(index)?;
            numbers.push(self.number(hash, sets[index].as_ref()));
        }
        Ok(numbers)
    }

    fn number(&mut self, hash: u64, labels: &Labels) -> usize {
        let SignatureTable { matching, known, .. } = self;
        let is_it = |id: &usize| {
            let (other_hash, other) = &known[*id];
            hash == *other_hash && in_signature(matching, labels).eq(in_signature(matching, other))
        };
        if let Some(id) = self.ids.find(hash, is_it) {
            return *id;
        }
        let id = known.len();
        known.push((hash, labels.clone()));
        self.ids.insert_unique(hash, id, |id| known[*id].0);
        id
    }

    fn hash(&self, labels: &Labels) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        in_signature(self.matching, labels).for_each(|label| label.hash(&mut hasher));
        hasher.finish()
    }

    pub fn len(&self) -> usize {
        self.known.len()
    }
}

/// The series of each signature.
pub fn members(ids: &[usize], count: usize) -> Vec<Vec<usize>> {
    let mut members = vec![Vec::new(); count];
    ids.iter().enumerate().for_each(|(index, id)| members[*id].push(index));
    members
}

/// How two elements that match become one of the result: their labels.
pub struct Rule {
    pub op: BinaryOp,
    pub return_bool: bool,
    pub matching: VectorMatching,
    /// Metric names are dropped at the end of the query.
    pub delayed: bool,
}

/// Where a label of a result comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The many side; of a one-to-one match, the left one.
    Many,
    One,
    Nowhere,
}

impl Rule {
    pub fn is_one_to_one(&self) -> bool {
        self.matching.cardinality == Cardinality::OneToOne
    }

    /// Where results have labels of this name from.
    pub fn origin(&self, name: &str) -> Origin {
        let keeps_metadata = self.op.is_comparison() || self.op.is_trim();
        let is_metadata = is_metadata_label(name);
        if is_metadata && self.return_bool && !self.delayed {
            return Origin::Nowhere;
        }
        if self.matching.include.iter().any(|label| label == name) {
            return Origin::One;
        }
        let is_listed = || self.matching.labels.iter().any(|label| label == name);
        match is_metadata && !keeps_metadata
            || self.is_one_to_one() && is_listed() != self.matching.on
        {
            true => Origin::Nowhere,
            false => Origin::Many,
        }
    }

    /// Do the results have neither name nor type nor unit?
    pub fn drops_metadata(&self) -> bool {
        let is_dropped = |name: &str| self.origin(name) == Origin::Nowhere;
        is_dropped(METRIC_NAME) && METADATA_LABELS.into_iter().all(is_dropped)
    }

    /// [`Meta::drop_name`] of the results of what has this one.
    pub fn drops_name(&self, many: bool) -> bool {
        self.delayed && (self.return_bool || many)
    }
}

/// The result of an element of the many side and one of the one side.
pub fn result_meta(rule: &Rule, many: &Meta, one: &Labels) -> Meta {
    let keeps = |name: &str| rule.origin(name) == Origin::Many;
    let include = &rule.matching.include;
    let labels = match include.is_empty() {
        true => many.labels.filtered(keeps),
        false => {
            let included = include.iter().filter(|name| rule.origin(name) == Origin::One);
            let included = included.filter_map(|name| Some((name.as_str(), one.get(name)?)));
            let kept = many.labels.iter().filter(|(name, _)| keeps(name));
            let mut pairs: Vec<(&str, &str)> = kept.chain(included).collect();
            pairs.sort_unstable();
            pairs.dedup();
            Labels::from_sorted(pairs.into_iter())
        }
    };
    Meta { labels, drop_name: rule.drops_name(many.drop_name) }
}

/// A label set as Prometheus prints it in errors: the name among the other labels.
pub fn in_braces(labels: &Labels) -> String {
    let pairs = labels.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
}

//! How the elements of two vectors find each other: every one of one side is held against every one of the other.

use std::collections::BTreeSet;

use silverback::promql::ast::{Binary, BinaryOp, Cardinality, VectorMatching};

use super::binary::is_trim;
use super::eval::Oracle;
use super::value::{Answer, Element, LabelMap, NAME, Result, Value, without_metadata};

impl Oracle<'_> {
    pub fn vectors(&self, binary: &Binary, lhs: Vec<Element>, rhs: Vec<Element>) -> Result<Answer> {
        match binary.op.is_set() {
            true => self.checked(sets(binary, lhs, rhs)),
            false => self.matched(binary, lhs, rhs),
        }
    }

    /// Operators of values.
    fn matched(&self, binary: &Binary, lhs: Vec<Element>, rhs: Vec<Element>) -> Result<Answer> {
        let matching = &binary.matching;
        let swapped = matching.cardinality == Cardinality::OneToMany;
        let (many, one) = if swapped { (rhs, lhs) } else { (lhs, rhs) };
        let (fill_many, fill_one) = (matching.fill_left, matching.fill_right);
        let nothing = match (many.is_empty(), one.is_empty()) {
            (true, true) => true,
            (false, false) => false,
            _ => fill_many.is_none() && fill_one.is_none(),
        };
        if nothing {
            return Ok(Answer::Vector(Vec::new()));
        }
        self.check_duplicates(matching, &one, if swapped { "left" } else { "right" })?;
        let mut pairs = Vec::new();
        for element in &many {
            let key = signature(matching, &element.labels);
            match one.iter().find(|other| signature(matching, &other.labels) == key) {
                Some(other) => pairs.push((element.clone(), other.clone())),
                None => pairs.extend(fill_one.map(|v| (element.clone(), filled(&key, v)))),
            }
        }
        for element in &one {
            let key = signature(matching, &element.labels);
            if !many.iter().any(|other| signature(matching, &other.labels) == key) {
                pairs.extend(fill_many.map(|v| (filled(&key, v), element.clone())));
            }
        }
        self.paired(binary, pairs, swapped)
    }

    fn check_duplicates(
        &self,
        matching: &VectorMatching,
        one: &[Element],
        side: &str,
    ) -> Result<()> {
        for (index, element) in one.iter().enumerate() {
            let key = signature(matching, &element.labels);
            let same = |other: &&Element| signature(matching, &other.labels) == key;
            if let Some(other) = one[..index].iter().find(same) {
                let mut both = [&element.labels, &other.labels].map(in_braces);
                both.sort();
                return self.fail(format!(
                    "found duplicate series for the match group {} on the {side} hand-side of the operation: \
                     [{}, {}];many-to-many matching not allowed: matching labels must be unique on one side",
                    in_braces(&key),
                    both[0],
                    both[1],
                ));
            }
        }
        Ok(())
    }

    /// The results of pairs of an element of the many side and one of the other.
    fn paired(
        &self,
        binary: &Binary,
        pairs: Vec<(Element, Element)>,
        swapped: bool,
    ) -> Result<Answer> {
        let matching = &binary.matching;
        let one_to_one = matching.cardinality == Cardinality::OneToOne;
        let mut results: Vec<Element> = Vec::new();
        let mut wrong = Ok(());
        let mut taken: BTreeSet<(LabelMap, Option<LabelMap>)> = BTreeSet::new();
        for (many, one) in pairs {
            // Whether two may meet does not depend on what comes of it.
            let key = signature(matching, &many.labels);
            let labels = result_labels(binary, &many.labels, &one.labels);
            let values = if swapped { (one.value, many.value) } else { (many.value, one.value) };
            let result = self.combine(binary, (&values.0, &values.1));
            let value = result.clone().unwrap_or(values.0);
            let element = Element { labels, drops_name: many.drops_name, value };
            let element = if binary.return_bool { self.without_name(element) } else { element };
            let group = (!one_to_one).then(|| element.labels.clone());
            if !taken.insert((key, group)) {
                wrong = self.fail(match one_to_one {
                    true => "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
                    false => "multiple matches for labels: grouping labels must ensure unique matches",
                });
            }
            results.extend(result.map(|_| element));
        }
        // Both may be so.
        let checked = self.checked(results);
        wrong.and(checked)
    }
}

/// What must agree for two elements to meet.
fn signature(matching: &VectorMatching, labels: &LabelMap) -> LabelMap {
    let mut labels = labels.clone();
    labels.retain(|label, _| match matching.on {
        true => matching.labels.contains(label),
        false => label != NAME && !matching.labels.contains(label),
    });
    labels
}

/// The element that is not there.
fn filled(key: &LabelMap, value: f64) -> Element {
    Element { labels: key.clone(), drops_name: false, value: Value::Float(value) }
}

/// Of arithmetic the name goes at once, and comes back if it is included.
fn result_labels(binary: &Binary, many: &LabelMap, one: &LabelMap) -> LabelMap {
    let (matching, mut labels) = (&binary.matching, many.clone());
    if !binary.op.is_comparison() && !is_trim(binary.op) {
        labels = without_metadata(labels);
    }
    if matching.cardinality == Cardinality::OneToOne {
        labels.retain(|label, _| matching.on == matching.labels.contains(label));
    }
    for label in &matching.include {
        match one.get(label) {
            Some(value) => drop(labels.insert(label.clone(), value.clone())),
            None => drop(labels.remove(label)),
        }
    }
    labels
}

fn sets(binary: &Binary, lhs: Vec<Element>, rhs: Vec<Element>) -> Vec<Element> {
    let key = |element: &Element| signature(&binary.matching, &element.labels);
    let keys = |side: &[Element]| side.iter().map(key).collect::<BTreeSet<LabelMap>>();
    let (in_lhs, in_rhs) = (keys(&lhs), keys(&rhs));
    match binary.op {
        BinaryOp::And => lhs.into_iter().filter(|e| in_rhs.contains(&key(e))).collect(),
        BinaryOp::Unless => lhs.into_iter().filter(|e| !in_rhs.contains(&key(e))).collect(),
        _ => lhs.into_iter().chain(rhs.into_iter().filter(|e| !in_lhs.contains(&key(e)))).collect(),
    }
}

/// A label set as errors show it.
pub fn in_braces(labels: &LabelMap) -> String {
    let pairs: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

//! Binary operators: every element of one side is held against every element of the other.

use std::collections::BTreeSet;

use silverback::promql::ast::{Binary, BinaryOp, Cardinality, VectorMatching};

use super::eval::Oracle;
use super::value::{Answer, Element, Failure, LabelMap, NAME, Result, Value};

impl Oracle<'_> {
    pub fn binary(&self, binary: &Binary, time: i64) -> Result<Answer> {
        let (lhs, rhs) = (self.eval(&binary.lhs, time)?, self.eval(&binary.rhs, time)?);
        match (lhs, rhs) {
            (Answer::Scalar(lhs), Answer::Scalar(rhs)) => {
                let pair = (&Value::Float(lhs), &Value::Float(rhs));
                let value = self.combine(binary, pair).and_then(|value| value.float());
                value.map(Answer::Scalar).ok_or(Failure("scalars are not filtered"))
            }
            (Answer::Vector(lhs), Answer::Scalar(rhs)) => {
                let rhs = Value::Float(rhs);
                self.with_scalar(binary, lhs, |value| self.combine(binary, (value, &rhs)))
            }
            (Answer::Scalar(lhs), Answer::Vector(rhs)) => {
                let lhs = Value::Float(lhs);
                self.with_scalar(binary, rhs, |value| {
                    let result = self.combine(binary, (&lhs, value))?;
                    Some(if filters(binary) { value.clone() } else { result })
                })
            }
            (Answer::Vector(lhs), Answer::Vector(rhs)) if binary.op.is_set() => {
                self.checked(sets(binary, lhs, rhs))
            }
            (Answer::Vector(lhs), Answer::Vector(rhs)) => self.matched(binary, lhs, rhs),
            _ => Err(Failure("an operand is a string")),
        }
    }

    fn with_scalar(
        &self,
        binary: &Binary,
        vector: Vec<Element>,
        combine: impl Fn(&Value) -> Option<Value>,
    ) -> Result<Answer> {
        let results = vector.into_iter().filter_map(|element| {
            let value = combine(&element.value)?;
            Some(self.named(binary, Element { value, ..element }))
        });
        self.checked(results.collect())
    }

    /// Arithmetic and `bool` make something else of a metric; between vectors, the name of an operand of arithmetic does not
    /// stay until the end.
    fn named(&self, binary: &Binary, element: Element) -> Element {
        let keeps = filters(binary) || is_trim(binary.op);
        if keeps { element } else { self.without_name(element) }
    }

    /// The result of two values; `None`: none, or filtered away.
    fn combine(&self, binary: &Binary, pair: (&Value, &Value)) -> Option<Value> {
        use BinaryOp::{Add, Div, Equal, Mul, NotEqual, Sub, TrimLower, TrimUpper};
        let mut result = pair.0.clone();
        match (pair, &mut result) {
            ((Value::Float(lhs), Value::Float(rhs)), _) => return self.floats(binary, *lhs, *rhs),
            ((Value::Histogram(lhs), Value::Histogram(rhs)), result) => match binary.op {
                Equal | NotEqual => {
                    let holds = lhs.equals(rhs) == (binary.op == Equal);
                    return outcome(binary, holds, pair.0.clone());
                }
                Add | Sub => {
                    let Value::Histogram(sum) = result else { return None };
                    let done = if binary.op == Add { sum.add(rhs) } else { sum.sub(rhs) };
                    done.ok()?;
                    sum.compact();
                }
                _ => return None,
            },
            ((Value::Histogram(lhs), Value::Float(rhs)), Value::Histogram(result)) => {
                match binary.op {
                    Mul => result.scale(*rhs),
                    Div => result.divide(*rhs),
                    TrimUpper => *result = lhs.trim_above(*rhs),
                    TrimLower => *result = lhs.trim_below(*rhs),
                    _ => return None,
                }
            }
            ((Value::Float(lhs), Value::Histogram(rhs)), result) => match binary.op {
                Mul => {
                    let mut product = rhs.clone();
                    product.scale(*lhs);
                    *result = Value::Histogram(product);
                }
                _ => return None,
            },
            _ => return None,
        }
        Some(result)
    }

    fn floats(&self, binary: &Binary, lhs: f64, rhs: f64) -> Option<Value> {
        let number = match binary.op {
            BinaryOp::Add => lhs + rhs,
            BinaryOp::Sub => lhs - rhs,
            BinaryOp::Mul => lhs * rhs,
            BinaryOp::Div => lhs / rhs,
            BinaryOp::Mod => {
                self.compared(lhs / rhs, (lhs / rhs).round());
                lhs % rhs
            }
            BinaryOp::Pow => lhs.powf(rhs),
            BinaryOp::Atan2 => lhs.atan2(rhs),
            BinaryOp::TrimUpper | BinaryOp::TrimLower => return None,
            op => {
                self.compared(lhs, rhs);
                let holds = match op {
                    BinaryOp::Equal => lhs == rhs,
                    BinaryOp::NotEqual => lhs != rhs,
                    BinaryOp::Less => lhs < rhs,
                    BinaryOp::LessOrEqual => lhs <= rhs,
                    BinaryOp::Greater => lhs > rhs,
                    _ => lhs >= rhs,
                };
                return outcome(binary, holds, Value::Float(lhs));
            }
        };
        Some(Value::Float(number))
    }

    /// Operators of values, between vectors.
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
        let keys: BTreeSet<LabelMap> = one.iter().map(|e| signature(matching, &e.labels)).collect();
        if keys.len() < one.len() {
            return Err(Failure("found duplicate series for the match group"));
        }
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
        let mut taken: BTreeSet<(LabelMap, Option<LabelMap>)> = BTreeSet::new();
        for (many, one) in pairs {
            // Whether two may meet does not depend on what comes of it.
            let key = signature(matching, &many.labels);
            let labels = result_labels(matching, &many.labels, &one.labels);
            let values = if swapped { (one.value, many.value) } else { (many.value, one.value) };
            let result = self.combine(binary, (&values.0, &values.1));
            let value = result.clone().unwrap_or(values.0);
            let mut element =
                self.named(binary, Element { labels, drops_name: many.drops_name, value });
            if !binary.op.is_comparison() && !is_trim(binary.op) {
                element.labels.remove(NAME);
            }
            let group = (!one_to_one).then(|| element.labels.clone());
            if !taken.insert((key, group)) {
                return Err(Failure("multiple matches for labels"));
            }
            results.extend(result.map(|_| element));
        }
        self.checked(results)
    }
}

fn is_trim(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::TrimUpper | BinaryOp::TrimLower)
}

fn filters(binary: &Binary) -> bool {
    binary.op.is_comparison() && !binary.return_bool
}

fn outcome(binary: &Binary, holds: bool, kept: Value) -> Option<Value> {
    match binary.return_bool {
        true => Some(Value::Float(if holds { 1.0 } else { 0.0 })),
        false => holds.then_some(kept),
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

fn result_labels(matching: &VectorMatching, many: &LabelMap, one: &LabelMap) -> LabelMap {
    let mut labels = many.clone();
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

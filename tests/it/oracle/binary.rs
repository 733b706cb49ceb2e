//! Binary operators: scalars, vectors with scalars, and what becomes of two values. The elements of two vectors find each other
//! in [`super::matching`].

use silverback::model::histogram::Combined;
use silverback::promql::ast::{Binary, BinaryOp};

use super::eval::Oracle;
use super::value::{Answer, Element, Result, Value};

impl Oracle<'_> {
    pub fn binary(&self, binary: &Binary, time: i64) -> Result<Answer> {
        // Both, since either may be wrong.
        let (lhs, rhs) = (self.eval(&binary.lhs, time), self.eval(&binary.rhs, time));
        match (lhs?, rhs?) {
            (Answer::Scalar(_), Answer::Scalar(_)) if is_trim(binary.op) => {
                let op = binary.op.as_str();
                self.fail(format!("operator {op:?} not allowed for Scalar operations"))
            }
            (Answer::Scalar(lhs), Answer::Scalar(rhs)) => {
                match self.floats(binary, lhs, rhs).and_then(|value| value.float()) {
                    Some(value) => Ok(Answer::Scalar(value)),
                    None => self.fail("scalars are not filtered"),
                }
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
            (Answer::Vector(lhs), Answer::Vector(rhs)) => self.vectors(binary, lhs, rhs),
            _ => self.fail("operator on a string"),
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

    /// Arithmetic and `bool` make something else of a metric.
    fn named(&self, binary: &Binary, element: Element) -> Element {
        let keeps = filters(binary) || is_trim(binary.op);
        if keeps { element } else { self.without_name(element) }
    }

    /// The result of two values; `None`: none, or filtered away.
    pub fn combine(&self, binary: &Binary, pair: (&Value, &Value)) -> Option<Value> {
        use BinaryOp::{Add, Div, Equal, Mul, NotEqual, Sub, TrimLower, TrimUpper};
        Some(Value::Histogram(match (pair.0, binary.op, pair.1) {
            (Value::Float(lhs), op, Value::Float(rhs)) if !is_trim(op) => {
                return self.floats(binary, *lhs, *rhs);
            }
            (Value::Histogram(lhs), Equal | NotEqual, Value::Histogram(rhs)) => {
                let holds = lhs.equals(rhs) == (binary.op == Equal);
                return outcome(binary, holds, pair.0.clone());
            }
            (Value::Histogram(lhs), Add | Sub, Value::Histogram(rhs)) => {
                let mut sum = lhs.clone();
                let done = if binary.op == Add { sum.add(rhs) } else { sum.sub(rhs) };
                self.note_combined(binary, done.ok())?;
                sum.compact();
                sum
            }
            (Value::Histogram(one), Mul, Value::Float(factor))
            | (Value::Float(factor), Mul, Value::Histogram(one)) => {
                let mut product = one.clone();
                product.scale(*factor);
                product
            }
            (Value::Histogram(lhs), Div, Value::Float(rhs)) => {
                let mut quotient = lhs.clone();
                quotient.divide(*rhs);
                quotient
            }
            (Value::Histogram(lhs), TrimUpper, Value::Float(rhs)) => lhs.trim_above(*rhs),
            (Value::Histogram(lhs), TrimLower, Value::Float(rhs)) => lhs.trim_below(*rhs),
            (lhs, _, rhs) => {
                let kind = |value: &Value| if value.is_histogram() { "histogram" } else { "float" };
                let (op, lhs, rhs) = (binary.op.as_str(), kind(lhs), kind(rhs));
                let text = "incompatible sample types encountered for binary operator";
                let text = format!("{text} {op:?}: {lhs} {op} {rhs}");
                self.notes.borrow_mut().info(binary.lhs.span.start, text);
                return None;
            }
        }))
    }

    fn note_combined(&self, binary: &Binary, combined: Option<Combined>) -> Option<()> {
        let (mut notes, place) = (self.notes.borrow_mut(), binary.lhs.span.start);
        let what = if binary.op == BinaryOp::Sub { "subtraction" } else { "addition" };
        let Some(combined) = combined else {
            let text = "incompatible bucket layout encountered for binary operator";
            notes.warn(place, format!("{text} {}", binary.op.as_str()));
            return None;
        };
        if combined.reset_conflict {
            notes.warn(place, format!("conflicting counter resets during histogram {what}"));
        }
        if combined.bounds_reconciled {
            notes.info(place, format!("mismatched custom buckets were reconciled during {what}"));
        }
        Some(())
    }

    fn floats(&self, binary: &Binary, lhs: f64, rhs: f64) -> Option<Value> {
        if matches!(binary.op, BinaryOp::Div | BinaryOp::Mod | BinaryOp::Atan2) {
            // Almost nothing is something else than nothing here.
            [lhs, rhs].into_iter().for_each(|value| self.compared(value, 0.0));
        }
        let number = match binary.op {
            BinaryOp::Add => lhs + rhs,
            BinaryOp::Sub => lhs - rhs,
            BinaryOp::Mul => lhs * rhs,
            BinaryOp::Div => lhs / rhs,
            BinaryOp::Mod => {
                self.divided(lhs, rhs);
                lhs % rhs
            }
            BinaryOp::Pow => lhs.powf(rhs),
            BinaryOp::Atan2 => lhs.atan2(rhs),
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
}

pub fn is_trim(op: BinaryOp) -> bool {
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

//! What a binary operator makes of two elements that have met, of either kind. Floats combine in every way, histograms in
//! few; a pair that cannot be combined has no result, and the user is told. Called by [`super::binary`] for elements and
//! scalars, and by [`super::join`] for elements of two vectors.

use super::ast::{Binary, BinaryOp, Span};
use super::column::{Column, Element};
use super::query::Query;
use crate::model::Histogram;
use crate::model::histogram::{Combined, Incompatible};
use crate::sync::{Arc, AtomicU64, Ordering};

/// An operator at its place in a query.
pub struct Operation<'q> {
    query: &'q Query<'q>,
    pub op: BinaryOp,
    return_bool: bool,
    span: Span,
    /// A bit for every [`Note`] the user was told, so that it is not told for every element.
    told: AtomicU64,
}

/// What the user should know about pairs.
#[derive(Clone, Copy)]
enum Note {
    /// No result: the operator has none for these kinds, the left one first; `true` is a histogram.
    Kinds(bool, bool),
    /// No result: exponential and custom buckets.
    Layouts,
    ResetConflict,
    BoundsReconciled,
}

impl Note {
    fn bit(self) -> u64 {
        match self {
            Note::Layouts => 1,
            Note::ResetConflict => 2,
            Note::BoundsReconciled => 4,
            Note::Kinds(lhs, rhs) => 8 << (2 * u8::from(lhs) + u8::from(rhs)),
        }
    }
}

impl<'q> Operation<'q> {
    pub fn new(query: &'q Query<'q>, binary: &Binary) -> Operation<'q> {
        let span = Span { start: binary.lhs.span.start, end: binary.rhs.span.end };
        let (op, return_bool) = (binary.op, binary.return_bool);
        Operation { query, op, return_bool, span, told: AtomicU64::new(0) }
    }

    /// Does a comparison keep or drop elements, instead of telling its outcome?
    pub fn filters(&self) -> bool {
        self.op.is_comparison() && !self.return_bool
    }

    /// Is [`Operation::floats`] enough, since there are no histograms and the operator wants none?
    pub fn is_of_floats(&self, columns: &[&Column]) -> bool {
        !self.op.is_trim() && columns.iter().all(|column| column.histograms.is_empty())
    }

    /// The result of two floats by an operator of floats; `None` if it filters and they do not compare so.
    pub fn floats(&self, lhs: f64, rhs: f64) -> Option<f64> {
        if !self.op.is_comparison() {
            return Some(arithmetic(self.op, lhs, rhs));
        }
        let holds = compare(self.op, lhs, rhs);
        match self.return_bool {
            true => Some(as_float(holds)),
            false => holds.then_some(lhs),
        }
    }

    /// Makes the results of two columns of floats in the place of the first, which is the right operand if `swapped`.
    pub fn columns(&self, out: &mut Column, other: &Column, swapped: bool) {
        match self.op {
            BinaryOp::Add => each_float(out, other, swapped, |lhs, rhs| lhs + rhs),
            BinaryOp::Sub => each_float(out, other, swapped, |lhs, rhs| lhs - rhs),
            BinaryOp::Mul => each_float(out, other, swapped, |lhs, rhs| lhs * rhs),
            BinaryOp::Div => each_float(out, other, swapped, |lhs, rhs| lhs / rhs),
            _ => out.filter_map(|step, value| match swapped {
                true => self.floats(other.get(step)?, value),
                false => self.floats(value, other.get(step)?),
            }),
        }
    }

    /// The result of two elements. `None`: the operator filters and they do not compare so, or it is not defined.
    pub fn elements(&self, lhs: &Element, rhs: &Element) -> Option<Element> {
        use BinaryOp::{Add, Div, Equal, Mul, NotEqual, Sub, TrimLower, TrimUpper};
        use Element::{Float, Histogram};
        match (lhs, self.op, rhs) {
            (Float(lhs), op, Float(rhs)) if !op.is_trim() => self.floats(*lhs, *rhs).map(Float),
            (Histogram(histogram), Mul, Float(factor))
            | (Float(factor), Mul, Histogram(histogram)) => {
                changed(histogram, |product| product.scale(*factor))
            }
            (Histogram(histogram), Div, Float(divisor)) => {
                changed(histogram, |quotient| quotient.divide(*divisor))
            }
            (Histogram(histogram), TrimUpper, Float(bound)) => {
                Some(Histogram(Arc::new(histogram.trim_above(*bound))))
            }
            (Histogram(histogram), TrimLower, Float(bound)) => {
                Some(Histogram(Arc::new(histogram.trim_below(*bound))))
            }
            (Histogram(lhs), Add, Histogram(rhs)) => self.combined(lhs, |sum| sum.add(rhs)),
            (Histogram(lhs), Sub, Histogram(rhs)) => self.combined(lhs, |sum| sum.sub(rhs)),
            (Histogram(same), op @ (Equal | NotEqual), Histogram(other)) => {
                let holds = same.equals(other) == (op == Equal);
                match self.return_bool {
                    true => Some(Float(as_float(holds))),
                    false => holds.then(|| lhs.clone()),
                }
            }
            _ => {
                self.tell(Note::Kinds(lhs.is_histogram(), rhs.is_histogram()));
                None
            }
        }
    }

    /// The sum or difference of two histograms, compacted.
    fn combined(
        &self,
        lhs: &Histogram,
        combine: impl FnOnce(&mut Histogram) -> Result<Combined, Incompatible>,
    ) -> Option<Element> {
        let mut result = lhs.clone();
        match combine(&mut result) {
            Ok(Combined { reset_conflict, bounds_reconciled }) => {
                if reset_conflict {
                    self.tell(Note::ResetConflict);
                }
                if bounds_reconciled {
                    self.tell(Note::BoundsReconciled);
                }
            }
            Err(Incompatible) => {
                self.tell(Note::Layouts);
                return None;
            }
        }
        result.compact();
        Some(Element::Histogram(Arc::new(result)))
    }

    fn tell(&self, note: Note) {
        if self.told.fetch_or(note.bit(), Ordering::Relaxed) & note.bit() != 0 {
            return;
        }
        let op = self.op.as_str();
        let combination = if self.op == BinaryOp::Sub { "subtraction" } else { "addition" };
        match note {
            Note::Kinds(lhs, rhs) => {
                let [lhs, rhs] = [lhs, rhs].map(|is| if is { "histogram" } else { "float" });
                self.query.info(self.span, format!(
                    "incompatible sample types encountered for binary operator {op:?}: {lhs} {op} {rhs}"
                ));
            }
            Note::Layouts => self.query.warn(
                self.span,
                format!("incompatible bucket layout encountered for binary operator {op}"),
            ),
            Note::ResetConflict => self.query.warn(
                self.span,
                format!("conflicting counter resets during histogram {combination}"),
            ),
            Note::BoundsReconciled => self.query.info(
                self.span,
                format!("mismatched custom buckets were reconciled during {combination}"),
            ),
        }
    }
}

/// At all steps, whether there is anything or not: several at a time.
fn each_float(out: &mut Column, other: &Column, swapped: bool, op: impl Fn(f64, f64) -> f64) {
    out.histograms.clear();
    out.present.intersect(&other.present);
    let both = out.values.iter_mut().zip(&other.values);
    match swapped {
        true => both.for_each(|(rhs, lhs)| *rhs = op(*lhs, *rhs)),
        false => both.for_each(|(lhs, rhs)| *lhs = op(*lhs, *rhs)),
    }
}

fn changed(histogram: &Histogram, change: impl FnOnce(&mut Histogram)) -> Option<Element> {
    let mut result = histogram.clone();
    change(&mut result);
    Some(Element::Histogram(Arc::new(result)))
}

/// The result of two scalars.
pub fn scalars(op: BinaryOp, lhs: f64, rhs: f64) -> f64 {
    match op.is_comparison() {
        true => as_float(compare(op, lhs, rhs)),
        false => arithmetic(op, lhs, rhs),
    }
}

fn as_float(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

fn arithmetic(op: BinaryOp, lhs: f64, rhs: f64) -> f64 {
    match op {
        BinaryOp::Add => lhs + rhs,
        BinaryOp::Sub => lhs - rhs,
        BinaryOp::Mul => lhs * rhs,
        BinaryOp::Div => lhs / rhs,
        BinaryOp::Mod => lhs % rhs,
        BinaryOp::Pow => lhs.powf(rhs),
        BinaryOp::Atan2 => lhs.atan2(rhs),
        _ => f64::NAN,
    }
}

fn compare(op: BinaryOp, lhs: f64, rhs: f64) -> bool {
    match op {
        BinaryOp::Equal => lhs == rhs,
        BinaryOp::NotEqual => lhs != rhs,
        BinaryOp::Less => lhs < rhs,
        BinaryOp::LessOrEqual => lhs <= rhs,
        BinaryOp::Greater => lhs > rhs,
        BinaryOp::GreaterOrEqual => lhs >= rhs,
        _ => false,
    }
}

//! Binary operators: scalars with scalars and with vectors. Two vectors go on to [`super::join`] and [`super::sets`].

use super::ast::{Binary, BinaryOp};
use super::column::{Column, Element};
use super::operation::{self, Operation};
use super::operator::{BoxOperator, Meta, Operator, Scratch, drop_names};
use super::plan::{Node, Plan};
use super::query::Query;
use super::select::CHECK_STEPS;
use super::value::QueryError;
use super::{join, sets};

/// # Errors
/// Building an operand or matching two vectors failed.
pub fn build<'q>(plan: &Plan<'q>, binary: &Binary) -> Result<Node<'q>, QueryError> {
    Ok(match (plan.build(&binary.lhs)?, plan.build(&binary.rhs)?) {
        (Node::Scalar(_), Node::Scalar(_)) if binary.op.is_trim() => {
            let op = binary.op.as_str();
            let message = format!("operator {op:?} not allowed for Scalar operations");
            return Err(QueryError::Execution(message));
        }
        (Node::Scalar(lhs), Node::Scalar(rhs)) => {
            Node::Scalar(scalars(plan, binary.op, lhs, &rhs)?)
        }
        (Node::Vector(vector), Node::Scalar(scalar)) => {
            Node::Vector(with_scalar(plan, binary, vector, scalar, false)?)
        }
        (Node::Scalar(scalar), Node::Vector(vector)) => {
            Node::Vector(with_scalar(plan, binary, vector, scalar, true)?)
        }
        (Node::Vector(lhs), Node::Vector(rhs)) => Node::Vector(match binary.op.is_set() {
            true => sets::build(plan, binary, lhs, rhs)?,
            false => join::build(plan, binary, lhs, rhs)?,
        }),
        _ => return Err(QueryError::Execution("operator on a string".to_string())),
    })
}

/// The results of two scalars at every step, in the place of the left one.
fn scalars(
    plan: &Plan<'_>,
    op: BinaryOp,
    mut lhs: Vec<f64>,
    rhs: &[f64],
) -> Result<Vec<f64>, QueryError> {
    for (lhs, rhs) in lhs.chunks_mut(CHECK_STEPS).zip(rhs.chunks(CHECK_STEPS)) {
        plan.query.check()?;
        lhs.iter_mut().zip(rhs).for_each(|(a, b)| *a = operation::scalars(op, *a, *b));
    }
    Ok(lhs)
}

fn with_scalar<'q>(
    plan: &Plan<'q>,
    binary: &Binary,
    vector: BoxOperator<'q>,
    scalar: Vec<f64>,
    scalar_first: bool,
) -> Result<BoxOperator<'q>, QueryError> {
    let operation = Operation::new(plan.query, binary);
    let keeps_names = operation.filters() || binary.op.is_trim();
    let query = plan.query;
    let result = Box::new(WithScalar { query, vector, operation, scalar, scalar_first });
    if keeps_names { Ok(result) } else { drop_names(query, result) }
}

/// Every element with the scalar of its step. A filter keeps the value of the vector, on whichever side it stands.
struct WithScalar<'q> {
    query: &'q Query<'q>,
    vector: BoxOperator<'q>,
    operation: Operation<'q>,
    scalar: Vec<f64>,
    scalar_first: bool,
}

impl WithScalar<'_> {
    fn float(&self, step: usize, value: f64) -> Option<f64> {
        let scalar = self.scalar[step];
        let (lhs, rhs) = if self.scalar_first { (scalar, value) } else { (value, scalar) };
        let result = self.operation.floats(lhs, rhs)?;
        Some(if self.operation.filters() { value } else { result })
    }

    fn element(&self, step: usize, element: Element) -> Option<Element> {
        let scalar = Element::Float(self.scalar[step]);
        let (lhs, rhs) = match self.scalar_first {
            true => (&scalar, &element),
            false => (&element, &scalar),
        };
        let result = self.operation.elements(lhs, rhs)?;
        Some(if self.operation.filters() { element } else { result })
    }
}

impl Operator for WithScalar<'_> {
    fn series(&self) -> &[Meta] {
        self.vector.series()
    }

    fn inner(&self) -> Option<&dyn Operator> {
        Some(self.vector.as_ref())
    }

    fn column(
        &self,
        index: usize,
        scratch: &mut Scratch,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        self.vector.column(index, scratch, out)?;
        self.query.check()?;
        match self.operation.is_of_floats(&[out]) {
            true => out.filter_map(|step, value| self.float(step, value)),
            false => out.filter_map_elements(|step, element| self.element(step, element)),
        }
        Ok(())
    }
}

//! Binary operators: the arithmetic of two values, scalars with scalars and with vectors. Two vectors go on to
//! [`super::join`] and [`super::sets`].

use super::ast::{Binary, BinaryOp};
use super::operator::{BoxOperator, Map, ValueMap, drop_names};
use super::plan::{Node, Plan};
use super::select::CHECK_STEPS;
use super::value::QueryError;
use super::{join, sets, trim};

/// # Errors
/// Building an operand or matching two vectors failed.
pub fn build<'q>(plan: &Plan<'q>, binary: &Binary) -> Result<Node<'q>, QueryError> {
    if let BinaryOp::TrimUpper | BinaryOp::TrimLower = binary.op {
        return trim::build(plan, binary);
    }
    Ok(match (plan.build(&binary.lhs)?, plan.build(&binary.rhs)?) {
        (Node::Scalar(lhs), Node::Scalar(rhs)) => {
            Node::Scalar(scalars(plan, binary.op, lhs, &rhs)?)
        }
        (Node::Vector(vector), Node::Scalar(scalar)) => {
            Node::Vector(with_scalar(plan, binary, vector, scalar, false))
        }
        (Node::Scalar(scalar), Node::Vector(vector)) => {
            Node::Vector(with_scalar(plan, binary, vector, scalar, true))
        }
        (Node::Vector(lhs), Node::Vector(rhs)) if binary.op.is_set() => {
            Node::Vector(sets::build(plan, binary, lhs, rhs)?)
        }
        (Node::Vector(lhs), Node::Vector(rhs)) => {
            Node::Vector(join::build(plan, binary, lhs, rhs)?)
        }
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
        lhs.iter_mut().zip(rhs).for_each(|(a, b)| *a = scalar_result(op, *a, *b));
    }
    Ok(lhs)
}

/// The result of two elements, `None` if a filter drops them.
pub fn element(op: BinaryOp, return_bool: bool, lhs: f64, rhs: f64) -> Option<f64> {
    if !op.is_comparison() {
        return Some(arithmetic(op, lhs, rhs));
    }
    let holds = compare(op, lhs, rhs);
    match return_bool {
        true => Some(f64::from(u8::from(holds))),
        false => holds.then_some(lhs),
    }
}

fn scalar_result(op: BinaryOp, lhs: f64, rhs: f64) -> f64 {
    match op.is_comparison() {
        true => f64::from(u8::from(compare(op, lhs, rhs))),
        false => arithmetic(op, lhs, rhs),
    }
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

/// Every element with the scalar of its step. A filter keeps the value of the vector, on whichever side it stands.
fn with_scalar<'q>(
    plan: &Plan<'q>,
    binary: &Binary,
    vector: BoxOperator<'q>,
    scalar: Vec<f64>,
    scalar_first: bool,
) -> BoxOperator<'q> {
    let op = binary.op;
    let filters = op.is_comparison() && !binary.return_bool;
    let function: ValueMap<'q> = Box::new(move |step, value| {
        let (lhs, rhs) = if scalar_first { (scalar[step], value) } else { (value, scalar[step]) };
        match filters {
            true => compare(op, lhs, rhs).then_some(value),
            false => Some(scalar_result(op, lhs, rhs)),
        }
    });
    let series = vector.series().to_vec();
    let map = Box::new(Map { query: plan.query, inner: vector, series, function });
    if filters { map } else { drop_names(plan.query, map) }
}

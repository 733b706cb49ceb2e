//! `</` and `>/`, which keep a part of the observations of native histograms. Floats have no observations: on them the
//! operators give nothing, and say so. Called by [`super::binary`].

use super::ast::{Binary, Span};
use super::column::Column;
use super::join;
use super::operator::{BoxOperator, Meta, Operator, Scratch};
use super::plan::{Node, Plan};
use super::query::Query;
use super::value::QueryError;

/// # Errors
/// Both operands are scalars, building an operand failed, or two vectors do not match.
pub fn build<'q>(plan: &Plan<'q>, binary: &Binary) -> Result<Node<'q>, QueryError> {
    let op = binary.op.as_str();
    let inner = match (plan.build(&binary.lhs)?, plan.build(&binary.rhs)?) {
        (Node::Vector(lhs), Node::Vector(rhs)) => join::build(plan, binary, lhs, rhs)?,
        (Node::Vector(vector), Node::Scalar(_)) | (Node::Scalar(_), Node::Vector(vector)) => vector,
        _ => {
            let message = format!("operator {op:?} not allowed for Scalar operations");
            return Err(QueryError::Execution(message));
        }
    };
    let message = format!(
        "incompatible sample types encountered for binary operator {op:?}: float {op} float"
    );
    let span = Span { start: binary.lhs.span.start, end: binary.rhs.span.end };
    Ok(Node::Vector(Box::new(Nothing { query: plan.query, inner, span, message })))
}

/// No value where the inner operator has any, and an info that there were some.
struct Nothing<'q> {
    query: &'q Query<'q>,
    inner: BoxOperator<'q>,
    span: Span,
    message: String,
}

impl Operator for Nothing<'_> {
    fn series(&self) -> &[Meta] {
        self.inner.series()
    }

    fn column(
        &self,
        index: usize,
        scratch: &mut Scratch,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        self.inner.column(index, scratch, out)?;
        if !out.is_empty() {
            self.query.info(self.span, self.message.as_str());
        }
        out.reset(out.len());
        Ok(())
    }
}

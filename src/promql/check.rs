//! What the grammar cannot say: types of operands, arguments and parameters, and rules between parts that stand
//! apart. The parser calls [`check`] once on a whole tree; the engine may rely on everything it refuses.

use hashbrown::HashSet;

use super::ast::{
    Aggregate, AggregateOp, Binary, Call, Cardinality, Expr, ExprKind, Selector, Span, ValueType,
    VectorMatching,
};
use super::functions::Variadic;
use crate::model::METRIC_NAME;

/// A tree without meaning, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckError {
    pub span: Span,
    pub message: String,
}

type Result<T> = std::result::Result<T, CheckError>;

fn error<T>(span: Span, message: impl Into<String>) -> Result<T> {
    Err(CheckError { span, message: message.into() })
}

/// What `expr` evaluates to.
pub fn value_type(expr: &Expr) -> ValueType {
    match &expr.kind {
        ExprKind::Number(_) => ValueType::Scalar,
        ExprKind::String(_) | ExprKind::NotUtf8(_) => ValueType::String,
        ExprKind::Selector(_) | ExprKind::Aggregate(_) => ValueType::Vector,
        ExprKind::Matrix(_) | ExprKind::Subquery(_) => ValueType::Matrix,
        ExprKind::Call(call) => call.function.returns,
        ExprKind::Unary(unary) => value_type(&unary.expr),
        ExprKind::Paren(inner) => value_type(inner),
        ExprKind::Binary(binary) => {
            let scalars = value_type(&binary.lhs) == ValueType::Scalar
                && value_type(&binary.rhs) == ValueType::Scalar;
            if scalars { ValueType::Scalar } else { ValueType::Vector }
        }
    }
}

/// Checks `expr`, parsed from `text`, and gives what it evaluates to. Vector matching written where an operand is a
/// scalar is forgotten.
///
/// # Errors
/// The first rule broken, from left to right.
pub fn check(expr: &mut Expr, text: &str) -> Result<ValueType> {
    let span = expr.span;
    match &mut expr.kind {
        ExprKind::Number(_) => Ok(ValueType::Scalar),
        ExprKind::String(_) => Ok(ValueType::String),
        ExprKind::NotUtf8(shown) => error(span, not_utf8(shown)),
        ExprKind::Selector(selector) => check_selector(selector, span),
        ExprKind::Matrix(matrix) => {
            check_selector(&matrix.selector, matrix.selector_span).map(|_| ValueType::Matrix)
        }
        ExprKind::Subquery(subquery) => match check(&mut subquery.expr, text)? {
            ValueType::Vector => Ok(ValueType::Matrix),
            found => {
                let found = short_name(found);
                let message =
                    format!("subquery is only allowed on instant vector, got {found} instead");
                error(span, message)
            }
        },
        ExprKind::Call(call) => check_call(call, span, text),
        ExprKind::Aggregate(aggregate) => check_aggregate(aggregate, text),
        ExprKind::Binary(binary) => check_binary(binary, span, text),
        ExprKind::Unary(unary) => match check(&mut unary.expr, text)? {
            found @ (ValueType::Scalar | ValueType::Vector) => Ok(found),
            found => {
                let message = format!(
                    "unary expression only allowed on expressions of type scalar or instant vector, got {:?}",
                    found.as_str()
                );
                error(span, message)
            }
        },
        ExprKind::Paren(inner) => check(inner, text),
    }
}

/// That the bytes of a string literal, written like this, are no text.
pub fn not_utf8(shown: &str) -> String {
    format!("string literal is not valid UTF-8: {shown}")
}

/// The name that the API gives a type.
fn short_name(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::Scalar => "scalar",
        ValueType::Vector => "vector",
        ValueType::Matrix => "matrix",
        ValueType::String => "string",
    }
}

fn check_selector(selector: &Selector, span: Span) -> Result<ValueType> {
    check_names(selector, span)?;
    if selector.matchers.iter().all(|matcher| matcher.matches_empty()) {
        return error(span, "vector selector must contain at least one non-empty matcher");
    }
    Ok(ValueType::Vector)
}

/// A bare name excludes any other condition on the name.
fn check_names(selector: &Selector, span: Span) -> Result<()> {
    let Some(name) = &selector.name else {
        return Ok(());
    };
    match selector.matchers.iter().skip(1).find(|matcher| matcher.name == METRIC_NAME) {
        Some(second) => {
            let second = &second.value;
            error(span, format!("metric name must not be set twice: {name:?} or {second:?}"))
        }
        None => Ok(()),
    }
}

fn check_call(call: &mut Call, span: Span, text: &str) -> Result<ValueType> {
    let function = call.function;
    check_argument_count(call, span)?;
    for (index, arg) in call.args.iter_mut().enumerate() {
        if function.name == "info" && index == 1 {
            check_info_selector(arg)?;
            continue;
        }
        let found = check(arg, text)?;
        let Some(wanted) = function.args.get(index).or(function.args.last()) else {
            continue;
        };
        if found != *wanted {
            let message = format!(
                "expected type {} in call to function {:?}, got {}",
                wanted.as_str(),
                function.name,
                found.as_str()
            );
            return error(arg.span, message);
        }
    }
    Ok(function.returns)
}

fn check_argument_count(call: &Call, span: Span) -> Result<()> {
    let function = call.function;
    let (listed, count) = (function.args.len(), call.args.len());
    let (min, max) = match function.variadic {
        Variadic::No => (listed, Some(listed)),
        Variadic::Optional(optional) => (listed - optional, Some(listed)),
        Variadic::Repeated { max } => (listed - 1, max),
    };
    let bound = match max {
        Some(max) if min == max && count != max => format!("{max}"),
        _ if count < min => format!("at least {min}"),
        Some(max) if count > max => format!("at most {max}"),
        _ => return Ok(()),
    };
    let name = function.name;
    error(span, format!("expected {bound} argument(s) in call to {name:?}, got {count}"))
}

/// The second argument of `info` is not evaluated: it says which labels of which info metrics are wanted. It may match
/// everything.
fn check_info_selector(arg: &Expr) -> Result<()> {
    match &arg.kind {
        ExprKind::Selector(selector) if selector.name.is_some() => {
            error(arg.span, "expected label selectors only, got vector selector instead")
        }
        ExprKind::Selector(_) => Ok(()),
        _ => error(arg.span, "expected label selectors only"),
    }
}

fn check_aggregate(aggregate: &mut Aggregate, text: &str) -> Result<ValueType> {
    expect_type(&mut aggregate.expr, ValueType::Vector, "aggregation expression", text)?;
    if let Some(param) = &mut aggregate.param {
        let wanted = match aggregate.op {
            AggregateOp::CountValues if matches!(param.kind, ExprKind::NotUtf8(_)) => {
                // The evaluation says that it is no label name.
                return Ok(ValueType::Vector);
            }
            AggregateOp::CountValues => ValueType::String,
            _ => ValueType::Scalar,
        };
        expect_type(param, wanted, "aggregation parameter", text)?;
    }
    Ok(ValueType::Vector)
}

fn expect_type(expr: &mut Expr, wanted: ValueType, context: &str, text: &str) -> Result<()> {
    let found = check(expr, text)?;
    if found == wanted {
        return Ok(());
    }
    let (wanted, found) = (wanted.as_str(), found.as_str());
    error(expr.span, format!("expected type {wanted} in {context}, got {found}"))
}

fn check_binary(binary: &mut Binary, span: Span, text: &str) -> Result<ValueType> {
    let lhs = check(&mut binary.lhs, text)?;
    let rhs = check(&mut binary.rhs, text)?;
    let operator = operator_span(binary, text);
    if binary.return_bool && !binary.op.is_comparison() {
        return error(operator, "bool modifier can only be used on comparison operators");
    }
    let scalars = (lhs, rhs) == (ValueType::Scalar, ValueType::Scalar);
    if binary.op.is_comparison() && !binary.return_bool && scalars {
        return error(operator, "comparisons between scalars must use BOOL modifier");
    }
    if let Some(label) = label_in_on_and_group(&binary.matching) {
        let message = format!("label {label:?} must not occur in ON and GROUP clause at once");
        return error(operator, message);
    }
    for (side, found) in [(&binary.lhs, lhs), (&binary.rhs, rhs)] {
        if !matches!(found, ValueType::Scalar | ValueType::Vector) {
            let message = "binary expression must contain only scalar and instant vector types";
            return error(side.span, message);
        }
    }
    if (lhs, rhs) == (ValueType::Vector, ValueType::Vector) {
        check_vectors(binary, span)?;
        return Ok(ValueType::Vector);
    }
    check_with_scalar(binary, span)?;
    Ok(if scalars { ValueType::Scalar } else { ValueType::Vector })
}

/// Where the operator stands: the tree keeps only its operands.
fn operator_span(binary: &Binary, text: &str) -> Span {
    let end = binary.lhs.span.end;
    let gap = text.get(end as usize..).unwrap_or("");
    let start = end + (gap.len() - gap.trim_start().len()) as u32;
    Span { start, end: binary.rhs.span.start.max(start) }
}

fn label_in_on_and_group(matching: &VectorMatching) -> Option<&str> {
    let include: HashSet<&String> = matching.include.iter().collect();
    let repeated = matching.labels.iter().find(|label| include.contains(label));
    repeated.filter(|_| matching.on).map(String::as_str)
}

fn has_fill(matching: &VectorMatching) -> bool {
    matching.fill_left.is_some() || matching.fill_right.is_some()
}

fn check_vectors(binary: &Binary, span: Span) -> Result<()> {
    if !binary.op.is_set() {
        return Ok(());
    }
    if binary.matching.cardinality != Cardinality::ManyToMany {
        let op = binary.op.as_str();
        return error(span, format!("no grouping allowed for {op:?} operation"));
    }
    if has_fill(&binary.matching) {
        return error(span, "filling in missing series not allowed for set operators");
    }
    Ok(())
}

fn check_with_scalar(binary: &mut Binary, span: Span) -> Result<()> {
    if !binary.matching.labels.is_empty() {
        return error(span, "vector matching only allowed between instant vectors");
    }
    if has_fill(&binary.matching) {
        let message = "filling in missing series only allowed between instant vectors";
        return error(span, message);
    }
    if binary.op.is_set() {
        let op = binary.op.as_str();
        let message = format!("set operator {op:?} not allowed in binary scalar expression");
        return error(span, message);
    }
    binary.matching = VectorMatching::default();
    Ok(())
}

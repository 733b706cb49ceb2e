//! Function calls, aggregations, and the lists of labels that aggregations and matching clauses take.

use super::cursor::{Cursor, Result};
use super::expr::expression;
use crate::promql::ast::{Aggregate, AggregateOp, Call, Expr, ExprKind, Grouping, Span};
use crate::promql::functions;
use crate::promql::lexer::token::{Keyword, TokenKind};

/// Does a keyword followed by `next` begin a call rather than name a metric?
pub fn opens_call(keyword: Keyword, next: TokenKind) -> bool {
    use Keyword::*;
    match keyword {
        Aggregate(_) => {
            matches!(
                next,
                TokenKind::LeftParen | TokenKind::Keyword(Keyword::By | Keyword::Without)
            )
        }
        Start | End | Step | Range | MaxOf | MinOf => next == TokenKind::LeftParen,
        _ => false,
    }
}

/// The call that begins with a keyword: an aggregation, or one of the functions that share a keyword's name.
pub fn keyword_call(cursor: &mut Cursor<'_>, keyword: Keyword) -> Result<Expr> {
    match keyword {
        Keyword::Aggregate(op) => aggregation(cursor, op),
        _ => function_call(cursor),
    }
}

pub fn function_call(cursor: &mut Cursor<'_>) -> Result<Expr> {
    let name = cursor.take();
    let args = arguments(cursor)?;
    // The functions that are keywords are found in any case, as keywords are.
    let text = match name.kind {
        TokenKind::Keyword(_) => cursor.text_of(name).to_ascii_lowercase(),
        _ => cursor.text_of(name).to_string(),
    };
    let function = functions::signature(&text)
        .ok_or_else(|| cursor.error(name.span, format!("unknown function with name {text:?}")))?;
    if function.experimental && !cursor.options.experimental_functions {
        return Err(cursor.error(name.span, format!("function {text:?} is not enabled")));
    }
    let span = cursor.span_from(name.span.start);
    Ok(Expr { kind: ExprKind::Call(Call { function, args }), span })
}

/// `(expr, expr, ...)`
fn arguments(cursor: &mut Cursor<'_>) -> Result<Vec<Expr>> {
    cursor.expect(TokenKind::LeftParen, "", "")?;
    let mut args = Vec::new();
    if cursor.eat(TokenKind::RightParen) {
        return Ok(args);
    }
    loop {
        cursor.check_list(args.len())?;
        args.push(expression(cursor)?);
        let separator = cursor.peek();
        if cursor.eat(TokenKind::RightParen) {
            return Ok(args);
        }
        cursor.expect(TokenKind::Comma, "", "")?;
        if cursor.kind() == TokenKind::RightParen {
            let message = "trailing commas not allowed in function call args";
            return Err(cursor.error(separator.span, message));
        }
    }
}

fn aggregation(cursor: &mut Cursor<'_>, op: AggregateOp) -> Result<Expr> {
    let start = cursor.take().span.start;
    let before = grouping(cursor)?;
    if cursor.kind() != TokenKind::LeftParen {
        return Err(cursor.unexpected("aggregation", ""));
    }
    let args = arguments(cursor)?;
    let grouping = match before {
        Some(grouping) => grouping,
        None => grouping(cursor)?.unwrap_or_default(),
    };
    let span = cursor.span_from(start);
    let (param, expr) = aggregation_arguments(cursor, op, span, args)?;
    let aggregate = Aggregate { op, expr, param, grouping };
    Ok(Expr { kind: ExprKind::Aggregate(Box::new(aggregate)), span })
}

/// `by (labels)` or `without (labels)`, if it stands here.
fn grouping(cursor: &mut Cursor<'_>) -> Result<Option<Grouping>> {
    let without = match cursor.keyword() {
        Some(Keyword::By) => false,
        Some(Keyword::Without) => true,
        _ => return Ok(None),
    };
    cursor.take();
    Ok(Some(Grouping { without, labels: grouping_labels(cursor)? }))
}

/// The parameter, for those that take one, and the aggregated expression.
fn aggregation_arguments(
    cursor: &Cursor<'_>,
    op: AggregateOp,
    span: Span,
    args: Vec<Expr>,
) -> Result<(Option<Expr>, Expr)> {
    let count = args.len();
    let wanted = if op.takes_param() { 2 } else { 1 };
    if op.is_experimental() && !cursor.options.experimental_functions {
        let message = format!(
            "{}() is experimental and must be enabled with --enable-feature=promql-experimental-functions",
            op.as_str()
        );
        return Err(cursor.error(span, message));
    }
    let mut args = args.into_iter();
    match (args.next(), args.next(), args.next()) {
        (Some(expr), None, None) if wanted == 1 => Ok((None, expr)),
        (Some(param), Some(expr), None) if wanted == 2 => Ok((Some(param), expr)),
        (None, _, _) => Err(cursor.error(span, "no arguments for aggregate expression provided")),
        _ => {
            let message = format!(
                "wrong number of arguments for aggregate expression provided, expected {wanted}, got {count}"
            );
            Err(cursor.error(span, message))
        }
    }
}

/// `(label, "label", ...)`, a trailing comma allowed.
pub fn grouping_labels(cursor: &mut Cursor<'_>) -> Result<Vec<String>> {
    const CONTEXT: &str = "grouping opts";
    cursor.expect(TokenKind::LeftParen, CONTEXT, "\"(\"")?;
    let mut labels = Vec::new();
    while !cursor.eat(TokenKind::RightParen) {
        cursor.check_list(labels.len())?;
        let token = cursor.peek();
        let label = match token.kind {
            TokenKind::Identifier | TokenKind::MetricIdentifier => {
                cursor.text_of(token).to_string()
            }
            TokenKind::Keyword(keyword) if keyword.can_name_label() => {
                cursor.text_of(token).to_string()
            }
            TokenKind::String => cursor.string(token)?,
            _ => return Err(cursor.unexpected(CONTEXT, "label")),
        };
        if label.is_empty() {
            return Err(cursor.error(token.span, "invalid label name for grouping: \"\""));
        }
        cursor.take();
        labels.push(label);
        if !cursor.eat(TokenKind::Comma) {
            cursor.expect(TokenKind::RightParen, CONTEXT, "\",\" or \")\"")?;
            break;
        }
    }
    Ok(labels)
}

//! Vector selectors and the modifiers that attach to them: `offset`, `@`, `anchored`, `smoothed`.

use super::cursor::{Cursor, Result};
use super::duration;
use super::expr;
use crate::model::{METRIC_NAME, MatchOp, Matcher};
use crate::promql::ast::{At, BinaryOp, DurationExpr, Expr, ExprKind, Selector, TimeModifiers};
use crate::promql::lexer::token::{Keyword, TokenKind};

const CONTEXT: &str = "label matching";

/// Largest timestamp after `@`, ms: where a number of seconds stops telling milliseconds apart, in the year 287396.
const AT_MAX_MS: f64 = (1_u64 << 53) as f64;

/// `name`, `{matchers}` or both.
pub fn selector(cursor: &mut Cursor<'_>) -> Result<Expr> {
    let first = cursor.peek();
    let name = match first.kind {
        TokenKind::Identifier | TokenKind::MetricIdentifier => Some(cursor.text_of(first)),
        TokenKind::Keyword(keyword) if keyword.can_name_metric() => Some(cursor.text_of(first)),
        TokenKind::LeftBrace => None,
        _ => return Err(cursor.unexpected("", "")),
    };
    let mut matchers = Vec::new();
    if let Some(name) = name {
        cursor.take();
        matchers.push(Matcher::equal(METRIC_NAME, name));
    }
    if cursor.eat(TokenKind::LeftBrace) {
        matcher_list(cursor, &mut matchers)?;
    }
    let selector = Selector { name: name.map(str::to_string), matchers, ..Selector::default() };
    Ok(Expr { kind: ExprKind::Selector(selector), span: cursor.span_from(first.span.start) })
}

fn matcher_list(cursor: &mut Cursor<'_>, matchers: &mut Vec<Matcher>) -> Result<()> {
    while !cursor.eat(TokenKind::RightBrace) {
        cursor.check_list(matchers.len())?;
        matchers.push(matcher(cursor)?);
        if !cursor.eat(TokenKind::Comma) {
            cursor.expect(TokenKind::RightBrace, CONTEXT, "\",\" or \"}\"")?;
            break;
        }
    }
    Ok(())
}

/// `label = "value"`, or a quoted metric name on its own.
fn matcher(cursor: &mut Cursor<'_>) -> Result<Matcher> {
    let first = cursor.peek();
    let label = match first.kind {
        TokenKind::Identifier => cursor.text_of(first).to_string(),
        TokenKind::String => cursor.string(first)?,
        _ => return Err(cursor.unexpected(CONTEXT, "identifier or \"}\"")),
    };
    cursor.take();
    let op = match cursor.kind() {
        TokenKind::Assign => MatchOp::Equal,
        TokenKind::Operator(BinaryOp::NotEqual) => MatchOp::NotEqual,
        TokenKind::MatchRegex => MatchOp::Regex,
        TokenKind::MatchNotRegex => MatchOp::NotRegex,
        TokenKind::Comma | TokenKind::RightBrace if first.kind == TokenKind::String => {
            return Ok(Matcher::equal(METRIC_NAME, label));
        }
        _ => return Err(cursor.unexpected(CONTEXT, "label matching operator")),
    };
    cursor.take();
    let value = cursor.expect(TokenKind::String, CONTEXT, "string")?;
    let value = cursor.string(value)?;
    cursor.matcher(label, op, value, first.span)
}

/// `offset` and what follows it.
pub fn offset_modifier(cursor: &mut Cursor<'_>, expr: &mut Expr) -> Result<()> {
    cursor.take();
    let offset = duration::offset(cursor)?;
    let Some(time) = time_modifiers(expr) else {
        let message = "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery";
        return Err(cursor.error(expr.span, message));
    };
    if time.offset.is_some() {
        return Err(cursor.error(expr.span, "offset may not be set multiple times"));
    }
    // No offset is what an offset of zero means.
    time.offset = Some(offset).filter(|offset| !is_zero(offset));
    expr.span = cursor.span_from(expr.span.start);
    Ok(())
}

fn is_zero(offset: &DurationExpr) -> bool {
    matches!(offset, DurationExpr::Literal(number) if number.value == 0.0)
}

/// `@` with a timestamp, `start()` or `end()`.
pub fn at_modifier(cursor: &mut Cursor<'_>, expr: &mut Expr) -> Result<()> {
    cursor.take();
    let keyword = cursor.keyword();
    let at = match keyword {
        Some(Keyword::Start | Keyword::End) => {
            cursor.take();
            cursor.expect(TokenKind::LeftParen, "@", "timestamp")?;
            cursor.expect(TokenKind::RightParen, "@", "timestamp")?;
            if keyword == Some(Keyword::Start) { At::Start } else { At::End }
        }
        _ => {
            let seconds =
                expr::signed_number(cursor).ok_or_else(|| cursor.unexpected("@", "timestamp"))?;
            let timestamp_ms = (seconds * 1000.0).round();
            if timestamp_ms.is_nan() || timestamp_ms.abs() > AT_MAX_MS {
                let message = format!("timestamp out of bounds for @ modifier: {seconds}");
                return Err(cursor.error(expr.span, message));
            }
            At::Timestamp(timestamp_ms as i64)
        }
    };
    let Some(time) = time_modifiers(expr) else {
        let message = "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery";
        return Err(cursor.error(expr.span, message));
    };
    if time.at.is_some() {
        return Err(cursor.error(expr.span, "@ <timestamp> may not be set multiple times"));
    }
    time.at = Some(at);
    expr.span = cursor.span_from(expr.span.start);
    Ok(())
}

fn time_modifiers(expr: &mut Expr) -> Option<&mut TimeModifiers> {
    match &mut expr.kind {
        ExprKind::Selector(selector) => Some(&mut selector.time),
        ExprKind::Matrix(matrix) => Some(&mut matrix.selector.time),
        ExprKind::Subquery(subquery) => Some(&mut subquery.time),
        _ => None,
    }
}

/// `anchored` or `smoothed`.
pub fn extended_modifier(cursor: &mut Cursor<'_>, expr: &mut Expr, anchored: bool) -> Result<()> {
    let token = cursor.take();
    let name = if anchored { "anchored" } else { "smoothed" };
    if !cursor.options.extended_range_selectors {
        let message = format!("{name} modifier is experimental and not enabled");
        return Err(cursor.error(token.span, message));
    }
    let selector = match &mut expr.kind {
        ExprKind::Selector(selector) => selector,
        ExprKind::Matrix(matrix) => &mut matrix.selector,
        ExprKind::Subquery(_) => {
            let message = format!("{name} modifier is not supported for subqueries");
            return Err(cursor.error(expr.span, message));
        }
        _ => return Err(cursor.error(expr.span, format!("{name} modifier not implemented"))),
    };
    if (anchored && selector.smoothed) || (!anchored && selector.anchored) {
        let message = "anchored and smoothed modifiers cannot be used together";
        return Err(cursor.error(expr.span, message));
    }
    selector.anchored = anchored;
    selector.smoothed = !anchored;
    expr.span = cursor.span_from(expr.span.start);
    Ok(())
}

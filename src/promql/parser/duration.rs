//! Ranges, subqueries and offsets: what stands between brackets and after `offset`, and the arithmetic of durations
//! in both. After `offset` a bare literal ends the duration (`x offset 1h + 2` adds 2); in brackets it does not.

use super::cursor::{Cursor, Result};
use super::expr::sign;
use crate::promql::ast::{
    BinaryOp, DurationExpr, DurationOp, Expr, ExprKind, MatrixSelector, NumberLiteral, Span,
    Subquery, TimeModifiers,
};
use crate::promql::lexer::token::{Keyword, TokenKind};

/// Longest duration, s: what 64 bits of nanoseconds hold, as in Prometheus.
const DURATION_MAX_SECONDS: f64 = (1_u64 << 63) as f64 / 1e9;

const EXPECTED: &str = "number, duration, step(), or range()";

/// `[range]` or `[range:step]` after `expr`.
pub fn range(cursor: &mut Cursor<'_>, expr: Expr) -> Result<Expr> {
    let bracket = cursor.take();
    let start = expr.span.start;
    let range = positive(cursor, "subquery or range selector", EXPECTED)?;
    let kind = if cursor.eat(TokenKind::Colon) {
        let step = match cursor.kind() {
            TokenKind::RightBracket => None,
            _ => {
                let expected = "number, duration, step(), range(), or \"]\"";
                Some(positive(cursor, "subquery selector", expected)?)
            }
        };
        cursor.expect(TokenKind::RightBracket, "subquery selector", "\"]\"")?;
        if let ExprKind::Matrix(_) | ExprKind::Subquery(_) = expr.kind {
            // Refused here, so that no chain of brackets makes a deep tree.
            let message = "subquery is only allowed on instant vector, got matrix instead";
            return Err(cursor.error(expr.span, message));
        }
        let time = TimeModifiers::default();
        ExprKind::Subquery(Box::new(Subquery { expr, range, step, time }))
    } else {
        cursor.expect(TokenKind::RightBracket, "subquery or range", "\":\" or \"]\"")?;
        let selector_span = expr.span;
        let problem = match expr.kind {
            ExprKind::Selector(selector) if selector.time.offset.is_some() => {
                "no offset modifiers allowed before range"
            }
            ExprKind::Selector(selector) if selector.time.at.is_some() => {
                "no @ modifiers allowed before range"
            }
            ExprKind::Selector(selector) => {
                let matrix = MatrixSelector { selector, selector_span, range };
                let kind = ExprKind::Matrix(Box::new(matrix));
                return Ok(Expr { kind, span: cursor.span_from(start) });
            }
            _ => "ranges only allowed for vector selectors",
        };
        return Err(cursor.error(bracket.span, problem));
    };
    Ok(Expr { kind, span: cursor.span_from(start) })
}

/// What follows `offset`.
pub fn offset(cursor: &mut Cursor<'_>) -> Result<DurationExpr> {
    let sign = sign(cursor).map(|(negative, _)| negative);
    let operand = primary(cursor, "offset", EXPECTED)?;
    Ok(top_level(match sign {
        Some(negative) => signed(negative, operand),
        None => operand,
    }))
}

/// A duration that must be greater than zero as far as the text shows.
fn positive(cursor: &mut Cursor<'_>, context: &str, expected: &str) -> Result<DurationExpr> {
    let span = cursor.peek().span;
    let duration = arithmetic(cursor, context, expected)?;
    if constant(&duration).is_some_and(|seconds| seconds <= 0.0) {
        return Err(cursor.error(span, "duration must be greater than 0"));
    }
    Ok(top_level(duration))
}

fn in_bounds(seconds: f64) -> std::result::Result<(), &'static str> {
    if seconds.abs() < DURATION_MAX_SECONDS { Ok(()) } else { Err("duration out of range") }
}

/// A bare number is a duration like one with units, and printed as one if whole milliseconds are all it has.
fn top_level(duration: DurationExpr) -> DurationExpr {
    match duration {
        DurationExpr::Literal(number) => {
            let whole_ms = (number.value * 1000.0).round() / 1000.0 == number.value;
            DurationExpr::Literal(NumberLiteral { is_duration: whole_ms, ..number })
        }
        other => other,
    }
}

/// The value of a literal, with the signs and parentheses around it.
fn constant(duration: &DurationExpr) -> Option<f64> {
    match duration {
        DurationExpr::Literal(number) => Some(number.value),
        DurationExpr::Negate(inner) => constant(inner).map(|value| -value),
        DurationExpr::Plus(inner) | DurationExpr::Paren(inner) => constant(inner),
        _ => None,
    }
}

const UNARY_PRECEDENCE: u8 = 2;

fn precedence(op: DurationOp) -> u8 {
    match op {
        DurationOp::Add | DurationOp::Sub => 1,
        DurationOp::Mul | DurationOp::Div | DurationOp::Mod => UNARY_PRECEDENCE,
        DurationOp::Pow => 3,
    }
}

fn duration_op(kind: TokenKind) -> Option<DurationOp> {
    match kind.binary_op()? {
        BinaryOp::Add => Some(DurationOp::Add),
        BinaryOp::Sub => Some(DurationOp::Sub),
        BinaryOp::Mul => Some(DurationOp::Mul),
        BinaryOp::Div => Some(DurationOp::Div),
        BinaryOp::Mod => Some(DurationOp::Mod),
        BinaryOp::Pow => Some(DurationOp::Pow),
        _ => None,
    }
}

/// An operator whose right operand is still being read.
enum Pending {
    Sign { negative: bool },
    Binary { op: DurationOp, op_span: Span, lhs: DurationExpr },
}

impl Pending {
    /// Is its right operand complete when `next` follows?
    fn binds_before(&self, next: DurationOp) -> bool {
        let own = match self {
            Pending::Sign { .. } => UNARY_PRECEDENCE,
            Pending::Binary { op, .. } => precedence(*op),
        };
        own > precedence(next) || (own == precedence(next) && next != DurationOp::Pow)
    }

    fn apply(self, cursor: &Cursor<'_>, operand: DurationExpr) -> Result<DurationExpr> {
        let (op, op_span, lhs) = match self {
            Pending::Sign { negative } => return Ok(signed(negative, operand)),
            Pending::Binary { op, op_span, lhs } => (op, op_span, lhs),
        };
        match op {
            DurationOp::Div if constant(&operand) == Some(0.0) => {
                Err(cursor.error(op_span, "division by zero"))
            }
            DurationOp::Mod if constant(&operand) == Some(0.0) => {
                Err(cursor.error(op_span, "modulo by zero"))
            }
            _ => Ok(DurationExpr::Binary { op, lhs: Box::new(lhs), rhs: Box::new(operand) }),
        }
    }
}

/// A sign before a literal is part of the literal.
fn signed(negative: bool, operand: DurationExpr) -> DurationExpr {
    match operand {
        DurationExpr::Literal(number) if negative => {
            DurationExpr::Literal(NumberLiteral { value: -number.value, ..number })
        }
        DurationExpr::Literal(_) => operand,
        _ if negative => DurationExpr::Negate(Box::new(operand)),
        _ => DurationExpr::Plus(Box::new(operand)),
    }
}

/// A chain of duration operators, as in [`super::expr::expression`].
fn arithmetic(cursor: &mut Cursor<'_>, context: &str, expected: &str) -> Result<DurationExpr> {
    let mut pending: Vec<Pending> = Vec::new();
    loop {
        while let Some((negative, _)) = sign(cursor) {
            pending.push(Pending::Sign { negative });
        }
        let mut operand = primary(cursor, context, expected)?;
        let next = duration_op(cursor.kind());
        while let Some(top) = pending.pop_if(|top| next.is_none_or(|op| top.binds_before(op))) {
            operand = top.apply(cursor, operand)?;
        }
        let Some(op) = next else {
            return Ok(operand);
        };
        require_expressions(cursor)?;
        let op_span = cursor.take().span;
        pending.push(Pending::Binary { op, op_span, lhs: operand });
    }
}

fn primary(cursor: &mut Cursor<'_>, context: &str, expected: &str) -> Result<DurationExpr> {
    let token = cursor.peek();
    let number = |value, is_duration| {
        let literal = DurationExpr::Literal(NumberLiteral { value, is_duration });
        in_bounds(value).map(|()| literal).map_err(|message| cursor.error(token.span, message))
    };
    match token.kind {
        TokenKind::Number(value) => {
            let literal = number(value, false)?;
            cursor.take();
            Ok(literal)
        }
        TokenKind::Duration(value) => {
            let literal = number(value, true)?;
            cursor.take();
            Ok(literal)
        }
        TokenKind::LeftParen => {
            require_expressions(cursor)?;
            cursor.take();
            let inner = arithmetic(cursor, context, expected)?;
            cursor.expect(TokenKind::RightParen, "", "")?;
            Ok(DurationExpr::Paren(Box::new(inner)))
        }
        TokenKind::Keyword(keyword) => function(cursor, keyword, context, expected),
        _ => Err(cursor.unexpected(context, expected)),
    }
}

/// `step()`, `range()`, `min_of(a, b)`, `max_of(a, b)`.
fn function(
    cursor: &mut Cursor<'_>,
    keyword: Keyword,
    context: &str,
    expected: &str,
) -> Result<DurationExpr> {
    if !matches!(keyword, Keyword::Step | Keyword::Range | Keyword::MinOf | Keyword::MaxOf) {
        return Err(cursor.unexpected(context, expected));
    }
    require_expressions(cursor)?;
    cursor.take();
    cursor.expect(TokenKind::LeftParen, "", "")?;
    let duration = match keyword {
        Keyword::Step => DurationExpr::Step,
        Keyword::Range => DurationExpr::Range,
        _ => {
            let first = Box::new(arithmetic(cursor, "", "")?);
            cursor.expect(TokenKind::Comma, "", "")?;
            let second = Box::new(arithmetic(cursor, "", "")?);
            match keyword {
                Keyword::MinOf => DurationExpr::MinOf(first, second),
                _ => DurationExpr::MaxOf(first, second),
            }
        }
    };
    cursor.expect(TokenKind::RightParen, "", "")?;
    Ok(duration)
}

fn require_expressions(cursor: &Cursor<'_>) -> Result<()> {
    if cursor.options.duration_expressions {
        return Ok(());
    }
    Err(cursor.error(cursor.peek().span, "experimental duration expression is not enabled"))
}

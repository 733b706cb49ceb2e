//! Expressions: chains of operators by precedence, and the operands between them with what may follow an operand
//! (range, offset, @, anchored, smoothed).

use super::call;
use super::cursor::{Cursor, Result};
use super::duration;
use super::selector;
use crate::promql::ast::{
    Binary, BinaryOp, Cardinality, Expr, ExprKind, NumberLiteral, Span, Unary, VectorMatching,
};
use crate::promql::lexer::token::{Keyword, TokenKind};

/// How tightly an operator binds; unary signs bind like a multiplication.
fn precedence(op: BinaryOp) -> u8 {
    use BinaryOp::*;
    match op {
        Or => 1,
        And | Unless => 2,
        Equal | NotEqual | Less | LessOrEqual | Greater | GreaterOrEqual | TrimUpper
        | TrimLower => 3,
        Add | Sub => 4,
        Mul | Div | Mod | Atan2 => UNARY_PRECEDENCE,
        Pow => 6,
    }
}

const UNARY_PRECEDENCE: u8 = 5;

/// An operator whose right operand is still being read.
enum Pending {
    Unary { negative: bool, start: u32 },
    Binary { op: BinaryOp, lhs: Expr, return_bool: bool, matching: VectorMatching },
}

impl Pending {
    /// Is its right operand complete when `next` follows?
    fn binds_before(&self, next: BinaryOp) -> bool {
        let own = match self {
            Pending::Unary { .. } => UNARY_PRECEDENCE,
            Pending::Binary { op, .. } => precedence(*op),
        };
        own > precedence(next) || (own == precedence(next) && next != BinaryOp::Pow)
    }

    fn apply(self, operand: Expr) -> Expr {
        match self {
            Pending::Unary { negative, start } => signed(negative, start, operand),
            Pending::Binary { op, lhs, return_bool, matching } => {
                let span = Span { start: lhs.span.start, end: operand.span.end };
                let binary = Binary { op, lhs, rhs: operand, return_bool, matching };
                Expr { kind: ExprKind::Binary(Box::new(binary)), span }
            }
        }
    }
}

/// A sign before a number is part of the number.
fn signed(negative: bool, start: u32, operand: Expr) -> Expr {
    let span = Span { start, end: operand.span.end };
    let kind = match operand.kind {
        ExprKind::Number(number) => {
            let value = if negative { -number.value } else { number.value };
            ExprKind::Number(NumberLiteral { value, ..number })
        }
        _ => ExprKind::Unary(Box::new(Unary { negative, expr: operand })),
    };
    Expr { kind, span }
}

/// A whole expression. Operators wait on a stack of their own until what follows binds less tightly.
pub fn expression(cursor: &mut Cursor<'_>) -> Result<Expr> {
    let mut pending: Vec<Pending> = Vec::new();
    loop {
        while let Some((negative, start)) = sign(cursor) {
            pending.push(Pending::Unary { negative, start });
        }
        let mut operand = operand(cursor)?;
        let Some(op) = cursor.kind().binary_op() else {
            return Ok(pending.into_iter().rfold(operand, |operand, top| top.apply(operand)));
        };
        while let Some(top) = pending.pop_if(|top| top.binds_before(op)) {
            operand = top.apply(operand);
        }
        cursor.take();
        let (return_bool, matching) = binary_modifiers(cursor, op)?;
        pending.push(Pending::Binary { op, lhs: operand, return_bool, matching });
    }
}

/// Takes a sign, if there is one: is it negative, and where does it start?
pub fn sign(cursor: &mut Cursor<'_>) -> Option<(bool, u32)> {
    match cursor.kind() {
        TokenKind::Operator(op @ (BinaryOp::Add | BinaryOp::Sub)) => {
            Some((op == BinaryOp::Sub, cursor.take().span.start))
        }
        _ => None,
    }
}

/// `bool`, then `on` or `ignoring` with their `group_x`, then the fill modifiers.
fn binary_modifiers(cursor: &mut Cursor<'_>, op: BinaryOp) -> Result<(bool, VectorMatching)> {
    let return_bool = cursor.eat_keyword(Keyword::Bool);
    let mut matching = VectorMatching::default();
    if let Some(keyword @ (Keyword::On | Keyword::Ignoring)) = cursor.keyword() {
        cursor.take();
        matching.on = keyword == Keyword::On;
        matching.labels = call::grouping_labels(cursor)?;
        let cardinality = match cursor.keyword() {
            Some(Keyword::GroupLeft) => Some(Cardinality::ManyToOne),
            Some(Keyword::GroupRight) => Some(Cardinality::OneToMany),
            _ => None,
        };
        if let Some(cardinality) = cardinality {
            cursor.take();
            matching.cardinality = cardinality;
            if cursor.kind() == TokenKind::LeftParen {
                matching.include = call::grouping_labels(cursor)?;
            }
        }
    }
    if op.is_set() && matching.cardinality == Cardinality::OneToOne {
        matching.cardinality = Cardinality::ManyToMany;
    }
    fill_modifiers(cursor, &mut matching)?;
    Ok((return_bool, matching))
}

fn fill_modifiers(cursor: &mut Cursor<'_>, matching: &mut VectorMatching) -> Result<()> {
    let start = cursor.peek().span;
    while let Some(keyword @ (Keyword::Fill | Keyword::FillLeft | Keyword::FillRight)) =
        cursor.keyword()
    {
        let fills_left = keyword != Keyword::FillRight;
        let fills_right = keyword != Keyword::FillLeft;
        if (fills_left && matching.fill_left.is_some())
            || (fills_right && matching.fill_right.is_some())
        {
            return Err(cursor.unexpected("", ""));
        }
        cursor.take();
        let value = fill_value(cursor)?;
        if fills_left {
            matching.fill_left = Some(value);
        }
        if fills_right {
            matching.fill_right = Some(value);
        }
        if !cursor.options.binop_fill_modifiers {
            let message = "binop fill modifiers are experimental and not enabled";
            return Err(cursor.error(start, message));
        }
    }
    Ok(())
}

fn fill_value(cursor: &mut Cursor<'_>) -> Result<f64> {
    cursor.expect(TokenKind::LeftParen, "fill modifier", "\"(\"")?;
    let value = signed_number(cursor)
        .ok_or_else(|| cursor.unexpected("fill modifier", "number or duration"))?;
    cursor.expect(TokenKind::RightParen, "fill modifier", "\")\"")?;
    Ok(value)
}

/// A number or duration with at most one sign before it.
pub fn signed_number(cursor: &mut Cursor<'_>) -> Option<f64> {
    let negative = sign(cursor).is_some_and(|(negative, _)| negative);
    match cursor.kind() {
        TokenKind::Number(value) | TokenKind::Duration(value) => {
            cursor.take();
            Some(if negative { -value } else { value })
        }
        _ => None,
    }
}

/// What stands between operators, with everything that attaches to it.
fn operand(cursor: &mut Cursor<'_>) -> Result<Expr> {
    let mut expr = primary(cursor)?;
    loop {
        match cursor.kind() {
            TokenKind::LeftBracket => expr = duration::range(cursor, expr)?,
            TokenKind::At => selector::at_modifier(cursor, &mut expr)?,
            TokenKind::Keyword(Keyword::Offset) => selector::offset_modifier(cursor, &mut expr)?,
            TokenKind::Keyword(keyword @ (Keyword::Anchored | Keyword::Smoothed)) => {
                selector::extended_modifier(cursor, &mut expr, keyword == Keyword::Anchored)?;
            }
            _ => return Ok(expr),
        }
    }
}

fn primary(cursor: &mut Cursor<'_>) -> Result<Expr> {
    let token = cursor.peek();
    let kind = match token.kind {
        TokenKind::Number(value) => ExprKind::Number(NumberLiteral { value, is_duration: false }),
        TokenKind::Duration(value) => ExprKind::Number(NumberLiteral { value, is_duration: true }),
        TokenKind::String => cursor.string_literal(token),
        TokenKind::LeftParen => return parenthesised(cursor),
        TokenKind::Identifier if cursor.second_kind() == TokenKind::LeftParen => {
            return call::function_call(cursor);
        }
        TokenKind::Keyword(keyword) if call::opens_call(keyword, cursor.second_kind()) => {
            return call::keyword_call(cursor, keyword);
        }
        TokenKind::Identifier
        | TokenKind::MetricIdentifier
        | TokenKind::LeftBrace
        | TokenKind::Keyword(_) => return selector::selector(cursor),
        _ => return Err(cursor.unexpected("", "")),
    };
    cursor.take();
    Ok(Expr { kind, span: token.span })
}

fn parenthesised(cursor: &mut Cursor<'_>) -> Result<Expr> {
    let start = cursor.take().span.start;
    let inner = expression(cursor)?;
    cursor.expect(TokenKind::RightParen, "", "")?;
    Ok(Expr { kind: ExprKind::Paren(Box::new(inner)), span: cursor.span_from(start) })
}

//! Tokens to tree. [`parse`] is the way in for queries, [`parse_selector`] for the `match[]` of the API; both give a
//! tree that [`super::check`] has found meaningful, or the first error with its place. Nothing recurses along a chain
//! of operators: recursion happens only inside parentheses, whose nesting the lexer bounds.
//!
//! `precedence` builds chains, `expr` reads what stands between operators, `selector`, `call` and `duration` read
//! the pieces, `cursor` walks the tokens and words the errors.

mod call;
mod cursor;
mod duration;
mod expr;
mod selector;

#[cfg(test)]
mod tests;

use std::fmt;

use super::ast::{Expr, ExprKind, line_and_column};
use super::check;
use super::lexer::{self, Lexed};
use crate::model::Matcher;
use cursor::Cursor;

pub use super::lexer::literal::{format_duration_ms, parse_duration_ms};

/// Default of [`ParseOptions::text_max_bytes`]: as much as a form of the API may hold. Dashboards write every value of a
/// variable into the text, which makes hundreds of kilobytes; the depth of the tree has limits of its own, and parsing
/// takes linear time, some tenths of a second for the worst of texts.
pub const TEXT_MAX_BYTES: usize = 1 << 20;

/// The text is not PromQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// From 1.
    pub line: u32,
    /// From 1, in bytes.
    pub column: u32,
    pub message: String,
    /// It may be PromQL, but is longer, deeper or dearer than a limit, which the message names.
    pub over_limit: bool,
}

impl ParseError {
    /// At a byte offset of `text`.
    fn at(text: &str, offset: usize, message: String) -> ParseError {
        let (line, column) = line_and_column(text, offset);
        ParseError { line, column, message, over_limit: false }
    }

    fn over_limit(self) -> ParseError {
        ParseError { over_limit: true, ..self }
    }
}

impl fmt::Display for ParseError {
    /// `1:5: parse error: ...`, as Prometheus writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: parse error: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for ParseError {}

/// What the parser accepts beyond stable PromQL, and how much of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseOptions {
    /// `promql-experimental-functions`: experimental functions and aggregations.
    pub experimental_functions: bool,
    /// Arithmetic in ranges and offsets (`[1h/2]`); on by default, as in Prometheus 3.14.
    pub duration_expressions: bool,
    /// `promql-extended-range-selectors`: `anchored` and `smoothed`.
    pub extended_range_selectors: bool,
    /// `promql-binop-fill-modifiers`: `fill`, `fill_left` and `fill_right`.
    pub binop_fill_modifiers: bool,
    /// Longest text taken.
    pub text_max_bytes: usize,
}

impl Default for ParseOptions {
    /// Stable PromQL 3.14.
    fn default() -> ParseOptions {
        ParseOptions {
            experimental_functions: false,
            duration_expressions: true,
            extended_range_selectors: false,
            binop_fill_modifiers: false,
            text_max_bytes: TEXT_MAX_BYTES,
        }
    }
}

impl ParseOptions {
    /// Every experimental part switched on.
    pub fn all() -> ParseOptions {
        ParseOptions {
            experimental_functions: true,
            extended_range_selectors: true,
            binop_fill_modifiers: true,
            ..ParseOptions::default()
        }
    }
}

/// Text to checked tree.
///
/// # Errors
/// The text is not PromQL, uses a feature that `options` does not switch on, or is over a limit.
pub fn parse(text: &str, options: &ParseOptions) -> Result<Expr, ParseError> {
    let lexed = lex_within(text, options)?;
    let mut cursor = Cursor::new(text, &lexed, options);
    if cursor.at_end() {
        return Err(ParseError::at(text, 0, "no expression found in input".to_string()));
    }
    let mut expr = expr::expression(&mut cursor)?;
    cursor.expect_end()?;
    check::check(&mut expr, text)
        .map_err(|error| ParseError::at(text, error.span.start as usize, error.message))?;
    Ok(expr)
}

/// A bare instant vector selector, as `match[]` of the API takes it: no modifiers. Its matchers may all match the
/// empty value, which the caller may have to refuse.
///
/// # Errors
/// The text is no selector, or is over a limit.
pub fn parse_selector(text: &str, options: &ParseOptions) -> Result<Vec<Matcher>, ParseError> {
    let lexed = lex_within(text, options)?;
    let mut cursor = Cursor::new(text, &lexed, options);
    let expr = selector::selector(&mut cursor)?;
    cursor.expect_end()?;
    match expr.kind {
        ExprKind::Selector(selector) => Ok(selector.matchers),
        _ => Err(ParseError::at(text, 0, "expected a vector selector".to_string())),
    }
}

fn lex_within(text: &str, options: &ParseOptions) -> Result<Lexed, ParseError> {
    let max = options.text_max_bytes.min(u32::MAX as usize);
    if text.len() > max {
        let message = format!("query of {} bytes is longer than the limit of {max}", text.len());
        return Err(ParseError::at(text, 0, message).over_limit());
    }
    let lexed = lexer::lex(text);
    // Before anything is parsed, whatever else is wrong.
    match &lexed.error {
        Some(error) if error.over_limit => {
            Err(ParseError::at(text, error.offset, error.message.clone()).over_limit())
        }
        _ => Ok(lexed),
    }
}

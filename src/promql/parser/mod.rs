//! Tokens to tree.

use std::fmt;

use super::ast::Expr;

/// The text is not PromQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// From 1.
    pub line: u32,
    /// From 1, in bytes.
    pub column: u32,
    pub message: String,
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
    /// Arithmetic in ranges and offsets (`[1h/2]`); on, as in Prometheus 3.14.
    pub duration_expressions: bool,
    /// `promql-extended-range-selectors`: `anchored` and `smoothed`.
    pub extended_range_selectors: bool,
    /// `promql-binop-fill-modifiers`: `fill`, `fill_left` and `fill_right`.
    pub binop_fill_modifiers: bool,
    /// Longest text taken.
    pub text_max_bytes: usize,
}

/// Text to checked tree.
///
/// # Errors
/// The text is not PromQL, uses a feature that `options` does not switch on, or is over a limit.
pub fn parse(text: &str, options: &ParseOptions) -> Result<Expr, ParseError> {
    let _ = (text, options);
    Err(ParseError { line: 1, column: 1, message: String::new() })
}

impl Default for ParseOptions {
    fn default() -> ParseOptions {
        ParseOptions {
            experimental_functions: false,
            duration_expressions: true,
            extended_range_selectors: false,
            binop_fill_modifiers: false,
            text_max_bytes: 1 << 20,
        }
    }
}

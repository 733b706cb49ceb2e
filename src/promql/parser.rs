//! Tokens to tree.

use std::fmt;

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

//! The query language: text to tree (`lexer`, `parser`, `ast`, `printer`), tree to answer (the rest). Reads data only
//! through [`crate::read::Source`]; knows neither `db` nor HTTP.

pub mod ast;
pub mod check;
pub mod engine;
pub mod functions;
pub mod lexer;
pub mod parser;
mod printer;
#[cfg(test)]
pub mod testing;
pub mod value;

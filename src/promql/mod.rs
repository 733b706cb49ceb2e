//! The query language: text to tree (`lexer`, `parser`, `check`, `ast`, `printer`), tree to answer (the rest). Reads
//! data only through [`crate::read::Source`]; knows neither `db` nor HTTP.
//!
//! Evaluation is by series: `engine` makes a `query` (budgets, threads, annotations), `plan` turns the tree into
//! `operator`s on a `timeline`, and whoever consumes an operator asks for the `column` of one series at a time. `explain`
//! tells what that will cost, or has cost.

pub mod ast;
pub mod check;
pub mod functions;
pub mod lexer;
mod limit;
pub mod parser;
pub mod pretty;
mod printer;
pub mod script;
pub mod value;

mod annotations;
pub mod budget;
mod column;
pub mod engine;
mod map;
mod operator;
mod plan;
mod query;
mod shared;
mod sort;
mod tally;
mod timeline;
mod unique;

mod alike;
mod guarantees;
mod propagate;
mod quiet;

pub mod explain;
pub mod probe;
mod watched;

mod instant;
mod range_call;
mod samples;
mod select;
mod slices;
mod smoothed;
mod spans;
mod subquery;
mod window;

mod binary;
mod join;
mod join_steps;
mod matching;
mod operation;
mod part;
mod sets;

mod aggregate;
mod distribution;
mod fold;
mod fold_histograms;
mod kept_names;
mod rank;

#[cfg(test)]
mod tests;

mod absent;
mod buckets;
mod call;
mod info;
mod info_metrics;
mod order;
mod quantiles;
mod relabel;

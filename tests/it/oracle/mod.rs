//! An evaluator that is as simple as can be, and the engine against it: random expressions over random data must give the
//! same values, tell the user the same and fail for the same reasons. It shares the parser, the tree and the algebra of single
//! histograms with the engine, and nothing else: one point in time after the other, all samples looked at for each, label sets
//! as maps. The tests in `promql_oracle` run it, and so does the fuzz target `promql_eval`; both make cases of bytes.

mod absent;
pub mod aggregate;
mod binary;
mod buckets;
mod calls;
pub mod case;
pub mod compare;
pub mod data;
mod dates;
mod durations;
mod eval;
mod extended;
mod info;
mod matching;
mod notes;
mod order;
pub mod outcome;
mod range;
mod rates;
mod samples;
mod selectors;
mod tree;
pub mod value;
mod vocabulary;

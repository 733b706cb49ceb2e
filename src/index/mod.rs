//! The inverted index: from label matchers to series. `memory` is the index of the head; what it is made of
//! (interned text, postings, tables, arenas) lies beside it. Knows slots and labels, no samples and no refs.

pub(crate) mod arena;
pub mod memory;
pub(crate) mod postings;
mod rows;
mod select;
pub(crate) mod symbols;
pub(crate) mod table;

#[cfg(test)]
mod tests;

//! The inverted index: from label matchers to series. `memory` is the index of the head; what it is made of
//! (interned text, postings, tables, arenas) lies beside it. Knows slots and labels, no samples and no refs.

pub mod arena;
pub mod memory;
pub mod postings;
mod rows;
mod select;
pub mod symbols;
pub mod table;

#[cfg(test)]
mod tests;

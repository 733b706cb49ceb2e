//! The inverted index: from label matchers to series. `memory` is the index of the head; what it is made of
//! (interned text, postings, tables, arenas) lies beside it, `image` is the part of it that is a file. Knows slots and labels,
//! no samples and no refs.

pub(crate) mod arena;
mod group;
pub mod image;
mod lists;
pub mod memory;
mod order;
pub(crate) mod postings;
mod rows;
mod select;
mod sort;
pub(crate) mod symbols;
pub(crate) mod table;

#[cfg(test)]
mod tests;

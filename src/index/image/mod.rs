//! An image of an index: label names, label pairs with their slots, label rows, and what finds them, as flat arrays in a
//! sealed file. Written by `head::registry` through [`writer`], then used where it lies as the base of a
//! [`super::memory::MemoryIndex`]. Knows slots and labels, no samples and no refs.
//!
//! Ids are in order of text: names by name, pairs by name and value. So a row, the pairs of a label set ascending,
//! compares with another as their label sets do.

pub mod layout;
mod pairs;
mod reader;
mod rows;
mod table;
pub mod writer;

pub use reader::Image;

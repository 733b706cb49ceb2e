//! head

mod alias;
mod refs;
pub mod registry;

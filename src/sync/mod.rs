//! The locks, atomics and threads of the engine, in one place so that a model checker can take their place: under
//! `--cfg shuttle` they are those of the crate `shuttle`, which runs the threads of a test one at a time in orders of its
//! choice (`tests/shuttle`). Everything below rank 6 takes them from here. No I/O, no executor.

#[cfg(not(shuttle))]
mod os;
#[cfg(shuttle)]
mod shuttle;

pub use std::sync::Arc;
pub use std::sync::atomic::Ordering;

#[cfg(not(shuttle))]
pub use os::*;
#[cfg(shuttle)]
pub use shuttle::*;

//! The locks and atomics of the engine, in one place so that a model checker can take their place.
//! Everything below rank 6 takes them from here. No I/O, no executor.

pub use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};
pub use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};
pub use std::sync::{Arc, OnceLock};

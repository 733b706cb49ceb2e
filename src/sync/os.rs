//! What runs: the locks of `parking_lot`, the atomics and threads of `std`.

pub use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};
pub use std::sync::OnceLock;
pub use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize};
pub use std::thread::JoinHandle;

/// Threads that run at a time.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A named thread whose panic ends the process: an engine with a thread missing would acknowledge nothing and say nothing.
pub fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let guarded = move || {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
        outcome.unwrap_or_else(|_| std::process::abort())
    };
    match std::thread::Builder::new().name(name.to_string()).spawn(guarded) {
        Ok(handle) => handle,
        Err(error) => panic!("the operating system gives no thread at start: {error}"),
    }
}

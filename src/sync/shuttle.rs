//! What is modelled: the same names over `shuttle`, which may go on with another thread before every operation on one of
//! them, and reports a deadlock where no thread can go on. They work only inside one of its executions.
//!
//! Two things are not modelled. All atomics are sequentially consistent, whatever order is asked for. There is no time: a
//! wait with a limit ends at once or when it is notified, whichever `shuttle` draws.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

pub use ::shuttle::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize};
pub use ::shuttle::thread::JoinHandle;

use super::Ordering;
use ::shuttle::rand::Rng;
use ::shuttle::sync;

/// A lock is never poisoned: the panic of any thread ends the execution.
const NO_PANIC: &str = "no thread has panicked";

/// `parking_lot::Mutex`.
#[derive(Debug, Default)]
pub struct Mutex<T>(sync::Mutex<T>);

/// `parking_lot::MutexGuard`.
pub struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    /// None only inside of [`Condvar`].
    held: Option<sync::MutexGuard<'a, T>>,
}

impl<T> Mutex<T> {
    pub const fn new(value: T) -> Mutex<T> {
        Mutex(sync::Mutex::new(value))
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard { mutex: self, held: Some(self.0.lock().expect(NO_PANIC)) }
    }

    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok().map(|held| MutexGuard { mutex: self, held: Some(held) })
    }

    pub fn into_inner(self) -> T {
        self.0.into_inner().expect(NO_PANIC)
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.held.as_ref().expect("a guard holds its lock")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.held.as_mut().expect("a guard holds its lock")
    }
}

/// `parking_lot::Condvar`.
#[derive(Debug, Default)]
pub struct Condvar(sync::Condvar);

/// `parking_lot::WaitTimeoutResult`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    pub fn timed_out(self) -> bool {
        self.0
    }
}

impl Condvar {
    pub const fn new() -> Condvar {
        Condvar(sync::Condvar::new())
    }

    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    pub fn notify_all(&self) {
        self.0.notify_all();
    }

    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let held = guard.held.take().expect("a guard holds its lock");
        guard.held = Some(self.0.wait(held).expect(NO_PANIC));
    }

    pub fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, time: Duration) -> WaitTimeoutResult {
        let times_out = time.is_zero() || ::shuttle::rand::thread_rng().r#gen();
        if times_out {
            guard.held = None;
            ::shuttle::thread::yield_now();
            *guard = guard.mutex.lock();
        } else {
            self.wait(guard);
        }
        WaitTimeoutResult(times_out)
    }
}

/// `parking_lot::RwLock`, but that a reader may overtake a writer that waits.
#[derive(Debug, Default)]
pub struct RwLock<T>(sync::RwLock<T>);

impl<T> RwLock<T> {
    pub const fn new(value: T) -> RwLock<T> {
        RwLock(sync::RwLock::new(value))
    }

    pub fn read(&self) -> sync::RwLockReadGuard<'_, T> {
        self.0.read().expect(NO_PANIC)
    }

    pub fn write(&self) -> sync::RwLockWriteGuard<'_, T> {
        self.0.write().expect(NO_PANIC)
    }
}

/// `std::sync::OnceLock`.
#[derive(Debug)]
pub struct OnceLock<T> {
    value: std::sync::OnceLock<T>,
    /// What makes a look at the value, or setting it, an operation.
    is_set: AtomicBool,
    setting: Mutex<()>,
}

impl<T> Default for OnceLock<T> {
    fn default() -> OnceLock<T> {
        OnceLock::new()
    }
}

impl<T> OnceLock<T> {
    pub const fn new() -> OnceLock<T> {
        OnceLock {
            value: std::sync::OnceLock::new(),
            is_set: AtomicBool::new(false),
            setting: Mutex::new(()),
        }
    }

    pub fn get(&self) -> Option<&T> {
        match self.is_set.load(Ordering::SeqCst) {
            true => self.value.get(),
            false => None,
        }
    }

    pub fn set(&self, value: T) -> Result<(), T> {
        let _setting = self.setting.lock();
        self.value.set(value)?;
        self.is_set.store(true, Ordering::SeqCst);
        Ok(())
    }

    pub fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        if let Some(value) = self.get() {
            return value;
        }
        let _setting = self.setting.lock();
        let value = self.value.get_or_init(make);
        self.is_set.store(true, Ordering::SeqCst);
        value
    }
}

/// As many as give the engine all its threads, on any machine.
pub fn cores() -> usize {
    4
}

/// A named thread.
pub fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let builder = ::shuttle::thread::Builder::new().name(name.to_string());
    builder.spawn(body).expect("a modelled thread can be had")
}

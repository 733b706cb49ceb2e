//! A list that threads add to and wait for: a wait whose end nobody tells is a deadlock, which `shuttle` reports.

use silverback::sync::{Condvar, Mutex};

/// See the head of this file.
pub struct Told<T> {
    all: Mutex<Vec<T>>,
    changed: Condvar,
}

impl<T> Default for Told<T> {
    fn default() -> Told<T> {
        Told { all: Mutex::default(), changed: Condvar::new() }
    }
}

impl<T: Clone> Told<T> {
    pub fn tell(&self, one: T) {
        self.all.lock().push(one);
        self.changed.notify_all();
    }

    /// All there is now, in the order in which it was told.
    pub fn now(&self) -> Vec<T> {
        self.all.lock().clone()
    }

    /// Waits until so much was told that `is_enough`.
    pub fn wait(&self, is_enough: impl Fn(&[T]) -> bool) {
        let mut all = self.all.lock();
        while !is_enough(&all) {
            self.changed.wait(&mut all);
        }
    }
}

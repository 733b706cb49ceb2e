//! What one node of an expression costs while it is evaluated, for `explain`: the time during which any thread is at
//! work on it, the samples that it reads and the bytes that it holds. A thread knows which node it is at work on; what
//! is read and held meanwhile is that node's, not that of the node whose column it asked for.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use crate::sync::{Arc, AtomicU64, Mutex, Ordering};

/// The cost of one node so far.
#[derive(Debug, Default)]
pub struct Probe {
    busy: Mutex<Busy>,
    series: AtomicU64,
    samples: AtomicU64,
    held_bytes: AtomicU64,
    peak_bytes: AtomicU64,
}

/// The time during which it is evaluated.
#[derive(Debug, Default)]
struct Busy {
    /// Entered so often and not left, on any thread.
    depth: usize,
    since: Option<Instant>,
    total: Duration,
}

/// What was measured of a node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Measured {
    /// With the nodes below.
    pub time: Duration,
    pub series: u64,
    /// Samples read, without those of the nodes below.
    pub samples: u64,
    /// The most that it held at once, without what the nodes below held.
    pub peak_bytes: u64,
}

thread_local! {
    /// The node that this thread is at work on.
    static CURRENT: RefCell<Option<Arc<Probe>>> = const { RefCell::new(None) };
}

impl Probe {
    pub fn measured(&self) -> Measured {
        Measured {
            time: self.busy.lock().total,
            series: self.series.load(Ordering::Relaxed),
            samples: self.samples(),
            peak_bytes: self.peak_bytes.load(Ordering::Relaxed),
        }
    }

    pub fn set_series(&self, series: usize) {
        self.series.store(series as u64, Ordering::Relaxed);
    }

    pub fn read(&self, samples: usize) {
        self.samples.fetch_add(samples as u64, Ordering::Relaxed);
    }

    pub fn samples(&self) -> u64 {
        self.samples.load(Ordering::Relaxed)
    }

    /// Forgets what was read since there were so many samples.
    pub fn restore_samples(&self, samples: u64) {
        self.samples.store(samples, Ordering::Relaxed);
    }

    pub fn hold(&self, bytes: u64) {
        let held_bytes = self.held_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.peak_bytes.fetch_max(held_bytes, Ordering::Relaxed);
    }

    pub fn release(&self, bytes: u64) {
        self.held_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The node that this thread is at work on.
pub fn current() -> Option<Arc<Probe>> {
    CURRENT.with_borrow(Clone::clone)
}

/// From now on this thread is at work on a node, until the guard is dropped.
pub fn enter(probe: &Arc<Probe>) -> Entered {
    let mut busy = probe.busy.lock();
    if busy.depth == 0 {
        busy.since = Some(Instant::now());
    }
    busy.depth += 1;
    drop(busy);
    Entered { probe: probe.clone(), _resumed: resume(Some(probe.clone())) }
}

/// The same for a thread that helps the one that entered it.
pub fn resume(probe: Option<Arc<Probe>>) -> Resumed {
    Resumed { before: CURRENT.replace(probe) }
}

pub struct Entered {
    probe: Arc<Probe>,
    _resumed: Resumed,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut busy = self.probe.busy.lock();
        busy.depth -= 1;
        if busy.depth == 0
            && let Some(since) = busy.since.take()
        {
            busy.total += since.elapsed();
        }
    }
}

pub struct Resumed {
    before: Option<Arc<Probe>>,
}

impl Drop for Resumed {
    fn drop(&mut self) {
        CURRENT.set(self.before.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_at_work_on_the_node_entered_last() {
        let (outer, inner) = (Arc::new(Probe::default()), Arc::new(Probe::default()));
        let is_at = |probe: &Arc<Probe>| current().is_some_and(|at| Arc::ptr_eq(&at, probe));
        assert!(current().is_none());
        let first = enter(&outer);
        let second = enter(&inner);
        assert!(is_at(&inner));
        std::thread::sleep(Duration::from_millis(2));
        drop(second);
        assert!(is_at(&outer));
        drop(first);
        assert!(current().is_none());
        let [outer, inner] = [outer, inner].map(|probe| probe.measured().time);
        assert!(outer >= inner && inner >= Duration::from_millis(2));
    }

    #[test]
    fn time_of_several_threads_counts_once() {
        let probe = Arc::new(Probe::default());
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let _entered = enter(&probe);
                    std::thread::sleep(Duration::from_millis(5));
                });
            }
        });
        let time = probe.measured().time;
        assert!(time >= Duration::from_millis(5) && time <= begun.elapsed());
    }

    #[test]
    fn the_most_that_is_held_counts() {
        let probe = Probe::default();
        probe.hold(10);
        probe.hold(20);
        probe.release(25);
        probe.hold(5);
        assert_eq!(probe.measured().peak_bytes, 30);
    }
}

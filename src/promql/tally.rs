//! What a query has read and looked at, for its statistics: samples decoded, and their uses in windows, in all and, if
//! that was asked for, at each step.
//!
//! Uses count as in Prometheus: those within a subquery do not, since its windows are counted over its results; and what
//! is the same at every step is evaluated once but used at each.

use crate::sync::{AtomicU64, Ordering};

/// How the uses of samples count that an operator makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// Its steps are those of the query.
    Steps,
    /// It has one step, which stands for all of the query.
    OneForAll,
    /// It is within a subquery.
    Nothing,
}

/// The counters.
#[derive(Debug)]
pub struct Tally {
    steps: usize,
    read: AtomicU64,
    used: AtomicU64,
    used_at: Option<Vec<AtomicU64>>,
}

impl Tally {
    /// For a query of so many steps, counting at each if `each_step`.
    pub fn new(steps: usize, each_step: bool) -> Tally {
        let zeros = || (0..steps).map(|_| AtomicU64::new(0)).collect();
        let used_at = each_step.then(zeros);
        Tally { steps, read: AtomicU64::new(0), used: AtomicU64::new(0), used_at }
    }

    pub fn add_read(&self, samples: usize) {
        self.read.fetch_add(samples as u64, Ordering::Relaxed);
    }

    /// Uses at all steps of an operator. Those at each are told to [`Tally::each_step`].
    pub fn add_used(&self, counting: Counting, samples: u64) {
        match counting {
            Counting::Nothing => {}
            Counting::Steps => {
                self.used.fetch_add(samples, Ordering::Relaxed);
            }
            Counting::OneForAll => {
                self.used.fetch_add(samples * self.steps as u64, Ordering::Relaxed);
                for used in self.used_at.iter().flatten() {
                    used.fetch_add(samples, Ordering::Relaxed);
                }
            }
        }
    }

    /// Where to count uses at each step, if anybody wants to know.
    pub fn each_step(&self, counting: Counting) -> Option<EachStep<'_>> {
        match (&self.used_at, counting) {
            (Some(used_at), Counting::Steps) => Some(EachStep(used_at)),
            _ => None,
        }
    }

    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub fn used_at(&self) -> Option<Vec<u64>> {
        let used_at = self.used_at.as_ref()?;
        Some(used_at.iter().map(|used| used.load(Ordering::Relaxed)).collect())
    }

    /// The uses since, which do not count any more.
    pub fn take_uses(&self, since: &Snapshot) -> Uses {
        let all = self.used.swap(since.used, Ordering::Relaxed) - since.used;
        let before = since.used_at.iter().flatten();
        let taken = self
            .used_at
            .iter()
            .flatten()
            .zip(before)
            .map(|(used, before)| used.swap(*before, Ordering::Relaxed) - before);
        Uses { all, at: taken.collect() }
    }

    /// Counts them again.
    pub fn add_uses(&self, uses: &Uses) {
        self.used.fetch_add(uses.all, Ordering::Relaxed);
        for (used, more) in self.used_at.iter().flatten().zip(&uses.at) {
            used.fetch_add(*more, Ordering::Relaxed);
        }
    }

    /// What there is now, for [`Tally::restore`].
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { read: self.read(), used: self.used(), used_at: self.used_at() }
    }

    /// Forgets what was counted since.
    pub fn restore(&self, snapshot: Snapshot) {
        self.read.store(snapshot.read, Ordering::Relaxed);
        self.used.store(snapshot.used, Ordering::Relaxed);
        let before = snapshot.used_at.into_iter().flatten();
        for (used, before) in self.used_at.iter().flatten().zip(before) {
            used.store(before, Ordering::Relaxed);
        }
    }
}

/// Uses that were counted, in all and at each step if these are.
#[derive(Debug, Clone)]
pub struct Uses {
    all: u64,
    at: Vec<u64>,
}

/// Counts of one moment.
pub struct Snapshot {
    read: u64,
    used: u64,
    used_at: Option<Vec<u64>>,
}

/// Counters of the steps of a query.
#[derive(Debug, Clone, Copy)]
pub struct EachStep<'a>(&'a [AtomicU64]);

impl EachStep<'_> {
    pub fn add(&self, step: usize, samples: usize) {
        if let Some(used) = self.0.get(step) {
            used.fetch_add(samples as u64, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_count_by_where_they_are_made() {
        let tally = Tally::new(3, true);
        tally.add_used(Counting::Steps, 5);
        tally.each_step(Counting::Steps).unwrap().add(1, 5);
        tally.add_used(Counting::OneForAll, 2);
        tally.add_used(Counting::Nothing, 100);
        assert!(tally.each_step(Counting::Nothing).is_none());
        assert!(tally.each_step(Counting::OneForAll).is_none());
        assert_eq!((tally.used(), tally.used_at()), (11, Some(vec![2, 7, 2])));
        assert!(Tally::new(3, false).each_step(Counting::Steps).is_none());
    }

    #[test]
    fn what_is_done_once_may_count_again() {
        let tally = Tally::new(2, true);
        tally.add_used(Counting::OneForAll, 1);
        let before = tally.snapshot();
        tally.add_used(Counting::OneForAll, 4);
        let uses = tally.take_uses(&before);
        assert_eq!((tally.used(), tally.used_at()), (2, Some(vec![1, 1])));
        (0..2).for_each(|_| tally.add_uses(&uses));
        assert_eq!((tally.used(), tally.used_at()), (18, Some(vec![9, 9])));
    }

    #[test]
    fn what_is_done_again_counts_once() {
        let tally = Tally::new(2, true);
        tally.add_read(3);
        let before = tally.snapshot();
        tally.add_read(4);
        tally.add_used(Counting::OneForAll, 4);
        tally.restore(before);
        assert_eq!((tally.read(), tally.used(), tally.used_at()), (3, 0, Some(vec![0, 0])));
    }
}

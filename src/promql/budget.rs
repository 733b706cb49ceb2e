//! What queries may hold in memory: samples, bytes and series of one query ([`Budget`]), bytes of all queries together
//! ([`Pool`]). Operators hold what they keep through `query`; `api` does so for what it makes of label sets, and lists
//! what is held. Counters only: who held what is known to the guards.
//!
//! 1. A sample counts as one sample and as 16 bytes; anything else counts its bytes.
//! 2. What a query holds is reserved in the pool first, some more at a time, so that queries rarely meet there.
//! 3. Reserved bytes go back when far fewer are held, and all of them with the budget.
//! 4. What is held is reserved, whichever threads hold and let go: who holds adds first and then looks at what is
//!    reserved, who gives back lowers that first and then looks at what is held; so one of the two sees the other.

use std::fmt;

use super::probe::Probe;
use super::value::QueryError;
use crate::model::Labels;
use crate::read::SeriesSet;
use crate::sync::{Arc, AtomicU64, Mutex, Ordering};

/// Bytes that count as one sample: a timestamp and a value.
pub const SAMPLE_BYTES: usize = 16;
/// Bytes reserved in the pool at a time: a thousand series of a small answer, little beside any limit.
const RESERVED_STEP_BYTES: u64 = 1 << 20;

/// What a merged selection keeps and makes for a series of one of its parts, besides its label set: some numbers.
const PART_SERIES_BYTES: usize = 32;

/// What one query may hold.
#[derive(Debug, Clone, Copy)]
pub struct BudgetLimits {
    pub samples_max: u64,
    pub memory_max_bytes: u64,
    /// Series selected, in all selectors together.
    pub series_max: u64,
}

/// A limit that a query went over, but for that of samples, which has Prometheus' words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverLimit {
    Memory { limit_bytes: u64 },
    AllMemory { limit_bytes: u64 },
    Series { limit: u64 },
}

impl fmt::Display for OverLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OverLimit::Memory { limit_bytes } => write!(
                f,
                "the query needs more than {limit_bytes} bytes of memory, which is its limit: select fewer series, a \
                 shorter time or a larger step, or raise --query.max-memory"
            ),
            OverLimit::AllMemory { limit_bytes } => write!(
                f,
                "all queries together need more than {limit_bytes} bytes of memory, which is their limit: try again \
                 when others have ended, or raise --query.memory-budget"
            ),
            OverLimit::Series { limit } => write!(
                f,
                "the query selects more than {limit} series, which is its limit: select fewer, or raise \
                 --query.max-series"
            ),
        }
    }
}

/// The bytes that all queries share.
#[derive(Debug)]
pub struct Pool {
    limit_bytes: u64,
    reserved_bytes: AtomicU64,
}

impl Pool {
    pub fn new(limit_bytes: u64) -> Pool {
        Pool { limit_bytes, reserved_bytes: AtomicU64::new(0) }
    }

    pub fn limit_bytes(&self) -> u64 {
        self.limit_bytes
    }

    /// What queries have reserved: what they hold, or somewhat more.
    pub fn reserved_bytes(&self) -> u64 {
        self.reserved_bytes.load(Ordering::Relaxed)
    }

    fn free_bytes(&self) -> u64 {
        self.limit_bytes.saturating_sub(self.reserved_bytes())
    }

    fn take(&self, bytes: u64) -> bool {
        let add =
            |reserved: u64| reserved.checked_add(bytes).filter(|sum| *sum <= self.limit_bytes);
        self.reserved_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok()
    }

    fn give_back(&self, bytes: u64) {
        self.reserved_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// What one query holds and may hold.
#[derive(Debug)]
pub struct Budget {
    limits: BudgetLimits,
    pool: Arc<Pool>,
    samples: AtomicU64,
    /// Bytes of what is no samples.
    other_bytes: AtomicU64,
    samples_peak: AtomicU64,
    peak_bytes: AtomicU64,
    series: AtomicU64,
    /// Taken from the pool. Changes under `reserving` only.
    reserved_bytes: AtomicU64,
    reserving: Mutex<()>,
}

impl Budget {
    pub fn new(limits: BudgetLimits, pool: Arc<Pool>) -> Budget {
        Budget {
            limits,
            pool,
            samples: AtomicU64::new(0),
            other_bytes: AtomicU64::new(0),
            samples_peak: AtomicU64::new(0),
            peak_bytes: AtomicU64::new(0),
            series: AtomicU64::new(0),
            reserved_bytes: AtomicU64::new(0),
            reserving: Mutex::new(()),
        }
    }

    pub fn samples_held(&self) -> u64 {
        self.samples.load(Ordering::SeqCst)
    }

    pub fn held_bytes(&self) -> u64 {
        let samples_bytes = self.samples_held().saturating_mul(SAMPLE_BYTES as u64);
        samples_bytes.saturating_add(self.other_bytes.load(Ordering::SeqCst))
    }

    pub fn samples_peak(&self) -> u64 {
        self.samples_peak.load(Ordering::Relaxed)
    }

    pub fn peak_bytes(&self) -> u64 {
        self.peak_bytes.load(Ordering::Relaxed)
    }

    /// How many more samples may be held.
    pub fn room_samples(&self) -> u64 {
        let held_bytes = self.held_bytes();
        let reserved_bytes = self.reserved_bytes.load(Ordering::Relaxed).saturating_sub(held_bytes);
        let room_bytes = self.limits.memory_max_bytes.saturating_sub(held_bytes);
        let room_bytes = room_bytes.min(self.pool.free_bytes().saturating_add(reserved_bytes));
        let room_samples = self.limits.samples_max.saturating_sub(self.samples_held());
        room_samples.min(room_bytes / SAMPLE_BYTES as u64)
    }

    /// Counts series as selected.
    ///
    /// # Errors
    /// Together with those before they are too many.
    pub fn select(&self, series: usize) -> Result<(), QueryError> {
        let limit = self.limits.series_max;
        match self.series.fetch_add(series as u64, Ordering::Relaxed) + series as u64 > limit {
            true => Err(QueryError::OverLimit(OverLimit::Series { limit })),
            false => Ok(()),
        }
    }

    /// [`Budget::select`] of the series of a selection. The label sets that a merged one makes to tell how many there
    /// are count as held until the guard is dropped; none are made if its largest part is too large. `check_at` is
    /// asked at each whether to go on.
    ///
    /// # Errors
    /// They are too many, their labels take too much memory or cannot be read, or `check_at` says no.
    pub fn select_set(
        &self,
        set: &dyn SeriesSet,
        check_at: impl Fn(usize) -> Result<(), QueryError>,
    ) -> Result<Held<'_>, QueryError> {
        let mut held = self.hold_bytes(0)?;
        let Some(largest) = set.parts().iter().map(|part| part.len()).max() else {
            return self.select(set.len()).map(|()| held);
        };
        self.select(largest)?;
        for part in set.parts() {
            held.absorb(self.hold_bytes(PART_SERIES_BYTES.saturating_mul(part.len()))?);
            let mut bytes = 0;
            for (index, labels) in part.labels()?.iter().enumerate() {
                check_at(index)?;
                bytes += size_of::<Labels>() + labels.heap_bytes();
            }
            held.absorb(self.hold_bytes(bytes)?);
        }
        // Damage may have cost the largest part its labels.
        self.select(set.len().saturating_sub(largest))?;
        Ok(held)
    }

    /// Counts bytes that are no samples as held until the guard is dropped.
    ///
    /// # Errors
    /// Together with what is held already they are too many.
    pub fn hold_bytes(&self, bytes: usize) -> Result<Held<'_>, QueryError> {
        self.hold(0, bytes, None)
    }

    /// Counts samples and other bytes as held until the guard is dropped; by `owner`, if somebody wants to know.
    ///
    /// # Errors
    /// Together with what is held already they are too many.
    pub fn hold(
        &self,
        samples: usize,
        bytes: usize,
        owner: Option<Arc<Probe>>,
    ) -> Result<Held<'_>, QueryError> {
        let (samples, bytes) = (samples as u64, bytes as u64);
        // One by one, so that the sums below do not overflow.
        if samples > self.limits.samples_max {
            return Err(QueryError::TooManySamples);
        }
        if bytes > self.limits.memory_max_bytes {
            return Err(self.over_memory());
        }
        let samples_held = self.samples.fetch_add(samples, Ordering::SeqCst) + samples;
        if bytes > 0 {
            self.other_bytes.fetch_add(bytes, Ordering::SeqCst);
        }
        let guard = Held::new(self, samples, bytes, owner);
        if samples_held > self.limits.samples_max {
            return Err(QueryError::TooManySamples);
        }
        let held_bytes = self.held_bytes();
        if held_bytes > self.limits.memory_max_bytes {
            return Err(self.over_memory());
        }
        if held_bytes > self.reserved_bytes.load(Ordering::SeqCst) {
            self.reserve()?;
        }
        raise(&self.samples_peak, samples_held);
        raise(&self.peak_bytes, held_bytes);
        Ok(guard)
    }

    fn over_memory(&self) -> QueryError {
        let limit_bytes = self.limits.memory_max_bytes;
        QueryError::OverLimit(OverLimit::Memory { limit_bytes })
    }

    /// Reserves what is held now, and some more if there is.
    fn reserve(&self) -> Result<(), QueryError> {
        let _turn = self.reserving.lock();
        let reserved_bytes = self.reserved_bytes.load(Ordering::Relaxed);
        let Some(missing_bytes) = self.held_bytes().checked_sub(reserved_bytes) else {
            return Ok(());
        };
        let ample_bytes = missing_bytes.saturating_add(RESERVED_STEP_BYTES);
        let taken = [ample_bytes, missing_bytes].into_iter().find(|bytes| self.pool.take(*bytes));
        let Some(taken_bytes) = taken else {
            let limit_bytes = self.pool.limit_bytes;
            return Err(QueryError::OverLimit(OverLimit::AllMemory { limit_bytes }));
        };
        self.reserved_bytes.store(reserved_bytes + taken_bytes, Ordering::Relaxed);
        Ok(())
    }

    fn release(&self, samples: u64, bytes: u64) {
        self.samples.fetch_sub(samples, Ordering::Relaxed);
        if bytes > 0 {
            self.other_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        let enough_bytes = self.held_bytes().saturating_add(2 * RESERVED_STEP_BYTES);
        if self.reserved_bytes.load(Ordering::Relaxed) > enough_bytes {
            self.unreserve();
        }
    }

    /// Gives back to the pool what is reserved and not likely to be needed soon.
    fn unreserve(&self) {
        let _turn = self.reserving.lock();
        let reserved_bytes = self.reserved_bytes.load(Ordering::Relaxed);
        let kept_bytes = self.held_bytes().saturating_add(RESERVED_STEP_BYTES).min(reserved_bytes);
        self.reserved_bytes.store(kept_bytes, Ordering::SeqCst);
        // Held meanwhile by who saw more reserved. Who saw this waits to reserve.
        let kept_bytes = self.held_bytes().clamp(kept_bytes, reserved_bytes);
        self.reserved_bytes.store(kept_bytes, Ordering::SeqCst);
        self.pool.give_back(reserved_bytes - kept_bytes);
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        self.pool.give_back(self.reserved_bytes.load(Ordering::Relaxed));
    }
}

/// Most calls find the peak higher, and then change nothing that other threads read.
fn raise(peak: &AtomicU64, value: u64) {
    if value > peak.load(Ordering::Relaxed) {
        peak.fetch_max(value, Ordering::Relaxed);
    }
}

/// Samples and bytes counted as held.
pub struct Held<'b> {
    budget: &'b Budget,
    samples: u64,
    bytes: u64,
    owner: Option<Arc<Probe>>,
}

impl<'b> Held<'b> {
    fn new(budget: &'b Budget, samples: u64, bytes: u64, owner: Option<Arc<Probe>>) -> Held<'b> {
        if let Some(owner) = &owner {
            owner.hold(samples * SAMPLE_BYTES as u64 + bytes);
        }
        Held { budget, samples, bytes, owner }
    }

    pub fn samples(&self) -> usize {
        self.samples as usize
    }

    /// Takes over what `other` holds.
    pub fn absorb(&mut self, mut other: Self) {
        let (samples, bytes) =
            (std::mem::take(&mut other.samples), std::mem::take(&mut other.bytes));
        let all_bytes = samples * SAMPLE_BYTES as u64 + bytes;
        other.owner.take().inspect(|owner| owner.release(all_bytes));
        self.owner.as_ref().inspect(|owner| owner.hold(all_bytes));
        self.samples += samples;
        self.bytes += bytes;
    }

    /// Holds no more samples than this from now on.
    pub fn shrink(&mut self, samples: usize) {
        let freed = self.samples.saturating_sub(samples as u64);
        self.samples -= freed;
        self.free(freed, 0);
    }

    /// Leaves it held until the query ends.
    pub fn keep(mut self) {
        (self.samples, self.bytes) = (0, 0);
    }

    fn free(&self, samples: u64, bytes: u64) {
        if let Some(owner) = &self.owner {
            owner.release(samples * SAMPLE_BYTES as u64 + bytes);
        }
        self.budget.release(samples, bytes);
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if self.samples > 0 || self.bytes > 0 {
            self.free(self.samples, self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn limits(samples_max: u64, memory_max_bytes: u64) -> BudgetLimits {
        BudgetLimits { samples_max, memory_max_bytes, series_max: 10 }
    }

    fn budget(samples_max: u64, memory_max_bytes: u64, pool_bytes: u64) -> Budget {
        Budget::new(limits(samples_max, memory_max_bytes), Arc::new(Pool::new(pool_bytes)))
    }

    fn over(result: Result<Held<'_>, QueryError>) -> String {
        result.err().expect("over a limit").to_string()
    }

    #[test]
    fn samples_are_bytes_and_bytes_are_no_samples() {
        let budget = budget(100, 2_000, MIB);
        let samples = budget.hold(100, 0, None).unwrap();
        assert_eq!((budget.samples_held(), budget.held_bytes()), (100, 1_600));
        assert!(matches!(budget.hold(1, 0, None), Err(QueryError::TooManySamples)));
        let labels = budget.hold_bytes(400).unwrap();
        assert!(over(budget.hold_bytes(1)).contains("2000 bytes"));
        assert!(over(budget.hold_bytes(usize::MAX)).contains("--query.max-memory"));
        drop((samples, labels));
        assert_eq!(
            (budget.held_bytes(), budget.peak_bytes(), budget.samples_peak()),
            (0, 2_000, 100)
        );
    }

    #[test]
    fn a_refused_hold_changes_nothing() {
        let budget = budget(10, MIB, MIB);
        let held = budget.hold(6, 0, None).unwrap();
        assert!(budget.hold(5, 7, None).is_err());
        assert_eq!(budget.held_bytes(), 6 * 16);
        assert_eq!(budget.room_samples(), 4);
        drop(held);
        assert_eq!(budget.samples_peak(), 6);
    }

    #[test]
    fn queries_share_the_pool_to_the_last_byte() {
        let pool = Arc::new(Pool::new(10 * MIB));
        let [one, other] = [0, 1].map(|_| Budget::new(limits(u64::MAX, u64::MAX), pool.clone()));
        let most = one.hold_bytes(8 * MIB as usize).unwrap();
        let _rest = other.hold_bytes(MIB as usize).unwrap();
        let refused = over(other.hold_bytes(MIB as usize));
        assert!(refused.contains("10485760 bytes") && refused.contains("--query.memory-budget"));
        drop(most);
        assert!(pool.reserved_bytes() <= 3 * MIB, "what is free goes back at once");
        assert!(other.hold_bytes(8 * MIB as usize).is_ok());
        drop(_rest);
        drop((one, other));
        assert_eq!(pool.reserved_bytes(), 0);
    }

    #[test]
    fn what_is_kept_is_given_back_with_the_budget() {
        let pool = Arc::new(Pool::new(10 * MIB));
        let budget = Budget::new(limits(u64::MAX, u64::MAX), pool.clone());
        budget.hold(1_000, 0, None).unwrap().keep();
        assert_eq!(budget.samples_held(), 1_000);
        drop(budget);
        assert_eq!(pool.reserved_bytes(), 0);
    }

    #[test]
    fn holds_are_absorbed_and_shrunk() {
        let budget = budget(100, MIB, MIB);
        let mut held = budget.hold(10, 5, None).unwrap();
        held.absorb(budget.hold(20, 0, None).unwrap());
        held.shrink(12);
        assert_eq!((held.samples(), budget.held_bytes()), (12, 12 * 16 + 5));
        drop(held);
        assert_eq!(budget.held_bytes(), 0);
    }

    #[test]
    fn series_add_up() {
        let budget = budget(1, 1, 1);
        budget.select(6).unwrap();
        budget.select(4).unwrap();
        let error = budget.select(1).unwrap_err().to_string();
        assert!(error.contains("10 series") && error.contains("--query.max-series"));
    }
}

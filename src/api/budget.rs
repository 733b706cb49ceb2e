//! A number of bytes that requests share: who wants to hold some waits a moment for room and is then turned away. Bounds the
//! memory of write requests, compressed, decoded and being stored, from their first byte to their answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Granularity: a semaphore counts to 2^29 at least, so bytes themselves could be too many.
const UNIT_BYTES: usize = 1 << 10;

/// The shared bytes.
#[derive(Debug, Clone)]
pub struct Budget {
    units: Arc<Semaphore>,
    total_units: usize,
    wait: Duration,
}

/// Why bytes could not be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    /// Others held too much for the whole time to wait.
    Busy,
    /// It would be more than there is for all together.
    Never,
}

/// Bytes held; given back on drop.
#[derive(Debug)]
pub struct Reservation {
    budget: Budget,
    bytes: usize,
    permit: Option<OwnedSemaphorePermit>,
}

impl Budget {
    pub fn new(total_bytes: usize, wait: Duration) -> Budget {
        let total_units = total_bytes.div_ceil(UNIT_BYTES).min(u32::MAX as usize >> 3);
        Budget { units: Arc::new(Semaphore::new(total_units)), total_units, wait }
    }

    /// Holds nothing yet.
    pub fn reservation(&self) -> Reservation {
        Reservation { budget: self.clone(), bytes: 0, permit: None }
    }

    pub fn used_bytes(&self) -> usize {
        (self.total_units - self.units.available_permits()) * UNIT_BYTES
    }
}

impl Reservation {
    /// Holds `bytes` more.
    ///
    /// # Errors
    /// There is no room; what was held before still is.
    pub async fn grow(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let held_units = self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let wanted_units = (self.bytes + bytes).div_ceil(UNIT_BYTES);
        if wanted_units > self.budget.total_units {
            return Err(NoRoom::Never);
        }
        if wanted_units > held_units {
            let more = (wanted_units - held_units) as u32;
            let acquire = self.budget.units.clone().acquire_many_owned(more);
            let waited = tokio::time::timeout(self.budget.wait, acquire).await;
            let permit = waited.map_err(|_| NoRoom::Busy)?.map_err(|_| NoRoom::Busy)?;
            match &mut self.permit {
                Some(held) => held.merge(permit),
                None => self.permit = Some(permit),
            }
        }
        self.bytes += bytes;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_full_budget_turns_away_and_recovers() {
        let budget = Budget::new(10 << 10, Duration::from_secs(1));
        let mut first = budget.reservation();
        first.grow(6 << 10).await.unwrap();
        first.grow(1).await.unwrap();
        assert_eq!(budget.used_bytes(), 7 << 10);
        let mut second = budget.reservation();
        assert_eq!(second.grow(4 << 10).await, Err(NoRoom::Busy));
        second.grow(3 << 10).await.unwrap();
        drop(first);
        second.grow(7 << 10).await.unwrap();
        assert_eq!(budget.used_bytes(), 10 << 10);
        drop(second);
        assert_eq!(budget.used_bytes(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn more_than_the_whole_is_refused() {
        let budget = Budget::new(1 << 10, Duration::from_secs(1));
        assert_eq!(budget.reservation().grow(1 << 20).await, Err(NoRoom::Never));
    }
}

//! Buffers that reading a series needs and that stay for the next one, where several threads read. Used by the sets of series
//! that are put together of parts.

use crate::sync::{Mutex, MutexGuard};

/// Buffers there are: more than threads that read at a time on most machines.
const LANES: usize = 16;
/// Series that follow each other and use the same buffers: threads take series by as many or more, and then seldom meet.
const LANE_SERIES: usize = 64;

/// Buffers of type `T` for every thread that reads, or nearly so.
#[derive(Debug, Default)]
pub struct Buffers<T> {
    lanes: [Lane<T>; LANES],
}

/// On a cache line of its own: a lock taken by several processors in turn costs as much as reading a short series.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Lane<T>(Mutex<T>);

impl<T> Buffers<T> {
    /// Buffers for reading a series: those that its neighbours used, unless another thread has them. Waits only if all are
    /// in use.
    pub fn of(&self, index: usize) -> MutexGuard<'_, T> {
        let own = index / LANE_SERIES;
        let lane = |distance: usize| &self.lanes[(own + distance) % LANES].0;
        (0..LANES).find_map(|distance| lane(distance).try_lock()).unwrap_or_else(|| lane(0).lock())
    }
}

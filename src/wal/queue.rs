//! What waits for the next group: payloads in the order in which they will get their sequences, each with a token of
//! the caller's. Bounded by bytes, so a slow disk turns into refusals and not into memory. It knows nothing of the disk.

use std::fmt;
use std::time::Duration;

use super::frame::frame_bytes;
use super::layout::{PAYLOAD_MAX_BYTES, WAL_QUEUE_MAX_BYTES};
use crate::sync::{Condvar, Mutex};

/// Filled by any thread, emptied by the one that commits.
pub struct CommitQueue<T> {
    state: Mutex<State<T>>,
    ready: Condvar,
    max_bytes: usize,
}

struct State<T> {
    payloads: Vec<Vec<u8>>,
    tokens: Vec<T>,
    /// Of what waits and of what is being written.
    bytes: usize,
    closed: bool,
}

/// Everything that waited, in order.
#[derive(Debug)]
pub(super) struct Taken<T> {
    pub(super) payloads: Vec<Vec<u8>>,
    pub(super) tokens: Vec<T>,
}

/// Why a payload was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The disk is behind: try again later.
    Full,
    /// The log is being closed.
    Closed,
    /// Larger than a frame may be.
    TooLarge,
}

/// A refused payload's token.
pub struct PushError<T> {
    pub refusal: Refusal,
    pub token: T,
}

impl<T> fmt::Debug for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushError").field("refusal", &self.refusal).finish_non_exhaustive()
    }
}

/// Why `CommitQueue::wait` returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Something waits to be written.
    Work,
    /// The time is over and nothing waits.
    TimedOut,
    /// The queue is closed and nothing waits: nothing will come any more.
    Closed,
}

impl<T> Default for CommitQueue<T> {
    fn default() -> CommitQueue<T> {
        CommitQueue::new(WAL_QUEUE_MAX_BYTES)
    }
}

impl<T> CommitQueue<T> {
    /// A queue that holds about `max_bytes`; at least one payload of any size always fits.
    pub fn new(max_bytes: usize) -> CommitQueue<T> {
        let state = State { payloads: Vec::new(), tokens: Vec::new(), bytes: 0, closed: false };
        CommitQueue { state: Mutex::new(state), ready: Condvar::new(), max_bytes }
    }

    /// Puts a payload last. Never blocks.
    ///
    /// # Errors
    /// It was not taken; the token comes back.
    pub fn push(&self, payload: Vec<u8>, token: T) -> Result<(), PushError<T>> {
        let bytes = frame_bytes(payload.len());
        let mut state = self.state.lock();
        let refusal = if state.closed {
            Some(Refusal::Closed)
        } else if payload.len() > PAYLOAD_MAX_BYTES {
            Some(Refusal::TooLarge)
        } else {
            (state.bytes > 0 && state.bytes + bytes > self.max_bytes).then_some(Refusal::Full)
        };
        if let Some(refusal) = refusal {
            return Err(PushError { refusal, token });
        }
        state.bytes += bytes;
        state.payloads.push(payload);
        state.tokens.push(token);
        self.ready.notify_one();
        Ok(())
    }

    /// Takes nothing more. What waits is still written.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.ready.notify_all();
    }

    /// Blocks until something waits, the queue is closed, or `timeout` is over.
    pub fn wait(&self, timeout: Option<Duration>) -> Wake {
        let mut state = self.state.lock();
        loop {
            if !state.payloads.is_empty() {
                return Wake::Work;
            }
            if state.closed {
                return Wake::Closed;
            }
            match timeout {
                None => self.ready.wait(&mut state),
                Some(timeout) if self.ready.wait_for(&mut state, timeout).timed_out() => {
                    return Wake::TimedOut;
                }
                Some(_) => {}
            }
        }
    }

    /// Bytes that wait or are being written.
    pub fn bytes(&self) -> usize {
        self.state.lock().bytes
    }

    /// Takes everything that waits. It counts as waiting until `release`.
    pub(super) fn take(&self) -> Taken<T> {
        let mut state = self.state.lock();
        Taken {
            payloads: std::mem::take(&mut state.payloads),
            tokens: std::mem::take(&mut state.tokens),
        }
    }

    /// Frees the room of payloads taken.
    pub(super) fn release(&self, payloads: &[Vec<u8>]) {
        let bytes: usize = payloads.iter().map(|payload| frame_bytes(payload.len())).sum();
        self.state.lock().bytes -= bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(result: Result<(), PushError<u32>>) -> Refusal {
        result.unwrap_err().refusal
    }

    #[test]
    fn it_is_bounded_by_bytes_including_those_being_written() {
        let queue = CommitQueue::new(200);
        queue.push(vec![0; 1000], 1).unwrap();
        assert_eq!(refusal(queue.push(vec![], 2)), Refusal::Full);
        let taken = queue.take();
        assert_eq!(refusal(queue.push(vec![], 2)), Refusal::Full);
        queue.release(&taken.payloads);
        assert_eq!(queue.bytes(), 0);
        queue.push(vec![0; 40], 2).unwrap();
        queue.push(vec![0; 80], 3).unwrap();
        assert_eq!(refusal(queue.push(vec![], 4)), Refusal::Full);
        assert_eq!(queue.take().tokens, [2, 3]);
    }

    #[test]
    fn closed_it_takes_nothing_but_keeps_what_waits() {
        let queue = CommitQueue::default();
        queue.push(vec![1], 1).unwrap();
        queue.close();
        assert_eq!(refusal(queue.push(vec![2], 2)), Refusal::Closed);
        assert_eq!(queue.wait(None), Wake::Work);
        assert_eq!(queue.take().tokens, [1]);
        assert_eq!(queue.wait(None), Wake::Closed);
    }

    #[test]
    fn a_payload_larger_than_a_frame_is_refused() {
        let queue = CommitQueue::default();
        assert_eq!(refusal(queue.push(vec![0; PAYLOAD_MAX_BYTES + 1], 1)), Refusal::TooLarge);
        queue.push(vec![0; PAYLOAD_MAX_BYTES], 1).unwrap();
    }

    #[test]
    fn a_waiting_thread_is_woken() {
        let queue = CommitQueue::default();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| queue.wait(None));
            queue.push(vec![1], ()).unwrap();
            assert_eq!(waiter.join().unwrap(), Wake::Work);
        });
        queue.take();
        assert_eq!(queue.wait(Some(Duration::from_millis(1))), Wake::TimedOut);
    }
}

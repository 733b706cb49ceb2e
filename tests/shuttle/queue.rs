//! The commit queue between threads that push and threads that commit: nothing is lost or doubled, each thread's payloads stay
//! in order, whoever waits is woken, and the room is free again in the end.

use std::path::Path;
use std::time::{Duration, Instant};

use shuttle::thread::{JoinHandle, spawn};
use silverback::fs::sim::SimDisk;
use silverback::model::CommitSeq;
use silverback::sync::{Arc, Mutex};
use silverback::wal::{CommitQueue, Committer, Refusal, Wake, WalOptions, replay};

use crate::orders::check;
use crate::told::Told;

/// A thread that pushes, and the number of its payload.
type Token = (usize, usize);

/// See [`check`].
const ORDERS: usize = 15_000;

/// Payloads that each thread pushes.
const PAYLOADS: usize = 3;

/// A log on a disk of its own, committed by one thread at a time.
struct Log {
    queue: Arc<CommitQueue<Token>>,
    committer: Mutex<Committer<Token>>,
    committed: Told<(CommitSeq, Token)>,
    refused: Told<Token>,
}

impl Log {
    fn new(max_bytes: usize) -> Arc<Log> {
        let (disk, dir) = (SimDisk::new(), Path::new("/"));
        let report = replay(&disk, dir, 0, &mut |_, _| Ok(())).unwrap();
        let queue = Arc::new(CommitQueue::new(max_bytes));
        let (disk, options) = (Arc::new(disk), WalOptions { nonce: |_| 7, ..Default::default() });
        let committer =
            Committer::start(disk, dir, options, &report, queue.clone(), Instant::now());
        let (committed, refused) = Default::default();
        Arc::new(Log { queue, committer: Mutex::new(committer), committed, refused })
    }

    fn commit(&self) {
        let mut committer = self.committer.lock();
        let group = committer.commit_once(Instant::now());
        let first_seq = group.outcome.unwrap();
        for committed in (first_seq..).zip(group.tokens) {
            self.committed.tell(committed);
        }
    }

    /// Commits until the queue is closed.
    fn commit_all(self: &Arc<Log>, timeout: Option<Duration>) -> JoinHandle<()> {
        let log = self.clone();
        spawn(move || {
            while log.queue.wait(timeout) != Wake::Closed {
                log.commit();
            }
        })
    }

    /// Pushes payloads of different lengths; waits for each if told to.
    fn push_all(self: &Arc<Log>, thread: usize, waits: bool) -> JoinHandle<()> {
        let log = self.clone();
        spawn(move || {
            for token in (0..PAYLOADS).map(|i| (thread, i)) {
                match log.queue.push(vec![0; token.0 + 10 * token.1], token) {
                    Err(error) => log.refused.tell(error.token),
                    Ok(()) if waits => log.committed.wait(|all| all.iter().any(|c| c.1 == token)),
                    Ok(()) => {}
                }
            }
        })
    }

    /// Ends all threads, and judges what they have done.
    fn finish(&self, pushing: Vec<JoinHandle<()>>, committing: Vec<JoinHandle<()>>) {
        let pushed = pushing.len() * PAYLOADS;
        pushing.into_iter().for_each(|thread| thread.join().unwrap());
        self.queue.close();
        let late = self.queue.push(Vec::new(), (0, 0)).unwrap_err();
        assert_eq!((late.refusal, late.token), (Refusal::Closed, (0, 0)));
        committing.into_iter().for_each(|thread| thread.join().unwrap());
        let committed = self.committed.now();
        assert!((1..).zip(&committed).all(|(seq, (given, _))| seq == *given), "{committed:?}");
        let mut tokens: Vec<Token> = committed.into_iter().map(|(_, token)| token).collect();
        assert!(is_in_order(&tokens), "{tokens:?}");
        tokens.extend(self.refused.now());
        tokens.sort_unstable();
        tokens.dedup();
        assert_eq!(tokens.len(), pushed, "each is committed or refused, and once");
        assert_eq!(self.queue.bytes(), 0);
    }
}

fn is_in_order(tokens: &[Token]) -> bool {
    let threads = tokens.iter().map(|(thread, _)| *thread).max().map_or(0, |last| last + 1);
    (0..threads).all(|thread| tokens.iter().filter(|token| token.0 == thread).is_sorted())
}

#[test]
fn payloads_of_several_threads_are_committed_once_and_in_order() {
    check(ORDERS, || {
        let log = Log::new(usize::MAX);
        let pushing = (0..3).map(|thread| log.push_all(thread, false)).collect();
        let committing = vec![log.commit_all(None), log.commit_all(Some(Duration::from_millis(1)))];
        log.finish(pushing, committing);
        assert_eq!(log.refused.now(), []);
    });
}

#[test]
fn a_payload_wakes_the_thread_that_commits() {
    check(ORDERS, || {
        let log = Log::new(usize::MAX);
        let pushing = (0..2).map(|thread| log.push_all(thread, true)).collect();
        let committing = vec![log.commit_all(None)];
        log.finish(pushing, committing);
        assert_eq!(log.refused.now(), []);
    });
}

#[test]
fn a_payload_is_committed_or_refused_where_room_is_short() {
    check(ORDERS, || {
        let log = Log::new(100);
        let pushing = (0..3).map(|thread| log.push_all(thread, false)).collect();
        let committing = vec![log.commit_all(None)];
        log.finish(pushing, committing);
        assert!(log.refused.now().len() < 3 * PAYLOADS, "the first always fits");
    });
}

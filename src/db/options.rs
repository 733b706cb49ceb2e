//! What a database is opened with. Tests give another disk, another clock, and step the threads by hand.

use std::path::PathBuf;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::fs::Disk;
use crate::fs::os::OsDisk;
use crate::model::Timestamp;
use crate::sync::Arc;

/// Milliseconds since the epoch, now.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A time that never goes back, now: for waiting, such as that for another attempt on a full disk.
pub type Monotonic = Arc<dyn Fn() -> Instant + Send + Sync>;

/// Series the head takes: about 450 bytes each, so that the default bounds the head at some 20 GB.
pub const SERIES_MAX_DEFAULT: usize = 50_000_000;

/// Memory for samples and series where the machine's is not known.
pub const MEMORY_BUDGET_DEFAULT_BYTES: usize = 1 << 30;

/// Log between two spills: some three million samples, which a start sorts in 0.2 s.
pub const SPILL_WAL_BYTES_DEFAULT: u64 = 32 << 20;

/// Stopped series worth forgetting: some 300 KiB.
pub const FORGOTTEN_MIN_DEFAULT: usize = 1_000;

/// Definitions of series behind the base of the registry before a new one is written: a start reads them one by one, 0.1 s
/// for so many.
pub const DEFINITIONS_MIN_DEFAULT: usize = 100_000;

/// Who runs the loops of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// The database starts its own.
    Own,
    /// Nobody: the caller steps them ([`super::Db::step`]). For tests.
    Stepped,
}

/// How much the files of a database may take, all kinds together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RetentionSize {
    Bytes(u64),
    /// Per cent of the size of the file system that the data directory lies on.
    PercentOfDisk(f64),
}

/// See the fields.
#[derive(Clone)]
pub struct Options {
    /// The data directory; created if missing.
    pub path: PathBuf,
    pub disk: Arc<dyn Disk>,
    pub clock: Clock,
    pub monotonic: Monotonic,
    pub threads: Threads,
    /// A WAL segment over this size is followed by a new one.
    pub wal_segment_bytes: u64,
    /// New series beyond this many are refused.
    pub series_max: usize,
    /// What samples and series may take of memory: samples leave it early when they take too large a share.
    pub memory_budget_bytes: usize,
    /// Samples are written to files when so much of log was written: it is what the next start has to read.
    pub spill_wal_bytes: u64,
    /// Series that stopped are forgotten when they are at least so many.
    pub forgotten_min: usize,
    /// The registry is written anew when at least so many series are defined behind its base.
    pub definitions_min: usize,
    /// Samples older than this are dropped. None: none for their age.
    pub retention_ms: Option<i64>,
    /// The oldest samples are dropped when the files take more. None: none for the size.
    pub retention_bytes: Option<RetentionSize>,
    /// Samples older than this are refused. None: those that retention would drop at once, or none if there is none.
    pub out_of_order_window_ms: Option<i64>,
}

impl Options {
    /// The real disk, the real clocks, default limits.
    pub fn new(path: impl Into<PathBuf>) -> Options {
        Options {
            path: path.into(),
            disk: Arc::new(OsDisk),
            clock: Arc::new(system_clock),
            monotonic: Arc::new(Instant::now),
            threads: Threads::Own,
            wal_segment_bytes: crate::wal::layout::WAL_SEGMENT_BYTES,
            series_max: SERIES_MAX_DEFAULT,
            memory_budget_bytes: MEMORY_BUDGET_DEFAULT_BYTES,
            spill_wal_bytes: SPILL_WAL_BYTES_DEFAULT,
            forgotten_min: FORGOTTEN_MIN_DEFAULT,
            definitions_min: DEFINITIONS_MIN_DEFAULT,
            retention_ms: None,
            retention_bytes: None,
            out_of_order_window_ms: None,
        }
    }

    /// Samples older than this are refused: the shorter of the window and the retention.
    pub(super) fn accepted_age_max_ms(&self) -> Option<i64> {
        self.out_of_order_window_ms.into_iter().chain(self.retention_ms).min()
    }
}

fn system_clock() -> Timestamp {
    let now = SystemTime::now();
    match now.duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_millis() as Timestamp,
        Err(before) => -(before.duration().as_millis() as Timestamp),
    }
}

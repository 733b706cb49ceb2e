//! The vocabulary: labels, matchers, samples, native histograms, batches. Rank 0: no I/O, no wire format, not serialisable.

pub mod batch;
pub mod groups;
pub mod histogram;
pub mod labels;
pub mod matcher;
pub mod regex;
pub mod sample;
pub mod time;

pub use batch::{Batch, Item, Outcome, Reason};
pub use histogram::Histogram;
pub use labels::{Labels, LabelsBuilder};
pub use matcher::{MatchOp, Matcher};
pub use sample::{STALE_NAN_BITS, Sample, is_stale};
pub use time::{TimeRange, Timestamp, WINDOW_MS, window_start};

/// Identity of a series in the head and the log: assigned in order of first appearance, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesRef(pub u64);

/// Position of a request in the log: 1 for the first, then without holes. The order in which samples
/// become visible, and what decides conflicts: for one series and timestamp the lowest sequence wins.
pub type CommitSeq = u64;

/// The label that holds the metric name.
pub const METRIC_NAME: &str = "__name__";

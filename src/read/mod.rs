//! The one read interface: what a query sees of the data, wherever it lies. The head, and later blocks, implement
//! [`Source`], [`merge`] makes one of several; `promql` and `api` know nothing else of storage.

pub mod buffers;
pub mod memory;
pub mod merge;
pub mod merge_columns;

use std::fmt;
use std::ops::Range;

use crate::error::Corrupt;
use crate::fs::sealed::FileError;
use crate::model::groups::LabelGroups;
use crate::model::{Histogram, Labels, Matcher, TimeRange, Timestamp};
use crate::sync::Arc;

/// Something that holds series.
pub trait Source: Send + Sync {
    /// The series all of whose labels satisfy all matchers and that may have samples in the range.
    /// Reads no samples.
    fn select(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Box<dyn SeriesSet>, ReadError>;

    /// What `select` would give and reading it all, as far as can be told without doing so.
    fn estimate(&self, matchers: &[Matcher], range: TimeRange) -> Result<Estimate, ReadError>;

    /// Sorted names of the labels of the series that `select` would give.
    fn label_names(&self, matchers: &[Matcher], range: TimeRange)
    -> Result<Vec<String>, ReadError>;

    /// Sorted values of one label over the series that `select` would give.
    fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, ReadError>;

    /// May any series have a label of this name? A look that is cheap, and may be wrong if it says yes.
    fn may_have_label(&self, _name: &str) -> bool {
        true
    }

    /// Are all samples floats without a known start time? A look that is cheap, and may be wrong if it says no.
    fn has_only_floats(&self) -> bool {
        false
    }
}

/// How much there is to read, about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Estimate {
    pub series: u64,
    pub samples: u64,
}

/// A selection: labels at once, samples on demand, from several threads, in any order.
pub trait SeriesSet: Send + Sync {
    /// The label sets, unique, and sorted if they are asked for before anything is read.
    fn labels(&self) -> Result<&[Labels], ReadError>;

    /// From now on the labels may come in any order: in that in which the samples are read soonest.
    fn take_any_order(&self) {}

    /// A part of [`SeriesSet::labels`], made anew: for several threads that make a part each. Nothing, and no series in the
    /// set from then on, if they could not be read and the set goes on without them.
    fn labels_within(&self, range: Range<usize>) -> Result<Vec<Labels>, ReadError> {
        Ok(self.labels()?.get(range).unwrap_or_default().to_vec())
    }

    /// How many series there are; does not need their labels, unless there are [`SeriesSet::parts`]. None once these
    /// could not be read.
    fn len(&self) -> usize;

    /// The selections that this one merges: it has at least as many series as any of them, and makes their labels to
    /// tell how many.
    fn parts(&self) -> &[Box<dyn SeriesSet>] {
        &[]
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The groups of the series by the values of some labels; `None` if that is no less work than to look at
    /// [`SeriesSet::labels`].
    fn group(&self, _names: &[&str]) -> Option<LabelGroups> {
        None
    }

    /// May any of the series have a label of this name? A look that is cheap, and may be wrong if it says yes.
    fn may_have_label(&self, _name: &str) -> bool {
        true
    }

    /// Replaces the contents of `out` with the samples of series `index` within the range, in order of time.
    /// Staleness markers are samples like others here.
    fn read(&self, index: usize, range: TimeRange, out: &mut Columns) -> Result<(), ReadError>;

    /// As [`SeriesSet::read`], but only the last of these samples must be there; those before it may be missing.
    fn read_newest(
        &self,
        index: usize,
        range: TimeRange,
        out: &mut Columns,
    ) -> Result<(), ReadError> {
        self.read(index, range, out)
    }

    /// What a user must know about the completeness of this selection: one sentence each.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Samples of one series: floats as columns of the same length, histograms beside them. The timestamps of both ascend
/// strictly, and none is in both.
#[derive(Debug, Clone, Default)]
pub struct Columns {
    pub timestamps: Vec<Timestamp>,
    pub floats: Vec<f64>,
    /// Of each float sample, the time from which its counter counts, 0 if that is not known; or empty.
    pub starts: Vec<Timestamp>,
    pub histograms: Vec<HistogramSample>,
}

/// A native histogram at a time.
#[derive(Debug, Clone)]
pub struct HistogramSample {
    pub timestamp: Timestamp,
    /// The time from which it counts, 0 if that is not known.
    pub start: Timestamp,
    pub histogram: Arc<Histogram>,
}

impl Columns {
    pub fn clear(&mut self) {
        self.timestamps.clear();
        self.floats.clear();
        self.starts.clear();
        self.histograms.clear();
    }

    /// Adds a float sample without a known start.
    pub fn push(&mut self, timestamp: Timestamp, value: f64) {
        self.push_started(timestamp, 0, value);
    }

    /// Adds a float sample.
    pub fn push_started(&mut self, timestamp: Timestamp, start: Timestamp, value: f64) {
        if start != 0 && self.starts.is_empty() {
            self.starts.resize(self.timestamps.len(), 0);
        }
        if start != 0 || !self.starts.is_empty() {
            self.starts.push(start);
        }
        self.timestamps.push(timestamp);
        self.floats.push(value);
    }

    /// Samples of both kinds.
    pub fn len(&self) -> usize {
        self.timestamps.len() + self.histograms.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Becomes `found` if that has any samples; what is older than its last one is then no longer in the range.
    pub fn keep_newest(&mut self, found: &mut Columns, range: &mut TimeRange) {
        if let Some(newest) = found.newest() {
            range.mint = newest;
            std::mem::swap(self, found);
        }
    }

    /// The time of the last sample.
    fn newest(&self) -> Option<Timestamp> {
        let histogram = self.histograms.last().map(|sample| sample.timestamp);
        self.timestamps.last().copied().max(histogram)
    }

    /// Moves all samples of `other`, which come later, to the end.
    pub fn append(&mut self, other: &mut Columns) {
        if self.is_empty() {
            return std::mem::swap(self, other);
        }
        if !other.starts.is_empty() || !self.starts.is_empty() {
            self.starts.resize(self.timestamps.len(), 0);
            other.starts.resize(other.timestamps.len(), 0);
        }
        self.timestamps.append(&mut other.timestamps);
        self.floats.append(&mut other.floats);
        self.starts.append(&mut other.starts);
        self.histograms.append(&mut other.histograms);
    }

    /// Drops the first samples: so many floats, and so many histograms.
    pub fn drop_front(&mut self, floats: usize, histograms: usize) {
        self.timestamps.drain(..floats);
        self.floats.drain(..floats);
        if !self.starts.is_empty() {
            self.starts.drain(..floats);
        }
        self.histograms.drain(..histograms);
    }
}

/// Reading failed.
#[derive(Debug)]
pub enum ReadError {
    /// Bytes on disk or in memory are not what they must be.
    Corrupt(Corrupt),
    /// The operating system refused.
    Io(std::io::Error),
    /// The database is closed or not open yet.
    Closed,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Corrupt(corrupt) => fmt::Display::fmt(corrupt, f),
            ReadError::Io(error) => write!(f, "cannot read: {error}"),
            ReadError::Closed => f.write_str("the database is closed"),
        }
    }
}

impl std::error::Error for ReadError {}

impl From<Corrupt> for ReadError {
    fn from(corrupt: Corrupt) -> ReadError {
        ReadError::Corrupt(corrupt)
    }
}

impl From<FileError> for ReadError {
    fn from(error: FileError) -> ReadError {
        match error {
            FileError::Corrupt(corrupt) => ReadError::Corrupt(corrupt),
            FileError::Io { source, .. } => ReadError::Io(source),
            newer @ FileError::Newer { .. } => {
                ReadError::Io(std::io::Error::other(newer.to_string()))
            }
        }
    }
}

impl From<std::io::Error> for ReadError {
    fn from(error: std::io::Error) -> ReadError {
        ReadError::Io(error)
    }
}

//! What ingest hands to the database, and what it gets back. A batch keeps the decoded body; its items
//! point into it, so that a known series costs no copy of a label.

use bytes::Bytes;

use super::labels::Labels;
use super::sample::Sample;
use super::time::Timestamp;

/// One request's samples.
///
/// Built by `ingest`, which has checked sizes and structure but not the labels: they are decoded by
/// [`Batch::decode_labels`] only for keys nobody has seen before.
#[derive(Clone)]
pub struct Batch {
    /// The bytes the raw keys of the items lie in.
    pub body: Bytes,
    pub items: Vec<Item>,
    /// The samples of all items; every item owns a run of it.
    pub samples: Vec<Sample>,
    /// Turns a raw key into labels, or says why the labels are not valid.
    pub decode_labels: LabelDecoder,
    /// What ingest itself had to leave out (kinds of data that are not stored), already counted.
    pub rejected: Outcome,
}

/// From the raw key of an item to its label set: sorted, unique, non-empty values, valid UTF-8, with a metric
/// name. The error says what is wrong with them.
pub type LabelDecoder = fn(raw_key: &[u8]) -> Result<Labels, String>;

/// One series of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Item {
    /// Where the raw key lies in the body. Equal bytes mean equal series; unequal bytes may, too.
    pub key_offset: u32,
    pub key_len: u32,
    /// The item's run in [`Batch::samples`].
    pub sample_start: u32,
    pub sample_count: u32,
}

impl Batch {
    /// The raw key of an item of this batch.
    pub fn key(&self, item: &Item) -> &[u8] {
        &self.body[item.key_offset as usize..][..item.key_len as usize]
    }

    /// The samples of an item of this batch, in the order they were sent.
    pub fn samples_of(&self, item: &Item) -> &[Sample] {
        &self.samples[item.sample_start as usize..][..item.sample_count as usize]
    }
}

/// Why a sample was not stored. The names are stable: they are label values of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// The label set breaks a rule.
    InvalidLabels,
    /// The sample's time is more than ten minutes ahead of the clock.
    TooFarInFuture,
    /// The sample's time is before the out-of-order window or the retention.
    TooOld,
    /// The series has another value at this time already.
    DuplicateSample,
    /// A new series over the limit on active series.
    SeriesLimit,
    /// A kind of data that this version does not store.
    Unsupported,
}

impl Reason {
    pub const ALL: [Reason; 6] = [
        Reason::InvalidLabels,
        Reason::TooFarInFuture,
        Reason::TooOld,
        Reason::DuplicateSample,
        Reason::SeriesLimit,
        Reason::Unsupported,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Reason::InvalidLabels => "invalid_labels",
            Reason::TooFarInFuture => "too_far_in_future",
            Reason::TooOld => "too_old",
            Reason::DuplicateSample => "duplicate_sample",
            Reason::SeriesLimit => "series_limit",
            Reason::Unsupported => "unsupported",
        }
    }

    /// What went wrong, in Prometheus' words where it has some.
    pub fn message(self) -> &'static str {
        match self {
            Reason::InvalidLabels => "invalid labels",
            Reason::TooFarInFuture => {
                "out of bounds: more than 10 minutes ahead of the server's clock"
            }
            Reason::TooOld => "too old sample: before the out-of-order window or the retention",
            Reason::DuplicateSample => "duplicate sample for timestamp",
            Reason::SeriesLimit => "too many active series",
            Reason::Unsupported => "not supported",
        }
    }
}

/// The sample of a request that the error message names: the first rejected by the first check that rejected any. The
/// checks are, in order: what ingest stores, labels, the limit on series, the clock, the values stored before.
#[derive(Debug, Clone, PartialEq)]
pub struct Offender {
    pub reason: Reason,
    /// The series as PromQL writes it, or what could be read of it.
    pub series: String,
    pub timestamp: Option<Timestamp>,
    /// More on the reason; may be empty.
    pub detail: String,
}

/// What became of the samples of a request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// Stored by this request.
    pub written: u64,
    /// Stored before with the same bits: nothing to do, and no error.
    pub duplicate: u64,
    /// Not stored, by reason (index: `Reason as usize`).
    pub rejected: [u64; Reason::ALL.len()],
    pub first_offender: Option<Offender>,
}

impl Outcome {
    pub fn rejected_total(&self) -> u64 {
        self.rejected.iter().sum()
    }

    /// Counts `count` rejected samples; the offender is built only if it is the first.
    pub fn reject(&mut self, reason: Reason, count: u64, offender: impl FnOnce() -> Offender) {
        self.rejected[reason as usize] += count;
        if self.first_offender.is_none() {
            self.first_offender = Some(offender());
        }
    }

    /// Adds what became of another part of the same request. The earlier part's offender stays first.
    pub fn merge(&mut self, other: Outcome) {
        self.written += other.written;
        self.duplicate += other.duplicate;
        for (mine, theirs) in self.rejected.iter_mut().zip(other.rejected) {
            *mine += theirs;
        }
        self.first_offender = self.first_offender.take().or(other.first_offender);
    }
}

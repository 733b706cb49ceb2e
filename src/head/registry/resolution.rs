//! What becomes of a batch: slots, refs, definitions, and what is rejected and why.

use super::NO_SLOT;
use crate::head::alias::{AliasHasher, AliasKey};
use crate::index::memory::RowBuffer;
use crate::model::batch::Offender;
use crate::model::{Batch, Labels, Outcome, Reason, SeriesRef};

/// Bytes of a raw key shown when its labels cannot be read.
const OFFENDER_KEY_MAX_BYTES: usize = 256;

/// What became of a batch, and buffers that are used again for the next.
#[derive(Debug, Default)]
pub struct Resolution {
    /// Per item the slot of its series, [`NO_SLOT`] if it was rejected.
    pub slots: Vec<u32>,
    /// Per item the ref of its series, [`NO_SERIES`] if it was rejected.
    pub refs: Vec<SeriesRef>,
    /// The rejected samples.
    pub outcome: Outcome,
    /// Every series of the batch that is in no frame known durable, ascending by ref.
    pub definitions: Vec<(SeriesRef, Labels)>,
    pub(super) keys: Vec<AliasKey>,
    pub(super) unknown: Vec<Unknown>,
    pub(super) row: RowBuffer,
    /// Series this batch created, ascending by ref.
    pub(super) created: Vec<(SeriesRef, Labels)>,
    pub(super) pending: Vec<(SeriesRef, u32)>,
}

/// An item whose alias was not known.
#[derive(Debug)]
pub(super) struct Unknown {
    pub item: usize,
    pub labels: Labels,
    pub slot: u32,
}

impl Resolution {
    pub(super) fn start(&mut self, batch: &Batch, hasher: &AliasHasher) {
        self.outcome = Outcome::default();
        self.drop_labels();
        self.pending.clear();
        self.keys.clear();
        self.keys.extend(batch.items.iter().map(|item| hasher.key(batch.key(item))));
    }

    /// Lets go of all labels: what stays is memory for the next batch.
    pub fn drop_labels(&mut self) {
        self.definitions.clear();
        self.unknown.clear();
        self.created.clear();
    }

    /// Decodes the labels of the items without a slot. Those with invalid labels are rejected.
    pub(super) fn decode_unknown(&mut self, batch: &Batch) {
        for (item, slot) in self.slots.iter().enumerate() {
            if *slot != NO_SLOT {
                continue;
            }
            let raw_key = batch.key(&batch.items[item]);
            match (batch.decode_labels)(raw_key) {
                Ok(labels) => self.unknown.push(Unknown { item, labels, slot: NO_SLOT }),
                Err(detail) => {
                    let text = || (readable(raw_key), detail);
                    reject(&mut self.outcome, batch, item, Reason::InvalidLabels, text);
                }
            }
        }
    }

    /// Rejects what was left without a slot although its labels are valid.
    pub(super) fn reject_over_limit(&mut self, batch: &Batch, series_max: usize) {
        for unknown in self.unknown.iter().filter(|unknown| unknown.slot == NO_SLOT) {
            let text = || (unknown.labels.to_string(), format!("the limit is {series_max} series"));
            reject(&mut self.outcome, batch, unknown.item, Reason::SeriesLimit, text);
        }
    }
}

/// Counts the samples of an item as rejected. `text` gives the series and the detail, if they are to be shown.
fn reject(
    outcome: &mut Outcome,
    batch: &Batch,
    item: usize,
    reason: Reason,
    text: impl FnOnce() -> (String, String),
) {
    let samples = batch.samples_of(&batch.items[item]);
    outcome.reject(reason, samples.len() as u64, || {
        let (series, detail) = text();
        let timestamp = samples.first().map(|sample| sample.timestamp);
        Offender { reason, series, timestamp, detail }
    });
}

/// What can be read of a raw key: its text, with a space for what is not text.
fn readable(raw_key: &[u8]) -> String {
    let shown = &raw_key[..raw_key.len().min(OFFENDER_KEY_MAX_BYTES)];
    let text = String::from_utf8_lossy(shown);
    let words = text.split(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER);
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

//! Reads a manifest file: the snapshot at its beginning, the edits behind it, and where it ends. It tells an edit that a
//! power cut tore, which was never acknowledged, from damage. `storage-format.md` tells why it decides as it does.

use std::path::Path;

use super::ManifestError;
use super::layout::*;
use super::record::{ManifestHeader, RecordHeader, decode_edit, decode_record_header};
use super::state::State;
use crate::error::Corrupt;

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) state: State,
    /// Number of the last edit.
    pub(super) seq: u64,
    /// Edits read behind the snapshot.
    pub(super) edits: u64,
    /// Bytes behind the last good record.
    pub(super) torn_bytes: u64,
}

/// Reads the whole file `bytes` of the data directory `dir`.
pub(super) fn read(dir: &Path, bytes: &[u8]) -> Result<Content, ManifestError> {
    let mut reading = Reading::begin(bytes).map_err(|why| why.in_dir(dir))?;
    while reading.at < bytes.len() {
        reading.step().map_err(|why| why.in_dir(dir))?;
    }
    reading.finish().map_err(|why| why.in_dir(dir))
}

/// Why a file is not read.
enum Refusal {
    Corrupt(Corrupt),
    Newer(String),
}

impl From<Corrupt> for Refusal {
    fn from(corrupt: Corrupt) -> Refusal {
        Refusal::Corrupt(corrupt)
    }
}

impl Refusal {
    fn in_dir(self, dir: &Path) -> ManifestError {
        let path = dir.join(MANIFEST_FILE);
        match self {
            Refusal::Corrupt(corrupt) => {
                ManifestError::Corrupt { dir: dir.to_owned(), corrupt: corrupt.in_file(path, 0) }
            }
            Refusal::Newer(what) => ManifestError::Newer { path, what },
        }
    }
}

/// A file while it is read from front to back.
struct Reading<'a> {
    bytes: &'a [u8],
    nonce: u64,
    content: Content,
    /// The highest number of an edit that any record says is durable.
    proven: u64,
    /// Offset of what is looked at next.
    at: usize,
    /// End of the last good record.
    end: usize,
    /// Where something is that is no good record, since the last edit.
    bad: Option<usize>,
}

impl<'a> Reading<'a> {
    /// Reads the header and the snapshot. A file gets its name when both are durable, so nothing tears them.
    fn begin(bytes: &'a [u8]) -> Result<Reading<'a>, Refusal> {
        let header = ManifestHeader::decode(bytes)?;
        if header.version != MANIFEST_VERSION {
            return Err(Refusal::Newer(format!("version {}", header.version)));
        }
        let at = MANIFEST_HEADER_BYTES;
        let record = decode_record_header(bytes, header.nonce, at)
            .map_err(|corrupt| corrupt.in_file("", at as u64))?;
        let mut reading = Reading {
            bytes,
            nonce: header.nonce,
            content: Content { seq: record.head.seq, ..Content::default() },
            proven: record.head.seq,
            at: record.end(),
            end: record.end(),
            bad: None,
        };
        let payload = record.payload(bytes).filter(|_| is_a(&record, RECORD_TYPE_SNAPSHOT));
        let payload = payload.ok_or(Corrupt::at(at as u64, "snapshot"))?;
        reading.apply(&record, payload)?;
        Ok(reading)
    }

    /// Looks at one record, or passes over bytes that are none.
    fn step(&mut self) -> Result<(), Refusal> {
        let Ok(record) = decode_record_header(self.bytes, self.nonce, self.at) else {
            self.bad.get_or_insert(self.at);
            self.at += RECORD_ALIGN_BYTES;
            return Ok(());
        };
        self.proven = self.proven.max(record.head.durable_seq);
        match record.payload(self.bytes) {
            None => drop(self.bad.get_or_insert(self.at)),
            Some(payload) => self.take(&record, payload)?,
        }
        self.at = record.end();
        Ok(())
    }

    fn take(&mut self, record: &RecordHeader, payload: &[u8]) -> Result<(), Refusal> {
        match record.head.record_type {
            RECORD_TYPE_EDIT if record.head.seq == self.content.seq + 1 => {
                self.apply(record, payload)?;
                self.content.seq += 1;
                self.content.edits += 1;
                self.bad = None;
            }
            RECORD_TYPE_MARK => {}
            RECORD_TYPE_EDIT | RECORD_TYPE_SNAPSHOT => return Err(self.missing().into()),
            other => {
                let what = format!("record type {other} at offset {}", self.at);
                return Err(Refusal::Newer(what));
            }
        }
        self.end = record.end();
        Ok(())
    }

    fn apply(&mut self, record: &RecordHeader, payload: &[u8]) -> Result<(), Corrupt> {
        let offset = record.payload_offset() as u64;
        let (edit, next_file) =
            decode_edit(payload).map_err(|corrupt| corrupt.in_file("", offset))?;
        let state = &mut self.content.state;
        state.apply(&edit).map_err(|what| Corrupt::at(offset, what))?;
        state.next_file = state.next_file.max(next_file);
        Ok(())
    }

    fn missing(&self) -> Corrupt {
        let offset = self.bad.unwrap_or(self.at) as u64;
        Corrupt::at(offset, format!("record of edit {}", self.content.seq + 1))
    }

    fn finish(mut self) -> Result<Content, Refusal> {
        if self.content.seq < self.proven {
            return Err(self.missing().into());
        }
        self.content.torn_bytes = self.bytes.len().saturating_sub(self.end) as u64;
        Ok(self.content)
    }
}

fn is_a(record: &RecordHeader, record_type: u8) -> bool {
    record.head.record_type == record_type
}

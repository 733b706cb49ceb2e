//! The bytes of a manifest: its header, the headers of its records, the encoding of a change. Written by the manifest, read
//! by `log`. It knows nothing of files or of what a change means.
//!
//! Checksums of records begin with where the record lies (nonce of the file, sequence, offset), so bytes that are right but
//! stand in the wrong place, left over from another file, or all zero do not pass.

use super::files::{FileEntry, FileId};
use super::layout::*;
use super::state::Edit;
use crate::encoding::cursor::{Cursor, put_varint, put_varint_signed};
use crate::error::Corrupt;
use crate::model::TimeRange;

/// What a manifest file says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManifestHeader {
    /// Random; part of every checksum of a record.
    pub nonce: u64,
    pub version: u32,
}

impl ManifestHeader {
    /// A header of the version this code writes.
    pub fn new(nonce: u64) -> ManifestHeader {
        ManifestHeader { nonce, version: MANIFEST_VERSION }
    }

    pub fn encode(self) -> Vec<u8> {
        let mut out = MANIFEST_MAGIC.to_vec();
        out.extend_from_slice(&self.nonce.to_le_bytes());
        out.extend_from_slice(&self.version.to_le_bytes());
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads the beginning of a file. The version is not judged here: these fields keep their places in every version.
    ///
    /// # Errors
    /// It is not the beginning of a manifest.
    pub fn decode(bytes: &[u8]) -> Result<ManifestHeader, Corrupt> {
        let mut cursor = Cursor::new(bytes);
        if cursor.bytes(MANIFEST_MAGIC.len(), "manifest magic")? != MANIFEST_MAGIC {
            return Err(Corrupt::at(0, "manifest magic"));
        }
        let header = ManifestHeader {
            nonce: cursor.u64("manifest nonce")?,
            version: cursor.u32("manifest version")?,
        };
        let checked = bytes.get(..cursor.position()).unwrap_or_default();
        if cursor.u32("manifest header checksum")? != crc32fast::hash(checked) {
            return Err(Corrupt::at(0, "manifest header checksum"));
        }
        Ok(header)
    }
}

/// What a record is, apart from its payload and place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHead {
    /// `RECORD_TYPE_*`, or a type this version does not know.
    pub record_type: u8,
    /// Number of the edit; of a snapshot or a mark that of the last edit before it.
    pub seq: u64,
    /// The highest number of an edit known durable when the record was written.
    pub durable_seq: u64,
}

/// A record header that passed its checks. Its length may be trusted; the payload is yet to be checked.
#[derive(Debug, Clone, Copy)]
pub struct RecordHeader {
    pub head: RecordHead,
    nonce: u64,
    offset: usize,
    payload_len: usize,
    payload_crc: u32,
}

fn checksum(nonce: u64, seq: u64, offset: usize, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for value in [nonce, seq, offset as u64] {
        hasher.update(&value.to_le_bytes());
    }
    hasher.update(bytes);
    hasher.finalize()
}

/// Appends a whole record that will lie at `offset` of a file with this nonce.
pub fn encode_record(
    out: &mut Vec<u8>,
    nonce: u64,
    offset: usize,
    head: RecordHead,
    payload: &[u8],
) {
    assert!(payload.len() <= RECORD_PAYLOAD_MAX_BYTES, "no disk holds so many files");
    let start = out.len();
    out.extend_from_slice(&RECORD_MAGIC);
    out.push(head.record_type);
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&head.seq.to_le_bytes());
    out.extend_from_slice(&head.durable_seq.to_le_bytes());
    out.extend_from_slice(&checksum(nonce, head.seq, offset, payload).to_le_bytes());
    let header_crc = checksum(nonce, head.seq, offset, &out[start..]);
    out.extend_from_slice(&header_crc.to_le_bytes());
    out.extend_from_slice(payload);
    out.resize(start + record_bytes(payload.len()), 0);
}

/// Bytes in the file of a record with a payload this long, padding included.
fn record_bytes(payload_len: usize) -> usize {
    (RECORD_HEADER_BYTES + payload_len).next_multiple_of(RECORD_ALIGN_BYTES)
}

/// Reads the header of a record at `offset` of the whole file `bytes`.
///
/// # Errors
/// These bytes are not a record header, or not one that belongs here.
pub fn decode_record_header(
    bytes: &[u8],
    nonce: u64,
    offset: usize,
) -> Result<RecordHeader, Corrupt> {
    let bytes = bytes.get(offset..).unwrap_or_default();
    let mut cursor = Cursor::new(bytes);
    if cursor.bytes(RECORD_MAGIC.len(), "record magic")? != RECORD_MAGIC {
        return Err(Corrupt::at(0, "record magic"));
    }
    let record_type = cursor.u8("record type")?;
    let payload_len = cursor.u32("payload length")? as usize;
    let seq = cursor.u64("record sequence")?;
    let durable_seq = cursor.u64("durable sequence")?;
    let payload_crc = cursor.u32("payload checksum")?;
    let checked = bytes.get(..cursor.position()).unwrap_or_default();
    if cursor.u32("record header checksum")? != checksum(nonce, seq, offset, checked) {
        return Err(Corrupt::at(0, "record header checksum"));
    }
    if payload_len > RECORD_PAYLOAD_MAX_BYTES || durable_seq > seq || seq == u64::MAX {
        return Err(Corrupt::at(0, "record limits"));
    }
    let head = RecordHead { record_type, seq, durable_seq };
    Ok(RecordHeader { head, nonce, offset, payload_len, payload_crc })
}

impl RecordHeader {
    /// Offset of the first byte of the payload.
    pub fn payload_offset(&self) -> usize {
        self.offset + RECORD_HEADER_BYTES
    }

    /// Offset of the first byte behind the record and its padding.
    pub fn end(&self) -> usize {
        self.offset + record_bytes(self.payload_len)
    }

    /// Its payload in the whole file `bytes`; None if that is missing or damaged.
    pub fn payload<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let payload = bytes.get(self.payload_offset()..)?.get(..self.payload_len)?;
        let crc = checksum(self.nonce, self.head.seq, self.offset, payload);
        (crc == self.payload_crc).then_some(payload)
    }
}

/// The payload of a snapshot or an edit.
pub fn encode_edit(edit: &Edit, next_file: u64) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, next_file);
    let present = |value: Option<u64>, bit| if value.is_some() { bit } else { 0 };
    let wal_seq = present(edit.wal_seq, PRESENT_WAL_SEQ);
    out.push(wal_seq | present(edit.next_ref, PRESENT_NEXT_REF));
    for value in [edit.wal_seq, edit.next_ref].into_iter().flatten() {
        put_varint(&mut out, value);
    }
    put_varint(&mut out, edit.remove.len() as u64);
    edit.remove.iter().for_each(|id| put_id(&mut out, *id));
    put_varint(&mut out, edit.add.len() as u64);
    edit.add.iter().for_each(|entry| put_entry(&mut out, entry));
    out
}

/// Reads the payload of a snapshot or an edit: the change, and the number of the next file after it.
///
/// # Errors
/// No writer wrote this.
pub fn decode_edit(payload: &[u8]) -> Result<(Edit, u64), Corrupt> {
    let mut cursor = Cursor::new(payload);
    let next_file = cursor.varint("next file number")?;
    if !(1..=FILE_NUMBER_MAX + 1).contains(&next_file) {
        return Err(Corrupt::at(0, "next file number"));
    }
    let present = cursor.u8("present bits")?;
    if present & !(PRESENT_WAL_SEQ | PRESENT_NEXT_REF) != 0 {
        return Err(cursor.corrupt("present bits"));
    }
    let mut edit = Edit::default();
    if present & PRESENT_WAL_SEQ != 0 {
        edit.wal_seq = Some(cursor.varint("log sequence")?);
    }
    if present & PRESENT_NEXT_REF != 0 {
        edit.next_ref = Some(cursor.varint("next series ref")?);
    }
    for _ in 0..cursor.length("count of removed files")? {
        edit.remove.push(id(&mut cursor)?);
    }
    for _ in 0..cursor.length("count of added files")? {
        edit.add.push(entry(&mut cursor)?);
    }
    if !cursor.is_empty() {
        return Err(cursor.corrupt("end of the edit"));
    }
    Ok((edit, next_file))
}

fn put_id(out: &mut Vec<u8>, id: FileId) {
    let (kind, number) = match id {
        FileId::RegistryBase(number) => (KIND_REGISTRY_BASE, number),
        FileId::RegistryDelta(number) => (KIND_REGISTRY_DELTA, number),
        FileId::Spill(number) => (KIND_SPILL, number),
        FileId::Block(ulid) => {
            out.push(KIND_BLOCK);
            return out.extend_from_slice(&ulid.to_le_bytes());
        }
    };
    out.push(kind);
    put_varint(out, number);
}

fn id(cursor: &mut Cursor<'_>) -> Result<FileId, Corrupt> {
    let kind = cursor.u8("kind of file")?;
    Ok(match kind {
        KIND_REGISTRY_BASE => FileId::RegistryBase(cursor.varint("file number")?),
        KIND_REGISTRY_DELTA => FileId::RegistryDelta(cursor.varint("file number")?),
        KIND_SPILL => FileId::Spill(cursor.varint("file number")?),
        KIND_BLOCK => {
            let low = u128::from(cursor.u64("block name")?);
            FileId::Block(u128::from(cursor.u64("block name")?) << 64 | low)
        }
        _ => return Err(cursor.corrupt("kind of file")),
    })
}

fn put_entry(out: &mut Vec<u8>, entry: &FileEntry) {
    put_id(out, entry.id);
    put_varint(out, entry.len_bytes);
    put_varint(out, entry.min_seq);
    put_varint(out, entry.max_seq);
    put_varint_signed(out, entry.range.mint);
    put_varint_signed(out, entry.range.maxt);
    out.push(u8::from(entry.window.is_some()));
    if let Some(start) = entry.window {
        put_varint_signed(out, start);
    }
    out.extend_from_slice(&entry.checksum.to_le_bytes());
}

fn entry(cursor: &mut Cursor<'_>) -> Result<FileEntry, Corrupt> {
    let id = id(cursor)?;
    let len_bytes = cursor.varint("file length")?;
    let min_seq = cursor.varint("first sequence of a file")?;
    let max_seq = cursor.varint("last sequence of a file")?;
    let mint = cursor.varint_signed("first timestamp of a file")?;
    let maxt = cursor.varint_signed("last timestamp of a file")?;
    let window = match cursor.u8("window tag")? {
        0 => None,
        1 => Some(cursor.varint_signed("window of a file")?),
        _ => return Err(cursor.corrupt("window tag")),
    };
    let checksum = cursor.u64("checksum of a file")?;
    let range = TimeRange::new(mint, maxt);
    Ok(FileEntry { id, len_bytes, min_seq, max_seq, range, window, checksum })
}

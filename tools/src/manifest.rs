//! A manifest, record by record, and what it says in the end.

use std::io::Write;
use std::path::Path;

use silverback::db::manifest::layout::{
    MANIFEST_HEADER_BYTES, RECORD_ALIGN_BYTES, RECORD_TYPE_EDIT, RECORD_TYPE_MARK,
    RECORD_TYPE_SNAPSHOT,
};
use silverback::db::manifest::record::{
    ManifestHeader, RecordHeader, decode_edit, decode_record_header,
};
use silverback::db::manifest::{Edit, FileEntry, FileId, Manifest, State};
use silverback::model::TimeRange;

use crate::file::{failure, read};
use crate::{Failure, finish};

/// What a manifest says.
pub fn state(path: &Path) -> Result<State, Failure> {
    let dir = path.parent().unwrap_or(path);
    Manifest::parse(dir, &read(path)?).map(|(state, _)| state).map_err(failure)
}

/// Prints the records, and what they come to.
pub fn inspect(path: &Path, out: &mut impl Write) -> Result<(), Failure> {
    let bytes = read(path)?;
    let header = ManifestHeader::decode(&bytes).map_err(|corrupt| corrupt.in_file(path, 0));
    let header = header.map_err(failure)?;
    let (version, nonce) = (header.version, header.nonce);
    finish(writeln!(out, "manifest, format version {version}, nonce {nonce:016x}\n"))?;
    let mut at = MANIFEST_HEADER_BYTES;
    while at < bytes.len() {
        let Ok(record) = decode_record_header(&bytes, nonce, at) else {
            at += RECORD_ALIGN_BYTES;
            continue;
        };
        finish(writeln!(out, "{at:>10} edit {:>6} {}", record.head.seq, told(&record, &bytes)))?;
        at = record.end();
    }
    let state = state(path)?;
    let blocks = state.files.keys().filter(|id| matches!(id, FileId::Block(_))).count();
    let spills = state.files.keys().filter(|id| matches!(id, FileId::Spill(_))).count();
    let registry = state.files.len() - blocks - spills;
    finish(writeln!(
        out,
        "\n{registry} registry files, {spills} spills, {blocks} blocks\nlog needed behind sequence {}\n\
         next series ref {}\nnext file number {}",
        state.wal_seq, state.next_ref, state.next_file
    ))
}

fn told(record: &RecordHeader, bytes: &[u8]) -> String {
    let kind = match record.head.record_type {
        RECORD_TYPE_SNAPSHOT => "snapshot",
        RECORD_TYPE_EDIT => "change",
        RECORD_TYPE_MARK => return format!("mark: durable up to {}", record.head.durable_seq),
        _ => return "of a newer kind".to_string(),
    };
    match record.payload(bytes).map(decode_edit) {
        Some(Ok((edit, _))) => format!("{kind}: {}", change(&edit)),
        _ => format!("{kind}: damaged"),
    }
}

fn change(edit: &Edit) -> String {
    let mut text = format!("adds {}, removes {}", edit.add.len(), edit.remove.len());
    if let Some(seq) = edit.wal_seq {
        text += &format!(", log needed behind {seq}");
    }
    if let Some(next_ref) = edit.next_ref {
        text += &format!(", next ref {next_ref}");
    }
    text
}

/// Prints the files that count.
pub fn dump(path: &Path, out: &mut impl Write) -> Result<(), Failure> {
    let state = state(path)?;
    state.files.values().try_for_each(|entry| finish(writeln!(out, "{}", entry_line(entry))))?;
    let State { wal_seq, next_ref, next_file, .. } = state;
    finish(writeln!(out, "wal_seq {wal_seq} next_ref {next_ref} next_file {next_file}"))
}

fn entry_line(entry: &FileEntry) -> String {
    let path = entry.id.path(Path::new(""));
    let mut text = format!("{} {} bytes", path.display(), entry.len_bytes);
    if !entry.id.is_registry() {
        let TimeRange { mint, maxt } = entry.range;
        text +=
            &format!(" sequences {} to {} times {mint} to {maxt}", entry.min_seq, entry.max_seq);
    }
    if let Some(start) = entry.window {
        text += &format!(" window {start}");
    }
    text + &format!(" checksum {:016x}", entry.checksum)
}

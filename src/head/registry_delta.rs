//! Stand-in for registry files until they are merged: definitions in records, one behind the other.

use std::io;
use std::ops::Range;
use std::path::Path;

use super::registry::Registry;
use crate::encoding::cursor::{Cursor, put_varint};
use crate::fs::Disk;
use crate::fs::sealed::{FileError, Kind, SealedFile, SealedSummary, SealedWriter};
use crate::model::{Labels, SeriesRef};
use crate::wal::{Record, RecordBuilder};

pub const REGISTRY_KIND: Kind = Kind { magic: *b"SBREGIST", version: 1 };

pub struct DeltaFooter {
    pub next_ref: u64,
}

impl Registry {
    pub fn write_delta(
        &self,
        slots: Range<u32>,
        mut writer: SealedWriter,
    ) -> io::Result<(DeltaFooter, SealedSummary)> {
        let slots: Vec<u32> = slots.collect();
        let mut builder = RecordBuilder::new();
        let mut next_ref = 1;
        for portion in slots.chunks(1024) {
            for (series, labels) in self.refs_of(portion).into_iter().zip(self.labels_of(portion)) {
                builder.define(series, &labels);
                next_ref = next_ref.max(series.0 + 1);
            }
            let (mut payload, mut len) = (Vec::new(), Vec::new());
            builder.finish(&mut payload);
            put_varint(&mut len, payload.len() as u64);
            writer.write(&len)?;
            writer.write(&payload)?;
        }
        let summary = writer.finish(&[])?;
        Ok((DeltaFooter { next_ref }, summary))
    }
}

pub fn read_definitions(
    disk: &dyn Disk,
    path: &Path,
    mut each: impl FnMut(&[(SeriesRef, Labels)]),
) -> Result<(), FileError> {
    let file = SealedFile::open(disk, path, REGISTRY_KIND)?;
    let data = file.bytes(0, file.data_len() as usize)?;
    let mut cursor = Cursor::new(data);
    while !cursor.is_empty() {
        let len = cursor.length("record").map_err(FileError::Corrupt)?;
        let payload = cursor.bytes(len, "record").map_err(FileError::Corrupt)?;
        let record = Record::decode(payload).map_err(FileError::Corrupt)?;
        let definitions: Vec<_> = record.definitions().collect();
        each(&definitions);
    }
    Ok(())
}

//! Sealed files on the simulated disk: what was written comes back, and damage costs what it touches.

use std::path::Path;

use super::layout::*;
use super::{FileError, SealedFile, SealedWriter};
use crate::fs::Disk;
use crate::fs::os::OsDisk;
use crate::fs::sim::SimDisk;

const KIND: Kind = Kind { magic: *b"SBTESTED", version: 3 };
const PATH: &str = "dir/file";

fn write(data: &[u8], footer: &[u8]) -> SimDisk {
    let disk = SimDisk::new();
    disk.create_dir(Path::new("dir")).unwrap();
    let mut writer = SealedWriter::create(&disk, Path::new(PATH), KIND).unwrap();
    for piece in data.chunks(1000) {
        writer.write(piece).unwrap();
    }
    assert_eq!(writer.position(), data.len() as u64);
    let summary = writer.finish(footer).unwrap();
    let file = open(&disk).unwrap();
    assert_eq!((file.len_bytes(), file.checksum()), (summary.len_bytes, summary.checksum));
    disk
}

fn open(disk: &SimDisk) -> Result<SealedFile, FileError> {
    SealedFile::open(disk, Path::new(PATH), KIND)
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 + i / 977) as u8).collect()
}

#[test]
fn what_was_written_comes_back() {
    for len in [0, 1, PAGE_BYTES - 1, PAGE_BYTES, PAGE_BYTES + 1, 5 * PAGE_BYTES + 17] {
        let data = pattern(len);
        let disk = write(&data, b"footer");
        let file = open(&disk).unwrap();
        assert_eq!(file.footer(), b"footer");
        assert_eq!(file.bytes(0, len).unwrap(), data);
        assert!(file.bytes(1, len).is_err());
        assert!(file.bytes(u64::MAX, 2).is_err());
        assert!(file.verify().is_empty());
        file.check_all().unwrap();
        assert_eq!(file.bytes(0, len).unwrap(), data);
        assert!(file.bytes(1, len).is_err());
    }
}

#[test]
fn every_damaged_byte_is_found_and_costs_its_page_only() {
    let data = pattern(3 * PAGE_BYTES);
    let len = open(&write(&data, b"footer")).unwrap().len_bytes();
    for offset in (0..len).step_by(4099).chain(len - TRAILER_BYTES as u64 - 20..len) {
        let disk = write(&data, b"footer");
        disk.corrupt(Path::new(PATH), offset, 0x10).unwrap();
        let Ok(file) = open(&disk) else {
            assert!(offset >= data.len() as u64, "the data is not read at open");
            continue;
        };
        let damaged = offset as usize / PAGE_BYTES;
        assert!(damaged < 3, "table, footer and trailer are checked at open: {offset}");
        for page in 0..3 {
            let read = file.bytes((page * PAGE_BYTES) as u64, PAGE_BYTES);
            assert_eq!(read.is_ok(), page != damaged, "{offset}");
        }
        assert!(file.check_all().is_err());
        assert!(file.bytes(damaged as u64 * PAGE_BYTES as u64, 1).is_err());
        let found = file.verify();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].offset, (damaged * PAGE_BYTES) as u64);
    }
}

#[test]
fn an_unfinished_or_cut_file_does_not_open() {
    let disk = write(&pattern(PAGE_BYTES), b"footer");
    let len = open(&disk).unwrap().len_bytes();
    for keep in [0, 1, TRAILER_BYTES as u64, PAGE_BYTES as u64, len - 1] {
        let disk = write(&pattern(PAGE_BYTES), b"footer");
        disk.truncate(Path::new(PATH), keep).unwrap();
        assert!(matches!(open(&disk), Err(FileError::Corrupt(_))), "{keep}");
    }
}

#[test]
fn a_newer_version_and_another_kind_are_told_apart_from_damage() {
    let disk = write(b"data", b"footer");
    let older = Kind { version: 2, ..KIND };
    let error = SealedFile::open(&disk, Path::new(PATH), older).unwrap_err();
    assert!(error.to_string().contains("format version 3, which is newer"), "{error}");
    let other = Kind { magic: *b"SBOTHERS", ..KIND };
    let error = SealedFile::open(&disk, Path::new(PATH), other).unwrap_err();
    assert!(error.to_string().contains("magic number"), "{error}");
}

#[test]
fn pages_that_the_storage_cannot_give_cost_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let data = pattern(3 * PAGE_BYTES);
    let mut writer = SealedWriter::create(&OsDisk, &path, KIND).unwrap();
    writer.write(&data).unwrap();
    writer.finish(b"footer").unwrap();
    let file = SealedFile::open(&OsDisk, &path, KIND).unwrap();
    assert_eq!(file.bytes(0, 2 * PAGE_BYTES).unwrap(), &data[..2 * PAGE_BYTES]);
    OsDisk.truncate(&path, 2 * PAGE_BYTES as u64).unwrap();
    let read = file.bytes(2 * PAGE_BYTES as u64, 1);
    assert!(matches!(&read, Err(FileError::Io { .. })), "{read:?}");
    file.check().unwrap();
    assert_eq!(file.bytes(0, 2 * PAGE_BYTES).unwrap(), &data[..2 * PAGE_BYTES]);
}

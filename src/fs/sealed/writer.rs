//! Writing a sealed file: bytes in order, then the footer. The name is durable only after its directory is synced, which is
//! the caller's business.

use std::io;
use std::path::{Path, PathBuf};

use super::layout::{FOOTER_MAX_BYTES, Kind, PAGE_BYTES, TRAILER_BYTES};
use crate::fs::{Append, Disk};

/// Bytes handed to the disk at a time: several pages, so that system calls cost nothing.
const BUFFER_BYTES: usize = 4 * PAGE_BYTES;

/// A sealed file under construction. Dropped before [`SealedWriter::finish`] it leaves a file that does not open.
#[derive(Debug)]
pub struct SealedWriter {
    file: Box<dyn Append>,
    path: PathBuf,
    kind: Kind,
    buffer: Vec<u8>,
    /// Bytes of the buffer whose pages are in the table.
    summed: usize,
    table: Vec<u8>,
    position: u64,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedSummary {
    pub len_bytes: u64,
    /// Checksums of the page table and of the footer: two files with the same number hold the same.
    pub checksum: u64,
}

impl SealedWriter {
    /// Creates the file. Fails if the name is taken.
    pub fn create(disk: &dyn Disk, path: &Path, kind: Kind) -> io::Result<SealedWriter> {
        Ok(SealedWriter {
            file: disk.create(path)?,
            path: path.to_owned(),
            kind,
            buffer: Vec::with_capacity(BUFFER_BYTES),
            summed: 0,
            table: Vec::new(),
            position: 0,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Offset of the next byte.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Writes behind what was written. After an error the file is to be given up.
    pub fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.position += bytes.len() as u64;
        while !bytes.is_empty() {
            let (taken, rest) = bytes.split_at(bytes.len().min(BUFFER_BYTES - self.buffer.len()));
            self.buffer.extend_from_slice(taken);
            bytes = rest;
            if self.buffer.len() == BUFFER_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        for page in self.buffer[self.summed..].chunks(PAGE_BYTES) {
            self.table.extend_from_slice(&crc32fast::hash(page).to_le_bytes());
        }
        self.file.append(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Writes table, footer and trailer, and makes the content durable.
    pub fn finish(mut self, footer: &[u8]) -> io::Result<SealedSummary> {
        if footer.len() > FOOTER_MAX_BYTES {
            let text = format!("a footer of {} bytes, over {FOOTER_MAX_BYTES}", footer.len());
            return Err(io::Error::other(text));
        }
        self.flush()?;
        let (table_crc, footer_crc) = (crc32fast::hash(&self.table), crc32fast::hash(footer));
        let mut end = std::mem::take(&mut self.table);
        end.extend_from_slice(footer);
        let trailer_start = end.len();
        end.extend_from_slice(&self.position.to_le_bytes());
        end.extend_from_slice(&(footer.len() as u32).to_le_bytes());
        end.extend_from_slice(&table_crc.to_le_bytes());
        end.extend_from_slice(&footer_crc.to_le_bytes());
        end.extend_from_slice(&0u32.to_le_bytes());
        end.extend_from_slice(&self.kind.version.to_le_bytes());
        end.extend_from_slice(&self.kind.magic);
        let trailer_crc = crc32fast::hash(&end[trailer_start..]);
        end.extend_from_slice(&trailer_crc.to_le_bytes());
        assert_eq!(end.len() - trailer_start, TRAILER_BYTES, "the trailer is of fixed size");
        self.file.append(&end)?;
        self.file.sync()?;
        Ok(SealedSummary {
            len_bytes: self.position + end.len() as u64,
            checksum: checksum(table_crc, footer_crc),
        })
    }
}

/// One number of the two checksums that cover everything.
pub(super) fn checksum(table_crc: u32, footer_crc: u32) -> u64 {
    u64::from(table_crc) << 32 | u64::from(footer_crc)
}

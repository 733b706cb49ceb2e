//! Reading a sealed file. Everything handed out was checked; what was checked once is not checked again.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::FileError;
use super::layout::*;
use super::writer::checksum;
use crate::error::Corrupt;
use crate::fs::{Blob, Disk};
use crate::sync::{AtomicBool, AtomicU64, Ordering};

/// An open sealed file.
pub struct SealedFile {
    path: PathBuf,
    blob: Box<dyn Blob>,
    /// All of the file.
    content: Bytes,
    data_len: usize,
    footer_len: usize,
    checksum: u64,
    /// A bit for every page of data that was found good.
    checked: Box<[AtomicU64]>,
    /// All of them were.
    is_checked: AtomicBool,
}

impl fmt::Debug for SealedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedFile").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The fields of a trailer that was checked.
struct Trailer {
    data_len: usize,
    footer_len: usize,
    table_crc: u32,
    footer_crc: u32,
}

impl SealedFile {
    /// Opens a file of this kind; checks the trailer, the page table and the footer.
    ///
    /// # Errors
    /// It is not whole, damaged there, of another kind, of a newer version, or cannot be read.
    pub fn open(disk: &dyn Disk, path: &Path, kind: Kind) -> Result<SealedFile, FileError> {
        let io = |source| FileError::Io { path: path.to_owned(), source };
        let corrupt = |corrupt: Corrupt| FileError::Corrupt(corrupt.in_file(path, 0));
        let blob = disk.open(path).map_err(io)?;
        let len =
            usize::try_from(blob.len()).map_err(|_| io(io::ErrorKind::FileTooLarge.into()))?;
        let content = blob.bytes(0, len).map_err(io)?;
        let read = Trailer::read(&content, kind);
        // Where the storage could not give the bytes, nothing is known of them.
        blob.check().map_err(io)?;
        let (version, trailer) = read.map_err(corrupt)?;
        if version != kind.version {
            return Err(FileError::Newer { path: path.to_owned(), version });
        }
        let trailer = trailer.map_err(corrupt)?;
        blob.check().map_err(io)?;
        let pages = trailer.data_len.div_ceil(PAGE_BYTES);
        Ok(SealedFile {
            path: path.to_owned(),
            blob,
            content,
            data_len: trailer.data_len,
            footer_len: trailer.footer_len,
            checksum: checksum(trailer.table_crc, trailer.footer_crc),
            checked: (0..pages.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
            is_checked: AtomicBool::new(false),
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the whole file.
    pub fn len_bytes(&self) -> u64 {
        self.content.len() as u64
    }

    /// Bytes before the page table.
    pub fn data_len(&self) -> u64 {
        self.data_len as u64
    }

    /// As [`super::SealedSummary::checksum`].
    pub fn checksum(&self) -> u64 {
        self.checksum
    }

    /// What the kind wrote at the end.
    pub fn footer(&self) -> &[u8] {
        let start = self.data_len + self.table_len();
        &self.content[start..start + self.footer_len]
    }

    fn table_len(&self) -> usize {
        self.data_len.div_ceil(PAGE_BYTES) * PAGE_CRC_BYTES
    }

    /// `len` bytes of data from `offset`, of pages whose checksums are right.
    ///
    /// # Errors
    /// They are beyond the data, or in a damaged page.
    #[inline]
    pub fn bytes(&self, offset: u64, len: usize) -> Result<&[u8], FileError> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(len);
        if end > self.data_len {
            return Err(self.corrupt(offset, "reference beyond the data"));
        }
        if len > 0 && !self.is_checked.load(Ordering::Relaxed) {
            for page in start / PAGE_BYTES..=(end - 1) / PAGE_BYTES {
                self.check_page(page)?;
            }
        }
        Ok(&self.content[start..end])
    }

    /// Checks every page that was not checked yet. From then on giving bytes costs a comparison.
    ///
    /// # Errors
    /// One is damaged.
    pub fn check_all(&self) -> Result<(), FileError> {
        (0..self.data_len.div_ceil(PAGE_BYTES)).try_for_each(|page| self.check_page(page))?;
        self.is_checked.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// An error if the storage failed under bytes already given, which then read as zeros: to be asked after decoding
    /// them, before the result is used.
    pub fn check(&self) -> Result<(), FileError> {
        let io = |source| FileError::Io { path: self.path.clone(), source };
        self.blob.check().map_err(io)
    }

    /// Checks every page, also those checked before, and gives the damage found: one entry per page.
    pub fn verify(&self) -> Vec<Corrupt> {
        let pages = 0..self.data_len.div_ceil(PAGE_BYTES);
        let damage = |page: usize| match self.read_page(page) {
            Ok(()) => None,
            Err(FileError::Corrupt(corrupt)) => Some(corrupt),
            Err(error) => {
                let offset = (page * PAGE_BYTES) as u64;
                Some(Corrupt::at(offset, error.to_string()).in_file(&self.path, 0))
            }
        };
        pages.filter_map(damage).collect()
    }

    /// The error for what is wrong at an offset of this file.
    pub fn corrupt(&self, offset: u64, what: &'static str) -> FileError {
        FileError::Corrupt(Corrupt::at(offset, what).in_file(&self.path, 0))
    }

    #[inline]
    fn check_page(&self, page: usize) -> Result<(), FileError> {
        let (word, bit) = (&self.checked[page / 64], 1u64 << (page % 64));
        if word.load(Ordering::Relaxed) & bit != 0 {
            return Ok(());
        }
        self.read_page(page)?;
        word.fetch_or(bit, Ordering::Relaxed);
        Ok(())
    }

    /// Reads a page and compares its checksum. Storage that cannot give it is an error of its own: it may be able to later.
    #[cold]
    fn read_page(&self, page: usize) -> Result<(), FileError> {
        let start = page * PAGE_BYTES;
        let end = self.data_len.min(start + PAGE_BYTES);
        let io = |source| FileError::Io { path: self.path.clone(), source };
        self.blob.populate(start as u64, end - start).map_err(io)?;
        let entry = &self.content[self.data_len + page * PAGE_CRC_BYTES..][..PAGE_CRC_BYTES];
        match crc32fast::hash(&self.content[start..end]).to_le_bytes() == entry {
            true => Ok(()),
            false => Err(self.corrupt(start as u64, "page checksum")),
        }
    }
}

impl Trailer {
    /// The version of a file of this kind, and the rest if that is a version this program knows.
    fn read(content: &[u8], kind: Kind) -> Result<(u32, Result<Trailer, Corrupt>), Corrupt> {
        let at = content.len().checked_sub(TRAILER_BYTES);
        let at = at.ok_or(Corrupt::at(0, "length: too short for a trailer"))?;
        let trailer = &content[at..];
        let u32_at = |offset: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| trailer[offset + i]));
        let place = |offset: usize| (at + offset) as u64;
        if u32_at(TRAILER_CRC_OFFSET) != crc32fast::hash(&trailer[..TRAILER_CRC_OFFSET]) {
            return Err(Corrupt::at(place(TRAILER_CRC_OFFSET), "trailer checksum"));
        }
        if trailer[TRAILER_MAGIC_OFFSET..][..kind.magic.len()] != kind.magic {
            return Err(Corrupt::at(place(TRAILER_MAGIC_OFFSET), "magic number of the file"));
        }
        let low = u64::from(u32_at(TRAILER_DATA_LEN_OFFSET));
        let high = u64::from(u32_at(TRAILER_DATA_LEN_OFFSET + 4));
        let rest = Trailer {
            data_len: usize::try_from(high << 32 | low).unwrap_or(usize::MAX),
            footer_len: u32_at(TRAILER_FOOTER_LEN_OFFSET) as usize,
            table_crc: u32_at(TRAILER_TABLE_CRC_OFFSET),
            footer_crc: u32_at(TRAILER_FOOTER_CRC_OFFSET),
        };
        Ok((u32_at(TRAILER_VERSION_OFFSET), rest.check(content)))
    }

    /// After this the lengths add up to the file, so slices of it by them cannot fail.
    fn check(self, content: &[u8]) -> Result<Trailer, Corrupt> {
        let end = content.len() - TRAILER_BYTES;
        let table_len = self.data_len.div_ceil(PAGE_BYTES).saturating_mul(PAGE_CRC_BYTES);
        let footer_start = self.data_len.saturating_add(table_len);
        if footer_start.saturating_add(self.footer_len) != end || self.footer_len > FOOTER_MAX_BYTES
        {
            return Err(Corrupt::at(end as u64, "lengths in the trailer"));
        }
        if crc32fast::hash(&content[self.data_len..footer_start]) != self.table_crc {
            return Err(Corrupt::at(self.data_len as u64, "page table checksum"));
        }
        if crc32fast::hash(&content[footer_start..end]) != self.footer_crc {
            return Err(Corrupt::at(footer_start as u64, "footer checksum"));
        }
        Ok(self)
    }
}

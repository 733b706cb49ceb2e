//! An open block: its footer and names, and where to find the rest. Every offset that the file gives is checked here or by
//! the sealed file; damage is an error of what lies there.

use std::ops::Range;
use std::path::Path;

use super::BlockMeta;
use super::columns::ColumnCache;
use super::dictionary::Name;
use super::footer::Footer;
use super::layout::*;
use crate::encoding::cursor::Cursor;
use crate::error::Corrupt;
use crate::fs::Disk;
use crate::fs::sealed::layout::TRAILER_BYTES;
use crate::fs::sealed::{FileError, SealedFile};

/// Timestamp columns that look-ups keep, in timestamps: those of a few chunks.
const LOOKUP_TIMESTAMPS_MAX: usize = 32 << 10;

/// A block, open for reading from any thread.
#[derive(Debug)]
pub struct Block {
    file: SealedFile,
    footer: Footer,
    meta: BlockMeta,
    names: Vec<Name>,
    pub(super) lookup_columns: ColumnCache,
}

impl Block {
    /// Opens a block: reads the footer, the page table and the names.
    ///
    /// # Errors
    /// It is not whole, damaged there, no block, of a newer version, or cannot be read.
    pub fn open(disk: &dyn Disk, path: &Path) -> Result<Block, FileError> {
        let file = SealedFile::open(disk, path, BLOCK)?;
        let footer_offset = file.len_bytes() - (file.footer().len() + TRAILER_BYTES) as u64;
        let footer = Footer::decode(file.footer(), file.data_len())
            .map_err(|corrupt| FileError::Corrupt(corrupt.in_file(path, footer_offset)))?;
        let meta = BlockMeta::new(&footer, file.len_bytes(), file.checksum());
        let lookup_columns = ColumnCache::new(LOOKUP_TIMESTAMPS_MAX);
        let mut block = Block { file, footer, meta, names: Vec::new(), lookup_columns };
        block.names = block.read_names()?;
        block.check_storage()?;
        Ok(block)
    }

    pub fn meta(&self) -> &BlockMeta {
        &self.meta
    }

    pub(super) fn footer(&self) -> &Footer {
        &self.footer
    }

    pub(super) fn file(&self) -> &SealedFile {
        &self.file
    }

    pub(super) fn series_count(&self) -> u32 {
        // The footer was refused if there are more.
        self.footer.series_count as u32
    }

    /// Names in order of bytes.
    pub(super) fn names(&self) -> &[Name] {
        &self.names
    }

    pub(super) fn name(&self, text: &str) -> Option<(u32, &Name)> {
        let at = self.names.binary_search_by(|name| name.text.as_str().cmp(text)).ok()?;
        Some((at as u32, &self.names[at]))
    }

    /// An error if the storage failed under bytes that were decoded.
    pub(super) fn check_storage(&self) -> Result<(), FileError> {
        self.file.check()
    }

    pub(super) fn bytes(&self, range: &Range<u64>) -> Result<&[u8], FileError> {
        let len = range.end.checked_sub(range.start).and_then(|len| usize::try_from(len).ok());
        let len = len.ok_or_else(|| self.corrupt(range.start, "reference within the file"))?;
        self.file.bytes(range.start, len)
    }

    /// The error for what is wrong at an offset.
    pub(super) fn corrupt(&self, offset: u64, what: &'static str) -> FileError {
        self.file.corrupt(offset, what)
    }

    /// What was read from `base` on, with the place of an error in the file.
    pub(super) fn at<T>(&self, base: u64, read: Result<T, Corrupt>) -> Result<T, FileError> {
        read.map_err(|corrupt| FileError::Corrupt(corrupt.in_file(self.file.path(), base)))
    }

    /// Reads the table of names. After this every dictionary lies between the first one and the rows.
    fn read_names(&self) -> Result<Vec<Name>, FileError> {
        let range = self.footer.names_offset..self.file.data_len();
        let mut cursor = Cursor::new(self.bytes(&range)?);
        let mut names: Vec<Name> = Vec::new();
        let mut offset = self.footer.labels_offset;
        for _ in 0..self.footer.name_count {
            let name = self.at(range.start, read_name(&mut cursor, offset))?;
            offset = name.table_offset.saturating_add(name.table_len());
            let is_sorted = names.last().is_none_or(|last| last.text < name.text);
            if !is_sorted || offset > self.footer.rows_offset {
                return Err(self.corrupt(range.start, "table of names"));
            }
            names.push(name);
        }
        if !cursor.is_empty() || offset != self.footer.rows_offset {
            return Err(self.corrupt(range.start, "table of names"));
        }
        Ok(names)
    }

    /// Where the texts and where the lists of a group of values are.
    pub(super) fn value_group(
        &self,
        name: &Name,
        group: u32,
    ) -> Result<(Range<u64>, Range<u64>), FileError> {
        let entry = name.table_offset + u64::from(group) * VALUE_GROUP_ENTRY_BYTES as u64;
        let end = name.table_offset + name.table_len();
        let (text, list) = self.value_group_entry(entry)?;
        let next = entry + VALUE_GROUP_ENTRY_BYTES as u64;
        let (texts_end, lists_end) = match next < end {
            true => {
                let (text, list) = self.value_group_entry(next)?;
                (name.texts_offset + text, name.postings_offset + list)
            }
            false => (name.postings_offset, name.table_offset),
        };
        let texts = name.texts_offset + text..texts_end;
        Ok((texts, name.postings_offset + list..lists_end))
    }

    fn value_group_entry(&self, offset: u64) -> Result<(u64, u64), FileError> {
        let mut cursor = Cursor::new(self.file.bytes(offset, VALUE_GROUP_ENTRY_BYTES)?);
        let text = self.at(offset, cursor.u32("group of values"))?;
        let list = self.at(offset, cursor.u32("group of values"))?;
        Ok((u64::from(text), u64::from(list)))
    }

    fn u64_at(&self, offset: u64) -> Result<u64, FileError> {
        let read = Cursor::new(self.file.bytes(offset, OFFSET_BYTES)?).u64("offset");
        self.at(offset, read)
    }

    fn u32_at(&self, offset: u64) -> Result<u32, FileError> {
        let read = Cursor::new(self.file.bytes(offset, PAGE_GROUP_BYTES)?).u32("offset");
        self.at(offset, read)
    }

    /// Where a group of rows is.
    pub(super) fn row_group(&self, group: u32) -> Result<Range<u64>, FileError> {
        let entry = self.footer.row_table_offset + u64::from(group) * OFFSET_BYTES as u64;
        let next = entry + OFFSET_BYTES as u64;
        let end = match next < self.footer.column_table_offset {
            true => self.u64_at(next)?,
            false => self.footer.row_table_offset,
        };
        Ok(self.u64_at(entry)?..end)
    }

    /// Where a timestamp column begins; it ends before the dictionaries.
    pub(super) fn column(&self, column: u32) -> Result<Range<u64>, FileError> {
        let table = self.footer.column_table_offset;
        if u64::from(column) >= self.footer.column_count {
            return Err(self.corrupt(table, "number of a timestamp column"));
        }
        let offset = self.u64_at(table + u64::from(column) * OFFSET_BYTES as u64)?;
        Ok(offset..self.footer.labels_offset)
    }

    /// Where a page of the series table is, and how many series it has.
    fn page(&self, page: u32) -> Result<(Range<u64>, u32), FileError> {
        let entry = self.footer.page_table_offset + u64::from(page) * PAGE_ENTRY_BYTES as u64;
        let start = self.u64_at(entry)?;
        let len = self.u32_at(entry + OFFSET_BYTES as u64)?;
        let first = page * SERIES_PER_PAGE as u32;
        let count = (self.series_count() - first).min(SERIES_PER_PAGE as u32);
        let head = u64::from(count) * FINGERPRINT_BYTES as u64
            + u64::from(count).div_ceil(SERIES_PER_GROUP as u64) * PAGE_GROUP_BYTES as u64;
        let end = start.saturating_add(u64::from(len));
        if u64::from(len) < head || end > self.footer.labels_offset {
            return Err(self.corrupt(entry, "page of the series table"));
        }
        Ok((start..end, count))
    }

    pub(super) fn fingerprint(&self, series: u32) -> Result<u64, FileError> {
        let (page, _) = self.page(series / SERIES_PER_PAGE as u32)?;
        let at = u64::from(series % SERIES_PER_PAGE as u32) * FINGERPRINT_BYTES as u64;
        self.u64_at(page.start + at)
    }

    /// Where the samples of the first series of a group are, and where the places of the group are.
    pub(super) fn place_group(&self, group: u32) -> Result<(u64, Range<u64>), FileError> {
        let groups_per_page = (SERIES_PER_PAGE / SERIES_PER_GROUP) as u32;
        let (page, count) = self.page(group / groups_per_page)?;
        let groups = count.div_ceil(SERIES_PER_GROUP as u32);
        let table = page.start + u64::from(count) * FINGERPRINT_BYTES as u64;
        let entry = |group: u32| self.u32_at(table + u64::from(group) * PAGE_GROUP_BYTES as u64);
        let group = group % groups_per_page;
        let start = page.start + u64::from(entry(group)?);
        let end = match group + 1 < groups {
            true => page.start + u64::from(entry(group + 1)?),
            false => page.end,
        };
        let mut cursor = Cursor::new(self.bytes(&(start..end))?);
        let offset = self.at(start, cursor.varint("place of a group"))?;
        Ok((offset, start + cursor.position() as u64..end))
    }
}

fn read_name(cursor: &mut Cursor<'_>, texts_offset: u64) -> Result<Name, Corrupt> {
    let text = cursor.text("label name")?.to_string();
    let value_count = u32::try_from(cursor.varint("number of values")?);
    let value_count = value_count.map_err(|_| cursor.corrupt("number of values"))?;
    let postings_offset = texts_offset.saturating_add(cursor.varint("length of texts")?);
    let table_offset = postings_offset.saturating_add(cursor.varint("length of postings")?);
    if value_count == 0 || u64::from(value_count) > postings_offset - texts_offset {
        return Err(cursor.corrupt("number of values"));
    }
    Ok(Name { text, value_count, texts_offset, postings_offset, table_offset })
}

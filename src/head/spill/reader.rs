//! Reading a spill. A look-up touches an entry of the page directory, two ends, and the chunks; nothing is held per series.

use std::path::Path;

use super::SpillMeta;
use super::layout::{
    END_BYTES, PAGE_ENTRY_BYTES, PART_LATE, PART_WINDOW, REFS_PER_PAGE, SPILL_KIND,
};
use crate::encoding::cursor::Cursor;
use crate::error::Corrupt;
use crate::fs::Disk;
use crate::fs::sealed::{FileError, SealedFile};
use crate::head::run::Part;
use crate::model::{SeriesRef, TimeRange};
use crate::sync::OnceLock;

/// An open spill.
#[derive(Debug)]
pub struct Spill {
    number: u64,
    file: SealedFile,
    meta: SpillMeta,
    ends_start: u64,
    pages_start: u64,
    page_count: u64,
    /// The lowest ref of the first page, once that was read.
    first_ref: OnceLock<u64>,
}

/// An entry of the page directory.
#[derive(Debug, Clone, Copy)]
struct Page {
    /// The lowest ref it may hold.
    first_ref: u64,
    /// A bit for each ref from there on.
    present: u64,
    /// Where the chunks of its first series begin.
    start: u64,
    /// How many series come before it.
    first_series: u64,
}

impl Spill {
    /// Opens spill number `number` and checks its footer.
    ///
    /// # Errors
    /// It is not a whole spill, or cannot be read.
    pub fn open(disk: &dyn Disk, path: &Path, number: u64) -> Result<Spill, FileError> {
        let file = SealedFile::open(disk, path, SPILL_KIND)?;
        let base = file.data_len();
        let parsed = parse_footer(file.footer(), file.data_len());
        let (meta, [ends_start, pages_start, page_count]) =
            parsed.map_err(|corrupt| FileError::Corrupt(corrupt.in_file(path, base)))?;
        let first_ref = OnceLock::new();
        Ok(Spill { number, file, meta, ends_start, pages_start, page_count, first_ref })
    }

    /// The number in its name.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The error for chunks of it that cannot be decoded.
    pub fn corrupt(&self, corrupt: Corrupt) -> FileError {
        FileError::Corrupt(corrupt.in_file(self.file.path(), 0))
    }

    pub fn meta(&self) -> SpillMeta {
        self.meta
    }

    pub fn file(&self) -> &SealedFile {
        &self.file
    }

    /// Names and sizes of the sections, in the order of the file.
    pub fn sections(&self) -> [(&'static str, u64); 4] {
        let data_len = self.file.data_len();
        [
            ("chunks", self.ends_start),
            ("ends", self.pages_start - self.ends_start),
            ("page directory", data_len - self.pages_start),
            ("checksums, footer, trailer", self.file.len_bytes() - data_len),
        ]
    }

    /// The chunks of a series.
    ///
    /// # Errors
    /// A page of the file that they or their directory entry lie in is damaged.
    pub fn chunks(&self, series: SeriesRef) -> Result<Option<&[u8]>, FileError> {
        let Some(page) = self.find_page(series.0)? else { return Ok(None) };
        let bit = series.0 - page.first_ref;
        match page.present >> bit & 1 {
            0 => Ok(None),
            _ => self.chunks_in(&page, bit).map(Some),
        }
    }

    /// Does it have samples of a series?
    pub fn has(&self, series: SeriesRef) -> Result<bool, FileError> {
        let page = self.find_page(series.0)?;
        Ok(page.is_some_and(|page| page.present >> (series.0 - page.first_ref) & 1 != 0))
    }

    /// The highest ref that it has samples of, as far as its directory can be read.
    pub fn highest_ref(&self) -> Option<SeriesRef> {
        let page = (0..self.page_count).rev().find_map(|number| self.page(number).ok())?;
        Some(SeriesRef(page.first_ref + u64::from(page.present.checked_ilog2()?)))
    }

    /// All series in order of their refs.
    pub fn cursor(&self) -> SpillCursor<'_> {
        SpillCursor { spill: self, next_page: 0, page: None, left: 0 }
    }

    fn page(&self, number: u64) -> Result<Page, FileError> {
        let offset = self.pages_start + number * PAGE_ENTRY_BYTES as u64;
        let mut cursor = Cursor::new(self.file.bytes(offset, PAGE_ENTRY_BYTES)?);
        let mut word = || cursor.u64("page entry").map_err(|_| self.corrupt_page(offset));
        let page =
            Page { first_ref: word()?, present: word()?, start: word()?, first_series: word()? };
        // Checked here, so that sums with them stay in range: the file's length and counts are below 2^63.
        let is_sound = page.first_ref.is_multiple_of(REFS_PER_PAGE)
            && page.start <= self.ends_start
            && page.first_series <= self.meta.series;
        if is_sound { Ok(page) } else { Err(self.corrupt_page(offset)) }
    }

    fn corrupt_page(&self, offset: u64) -> FileError {
        self.file.corrupt(offset, "entry of the page directory")
    }

    fn first_ref(&self) -> Result<u64, FileError> {
        if let Some(known) = self.first_ref.get() {
            return Ok(*known);
        }
        let page = self.page(0)?;
        Ok(*self.first_ref.get_or_init(|| page.first_ref))
    }

    /// The page that a ref belongs to. Refs mostly follow each other, so where it would be without holes is tried first.
    fn find_page(&self, series: u64) -> Result<Option<Page>, FileError> {
        if self.page_count == 0 {
            return Ok(None);
        }
        let first_ref = series - series % REFS_PER_PAGE;
        let Some(distance) = first_ref.checked_sub(self.first_ref()?) else { return Ok(None) };
        let guess = distance / REFS_PER_PAGE;
        let (mut low, mut high) = (0, self.page_count.min(guess + 1));
        if guess < self.page_count {
            let page = self.page(guess)?;
            if page.first_ref == first_ref {
                return Ok(Some(page));
            }
        }
        while low < high {
            let middle = low + (high - low) / 2;
            let page = self.page(middle)?;
            match page.first_ref.cmp(&first_ref) {
                std::cmp::Ordering::Equal => return Ok(Some(page)),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(None)
    }

    /// The chunks of the series with this bit of a page, which is set.
    fn chunks_in(&self, page: &Page, bit: u64) -> Result<&[u8], FileError> {
        let rank = u64::from((page.present & ((1u64 << bit) - 1)).count_ones());
        let start = if rank == 0 { 0 } else { self.end(page.first_series + rank - 1)? };
        let end = self.end(page.first_series + rank)?;
        let place = page.start + start;
        let len = end.checked_sub(start).filter(|len| place + len <= self.ends_start);
        let len = len.ok_or_else(|| self.file.corrupt(place, "end of a series' chunks"))?;
        self.file.bytes(place, len as usize)
    }

    fn end(&self, series: u64) -> Result<u64, FileError> {
        let offset = self.ends_start + series * END_BYTES as u64;
        let bytes = self.file.bytes(offset, END_BYTES)?;
        let mut cursor = Cursor::new(bytes);
        cursor.u32("end").map(u64::from).map_err(|_| self.file.corrupt(offset, "end of chunks"))
    }
}

/// Walks through a spill.
#[derive(Debug)]
pub struct SpillCursor<'a> {
    spill: &'a Spill,
    next_page: u64,
    page: Option<Page>,
    /// Bits of the page that were not given yet.
    left: u64,
}

impl<'a> SpillCursor<'a> {
    /// The next series and its chunks.
    ///
    /// # Errors
    /// Its bytes are damaged. The next call goes on behind it.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator of results reads worse in loops"
    )]
    pub fn next(&mut self) -> Result<Option<(SeriesRef, &'a [u8])>, FileError> {
        loop {
            if let Some(page) = self.page
                && self.left != 0
            {
                let bit = u64::from(self.left.trailing_zeros());
                self.left &= self.left - 1;
                let chunks = self.spill.chunks_in(&page, bit)?;
                return Ok(Some((SeriesRef(page.first_ref + bit), chunks)));
            }
            if self.next_page == self.spill.page_count {
                return Ok(None);
            }
            let number = self.next_page;
            self.next_page += 1;
            let page = self.spill.page(number)?;
            (self.page, self.left) = (Some(page), page.present);
        }
    }
}

/// The meaning of a footer, and where ends and page directory begin and how many pages there are. Lengths and counts are
/// compared with the data, so that later sums stay within the file.
fn parse_footer(footer: &[u8], data_len: u64) -> Result<(SpillMeta, [u64; 3]), Corrupt> {
    let mut cursor = Cursor::new(footer);
    let tag = cursor.u8("part")?;
    let window_start = cursor.varint_signed("window start")?;
    let part = match tag {
        PART_LATE => Part::Late,
        PART_WINDOW => Part::Window(window_start),
        _ => return Err(Corrupt::at(0, "part")),
    };
    let meta = SpillMeta {
        part,
        min_seq: cursor.varint("lowest sequence")?,
        max_seq: cursor.varint("highest sequence")?,
        range: TimeRange::new(
            cursor.varint_signed("first timestamp")?,
            cursor.varint_signed("last timestamp")?,
        ),
        series: cursor.varint("series count")?,
        samples: cursor.varint("sample count")?,
        tier: cursor.u8("tier")?,
        created_ms: cursor.varint_signed("time of creation")?,
    };
    let mut numbers = [0; 3];
    for number in &mut numbers {
        *number = cursor.varint("section")?;
    }
    let [ends_start, pages_start, page_count] = numbers;
    let ends_len = meta.series.checked_mul(END_BYTES as u64);
    let pages_len = page_count.checked_mul(PAGE_ENTRY_BYTES as u64);
    let fits = ends_len.is_some_and(|len| ends_start.checked_add(len) == Some(pages_start))
        && pages_len.is_some_and(|len| pages_start.checked_add(len) == Some(data_len));
    if !fits || !cursor.is_empty() {
        return Err(Corrupt::at(0, "sections of the footer"));
    }
    Ok((meta, numbers))
}

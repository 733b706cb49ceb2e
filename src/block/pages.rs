//! The series table: fingerprint of every series, where its samples lie in the file, and between which times. It is written in
//! pages among the samples, so that the writer keeps little of it.
//!
//! ```text
//! fingerprints     of each series of the page
//! group table      where each group of 32 series begins in the page
//! groups           offset of the samples of the first series, then per series the length of its samples
//! ```

use std::io;

use super::layout::*;
use super::reader::Block;
use crate::encoding::cursor::{Cursor, put_varint};
use crate::error::Corrupt;
use crate::fs::sealed::{FileError, SealedWriter};
use crate::model::{TimeRange, Timestamp};

/// Times in units of a block: what says roughly where a series has samples, in two bytes.
#[derive(Debug, Clone, Copy)]
pub struct Units {
    origin: Timestamp,
    shift: u32,
}

/// The first and the last unit in which a series has samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    pub first: u8,
    pub last: u8,
}

/// What a group begins with: a series that is there from the start of the block to its end.
const WHOLE: Extent = Extent { first: 0, last: u8::MAX };

impl Units {
    /// The smallest units, of a power of two milliseconds, in which the numbers of all times are bytes.
    pub fn of(bounds: TimeRange) -> Units {
        let width = bounds.maxt.wrapping_sub(bounds.mint) as u64;
        let bits = u64::BITS - width.leading_zeros();
        let unit_bits = EXTENT_UNITS_MAX.ilog2();
        Units { origin: bounds.mint, shift: bits.saturating_sub(unit_bits) }
    }

    /// The unit of a time within the bounds.
    pub fn unit(self, timestamp: Timestamp) -> u8 {
        let unit = timestamp.wrapping_sub(self.origin) as u64 >> self.shift;
        u8::try_from(unit).unwrap_or(u8::MAX)
    }

    pub fn extent(self, first: Timestamp, last: Timestamp) -> Extent {
        Extent { first: self.unit(first), last: self.unit(last) }
    }
}

/// Where the samples of a series are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub offset: u64,
    pub len: u64,
    pub extent: Extent,
}

/// Writes the series table.
#[derive(Debug)]
pub struct PagesWriter {
    fingerprints: Vec<u8>,
    starts: Vec<u32>,
    groups: Vec<u8>,
    in_page: usize,
    /// Behind the samples of the last series.
    end: u64,
    extent: Extent,
    /// Entries of the table of pages.
    pub table: Vec<u8>,
    pub len: u64,
}

impl Default for PagesWriter {
    fn default() -> PagesWriter {
        PagesWriter {
            fingerprints: Vec::new(),
            starts: Vec::new(),
            groups: Vec::new(),
            in_page: 0,
            end: 0,
            extent: WHOLE,
            table: Vec::new(),
            len: 0,
        }
    }
}

impl PagesWriter {
    /// Adds the next series; `out` is behind its samples.
    pub fn push(
        &mut self,
        fingerprint: u64,
        place: Place,
        out: &mut SealedWriter,
    ) -> io::Result<()> {
        self.fingerprints.extend_from_slice(&fingerprint.to_le_bytes());
        if self.in_page.is_multiple_of(SERIES_PER_GROUP) {
            self.starts.push(self.groups.len() as u32);
            put_varint(&mut self.groups, place.offset);
            (self.end, self.extent) = (place.offset, WHOLE);
        }
        let (gap, moves) = (place.offset - self.end, place.extent != self.extent);
        let head = place.len << 2 | u64::from(moves) << 1 | u64::from(gap > 0);
        put_varint(&mut self.groups, head);
        if gap > 0 {
            put_varint(&mut self.groups, gap);
        }
        if moves {
            self.groups.extend_from_slice(&[place.extent.first, place.extent.last]);
        }
        (self.end, self.extent) = (place.offset + place.len, place.extent);
        self.in_page += 1;
        if self.in_page == SERIES_PER_PAGE { self.flush(out) } else { Ok(()) }
    }

    /// Writes the page begun, if there is one.
    pub fn flush(&mut self, out: &mut SealedWriter) -> io::Result<()> {
        if self.in_page == 0 {
            return Ok(());
        }
        let start = out.position();
        out.write(&self.fingerprints)?;
        let first_group = self.fingerprints.len() + self.starts.len() * PAGE_GROUP_BYTES;
        for group in self.starts.drain(..) {
            out.write(&(first_group as u32 + group).to_le_bytes())?;
        }
        out.write(&self.groups)?;
        let len = out.position() - start;
        self.table.extend_from_slice(&start.to_le_bytes());
        self.table.extend_from_slice(&(len as u32).to_le_bytes());
        self.len += len;
        self.fingerprints.clear();
        self.groups.clear();
        self.in_page = 0;
        Ok(())
    }
}

/// Reads places; cheap from one to the next.
#[derive(Debug, Default)]
pub struct PlaceReader {
    /// The series whose place this is.
    current: Option<(u32, Place)>,
    next: u64,
    end: u64,
}

impl PlaceReader {
    /// The place of a series below the block's count.
    pub fn read(&mut self, block: &Block, series: u32) -> Result<Place, FileError> {
        let group = series / SERIES_PER_GROUP as u32;
        let (mut at, mut place) = match self.current.take() {
            Some((at, place)) if at <= series && at / SERIES_PER_GROUP as u32 == group => {
                (at, place)
            }
            _ => {
                let (offset, groups) = block.place_group(group)?;
                (self.next, self.end) = (groups.start, groups.end);
                let first = Place { offset, len: 0, extent: WHOLE };
                (group * SERIES_PER_GROUP as u32, self.step(block, first)?)
            }
        };
        while at < series {
            place = self.step(block, place)?;
            at += 1;
        }
        self.current = Some((at, place));
        Ok(place)
    }

    fn step(&mut self, block: &Block, before: Place) -> Result<Place, FileError> {
        let mut cursor = Cursor::new(block.bytes(&(self.next..self.end))?);
        let place = block.at(self.next, next_place(&mut cursor, before))?;
        self.next += cursor.position() as u64;
        Ok(place)
    }
}

fn next_place(cursor: &mut Cursor<'_>, before: Place) -> Result<Place, Corrupt> {
    let head = cursor.varint("place of a series")?;
    let gap = if head & 1 == 1 { cursor.varint("place of a series")? } else { 0 };
    let extent = match head & 2 {
        0 => before.extent,
        _ => Extent { first: cursor.u8("extent")?, last: cursor.u8("extent")? },
    };
    let offset = before.offset.saturating_add(before.len).saturating_add(gap);
    Ok(Place { offset, len: head >> 2, extent })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_any_bounds_are_bytes_and_grow_with_time() {
        for (mint, maxt) in
            [(0, 0), (0, 7_200_000), (-5, 250), (i64::MIN, i64::MAX), (i64::MIN, i64::MIN + 256)]
        {
            let units = Units::of(TimeRange::new(mint, maxt));
            let middle = ((i128::from(mint) + i128::from(maxt)) / 2) as i64;
            let extent = units.extent(middle, maxt);
            assert!(extent.first <= extent.last && units.unit(mint) == 0);
            assert!(
                i128::from(maxt) - i128::from(mint) < 128 || extent.last > 126,
                "{mint} {maxt}"
            );
        }
    }
}

//! The labels of every series, as numbers of names and values, in the order of the series: which is the order of these
//! numbers too, since both are in the order of their texts. `labels` writes rows; selections, look-ups and streams read them.
//!
//! The first row of a group is whole, the others tell what differs from the row before.

use std::io;

use super::layout::*;
use super::reader::Block;
use crate::encoding::cursor::{Cursor, put_varint, put_varint_signed};
use crate::error::Corrupt;
use crate::fs::sealed::{FileError, SealedWriter};

/// A label: numbers of its name and of its value among the name's values.
pub type Pair = (u32, u32);

/// Most labels of a row that is told as a difference: a bit of the head stands for each.
const DIFFERENCE_LABELS_MAX: usize = 62;

/// Writes rows.
#[derive(Debug, Default)]
pub struct RowsWriter {
    count: usize,
    previous: Vec<Pair>,
    scratch: Vec<u8>,
    /// Where groups begin in the file.
    pub starts: Vec<u64>,
}

impl RowsWriter {
    pub fn push(&mut self, row: &[Pair], out: &mut SealedWriter) -> io::Result<()> {
        self.scratch.clear();
        let begins_group = self.count.is_multiple_of(SERIES_PER_GROUP);
        if begins_group {
            self.starts.push(out.position());
        }
        match begins_group || !has_same_names(&self.previous, row) {
            true => put_whole(row, &mut self.scratch),
            false => put_difference(&self.previous, row, &mut self.scratch),
        }
        self.previous.clear();
        self.previous.extend_from_slice(row);
        self.count += 1;
        out.write(&self.scratch)
    }
}

fn has_same_names(a: &[Pair], b: &[Pair]) -> bool {
    a.len() == b.len()
        && b.len() <= DIFFERENCE_LABELS_MAX
        && a.iter().zip(b).all(|(a, b)| a.0 == b.0)
}

fn put_whole(row: &[Pair], out: &mut Vec<u8>) {
    put_varint(out, (row.len() as u64) << 1 | 1);
    let mut next_name = 0;
    for (name, value) in row {
        put_varint(out, u64::from(name - next_name));
        put_varint(out, u64::from(*value));
        next_name = name + 1;
    }
}

/// The labels that differ are mostly the last ones, so the lowest bit stands for the last label.
fn put_difference(previous: &[Pair], row: &[Pair], out: &mut Vec<u8>) {
    let differ = previous.iter().zip(row).map(|(before, now)| before.1 != now.1);
    let mask = differ.fold(0u64, |mask, differs| mask << 1 | u64::from(differs));
    put_varint(out, mask << 1);
    for (before, now) in previous.iter().zip(row).filter(|(before, now)| before.1 != now.1) {
        put_varint_signed(out, i64::from(now.1) - i64::from(before.1));
    }
}

/// Reads rows; cheap from one to the next.
#[derive(Debug, Default)]
pub struct RowReader {
    row: Vec<Pair>,
    /// Series whose row this is.
    series: Option<u32>,
    /// Where the next row of the group begins, and where the group ends.
    next: u64,
    end: u64,
}

impl RowReader {
    /// The row of a series below the block's count.
    pub fn read(&mut self, block: &Block, series: u32) -> Result<&[Pair], FileError> {
        let group = series / SERIES_PER_GROUP as u32;
        let is_ahead = |at: u32| at <= series && at / SERIES_PER_GROUP as u32 == group;
        if !self.series.is_some_and(is_ahead) {
            let rows = block.row_group(group)?;
            (self.next, self.end) = (rows.start, rows.end);
            self.step(block, group * SERIES_PER_GROUP as u32)?;
        }
        while let Some(at) = self.series.filter(|at| *at < series) {
            self.step(block, at + 1)?;
        }
        Ok(&self.row)
    }

    /// The value of a name in the row of a series.
    pub fn value(
        &mut self,
        block: &Block,
        series: u32,
        name: u32,
    ) -> Result<Option<u32>, FileError> {
        let row = self.read(block, series)?;
        Ok(row.binary_search_by_key(&name, |pair| pair.0).ok().map(|at| row[at].1))
    }

    fn step(&mut self, block: &Block, series: u32) -> Result<(), FileError> {
        self.series = None;
        let is_first = series.is_multiple_of(SERIES_PER_GROUP as u32);
        let mut cursor = Cursor::new(block.bytes(&(self.next..self.end))?);
        let read = read_row(&mut cursor, is_first, &mut self.row);
        block.at(self.next, read)?;
        for (name, value) in &self.row {
            if block.names().get(*name as usize).is_none_or(|name| *value >= name.value_count) {
                return Err(block.corrupt(self.next, "labels of a series"));
            }
        }
        self.next += cursor.position() as u64;
        self.series = Some(series);
        Ok(())
    }
}

/// Turns a row into the next one.
fn read_row(cursor: &mut Cursor<'_>, is_first: bool, row: &mut Vec<Pair>) -> Result<(), Corrupt> {
    let head = cursor.varint("head of a row")?;
    if head & 1 == 0 {
        if is_first {
            return Err(cursor.corrupt("first row of a group"));
        }
        return read_difference(cursor, head >> 1, row);
    }
    let count = usize::try_from(head >> 1).ok().filter(|count| *count <= cursor.remaining());
    let count = count.ok_or_else(|| cursor.corrupt("number of labels"))?;
    row.clear();
    row.reserve(count);
    let mut next_name = 0u32;
    for _ in 0..count {
        let name = u64::from(next_name).checked_add(cursor.varint("label name")?);
        let name = name.and_then(|name| u32::try_from(name).ok()).filter(|name| *name < u32::MAX);
        let name = name.ok_or_else(|| cursor.corrupt("label name"))?;
        let value = u32::try_from(cursor.varint("label value")?);
        row.push((name, value.map_err(|_| cursor.corrupt("label value"))?));
        next_name = name + 1;
    }
    Ok(())
}

fn read_difference(cursor: &mut Cursor<'_>, mask: u64, row: &mut [Pair]) -> Result<(), Corrupt> {
    if row.len() > DIFFERENCE_LABELS_MAX || mask >> row.len() != 0 {
        return Err(cursor.corrupt("changed labels of a row"));
    }
    let len = row.len();
    for (i, pair) in row.iter_mut().enumerate() {
        if mask >> (len - 1 - i) & 1 == 1 {
            let value = i64::from(pair.1).checked_add(cursor.varint_signed("label value")?);
            let value = value.and_then(|value| u32::try_from(value).ok());
            pair.1 = value.ok_or_else(|| cursor.corrupt("label value"))?;
        }
    }
    Ok(())
}

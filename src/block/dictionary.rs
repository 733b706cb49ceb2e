//! The values of one label name: sorted, unique, front-coded in groups, each value with its list of series. `labels` writes
//! them; `select`, `lookup` and `rows` find numbers by text and texts by number.
//!
//! ```text
//! texts        groups of 16: for each how much it shares with the one before, and the rest; the first is whole
//! postings     groups of 16 lists
//! group table  where the texts and the postings of each group begin
//! ```

use std::cmp::Ordering;
use std::io;
use std::ops::Range;

use super::layout::*;
use super::postings::List;
use super::reader::Block;
use crate::encoding::cursor::{Cursor, put_varint};
use crate::error::Corrupt;
use crate::fs::sealed::{FileError, SealedWriter};

/// A label name of a block, and where its dictionary is.
#[derive(Debug, Clone)]
pub struct Name {
    pub text: String,
    pub value_count: u32,
    pub texts_offset: u64,
    pub postings_offset: u64,
    pub table_offset: u64,
}

impl Name {
    /// Bytes of the group table.
    pub fn table_len(&self) -> u64 {
        u64::from(self.value_count).div_ceil(VALUES_PER_GROUP as u64)
            * VALUE_GROUP_ENTRY_BYTES as u64
    }
}

/// Writes the texts of a dictionary as they come, sorted and unique.
#[derive(Debug, Default)]
pub struct TextsWriter {
    count: usize,
    len: u64,
    previous: Vec<u8>,
    scratch: Vec<u8>,
    /// Where groups begin.
    pub starts: Vec<u32>,
}

impl TextsWriter {
    pub fn push(&mut self, text: &[u8], out: &mut SealedWriter) -> io::Result<()> {
        self.scratch.clear();
        if self.count.is_multiple_of(VALUES_PER_GROUP) {
            self.starts.push(small(self.len)?);
            self.previous.clear();
        } else {
            put_varint(&mut self.scratch, shared_len(&self.previous, text) as u64);
        }
        let rest = &text[shared_len(&self.previous, text)..];
        put_varint(&mut self.scratch, rest.len() as u64);
        self.scratch.extend_from_slice(rest);
        self.previous.clear();
        self.previous.extend_from_slice(text);
        self.count += 1;
        self.len += self.scratch.len() as u64;
        out.write(&self.scratch)
    }
}

/// An offset in a dictionary, for which 32 bits are kept.
pub fn small(offset: u64) -> io::Result<u32> {
    u32::try_from(offset).map_err(|_| io::Error::other("a label has more than 4 GiB of values"))
}

/// Bytes that two texts begin with.
pub fn shared_len(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// A place in the texts of a dictionary, which moves forward cheaply within a group.
#[derive(Debug, Default)]
pub struct TextCursor {
    /// Number of the value whose text this is.
    value: Option<u32>,
    text: Vec<u8>,
    /// What of the group is behind it.
    rest: Range<u64>,
}

impl TextCursor {
    pub fn bytes(&self) -> &[u8] {
        &self.text
    }

    pub fn text(&self, block: &Block) -> Result<&str, FileError> {
        let text = std::str::from_utf8(&self.text);
        text.map_err(|_| block.corrupt(self.rest.start, "label value: not UTF-8"))
    }

    /// Goes to a value below the name's count.
    pub fn seek(&mut self, block: &Block, name: &Name, value: u32) -> Result<(), FileError> {
        let group = value / VALUES_PER_GROUP as u32;
        let is_ahead = |at: u32| at <= value && at / VALUES_PER_GROUP as u32 == group;
        if !self.value.is_some_and(is_ahead) {
            self.enter(block, name, group)?;
        }
        while self.value.is_some_and(|at| at < value) {
            self.step(block)?;
        }
        Ok(())
    }

    /// Goes to the first value of a group.
    fn enter(&mut self, block: &Block, name: &Name, group: u32) -> Result<(), FileError> {
        let (texts, _) = block.value_group(name, group)?;
        self.value = None;
        self.text.clear();
        let bytes = block.bytes(&texts)?;
        let (text, position) = block.at(texts.start, first_text(bytes))?;
        self.text.extend_from_slice(text);
        self.rest = texts.start + position..texts.end;
        self.value = Some(group * VALUES_PER_GROUP as u32);
        Ok(())
    }

    /// Goes to the next value of the group.
    fn step(&mut self, block: &Block) -> Result<(), FileError> {
        let bytes = block.bytes(&self.rest)?;
        let before = self.value.take();
        let position = block.at(self.rest.start, next_text(bytes, &mut self.text))?;
        self.rest.start += position;
        self.value = before.map(|value| value + 1);
        Ok(())
    }
}

/// The first text of a group, and where the second begins.
fn first_text(group: &[u8]) -> Result<(&[u8], u64), Corrupt> {
    let mut cursor = Cursor::new(group);
    let len = cursor.length("length of a value")?;
    let text = cursor.bytes(len, "value")?;
    Ok((text, cursor.position() as u64))
}

/// Turns a text into the next one; gives the bytes that it took.
fn next_text(bytes: &[u8], text: &mut Vec<u8>) -> Result<u64, Corrupt> {
    let mut cursor = Cursor::new(bytes);
    let shared = cursor.varint("shared length of a value")?;
    let shared = usize::try_from(shared).ok().filter(|shared| *shared <= text.len());
    let shared = shared.ok_or_else(|| cursor.corrupt("shared length of a value"))?;
    let len = cursor.length("length of a value")?;
    text.truncate(shared);
    text.extend_from_slice(cursor.bytes(len, "value")?);
    Ok(cursor.position() as u64)
}

/// The first value that is not below a text.
pub fn lower_bound(block: &Block, name: &Name, text: &[u8]) -> Result<u32, FileError> {
    Ok(search(block, name, text)?.0)
}

/// The value that is this text.
pub fn find(block: &Block, name: &Name, text: &[u8]) -> Result<Option<u32>, FileError> {
    let (value, is_found) = search(block, name, text)?;
    Ok(is_found.then_some(value))
}

fn search(block: &Block, name: &Name, text: &[u8]) -> Result<(u32, bool), FileError> {
    let groups = name.value_count.div_ceil(VALUES_PER_GROUP as u32);
    let (mut low, mut high) = (0, groups);
    while low < high {
        let middle = low + (high - low) / 2;
        let (texts, _) = block.value_group(name, middle)?;
        let (first, _) = block.at(texts.start, first_text(block.bytes(&texts)?))?;
        match first.cmp(text) {
            Ordering::Less => low = middle + 1,
            Ordering::Equal => return Ok((middle * VALUES_PER_GROUP as u32, true)),
            Ordering::Greater => high = middle,
        }
    }
    let Some(group) = low.checked_sub(1) else { return Ok((0, false)) };
    let mut cursor = TextCursor::default();
    let start = group * VALUES_PER_GROUP as u32;
    for value in start..name.value_count.min(start.saturating_add(VALUES_PER_GROUP as u32)) {
        cursor.seek(block, name, value)?;
        match cursor.bytes().cmp(text) {
            Ordering::Less => {}
            order => return Ok((value, order == Ordering::Equal)),
        }
    }
    Ok((name.value_count.min(start.saturating_add(VALUES_PER_GROUP as u32)), false))
}

/// Calls `visit` for every value of a range with its text.
pub fn scan(
    block: &Block,
    name: &Name,
    values: Range<u32>,
    mut visit: impl FnMut(u32, &str),
) -> Result<(), FileError> {
    let mut cursor = TextCursor::default();
    for value in values {
        cursor.seek(block, name, value)?;
        visit(value, cursor.text(block)?);
    }
    Ok(())
}

/// Calls `visit` with the list of each of some ascending values. A series has one value per name, so all lists together are
/// no longer than there are series: lists that are give an error before they are decoded.
pub fn each_list(
    block: &Block,
    name: &Name,
    values: &[u32],
    mut visit: impl FnMut(u32, &List<'_>) -> Result<(), Corrupt>,
) -> Result<(), FileError> {
    let group_of = |value: &u32| value / VALUES_PER_GROUP as u32;
    let mut left = block.series_count();
    for values in values.chunk_by(|a, b| group_of(a) == group_of(b)) {
        let group = group_of(&values[0]);
        let (_, lists) = block.value_group(name, group)?;
        let mut cursor = Cursor::new(block.bytes(&lists)?);
        let mut reader = ListReader { at: group * VALUES_PER_GROUP as u32, previous_first: 0 };
        for value in values {
            let list = block.at(lists.start, reader.seek(&mut cursor, *value, block))?;
            let rest = left.checked_sub(list.count);
            left = rest.ok_or_else(|| block.corrupt(lists.start, "postings that overlap"))?;
            block.at(lists.start, visit(*value, &list))?;
        }
    }
    Ok(())
}

/// Where in a group of lists a cursor is.
struct ListReader {
    /// The value whose list is next.
    at: u32,
    previous_first: u32,
}

impl ListReader {
    /// The list of a value that is not before the next one.
    fn seek<'a>(
        &mut self,
        cursor: &mut Cursor<'a>,
        value: u32,
        block: &Block,
    ) -> Result<List<'a>, Corrupt> {
        loop {
            let list = List::read(cursor, self.previous_first, block.series_count())?;
            (self.at, self.previous_first) = (self.at + 1, list.first);
            if self.at > value {
                return Ok(list);
            }
        }
    }
}

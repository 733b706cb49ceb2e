//! The footer of a block: what it is, and where its sections begin. Written by `writer`, read when a block is opened.

use super::layout::*;
use crate::encoding::cursor::Cursor;
use crate::error::Corrupt;
use crate::model::{CommitSeq, TimeRange};

/// Every field of a footer, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footer {
    pub id: u128,
    /// Of the samples.
    pub range: TimeRange,
    /// What was promised of the samples; the units of extents divide it.
    pub bounds: TimeRange,
    pub min_seq: CommitSeq,
    pub max_seq: CommitSeq,
    pub series_count: u64,
    pub sample_count: u64,
    pub column_count: u64,
    pub samples_len: u64,
    pub timestamps_len: u64,
    pub pages_len: u64,
    pub labels_offset: u64,
    pub rows_offset: u64,
    pub row_table_offset: u64,
    pub column_table_offset: u64,
    pub page_table_offset: u64,
    pub names_offset: u64,
    pub name_count: u32,
    pub level: u8,
    pub parents: Vec<u128>,
}

impl Footer {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.id.to_le_bytes().to_vec();
        for timestamp in [self.range.mint, self.range.maxt, self.bounds.mint, self.bounds.maxt] {
            out.extend_from_slice(&timestamp.to_le_bytes());
        }
        for number in [self.min_seq, self.max_seq, self.series_count, self.sample_count] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for number in [self.column_count, self.samples_len, self.timestamps_len, self.pages_len] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for offset in self.offsets() {
            out.extend_from_slice(&offset.to_le_bytes());
        }
        out.extend_from_slice(&self.name_count.to_le_bytes());
        out.push(self.level);
        out.extend_from_slice(&(self.parents.len() as u16).to_le_bytes());
        for parent in &self.parents {
            out.extend_from_slice(&parent.to_le_bytes());
        }
        out
    }

    /// Where sections begin, in the order of the file; the last ends with the data.
    pub fn offsets(&self) -> [u64; 6] {
        [
            self.labels_offset,
            self.rows_offset,
            self.row_table_offset,
            self.column_table_offset,
            self.page_table_offset,
            self.names_offset,
        ]
    }

    /// # Errors
    /// It is not of its length, or what it says of sizes cannot be in a file with `data_len` bytes of data. After this the
    /// tables lie within the data, one behind the other, and have as many entries as counted.
    pub fn decode(bytes: &[u8], data_len: u64) -> Result<Footer, Corrupt> {
        let mut cursor = Cursor::new(bytes);
        let footer = Footer::read(&mut cursor)?;
        if !cursor.is_empty() {
            return Err(cursor.corrupt("length of the footer"));
        }
        match footer.is_possible(data_len) {
            true => Ok(footer),
            false => Err(Corrupt::at(0, "sizes in the footer")),
        }
    }

    fn read(cursor: &mut Cursor<'_>) -> Result<Footer, Corrupt> {
        let range = |cursor: &mut Cursor<'_>| {
            Ok(TimeRange::new(cursor.u64("mint")? as i64, cursor.u64("maxt")? as i64))
        };
        Ok(Footer {
            id: u128_of(cursor)?,
            range: range(cursor)?,
            bounds: range(cursor)?,
            min_seq: cursor.u64("min_seq")?,
            max_seq: cursor.u64("max_seq")?,
            series_count: cursor.u64("series_count")?,
            sample_count: cursor.u64("sample_count")?,
            column_count: cursor.u64("column_count")?,
            samples_len: cursor.u64("samples_len")?,
            timestamps_len: cursor.u64("timestamps_len")?,
            pages_len: cursor.u64("pages_len")?,
            labels_offset: cursor.u64("labels_offset")?,
            rows_offset: cursor.u64("rows_offset")?,
            row_table_offset: cursor.u64("row_table_offset")?,
            column_table_offset: cursor.u64("column_table_offset")?,
            page_table_offset: cursor.u64("page_table_offset")?,
            names_offset: cursor.u64("names_offset")?,
            name_count: cursor.u32("name_count")?,
            level: cursor.u8("level")?,
            parents: {
                let count = u16::from_le_bytes([cursor.u8("parents")?, cursor.u8("parents")?]);
                (0..count).map(|_| u128_of(cursor)).collect::<Result<_, _>>()?
            },
        })
    }

    fn is_possible(&self, data_len: u64) -> bool {
        let offsets = self.offsets();
        let tables = [
            (self.row_table_offset, self.series_count.div_ceil(SERIES_PER_GROUP as u64), 8),
            (self.column_table_offset, self.column_count, OFFSET_BYTES as u64),
            (
                self.page_table_offset,
                self.series_count.div_ceil(SERIES_PER_PAGE as u64),
                PAGE_ENTRY_BYTES as u64,
            ),
        ];
        let ends = [self.column_table_offset, self.page_table_offset, self.names_offset];
        let fits = |((offset, count, size), end): ((u64, u64, u64), u64)| {
            count.checked_mul(size).and_then(|len| len.checked_add(offset)) == Some(end)
        };
        let rows_len = self.row_table_offset.saturating_sub(self.rows_offset);
        offsets.is_sorted()
            && self.names_offset <= data_len
            && tables.into_iter().zip(ends).all(fits)
            && (1..=SERIES_MAX as u64).contains(&self.series_count)
            && self.series_count <= rows_len
            && self.column_count <= u64::from(u32::MAX)
            && u64::from(self.name_count) <= data_len - self.names_offset
            && !self.range.is_empty()
            && self.bounds.contains(self.range.mint)
            && self.bounds.contains(self.range.maxt)
    }
}

fn u128_of(cursor: &mut Cursor<'_>) -> Result<u128, Corrupt> {
    let low = cursor.u64("id")?;
    Ok(u128::from(cursor.u64("id")?) << 64 | u128::from(low))
}

//! The samples of one series as they lie in a block: a head that tells of its chunks, then the columns of their values. The
//! timestamps of a chunk are a column that is elsewhere in the file, shared, or a part of one (`times`).
//!
//! ```text
//! chunk count    varint
//! per chunk      column << 1 | is a part; of a part: start, length, gaps; length of the values, but for the last chunk
//! values         a column per chunk
//! ```

use super::layout::GAP_BYTES_MIN;
use super::times::{Gap, Part, Use};
use crate::encoding::column::COLUMN_VALUES_MAX;
use crate::encoding::cursor::{Cursor, put_varint};
use crate::error::Corrupt;

/// Appends what the head says of a chunk. `values_len` is `None` for the last one.
pub fn put_chunk(used: &Use, values_len: Option<usize>, out: &mut Vec<u8>) {
    put_varint(out, u64::from(used.column) << 1 | u64::from(used.part.is_some()));
    if let Some(part) = &used.part {
        put_varint(out, part.start as u64);
        put_varint(out, part.len as u64);
        put_varint(out, part.gaps.len() as u64);
        for gap in &part.gaps {
            put_varint(out, gap.present as u64);
            put_varint(out, gap.missing as u64);
        }
    }
    if let Some(len) = values_len {
        put_varint(out, len as u64);
    }
}

/// A chunk as the head tells of it.
#[derive(Debug, Clone)]
pub struct Chunk {
    pub used: Use,
    /// Where its values are, from the start of the samples of the series.
    pub values_start: usize,
    pub values_len: usize,
}

/// Reads the head of the samples of a series, all of which are given.
pub fn read_chunks(bytes: &[u8]) -> Result<Vec<Chunk>, Corrupt> {
    let mut cursor = Cursor::new(bytes);
    let count = cursor.length("number of chunks")?;
    if count == 0 {
        return Err(cursor.corrupt("number of chunks"));
    }
    let mut chunks = Vec::with_capacity(count.min(bytes.len() / 2 + 1));
    for i in 1..=count {
        let used = read_use(&mut cursor)?;
        let is_last = i == count;
        let values_len = if is_last { 0 } else { cursor.length("length of values")? };
        chunks.push(Chunk { used, values_start: 0, values_len });
    }
    let mut start = cursor.position();
    for chunk in &mut chunks {
        chunk.values_start = start;
        start = start.saturating_add(chunk.values_len);
    }
    if start > bytes.len() {
        return Err(cursor.corrupt("length of values"));
    }
    if let Some(last) = chunks.last_mut() {
        last.values_len = bytes.len() - start;
    }
    Ok(chunks)
}

fn read_use(cursor: &mut Cursor<'_>) -> Result<Use, Corrupt> {
    let head = cursor.varint("timestamp column of a chunk")?;
    let column = u32::try_from(head >> 1);
    let column = column.map_err(|_| cursor.corrupt("timestamp column of a chunk"))?;
    let part = if head & 1 == 1 { Some(read_part(cursor)?) } else { None };
    Ok(Use { column, part })
}

fn read_part(cursor: &mut Cursor<'_>) -> Result<Part, Corrupt> {
    let start = position(cursor)?;
    let len = position(cursor)?;
    let count = position(cursor)?;
    if count > cursor.remaining() / GAP_BYTES_MIN || start + len > COLUMN_VALUES_MAX {
        return Err(cursor.corrupt("part of a timestamp column"));
    }
    let mut gaps = Vec::with_capacity(count);
    let mut left = len;
    for _ in 0..count {
        let gap = Gap { present: position(cursor)?, missing: position(cursor)? };
        let rest = left.checked_sub(gap.present + gap.missing);
        left = rest.ok_or_else(|| cursor.corrupt("gap in a timestamp column"))?;
        gaps.push(gap);
    }
    match left {
        0 => Err(cursor.corrupt("part of a timestamp column")),
        _ => Ok(Part { start, len, gaps }),
    }
}

/// A number of positions in a column.
fn position(cursor: &mut Cursor<'_>) -> Result<usize, Corrupt> {
    let value = cursor.varint("position in a timestamp column")?;
    let value = usize::try_from(value).ok().filter(|value| *value <= COLUMN_VALUES_MAX);
    value.ok_or_else(|| cursor.corrupt("position in a timestamp column"))
}

//! Columns of blocks, plain for now: what `block` is built against until the codecs are here.

use super::cursor::Cursor;
use crate::error::Corrupt;
use crate::model::Timestamp;

/// Most values of one column.
pub const COLUMN_VALUES_MAX: usize = 4096;

/// Encodes columns, one after the other.
#[derive(Debug, Default)]
pub struct ColumnEncoder {}

impl ColumnEncoder {
    /// Appends a column of values.
    pub fn floats(&mut self, values: &[f64], out: &mut Vec<u8>) {
        out.extend(values.iter().flat_map(|value| value.to_bits().to_le_bytes()));
    }

    /// Appends a column of timestamps.
    pub fn timestamps(&mut self, timestamps: &[Timestamp], out: &mut Vec<u8>) {
        out.extend(timestamps.iter().flat_map(|timestamp| timestamp.to_le_bytes()));
    }
}

/// Appends the `count` values of a column.
pub fn decode_floats(bytes: &[u8], count: usize, out: &mut Vec<f64>) -> Result<(), Corrupt> {
    let mut cursor = Cursor::new(bytes);
    for _ in 0..count {
        out.push(f64::from_bits(cursor.u64("value")?));
    }
    if cursor.is_empty() { Ok(()) } else { Err(cursor.corrupt("column length")) }
}

/// Appends the `count` timestamps of a column.
pub fn decode_timestamps(
    bytes: &[u8],
    count: usize,
    out: &mut Vec<Timestamp>,
) -> Result<(), Corrupt> {
    let mut cursor = Cursor::new(bytes);
    for _ in 0..count {
        out.push(cursor.u64("timestamp")? as i64);
    }
    if cursor.is_empty() { Ok(()) } else { Err(cursor.corrupt("column length")) }
}

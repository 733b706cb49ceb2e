//! The timestamp column: an integer column without a scale. Called by `column` only.
//!
//! The tag byte is the order of differences.

use super::integers::{self, Effort, IntegerEncoder, Order};
use crate::encoding::cursor::Cursor;
use crate::error::Corrupt;
use crate::model::Timestamp;

const ORDER_MASK: u8 = 3;

/// Buffers of the encoder of timestamp columns.
#[derive(Debug, Default)]
pub struct TimestampEncoder {
    encoder: IntegerEncoder,
}

impl TimestampEncoder {
    pub fn new(effort: Effort) -> TimestampEncoder {
        TimestampEncoder { encoder: IntegerEncoder::new(effort) }
    }

    /// Appends a column of timestamps.
    pub fn encode(&mut self, timestamps: &[Timestamp], out: &mut Vec<u8>) {
        let order = self.encoder.prepare(timestamps);
        out.push(order as u8);
        self.encoder.write(out);
    }
}

/// Appends the `count` timestamps of a column.
pub fn decode(bytes: &[u8], count: usize, out: &mut Vec<Timestamp>) -> Result<(), Corrupt> {
    let mut cursor = Cursor::new(bytes);
    let tag = cursor.u8("column tag")?;
    if tag > ORDER_MASK {
        return Err(Corrupt::at(0, "column tag of this version"));
    }
    let order = Order::from_code(tag);
    integers::decode(&mut cursor, order, count, |chunk| out.extend_from_slice(chunk))?;
    if !cursor.is_empty() {
        return Err(cursor.corrupt("end of a column"));
    }
    Ok(())
}

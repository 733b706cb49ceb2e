//! The timestamp column: an integer column without a scale. Timestamps too far apart for that stand as they are. Called by
//! `column` only.
//!
//! The tag byte is the order of differences, or says that the timestamps are plain.

use super::integers::{self, IntegerEncoder, Order};
use super::scale::INTEGER_MAX;
use crate::encoding::cursor::Cursor;
use crate::error::Corrupt;
use crate::model::Timestamp;

const TAG_PLAIN: u8 = 4;

/// Buffers of the encoder of timestamp columns.
#[derive(Debug, Default)]
pub struct TimestampEncoder {
    encoder: IntegerEncoder,
}

impl TimestampEncoder {
    /// Appends a column of timestamps.
    pub fn encode(&mut self, timestamps: &[Timestamp], out: &mut Vec<u8>) {
        let range = timestamps
            .iter()
            .fold((i64::MAX, i64::MIN), |(least, most), t| (least.min(*t), most.max(*t)));
        if range.1.abs_diff(range.0) > INTEGER_MAX as u64 {
            out.push(TAG_PLAIN);
            out.extend(timestamps.iter().flat_map(|timestamp| timestamp.to_le_bytes()));
            return;
        }
        let order = self.encoder.prepare(timestamps);
        out.push(order as u8);
        self.encoder.write(out);
    }
}

/// Appends the `count` timestamps of a column.
pub fn decode(bytes: &[u8], count: usize, out: &mut Vec<Timestamp>) -> Result<(), Corrupt> {
    let mut cursor = Cursor::new(bytes);
    match cursor.u8("column tag")? {
        TAG_PLAIN => {
            for _ in 0..count {
                out.push(cursor.u64("plain timestamp")? as i64);
            }
        }
        tag if tag < TAG_PLAIN => {
            let order = Order::from_code(tag);
            integers::decode(&mut cursor, order, count, |chunk| out.extend_from_slice(chunk))?;
        }
        _ => return Err(Corrupt::at(0, "column tag of this version")),
    }
    if !cursor.is_empty() {
        return Err(cursor.corrupt("end of a column"));
    }
    Ok(())
}

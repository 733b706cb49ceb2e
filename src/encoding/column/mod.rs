//! Columns of blocks: the values, or the timestamps, of one chunk of one series. Each column takes the cheapest of a few
//! codecs, which a tag byte names. `block` writes and reads them; what a column belongs to is kept beside it, also
//! the number of its values. `storage-format.md`, "Columns", has every byte.
//!
//! 1. Values that are all the same are a *constant*.
//! 2. Values that are integers times a power of ten are kept as these integers (`scale`); the few that are not, like a
//!    staleness marker, are kept beside them (`patches`). Other values of similar size are the integers that their bits are.
//! 3. Integers are kept as they are, or as differences, or as differences of differences (`integers`), in frames of
//!    few bits (`frame`).
//! 4. Values that are wilder than that are XORed each with the one before (`xor`).

mod constant;
mod frame;
mod integers;
pub mod layout;
mod packer;
mod patches;
mod scale;
mod timestamps;
mod values;
mod window;
mod xor;

#[cfg(test)]
mod tests;

use crate::error::Corrupt;
use crate::model::Timestamp;

pub use integers::Effort;

/// Most values of one column. A column is decoded as a whole, also for a query that needs a few of its values; at this size
/// that takes some ten microseconds.
pub const COLUMN_VALUES_MAX: usize = 4096;

/// Encodes columns, one after the other, without allocating for each.
#[derive(Debug, Default)]
pub struct ColumnEncoder {
    values: values::ValueEncoder,
    timestamps: timestamps::TimestampEncoder,
}

impl ColumnEncoder {
    pub fn new(effort: Effort) -> ColumnEncoder {
        ColumnEncoder {
            values: values::ValueEncoder::new(effort),
            timestamps: timestamps::TimestampEncoder::new(effort),
        }
    }

    /// Appends a column of 1 to [`COLUMN_VALUES_MAX`] values; every bit of them comes back.
    pub fn floats(&mut self, values: &[f64], out: &mut Vec<u8>) {
        assert_len(values.len());
        self.values.encode(values, out);
    }

    /// Appends a column of 1 to [`COLUMN_VALUES_MAX`] timestamps, in any order.
    pub fn timestamps(&mut self, timestamps: &[Timestamp], out: &mut Vec<u8>) {
        assert_len(timestamps.len());
        self.timestamps.encode(timestamps, out);
    }
}

fn assert_len(count: usize) {
    assert!((1..=COLUMN_VALUES_MAX).contains(&count), "a column of {count} values");
}

/// Appends one column of values; see [`ColumnEncoder::floats`].
pub fn encode_floats(values: &[f64], out: &mut Vec<u8>) {
    ColumnEncoder::default().floats(values, out);
}

/// Appends one column of timestamps; see [`ColumnEncoder::timestamps`].
pub fn encode_timestamps(timestamps: &[Timestamp], out: &mut Vec<u8>) {
    ColumnEncoder::default().timestamps(timestamps, out);
}

/// Appends the `count` values of a column.
///
/// # Errors
/// The bytes are not a column of that many values, or there are bytes behind it; `out` is as before.
pub fn decode_floats(bytes: &[u8], count: usize, out: &mut Vec<f64>) -> Result<(), Corrupt> {
    decode(count, out, |out| values::decode(bytes, count, out))
}

/// Appends the `count` timestamps of a column.
///
/// # Errors
/// The bytes are not a column of that many timestamps, or there are bytes behind it; `out` is as before.
pub fn decode_timestamps(
    bytes: &[u8],
    count: usize,
    out: &mut Vec<Timestamp>,
) -> Result<(), Corrupt> {
    decode(count, out, |out| timestamps::decode(bytes, count, out))
}

fn decode<T>(
    count: usize,
    out: &mut Vec<T>,
    decode: impl FnOnce(&mut Vec<T>) -> Result<(), Corrupt>,
) -> Result<(), Corrupt> {
    if !(1..=COLUMN_VALUES_MAX).contains(&count) {
        return Err(Corrupt::at(0, "number of values of a column"));
    }
    let before = out.len();
    out.reserve(count);
    let result = decode(out);
    if result.is_err() {
        out.truncate(before);
    }
    result
}

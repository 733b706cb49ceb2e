//! A column whose values are all the same and no short integer: their eight bytes. (A constant integer is an integer
//! column without frames.)

use crate::encoding::cursor::Cursor;
use crate::error::Corrupt;

/// Appends the value.
pub fn encode(value: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.to_bits().to_le_bytes());
}

/// Appends `count` times the value.
pub fn decode(cursor: &mut Cursor<'_>, count: usize, out: &mut Vec<f64>) -> Result<(), Corrupt> {
    let value = f64::from_bits(cursor.u64("constant value")?);
    out.resize(out.len() + count, value);
    Ok(())
}

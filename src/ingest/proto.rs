//! The protobuf wire format, as much of it as a borrowed decoder needs: keys, and the skipping of what is not known.

use crate::encoding::cursor::Cursor;
use crate::error::Corrupt;

/// How a field's value is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireType {
    Varint,
    Fixed64,
    Bytes,
    Fixed32,
}

/// Reads a field's key: its number and wire type.
#[inline]
pub fn key(cursor: &mut Cursor<'_>) -> Result<(u64, WireType), Corrupt> {
    let key = cursor.varint("field key")?;
    let wire = match key & 7 {
        0 => WireType::Varint,
        1 => WireType::Fixed64,
        2 => WireType::Bytes,
        5 => WireType::Fixed32,
        _ => return Err(cursor.corrupt("field wire type")),
    };
    if key >> 3 == 0 {
        return Err(cursor.corrupt("field number"));
    }
    Ok((key >> 3, wire))
}

/// The bytes of a length-delimited field.
#[inline]
pub fn delimited<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], Corrupt> {
    let len = cursor.length("field length")?;
    cursor.bytes(len, "field")
}

/// Passes over a value that nobody reads.
pub fn skip(cursor: &mut Cursor<'_>, wire: WireType) -> Result<(), Corrupt> {
    match wire {
        WireType::Varint => cursor.varint("varint field").map(|_| ()),
        WireType::Fixed64 => cursor.bytes(8, "fixed64 field").map(|_| ()),
        WireType::Bytes => delimited(cursor).map(|_| ()),
        WireType::Fixed32 => cursor.bytes(4, "fixed32 field").map(|_| ()),
    }
}

//! The checked cursor: the only way bytes from disk or network become numbers and slices. Every read past the end is a
//! [`Corrupt`] with the offset, never a panic. The `put_*` functions beside it write what it reads.

use crate::error::Corrupt;

/// Bytes of the longest varint of 64 bits.
pub const VARINT_MAX_BYTES: usize = 10;

/// Reads a buffer from front to back.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, position: 0 }
    }

    /// Offset of the next byte.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Bytes left.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    pub fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    /// The error for a check that failed at the present position.
    pub fn corrupt(&self, what: &'static str) -> Corrupt {
        Corrupt::at(self.position as u64, what)
    }

    /// The next `len` bytes.
    pub fn bytes(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], Corrupt> {
        let rest = &self.bytes[self.position..];
        let Some(taken) = rest.get(..len) else { return Err(self.corrupt(what)) };
        self.position += len;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Corrupt> {
        let mut out = [0; N];
        out.copy_from_slice(self.bytes(N, what)?);
        Ok(out)
    }

    pub fn u8(&mut self, what: &'static str) -> Result<u8, Corrupt> {
        Ok(self.array::<1>(what)?[0])
    }

    pub fn u32(&mut self, what: &'static str) -> Result<u32, Corrupt> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    pub fn u64(&mut self, what: &'static str) -> Result<u64, Corrupt> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    /// An unsigned LEB128 number of at most 64 bits.
    #[inline]
    pub fn varint(&mut self, what: &'static str) -> Result<u64, Corrupt> {
        let mut value = 0u64;
        for (i, byte) in self.bytes[self.position..].iter().take(VARINT_MAX_BYTES).enumerate() {
            let bits = u64::from(byte & 0x7f);
            if i == VARINT_MAX_BYTES - 1 && bits > 1 {
                break;
            }
            value |= bits << (7 * i);
            if byte & 0x80 == 0 {
                self.position += i + 1;
                return Ok(value);
            }
        }
        Err(self.corrupt(what))
    }

    /// A varint that must fit `usize` and is the length of something in this buffer: more than what remains is an
    /// error, so it is safe to reserve this much.
    pub fn length(&mut self, what: &'static str) -> Result<usize, Corrupt> {
        let value = self.varint(what)?;
        usize::try_from(value).ok().filter(|len| *len <= self.remaining()).ok_or(self.corrupt(what))
    }

    /// A zigzag varint.
    #[inline]
    pub fn varint_signed(&mut self, what: &'static str) -> Result<i64, Corrupt> {
        Ok(unzigzag(self.varint(what)?))
    }

    /// A length and that many bytes of UTF-8.
    pub fn text(&mut self, what: &'static str) -> Result<&'a str, Corrupt> {
        let len = self.length(what)?;
        std::str::from_utf8(self.bytes(len, what)?).map_err(|_| self.corrupt(what))
    }
}

/// Appends an unsigned LEB128 number.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a zigzag varint.
#[inline]
pub fn put_varint_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, zigzag(value));
}

/// Appends a length and the bytes of a text.
pub fn put_text(out: &mut Vec<u8>, text: &str) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Small magnitudes of either sign become small unsigned numbers.
pub fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

pub fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn varints_round_trip(values: Vec<u64>) {
            let mut out = Vec::new();
            values.iter().for_each(|v| put_varint(&mut out, *v));
            let mut cursor = Cursor::new(&out);
            for value in values {
                prop_assert_eq!(cursor.varint("v").unwrap(), value);
            }
            prop_assert!(cursor.is_empty());
        }

        #[test]
        fn signed_varints_round_trip(value: i64) {
            let mut out = Vec::new();
            put_varint_signed(&mut out, value);
            prop_assert_eq!(Cursor::new(&out).varint_signed("v").unwrap(), value);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let mut cursor = Cursor::new(&bytes);
            while cursor.varint("v").is_ok() {}
            prop_assert!(cursor.position() <= bytes.len());
        }
    }

    #[test]
    fn an_overlong_varint_is_refused() {
        assert!(Cursor::new(&[0xff; 11]).varint("v").is_err());
        let mut largest = Vec::new();
        put_varint(&mut largest, u64::MAX);
        largest[9] = 2;
        assert_eq!(Cursor::new(&largest).varint("v").unwrap_err().offset, 0);
    }

    #[test]
    fn a_length_beyond_the_buffer_is_refused() {
        assert!(Cursor::new(&[5, 1, 2]).length("n").is_err());
        assert_eq!(Cursor::new(&[2, 1, 2]).length("n").unwrap(), 2);
    }
}

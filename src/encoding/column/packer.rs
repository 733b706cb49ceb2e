//! Numbers of few bits, one behind the other, lowest bit first, as [`BitReader`] reads them. Used by `frame`.

use crate::encoding::bits::BitReader;

/// Bits of a number are in groups of three and one that says whether more follow.
const GROUP_BITS: u32 = 3;
const GROUPS_MAX: u32 = 22;

/// Appends numbers of few bits.
#[derive(Debug)]
pub struct Packer<'a> {
    out: &'a mut Vec<u8>,
    pending: u64,
    pending_bits: u32,
}

impl<'a> Packer<'a> {
    pub fn new(out: &'a mut Vec<u8>) -> Packer<'a> {
        Packer { out, pending: 0, pending_bits: 0 }
    }

    /// Appends the lowest `width` bits, up to 64; the others must be zero.
    #[inline]
    pub fn put(&mut self, value: u64, width: u32) {
        self.pending |= value << self.pending_bits;
        self.pending_bits += width;
        if self.pending_bits >= 64 {
            self.out.extend_from_slice(&self.pending.to_le_bytes());
            self.pending_bits -= 64;
            self.pending = value.checked_shr(width - self.pending_bits).unwrap_or(0);
        }
    }

    /// Appends a number that is small as a rule.
    pub fn put_groups(&mut self, mut value: u64) {
        const MORE: u64 = 1 << GROUP_BITS;
        while value >= MORE {
            self.put(MORE | (value % MORE), GROUP_BITS + 1);
            value >>= GROUP_BITS;
        }
        self.put(value, GROUP_BITS + 1);
    }

    /// Appends what is left, filled up to a whole byte.
    pub fn finish(self) {
        let len = self.pending_bits.div_ceil(8) as usize;
        self.out.extend_from_slice(&self.pending.to_le_bytes()[..len]);
    }
}

/// Reads what `put_groups` wrote; bits beyond the 64th are lost.
pub fn read_groups(reader: &mut BitReader<'_>) -> u64 {
    let mut value = 0;
    for group in 0..GROUPS_MAX {
        let bits = reader.read(GROUP_BITS + 1);
        value |= (bits % (1 << GROUP_BITS)) << (group * GROUP_BITS);
        if bits >> GROUP_BITS == 0 {
            return value;
        }
    }
    reader.fail_if(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_put_is_read(pieces in prop::collection::vec((any::<u64>(), 1u32..=64), 0..200)) {
            let mut out = Vec::new();
            let mut packer = Packer::new(&mut out);
            for (value, width) in &pieces {
                packer.put(value >> (64 - width), *width);
                packer.put_groups(value >> (64 - width));
            }
            packer.finish();
            let mut reader = BitReader::new(&out);
            for (value, width) in &pieces {
                prop_assert_eq!(reader.read(*width), value >> (64 - width));
                prop_assert_eq!(read_groups(&mut reader), value >> (64 - width));
            }
            prop_assert!(reader.finish("numbers").is_ok());
        }
    }

    #[test]
    fn a_number_without_end_is_refused() {
        let mut reader = BitReader::new(&[0xff; 11]);
        read_groups(&mut reader);
        assert!(reader.finish("numbers").is_err());
    }
}

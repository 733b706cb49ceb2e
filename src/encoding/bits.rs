//! Bits in little-endian order: the first bit of a stream is the lowest bit of its first byte. The writer works on a short
//! tail of words that its owner keeps, and hands over a full block now and then, so that appending a few bits to one of a
//! million streams touches no heap. The reader takes whole words at a time.
//!
//! Reading past the end gives zeros and is remembered: whoever reads must call [`BitReader::finish`] before
//! trusting what was read.

use crate::error::Corrupt;

/// Words of the tail of an unfinished stream: together with the state of a chunk they fill one cache line.
pub const BLOCK_WORDS: usize = 3;
/// Bytes a stream grows by when its tail is full.
pub const BLOCK_BYTES: usize = BLOCK_WORDS * 8;
/// Bits of a full tail.
pub const BLOCK_BITS: u32 = BLOCK_BYTES as u32 * 8;

/// The unfinished end of a stream. Bits not written yet are zero.
pub type Block = [u64; BLOCK_WORDS];

/// Bits that a peek shows at least: those of a word less the ones read of its first byte.
pub const PEEK_BITS: u32 = 57;

/// Words of the writer: a power of two, so that an index can be masked instead of checked.
const WRITER_WORDS: usize = 8;

/// Appends bits behind a tail. Lives for a few writes only.
#[derive(Debug)]
pub struct BitWriter {
    words: [u64; WRITER_WORDS],
    position: u32,
}

impl BitWriter {
    /// Goes on where a stream of `stream_bits` bits ended; `tail` holds those behind its last full block.
    #[inline]
    pub fn resume(tail: &Block, stream_bits: u32) -> BitWriter {
        let mut words = [0; WRITER_WORDS];
        words[..BLOCK_WORDS].copy_from_slice(tail);
        BitWriter { words, position: stream_bits % BLOCK_BITS }
    }

    /// Appends the lowest `bits` bits of `value`, 1 to 64 of them; the others must be zero. Between `resume` and
    /// `suspend` at most one block of bits may be appended.
    #[inline]
    pub fn put(&mut self, value: u64, bits: u32) {
        debug_assert!((1..=64).contains(&bits) && (bits == 64 || value >> bits == 0));
        let word = (self.position / 64) as usize;
        let shift = self.position % 64;
        self.words[word % WRITER_WORDS] |= value << shift;
        if shift + bits > 64 {
            self.words[(word + 1) % WRITER_WORDS] = value >> (64 - shift);
        }
        self.position += bits;
    }

    /// Bits from the start of the tail to the end of what was written.
    #[inline]
    pub fn position(&self) -> u32 {
        self.position
    }

    /// The new tail, and the block that became full, if one did.
    #[inline]
    pub fn suspend(self) -> (Block, Option<Block>) {
        debug_assert!(self.position < 2 * BLOCK_BITS, "at most one block per resume");
        let [a, b, c, d, e, f, ..] = self.words;
        if self.position >= BLOCK_BITS { ([d, e, f], Some([a, b, c])) } else { ([a, b, c], None) }
    }
}

/// The bytes of a block in the order of the stream.
#[inline]
pub fn block_bytes(block: &Block) -> [u8; BLOCK_BYTES] {
    let mut out = [0; BLOCK_BYTES];
    for (bytes, word) in out.chunks_exact_mut(8).zip(block) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    out
}

/// Reads bits from front to back. Keeps nothing but its position, so that a processor that guesses the sizes of what comes
/// next can load it before it knows what came before.
#[derive(Debug, Clone)]
pub struct BitReader<'a> {
    bytes: &'a [u8],
    /// Bits read; more than there are once something past the end was read.
    position: usize,
    failed: bool,
}

impl<'a> BitReader<'a> {
    pub fn new(bytes: &'a [u8]) -> BitReader<'a> {
        BitReader { bytes, position: 0, failed: false }
    }

    /// The bits ahead, lowest first, at least `PEEK_BITS` of them, without taking them.
    #[inline]
    pub fn peek(&self) -> u64 {
        self.peek_at(self.position)
    }

    #[inline]
    fn peek_at(&self, position: usize) -> u64 {
        let word = match self.bytes.get(position / 8..).and_then(|rest| rest.first_chunk()) {
            Some(word) => u64::from_le_bytes(*word),
            None => last_word(self.bytes, position / 8),
        };
        word >> (position % 8)
    }

    /// Takes `bits` bits.
    #[inline]
    pub fn skip(&mut self, bits: u32) {
        self.position += bits as usize;
    }

    /// Takes `bits` bits, 1 to 64.
    #[inline]
    pub fn read(&mut self, bits: u32) -> u64 {
        let mut value = self.peek();
        if bits > PEEK_BITS {
            value = value & u64::from(u32::MAX) | self.peek_at(self.position + 32) << 32;
        }
        self.skip(bits);
        value & (u64::MAX >> (64 - bits))
    }

    /// Remembers that what was read made no sense, if it did not.
    #[inline]
    pub fn fail_if(&mut self, senseless: bool) {
        self.failed |= senseless;
    }

    /// Ends the reading of `what`.
    ///
    /// # Errors
    /// The stream ended before the last bit that was read, something read made no sense, or whole bytes are left.
    pub fn finish(self, what: &'static str) -> Result<(), Corrupt> {
        if self.failed || self.position.div_ceil(8) != self.bytes.len() {
            let offset = self.bytes.len().min(self.position / 8);
            return Err(Corrupt::at(offset as u64, what));
        }
        Ok(())
    }
}

/// The bytes from `start` on, fewer than eight, with zeros behind: a chunk of a few samples is read mostly by this.
fn last_word(bytes: &[u8], start: usize) -> u64 {
    let Some(last) = bytes.last_chunk() else {
        return short_word(bytes.get(start..).unwrap_or(&[]));
    };
    let missing = start.saturating_sub(bytes.len() - last.len());
    let shift = u32::try_from(missing * 8).unwrap_or(u32::MAX);
    u64::from_le_bytes(*last).checked_shr(shift).unwrap_or(0)
}

#[cold]
fn short_word(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A stream in one piece.
    #[derive(Default)]
    pub struct Stream {
        bytes: Vec<u8>,
        tail: Block,
        bits: u32,
    }

    impl Stream {
        pub fn append(&mut self, write: impl FnOnce(&mut BitWriter)) {
            let mut writer = BitWriter::resume(&self.tail, self.bits);
            let before = writer.position;
            write(&mut writer);
            self.bits += writer.position - before;
            let (tail, full) = writer.suspend();
            self.tail = tail;
            self.bytes.extend(full.iter().flat_map(block_bytes));
        }

        pub fn bits(&self) -> u32 {
            self.bits
        }

        pub fn finish(mut self) -> Vec<u8> {
            self.bytes.extend(block_bytes(&self.tail));
            self.bytes.truncate(self.bits.div_ceil(8) as usize);
            self.bytes
        }
    }

    fn masked(value: u64, bits: u32) -> u64 {
        value & (u64::MAX >> (64 - bits))
    }

    proptest! {
        #[test]
        fn what_is_put_is_read(pieces in prop::collection::vec((any::<u64>(), 1u32..=64), 0..200)) {
            let mut stream = Stream::default();
            for (value, bits) in &pieces {
                stream.append(|writer| writer.put(masked(*value, *bits), *bits));
            }
            let bytes = stream.finish();
            let mut reader = BitReader::new(&bytes);
            for (value, bits) in &pieces {
                prop_assert_eq!(reader.read(*bits), masked(*value, *bits));
            }
            prop_assert!(reader.finish("bits").is_ok());
        }

        #[test]
        fn peeked_bits_are_those_that_follow(bytes in prop::collection::vec(any::<u8>(), 0..40),
                                             steps in prop::collection::vec(1u32..=56, 0..20)) {
            let mut reader = BitReader::new(&bytes);
            let mut position = 0;
            for step in steps {
                let expected = (0..step).fold(0u64, |value, i| {
                    let bit = bytes.get((position + i as usize) / 8).map_or(0, |byte| {
                        byte >> ((position + i as usize) % 8) & 1
                    });
                    value | u64::from(bit) << i
                });
                prop_assert_eq!(masked(reader.peek(), step), expected);
                reader.skip(step);
                position += step as usize;
            }
        }
    }

    #[test]
    fn reading_past_the_end_is_an_error() {
        for bits in [17, 63, 64] {
            let mut reader = BitReader::new(&[0xff, 0xff]);
            assert_eq!(reader.read(bits), 0xffff);
            assert_eq!(reader.read(64), 0);
            assert_eq!(reader.finish("bits").unwrap_err().offset, 2);
        }
    }

    #[test]
    fn bytes_left_over_are_an_error() {
        let mut reader = BitReader::new(&[1, 0]);
        reader.read(1);
        assert_eq!(reader.clone().finish("bits").unwrap_err().offset, 0);
        reader.read(8);
        assert!(reader.finish("bits").is_ok());
    }
}

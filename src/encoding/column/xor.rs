//! A column of XORs: each value with the one before, as in the chunks of the head, for values that are no integers of
//! any scale and differ too much in size for differences of their bits.

use crate::encoding::bits::{BitReader, BitWriter, Block, block_bytes};
use crate::encoding::gorilla::Window;
use crate::error::Corrupt;

/// Appends the values.
pub fn encode(values: &[f64], out: &mut Vec<u8>) {
    let mut window = Window::default();
    let (mut tail, mut stream_bits) = (Block::default(), 0);
    let mut last = 0;
    let start = out.len();
    for value in values {
        let mut writer = BitWriter::resume(&tail, stream_bits);
        let before = writer.position();
        window.put(value.to_bits() ^ last, &mut writer);
        last = value.to_bits();
        stream_bits += writer.position() - before;
        let (rest, full) = writer.suspend();
        tail = rest;
        if let Some(block) = full {
            out.extend_from_slice(&block_bytes(&block));
        }
    }
    out.extend_from_slice(&block_bytes(&tail));
    out.truncate(start + stream_bits.div_ceil(8) as usize);
}

/// Appends the `count` values that all of `stream` is.
pub fn decode(stream: &[u8], count: usize, out: &mut Vec<f64>) -> Result<(), Corrupt> {
    let mut reader = BitReader::new(stream);
    let mut window = Window::default();
    let mut bits = 0;
    for _ in 0..count {
        bits ^= window.read(&mut reader);
        out.push(f64::from_bits(bits));
    }
    reader.finish("XOR column")
}

//! A frame: some integers as distances from a base, all of one width in bits, and beside them the few that are farther off.
//! Used by `integers`.
//!
//! 1. A window of values is found, and all others are exceptions: the window begins at the least value, or, since that may
//!    be an exception, reaches to both sides of a middle value, or begins at the least value of that; each with
//!    the width at which window and exceptions together are shortest.
//! 2. Of all bases that hold the window, the one nearest to the base of the frame before is taken.
//! 3. Distances, then the positions of the exceptions, then their distances are one stream of bits.

use crate::encoding::bits::BitReader;
use crate::encoding::cursor::{Cursor, put_varint, put_varint_signed, unzigzag, zigzag};
use crate::error::Corrupt;

/// The widest distance of a window: that of differences of differences of the largest integers. A reader takes them with
/// one look at the bits ahead.
pub const WIDTH_MAX: u32 = 56;
/// Bits of the header: the width, or that a run of frames follows.
const WIDTH_MASK: u8 = 0x3f;
const RUN: u8 = 0x3f;
const NEW_BASE: u8 = 0x40;
const EXCEPTIONS: u8 = 0x80;
/// Frames of one run at most: its length less one is a byte.
pub const RUN_FRAMES_MAX: usize = 256;
/// Bits of the counts that exceptions bring, and a guess of what a new base takes.
const EXCEPTIONS_HEAD_BITS: usize = 16;
const HEAD_BITS: usize = 16;
/// Values whose median is taken for the middle of a frame.
const MIDDLE_OF: usize = 9;
/// Values unpacked in one go.
pub const UNPACKED_VALUES: usize = 128;

/// Shape of a frame that is to be written.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The window: the values that are no exceptions.
    least: i64,
    greatest: i64,
    width: u32,
    /// About how long the frame is.
    pub bits: usize,
}

/// Bits of a number up to its highest one.
fn bit_len(value: u64) -> u32 {
    u64::BITS - value.leading_zeros()
}

fn mask(width: u32) -> u64 {
    (1 << width) - 1
}

impl Plan {
    /// Plans a frame of these values, one at least; positions take `position_bits`.
    pub fn new(values: &[i64], position_bits: u32) -> Plan {
        let (least, greatest) = range(values.iter());
        let width = bit_len(greatest.abs_diff(least));
        if width == 0 {
            return Plan { least, greatest, width, bits: HEAD_BITS };
        }
        let above_least = Plan::above(least, values, position_bits);
        let center = middle(values);
        let mut lens = Lens::default();
        values.iter().for_each(|value| lens.add(zigzag(value.wrapping_sub(center))));
        let (width, bits) = lens.shortest(values.len(), position_bits, 0);
        let near = |value: &&i64| bit_len(zigzag(value.wrapping_sub(center))) <= width;
        let (least, greatest) = range(values.iter().filter(near));
        let around = Plan { least, greatest, width: bit_len(greatest.abs_diff(least)), bits };
        let around = if least == above_least.least {
            around
        } else {
            around.shorter(Plan::above(least, values, position_bits))
        };
        above_least.shorter(around)
    }

    fn shorter(self, other: Plan) -> Plan {
        if other.bits < self.bits { other } else { self }
    }

    /// The shortest plan whose window begins at `least`.
    fn above(least: i64, values: &[i64], position_bits: u32) -> Plan {
        let distance = |value: &i64| value.wrapping_sub(least) as u64;
        let mut lens = Lens::default();
        values.iter().for_each(|value| lens.add(distance(value)));
        let (width, bits) = lens.shortest(values.len(), position_bits, 1);
        let (_, greatest) = range(values.iter().filter(|value| distance(value) <= mask(width)));
        Plan { least, greatest, width, bits }
    }

    /// Can the frame be part of a run behind a frame of this base?
    pub fn is_run_of(&self, base: i64) -> bool {
        self.width == 0 && self.least == base && self.bits == HEAD_BITS
    }

    /// The base of the frame, if the one before it has this.
    fn base_near(&self, base: i64) -> i64 {
        base.clamp(self.greatest.saturating_sub_unsigned(mask(self.width)), self.least)
    }

    /// Appends the frame; `base` is that of the frame before it, then that of this.
    pub fn write(&self, values: &[i64], position_bits: u32, base: &mut i64, out: &mut Vec<u8>) {
        let last_base = std::mem::replace(base, self.base_near(*base));
        let distance = |value: i64| value.wrapping_sub(*base) as u64;
        let is_exception = |value: i64| distance(value) > mask(self.width);
        let (mut exceptions, mut greatest) = (0u64, 0);
        for value in values.iter().filter(|value| is_exception(**value)) {
            exceptions += 1;
            greatest = greatest.max(zigzag(distance(*value) as i64));
        }
        let new_base = if *base == last_base { 0 } else { NEW_BASE };
        out.push(self.width as u8 | new_base | if exceptions == 0 { 0 } else { EXCEPTIONS });
        if *base != last_base {
            put_varint_signed(out, base.wrapping_sub(last_base));
        }
        let exception_width = bit_len(greatest);
        if exceptions > 0 {
            put_varint(out, exceptions);
            out.push(exception_width as u8);
        }
        let mut packer = Packer { out, pending: 0, pending_bits: 0 };
        for value in values {
            let packed = if is_exception(*value) { 0 } else { distance(*value) };
            packer.put(packed, self.width);
        }
        if exceptions > 0 {
            let odd = || values.iter().enumerate().filter(|(_, value)| is_exception(**value));
            odd().for_each(|(position, _)| packer.put(position as u64, position_bits));
            odd().for_each(|(_, value)| {
                packer.put(zigzag(distance(*value) as i64), exception_width)
            });
        }
        packer.finish();
    }
}

fn range<'a>(values: impl Iterator<Item = &'a i64>) -> (i64, i64) {
    values.fold((i64::MAX, i64::MIN), |(least, most), v| (least.min(*v), most.max(*v)))
}

/// The median of a few of the values.
fn middle(values: &[i64]) -> i64 {
    let mut few = [0; MIDDLE_OF];
    let step = values.len().div_ceil(MIDDLE_OF);
    let mut taken = 0;
    for (slot, value) in few.iter_mut().zip(values.iter().step_by(step)) {
        *slot = *value;
        taken += 1;
    }
    few[..taken].sort_unstable();
    few[taken / 2]
}

/// How many distances have each length in bits.
struct Lens([u16; 65]);

impl Default for Lens {
    fn default() -> Lens {
        Lens([0; 65])
    }
}

impl Lens {
    #[inline]
    fn add(&mut self, distance: u64) {
        self.0[bit_len(distance) as usize] += 1;
    }

    /// The width at which a frame is shortest, and its bits, if longer distances are exceptions which take `extra` bits
    /// more.
    fn shortest(&self, count: usize, position_bits: u32, extra: u32) -> (u32, usize) {
        let longest = (0..=64).rev().find(|len| self.0[*len as usize] > 0).unwrap_or(0);
        let exception_bits = (position_bits + longest + extra) as usize;
        let mut best = (longest, HEAD_BITS + count * longest as usize);
        let mut exceptions = 0;
        for width in (0..longest).rev() {
            exceptions += usize::from(self.0[width as usize + 1]);
            let bits = HEAD_BITS
                + EXCEPTIONS_HEAD_BITS
                + count * width as usize
                + exceptions * exception_bits;
            if bits < best.1 && width <= WIDTH_MAX {
                best = (width, bits);
            }
        }
        best
    }
}

/// Appends a run of frames that are all like the base.
pub fn write_run(frames: usize, out: &mut Vec<u8>) {
    out.push(RUN);
    out.push((frames - 1) as u8);
}

/// Appends numbers of few bits.
struct Packer<'a> {
    out: &'a mut Vec<u8>,
    pending: u64,
    pending_bits: u32,
}

impl Packer<'_> {
    /// Appends the lowest `width` bits, up to 63; the others must be zero.
    #[inline]
    fn put(&mut self, value: u64, width: u32) {
        self.pending |= value << self.pending_bits;
        self.pending_bits += width;
        if self.pending_bits >= 64 {
            self.out.extend_from_slice(&self.pending.to_le_bytes());
            self.pending_bits -= 64;
            self.pending = value.checked_shr(width - self.pending_bits).unwrap_or(0);
        }
    }

    /// Appends what is left, filled up to a whole byte.
    fn finish(self) {
        let len = self.pending_bits.div_ceil(8) as usize;
        self.out.extend_from_slice(&self.pending.to_le_bytes()[..len]);
    }
}

/// A frame, or a run of them, that is being read.
#[derive(Debug)]
pub struct Frame<'a> {
    /// How many frames these bytes stand for.
    pub frames: usize,
    base: i64,
    width: u32,
    distances: BitReader<'a>,
    exceptions: usize,
    positions: BitReader<'a>,
    position_bits: u32,
    exception_distances: BitReader<'a>,
    exception_width: u32,
    /// Position of the next value to be unpacked.
    position: usize,
}

impl<'a> Frame<'a> {
    /// Reads the head of a frame of `len` values and finds the parts of its stream. `base` is that of the frame before,
    /// then that of this.
    pub fn read(
        cursor: &mut Cursor<'a>,
        len: usize,
        position_bits: u32,
        base: &mut i64,
    ) -> Result<Frame<'a>, Corrupt> {
        let head = cursor.u8("frame head")?;
        let frames = if head == RUN { usize::from(cursor.u8("frame run")?) + 1 } else { 1 };
        let width = if head == RUN { 0 } else { u32::from(head & WIDTH_MASK) };
        if width > WIDTH_MAX {
            return Err(cursor.corrupt("frame width"));
        }
        if head != RUN && head & NEW_BASE != 0 {
            *base = base.wrapping_add(cursor.varint_signed("frame base")?);
        }
        let (mut exceptions, mut exception_width) = (0, 0);
        if head & EXCEPTIONS != 0 {
            let count = cursor.varint("frame exceptions")?;
            exceptions = usize::try_from(count).ok().filter(|count| *count <= len).unwrap_or(0);
            exception_width = u32::from(cursor.u8("frame exception width")?);
            if exceptions == 0 || exception_width > 63 {
                return Err(cursor.corrupt("frame exceptions"));
            }
        }
        let distance_bits = len * width as usize;
        let positions_end = distance_bits + exceptions * position_bits as usize;
        let stream_bits = positions_end + exceptions * exception_width as usize;
        let stream = cursor.bytes(stream_bits.div_ceil(8), "frame stream")?;
        let part = |start_bit: usize| {
            let mut reader = BitReader::new(stream);
            reader.skip(start_bit as u32);
            reader
        };
        Ok(Frame {
            frames,
            base: *base,
            width,
            distances: part(0),
            exceptions,
            positions: part(distance_bits),
            position_bits,
            exception_distances: part(positions_end),
            exception_width,
            position: 0,
        })
    }

    /// Unpacks the next values of the frame. False if an exception has no place in it.
    pub fn unpack(&mut self, values: &mut [i64]) -> bool {
        let mask = mask(self.width);
        if self.width == 0 {
            values.fill(self.base);
        } else {
            for value in values.iter_mut() {
                *value = self.base.wrapping_add((self.distances.peek() & mask) as i64);
                self.distances.skip(self.width);
            }
        }
        let start = self.position;
        self.position += values.len();
        while self.exceptions > 0 {
            let position = (self.positions.peek() & ((1 << self.position_bits) - 1)) as usize;
            if position >= self.position {
                break;
            }
            let Some(value) = position.checked_sub(start).and_then(|i| values.get_mut(i)) else {
                return false;
            };
            let distance = self.exception_distances.read(self.exception_width.max(1));
            *value = self.base.wrapping_add(unzigzag(distance));
            self.positions.skip(self.position_bits);
            self.exceptions -= 1;
        }
        true
    }

    /// Were all exceptions within the values unpacked?
    pub fn is_finished(&self) -> bool {
        self.exceptions == 0
    }
}

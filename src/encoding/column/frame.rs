//! A frame: some integers as distances from a base, all of one width in bits, and beside them the few that are farther off,
//! the exceptions. Used by `integers`; which values are exceptions `window` says.
//!
//! All frames of a column are one stream of bits: of each its head, its base if that is new, the number and width of the
//! exceptions if there are any, the distances, the positions of the exceptions, their distances. The base of the frame
//! before is kept if it holds the window.

use super::layout::{
    EXCEPTION_WIDTH_BITS, FRAME_BASE_BITS, FRAME_EXCEPTIONS, FRAME_HEAD_BITS, FRAME_NEW_BASE,
    FRAME_RUN, FRAME_WIDTH_MAX,
};
use super::packer::{Packer, read_groups};
use super::window::{Window, bit_len, mask};
use crate::encoding::bits::BitReader;
use crate::encoding::cursor::{unzigzag, zigzag};

/// Appends a frame; `base` is that of the frame before it, then that of this.
pub fn write(
    window: &Window,
    values: &[i64],
    position_bits: u32,
    base: &mut i64,
    out: &mut Packer<'_>,
) {
    let width = window.width;
    let units = units_between(*base, window);
    *base = moved(*base, units, width);
    let distance = |value: i64| value.wrapping_sub(*base) as u64;
    let is_exception = |value: i64| distance(value) > mask(width);
    let exceptions = || values.iter().enumerate().filter(|(_, value)| is_exception(**value));
    let exception_distances = || exceptions().map(|(_, value)| zigzag(value.wrapping_sub(*base)));
    let count = exceptions().count();
    let new_base = if units == 0 { 0 } else { FRAME_NEW_BASE };
    let some_exceptions = if count == 0 { 0 } else { FRAME_EXCEPTIONS };
    out.put(u64::from(width) | new_base | some_exceptions, FRAME_HEAD_BITS);
    if units != 0 {
        out.put_groups(zigzag(units));
    }
    let exception_width = exception_distances().map(bit_len).max().unwrap_or(0);
    if count > 0 {
        out.put(count as u64 - 1, position_bits);
        out.put(u64::from(exception_width) - 1, EXCEPTION_WIDTH_BITS);
    }
    if width > 0 {
        for value in values {
            out.put(if is_exception(*value) { 0 } else { distance(*value) }, width);
        }
    }
    exceptions().for_each(|(position, _)| out.put(position as u64, position_bits));
    exception_distances().for_each(|distance| out.put(distance, exception_width));
}

/// Appends a run of frames that are all like the base.
pub fn write_run(frames: usize, out: &mut Packer<'_>) {
    out.put(FRAME_RUN, FRAME_HEAD_BITS);
    out.put_groups(frames as u64 - 1);
}

/// How far the base of a frame is from that of the frame before; 0 if that holds the window.
fn units_between(base: i64, window: &Window) -> i64 {
    let lowest = window.greatest.saturating_sub_unsigned(mask(window.width));
    if (lowest..=window.least).contains(&base) {
        return 0;
    }
    window.least.saturating_sub(base).div_euclid(1 << unit_bits(window.width))
}

/// Bits of a unit of the base of a frame of this width.
fn unit_bits(width: u32) -> u32 {
    width.saturating_sub(FRAME_BASE_BITS)
}

fn moved(base: i64, units: i64, width: u32) -> i64 {
    base.wrapping_add(units.wrapping_shl(unit_bits(width)))
}

/// A frame, or a run of them, that is being read.
#[derive(Debug)]
pub struct Frame<'a> {
    /// How many frames this stands for.
    pub frames: u64,
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
    /// Reads a frame of `len` values up to its end. `base` is that of the frame before, then that of this. What makes no sense
    /// fails the reader.
    pub fn read(
        reader: &mut BitReader<'a>,
        len: usize,
        position_bits: u32,
        base: &mut i64,
    ) -> Frame<'a> {
        let head = reader.read(FRAME_HEAD_BITS);
        let is_run = head == FRAME_RUN;
        let frames = if is_run { read_groups(reader).saturating_add(1) } else { 1 };
        let width = if is_run { 0 } else { (head % FRAME_NEW_BASE) as u32 };
        reader.fail_if(width > FRAME_WIDTH_MAX);
        if head & FRAME_NEW_BASE != 0 {
            *base = moved(*base, unzigzag(read_groups(reader)), width);
        }
        let (mut exceptions, mut exception_width) = (0, 0);
        if head & FRAME_EXCEPTIONS != 0 {
            exceptions = reader.read(position_bits) as usize + 1;
            exception_width = reader.read(EXCEPTION_WIDTH_BITS) as u32 + 1;
        }
        let mut part = |values: usize, bits: u32| {
            let start = reader.clone();
            reader.skip(values as u32 * bits);
            start
        };
        Frame {
            frames,
            base: *base,
            width: width.min(FRAME_WIDTH_MAX),
            distances: part(len, width),
            exceptions,
            positions: part(exceptions, position_bits),
            position_bits,
            exception_distances: part(exceptions, exception_width),
            exception_width,
            position: 0,
        }
    }

    /// Unpacks the next values of the frame.
    pub fn unpack(&mut self, values: &mut [i64]) {
        let base = self.base;
        match self.width {
            0 => values.fill(base),
            width => self
                .distances
                .read_each(width, values, |distance| base.wrapping_add(distance as i64)),
        }
        let start = self.position;
        self.position += values.len();
        while self.exceptions > 0 {
            let position = (self.positions.peek() & ((1 << self.position_bits) - 1)) as usize;
            if position >= self.position {
                break;
            }
            let Some(value) = position.checked_sub(start).and_then(|i| values.get_mut(i)) else {
                return;
            };
            let distance = self.exception_distances.read(self.exception_width);
            *value = self.base.wrapping_add(unzigzag(distance));
            self.positions.skip(self.position_bits);
            self.exceptions -= 1;
        }
    }

    /// Were all exceptions in order and within the values unpacked?
    pub fn is_finished(&self) -> bool {
        self.exceptions == 0
    }
}

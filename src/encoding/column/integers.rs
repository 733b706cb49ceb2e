//! A column of integers: the first, and for the others their distances from it or the differences of these, divided by what
//! all have in common, in frames. Used by `values` and `timestamps`, which keep the order in their tags.

use super::frame::{self, Frame};
use super::layout::{
    FRAME_VALUES_MIN, ORDER_CONSTANT, ORDER_DELTA, ORDER_DELTA_OF_DELTA, ORDER_RAW, SHAPE_DIVISOR,
    SHAPE_LEN_MASK,
};
use super::packer::Packer;
use super::window::{Window, bit_len, ends};
use crate::encoding::bits::BitReader;
use crate::encoding::cursor::{Cursor, put_varint, put_varint_signed};
use crate::error::Corrupt;

/// Shapes that are tried, until one is longer than the one before: short frames follow what varies, in long ones the heads of
/// what seldom changes cost less.
const SHAPES: [u8; 3] = [0, 2, 4];
/// Frames of a column that the choice of the order looks at, at least; all of them would gain a thousandth.
const PROBE_FRAMES: usize = 4;
/// Integers unpacked in one go.
const UNPACKED_VALUES: usize = 128;

/// How often differences are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Order {
    #[default]
    Raw = ORDER_RAW,
    Delta = ORDER_DELTA,
    DeltaOfDelta = ORDER_DELTA_OF_DELTA,
    /// All integers are the same.
    Constant = ORDER_CONSTANT,
}

impl Order {
    /// The order of the two lowest bits.
    pub fn from_code(code: u8) -> Order {
        match code & 3 {
            ORDER_RAW => Order::Raw,
            ORDER_DELTA => Order::Delta,
            ORDER_DELTA_OF_DELTA => Order::DeltaOfDelta,
            _ => Order::Constant,
        }
    }

    /// Integers that no frame holds, since the header says what they are.
    fn head_len(self) -> usize {
        if self == Order::DeltaOfDelta { 2 } else { 1 }
    }
}

/// Values of a frame of this shape, and bits of a position in it.
fn frame_len(shape: u8) -> (usize, u32) {
    let len = FRAME_VALUES_MIN << (shape & SHAPE_LEN_MASK);
    (len, len.trailing_zeros())
}

/// What an encoder is after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Effort {
    /// As few bytes as there can be.
    #[default]
    Short,
    /// To be done soon, at a third of the time: a stray value widens its frame, and decides on the order.
    Quick,
}

/// Encodes in two steps, so that the order can be written before the integers.
#[derive(Debug, Default)]
pub struct IntegerEncoder {
    first: i64,
    divisor: u64,
    order: Order,
    /// Distances from the first integer, divided.
    steps: Vec<i64>,
    /// What the frames hold.
    residuals: Vec<i64>,
    windows: Vec<Window>,
    /// Windows of a shape that is tried.
    trial: Vec<Window>,
    shape: u8,
    effort: Effort,
}

impl IntegerEncoder {
    pub fn new(effort: Effort) -> IntegerEncoder {
        IntegerEncoder { effort, ..IntegerEncoder::default() }
    }

    /// Takes integers, of which there is one at least, and chooses everything.
    pub fn prepare(&mut self, integers: &[i64]) -> Order {
        self.first = integers[0];
        self.divisor =
            integers.iter().fold(0, |divisor, i| common_divisor(divisor, *i, self.first));
        if self.divisor == 0 {
            self.order = Order::Constant;
            return self.order;
        }
        self.steps.clear();
        let (first, divisor) = (self.first, self.divisor as i64);
        if divisor == 1 {
            self.steps.extend(integers.iter().map(|i| i.wrapping_sub(first)));
        } else {
            self.steps.extend(integers.iter().map(|i| (i - first) / divisor));
        }
        self.choose_order();
        match self.effort {
            Effort::Short => self.choose_shape(),
            Effort::Quick => self.take_windows(),
        }
        self.order
    }

    fn choose_order(&mut self) {
        let mut best = (usize::MAX, Order::Raw);
        for order in [Order::Delta, Order::Raw, Order::DeltaOfDelta] {
            if self.steps.len() <= order.head_len() {
                continue;
            }
            take_differences(order, &self.steps, &mut self.residuals);
            let bits = self.probe_bits();
            if bits < best.0 {
                best = (bits, order);
            }
        }
        self.order = best.1;
        take_differences(self.order, &self.steps, &mut self.residuals);
    }

    /// About how long some frames of the residuals are, or how long one of all would be.
    fn probe_bits(&mut self) -> usize {
        if self.effort == Effort::Quick {
            let (least, greatest) = ends(&self.residuals);
            return bit_len(greatest.wrapping_sub(least) as u64) as usize;
        }
        let (len, position_bits) = frame_len(SHAPES[0]);
        let step = self.residuals.len().div_ceil(len).div_ceil(PROBE_FRAMES);
        let frames = self.residuals.chunks(len).step_by(step);
        frames.map(|frame| Window::choose(frame, position_bits).bits).sum()
    }

    /// Makes short frames without exceptions.
    fn take_windows(&mut self) {
        self.shape = SHAPES[0];
        let (len, position_bits) = frame_len(self.shape);
        self.windows.clear();
        let frames = self.residuals.chunks(len);
        self.windows.extend(frames.map(|frame| Window::whole(frame, position_bits)));
    }

    fn choose_shape(&mut self) {
        let mut best = usize::MAX;
        for shape in SHAPES {
            let (len, position_bits) = frame_len(shape);
            self.trial.clear();
            let frames = self.residuals.chunks(len);
            self.trial.extend(frames.map(|frame| Window::choose(frame, position_bits)));
            let bits = self.trial.iter().map(|window| window.bits).sum();
            if bits >= best {
                break;
            }
            (best, self.shape) = (bits, shape);
            std::mem::swap(&mut self.windows, &mut self.trial);
        }
    }

    /// Appends what was prepared.
    pub fn write(&mut self, out: &mut Vec<u8>) {
        put_varint_signed(out, self.first);
        if self.order == Order::Constant {
            return;
        }
        let has_divisor = if self.divisor > 1 { SHAPE_DIVISOR } else { 0 };
        out.push(self.shape | has_divisor);
        if self.divisor > 1 {
            put_varint(out, self.divisor);
        }
        if self.order == Order::DeltaOfDelta {
            put_varint_signed(out, self.steps[1]);
        }
        self.write_frames(out);
    }

    fn write_frames(&self, out: &mut Vec<u8>) {
        let (len, position_bits) = frame_len(self.shape);
        let mut frames = self.windows.iter().zip(self.residuals.chunks(len));
        let mut base = 0;
        let mut packer = Packer::new(out);
        while let Some((window, values)) = frames.next() {
            let run = frames.clone().take_while(|(window, _)| window.is_level_at(base)).count();
            if run > 0 && window.is_level_at(base) {
                frame::write_run(run + 1, &mut packer);
                frames.nth(run - 1);
            } else {
                frame::write(window, values, position_bits, &mut base, &mut packer);
            }
        }
        packer.finish();
    }
}

fn take_differences(order: Order, steps: &[i64], residuals: &mut Vec<i64>) {
    residuals.clear();
    match order {
        Order::Raw => residuals.extend_from_slice(&steps[1..]),
        Order::Delta => {
            residuals.extend(steps.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])))
        }
        Order::DeltaOfDelta => residuals.extend(steps.windows(3).map(|three| {
            let (before, after) =
                (three[1].wrapping_sub(three[0]), three[2].wrapping_sub(three[1]));
            after.wrapping_sub(before)
        })),
        Order::Constant => {}
    }
}

/// The greatest divisor that a divisor and the distance of two integers have in common; 1 for a distance beyond i64.
fn common_divisor(divisor: u64, integer: i64, first: i64) -> u64 {
    if divisor == 1 || integer == first {
        return divisor;
    }
    let Some(distance) = integer.checked_sub(first) else { return 1 };
    let (mut a, mut b) = (distance.unsigned_abs(), divisor);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Reads `count` integers, one at least, and hands them over piece by piece.
pub fn decode(
    cursor: &mut Cursor<'_>,
    order: Order,
    count: usize,
    mut sink: impl FnMut(&[i64]),
) -> Result<(), Corrupt> {
    let first = cursor.varint_signed("first integer")?;
    let mut buffer = [first; UNPACKED_VALUES];
    if order == Order::Constant {
        for start in (0..count).step_by(UNPACKED_VALUES) {
            sink(&buffer[..UNPACKED_VALUES.min(count - start)]);
        }
        return Ok(());
    }
    let shape = cursor.u8("shape of integers")?;
    if shape > SHAPE_LEN_MASK | SHAPE_DIVISOR || count < order.head_len() {
        return Err(cursor.corrupt("shape of integers"));
    }
    let divisor =
        if shape & SHAPE_DIVISOR != 0 { cursor.varint("divisor of integers")? as i64 } else { 1 };
    let mut sums = Sums { first, divisor, step: 0, delta: 0 };
    sink(&[first]);
    if order == Order::DeltaOfDelta {
        sums.delta = cursor.varint_signed("second integer")?;
        sums.step = sums.delta;
        sink(&[sums.integer()]);
    }
    let (len, position_bits) = frame_len(shape);
    let stream_offset = cursor.position() as u64;
    let mut reader = BitReader::new(cursor.bytes(cursor.remaining(), "frames")?);
    let (mut left, mut base) = (count - order.head_len(), 0);
    while left > 0 {
        let mut frame = Frame::read(&mut reader, len.min(left), position_bits, &mut base);
        reader.fail_if(frame.frames > left.div_ceil(len) as u64);
        let mut frame_left = (len as u64).saturating_mul(frame.frames).min(left as u64) as usize;
        left -= frame_left;
        while frame_left > 0 {
            let piece = &mut buffer[..UNPACKED_VALUES.min(frame_left)];
            frame_left -= piece.len();
            frame.unpack(piece);
            sums.apply(order, piece);
            sink(piece);
        }
        reader.fail_if(!frame.is_finished());
    }
    reader.finish("frames").map_err(|error| error.in_file("", stream_offset))
}

/// Where the differences have got to.
struct Sums {
    first: i64,
    divisor: i64,
    step: i64,
    delta: i64,
}

impl Sums {
    fn integer(&self) -> i64 {
        self.step.wrapping_mul(self.divisor).wrapping_add(self.first)
    }

    /// Turns residuals into integers.
    fn apply(&mut self, order: Order, values: &mut [i64]) {
        match order {
            Order::Raw | Order::Constant => {
                for value in values {
                    self.step = *value;
                    *value = self.integer();
                }
            }
            Order::Delta => {
                for value in values {
                    self.step = self.step.wrapping_add(*value);
                    *value = self.integer();
                }
            }
            Order::DeltaOfDelta => {
                for value in values {
                    self.delta = self.delta.wrapping_add(*value);
                    self.step = self.step.wrapping_add(self.delta);
                    *value = self.integer();
                }
            }
        }
    }
}

//! Which values of a frame are near each other, and which are its exceptions: the window at whose width near values and
//! exceptions together are shortest. Used by `integers`; `frame` writes what is found here.
//!
//! 1. The window begins at the least value. How many distances from it have each length in bits says what each width costs.
//! 2. The least value may be an exception itself; that shows in few values being near it. Then the window that costs least
//!    around a middle value is looked for, and one that begins at the least value of that is tried, too.

use super::layout::{EXCEPTION_WIDTH_BITS, FRAME_HEAD_BITS, FRAME_WIDTH_MAX};
use crate::encoding::cursor::zigzag;

/// What a new base takes, about.
const BASE_BITS: u32 = 8;
/// One value in so many must be in the first quarter of a window that begins at the least value.
const TIGHT_SHARE: usize = 4;
/// Values whose median is taken for the middle of a frame.
const MIDDLE_OF: usize = 9;

/// The values of a frame that are no exceptions.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    pub least: i64,
    pub greatest: i64,
    /// Bits of their distances.
    pub width: u32,
    /// About how many bits the frame takes.
    pub bits: usize,
    /// Are all values of the frame the same?
    is_level: bool,
}

impl Window {
    /// Chooses for the values of a frame, one at least, whose positions take `position_bits`.
    pub fn choose(values: &[i64], position_bits: u32) -> Window {
        let (least, greatest) = ends(values);
        if least == greatest {
            return Window {
                least,
                greatest,
                width: 0,
                bits: FRAME_HEAD_BITS as usize,
                is_level: true,
            };
        }
        let mut start = Start::at(least, values, position_bits);
        if !start.is_crowded {
            start = start.or_around_middle(values, position_bits);
        }
        let Start { least, width, bits, .. } = start;
        Window { least, greatest: start.greatest(values), width, bits, is_level: false }
    }

    /// Of all values, one at least, without exceptions, unless that is wider than a frame can be: several times faster to find.
    pub fn whole(values: &[i64], position_bits: u32) -> Window {
        let (least, greatest) = ends(values);
        let width = bit_len(greatest.wrapping_sub(least) as u64);
        if width > FRAME_WIDTH_MAX {
            return Window::choose(values, position_bits);
        }
        let bits = (FRAME_HEAD_BITS + BASE_BITS) as usize + values.len() * width as usize;
        Window { least, greatest, width, bits, is_level: least == greatest }
    }

    /// Are all values of the frame this?
    pub fn is_level_at(&self, value: i64) -> bool {
        self.is_level && self.least == value
    }
}

/// The least and the greatest of some values.
pub fn ends(values: &[i64]) -> (i64, i64) {
    let start = (i64::MAX, i64::MIN);
    values.iter().fold(start, |(least, most), value| (least.min(*value), most.max(*value)))
}

/// Bits of a number up to its highest one.
pub fn bit_len(value: u64) -> u32 {
    u64::BITS - value.leading_zeros()
}

/// The greatest number of so many bits, fewer than 64.
pub fn mask(width: u32) -> u64 {
    (1 << width) - 1
}

/// A value at which a window may begin, and the best width from there.
struct Start {
    least: i64,
    width: u32,
    bits: usize,
    /// Are many values near it?
    is_crowded: bool,
}

impl Start {
    fn at(least: i64, values: &[i64], position_bits: u32) -> Start {
        let distances = values.iter().map(|value| value.wrapping_sub(least));
        let lens = Lens::of(distances.map(|distance| (distance as u64, zigzag(distance))));
        let (width, bits) = lens.shortest(values.len(), position_bits);
        let near = lens.count_to(width.saturating_sub(2));
        Start { least, width, bits, is_crowded: near * TIGHT_SHARE >= values.len() }
    }

    /// This one, or the least value of those around the middle if the frame is shorter with it.
    fn or_around_middle(self, values: &[i64], position_bits: u32) -> Start {
        let middle = middle(values);
        let distance = |value: i64| zigzag(value.saturating_sub(middle));
        let distances = values.iter().map(|value| distance(*value));
        let lens = Lens::of(distances.map(|distance| (distance, distance)));
        let (width, _) = lens.shortest(values.len(), position_bits);
        let near = |value: i64| if bit_len(distance(value)) <= width { value } else { i64::MAX };
        let least = values.iter().fold(i64::MAX, |least, value| least.min(near(*value)));
        if least == self.least {
            return self;
        }
        let other = Start::at(least, values, position_bits);
        if other.bits < self.bits { other } else { self }
    }

    /// The greatest value of the window.
    fn greatest(&self, values: &[i64]) -> i64 {
        let most = mask(self.width);
        let within = |value: i64| {
            if value.wrapping_sub(self.least) as u64 <= most { value } else { i64::MIN }
        };
        values.iter().fold(i64::MIN, |greatest, value| greatest.max(within(*value)))
    }
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
struct Lens {
    counts: [u16; 65],
    /// Bits that are in any distance.
    union: u64,
    /// Bits that are in any distance as an exception has it.
    exceptions_union: u64,
}

impl Lens {
    /// Of distances, and the same as exceptions have them.
    fn of(distances: impl Iterator<Item = (u64, u64)>) -> Lens {
        let mut lens = Lens { counts: [0; 65], union: 0, exceptions_union: 0 };
        for (distance, exception) in distances {
            lens.counts[bit_len(distance) as usize] += 1;
            lens.union |= distance;
            lens.exceptions_union |= exception;
        }
        lens
    }

    /// Distances of at most this length.
    fn count_to(&self, len: u32) -> usize {
        self.counts[..=len as usize].iter().map(|count| usize::from(*count)).sum()
    }

    /// The width at which a frame is shortest, and its bits, if longer distances are exceptions.
    fn shortest(&self, count: usize, position_bits: u32) -> (u32, usize) {
        let longest = bit_len(self.union);
        let exception_bits = (position_bits + bit_len(self.exceptions_union)) as usize;
        let head_bits =
            (FRAME_HEAD_BITS + BASE_BITS + position_bits + EXCEPTION_WIDTH_BITS) as usize;
        let mut best = (longest, (FRAME_HEAD_BITS + BASE_BITS) as usize + count * longest as usize);
        if longest > FRAME_WIDTH_MAX {
            best.1 = usize::MAX;
        }
        let mut exceptions_bits = head_bits;
        for width in (0..longest).rev() {
            exceptions_bits += usize::from(self.counts[width as usize + 1]) * exception_bits;
            if exceptions_bits > best.1 {
                break;
            }
            let bits = exceptions_bits + count * width as usize;
            if bits < best.1 && width <= FRAME_WIDTH_MAX {
                best = (width, bits);
            }
        }
        best
    }
}

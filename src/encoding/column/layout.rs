//! Numbers of the column format, as `storage-format.md`, "Columns", has them.

/// The tag of a value column: its scale or what else it is, the order of differences, whether patches follow.
pub const TAG_SCALE_MASK: u8 = 0x1f;
pub const TAG_ORDER_SHIFT: u32 = 5;
pub const TAG_PATCHED: u8 = 0x80;

/// Scales up to this divide by so many tens.
pub const SCALE_TENS_MAX: u8 = 15;
/// Milliseconds of Linux block devices.
pub const SCALE_MILLI: u8 = 16;
/// Microseconds of Linux pressure stalls.
pub const SCALE_MILLI_MILLI: u8 = 17;
pub const SCALE_BITS: u8 = 18;
/// Tags that are no scale.
pub const TAG_CONSTANT: u8 = 30;
pub const TAG_XOR: u8 = 31;

pub const ORDER_RAW: u8 = 0;
pub const ORDER_DELTA: u8 = 1;
pub const ORDER_DELTA_OF_DELTA: u8 = 2;
pub const ORDER_CONSTANT: u8 = 3;

/// The shape of integers: how often the least length of a frame is doubled, and whether a divisor follows.
pub const SHAPE_LEN_MASK: u8 = 0x07;
pub const SHAPE_DIVISOR: u8 = 0x08;
pub const FRAME_VALUES_MIN: usize = 32;

/// The head of a frame: the width, or that a run of frames follows; is there a new base; are there exceptions.
pub const FRAME_WIDTH_BITS: u32 = 6;
pub const FRAME_RUN: u64 = 63;
pub const FRAME_NEW_BASE: u64 = 1 << FRAME_WIDTH_BITS;
pub const FRAME_EXCEPTIONS: u64 = 2 << FRAME_WIDTH_BITS;
pub const FRAME_HEAD_BITS: u32 = FRAME_WIDTH_BITS + 2;
/// The widest distance but for exceptions: a reader takes it with one look at the bits ahead. Of wider ones nothing can
/// be saved.
pub const FRAME_WIDTH_MAX: u32 = 56;
/// A new base is told up to one part in 128 of what the width holds: what it misses costs fewer exceptions than
/// exact bases cost bits.
pub const FRAME_BASE_BITS: u32 = 7;
/// Bits that hold the width of the exceptions less one.
pub const EXCEPTION_WIDTH_BITS: u32 = 6;
/// Bits of a number in groups, but for the one that says whether more follow.
pub const GROUP_BITS: u32 = 3;

//! A float sample, and the one NaN that means "this series ended here".

use super::time::Timestamp;

/// Bits of the staleness marker, as Prometheus writes it. Any other NaN is an ordinary value.
pub const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// One value at one time. Equality of samples is equality of bits, so it is not derived.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub timestamp: Timestamp,
    pub value: f64,
}

impl Sample {
    pub fn new(timestamp: Timestamp, value: f64) -> Sample {
        Sample { timestamp, value }
    }
}

/// Is this the staleness marker?
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_NAN_BITS
}

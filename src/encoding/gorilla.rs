//! Values of an open chunk: each XORed with the one before, and of the result only the bits between the zeros at both ends
//! ("Gorilla: A Fast, Scalable, In-Memory Time Series Database", VLDB 2015, section 4.1.2). Works on bits alone, so every
//! NaN, -0.0 and infinity comes back as it was.

use super::bits::{BitReader, BitWriter};

/// Bits that hold the count of leading zeros: all of 0 to 63, since a large counter that grows slowly has over 40.
pub const LEADING_BITS: u32 = 6;
/// Bits that hold the count of significant bits less one.
pub const SIGNIFICANT_BITS: u32 = 6;
/// What a new window costs more than the old one.
const WINDOW_BITS: u32 = LEADING_BITS + SIGNIFICANT_BITS;
/// The first bits of a value, lowest first: 0 the same value again, 1 0 within the window, 1 1 a new window.
const CONTROL_BITS: u32 = 2;
const SAME_WINDOW: u64 = 0b01;
const NEW_WINDOW: u64 = 0b11;

/// The part of a word that was significant last, as it is stored: leading zeros, then significant bits less one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window(u16);

impl Default for Window {
    /// All of the word.
    fn default() -> Window {
        Window::new(0, 64)
    }
}

impl Window {
    #[inline]
    fn new(leading: u32, significant: u32) -> Window {
        Window((leading | (significant - 1) << LEADING_BITS) as u16)
    }

    #[inline]
    fn leading(self) -> u32 {
        u32::from(self.0) % (1 << LEADING_BITS)
    }

    #[inline]
    fn significant(self) -> u32 {
        (u32::from(self.0) >> LEADING_BITS) + 1
    }

    /// Zeros below the window; none if it does not fit a word.
    #[inline]
    fn trailing(self) -> u32 {
        64u32.saturating_sub(self.leading() + self.significant())
    }

    /// Appends the XOR of a value with the one before.
    #[inline]
    pub fn put(&mut self, xor: u64, out: &mut BitWriter) {
        if xor == 0 {
            return out.put(0, 1);
        }
        let leading = xor.leading_zeros();
        let trailing = xor.trailing_zeros();
        let significant = 64 - leading - trailing;
        let fits = leading >= self.leading() && trailing >= self.trailing();
        if fits && self.significant() <= significant + WINDOW_BITS {
            let payload = xor >> self.trailing();
            return put_parts(SAME_WINDOW, CONTROL_BITS, payload, self.significant(), out);
        }
        *self = Window::new(leading, significant);
        let head = NEW_WINDOW | u64::from(self.0) << CONTROL_BITS;
        put_parts(head, CONTROL_BITS + WINDOW_BITS, xor >> trailing, significant, out);
    }

    /// Reads what `put` wrote. A window that does not fit a word fails the reader.
    ///
    /// Always inlined, like the reading of timestamps: a call would keep the reader in memory between two samples.
    #[inline(always)]
    pub fn read(&mut self, reader: &mut BitReader<'_>) -> u64 {
        let ahead = reader.peek();
        if ahead & 1 == 0 {
            reader.skip(1);
            return 0;
        }
        if ahead & NEW_WINDOW == SAME_WINDOW {
            reader.skip(CONTROL_BITS);
        } else {
            reader.skip(CONTROL_BITS + WINDOW_BITS);
            self.0 = (ahead >> CONTROL_BITS) as u16 % (1 << WINDOW_BITS);
            reader.fail_if(self.leading() + self.significant() > 64);
        }
        reader.read(self.significant()) << self.trailing()
    }
}

/// Appends two fields, in one write if they fit a word.
#[inline]
fn put_parts(head: u64, head_bits: u32, payload: u64, payload_bits: u32, out: &mut BitWriter) {
    if head_bits + payload_bits <= 64 {
        return out.put(head | payload << head_bits, head_bits + payload_bits);
    }
    out.put(head, head_bits);
    out.put(payload, payload_bits);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::bits::tests::Stream;
    use crate::model::STALE_NAN_BITS;
    use proptest::prelude::*;

    fn encoded(values: &[u64]) -> Stream {
        let mut stream = Stream::default();
        let (mut window, mut last) = (Window::default(), 0);
        for value in values {
            stream.append(|out| window.put(value ^ last, out));
            last = *value;
        }
        stream
    }

    fn assert_round_trip(values: &[u64]) {
        let bytes = encoded(values).finish();
        let mut reader = BitReader::new(&bytes);
        let (mut window, mut last) = (Window::default(), 0);
        for value in values {
            last ^= window.read(&mut reader);
            assert_eq!(last, *value);
        }
        reader.finish("values").unwrap();
    }

    proptest! {
        #[test]
        fn any_bits_round_trip(values: Vec<u64>) {
            assert_round_trip(&values);
        }

        #[test]
        fn any_window_round_trips(parts in prop::collection::vec((any::<u64>(), 0u32..64, 0u32..64), 0..100)) {
            let values: Vec<u64> = parts.iter().map(|(value, up, down)| value >> down << up).collect();
            assert_round_trip(&values);
        }

        #[test]
        fn any_numbers_round_trip(values: Vec<f64>) {
            assert_round_trip(&values.iter().map(|v| v.to_bits()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn odd_floats_round_trip() {
        let odd =
            [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, f64::MIN_POSITIVE, 5e-324];
        let mut bits: Vec<u64> = odd.iter().map(|v: &f64| v.to_bits()).collect();
        bits.extend([STALE_NAN_BITS, 0x7ff8_0000_0000_0001, 0xfff0_0000_0000_0001, u64::MAX, 1, 0]);
        assert_round_trip(&bits);
    }

    #[test]
    fn the_same_value_costs_one_bit() {
        assert_eq!(encoded(&[0; 100]).bits(), 100);
    }

    #[test]
    fn a_window_that_became_too_wide_is_left() {
        let mut values = vec![u64::MAX];
        values.extend((0..100).map(|i| u64::MAX ^ (i & 1)));
        assert!(encoded(&values).bits() <= 66 + 1 + 15 + 98 * 3);
    }

    #[test]
    fn a_window_larger_than_a_word_is_refused() {
        let mut stream = Stream::default();
        stream.append(|out| {
            out.put(NEW_WINDOW | 1 << CONTROL_BITS | 63 << (CONTROL_BITS + LEADING_BITS), 14);
            out.put(1, 64);
        });
        let bytes = stream.finish();
        let mut reader = BitReader::new(&bytes);
        Window::default().read(&mut reader);
        assert!(reader.finish("values").is_err());
    }
}

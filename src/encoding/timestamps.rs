//! Timestamps of an open chunk: the difference of differences, in the fewest bits of five sizes. A series scraped at a
//! steady interval costs one bit per sample.
//!
//! Differences wrap, so every sequence of 64-bit numbers comes back as it was.

use super::bits::{BitReader, BitWriter};
use crate::model::Timestamp;

/// How many bits of payload follow so many ones; after the longest prefix come all 64.
/// 7 bits take the jitter of a scrape (64 ms), 17 bits the second sample of any interval up to 65 s,
/// 44 bits the first timestamp of a chunk until the year 2248.
pub const PAYLOAD_BITS: [u32; 4] = [0, 7, 17, 44];

/// Where a sequence of timestamps has got to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timestamps {
    pub last: Timestamp,
    pub delta: i64,
}

impl Timestamps {
    /// Appends the first timestamp of a sequence and begins it.
    #[inline]
    pub fn put_first(&mut self, timestamp: Timestamp, out: &mut BitWriter) {
        *self = Timestamps { last: timestamp, delta: 0 };
        put_signed(timestamp, out);
    }

    /// Appends the next timestamp.
    #[inline]
    pub fn put(&mut self, timestamp: Timestamp, out: &mut BitWriter) {
        let delta = timestamp.wrapping_sub(self.last);
        put_signed(delta.wrapping_sub(self.delta), out);
        *self = Timestamps { last: timestamp, delta };
    }

    /// Reads what `put_first` wrote.
    #[inline]
    pub fn read_first(&mut self, reader: &mut BitReader<'_>) -> Timestamp {
        *self = Timestamps { last: read_signed(reader), delta: 0 };
        self.last
    }

    /// Reads what `put` wrote.
    #[inline]
    pub fn read(&mut self, reader: &mut BitReader<'_>) -> Timestamp {
        self.delta = self.delta.wrapping_add(read_signed(reader));
        self.last = self.last.wrapping_add(self.delta);
        self.last
    }
}

#[inline]
fn put_signed(value: i64, out: &mut BitWriter) {
    if value == 0 {
        return out.put(0, 1);
    }
    for (ones, bits) in PAYLOAD_BITS.into_iter().enumerate().skip(1) {
        let outside = 64 - bits;
        if value << outside >> outside == value {
            let prefix = (1 << ones) - 1;
            let payload = value as u64 & ((1 << bits) - 1);
            return out.put(prefix | payload << (ones + 1), ones as u32 + 1 + bits);
        }
    }
    out.put((1 << PAYLOAD_BITS.len()) - 1, PAYLOAD_BITS.len() as u32);
    out.put(value as u64, 64);
}

#[inline(always)]
fn read_signed(reader: &mut BitReader<'_>) -> i64 {
    let ahead = reader.peek();
    if ahead & 1 == 0 {
        reader.skip(1);
        return 0;
    }
    let ones = ahead.trailing_ones();
    match PAYLOAD_BITS.get(ones as usize) {
        Some(bits) => {
            reader.skip(ones + 1 + bits);
            let outside = 64 - bits;
            ((ahead >> (ones + 1) << outside) as i64) >> outside
        }
        None => {
            reader.skip(PAYLOAD_BITS.len() as u32);
            reader.read(64) as i64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::bits::tests::Stream;
    use proptest::prelude::*;

    fn encoded(timestamps: &[Timestamp]) -> Stream {
        let mut stream = Stream::default();
        let mut state = Timestamps::default();
        for (i, timestamp) in timestamps.iter().enumerate() {
            stream.append(|out| match i {
                0 => state.put_first(*timestamp, out),
                _ => state.put(*timestamp, out),
            });
        }
        stream
    }

    fn assert_round_trip(timestamps: &[Timestamp]) {
        let bytes = encoded(timestamps).finish();
        let mut reader = BitReader::new(&bytes);
        let mut state = Timestamps::default();
        for (i, timestamp) in timestamps.iter().enumerate() {
            let read = match i {
                0 => state.read_first(&mut reader),
                _ => state.read(&mut reader),
            };
            assert_eq!(read, *timestamp);
        }
        reader.finish("timestamps").unwrap();
    }

    proptest! {
        #[test]
        fn any_timestamps_round_trip(timestamps: Vec<i64>) {
            assert_round_trip(&timestamps);
        }

        #[test]
        fn any_steps_round_trip(steps in prop::collection::vec((0u32..64, any::<i64>()), 0..100)) {
            let mut timestamp = 1_700_000_000_000i64;
            let timestamps: Vec<i64> = steps.iter().map(|(shift, step)| {
                timestamp = timestamp.wrapping_add(step >> shift);
                timestamp
            }).collect();
            assert_round_trip(&timestamps);
        }
    }

    #[test]
    fn the_ends_of_every_size_round_trip() {
        for bits in [7, 17, 44, 64] {
            let largest = i64::MAX >> (64 - bits);
            for value in
                [largest, -largest - 1, largest.wrapping_add(1), (-largest).wrapping_sub(2)]
            {
                assert_round_trip(&[value, 0, value, i64::MIN, i64::MAX]);
            }
        }
    }

    #[test]
    fn a_steady_interval_costs_one_bit() {
        let steady: Vec<i64> = (0..100).map(|i| 1_700_000_000_000 + i * 60_000).collect();
        assert_eq!(encoded(&steady).bits(), 48 + 20 + 98);
    }
}

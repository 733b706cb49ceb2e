//! Descriptions of files in few words, for the tests of planning.

use proptest::prelude::*;

use super::{BlockInfo, Part, SpillInfo};
use crate::model::TimeRange;

pub const HOUR_MS: i64 = 3_600_000;

/// A spill fresh from the head, written at the time of its number. Its sequence is its number.
pub fn spill(number: u64, part: Part, len_bytes: u64) -> SpillInfo {
    let start = match part {
        Part::Window(start) => start,
        Part::Late => 0,
    };
    SpillInfo {
        number,
        part,
        range: TimeRange::new(start, start.saturating_add(1)),
        min_seq: number,
        max_seq: number,
        len_bytes,
        samples: len_bytes,
        series: 1,
        tier: 0,
        created_ms: number as i64,
    }
}

/// A block over `hours`, both ends included. Its sequence is its id.
pub fn block(id: u128, hours: (i64, i64), len_bytes: u64) -> BlockInfo {
    let range = TimeRange::new(hours.0 * HOUR_MS, hours.1 * HOUR_MS);
    block_over(id, range, len_bytes)
}

pub fn block_over(id: u128, range: TimeRange, len_bytes: u64) -> BlockInfo {
    let seq = id as u64;
    BlockInfo {
        id,
        range,
        min_seq: seq,
        max_seq: seq,
        len_bytes,
        samples: len_bytes,
        series: 1,
        level: 0,
    }
}

/// Timestamps, most of them ordinary, some at the ends.
pub fn timestamp() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => -100 * HOUR_MS..100 * HOUR_MS,
        1 => any::<i64>(),
        1 => prop_oneof![Just(i64::MIN), Just(i64::MAX)],
    ]
}

/// Blocks as damaged or hostile footers might describe them; even ranges the wrong way round.
pub fn any_blocks() -> impl Strategy<Value = Vec<BlockInfo>> {
    let one = (timestamp(), timestamp(), any::<u64>(), prop_oneof![Just(u64::MAX), 0u64..1000]);
    proptest::collection::vec(one, 0..30).prop_map(|described| {
        let blocks = described.into_iter().enumerate().map(|(id, (mint, maxt, seq, len_bytes))| {
            let block = block_over(id as u128, TimeRange::new(mint, maxt), len_bytes);
            BlockInfo { min_seq: seq, max_seq: seq, ..block }
        });
        blocks.collect()
    })
}

/// Spills as damaged or hostile footers might describe them.
pub fn any_spills() -> impl Strategy<Value = Vec<SpillInfo>> {
    let part = prop_oneof![timestamp().prop_map(Part::Window), Just(Part::Late)];
    let len_bytes = prop_oneof![Just(u64::MAX), 0u64..1000];
    let one = (part, (timestamp(), timestamp()), any::<u64>(), len_bytes, any::<u8>());
    proptest::collection::vec(one, 0..40).prop_map(|described| {
        let spills = described.into_iter().enumerate();
        let spills = spills.map(|(number, (part, (mint, created_ms), seq, len_bytes, tier))| {
            let range = TimeRange::new(mint, mint.saturating_add(1));
            let spill = spill(number as u64, part, len_bytes);
            SpillInfo { range, min_seq: seq, max_seq: seq, tier, created_ms, ..spill }
        });
        spills.collect()
    })
}

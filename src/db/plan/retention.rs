//! Which blocks retention drops, whole: those with nothing recent enough, then the oldest until the rest fits on the disk.

use super::BlockInfo;
use crate::model::Timestamp;

/// What is to be kept.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// How long after its time a sample is kept, at least.
    pub retention_ms: Option<i64>,
    /// Size of everything in the data directory.
    pub bytes_max: Option<u64>,
}

/// Blocks to drop, oldest first. `other_bytes` is the size of what is no block: log, spills, registry. If that alone is
/// over the limit no block is kept.
///
/// Age counts from `now_ms` or from the newest sample there is, whichever is earlier: a clock that jumps ahead drops nothing
/// before samples of that time have come.
pub fn dropped(
    blocks: &[BlockInfo],
    limits: Limits,
    other_bytes: u64,
    now_ms: Timestamp,
    newest_ms: Timestamp,
) -> Vec<u128> {
    let mut oldest_first: Vec<&BlockInfo> = blocks.iter().collect();
    oldest_first.sort_by_key(|block| (block.range.maxt, block.range.mint, block.min_seq));
    let too_old = count_too_old(&oldest_first, limits.retention_ms, now_ms.min(newest_ms));
    let sizes = oldest_first[too_old..].iter().map(|block| block.len_bytes);
    let too_many = count_too_many(sizes, limits.bytes_max, other_bytes);
    oldest_first.iter().take(too_old + too_many).map(|block| block.id).collect()
}

fn count_too_old(oldest_first: &[&BlockInfo], retention_ms: Option<i64>, now_ms: i64) -> usize {
    let Some(retention_ms) = retention_ms else { return 0 };
    let kept_from = now_ms.saturating_sub(retention_ms);
    oldest_first.partition_point(|block| block.range.maxt < kept_from)
}

fn count_too_many(
    sizes: impl Iterator<Item = u64> + Clone,
    bytes_max: Option<u64>,
    other_bytes: u64,
) -> usize {
    let Some(bytes_max) = bytes_max else { return 0 };
    // u128, since with saturated sums there would be nothing to subtract from.
    let total: u128 = sizes.clone().map(u128::from).sum::<u128>() + u128::from(other_bytes);
    let mut excess = total.saturating_sub(u128::from(bytes_max));
    let dropped = sizes.take_while(|size| {
        let over = excess > 0;
        excess = excess.saturating_sub(u128::from(*size));
        over
    });
    dropped.count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{HOUR_MS, any_blocks, block, timestamp};
    use super::*;

    fn hours(hours: i64) -> Option<i64> {
        Some(hours * HOUR_MS)
    }

    #[test]
    fn blocks_go_by_age_and_then_by_size() {
        let blocks = [
            block(3, (4, 6), 30),
            block(1, (0, 2), 10),
            block(4, (0, 7), 40),
            block(2, (2, 4), 20),
        ];
        type Case<'a> = (Option<i64>, Option<u64>, (i64, i64), &'a [u128]);
        let cases: [Case; 9] = [
            (None, None, (1000, 1000), &[]),
            (hours(4), None, (6, 6), &[]),
            (hours(4), None, (7, 7), &[1]),
            (hours(0), None, (7, 7), &[1, 2, 3]),
            // Only a clock that the samples agree with counts.
            (hours(4), None, (1000, 7), &[1]),
            (hours(4), None, (7, 1000), &[1]),
            (None, Some(105), (7, 7), &[]),
            (None, Some(104), (7, 7), &[1]),
            (hours(4), Some(94), (7, 7), &[1, 2]),
        ];
        for (retention_ms, bytes_max, (now, newest), expected) in cases {
            let limits = Limits { retention_ms, bytes_max };
            let dropped = dropped(&blocks, limits, 5, now * HOUR_MS, newest * HOUR_MS);
            assert_eq!(dropped, expected, "{limits:?} at {now}, newest {newest}");
        }
    }

    #[test]
    fn without_blocks_that_fit_none_is_kept() {
        let blocks = [block(1, (0, 2), 10), block(2, (2, 4), 20)];
        let limits = Limits { retention_ms: None, bytes_max: Some(5) };
        assert_eq!(dropped(&blocks, limits, 6, 0, 0), [1, 2]);
    }

    proptest! {
        #[test]
        fn nothing_within_retention_goes_and_what_stays_fits(
            blocks in any_blocks(),
            retention_ms in proptest::option::of(0..i64::MAX),
            bytes_max in proptest::option::of(any::<u64>()),
            (now_ms, newest_ms) in (timestamp(), timestamp()),
            other_bytes in any::<u64>(),
        ) {
            let by_age = Limits { retention_ms, bytes_max: None };
            for id in dropped(&blocks, by_age, other_bytes, now_ms, newest_ms) {
                let age_ms = i128::from(now_ms) - i128::from(blocks[id as usize].range.maxt);
                prop_assert!(retention_ms.is_some_and(|kept| age_ms > i128::from(kept)));
            }
            let limits = Limits { retention_ms, bytes_max };
            let gone = dropped(&blocks, limits, other_bytes, now_ms, newest_ms);
            let kept = blocks.iter().filter(|block| !gone.contains(&block.id));
            let sizes = kept.map(|block| u128::from(block.len_bytes));
            let kept_bytes = sizes.sum::<u128>() + u128::from(other_bytes);
            let fits = bytes_max.is_none_or(|max| kept_bytes <= u128::from(max));
            prop_assert!(fits || gone.len() == blocks.len());
        }
    }
}

//! Late samples: those of windows already cut. Their spills wait until they are worth a block, and then all of them become
//! blocks at once, one per range of time; compaction merges these into the blocks that cover them.

use super::{Part, SpillInfo, WINDOW_MS, aligned, by_part, numbers, total_bytes, window_start};
use crate::model::{TimeRange, Timestamp};

/// Late spills of so many bytes together wait no longer: what is written at once then is of the size of a block.
pub const LATE_BYTES_MAX: u64 = 64 << 20;

/// Late samples wait no longer than this in spills, where a query has to look for them whatever its range.
pub const LATE_AGE_MAX_MS: u64 = 60 * 60 * 1000;

/// All late spills in order of sequence if they are to become blocks now, one for each range that [`late_range_of`] gives;
/// `forced` by an administrator at any time. None while they wait.
pub fn late_cut(spills: &[SpillInfo], now_ms: Timestamp, forced: bool) -> Option<Vec<u64>> {
    let late = by_part(spills).remove(&Part::Late)?;
    let bytes = total_bytes(late.iter().map(|spill| spill.len_bytes));
    // By distance: after a clock was set back, spills from the future do not wait until then.
    let is_old = |spill: &&SpillInfo| now_ms.abs_diff(spill.created_ms) >= LATE_AGE_MAX_MS;
    let is_due = forced || bytes >= LATE_BYTES_MAX || late.iter().any(is_old);
    is_due.then(|| numbers(&late))
}

/// The range of the block for a late sample: of the coarsest of the levels of compaction at which it ends before the present
/// window, so that samples of a past year make few blocks and compaction need not split one. A sample that is not late
/// goes by its window. For one time and one list of levels the ranges of all samples are disjoint.
pub fn late_range_of(timestamp: Timestamp, now_ms: Timestamp, levels: &[i64]) -> TimeRange {
    let present = window_start(now_ms);
    let ranges = levels.iter().rev().map(|len_ms| aligned(timestamp, *len_ms));
    let mut past = ranges.filter(|range| range.maxt < present);
    past.next().unwrap_or_else(|| aligned(timestamp, WINDOW_MS))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::compaction::levels;
    use super::super::testing::{HOUR_MS, any_spills, spill, timestamp};
    use super::*;

    #[test]
    fn late_spills_wait_for_size_or_age() {
        let (half, created_ms) = (LATE_BYTES_MAX / 2, 10 * HOUR_MS);
        let late =
            |number, len_bytes| SpillInfo { created_ms, ..spill(number, Part::Late, len_bytes) };
        let one = [late(2, half), spill(1, Part::Window(0), half)];
        let two = [late(2, half), late(1, half)];
        let cases: [(&[SpillInfo], i64, bool, &[u64]); 7] = [
            (&one[1..], 20 * HOUR_MS, true, &[]),
            (&one, created_ms, false, &[]),
            (&one, created_ms + HOUR_MS - 1, false, &[]),
            (&one, created_ms + HOUR_MS, false, &[2]),
            (&one, created_ms - HOUR_MS, false, &[2]),
            (&one, created_ms, true, &[2]),
            (&two, created_ms, false, &[1, 2]),
        ];
        for (spills, now_ms, forced, expected) in cases {
            let due = late_cut(spills, now_ms, forced).unwrap_or_default();
            assert_eq!(due, expected, "at {now_ms}, forced: {forced}");
        }
    }

    #[test]
    fn the_range_is_the_coarsest_that_is_past() {
        let levels = [2, 6, 18].map(|hours| hours * HOUR_MS);
        // At 21:30 the present window starts at 20:00.
        let now_ms = 21 * HOUR_MS + HOUR_MS / 2;
        let cases = [
            (3, (0, 18)),
            (17, (0, 18)),
            (18, (18, 20)),
            (19, (18, 20)),
            (20, (20, 22)),
            (50, (50, 52)),
            (-1, (-18, 0)),
        ];
        for (hour, (start, end)) in cases {
            let range = TimeRange::new(start * HOUR_MS, end * HOUR_MS - 1);
            assert_eq!(late_range_of(hour * HOUR_MS, now_ms, &levels), range, "hour {hour}");
        }
    }

    proptest! {
        #[test]
        fn ranges_are_equal_or_disjoint_and_hold_the_sample(
            (a, b, now_ms) in (timestamp(), timestamp(), timestamp()),
            retention_ms in proptest::option::of(timestamp()),
        ) {
            let levels = levels(retention_ms);
            let of_a = late_range_of(a, now_ms, &levels);
            let of_b = late_range_of(b, now_ms, &levels);
            prop_assert!(of_a.contains(a));
            prop_assert!(of_a == of_b || !of_a.overlaps(of_b));
        }

        #[test]
        fn a_late_cut_takes_all_late_spills(spills in any_spills(), now_ms in timestamp()) {
            if let Some(cut) = late_cut(&spills, now_ms, false) {
                let late = spills.iter().filter(|spill| spill.part == Part::Late);
                prop_assert_eq!(cut.len(), late.count());
            }
        }
    }
}

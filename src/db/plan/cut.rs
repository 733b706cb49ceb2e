//! Which windows are over: the spills of such a window become one block.

use super::{Part, SpillInfo, WINDOW_MS, aligned, by_part, is_over, numbers};
use crate::model::{TimeRange, Timestamp};

/// A block to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The window.
    pub range: TimeRange,
    /// All spills of the window, in order of sequence.
    pub spills: Vec<u64>,
}

/// The windows to cut, oldest first: those that ended [`super::CUT_DELAY_MS`] ago, or all of them if `forced`, as a flush by
/// an administrator is. Of a window cut early, what comes afterwards is spilled and cut again.
pub fn cuts(spills: &[SpillInfo], now_ms: Timestamp, forced: bool) -> Vec<Cut> {
    let cut = |(part, spills): (Part, Vec<&SpillInfo>)| match part {
        Part::Window(start) => {
            Some(Cut { range: aligned(start, WINDOW_MS), spills: numbers(&spills) })
        }
        Part::Late => None,
    };
    let all = by_part(spills).into_iter().filter_map(cut);
    all.filter(|cut| forced || is_over(cut.range, now_ms)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{HOUR_MS, any_spills, spill, timestamp};
    use super::*;
    use crate::model::window_start;

    #[test]
    fn a_window_is_cut_ten_minutes_after_its_end() {
        let window = |start_h: i64| Part::Window(start_h * HOUR_MS);
        let spills = [
            spill(5, window(4), 1),
            spill(4, window(2), 1),
            spill(3, window(4), 1),
            spill(2, Part::Late, 1),
            spill(1, window(-2), 1),
        ];
        let minute_ms = HOUR_MS / 60;
        type Expected<'a> = &'a [(i64, &'a [u64])];
        let cases: [(i64, bool, Expected); 5] = [
            (0, false, &[]),
            (4 * HOUR_MS + 10 * minute_ms - 1, false, &[(-2, &[1])]),
            (4 * HOUR_MS + 10 * minute_ms, false, &[(-2, &[1]), (2, &[4])]),
            (6 * HOUR_MS + 10 * minute_ms, false, &[(-2, &[1]), (2, &[4]), (4, &[3, 5])]),
            (0, true, &[(-2, &[1]), (2, &[4]), (4, &[3, 5])]),
        ];
        for (now_ms, forced, expected) in cases {
            let cut = |(start_h, spills): &(i64, &[u64])| Cut {
                range: TimeRange::new(start_h * HOUR_MS, (start_h + 2) * HOUR_MS - 1),
                spills: spills.to_vec(),
            };
            let expected: Vec<Cut> = expected.iter().map(cut).collect();
            assert_eq!(cuts(&spills, now_ms, forced), expected, "at {now_ms}, forced: {forced}");
        }
    }

    proptest! {
        #[test]
        fn a_forced_cut_takes_every_spill_of_a_window_once(
            spills in any_spills(),
            now_ms in timestamp(),
        ) {
            let cuts = cuts(&spills, now_ms, true);
            let mut taken: Vec<u64> = cuts.into_iter().flat_map(|cut| cut.spills).collect();
            taken.sort_unstable();
            let of_windows = spills.iter().filter(|spill| spill.part != Part::Late);
            prop_assert!(taken.iter().eq(of_windows.map(|spill| &spill.number)));
        }

        #[test]
        fn the_present_window_is_not_cut(spills in any_spills(), now_ms in timestamp()) {
            for cut in cuts(&spills, now_ms, false) {
                prop_assert!(cut.range.maxt < window_start(now_ms));
            }
        }
    }
}

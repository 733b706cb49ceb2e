//! Which spills of one window become one, so that a query meets few of them. Spills are merged like the digits of a counter
//! carry: so many of one tier, neighbours in sequence, become one of the next. A sample is rewritten about once per tier, which is
//! the logarithm of the number of spills.

use super::{Part, SpillInfo, by_part, numbers, total_bytes};

/// Spills of one tier that become one of the next. More would be rewritten less often, but more of them would lie about:
/// up to one less than this in every tier.
pub const SPILL_TIER_WIDTH: usize = 4;

/// The last tier, of which so many become one of it again. It begins with 256 spills from the head; a window with more than
/// four times as many has them seconds apart, and then few files matter more than one more rewrite.
pub const SPILL_TIER_MAX: u8 = 4;

/// Spills of one window after which merging goes on even where no tier is full. Spills in order of sequence whose tiers
/// descend, as merging leaves them, are fewer: `(SPILL_TIER_WIDTH - 1) * (SPILL_TIER_MAX + 1)`. But what a query reads per series
/// and window stays bounded whatever the files say of their tiers.
pub const SPILLS_PER_WINDOW_MAX: usize = 16;

/// Spills that become one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpillMerge {
    /// Of all of them, and of the result.
    pub part: Part,
    /// In order of sequence, with no other spill of the part between them.
    pub spills: Vec<u64>,
    /// Of the result.
    pub tier: u8,
}

/// The next spills to merge, if any.
pub fn spill_merge(spills: &[SpillInfo]) -> Option<SpillMerge> {
    by_part(spills).into_values().find_map(|group| merge_in(&group))
}

/// The next merge among spills of one part, given in order of sequence.
fn merge_in(group: &[&SpillInfo]) -> Option<SpillMerge> {
    let runs = || group.windows(SPILL_TIER_WIDTH);
    let full = runs().filter(|run| is_one_tier(run)).min_by_key(|run| run[0].tier);
    let run = match full {
        None if group.len() > SPILLS_PER_WINDOW_MAX => {
            runs().min_by_key(|run| total_bytes(run.iter().map(|spill| spill.len_bytes)))?
        }
        full => full?,
    };
    let highest = run.iter().map(|spill| spill.tier).max()?;
    let tier = highest.saturating_add(1).min(SPILL_TIER_MAX);
    Some(SpillMerge { part: run[0].part, spills: numbers(run), tier })
}

fn is_one_tier(run: &[&SpillInfo]) -> bool {
    run.iter().all(|spill| spill.tier == run[0].tier)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{any_spills, spill};
    use super::*;

    const WINDOW: Part = Part::Window(0);

    fn spills(tiers: &[u8]) -> Vec<SpillInfo> {
        let numbered = tiers.iter().zip(1..);
        numbered
            .map(|(tier, number)| SpillInfo { tier: *tier, ..spill(number, WINDOW, 10) })
            .collect()
    }

    #[test]
    fn a_full_tier_becomes_one_of_the_next() {
        type Expected<'a> = Option<(&'a [u64], u8)>;
        let cases: [(&[u8], Expected); 6] = [
            (&[], None),
            (&[0, 0, 0], None),
            (&[0, 0, 0, 0], Some((&[1, 2, 3, 4], 1))),
            (&[1, 1, 1, 0, 0, 0], None),
            (&[1, 1, 1, 1, 0, 0, 0, 0], Some((&[5, 6, 7, 8], 1))),
            (&[0, 0, 1, 0, 0], None),
        ];
        for (tiers, expected) in cases {
            let merge = spill_merge(&spills(tiers)).map(|merge| (merge.spills, merge.tier));
            assert_eq!(merge, expected.map(|(n, tier)| (n.to_vec(), tier)), "{tiers:?}");
        }
    }

    #[test]
    fn spills_of_different_parts_are_not_mixed() {
        let parts = [WINDOW, Part::Late, Part::Window(7_200_000), Part::Late];
        let mut spills: Vec<SpillInfo> =
            (1..=6).map(|number| spill(number, parts[number as usize % 4], 1)).collect();
        assert_eq!(spill_merge(&spills), None);
        spills.extend([7, 9].map(|number| spill(number, Part::Late, 1)));
        let expected = SpillMerge { part: Part::Late, spills: vec![1, 3, 5, 7], tier: 1 };
        assert_eq!(spill_merge(&spills), Some(expected));
    }

    /// What is there once a merge is done.
    fn apply(spills: &mut Vec<SpillInfo>, merge: &SpillMerge, number: u64) -> u64 {
        let inputs: Vec<SpillInfo> =
            spills.extract_if(.., |spill| merge.spills.contains(&spill.number)).collect();
        let len_bytes = total_bytes(inputs.iter().map(|spill| spill.len_bytes));
        let (min_seq, max_seq) = (inputs[0].min_seq, inputs[inputs.len() - 1].max_seq);
        let merged = spill(number, merge.part, len_bytes);
        spills.push(SpillInfo { min_seq, max_seq, tier: merge.tier, ..merged });
        spills.sort_by_key(|spill| spill.min_seq);
        len_bytes
    }

    #[test]
    fn a_window_keeps_few_spills_and_its_samples_are_rewritten_rarely() {
        for (count, rewritten_max) in [(64, 3.0), (1000, 4.0), (10_000, 11.0)] {
            let (mut spills, mut merges) = (Vec::new(), 0);
            let (mut spilled, mut rewritten) = (0, 0);
            for number in 0..count {
                let len_bytes = 100 + number * 7919 % 100;
                spilled += len_bytes;
                spills.push(spill(number, WINDOW, len_bytes));
                while let Some(merge) = spill_merge(&spills) {
                    merges += 1;
                    rewritten += apply(&mut spills, &merge, count + merges);
                }
                assert!(spills.len() <= SPILLS_PER_WINDOW_MAX);
                assert!(spills.is_sorted_by_key(|spill| spill.min_seq));
            }
            let amplification = rewritten as f64 / spilled as f64;
            assert!(amplification <= rewritten_max, "{count} spills: {amplification}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_there_becomes_few_neighbour_by_neighbour(mut spills in any_spills()) {
            spills.iter_mut().for_each(|spill| spill.part = WINDOW);
            spills.sort_by_key(|spill| spill.min_seq);
            for number in 1000.. {
                let Some(merge) = spill_merge(&spills) else { break };
                let is_input = |spill: &&SpillInfo| merge.spills.contains(&spill.number);
                let first = spills.iter().position(|spill| is_input(&spill)).unwrap();
                let neighbours = &spills[first..first + merge.spills.len()];
                prop_assert!(neighbours.iter().all(|spill| is_input(&spill)));
                apply(&mut spills, &merge, number);
            }
            prop_assert!(spills.len() <= SPILLS_PER_WINDOW_MAX);
        }
    }
}

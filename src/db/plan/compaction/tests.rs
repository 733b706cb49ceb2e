//! Compaction in tables, as invariants over any blocks, and over a simulated month.

use proptest::prelude::*;

use super::super::late::late_range_of;
use super::super::testing::{HOUR_MS, any_blocks, any_spills, block, block_over, spill, timestamp};
use super::super::total_bytes;
use super::*;

/// 2 h, 6 h, 18 h.
fn three_levels() -> Vec<i64> {
    levels(Some(180 * HOUR_MS))
}

/// A block that fills `hours`.
fn whole(id: u128, (start, end): (i64, i64), len_bytes: u64) -> BlockInfo {
    block_over(id, TimeRange::new(start * HOUR_MS, end * HOUR_MS - 1), len_bytes)
}

fn inputs(blocks: &[BlockInfo], now_h: i64, forced: bool) -> Vec<u128> {
    let next = compaction(blocks, &[], &three_levels(), now_h * HOUR_MS, forced);
    next.map_or(Vec::new(), |compaction| compaction.inputs)
}

#[test]
fn levels_triple_up_to_a_tenth_of_the_retention() {
    let day_ms = 24 * HOUR_MS;
    let cases: [(Option<i64>, &[i64]); 6] = [
        (None, &[2, 6, 18, 54, 162, 486]),
        (Some(15 * day_ms), &[2, 6, 18]),
        (Some(180 * HOUR_MS), &[2, 6, 18]),
        (Some(0), &[2]),
        (Some(i64::MIN), &[2]),
        (Some(i64::MAX), &[2, 6, 18, 54, 162, 486]),
    ];
    for (retention_ms, hours) in cases {
        let expected: Vec<i64> = hours.iter().map(|hours| hours * HOUR_MS).collect();
        assert_eq!(levels(retention_ms), expected, "{retention_ms:?}");
    }
}

#[test]
fn a_range_is_merged_once_it_is_over() {
    let three = [whole(1, (0, 2), 10), whole(2, (2, 4), 10), whole(3, (4, 6), 10)];
    assert_eq!(inputs(&three, 6, false), []);
    assert_eq!(inputs(&three, 7, false), [1, 2, 3]);
    assert_eq!(inputs(&three[..1], 7, false), []);
    let next = compaction(&three, &[], &three_levels(), 7 * HOUR_MS, false);
    let range = TimeRange::new(0, 6 * HOUR_MS - 1);
    assert_eq!(next, Some(Compaction { inputs: vec![1, 2, 3], range, level: 1 }));
}

#[test]
fn a_range_waits_for_the_cut_of_its_windows_but_not_for_late_samples() {
    let blocks = [whole(1, (0, 2), 10), whole(2, (2, 4), 10)];
    let planned =
        |part| compaction(&blocks, &[spill(1, part, 1)], &three_levels(), 99 * HOUR_MS, false);
    assert_eq!(planned(Part::Window(4 * HOUR_MS)), None);
    assert!(planned(Part::Window(6 * HOUR_MS)).is_some());
    assert!(planned(Part::Late).is_some());
}

#[test]
fn shorter_ranges_go_first_and_older_ones() {
    let blocks = [
        whole(1, (18, 24), 10),
        whole(2, (24, 30), 10),
        whole(4, (8, 10), 10),
        whole(3, (6, 8), 10),
        whole(6, (2, 4), 10),
        whole(5, (0, 2), 10),
    ];
    assert_eq!(inputs(&blocks, 99, false), [5, 6]);
    assert_eq!(inputs(&blocks[..4], 99, false), [3, 4]);
    assert_eq!(inputs(&blocks[..2], 99, false), [1, 2]);
}

#[test]
fn a_block_over_several_short_ranges_is_merged_in_the_range_that_holds_it() {
    let mut blocks = vec![whole(1, (0, 2), 10), whole(2, (2, 4), 10), whole(3, (4, 18), 10)];
    assert_eq!(inputs(&blocks[..2], 7, false), [1, 2]);
    assert_eq!(inputs(&blocks, 12, false), []);
    assert_eq!(inputs(&blocks, 19, false), [1, 2, 3]);
    // It overlaps the others, and so goes with them sooner.
    blocks[2] = whole(3, (3, 9), 10);
    assert_eq!(inputs(&blocks, 9, false), []);
    assert_eq!(inputs(&blocks, 10, false), [2, 3]);
}

#[test]
fn little_beside_much_waits_until_there_is_more() {
    let much = REWRITE_CHEAP_BYTES + 4;
    let enough = much / REWRITE_RATIO_MAX;
    let mut blocks = vec![whole(1, (0, 18), much), block(2, (3, 4), enough - 1)];
    assert_eq!(inputs(&blocks, 99, false), []);
    assert_eq!(inputs(&blocks, 99, true), [1, 2]);
    blocks[1].len_bytes = enough;
    assert_eq!(inputs(&blocks, 99, false), [1, 2]);
    blocks[0].len_bytes = REWRITE_CHEAP_BYTES;
    blocks[1].len_bytes = 1;
    assert_eq!(inputs(&blocks, 99, false), [1, 2]);
    blocks[0].len_bytes = much;
    blocks.extend((3..=8).map(|id| block(id, (4, 8), 1)));
    assert_eq!(inputs(&blocks[..7], 99, false), []);
    assert_eq!(inputs(&blocks, 99, false), [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn blocks_longer_than_the_longest_level_are_merged_only_with_what_overlaps() {
    let long = [whole(2, (0, 54), 10), whole(3, (54, 108), 10)];
    assert_eq!(inputs(&long, 999, false), []);
    let late = [long[0].clone(), long[1].clone(), block(1, (55, 56), 10)];
    let next = compaction(&late, &[], &three_levels(), 999 * HOUR_MS, false);
    let range = TimeRange::new(54 * HOUR_MS, 108 * HOUR_MS - 1);
    assert_eq!(next, Some(Compaction { inputs: vec![1, 3], range, level: 2 }));
}

#[test]
fn forced_compaction_merges_ranges_that_are_not_over() {
    let blocks = [whole(1, (0, 2), u64::MAX), whole(2, (2, 4), 1)];
    assert_eq!(inputs(&blocks, 4, false), []);
    assert_eq!(inputs(&blocks, 4, true), [1, 2]);
    assert_eq!(inputs(&blocks, 99, false), []);
}

#[test]
fn forced_compaction_goes_the_whole_way_at_once() {
    let blocks = [whole(1, (0, 2), 10), whole(2, (2, 4), 10), whole(3, (12, 14), 10)];
    assert_eq!(inputs(&blocks, 14, true), [1, 2, 3]);
}

/// The block that a compaction makes. Fails unless the compaction takes blocks there are, all that it must.
fn merged(blocks: &[BlockInfo], compaction: &Compaction, id: u128) -> BlockInfo {
    let is_input = |block: &&BlockInfo| compaction.inputs.contains(&block.id);
    let inputs: Vec<&BlockInfo> = blocks.iter().filter(is_input).collect();
    assert_eq!(inputs.len(), compaction.inputs.len());
    assert!(inputs.len() > 1);
    let mut range = TimeRange::EMPTY;
    for block in &inputs {
        range.mint = range.mint.min(block.range.mint);
        range.maxt = range.maxt.max(block.range.maxt);
    }
    let overlaps = |block: &BlockInfo| !is_input(&block) && block.range.overlaps(compaction.range);
    assert!(!blocks.iter().any(overlaps), "a block overlaps the output");
    BlockInfo {
        min_seq: inputs.iter().map(|block| block.min_seq).min().unwrap(),
        max_seq: inputs.iter().map(|block| block.max_seq).max().unwrap(),
        samples: total_bytes(inputs.iter().map(|block| block.samples)),
        level: compaction.level,
        ..block_over(id, range, total_bytes(inputs.iter().map(|block| block.len_bytes)))
    }
}

fn apply(blocks: &mut Vec<BlockInfo>, compaction: &Compaction, id: u128) -> u64 {
    let output = merged(blocks, compaction, id);
    blocks.retain(|block| !compaction.inputs.contains(&block.id));
    blocks.push(output.clone());
    output.len_bytes
}

proptest! {
    #[test]
    fn whatever_footers_say_planning_ends_and_loses_nothing(
        mut blocks in any_blocks(),
        spills in any_spills(),
        now_ms in timestamp(),
        retention_ms in proptest::option::of(timestamp()),
        forced in any::<bool>(),
    ) {
        // Only ranges the right way round lie somewhere in time at all.
        blocks.retain(|block| !block.range.is_empty());
        let levels = levels(retention_ms);
        let samples = |blocks: &[BlockInfo]| total_bytes(blocks.iter().map(|b| b.samples));
        let (count, before) = (blocks.len(), samples(&blocks));
        let mut steps = 0;
        while let Some(next) = compaction(&blocks, &spills, &levels, now_ms, forced) {
            apply(&mut blocks, &next, 1000 + steps);
            steps += 1;
            prop_assert!(steps < count as u128);
        }
        prop_assert_eq!(samples(&blocks), before);
        if forced {
            for (i, a) in blocks.iter().enumerate() {
                prop_assert!(!blocks[i + 1..].iter().any(|b| a.range.overlaps(b.range)));
            }
        }
    }

    #[test]
    fn empty_ranges_do_not_disturb(blocks in any_blocks(), now_ms in timestamp()) {
        if let Some(next) = compaction(&blocks, &[], &levels(None), now_ms, true) {
            prop_assert!(next.inputs.len() > 1);
        }
    }

    #[test]
    fn of_blocks_in_ranges_of_levels_outputs_are_ranges_of_levels(
        at in proptest::collection::vec((0i64..2000, 0usize..6, 1u64..1000), 0..40),
        forced in any::<bool>(),
    ) {
        let levels = levels(None);
        let mut blocks: Vec<BlockInfo> = at.into_iter().enumerate().map(|(id, (hour, level, len))| {
            let range = aligned(hour * HOUR_MS, levels[level]);
            block_over(id as u128, range, len)
        }).collect();
        for id in 1000.. {
            let Some(next) = compaction(&blocks, &[], &levels, 1500 * HOUR_MS, forced) else { break };
            prop_assert_eq!(next.range, aligned(next.range.mint, levels[usize::from(next.level)]));
            apply(&mut blocks, &next, id);
        }
    }
}

/// A month of windows, each with a block, and in some hours late blocks.
struct Month {
    blocks: Vec<BlockInfo>,
    levels: Vec<i64>,
    window_bytes: u64,
    next_id: u128,
    random: u64,
    made_bytes: u64,
    rewritten_bytes: u64,
}

impl Month {
    fn new(retention_days: i64, window_bytes: u64) -> Month {
        Month {
            blocks: Vec::new(),
            levels: levels(Some(retention_days * 24 * HOUR_MS)),
            window_bytes,
            next_id: 1,
            random: 1,
            made_bytes: 0,
            rewritten_bytes: 0,
        }
    }

    /// Below `limit`; the generator of Knuth's MMIX.
    fn random(&mut self, limit: u64) -> u64 {
        let next = self.random.wrapping_mul(6_364_136_223_846_793_005);
        self.random = next.wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % limit
    }

    fn add(&mut self, range: TimeRange, len_bytes: u64) {
        self.blocks.push(block_over(self.next_id, range, len_bytes));
        self.next_id += 1;
        self.made_bytes += len_bytes;
    }

    fn compact(&mut self, now_ms: i64, forced: bool) {
        while let Some(next) = compaction(&self.blocks, &[], &self.levels, now_ms, forced) {
            self.rewritten_bytes += apply(&mut self.blocks, &next, self.next_id);
            self.next_id += 1;
        }
    }

    /// Runs the month; in `late_percent` of the hours late samples are cut.
    fn run(&mut self, late_percent: u64) {
        for hour in 1..=30 * 24 {
            let now_ms = hour * HOUR_MS + HOUR_MS / 4;
            if hour % 2 == 0 {
                let range = TimeRange::new((hour - 2) * HOUR_MS, hour * HOUR_MS - 1);
                let len_bytes = self.window_bytes + self.random(self.window_bytes / 4);
                self.add(range, len_bytes);
            }
            if self.random(100) < late_percent {
                self.add_late(now_ms);
            }
            self.compact(now_ms, false);
        }
    }

    /// Late samples of three times within two days, each up to a twentieth of a window.
    fn add_late(&mut self, now_ms: i64) {
        let mut ranges = Vec::new();
        for _ in 0..3 {
            let timestamp = now_ms - 2 * HOUR_MS - self.random(48 * HOUR_MS as u64) as i64;
            ranges.push(late_range_of(timestamp, now_ms, &self.levels));
        }
        ranges.sort_by_key(|range| range.mint);
        ranges.dedup();
        for range in ranges {
            let len_bytes = self.random(self.window_bytes / 20);
            self.add(range, len_bytes);
        }
    }
}

#[test]
fn a_month_ends_with_few_blocks_each_rewritten_a_few_times() {
    let (small, large) = (1 << 20, 100 << 20);
    // Bytes per window, retention in days, per cent of hours with late samples; then at most how many blocks at the end,
    // how often each byte has been rewritten, how many blocks after a forced compaction. The month has 40 ranges of 18 h,
    // the longest level for 15 days, and two of 486 h; late samples reach two days back before it.
    let cases = [
        (small, 15, 0, 40, 2.0, 40),
        (small, 15, 10, 45, 6.0, 43),
        // Much for the bytes there are, but little in bytes.
        (small, 15, 100, 45, 40.0, 43),
        (small, 365, 0, 4, 5.0, 2),
        (small, 365, 10, 16, 7.0, 3),
        (large, 15, 0, 40, 2.0, 40),
        (large, 15, 10, 160, 2.5, 43),
        (large, 15, 100, 160, 6.0, 43),
        (large, 365, 0, 4, 5.0, 2),
        (large, 365, 10, 16, 5.0, 3),
        (large, 365, 100, 25, 16.0, 3),
    ];
    for (window_bytes, days, late_percent, blocks_max, rewritten_max, forced_max) in cases {
        let mut month = Month::new(days, window_bytes);
        month.run(late_percent);
        let case = format!("{window_bytes} bytes, {days} days, {late_percent} %");
        assert!(month.blocks.len() <= blocks_max, "{case}: {} blocks", month.blocks.len());
        let rewritten = month.rewritten_bytes as f64 / month.made_bytes as f64;
        assert!(rewritten <= rewritten_max, "{case}: {rewritten}");
        month.compact(30 * 24 * HOUR_MS, true);
        assert!(month.blocks.len() <= forced_max, "{case}: {} when forced", month.blocks.len());
    }
}

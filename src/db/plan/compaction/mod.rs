//! Which blocks become one. Ranges of time come in levels, each three times as long as the one before and all of them counted
//! from the epoch, so that a range of one level lies wholly in one of the next.
//!
//! 1. The shortest level first, the oldest range first: all blocks in a range become one once the range is over, no
//!    spill of its windows waits for its cut, and no block reaches beyond its ends. So whatever overlaps is merged together,
//!    and an output is never longer than the longest level.
//! 2. Blocks that overlap and are together in no such range, made when levels were longer: they become one by themselves.
//!
//! Blocks wait while to merge them would rewrite much to add little ([`REWRITE_RATIO_MAX`]). Every merge leaves fewer blocks, so
//! planning ends. Late spills do not hold up their range: where late samples trickle in without end it would never be its turn.

use super::{BlockInfo, Part, SpillInfo, WINDOW_MS, aligned, is_over};
use crate::model::{TimeRange, Timestamp};

/// Ranges of one level that make one of the next. With 3 a sample is rewritten five times on its way from 2 h to 20 days.
const LEVEL_FACTOR: i64 = 3;

/// Part of the retention that a block may cover: data goes a whole block at a time, so this is how much is kept too long.
const RETENTION_SHARE: i64 = 10;

/// Longest range of a block, for the same reason and to bound what one compaction rewrites at a time.
const LEVEL_MAX_MS: i64 = 31 * 24 * 60 * 60 * 1000;

/// Bytes of the largest input for one byte of the others: a merge that would rewrite more waits for more blocks. Data that
/// comes piece by piece into one long range is so rewritten a few times, not once per piece.
pub const REWRITE_RATIO_MAX: u64 = 4;

/// An input up to this size is rewritten for however little: that is a second or two of work, and late samples come to be cut
/// once an hour.
pub const REWRITE_CHEAP_BYTES: u64 = 16 << 20;

/// So many blocks in one range are merged whatever it costs: a query of the range reads all of them.
pub const BLOCKS_PER_RANGE_MAX: usize = 8;

/// Blocks that become one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compaction {
    /// All blocks that overlap the range, in order of sequence.
    pub inputs: Vec<u128>,
    /// Of the level; that of the samples where none holds them.
    pub range: TimeRange,
    /// Number of the level, 0 for ranges of a window.
    pub level: u8,
}

/// Lengths of the ranges of every level: 2 h, 6 h, 18 h, 54 h and so on, up to a tenth of the retention and to 31 days.
pub fn levels(retention_ms: Option<i64>) -> Vec<i64> {
    let share_ms = retention_ms.map_or(LEVEL_MAX_MS, |retention_ms| retention_ms / RETENTION_SHARE);
    let longest_ms = share_ms.clamp(WINDOW_MS, LEVEL_MAX_MS);
    let lengths = std::iter::successors(Some(WINDOW_MS), |len_ms| Some(len_ms * LEVEL_FACTOR));
    lengths.take_while(|len_ms| *len_ms <= longest_ms).collect()
}

/// The next compaction, if any.
///
/// `forced` is for an administrator who asks for compaction and expects the smallest size and the fewest files that can be had
/// now: ranges that are not over count too, no merge is too small, and the longest level goes first, so that nothing is
/// rewritten twice. What comes afterwards is merged in as usual.
pub fn compaction(
    blocks: &[BlockInfo],
    spills: &[SpillInfo],
    levels: &[i64],
    now_ms: Timestamp,
    forced: bool,
) -> Option<Compaction> {
    let mut by_time: Vec<&BlockInfo> = blocks.iter().collect();
    by_time.sort_by_key(|block| block.range.mint);
    let is_due = |group: &Group| {
        let is_settled = || is_over(group.range, now_ms) && !awaits_cut(group.range, spills);
        group.blocks.len() > 1 && (forced || (is_settled() && is_worth_it(&group.blocks)))
    };
    let mut levels_in_turn = levels.to_vec();
    if forced {
        levels_in_turn.reverse();
    }
    let groups = levels_in_turn.iter().flat_map(|len_ms| groups_of_level(&by_time, *len_ms));
    let group = groups.chain(overlapping(&by_time)).find(is_due)?;
    Some(group.into_compaction(levels))
}

/// Blocks that may become one, without another that overlaps them, in order of time.
struct Group<'a> {
    range: TimeRange,
    blocks: Vec<&'a BlockInfo>,
}

impl Group<'_> {
    fn into_compaction(mut self, levels: &[i64]) -> Compaction {
        self.blocks.sort_by_key(|block| (block.min_seq, block.max_seq));
        let holds = |len_ms: &i64| aligned(self.range.mint, *len_ms).maxt >= self.range.maxt;
        let level = levels.iter().position(holds).unwrap_or(levels.len().saturating_sub(1));
        Compaction {
            inputs: self.blocks.iter().map(|block| block.id).collect(),
            range: self.range,
            level: level as u8,
        }
    }
}

/// The blocks by ranges of a level, without the ranges into which a block reaches from elsewhere.
fn groups_of_level<'a>(by_time: &[&'a BlockInfo], len_ms: i64) -> Vec<Group<'a>> {
    let range_of = |block: &BlockInfo| aligned(block.range.mint, len_ms);
    let reaches_beyond = |block: &&&BlockInfo| block.range.maxt > range_of(block).maxt;
    let beyond: Vec<TimeRange> =
        by_time.iter().filter(reaches_beyond).map(|block| block.range).collect();
    let groups = by_time.chunk_by(|a, b| range_of(a) == range_of(b));
    let groups = groups.map(|blocks| Group { range: range_of(blocks[0]), blocks: blocks.to_vec() });
    groups.filter(|group| !beyond.iter().any(|range| range.overlaps(group.range))).collect()
}

/// The blocks by what overlaps, at once or through others.
fn overlapping<'a>(by_time: &[&'a BlockInfo]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group> = Vec::new();
    for block in by_time {
        match groups.last_mut() {
            Some(group) if block.range.mint <= group.range.maxt => {
                group.range.maxt = group.range.maxt.max(block.range.maxt);
                group.blocks.push(block);
            }
            _ => groups.push(Group { range: block.range, blocks: vec![block] }),
        }
    }
    groups
}

/// Is there a window in the range whose spills are not a block yet?
fn awaits_cut(range: TimeRange, spills: &[SpillInfo]) -> bool {
    spills.iter().any(|spill| match spill.part {
        Part::Window(start) => aligned(start, WINDOW_MS).overlaps(range),
        Part::Late => false,
    })
}

fn is_worth_it(blocks: &[&BlockInfo]) -> bool {
    let sizes = blocks.iter().map(|block| u128::from(block.len_bytes));
    let largest = sizes.clone().max().unwrap_or(0);
    let others = sizes.sum::<u128>() - largest;
    blocks.len() >= BLOCKS_PER_RANGE_MAX
        || largest <= u128::from(REWRITE_CHEAP_BYTES)
        || largest <= others * u128::from(REWRITE_RATIO_MAX)
}

#[cfg(test)]
mod tests;

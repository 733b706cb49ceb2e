//! Blocks: how spills become some, and several become one. What is to be done is in a plan; here it is done, and done in such
//! an order that a crash leaves either the inputs or the output.

use std::path::Path;

use super::Core;
use super::maintenance::Maintenance;
use super::manifest::{Edit, FileEntry, FileId};
use super::plan::compaction::Compaction;
use super::plan::late::late_range_of;
use super::plan::{BlockInfo, SpillInfo};
use super::store::StoreError;
use super::streams::{BlockStream, Damage, SeriesStream, SpillStream};
use super::threads::report_quarantine;
use crate::block::{Block, BlockOptions, BlockWriter};
use crate::head::chunk_list::decode;
use crate::head::spill::Spill;
use crate::model::{TimeRange, Timestamp};
use crate::read::Columns;
use crate::sync::Arc;

/// Series that a long job writes before it looks what else is due: some 20 ms of work.
pub(super) const SERIES_PER_BREATH: u64 = 4_096;

impl Core {
    /// Makes one block of the spills of a window that is over.
    ///
    /// # Errors
    /// The disk failed. Then nothing has changed.
    pub(super) fn cut(
        &self,
        range: TimeRange,
        spills: &[u64],
        maintenance: &mut Maintenance,
    ) -> Result<(), StoreError> {
        let spills = self.spills(spills);
        let mut change = Change::default();
        self.add_block_of_spills(&spills, range, &mut change, maintenance)?;
        self.replace_spills(&spills, change)
    }

    /// Makes blocks of late samples, one for each range of time.
    ///
    /// # Errors
    /// As [`Core::cut`].
    pub(super) fn cut_late(
        &self,
        spills: &[u64],
        levels: &[i64],
        maintenance: &mut Maintenance,
    ) -> Result<(), StoreError> {
        let spills = self.spills(spills);
        let now = (self.clock)();
        let mut change = Change::default();
        let range_of = |timestamp| late_range_of(timestamp, now, levels);
        for range in late_ranges(&spills, range_of, &mut change.damage)? {
            self.add_block_of_spills(&spills, range, &mut change, maintenance)?;
        }
        self.replace_spills(&spills, change)
    }

    /// Makes one block of several.
    ///
    /// # Errors
    /// As [`Core::cut`].
    pub(super) fn compact(
        &self,
        plan: &Compaction,
        maintenance: &mut Maintenance,
    ) -> Result<(), StoreError> {
        let layers = self.layers.get();
        let inputs: Vec<Arc<Block>> =
            layers.blocks.iter().filter(|b| plan.inputs.contains(&b.meta().id)).cloned().collect();
        let options = BlockOptions {
            id: self.new_block_id(),
            range: plan.range,
            level: plan.level,
            min_seq: inputs.iter().map(|block| block.meta().min_seq).min().unwrap_or(0),
            max_seq: inputs.iter().map(|block| block.meta().max_seq).max().unwrap_or(0),
            parents: plan.inputs.clone(),
        };
        let mut change = Change::default();
        self.add_block(&mut BlockStream::new(&inputs)?, options, &mut change, maintenance)?;
        change.edit.remove.extend(plan.inputs.iter().map(|id| FileId::Block(*id)));
        let Change { edit, blocks, damage } = change;
        self.commit(edit, &damage)?;
        self.layers.replace_blocks(&plan.inputs, blocks);
        Ok(())
    }

    /// Removes blocks whole.
    ///
    /// # Errors
    /// The manifest could not be changed. Then nothing has.
    pub(super) fn drop_blocks(&self, ids: &[u128]) -> Result<(), StoreError> {
        let remove = ids.iter().map(|id| FileId::Block(*id)).collect();
        self.store.commit(Edit { remove, ..Edit::default() }, &[])?;
        self.layers.replace_blocks(ids, Vec::new());
        Ok(())
    }

    /// The open spills with these numbers, in order of sequence.
    pub(super) fn spills(&self, numbers: &[u64]) -> Vec<Arc<Spill>> {
        let layers = self.layers.get();
        layers.samples.spills.iter().filter(|s| numbers.contains(&s.number())).cloned().collect()
    }

    fn add_block_of_spills(
        &self,
        spills: &[Arc<Spill>],
        range: TimeRange,
        change: &mut Change,
        maintenance: &mut Maintenance,
    ) -> Result<(), StoreError> {
        let options = BlockOptions {
            id: self.new_block_id(),
            range,
            level: 0,
            min_seq: spills.iter().map(|spill| spill.meta().min_seq).min().unwrap_or(0),
            max_seq: spills.iter().map(|spill| spill.meta().max_seq).max().unwrap_or(0),
            parents: Vec::new(),
        };
        let mut stream = SpillStream::new(&self.head(), spills.to_vec(), range);
        self.add_block(&mut stream, options, change, maintenance)
    }

    /// Adds a block of all that a stream gives to a change, unless that is nothing. After an error no file of the change is
    /// left.
    fn add_block(
        &self,
        stream: &mut dyn SeriesStream,
        options: BlockOptions,
        change: &mut Change,
        maintenance: &mut Maintenance,
    ) -> Result<(), StoreError> {
        let path = FileId::Block(options.id).path(&self.store.dir);
        let written = self.write_block(stream, &path, options, maintenance).inspect_err(|_| {
            self.remove(&path);
            self.store.discard(&change.edit);
        })?;
        if let Some(block) = written {
            change.edit.add.push(block_entry(&block));
            change.blocks.push(block);
        }
        stream.damage().0.iter().for_each(|(id, corrupt)| change.damage.add(*id, corrupt));
        Ok(())
    }

    fn write_block(
        &self,
        stream: &mut dyn SeriesStream,
        path: &Path,
        options: BlockOptions,
        maintenance: &mut Maintenance,
    ) -> Result<Option<Arc<Block>>, StoreError> {
        let mut columns = Columns::default();
        let Some(mut labels) = stream.next(&mut columns)? else { return Ok(None) };
        let failed = || StoreError::io("write", path);
        let mut writer = BlockWriter::create(&*self.store.disk, path, options).map_err(failed())?;
        loop {
            writer.add(&labels, &columns).map_err(failed())?;
            if writer.series_count().is_multiple_of(SERIES_PER_BREATH) {
                self.breathe(maintenance)?;
            }
            match stream.next(&mut columns)? {
                Some(next) => labels = next,
                None => break,
            }
        }
        self.head().registry.check()?;
        writer.finish().map_err(failed())?;
        Ok(Some(Arc::new(Block::open(&*self.store.disk, path)?)))
    }

    fn replace_spills(&self, spills: &[Arc<Spill>], change: Change) -> Result<(), StoreError> {
        let Change { mut edit, blocks, damage } = change;
        edit.remove.extend(spills.iter().map(|spill| FileId::Spill(spill.number())));
        self.commit(edit, &damage)?;
        self.layers.cut_spills(spills, blocks);
        Ok(())
    }

    /// Commits a change whose inputs may be damaged, and says so.
    pub(super) fn commit(&self, edit: Edit, damage: &Damage) -> Result<(), StoreError> {
        let damaged: Vec<FileId> = damage.0.iter().map(|(id, _)| *id).collect();
        self.store.commit(edit, &damaged)?;
        for (_, corrupt) in &damage.0 {
            self.ladder.file_quarantined();
            self.ladder.corruption_found();
            report_quarantine(corrupt);
        }
        Ok(())
    }

    /// A ULID: 48 bits of the wall clock in milliseconds, 80 random ones.
    fn new_block_id(&self) -> u128 {
        let clock_ms = (self.clock)().max(0) as u128;
        (clock_ms & ((1 << 48) - 1)) << 80 | rand::random::<u128>() >> 48
    }
}

/// A change of files that is being prepared.
#[derive(Default)]
struct Change {
    edit: Edit,
    blocks: Vec<Arc<Block>>,
    damage: Damage,
}

/// The ranges in which some spills have samples. Damage costs the samples in it and is noted.
///
/// # Errors
/// The disk failed.
fn late_ranges(
    spills: &[Arc<Spill>],
    range_of: impl Fn(Timestamp) -> TimeRange,
    damage: &mut Damage,
) -> Result<Vec<TimeRange>, StoreError> {
    let mut ranges: Vec<TimeRange> = Vec::new();
    let mut columns = Columns::default();
    for spill in spills {
        let (id, mut cursor) = (FileId::Spill(spill.number()), spill.cursor());
        loop {
            let list = match cursor.next() {
                Ok(None) => break,
                Ok(Some((_, list))) => list,
                Err(error) => {
                    damage.note(id, error)?;
                    continue;
                }
            };
            columns.clear();
            match decode(list, &mut columns) {
                Ok(()) => add_ranges(&mut ranges, &columns.timestamps, &range_of),
                Err(corrupt) => damage.note(id, spill.corrupt(corrupt))?,
            }
        }
        spill.file().check()?;
    }
    ranges.sort_unstable_by_key(|range| range.mint);
    Ok(ranges)
}

/// Adds the ranges of some times that are not there yet. Neighbours mostly share one.
fn add_ranges(
    ranges: &mut Vec<TimeRange>,
    timestamps: &[Timestamp],
    range_of: impl Fn(Timestamp) -> TimeRange,
) {
    let mut last = TimeRange::EMPTY;
    for timestamp in timestamps {
        if last.contains(*timestamp) {
            continue;
        }
        last = match ranges.iter().find(|range| range.contains(*timestamp)) {
            Some(range) => *range,
            None => range_of(*timestamp),
        };
        if !ranges.contains(&last) {
            ranges.push(last);
        }
    }
}

pub(super) fn block_entry(block: &Arc<Block>) -> FileEntry {
    let meta = block.meta();
    FileEntry {
        id: FileId::Block(meta.id),
        len_bytes: meta.len_bytes,
        min_seq: meta.min_seq,
        max_seq: meta.max_seq,
        range: meta.range,
        window: None,
        checksum: meta.checksum,
    }
}

/// What plans are made of.
pub(super) fn spill_info(spill: &Arc<Spill>) -> SpillInfo {
    let meta = spill.meta();
    SpillInfo {
        number: spill.number(),
        part: meta.part,
        range: meta.range,
        min_seq: meta.min_seq,
        max_seq: meta.max_seq,
        len_bytes: spill.file().len_bytes(),
        samples: meta.samples,
        series: meta.series,
        tier: meta.tier,
        created_ms: meta.created_ms,
    }
}

/// What plans are made of.
pub(super) fn block_info(block: &Arc<Block>) -> BlockInfo {
    let meta = block.meta();
    BlockInfo {
        id: meta.id,
        range: meta.range,
        min_seq: meta.min_seq,
        max_seq: meta.max_seq,
        len_bytes: meta.len_bytes,
        samples: meta.sample_count,
        series: meta.series_count,
        level: meta.level,
    }
}

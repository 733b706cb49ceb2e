//! Series after series in order of labels, each with all its samples: what a block is written from. One stream goes over spills,
//! another over blocks. Both hold one series at a time. What is damaged is left out and remembered, so that its file is kept.

use super::manifest::FileId;
use super::store::StoreError;
use crate::block::{Block, BlockCursor};
use crate::error::Corrupt;
use crate::fs::sealed::FileError;
use crate::head::Head;
use crate::head::chunk_list::decode;
use crate::head::encoded::trim;
use crate::head::spill::Spill;
use crate::head::work::Slot;
use crate::model::{Labels, SeriesRef, TimeRange};
use crate::read::Columns;
use crate::read::merge_columns::ColumnsMerge;
use crate::sync::Arc;

/// Series whose labels are built together, under one lock of the registry.
const LABELS_PORTION: usize = 256;

/// A source of a block.
pub(super) trait SeriesStream {
    /// The labels of the next series; its samples, at least one, replace the contents of `out`. None at the end.
    ///
    /// # Errors
    /// The disk failed.
    fn next(&mut self, out: &mut Columns) -> Result<Option<Labels>, StoreError>;

    /// What was left out so far, one entry per input that is damaged.
    fn damage(&self) -> &Damage;
}

/// Inputs that are damaged, and where.
#[derive(Debug, Default)]
pub(super) struct Damage(pub(super) Vec<(FileId, Corrupt)>);

impl Damage {
    /// Remembers the first damage of a file; gives back any other error.
    pub(super) fn note(&mut self, id: FileId, error: FileError) -> Result<(), StoreError> {
        match error {
            FileError::Corrupt(corrupt) => {
                self.add(id, &corrupt);
                Ok(())
            }
            error => Err(error.into()),
        }
    }

    pub(super) fn add(&mut self, id: FileId, corrupt: &Corrupt) {
        if !self.0.iter().any(|(other, _)| *other == id) {
            self.0.push((id, corrupt.clone()));
        }
    }
}

/// The series of some spills, the samples within a range.
pub(super) struct SpillStream {
    head: Arc<Head>,
    /// In order of sequence.
    spills: Vec<Arc<Spill>>,
    range: TimeRange,
    /// In order of labels.
    slots: Vec<Slot>,
    next: usize,
    /// Of the slots before the next multiple of the portion.
    portion: Vec<(SeriesRef, Labels)>,
    merge: ColumnsMerge,
    damage: Damage,
}

impl SpillStream {
    pub(super) fn new(head: &Arc<Head>, spills: Vec<Arc<Spill>>, range: TimeRange) -> SpillStream {
        let all: Vec<Slot> = (0..head.registry.len() as Slot).collect();
        let mut slots = Vec::new();
        for portion in all.chunks(LABELS_PORTION) {
            for (slot, series) in portion.iter().zip(head.registry.refs_of(portion)) {
                // What cannot be read is noticed when it is.
                if spills.iter().any(|spill| spill.has(series).unwrap_or(true)) {
                    slots.push(*slot);
                }
            }
        }
        let slots = head.registry.sort(slots);
        let (next, portion, merge, damage) = Default::default();
        SpillStream { head: head.clone(), spills, range, slots, next, portion, merge, damage }
    }

    fn fill_portion(&mut self) {
        let end = self.slots.len().min(self.next + LABELS_PORTION);
        let slots = &self.slots[self.next..end];
        let registry = &self.head.registry;
        self.portion = registry.refs_of(slots).into_iter().zip(registry.labels_of(slots)).collect();
        self.portion.reverse();
    }
}

impl SeriesStream for SpillStream {
    fn next(&mut self, out: &mut Columns) -> Result<Option<Labels>, StoreError> {
        while self.next < self.slots.len() {
            if self.portion.is_empty() {
                self.fill_portion();
            }
            self.next += 1;
            let Some((series, labels)) = self.portion.pop() else { break };
            self.merge.clear();
            for spill in &self.spills {
                let part = self.merge.add_part();
                if let Err(error) = read_part(spill, series, self.range, part) {
                    part.clear();
                    self.damage.note(FileId::Spill(spill.number()), error)?;
                }
            }
            self.merge.merge_into(out);
            if !out.is_empty() {
                return Ok(Some(labels));
            }
        }
        Ok(None)
    }

    fn damage(&self) -> &Damage {
        &self.damage
    }
}

fn read_part(
    spill: &Spill,
    series: SeriesRef,
    range: TimeRange,
    part: &mut Columns,
) -> Result<(), FileError> {
    let Some(list) = spill.chunks(series)? else { return Ok(()) };
    decode(list, part).map_err(|corrupt| spill.corrupt(corrupt))?;
    spill.file().check()?;
    trim(0, range, part);
    Ok(())
}

/// The series of some blocks.
pub(super) struct BlockStream {
    /// In order of sequence.
    inputs: Vec<Input>,
    merge: ColumnsMerge,
    damage: Damage,
}

/// A block and the series that comes next in it.
struct Input {
    id: FileId,
    cursor: BlockCursor,
    labels: Option<Labels>,
    columns: Columns,
}

impl Input {
    fn advance(&mut self, damage: &mut Damage) -> Result<(), StoreError> {
        loop {
            match self.cursor.next(&mut self.columns) {
                Ok(labels) => {
                    self.labels = labels;
                    return Ok(());
                }
                Err(error) => damage.note(self.id, error)?,
            }
        }
    }
}

impl BlockStream {
    pub(super) fn new(blocks: &[Arc<Block>]) -> Result<BlockStream, StoreError> {
        let mut stream = BlockStream {
            inputs: Vec::new(),
            merge: ColumnsMerge::default(),
            damage: Damage::default(),
        };
        for block in blocks {
            let cursor = block.cursor(TimeRange::ALL);
            let id = FileId::Block(block.meta().id);
            let mut input = Input { id, cursor, labels: None, columns: Columns::default() };
            input.advance(&mut stream.damage)?;
            stream.inputs.push(input);
        }
        Ok(stream)
    }
}

impl SeriesStream for BlockStream {
    fn next(&mut self, out: &mut Columns) -> Result<Option<Labels>, StoreError> {
        let first = self.inputs.iter().filter_map(|input| input.labels.as_ref()).min().cloned();
        let Some(labels) = first else { return Ok(None) };
        self.merge.clear();
        for input in self.inputs.iter_mut().filter(|input| input.labels.as_ref() == Some(&labels)) {
            std::mem::swap(self.merge.add_part(), &mut input.columns);
            input.advance(&mut self.damage)?;
        }
        self.merge.merge_into(out);
        Ok(Some(labels))
    }

    fn damage(&self) -> &Damage {
        &self.damage
    }
}

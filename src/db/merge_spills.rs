//! Spills of one part become one: the same samples in longer chunks, so that a query finds few spills.

use std::path::Path;

use super::Core;
use super::build::SERIES_PER_BREATH;
use super::maintenance::Maintenance;
use super::manifest::{Edit, FileEntry, FileId};
use super::plan::spills::SpillMerge;
use super::store::StoreError;
use super::streams::Damage;
use crate::encoding::column::Effort;
use crate::head::chunk_list::{decode, put_chunk};
use crate::head::chunks::ChunkEncoder;
use crate::head::spill::{Spill, SpillCursor, SpillOptions, SpillWriter};
use crate::model::{SeriesRef, TimeRange};
use crate::read::Columns;
use crate::read::merge_columns::ColumnsMerge;
use crate::sync::Arc;

impl Core {
    /// Writes one spill in place of several.
    ///
    /// # Errors
    /// The disk failed. Then nothing has changed.
    pub(super) fn merge_spills(
        &self,
        plan: &SpillMerge,
        maintenance: &mut Maintenance,
    ) -> Result<(), StoreError> {
        let inputs = self.spills(&plan.spills);
        let (id, path) = self.store.next_file(FileId::Spill);
        let mut damage = Damage::default();
        let (entry, spill) = self
            .write_merged((id, &path), plan, &inputs, &mut damage, maintenance)
            .inspect_err(|_| self.remove(&path))?;
        let remove = inputs.iter().map(|spill| FileId::Spill(spill.number())).collect();
        self.commit(Edit { add: vec![entry], remove, ..Edit::default() }, &damage)?;
        self.layers.replace_spills(&inputs, spill);
        Ok(())
    }

    fn write_merged(
        &self,
        (id, path): (FileId, &Path),
        plan: &SpillMerge,
        inputs: &[Arc<Spill>],
        damage: &mut Damage,
        maintenance: &mut Maintenance,
    ) -> Result<(FileEntry, Arc<Spill>), StoreError> {
        let failed = || StoreError::io("write", path);
        let mut writer = SpillWriter::create(&*self.store.disk, path).map_err(failed())?;
        let mut merger = Merger::new(inputs, damage)?;
        while let Some(series) = merger.next()? {
            let Merger { range, columns, list, .. } = &merger;
            if !columns.is_empty() {
                writer.push(series, *range, columns.len() as u64, list).map_err(failed())?;
                if writer.series().is_multiple_of(SERIES_PER_BREATH) {
                    self.breathe(maintenance)?;
                }
            }
        }
        let metas = || inputs.iter().map(|spill| spill.meta());
        let options = SpillOptions {
            part: plan.part,
            min_seq: metas().map(|meta| meta.min_seq).min().unwrap_or(0),
            max_seq: metas().map(|meta| meta.max_seq).max().unwrap_or(0),
            tier: plan.tier,
            created_ms: metas().map(|meta| meta.created_ms).min().unwrap_or(0),
        };
        writer.finish(options).map_err(failed())?;
        self.open_spill(id, path)
    }
}

/// Goes through several spills together, series by series.
struct Merger<'a> {
    inputs: Vec<Input<'a>>,
    damage: &'a mut Damage,
    merge: ColumnsMerge,
    encoder: ChunkEncoder,
    /// Of the series given last: its samples, their range, and their chunks.
    columns: Columns,
    range: TimeRange,
    list: Vec<u8>,
}

/// A spill and the series that comes next in it.
struct Input<'a> {
    spill: &'a Spill,
    cursor: SpillCursor<'a>,
    next: Option<(SeriesRef, &'a [u8])>,
}

impl<'a> Input<'a> {
    /// Goes to the next series that can be read.
    fn advance(&mut self, damage: &mut Damage) -> Result<(), StoreError> {
        loop {
            match self.cursor.next() {
                Ok(next) => {
                    self.next = next;
                    return Ok(());
                }
                Err(error) => damage.note(FileId::Spill(self.spill.number()), error)?,
            }
        }
    }
}

impl<'a> Merger<'a> {
    fn new(spills: &'a [Arc<Spill>], damage: &'a mut Damage) -> Result<Merger<'a>, StoreError> {
        let mut inputs = Vec::new();
        for spill in spills {
            let mut input = Input { spill, cursor: spill.cursor(), next: None };
            input.advance(damage)?;
            inputs.push(input);
        }
        Ok(Merger {
            inputs,
            damage,
            merge: ColumnsMerge::default(),
            encoder: ChunkEncoder::of_columns(Effort::Short),
            columns: Columns::default(),
            range: TimeRange::EMPTY,
            list: Vec::new(),
        })
    }

    /// Makes the chunks of the series with the lowest ref.
    fn next(&mut self) -> Result<Option<SeriesRef>, StoreError> {
        let refs = self.inputs.iter().filter_map(|input| input.next.map(|(series, _)| series));
        let Some(lowest) = refs.min() else { return Ok(None) };
        self.merge.clear();
        for input in &mut self.inputs {
            let Some((_, list)) = input.next.filter(|(series, _)| *series == lowest) else {
                continue;
            };
            let part = self.merge.add_part();
            if let Err(corrupt) = decode(list, part) {
                part.clear();
                let error = input.spill.corrupt(corrupt);
                self.damage.note(FileId::Spill(input.spill.number()), error)?;
            }
            input.spill.file().check()?;
            input.advance(self.damage)?;
        }
        self.merge.merge_into(&mut self.columns);
        self.list.clear();
        self.range = TimeRange::EMPTY;
        let Columns { timestamps, floats, .. } = &self.columns;
        self.encoder.encode(timestamps, floats, |range, count, bytes| {
            self.range.include(range.mint);
            self.range.include(range.maxt);
            put_chunk(&mut self.list, count, bytes);
        });
        Ok(Some(lowest))
    }
}

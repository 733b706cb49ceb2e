//! Spilling: sealed generations become spill files, and the log that they came from goes.
//!
//! 1. Write the definitions of the series that are in no registry file yet.
//! 2. Write a spill for every part of every sealed generation.
//! 3. Commit the files, and that the log up to the last generation is not needed, as one change.
//! 4. Show queries the spills in place of the generations; cut the log at its front.

use std::path::Path;

use super::Core;
use super::manifest::{Edit, FileEntry, FileId};
use super::store::StoreError;
use crate::fs::sealed::{SealedSummary, SealedWriter};
use crate::head::chunk_list::sample_count;
use crate::head::generation::Generation;
use crate::head::registry::layout::FILE_KIND;
use crate::head::registry::write::WrittenFile;
use crate::head::run::Part;
use crate::head::spill::{Spill, SpillMeta, SpillOptions, SpillWriter};
use crate::head::work::{SHARDS, Slot};
use crate::model::{CommitSeq, SeriesRef, TimeRange};
use crate::sync::Arc;

impl Core {
    /// Writes what is sealed to files. False if nothing is.
    ///
    /// # Errors
    /// The disk refused. The generations stay, and so does the log.
    pub(super) fn spill_sealed(&self, registered: &mut Slot) -> Result<bool, StoreError> {
        let layers = self.layers.get();
        let generations: Vec<_> =
            layers.ended_generations().iter().filter(|g| g.is_sealed()).cloned().collect();
        let Some(last) = generations.last() else { return Ok(false) };
        let max_seq = last.max_seq().expect("a sealed generation has ended");
        let mut edit = Edit { wal_seq: Some(max_seq), ..Edit::default() };
        let registered_then = self.write_definitions(*registered, max_seq, &mut edit)?;
        let mut spills = Vec::new();
        for generation in &generations {
            for part in generation.parts() {
                let (entry, spill) = self.write_part(generation, part)?;
                edit.add.push(entry);
                spills.push(spill);
            }
        }
        self.store.commit(edit)?;
        *registered = registered_then;
        self.layers.spill_generations(last.number, spills);
        self.cut_log(max_seq);
        Ok(true)
    }

    /// Writes the definitions of the series from slot `from` on. Returns the first slot behind them.
    fn write_definitions(
        &self,
        from: Slot,
        max_seq: CommitSeq,
        edit: &mut Edit,
    ) -> Result<Slot, StoreError> {
        let end = self.head.registry.len() as Slot;
        if from == end {
            return Ok(end);
        }
        let (id, path) = self.store.next_file(FileId::RegistryDelta);
        let failed = || StoreError::io("write", &path);
        let writer = SealedWriter::create(&*self.store.disk, &path, FILE_KIND).map_err(failed())?;
        let WrittenFile { head, summary } =
            self.head.registry.write_delta(from..end, writer).map_err(failed())?;
        edit.next_ref = Some(head.next_ref);
        edit.add.push(FileEntry {
            id,
            len_bytes: summary.len_bytes,
            min_seq: 0,
            max_seq,
            range: TimeRange::EMPTY,
            window: None,
            checksum: summary.checksum,
        });
        Ok(end)
    }

    /// Writes one part of a sealed generation.
    fn write_part(
        &self,
        generation: &Generation,
        part: Part,
    ) -> Result<(FileEntry, Arc<Spill>), StoreError> {
        let (id, path) = self.store.next_file(FileId::Spill);
        let failed = || StoreError::io("write", &path);
        let mut writer = SpillWriter::create(&*self.store.disk, &path).map_err(failed())?;
        let range = generation.part_range(part);
        self.each_by_ref(generation, part, |series, chunks| {
            writer.push(series, range, sample_count(chunks), chunks)
        })
        .map_err(failed())?;
        let options = SpillOptions {
            part,
            min_seq: generation.min_seq,
            max_seq: generation.max_seq().expect("a sealed generation has ended"),
            tier: 0,
            created_ms: (self.clock)(),
        };
        let (meta, summary) = writer.finish(options).map_err(failed())?;
        self.open_spill(id, &path, meta, summary)
    }

    /// The series of a part in order of their refs.
    fn each_by_ref(
        &self,
        generation: &Generation,
        part: Part,
        mut each: impl FnMut(SeriesRef, &[u8]) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        let runs =
            (0..SHARDS).filter_map(|shard| Some((shard, generation.shard(shard)?.get(&part)?)));
        let mut series: Vec<(Slot, &[u8])> = Vec::new();
        for (shard, run) in runs {
            series.extend(
                run.iter().map(|(index, list)| (index * SHARDS as u32 + shard as u32, list)),
            );
        }
        let slots: Vec<Slot> = series.iter().map(|(slot, _)| *slot).collect();
        let refs = self.head.registry.refs_of(&slots);
        let mut by_ref: Vec<(SeriesRef, &[u8])> =
            refs.into_iter().zip(series).map(|(series, (_, list))| (series, list)).collect();
        by_ref.sort_unstable_by_key(|(series, _)| *series);
        by_ref.into_iter().try_for_each(|(series, list)| each(series, list))
    }

    /// Opens a spill that was just written, and describes it for the manifest.
    pub(super) fn open_spill(
        &self,
        id: FileId,
        path: &Path,
        meta: SpillMeta,
        summary: SealedSummary,
    ) -> Result<(FileEntry, Arc<Spill>), StoreError> {
        let spill = Spill::open(&*self.store.disk, path)?;
        let window = match meta.part {
            Part::Late => None,
            Part::Window(start) => Some(start),
        };
        let entry = FileEntry {
            id,
            len_bytes: summary.len_bytes,
            min_seq: meta.min_seq,
            max_seq: meta.max_seq,
            range: meta.range,
            window,
            checksum: summary.checksum,
        };
        Ok((entry, Arc::new(spill)))
    }
}

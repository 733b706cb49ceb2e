//! Spilling: sealed generations become spill files, and the log that they came from goes.
//!
//! 1. Write the definitions of the series that are in no registry file yet.
//! 2. Write a spill for every part of every sealed generation.
//! 3. Commit the files, and that the log up to the last generation is not needed, as one change.
//! 4. Show queries the spills in place of the generations; cut the log at its front.

use std::io;
use std::path::Path;

use super::Core;
use super::manifest::{Edit, FileEntry, FileId};
use super::repeats::Repeats;
use super::store::StoreError;
use crate::encoding::column::Effort;
use crate::error::Corrupt;
use crate::head::chunk_list::{decode, put_chunk, sample_count};
use crate::head::chunks::ChunkEncoder;
use crate::head::generation::Generation;
use crate::head::run::Part;
use crate::head::spill::{Spill, SpillOptions, SpillWriter};
use crate::head::work::{SHARDS, Slot};
use crate::model::SeriesRef;
use crate::read::Columns;
use crate::sync::Arc;

/// Samples of a series that are written as columns, which take a third of the time to read: with fewer, the heads of columns
/// weigh more than that, and a million series are spilled with a few samples each.
const COLUMNS_SAMPLES_MIN: u64 = 16;

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
        let (registered_then, spills) = self
            .write_all(*registered, &generations, &mut edit)
            .inspect_err(|_| self.store.discard(&edit))?;
        self.store.commit(edit, &[])?;
        *registered = registered_then;
        self.ladder.spills_written(spills.len() as u64);
        self.layers.spill_generations(last.number, spills);
        self.front.cut(max_seq);
        Ok(true)
    }

    fn write_all(
        &self,
        registered: Slot,
        generations: &[Arc<Generation>],
        edit: &mut Edit,
    ) -> Result<(Slot, Vec<Arc<Spill>>), StoreError> {
        let registered = self.write_definitions(&self.head().registry, registered, edit)?;
        let mut spills = Vec::new();
        for generation in generations {
            for part in generation.parts() {
                if let Some((entry, spill)) = self.write_part(generation, part)? {
                    edit.add.push(entry);
                    spills.push(spill);
                }
            }
        }
        Ok((registered, spills))
    }

    /// Removes a file that could not be written to its end: room on a disk that may be full.
    pub(super) fn remove(&self, path: &Path) {
        let _ = self.store.disk.remove(path);
    }

    /// Writes one part of a sealed generation; None if all of it is in older layers.
    fn write_part(
        &self,
        generation: &Generation,
        part: Part,
    ) -> Result<Option<(FileEntry, Arc<Spill>)>, StoreError> {
        let (id, path) = self.store.next_file(FileId::Spill);
        let written =
            self.write_spill(&path, generation, part).map_err(StoreError::io("write", &path));
        if !written.inspect_err(|_| self.remove(&path))? {
            self.remove(&path);
            return Ok(None);
        }
        self.open_spill(id, &path).map(Some)
    }

    /// False, and a file that is of no use, if nothing is to be written.
    fn write_spill(&self, path: &Path, generation: &Generation, part: Part) -> io::Result<bool> {
        let mut writer = SpillWriter::create(&*self.store.disk, path)?;
        let range = generation.part_range(part);
        let mut repeats = Repeats::of(generation, &self.layers.get());
        let mut recoder = Recoder::default();
        self.each_by_ref(generation, part, |series, slot, chunks| {
            let chunks = match &mut repeats {
                Some(repeats) => repeats.leave_out(slot, chunks).map_err(io::Error::other)?,
                None => chunks,
            };
            if chunks.is_empty() {
                return Ok(());
            }
            let count = sample_count(chunks);
            let chunks = recoder.recode(chunks, count).map_err(io::Error::other)?;
            writer.push(series, range, count, chunks)
        })?;
        if writer.series() == 0 {
            return Ok(false);
        }
        self.head().registry.check().map_err(io::Error::other)?;
        writer.finish(SpillOptions {
            part,
            min_seq: generation.min_seq,
            max_seq: generation.max_seq().expect("a sealed generation has ended"),
            tier: 0,
            created_ms: (self.clock)(),
        })?;
        Ok(true)
    }

    /// The series of a part in order of their refs.
    fn each_by_ref(
        &self,
        generation: &Generation,
        part: Part,
        mut each: impl FnMut(SeriesRef, Slot, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let runs =
            (0..SHARDS).filter_map(|shard| Some((shard, generation.shard(shard)?.get(&part)?)));
        let mut series: Vec<(Slot, &[u8])> = Vec::new();
        for (shard, run) in runs {
            series.extend(
                run.iter().map(|(index, list)| (index * SHARDS as u32 + shard as u32, list)),
            );
        }
        let slots: Vec<Slot> = series.iter().map(|(slot, _)| *slot).collect();
        let refs = self.head().registry.refs_of(&slots);
        let mut by_ref: Vec<(SeriesRef, (Slot, &[u8]))> = refs.into_iter().zip(series).collect();
        by_ref.sort_unstable_by_key(|(series, _)| *series);
        by_ref.into_iter().try_for_each(|(series, (slot, list))| each(series, slot, list))
    }

    /// Opens a spill that was just written, and describes it for the manifest.
    pub(super) fn open_spill(
        &self,
        id: FileId,
        path: &Path,
    ) -> Result<(FileEntry, Arc<Spill>), StoreError> {
        let spill = Spill::open(&*self.store.disk, path, id.number().unwrap_or(0))?;
        Ok((spill_entry(&spill), Arc::new(spill)))
    }
}

/// Makes columns of streams, which memory has, since samples are appended to them. They are read in a third of the time, and
/// written again soon, when spills are merged.
struct Recoder {
    encoder: ChunkEncoder,
    columns: Columns,
    list: Vec<u8>,
}

impl Default for Recoder {
    fn default() -> Recoder {
        let (columns, list) = Default::default();
        Recoder { encoder: ChunkEncoder::of_columns(Effort::Quick), columns, list }
    }
}

impl Recoder {
    /// The chunks to be written in place of these, which have `count` samples together.
    ///
    /// # Errors
    /// The chunks cannot be decoded.
    fn recode<'a>(&'a mut self, chunks: &'a [u8], count: u64) -> Result<&'a [u8], Corrupt> {
        if count < COLUMNS_SAMPLES_MIN {
            return Ok(chunks);
        }
        self.columns.clear();
        decode(chunks, &mut self.columns)?;
        self.list.clear();
        let (list, Columns { timestamps, floats, .. }) = (&mut self.list, &self.columns);
        let put = |_, count, bytes: &[u8]| put_chunk(list, count, bytes);
        self.encoder.encode(timestamps, floats, put);
        Ok(&self.list)
    }
}

/// What the manifest says of a spill.
pub(super) fn spill_entry(spill: &Spill) -> FileEntry {
    let meta = spill.meta();
    FileEntry {
        id: FileId::Spill(spill.number()),
        len_bytes: spill.file().len_bytes(),
        min_seq: meta.min_seq,
        max_seq: meta.max_seq,
        range: meta.range,
        window: match meta.part {
            Part::Late => None,
            Part::Window(start) => Some(start),
        },
        checksum: spill.file().checksum(),
    }
}

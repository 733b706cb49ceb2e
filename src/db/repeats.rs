//! What a start replays may repeat what older layers have: a sample sent again, or one that was rejected because the series had
//! another value at its time, and is in the log all the same. Such samples are left out when the generation is spilled, so
//! that none of them appears once the file with the first one is dropped.

use super::layers::Layers;
use super::view::View;
use crate::error::Corrupt;
use crate::head::chunk_list::{decode, put_chunk};
use crate::head::chunks::ChunkEncoder;
use crate::head::generation::Generation;
use crate::head::source::HeadLayers;
use crate::head::work::Slot;
use crate::model::Timestamp;
use crate::read::Columns;
use crate::sync::Arc;

/// Leaves out of a replayed generation what is in the layers before it.
pub(super) struct Repeats {
    older: View,
    /// No layer before it has a newer sample.
    newest: Timestamp,
    encoder: ChunkEncoder,
    columns: Columns,
    kept: Columns,
    list: Vec<u8>,
}

impl Repeats {
    /// None if the generation was not replayed: then conflicts were decided when its samples were applied.
    pub(super) fn of(generation: &Generation, layers: &Layers) -> Option<Repeats> {
        if !generation.is_replayed {
            return None;
        }
        let before = layers.samples.generations.iter().filter(|g| g.number < generation.number);
        let samples = Arc::new(HeadLayers {
            spills: layers.samples.spills.clone(),
            generations: before.cloned().collect(),
        });
        let older = Layers { samples, ..layers.clone() };
        let newest = older.newest_sample().unwrap_or(Timestamp::MIN);
        let (encoder, columns, kept, list) = Default::default();
        Some(Repeats { older: View::new(Arc::new(older)), newest, encoder, columns, kept, list })
    }

    /// The chunks of a series without what is there already. Those of most series are as they were.
    ///
    /// # Errors
    /// The chunks cannot be decoded.
    pub(super) fn leave_out<'a>(
        &'a mut self,
        slot: Slot,
        list: &'a [u8],
    ) -> Result<&'a [u8], Corrupt> {
        self.columns.clear();
        decode(list, &mut self.columns)?;
        let Columns { timestamps, floats, .. } = &self.columns;
        if timestamps.first().is_none_or(|first| *first > self.newest) {
            return Ok(list);
        }
        self.kept.clear();
        for (timestamp, value) in timestamps.iter().zip(floats) {
            let is_new =
                *timestamp > self.newest || self.older.look(slot, *timestamp).value_bits.is_none();
            if is_new {
                self.kept.push(*timestamp, *value);
            }
        }
        self.list.clear();
        let list = &mut self.list;
        let put = |_, count, bytes: &[u8]| put_chunk(list, count, bytes);
        self.encoder.encode(&self.kept.timestamps, &self.kept.floats, put);
        Ok(&self.list)
    }
}

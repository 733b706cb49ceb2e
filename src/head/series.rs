//! The samples of the series of one shard. A series is one cache line: the open chunk's state and last bits, and a pointer
//! to the rest, which most appends do not follow. `apply` holds the lock around a store; a store knows of no other shard.
//!
//! 1. A sample newer than all of its series is appended to the open chunk, which is sealed when it is full.
//! 2. One at a time that is taken already changes nothing: the first applied wins, be it here or in what is older than
//!    the store.
//! 3. Any other came late. It waits in a sorted buffer, and a full buffer is merged into the sealed chunks, so that
//!    these stay in order and apart and nothing is refused.
//! 4. Sealing the store moves all samples to runs of the generation. What stays of a series is its newest sample, so
//!    that the next one need not be looked for in what is older.

use std::hint::black_box;

use super::chunks::{CHUNK_SAMPLES_MAX, Chunk, merge_late};
use super::encoded::EncodedSeries;
use super::generation::Generation;
use super::older::Older;
use super::run::RunsBuilder;
use super::work::{SHARDS, Slot};
use crate::encoding::bits::{BLOCK_BITS, BLOCK_BYTES, Block, block_bytes};
use crate::encoding::chunk::OpenChunk;
use crate::model::{Sample, TimeRange, Timestamp};
use crate::read::Columns;
use crate::sync::Arc;

/// Late samples of a series that wait unencoded, at 16 bytes each: enough that rewriting a chunk, about 3 us,
/// is shared by many; little enough for a late batch to all series.
const LATE_SAMPLES_MAX: usize = 64;
/// Series allocated at once: growth copies nothing, and a shard with few series takes 16 KiB.
const PAGE_SERIES: usize = 256;
/// The newest sample of a series of which none was appended here.
const UNKNOWN: Timestamp = Timestamp::MIN;
/// Bits behind which the next sample may fill the tail: most samples are shorter than the difference.
const TAIL_NEARLY_FULL_BITS: u32 = BLOCK_BITS - 72;

/// What became of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    Written,
    /// The series has this very sample.
    Duplicate,
    /// The series has another value at this time, and keeps it.
    Conflict,
}

/// Samples of many series, each known by its index in the shard.
#[derive(Debug)]
pub struct SeriesStore {
    shard: usize,
    pages: Vec<Box<[Series]>>,
    /// What the samples in the store belong to.
    generation: Arc<Generation>,
    /// Of a series that has no newest sample here, none in what is older is newer than this.
    floor: Timestamp,
    stats: StoreStats,
    scratch: Scratch,
}

/// What a store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreStats {
    pub samples: usize,
    /// Sealed chunks.
    pub chunks: usize,
    /// Memory of samples and chunks, without what the allocator adds.
    pub memory_bytes: usize,
}

/// Buffers kept from one use to the next.
#[derive(Debug, Default)]
struct Scratch {
    bytes: Vec<u8>,
    encoded: EncodedSeries,
    columns: Columns,
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Series {
    open: OpenChunk,
    rest: Option<Box<Rest>>,
}

/// What only a series with more than a few samples has.
#[derive(Debug, Default)]
struct Rest {
    /// The full blocks of the open chunk.
    blocks: Vec<u8>,
    history: Option<Box<History>>,
}

#[derive(Debug, Default)]
struct History {
    /// In order of time and apart, all older than the open chunk.
    chunks: Vec<Chunk>,
    /// In order of time, all older than the newest sample, at times that no chunk has.
    late: Vec<Sample>,
}

impl SeriesStore {
    /// An empty store. Nothing that is older than `generation` has a sample after `floor`.
    pub fn new(shard: usize, generation: Arc<Generation>, floor: Timestamp) -> SeriesStore {
        let (pages, stats, scratch) = Default::default();
        SeriesStore { shard, pages, generation, floor, stats, scratch }
    }

    /// Adds a sample to a series; any timestamp is taken.
    #[inline]
    pub fn append(&mut self, index: usize, sample: Sample, older: &dyn Older) -> Appended {
        if index / PAGE_SERIES >= self.pages.len() {
            self.grow(index);
        }
        let series = &mut self.pages[index / PAGE_SERIES][index % PAGE_SERIES];
        let newest = series.open.last_timestamp();
        if sample.timestamp > newest && (newest != UNKNOWN || sample.timestamp > self.floor) {
            series.append_newest(sample, &mut self.stats, &mut self.scratch.bytes);
            return Appended::Written;
        }
        self.append_late(index, sample, older)
    }

    #[cold]
    fn grow(&mut self, index: usize) {
        while self.pages.len() <= index / PAGE_SERIES {
            self.pages.push((0..PAGE_SERIES).map(|_| Series::default()).collect());
            self.stats.memory_bytes += PAGE_SERIES * size_of::<Series>();
        }
    }

    /// Adds a sample that may not be the newest of its series.
    #[cold]
    fn append_late(&mut self, index: usize, sample: Sample, older: &dyn Older) -> Appended {
        let compared = |bits: u64| match bits == sample.value.to_bits() {
            true => Appended::Duplicate,
            false => Appended::Conflict,
        };
        if let Some(bits) = self.stored_bits(index, sample.timestamp) {
            return compared(bits);
        }
        let looked = older.look((index * SHARDS + self.shard) as Slot, sample.timestamp);
        if let Some(bits) = looked.value_bits {
            return compared(bits);
        }
        let series = &mut self.pages[index / PAGE_SERIES][index % PAGE_SERIES];
        let is_newest = !looked.has_newer
            && series.bounds().is_none_or(|bounds| bounds.maxt < sample.timestamp)
            && (series.open.last_timestamp() < sample.timestamp || series.has_no_newest());
        match is_newest {
            true => series.append_newest(sample, &mut self.stats, &mut self.scratch.bytes),
            false => series.insert_late(sample, &mut self.stats, &mut self.scratch.bytes),
        }
        Appended::Written
    }

    /// The bits that the store has for a series at a time.
    fn stored_bits(&mut self, index: usize, timestamp: Timestamp) -> Option<u64> {
        let series = &self.pages[index / PAGE_SERIES][index % PAGE_SERIES];
        if timestamp == series.open.last_timestamp() && !series.has_no_newest() {
            return Some(series.open.last_value().to_bits());
        }
        let Scratch { encoded, columns, .. } = &mut self.scratch;
        let range = TimeRange::new(timestamp, timestamp);
        series.copy(range, encoded);
        columns.clear();
        encoded.decode(range, columns).expect("chunks written by this process decode");
        encoded.clear();
        columns.floats.first().map(|value| value.to_bits())
    }

    /// Moves all samples to the generation, and goes on with the next one. `open_from` is the start of the oldest window
    /// that is not over.
    pub fn seal(&mut self, open_from: Timestamp, next: Arc<Generation>) {
        let mut runs = RunsBuilder::new(open_from);
        let all = self.pages.iter_mut().flat_map(|page| page.iter_mut());
        for (index, series) in all.enumerate().filter(|(_, series)| !series.is_empty()) {
            series.seal_into(index as u32, &mut runs, &mut self.stats, &mut self.scratch.bytes);
        }
        self.generation.seal_shard(self.shard, runs.finish());
        self.generation = next;
    }

    /// The number of the generation that the samples belong to.
    pub fn generation(&self) -> u64 {
        self.generation.number
    }

    fn get(&self, index: usize) -> Option<&Series> {
        self.pages.get(index / PAGE_SERIES).map(|page| &page[index % PAGE_SERIES])
    }

    /// Loads the lines that appending to these series will need. The loads do not depend on each other, so the
    /// memory answers them together; the appends that follow would wait for one after the other.
    #[inline]
    pub fn touch(&self, indexes: impl Iterator<Item = usize> + Clone) {
        let mut nearly_full = 0u64;
        for (i, series) in indexes.clone().filter_map(|index| self.get(index)).enumerate() {
            let bit = u64::from(series.open.tail_bits() > TAIL_NEARLY_FULL_BITS);
            nearly_full |= bit << (i % 64);
        }
        if black_box(nearly_full) == 0 {
            return;
        }
        let mut sum = 0;
        for series in indexes.filter_map(|index| self.get(index)) {
            if series.open.tail_bits() > TAIL_NEARLY_FULL_BITS
                && let Some(rest) = &series.rest
            {
                sum ^= rest.blocks.last().copied().unwrap_or(0);
            }
        }
        black_box(sum);
    }

    /// Copies what a series has within the range, and chunks that reach beyond it whole.
    pub fn copy(&self, index: usize, range: TimeRange, out: &mut EncodedSeries) {
        out.clear();
        if let Some(series) = self.get(index) {
            series.copy(range, out);
        }
    }

    /// The newest sample of a series, also one that was sealed.
    pub fn newest(&self, index: usize) -> Option<Sample> {
        let series = self.get(index).filter(|series| !series.has_no_newest())?;
        Some(Sample::new(series.open.last_timestamp(), series.open.last_value()))
    }

    /// The newest sample of a series, if that is in the open chunk.
    pub fn newest_unsealed(&self, index: usize) -> Option<Sample> {
        let open = &self.get(index).filter(|series| series.open.count() > 0)?.open;
        Some(Sample::new(open.last_timestamp(), open.last_value()))
    }

    /// The times of the oldest and the newest sample.
    pub fn bounds(&self, index: usize) -> Option<TimeRange> {
        self.get(index).and_then(Series::bounds)
    }

    pub fn stats(&self) -> StoreStats {
        self.stats
    }
}

impl Series {
    fn is_empty(&self) -> bool {
        self.open.count() == 0 && self.rest.is_none()
    }

    /// Has no sample of it come through here, but late ones?
    fn has_no_newest(&self) -> bool {
        self.open.last_timestamp() == UNKNOWN && self.open.count() == 0
    }

    #[inline]
    fn append_newest(&mut self, sample: Sample, stats: &mut StoreStats, scratch: &mut Vec<u8>) {
        stats.samples += 1;
        if let Some(block) = self.open.append(sample) {
            self.keep(block, stats);
        }
        if self.open.count() == CHUNK_SAMPLES_MAX {
            self.seal(stats, scratch);
        }
    }

    /// Moves a full block to the heap, whose room grows by half.
    fn keep(&mut self, block: Block, stats: &mut StoreStats) {
        let blocks = &mut self.rest(stats).blocks;
        let old_capacity = blocks.capacity();
        if blocks.len() == old_capacity {
            blocks.reserve_exact((old_capacity / 2).next_multiple_of(BLOCK_BYTES).max(BLOCK_BYTES));
        }
        blocks.extend_from_slice(&block_bytes(&block));
        stats.memory_bytes += blocks.capacity() - old_capacity;
    }

    fn rest(&mut self, stats: &mut StoreStats) -> &mut Rest {
        self.rest.get_or_insert_with(|| {
            stats.memory_bytes += size_of::<Rest>();
            Box::default()
        })
    }

    fn history(&mut self, stats: &mut StoreStats) -> &mut History {
        if self.rest(stats).history.is_none() {
            stats.memory_bytes += size_of::<History>();
        }
        self.rest(stats).history.get_or_insert_default()
    }

    fn blocks(&self) -> &[u8] {
        self.rest.as_ref().map_or(&[], |rest| &rest.blocks)
    }

    /// Makes the open chunk, which is not empty, the last sealed one. Its room on the heap is given back: the next chunk
    /// of a series that goes on takes it again in a few steps, and one that ended would hold it for ever.
    fn seal(&mut self, stats: &mut StoreStats, scratch: &mut Vec<u8>) {
        let Some(mint) = self.open.first_timestamp(self.blocks()) else { return };
        scratch.clear();
        self.open.write_to(self.blocks(), scratch);
        let range = TimeRange::new(mint, self.open.last_timestamp());
        let chunk = Chunk::new(range, self.open.count(), scratch);
        self.open.restart();
        stats.memory_bytes -= std::mem::take(&mut self.rest(stats).blocks).capacity();
        stats.chunks += 1;
        stats.memory_bytes += chunk.heap_bytes() + size_of::<Chunk>();
        let chunks = &mut self.history(stats).chunks;
        chunks.reserve_exact(1);
        chunks.push(chunk);
    }

    /// Adds a sample that is older than the newest, at a time the series does not have.
    fn insert_late(&mut self, sample: Sample, stats: &mut StoreStats, scratch: &mut Vec<u8>) {
        stats.samples += 1;
        let late = &mut self.history(stats).late;
        let old_capacity = late.capacity();
        late.insert(late.partition_point(|s| s.timestamp < sample.timestamp), sample);
        stats.memory_bytes += (late.capacity() - old_capacity) * size_of::<Sample>();
        if late.len() >= LATE_SAMPLES_MAX {
            self.fold_late(stats, scratch);
        }
    }

    /// Empties the buffer of late samples into the sealed chunks. The open chunk becomes one of them if a late sample falls
    /// into it.
    fn fold_late(&mut self, stats: &mut StoreStats, scratch: &mut Vec<u8>) {
        let late = std::mem::take(&mut self.history(stats).late);
        let open_mint = self.open.first_timestamp(self.blocks());
        if open_mint.is_some_and(|mint| late.last().is_some_and(|s| s.timestamp > mint)) {
            self.seal(stats, scratch);
        }
        let chunks = std::mem::take(&mut self.history(stats).chunks);
        stats.memory_bytes -= late.capacity() * size_of::<Sample>() + memory_of(&chunks);
        stats.chunks -= chunks.len();
        let mut merged = merge_late(chunks, &late).expect("chunks written by this process decode");
        merged.shrink_to_fit();
        stats.chunks += merged.len();
        stats.memory_bytes += memory_of(&merged);
        self.history(stats).chunks = merged;
    }

    fn copy(&self, range: TimeRange, out: &mut EncodedSeries) {
        if self.open_overlaps(range) {
            self.open.write_to(self.blocks(), &mut out.open);
            out.open_count = self.open.count();
        }
        let Some(history) = self.rest.as_ref().and_then(|rest| rest.history.as_ref()) else {
            return;
        };
        let start = history.chunks.partition_point(|chunk| chunk.range.maxt < range.mint);
        let chunks = history.chunks[start..].iter();
        out.chunks.extend(chunks.take_while(|chunk| chunk.range.mint <= range.maxt).cloned());
        let start = history.late.partition_point(|sample| sample.timestamp < range.mint);
        let late = history.late[start..].iter();
        out.late.extend(late.take_while(|sample| sample.timestamp <= range.maxt));
    }

    /// Does the open chunk reach into the range? Its first timestamp must be decoded, which few ranges need.
    fn open_overlaps(&self, range: TimeRange) -> bool {
        let last = self.open.last_timestamp();
        self.open.count() > 0
            && last >= range.mint
            && !range.is_empty()
            && (last <= range.maxt
                || self.open.first_timestamp(self.blocks()).is_some_and(|mint| mint <= range.maxt))
    }

    fn bounds(&self) -> Option<TimeRange> {
        let mut range = TimeRange::EMPTY;
        if let Some(mint) = self.open.first_timestamp(self.blocks()) {
            range = TimeRange::new(mint, self.open.last_timestamp());
        }
        if let Some(history) = self.rest.as_ref().and_then(|rest| rest.history.as_ref()) {
            history.chunks.first().inspect(|chunk| range.include(chunk.range.mint));
            history.chunks.last().inspect(|chunk| range.include(chunk.range.maxt));
            history.late.first().inspect(|sample| range.include(sample.timestamp));
            history.late.last().inspect(|sample| range.include(sample.timestamp));
        }
        (!range.is_empty()).then_some(range)
    }

    /// Moves all samples to the runs. The newest stays known.
    fn seal_into(
        &mut self,
        index: u32,
        runs: &mut RunsBuilder,
        stats: &mut StoreStats,
        scratch: &mut Vec<u8>,
    ) {
        let has_late = self
            .rest
            .as_ref()
            .and_then(|rest| rest.history.as_ref())
            .is_some_and(|h| !h.late.is_empty());
        if has_late {
            self.fold_late(stats, scratch);
        }
        let mint = self.open.first_timestamp(self.blocks());
        scratch.clear();
        self.open.write_to(self.blocks(), scratch);
        let ours = "chunks written by this process decode";
        if let Some(rest) = self.rest.take() {
            stats.memory_bytes -= size_of::<Rest>() + rest.blocks.capacity();
            if let Some(history) = rest.history {
                let History { chunks, late } = *history;
                stats.memory_bytes -= size_of::<History>() + memory_of(&chunks);
                stats.memory_bytes -= late.capacity() * size_of::<Sample>();
                stats.chunks -= chunks.len();
                for chunk in chunks {
                    let count = chunk.count as usize;
                    stats.samples -= count;
                    runs.push(index, chunk.range, count, chunk.bytes()).expect(ours);
                }
            }
        }
        if let Some(mint) = mint {
            let (range, count) =
                (TimeRange::new(mint, self.open.last_timestamp()), self.open.count());
            stats.samples -= count;
            runs.push(index, range, count, scratch).expect(ours);
            self.open.restart();
        }
    }
}

fn memory_of(chunks: &[Chunk]) -> usize {
    chunks.iter().map(|chunk| chunk.heap_bytes() + size_of::<Chunk>()).sum()
}

#[cfg(test)]
mod tests {
    use super::super::older::NothingOlder;
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Model = BTreeMap<i64, u64>;

    fn empty_store() -> SeriesStore {
        SeriesStore::new(0, Generation::new(0, 1), Timestamp::MIN)
    }

    fn read(store: &SeriesStore, index: usize, range: TimeRange) -> Vec<(i64, u64)> {
        let (mut encoded, mut columns) = (EncodedSeries::default(), Columns::default());
        store.copy(index, range, &mut encoded);
        encoded.decode(range, &mut columns).unwrap();
        columns.timestamps.into_iter().zip(columns.floats.iter().map(|v| v.to_bits())).collect()
    }

    fn model_append(model: &mut Model, timestamp: i64, bits: u64) -> Appended {
        match model.insert(timestamp, bits) {
            None => Appended::Written,
            Some(old) if old == bits => Appended::Duplicate,
            Some(old) => {
                model.insert(timestamp, old);
                Appended::Conflict
            }
        }
    }

    /// Appends to store and model, and compares what they say.
    fn append(store: &mut SeriesStore, model: &mut Model, index: usize, timestamp: i64, bits: u64) {
        let sample = Sample::new(timestamp, f64::from_bits(bits));
        assert_eq!(
            store.append(index, sample, &NothingOlder),
            model_append(model, timestamp, bits)
        );
    }

    fn assert_equals_model(store: &SeriesStore, models: &[Model], range: TimeRange) {
        for (index, model) in models.iter().enumerate() {
            let expected: Vec<_> = model
                .iter()
                .filter(|(timestamp, _)| range.contains(**timestamp))
                .map(|(timestamp, bits)| (*timestamp, *bits))
                .collect();
            assert_eq!(read(store, index, range), expected);
            let bounds = model.first_key_value().zip(model.last_key_value());
            let bounds = bounds.map(|((mint, _), (maxt, _))| TimeRange::new(*mint, *maxt));
            assert_eq!(store.bounds(index), bounds);
        }
        let stored: usize = models.iter().map(BTreeMap::len).sum();
        assert_eq!(store.stats().samples, stored);
        assert_eq!(store.stats().memory_bytes, memory_counted(store));
    }

    fn memory_counted(store: &SeriesStore) -> usize {
        let series = store.pages.iter().flatten();
        let rests = series.clone().filter_map(|series| series.rest.as_ref());
        let histories = rests.clone().filter_map(|rest| rest.history.as_ref());
        let history_bytes = |history: &History| {
            let late_bytes = history.late.capacity() * size_of::<Sample>();
            size_of::<History>() + memory_of(&history.chunks) + late_bytes
        };
        series.count() * size_of::<Series>()
            + rests.map(|rest| size_of::<Rest>() + rest.blocks.capacity()).sum::<usize>()
            + histories.map(|history| history_bytes(history)).sum::<usize>()
    }

    /// Where the next timestamp lies: mostly a step on, sometimes anywhere.
    #[derive(Debug, Clone)]
    enum Step {
        On(i64),
        Back(i64),
        To(i64),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            20 => (1i64..20_000).prop_map(Step::On),
            8 => (0i64..600).prop_map(|samples| Step::Back(samples * 5_000)),
            1 => prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0), any::<i64>()].prop_map(Step::To),
        ]
    }

    fn any_range() -> impl Strategy<Value = TimeRange> {
        let near = || prop_oneof![0i64..20_000_000, any::<i64>(), Just(i64::MIN), Just(i64::MAX)];
        (near(), near()).prop_map(|(mint, maxt)| TimeRange::new(mint, maxt))
    }

    proptest! {
        #[test]
        fn a_store_equals_a_map_in_which_the_first_sample_stays(
            steps in prop::collection::vec((0usize..3, any_step(), 0u64..3), 0..2_000),
            ranges in prop::collection::vec(any_range(), 5),
        ) {
            let mut store = empty_store();
            let mut models = vec![Model::new(); 3];
            let mut clocks = [0i64; 3];
            for (index, step, value) in steps {
                let clock = clocks[index];
                let timestamp = match step {
                    Step::On(by) => clock.saturating_add(by),
                    Step::Back(by) => clock.saturating_sub(by),
                    Step::To(timestamp) => timestamp,
                };
                if let Step::On(_) = step {
                    clocks[index] = timestamp;
                }
                append(&mut store, &mut models[index], index, timestamp, value << 50);
            }
            for range in ranges.into_iter().chain([TimeRange::ALL, TimeRange::EMPTY]) {
                assert_equals_model(&store, &models, range);
            }
        }

        #[test]
        fn any_timestamps_in_any_order_are_kept(samples in prop::collection::vec((any::<i64>(), any::<u64>()), 0..600)) {
            let mut store = empty_store();
            let mut models = vec![Model::new()];
            for (timestamp, bits) in samples {
                append(&mut store, &mut models[0], 0, timestamp, bits);
            }
            assert_equals_model(&store, &models, TimeRange::ALL);
        }
    }

    #[test]
    fn a_long_backfill_is_merged_into_chunks() {
        let mut store = empty_store();
        let mut models = vec![Model::new()];
        for i in (0..2_000).chain(3_000..3_300) {
            append(&mut store, &mut models[0], 0, i * 10, i as u64);
        }
        for i in (2_000..3_000).rev().chain((0..3_300).step_by(3)) {
            append(&mut store, &mut models[0], 0, i * 10 + 5, i as u64);
        }
        assert_equals_model(&store, &models, TimeRange::ALL);
        assert_equals_model(&store, &models, TimeRange::new(15_003, 25_004));
        assert!(store.stats().chunks < 45, "{:?}", store.stats());
    }

    #[test]
    fn all_samples_again_change_nothing() {
        let mut store = empty_store();
        let samples: Vec<Sample> = (0..700).map(|i| Sample::new(i * 15_000, i as f64)).collect();
        assert!(samples.iter().all(|s| store.append(7, *s, &NothingOlder) == Appended::Written));
        let stats = store.stats();
        assert!(samples.iter().all(|s| store.append(7, *s, &NothingOlder) == Appended::Duplicate));
        let other = samples.iter().map(|s| Sample::new(s.timestamp, -1.0));
        assert!(other.map(|s| store.append(7, s, &NothingOlder)).all(|a| a == Appended::Conflict));
        assert_eq!(store.stats(), stats);
        assert_eq!(stats.chunks, 2);
    }

    #[test]
    fn nan_equals_nan_of_the_same_bits_only() {
        let mut store = empty_store();
        let nan = |bits| Sample::new(i64::MIN, f64::from_bits(bits));
        assert_eq!(store.append(0, nan(0x7ff8_0000_0000_0001), &NothingOlder), Appended::Written);
        assert_eq!(store.append(0, nan(0x7ff8_0000_0000_0001), &NothingOlder), Appended::Duplicate);
        assert_eq!(store.append(0, nan(0x7ff8_0000_0000_0002), &NothingOlder), Appended::Conflict);
        assert_eq!(read(&store, 0, TimeRange::ALL), [(i64::MIN, 0x7ff8_0000_0000_0001)]);
    }

    #[test]
    fn an_unknown_series_is_empty() {
        let store = empty_store();
        assert_eq!(store.bounds(1_000_000), None);
        assert_eq!(read(&store, 1_000_000, TimeRange::ALL), []);
    }

    #[test]
    fn three_samples_of_a_series_stay_in_its_cache_line() {
        assert_eq!((size_of::<Series>(), align_of::<Series>()), (64, 64));
        let mut store = empty_store();
        for index in 0..PAGE_SERIES {
            for tick in 0..3 {
                let value = (index * 7 + tick * index) as f64;
                let sample = Sample::new(1_700_000_000_000 + tick as i64 * 15_000, value);
                store.append(index, sample, &NothingOlder);
            }
        }
        assert_eq!(store.stats().memory_bytes, PAGE_SERIES * 64);
    }
}

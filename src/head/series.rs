//! The samples of the series of one shard. A series is one cache line: the open chunk's state and last bits, and a pointer
//! to the rest, which most appends do not follow. `apply` holds the lock around a store; a store knows of no other shard.
//!
//! 1. A sample newer than all of its series is appended to the open chunk, which is sealed when it is full.
//! 2. One at a time that is taken already changes nothing: the first applied wins.
//! 3. Any other came late. It waits in a sorted buffer, and a full buffer is merged into the sealed chunks, so that
//!    these stay in order and apart and nothing is refused.

use std::hint::black_box;

use super::chunks::{CHUNK_SAMPLES_MAX, Chunk, merge_late};
use super::encoded::EncodedSeries;
use crate::encoding::bits::{BLOCK_BITS, BLOCK_BYTES, Block, block_bytes};
use crate::encoding::chunk::OpenChunk;
use crate::model::{Sample, TimeRange};
use crate::read::Columns;

/// Late samples of a series that wait unencoded, at 16 bytes each: enough that rewriting a chunk, about 3 us,
/// is shared by many; little enough for a late batch to all series.
const LATE_SAMPLES_MAX: usize = 64;
/// Series allocated at once: growth copies nothing, and a shard with few series takes 16 KiB.
const PAGE_SERIES: usize = 256;
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
#[derive(Debug, Default)]
pub struct SeriesStore {
    pages: Vec<Box<[Series]>>,
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
    /// Adds a sample to a series; any timestamp is taken.
    #[inline]
    pub fn append(&mut self, index: usize, sample: Sample) -> Appended {
        if index / PAGE_SERIES >= self.pages.len() {
            self.grow(index);
        }
        let series = &mut self.pages[index / PAGE_SERIES][index % PAGE_SERIES];
        if sample.timestamp > series.open.last_timestamp() || series.is_empty() {
            series.append_newest(sample, &mut self.stats, &mut self.scratch.bytes);
            return Appended::Written;
        }
        self.append_late(index, sample)
    }

    #[cold]
    fn grow(&mut self, index: usize) {
        while self.pages.len() <= index / PAGE_SERIES {
            self.pages.push((0..PAGE_SERIES).map(|_| Series::default()).collect());
            self.stats.memory_bytes += PAGE_SERIES * size_of::<Series>();
        }
    }

    fn append_late(&mut self, index: usize, sample: Sample) -> Appended {
        let series = &mut self.pages[index / PAGE_SERIES][index % PAGE_SERIES];
        let Scratch { bytes, encoded, columns } = &mut self.scratch;
        let stored = if sample.timestamp == series.open.last_timestamp() {
            Some(series.open.last_value())
        } else {
            let range = TimeRange::new(sample.timestamp, sample.timestamp);
            series.copy(range, encoded);
            encoded.decode(range, columns).expect("chunks written by this process decode");
            encoded.clear();
            columns.floats.first().copied()
        };
        match stored {
            Some(value) if value.to_bits() == sample.value.to_bits() => Appended::Duplicate,
            Some(_) => Appended::Conflict,
            None => {
                series.insert_late(sample, &mut self.stats, bytes);
                Appended::Written
            }
        }
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

    /// The times of the oldest and the newest sample.
    pub fn bounds(&self, index: usize) -> Option<TimeRange> {
        self.get(index).and_then(Series::bounds)
    }

    pub fn stats(&self) -> StoreStats {
        self.stats
    }
}

impl Series {
    #[inline]
    fn is_empty(&self) -> bool {
        self.open.count() == 0 && self.rest.is_none()
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

    /// Makes the open chunk, which is not empty, the last sealed one. Its room on the heap is given back: the next chunk of a
    /// series that goes on takes it again in a few steps, and one that ended would hold it for ever.
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
        let last = self.open.last_timestamp();
        let open_mint = self.open.first_timestamp(self.blocks());
        if open_mint.is_some_and(|mint| range.overlaps(TimeRange::new(mint, last))) {
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

    fn bounds(&self) -> Option<TimeRange> {
        if self.is_empty() {
            return None;
        }
        let maxt = self.open.last_timestamp();
        let mut range = TimeRange::new(maxt, maxt);
        self.open.first_timestamp(self.blocks()).inspect(|mint| range.include(*mint));
        if let Some(history) = self.rest.as_ref().and_then(|rest| rest.history.as_ref()) {
            history.chunks.first().inspect(|chunk| range.include(chunk.range.mint));
            history.late.first().inspect(|sample| range.include(sample.timestamp));
        }
        Some(range)
    }
}

fn memory_of(chunks: &[Chunk]) -> usize {
    chunks.iter().map(|chunk| chunk.heap_bytes() + size_of::<Chunk>()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Model = BTreeMap<i64, u64>;

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
        assert_eq!(store.append(index, sample), model_append(model, timestamp, bits));
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
            let mut store = SeriesStore::default();
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
            let mut store = SeriesStore::default();
            let mut models = vec![Model::new()];
            for (timestamp, bits) in samples {
                append(&mut store, &mut models[0], 0, timestamp, bits);
            }
            assert_equals_model(&store, &models, TimeRange::ALL);
        }
    }

    #[test]
    fn a_long_backfill_is_merged_into_chunks() {
        let mut store = SeriesStore::default();
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
        let mut store = SeriesStore::default();
        let samples: Vec<Sample> = (0..700).map(|i| Sample::new(i * 15_000, i as f64)).collect();
        assert!(samples.iter().all(|s| store.append(7, *s) == Appended::Written));
        let stats = store.stats();
        assert!(samples.iter().all(|s| store.append(7, *s) == Appended::Duplicate));
        let other = samples.iter().map(|s| Sample::new(s.timestamp, -1.0));
        assert!(other.map(|s| store.append(7, s)).all(|a| a == Appended::Conflict));
        assert_eq!(store.stats(), stats);
        assert_eq!(stats.chunks, 2);
    }

    #[test]
    fn nan_equals_nan_of_the_same_bits_only() {
        let mut store = SeriesStore::default();
        let nan = |bits| Sample::new(i64::MIN, f64::from_bits(bits));
        assert_eq!(store.append(0, nan(0x7ff8_0000_0000_0001)), Appended::Written);
        assert_eq!(store.append(0, nan(0x7ff8_0000_0000_0001)), Appended::Duplicate);
        assert_eq!(store.append(0, nan(0x7ff8_0000_0000_0002)), Appended::Conflict);
        assert_eq!(read(&store, 0, TimeRange::ALL), [(i64::MIN, 0x7ff8_0000_0000_0001)]);
    }

    #[test]
    fn an_unknown_series_is_empty() {
        let store = SeriesStore::default();
        assert_eq!(store.bounds(1_000_000), None);
        assert_eq!(read(&store, 1_000_000, TimeRange::ALL), []);
    }

    #[test]
    fn three_samples_of_a_series_stay_in_its_cache_line() {
        assert_eq!((size_of::<Series>(), align_of::<Series>()), (64, 64));
        let mut store = SeriesStore::default();
        for index in 0..PAGE_SERIES {
            for tick in 0..3 {
                let value = (index * 7 + tick * index) as f64;
                store.append(index, Sample::new(1_700_000_000_000 + tick as i64 * 15_000, value));
            }
        }
        assert_eq!(store.stats().memory_bytes, PAGE_SERIES * 64);
    }
}

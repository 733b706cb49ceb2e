//! From the end of the log to a sealed generation: samples are collected in commit order and then sorted by series, which
//! is several times cheaper than adding each to its open chunk, since nothing is looked up per sample. Used at start only.

use super::generation::Generation;
use super::run::RunsBuilder;
use super::work::{SHARDS, Slot, index_of, shard_of};
use crate::model::{CommitSeq, Sample, Timestamp};
use crate::read::Columns;
use crate::sync::Arc;

/// Samples in commit order, 20 bytes each.
#[derive(Debug, Default)]
pub struct ReplayedSamples {
    slots: Vec<Slot>,
    samples: Vec<Sample>,
    /// Samples of each slot.
    counts: Vec<u32>,
}

impl ReplayedSamples {
    #[inline]
    pub fn push(&mut self, slot: Slot, sample: Sample) {
        if self.counts.len() <= slot as usize {
            self.counts.resize(slot as usize + 1, 0);
        }
        self.counts[slot as usize] += 1;
        self.slots.push(slot);
        self.samples.push(sample);
    }

    pub fn len(&self) -> usize {
        self.samples.len()
    }

    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Makes a sealed generation of the samples and forgets them. Of a series' samples at one time the first stays.
    /// `open_from` is the start of the oldest window that is not over.
    pub fn seal(
        &mut self,
        number: u64,
        seqs: (CommitSeq, CommitSeq),
        open_from: Timestamp,
    ) -> Arc<Generation> {
        let (ends, sorted) = self.sort();
        let generation = Generation::replayed(number, seqs.0);
        generation.end_at(seqs.1);
        let mut builders: Vec<_> = (0..SHARDS).map(|_| RunsBuilder::new(open_from)).collect();
        let mut columns = Columns::default();
        let mut start = 0;
        for (slot, end) in (0..).zip(ends) {
            if start < end {
                fill(&mut columns, &sorted[start..end]);
                builders[shard_of(slot)].push_columns(index_of(slot) as u32, &columns);
            }
            start = end;
        }
        for (shard, builder) in builders.into_iter().enumerate() {
            generation.seal_shard(shard, builder.finish());
        }
        generation
    }

    /// A counting sort by slot that keeps the order within each: the samples, and where those of each slot end.
    fn sort(&mut self) -> (Vec<usize>, Vec<Sample>) {
        let mut ends = vec![0; self.counts.len()];
        let mut next = 0;
        for (end, count) in ends.iter_mut().zip(&self.counts) {
            *end = next;
            next += *count as usize;
        }
        let mut sorted = vec![Sample::new(0, 0.0); self.samples.len()];
        for (slot, sample) in self.slots.iter().zip(&self.samples) {
            let place = &mut ends[*slot as usize];
            sorted[*place] = *sample;
            *place += 1;
        }
        *self = ReplayedSamples::default();
        (ends, sorted)
    }
}

/// Replaces the columns with samples in order of time.
fn fill(columns: &mut Columns, samples: &[Sample]) {
    columns.clear();
    samples.iter().for_each(|sample| columns.push(sample.timestamp, sample.value));
    if columns.timestamps.is_sorted_by(|a, b| a < b) {
        return;
    }
    let mut samples = samples.to_vec();
    samples.sort_by_key(|sample| sample.timestamp);
    samples.dedup_by_key(|sample| sample.timestamp);
    columns.clear();
    samples.iter().for_each(|sample| columns.push(sample.timestamp, sample.value));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TimeRange;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn the_first_sample_of_a_time_stays(
            samples in prop::collection::vec((0u32..70, 0i64..40, any::<u64>()), 0..400),
        ) {
            let mut replayed = ReplayedSamples::default();
            let mut model: BTreeMap<(u32, i64), u64> = BTreeMap::new();
            for (slot, minutes, bits) in samples {
                replayed.push(slot, Sample::new(minutes * 600_000, f64::from_bits(bits)));
                model.entry((slot, minutes * 600_000)).or_insert(bits);
            }
            let generation = replayed.seal(4, (10, 20), 7_200_000);
            prop_assert!(generation.is_sealed() && replayed.is_empty());
            prop_assert_eq!(generation.samples(), model.len() as u64);
            let mut columns = Columns::default();
            for slot in 0..70 {
                columns.clear();
                generation.read_sealed(slot, TimeRange::ALL, &mut columns).unwrap();
                let read = columns.timestamps.iter().zip(columns.floats.iter().map(|v| v.to_bits()));
                let expected = model.range((slot, i64::MIN)..=(slot, i64::MAX));
                prop_assert!(read.eq(expected.map(|((_, t), bits)| (t, *bits))));
            }
        }
    }
}

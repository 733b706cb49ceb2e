//! Several sources as one, in order of priority: of samples of one series with the same timestamp that of the earliest source
//! stays. What a query reads is one of these over blocks, spills and memory; it knows nothing of what its sources are.
//!
//! A selection merges the sorted label sets of its sources two by two, halves first. Where they hold the same series, the usual
//! case, that is one comparison for equality per series and source; where they hold others, one per level. It does so when
//! it is first asked for something that depends on it, since whoever selects may find the parts too large.

use std::ops::Range;

use super::buffers::Buffers;
use super::merge_columns::ColumnsMerge;
use super::{Columns, Estimate, ReadError, SeriesSet, Source};
use crate::model::{Labels, Matcher, TimeRange};
use crate::sync::{Arc, OnceLock};

/// The sources, the most trusted first.
#[derive(Clone)]
pub struct MergeSource {
    sources: Vec<Arc<dyn Source>>,
}

impl MergeSource {
    pub fn new(sources: Vec<Arc<dyn Source>>) -> MergeSource {
        MergeSource { sources }
    }

    /// Sorted union of a list that every source gives.
    fn union(
        &self,
        list_of: impl Fn(&dyn Source) -> Result<Vec<String>, ReadError>,
    ) -> Result<Vec<String>, ReadError> {
        let mut union = Vec::new();
        for source in &self.sources {
            union.append(&mut list_of(source.as_ref())?);
        }
        // Stable, since that sort finds the sorted runs it is given.
        union.sort();
        union.dedup();
        Ok(union)
    }
}

impl Source for MergeSource {
    fn select(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Box<dyn SeriesSet>, ReadError> {
        let mut sets = Vec::with_capacity(self.sources.len());
        for source in &self.sources {
            let set = source.select(matchers, range)?;
            // An empty selection may still have to say why it is empty.
            if !set.is_empty() || !set.warnings().is_empty() {
                sets.push(set);
            }
        }
        match sets.len() {
            1 => Ok(sets.remove(0)),
            _ => Ok(Box::new(MergedSet::new(sets))),
        }
    }

    /// All samples, and as many series as the source with the most has: mostly, sources hold the same series.
    fn estimate(&self, matchers: &[Matcher], range: TimeRange) -> Result<Estimate, ReadError> {
        let mut all = Estimate::default();
        for source in &self.sources {
            let of_source = source.estimate(matchers, range)?;
            all.series = all.series.max(of_source.series);
            all.samples = all.samples.saturating_add(of_source.samples);
        }
        Ok(all)
    }

    fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, ReadError> {
        self.union(|source| source.label_names(matchers, range))
    }

    fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, ReadError> {
        self.union(|source| source.label_values(name, matchers, range))
    }
}

/// A selection from several sources.
struct MergedSet {
    sets: Vec<Box<dyn SeriesSet>>,
    merged: OnceLock<Merged>,
    buffers: Buffers<ColumnsMerge>,
}

/// Which series of several sets are the same. Entries are the series of all sets, numbered through: those of the first set,
/// then those of the second, and so on.
struct Merged {
    /// The number of the first entry of each set.
    bases: Vec<usize>,
    labels: Vec<Labels>,
    /// Per series its first entry.
    heads: Vec<u32>,
    /// Per entry the next one of the same series, in a later set; `LAST` if there is none.
    next: Vec<u32>,
}

const LAST: u32 = u32::MAX;

impl Merged {
    fn new(sets: &[Box<dyn SeriesSet>]) -> Result<Merged, ReadError> {
        let lists = sets.iter().map(|set| set.labels()).collect::<Result<Vec<_>, _>>()?;
        let mut bases = vec![0];
        for list in &lists {
            bases.push(bases[bases.len() - 1] + list.len());
        }
        let mut merge = LabelsMerge::new(&lists, &bases);
        let heads = merge.merge(0..lists.len());
        let LabelsMerge { entries, next, .. } = merge;
        let labels = heads.iter().map(|head| entries[*head as usize].clone()).collect();
        Ok(Merged { bases, labels, heads, next })
    }
}

impl MergedSet {
    fn new(sets: Vec<Box<dyn SeriesSet>>) -> MergedSet {
        MergedSet { sets, merged: OnceLock::new(), buffers: Buffers::default() }
    }

    fn merged(&self) -> Result<&Merged, ReadError> {
        if let Some(merged) = self.merged.get() {
            return Ok(merged);
        }
        let merged = Merged::new(&self.sets)?;
        Ok(self.merged.get_or_init(|| merged))
    }

    /// Set and index in it of the parts of a series, in order of priority.
    fn parts_of(
        &self,
        series: usize,
    ) -> Result<impl Iterator<Item = (&dyn SeriesSet, usize)>, ReadError> {
        let Merged { bases, heads, next, .. } = self.merged()?;
        let following = |entry: &u32| Some(next[*entry as usize]).filter(|next| *next != LAST);
        Ok(std::iter::successors(Some(heads[series]), following).map(|entry| {
            let entry = entry as usize;
            let set = bases.partition_point(|base| *base <= entry) - 1;
            (self.sets[set].as_ref(), entry - bases[set])
        }))
    }
}

impl SeriesSet for MergedSet {
    fn labels(&self) -> Result<&[Labels], ReadError> {
        Ok(&self.merged()?.labels)
    }

    fn len(&self) -> usize {
        self.merged().map_or(0, |merged| merged.labels.len())
    }

    fn parts(&self) -> &[Box<dyn SeriesSet>] {
        &self.sets
    }

    fn may_have_label(&self, name: &str) -> bool {
        self.sets.iter().any(|set| set.may_have_label(name))
    }

    fn read(&self, index: usize, range: TimeRange, out: &mut Columns) -> Result<(), ReadError> {
        let mut parts = self.parts_of(index)?;
        if let (Some((set, part)), None) = (parts.next(), parts.next()) {
            return set.read(part, range, out);
        }
        let mut merge = self.buffers.of(index);
        merge.clear();
        for (set, part) in self.parts_of(index)? {
            set.read(part, range, merge.add_part())?;
        }
        merge.merge_into(out);
        Ok(())
    }

    /// Mostly, the last source has the newest samples.
    fn read_newest(
        &self,
        index: usize,
        mut range: TimeRange,
        out: &mut Columns,
    ) -> Result<(), ReadError> {
        let parts: Vec<_> = self.parts_of(index)?.collect();
        if let [(set, part)] = parts[..] {
            return set.read_newest(part, range, out);
        }
        let mut merge = self.buffers.of(index);
        merge.clear();
        out.clear();
        let found = merge.add_part();
        for (set, part) in parts.into_iter().rev() {
            set.read_newest(part, range, found)?;
            out.keep_newest(found, &mut range);
        }
        Ok(())
    }

    fn warnings(&self) -> Vec<String> {
        let mut united: Vec<String> = Vec::new();
        for warning in self.sets.iter().flat_map(|set| set.warnings()) {
            if !united.contains(&warning) {
                united.push(warning);
            }
        }
        united
    }
}

/// The merge of sorted lists of labels at work.
struct LabelsMerge<'a> {
    bases: &'a [usize],
    /// The labels of every entry.
    entries: Vec<&'a Labels>,
    /// Per entry the next one with the same labels.
    next: Vec<u32>,
}

impl<'a> LabelsMerge<'a> {
    fn new(lists: &[&'a [Labels]], bases: &'a [usize]) -> LabelsMerge<'a> {
        let entries: Vec<&Labels> = lists.iter().flat_map(|list| list.iter()).collect();
        assert!(entries.len() < LAST as usize, "a selection has fewer than 2^32 - 1 entries");
        let next = vec![LAST; entries.len()];
        LabelsMerge { bases, entries, next }
    }

    /// The first entries of the series in some of the lists, in order of labels.
    fn merge(&mut self, lists: Range<usize>) -> Vec<u32> {
        if lists.len() <= 1 {
            return (self.bases[lists.start] as u32..self.bases[lists.end] as u32).collect();
        }
        let middle = lists.start + lists.len() / 2;
        let earlier = self.merge(lists.start..middle);
        let later = self.merge(middle..lists.end);
        self.merge_two(earlier, later)
    }

    fn merge_two(&mut self, earlier: Vec<u32>, later: Vec<u32>) -> Vec<u32> {
        let mut merged = Vec::with_capacity(earlier.len().max(later.len()));
        let (mut i, mut j) = (0, 0);
        while let (Some(a), Some(b)) = (earlier.get(i), later.get(j)) {
            let (x, y) = (self.entries[*a as usize], self.entries[*b as usize]);
            // Equality compares the text at once, order goes label by label.
            if x == y {
                self.link(*a, *b);
                merged.push(*a);
                (i, j) = (i + 1, j + 1);
            } else if x < y {
                merged.push(*a);
                i += 1;
            } else {
                merged.push(*b);
                j += 1;
            }
        }
        merged.extend_from_slice(&earlier[i..]);
        merged.extend_from_slice(&later[j..]);
        merged
    }

    /// Puts the entries that begin with `later` behind those that begin with `earlier`.
    fn link(&mut self, earlier: u32, later: u32) {
        let mut entry = earlier as usize;
        while self.next[entry] != LAST {
            entry = self.next[entry] as usize;
        }
        self.next[entry] = later;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::memory::MemorySource;
    use super::*;
    use crate::model::MatchOp;

    /// Series by number, in an order of labels that is not that of the numbers.
    fn labels(series: u8) -> Labels {
        let (job, instance) = (format!("j{}", series % 3), format!("i{series}"));
        Labels::from_pairs([("__name__", "m"), ("job", job.as_str()), ("instance", &instance)])
    }

    fn merge_of(sources: Vec<MemorySource>) -> MergeSource {
        let sources = sources.into_iter().map(|source| Arc::new(source) as Arc<dyn Source>);
        MergeSource::new(sources.collect())
    }

    fn read(set: &dyn SeriesSet, index: usize, range: TimeRange) -> Vec<(i64, u64)> {
        let mut columns = Columns::default();
        set.read(index, range, &mut columns).unwrap();
        let bits = columns.floats.iter().map(|value| value.to_bits());
        columns.timestamps.into_iter().zip(bits).collect()
    }

    fn assert_same(merged: &MergeSource, model: &MemorySource, matchers: &[Matcher], r: TimeRange) {
        let (set, expected) =
            (merged.select(matchers, r).unwrap(), model.select(matchers, r).unwrap());
        assert_eq!(set.labels().unwrap(), expected.labels().unwrap());
        assert_eq!(set.len(), expected.len());
        for index in 0..expected.len() {
            // Also a part of what was selected, as windows of a query read it.
            for range in [r, TimeRange::new(r.mint, r.mint.saturating_add(10).min(r.maxt))] {
                let samples = read(&*expected, index, range);
                assert_eq!(read(&*set, index, range), samples);
                let mut newest = Columns::default();
                set.read_newest(index, range, &mut newest).unwrap();
                assert_eq!(newest.timestamps.last(), samples.last().map(|(time, _)| time));
                let bits = newest.floats.last().map(|value| value.to_bits());
                assert_eq!(bits, samples.last().map(|(_, bits)| *bits));
            }
        }
        let names = |source: &dyn Source| source.label_names(matchers, r).unwrap();
        assert_eq!(names(merged), names(model));
        let values = |source: &dyn Source| source.label_values("instance", matchers, r).unwrap();
        assert_eq!(values(merged), values(model));
    }

    #[derive(Debug, Clone)]
    struct Added {
        source: usize,
        series: u8,
        timestamp: i64,
        value: f64,
    }

    fn added() -> impl Strategy<Value = Added> {
        let value = prop_oneof![Just(f64::NAN), Just(-0.0), (0u8..5).prop_map(f64::from)];
        let added = (0usize..5, 0u8..12, 0i64..40, value);
        added.prop_map(|(source, series, timestamp, value)| Added {
            source,
            series,
            timestamp,
            value,
        })
    }

    proptest! {
        #[test]
        fn merged_sources_are_one_source(
            count in 0usize..6,
            mut samples in proptest::collection::vec(added(), 0..300),
            (mint, maxt) in (-5i64..45, -5i64..45),
        ) {
            samples.retain(|added| added.source < count);
            samples.sort_by_key(|added| added.source);
            let mut sources = vec![MemorySource::new(); count];
            let mut model = MemorySource::new();
            for Added { source, series, timestamp, value } in samples {
                sources[source].add(&labels(series), timestamp, value);
                model.add(&labels(series), timestamp, value);
            }
            let merged = merge_of(sources);
            let job = Matcher::new("job", MatchOp::Equal, "j1").unwrap();
            for range in [TimeRange::ALL, TimeRange::new(mint, maxt)] {
                assert_same(&merged, &model, &[], range);
                assert_same(&merged, &model, std::slice::from_ref(&job), range);
            }
        }
    }

    /// Nothing, and a reason.
    struct Damaged(&'static str);

    impl Source for Damaged {
        fn select(&self, _: &[Matcher], _: TimeRange) -> Result<Box<dyn SeriesSet>, ReadError> {
            Ok(Box::new(Damaged(self.0)))
        }

        fn estimate(&self, _: &[Matcher], _: TimeRange) -> Result<Estimate, ReadError> {
            Err(ReadError::Closed)
        }

        fn label_names(&self, _: &[Matcher], _: TimeRange) -> Result<Vec<String>, ReadError> {
            Err(ReadError::Closed)
        }

        fn label_values(
            &self,
            _: &str,
            _: &[Matcher],
            _: TimeRange,
        ) -> Result<Vec<String>, ReadError> {
            Err(ReadError::Closed)
        }
    }

    impl SeriesSet for Damaged {
        fn labels(&self) -> Result<&[Labels], ReadError> {
            Ok(&[])
        }

        fn len(&self) -> usize {
            0
        }

        fn read(&self, _: usize, _: TimeRange, _: &mut Columns) -> Result<(), ReadError> {
            Err(ReadError::Closed)
        }

        fn warnings(&self) -> Vec<String> {
            vec!["a page is damaged".to_string(), self.0.to_string()]
        }
    }

    #[test]
    fn warnings_are_united_even_of_sources_without_series() {
        let mut whole = MemorySource::new();
        whole.add(&labels(1), 1, 1.0);
        let sources: [Arc<dyn Source>; 3] =
            [Arc::new(Damaged("a")), Arc::new(whole), Arc::new(Damaged("b"))];
        let merged = MergeSource::new(sources.to_vec());
        let set = merged.select(&[], TimeRange::ALL).unwrap();
        assert_eq!(set.labels().unwrap(), [labels(1)]);
        assert_eq!(set.warnings(), ["a page is damaged", "a", "b"]);
        assert!(merged.label_names(&[], TimeRange::ALL).is_err());
    }
}

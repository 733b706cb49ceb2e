//! Columns of one series from several places made one column in order of time. Of samples with the same timestamp the one
//! of the earlier part stays. [`super::merge`] reads through this, and whoever writes a file from several others.
//!
//! 1. Take the part whose next timestamp is the lowest; of equal ones the first.
//! 2. Copy its samples before the next timestamp of any other part: all of them at once where parts do not overlap, the
//!    usual case, in whichever order of time the parts come.
//! 3. Where another part goes on with the very timestamp just copied, step over it there.

use super::Columns;
use crate::model::Timestamp;

/// The parts of one series after the other, with buffers that stay for the next series.
#[derive(Debug, Default)]
pub struct ColumnsMerge {
    parts: Vec<Columns>,
    /// How many of `parts` belong to the series at hand.
    used: usize,
    /// What is left of the parts, in order of priority.
    rests: Vec<Rest>,
}

/// The samples of a part from `start` on. There is at least one.
#[derive(Debug, Clone, Copy)]
struct Rest {
    part: usize,
    start: usize,
}

impl ColumnsMerge {
    /// Forgets the parts.
    pub fn clear(&mut self) {
        self.used = 0;
    }

    /// An empty part to be filled; the parts added before go before it.
    pub fn add_part(&mut self) -> &mut Columns {
        if self.used == self.parts.len() {
            self.parts.push(Columns::default());
        }
        self.used += 1;
        let part = &mut self.parts[self.used - 1];
        part.clear();
        part
    }

    /// Replaces the contents of `out` with the samples of all parts, and forgets the parts.
    pub fn merge_into(&mut self, out: &mut Columns) {
        out.clear();
        self.rests.clear();
        let filled = (0..self.used).filter(|part| !self.parts[*part].is_empty());
        self.rests.extend(filled.map(|part| Rest { part, start: 0 }));
        if let [only] = self.rests[..] {
            std::mem::swap(out, &mut self.parts[only.part]);
            self.rests.clear();
        }
        while !self.rests.is_empty() {
            self.copy_run(out);
        }
        self.clear();
    }

    /// Copies the samples that come before any of another part.
    fn copy_run(&mut self, out: &mut Columns) {
        let (first, limit) = self.next_run();
        let Rest { part, start } = self.rests[first];
        let columns = &self.parts[part];
        let end = match limit {
            // Equal timestamps: this one sample, which hides the others.
            Some(limit) if columns.timestamps[start] == limit => start + 1,
            Some(limit) => end_before(&columns.timestamps, start, limit),
            None => columns.len(),
        };
        out.timestamps.extend_from_slice(&columns.timestamps[start..end]);
        out.floats.extend_from_slice(&columns.floats[start..end]);
        let copied = columns.timestamps[end - 1];
        self.rests[first].start = end;
        self.step_over(copied);
    }

    /// The rest that begins first (of equal ones the first), and where the next of the others begins.
    fn next_run(&self) -> (usize, Option<Timestamp>) {
        let (mut first, mut limit) = (0, None);
        let mut lowest = self.beginning(0);
        for other in 1..self.rests.len() {
            let beginning = self.beginning(other);
            if beginning < lowest {
                (first, limit, lowest) = (other, Some(lowest), beginning);
            } else if limit.is_none_or(|limit| beginning < limit) {
                limit = Some(beginning);
            }
        }
        (first, limit)
    }

    fn beginning(&self, rest: usize) -> Timestamp {
        let Rest { part, start } = self.rests[rest];
        self.parts[part].timestamps[start]
    }

    /// Leaves out what has the timestamp copied last, and the parts that are finished.
    fn step_over(&mut self, copied: Timestamp) {
        let parts = &self.parts;
        self.rests.retain_mut(|rest| {
            let timestamps = &parts[rest.part].timestamps;
            rest.start += usize::from(timestamps.get(rest.start) == Some(&copied));
            rest.start < timestamps.len()
        });
    }
}

/// End of the samples from `start` on that are before `limit`.
fn end_before(timestamps: &[Timestamp], start: usize, limit: Timestamp) -> usize {
    if timestamps[timestamps.len() - 1] < limit {
        return timestamps.len();
    }
    // Not by bisection: interleaved parts have short runs, and the samples of long ones are copied anyway.
    let run = timestamps[start..].iter().take_while(|timestamp| **timestamp < limit);
    start + run.count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn merged(parts: &[&[(Timestamp, f64)]]) -> Vec<(Timestamp, f64)> {
        let mut merge = ColumnsMerge::default();
        for part in parts {
            let columns = merge.add_part();
            part.iter().for_each(|(timestamp, value)| columns.push(*timestamp, *value));
        }
        let mut out = Columns::default();
        merge.merge_into(&mut out);
        out.timestamps.into_iter().zip(out.floats).collect()
    }

    #[test]
    fn parts_that_do_not_overlap_follow_each_other_in_time() {
        assert_eq!(merged(&[]), []);
        assert_eq!(merged(&[&[], &[(1, 1.0)], &[]]), [(1, 1.0)]);
        assert_eq!(
            merged(&[&[(5, 5.0), (6, 6.0)], &[], &[(9, 9.0)], &[(1, 1.0), (2, 2.0)]]),
            [(1, 1.0), (2, 2.0), (5, 5.0), (6, 6.0), (9, 9.0)]
        );
    }

    #[test]
    fn of_equal_timestamps_the_earlier_part_stays() {
        let (first, second) = ([(2, 1.0), (4, 1.0)], [(1, 2.0), (2, 2.0), (3, 2.0), (4, 2.0)]);
        assert_eq!(merged(&[&first, &second]), [(1, 2.0), (2, 1.0), (3, 2.0), (4, 1.0)]);
        assert_eq!(merged(&[&second, &first]), second);
    }

    #[test]
    fn the_ends_of_time_are_timestamps_like_others() {
        let ends = [(i64::MIN, 1.0), (i64::MAX, 1.0)];
        let other = [(i64::MIN, 2.0), (0, 2.0), (i64::MAX, 2.0)];
        assert_eq!(merged(&[&ends, &other]), [(i64::MIN, 1.0), (0, 2.0), (i64::MAX, 1.0)]);
    }

    fn part() -> impl Strategy<Value = BTreeMap<Timestamp, u8>> {
        // Narrow parts anywhere, so that some overlap and some do not.
        (-20i64..100).prop_flat_map(|base| {
            proptest::collection::btree_map(base..base + 30, any::<u8>(), 0..20)
        })
    }

    proptest! {
        #[test]
        fn merging_is_inserting_what_is_not_there(
            rounds in proptest::collection::vec(proptest::collection::vec(part(), 0..6), 1..4),
        ) {
            let (mut merge, mut out) = (ColumnsMerge::default(), Columns::default());
            for parts in rounds {
                let mut model = BTreeMap::new();
                for part in &parts {
                    let columns = merge.add_part();
                    for (timestamp, value) in part {
                        columns.push(*timestamp, f64::from(*value));
                        model.entry(*timestamp).or_insert(f64::from(*value));
                    }
                }
                merge.merge_into(&mut out);
                prop_assert!(out.timestamps.iter().eq(model.keys()));
                prop_assert!(out.floats.iter().eq(model.values()));
            }
        }
    }
}

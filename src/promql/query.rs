//! One evaluation under way: the frame it runs in, the threads it may use, the budgets it may not exceed, and what it
//! has to tell besides its value. Every operator holds a reference to it.

use std::ops::Range;

use rayon::prelude::*;

use super::annotations::Annotations;
use super::ast::{Expr, Span};
use super::budget::{Budget, SAMPLE_BYTES};
use super::engine::{EngineOptions, Limits};
use super::explain::Analysis;
use super::functions::Remarks;
use super::operator::Meta;
use super::plan::unparen;
use super::probe::{self, Probe};
use super::quiet::Facts;
use super::select::CHECK_STEPS;
use super::tally::{Counting, Tally};
use super::timeline::Frame;
use super::value::QueryError;
use crate::read::{SeriesSet, Source};
use crate::sync::{Arc, Mutex, Ordering};

pub use super::budget::Held;

/// Series in one unit of parallel work at least, and at most.
const CHUNK_SERIES_MIN: usize = 256;
const CHUNK_SERIES_MAX: usize = 2_048;
/// Units that are enough to keep threads busy to the end: with more, merging what they give takes time.
const CHUNKS_ENOUGH: usize = 128;
/// Units that many groups leave at least: the last of them keeps other threads waiting for a sixteenth of the time at most.
const CHUNKS_MIN: usize = 16;
/// Series of each group in a unit, if there are so many: beside reading them, merging takes little.
const CHUNK_GROUP_SERIES: usize = 8;
/// Units whose results wait to be merged at once, per thread: enough to keep threads busy, few enough to hold.
const WAVE_CHUNKS_PER_THREAD: usize = 16;
/// Of the free budget, the part that results waiting to be merged may take: the rest is for what threads read.
const WAVE_BUDGET_SHARE: u64 = 2;

/// Most samples that are read at a stretch: 16 MB, beyond which larger reads are no faster.
const SLICE_SAMPLES_MAX: u64 = 1 << 20;
/// Of the whole budget, the part that what threads read at a stretch may take.
const SLICE_BUDGET_SHARE: u64 = 8;

/// What a kept series takes besides a state per step and its label set: headers of its vectors, overhead of allocations.
const SERIES_BYTES: usize = 192;

/// What a kept series costs, in samples: a state of `state_bytes` and a presence bit per step.
pub fn series_cost(steps: usize, state_bytes: usize) -> usize {
    let states = steps.saturating_mul(state_bytes).saturating_add(steps / 8);
    states.saturating_add(SERIES_BYTES).div_ceil(SAMPLE_BYTES)
}

/// What a kept column costs, in samples.
pub fn column_cost(steps: usize) -> usize {
    series_cost(steps, size_of::<f64>())
}

/// What plain values cost, in samples.
pub fn values_cost(count: usize) -> usize {
    count.saturating_mul(size_of::<f64>()).div_ceil(SAMPLE_BYTES)
}

/// How a number of series is cut into units of parallel work. Reductions merge units in order, so that no answer depends on
/// scheduling.
#[derive(Debug, Clone, Copy)]
pub struct Chunks {
    total: usize,
    /// Series in each but the last.
    pub each: usize,
}

impl Chunks {
    pub fn of(total: usize) -> Chunks {
        Chunks::grouped(total, 0)
    }

    /// Of series in so many groups: where every unit has some of each group, merging takes as long as there are units.
    pub fn grouped(total: usize, groups: usize) -> Chunks {
        let of_groups = groups.saturating_mul(CHUNK_GROUP_SERIES).min(total / CHUNKS_MIN);
        let each = (total / CHUNKS_ENOUGH).clamp(CHUNK_SERIES_MIN, CHUNK_SERIES_MAX);
        Chunks { total, each: each.max(of_groups.min(CHUNK_SERIES_MAX)) }
    }

    fn count(self) -> usize {
        self.total.div_ceil(self.each)
    }

    fn range(self, index: usize) -> Range<usize> {
        index * self.each..((index + 1) * self.each).min(self.total)
    }
}

/// The threads queries run on.
pub struct Workers {
    /// `None`: the calling thread does everything.
    pool: Option<rayon::ThreadPool>,
}

impl Workers {
    /// A pool that cannot be started leaves the work to the calling threads.
    pub fn new(threads: usize) -> Workers {
        let name = |index| format!("query-{index}");
        let builder = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(name);
        Workers { pool: if threads > 1 { builder.build().ok() } else { None } }
    }

    /// The threads to share work with. None for one of them: while it waited for others it might be given a piece of work that waits
    /// for what it is about to make.
    fn to_share_with(&self) -> Option<&rayon::ThreadPool> {
        self.pool.as_ref().filter(|pool| pool.current_thread_index().is_none())
    }

    fn threads(&self) -> usize {
        self.pool.as_ref().map_or(1, rayon::ThreadPool::current_num_threads)
    }
}

/// See the module.
pub struct Query<'q> {
    pub options: &'q EngineOptions,
    pub workers: &'q Workers,
    pub source: &'q dyn Source,
    pub facts: Facts,
    pub frame: Frame,
    pub lookback_delta_ms: i64,
    pub limits: Limits,
    /// See [`Query::fail`].
    pub failure: Mutex<Option<QueryError>>,
    pub annotations: Mutex<Annotations>,
    /// Sentences about the completeness of the data, from the source.
    pub source_warnings: Mutex<Vec<String>>,
    pub budget: Arc<Budget>,
    pub tally: Tally,
    /// Of a query that is to tell what each of its nodes costs.
    pub analysis: Option<&'q Analysis>,
}

impl Query<'_> {
    /// # Errors
    /// Nobody waits for the answer any more.
    pub fn check(&self) -> Result<(), QueryError> {
        self.limits.check()
    }

    /// Ends the query with an error that came up where none can be returned.
    pub fn fail(&self, error: QueryError) {
        self.limits.canceled.store(true, Ordering::Relaxed);
        self.failure.lock().get_or_insert(error);
    }

    /// [`Query::check`] without a look at the clock: for loops in which that would be the dearest part.
    ///
    /// # Errors
    /// The query was canceled.
    pub fn check_canceled(&self) -> Result<(), QueryError> {
        if self.limits.canceled.load(Ordering::Relaxed) {
            Err(QueryError::Canceled)
        } else {
            Ok(())
        }
    }

    /// [`Query::check`] at every so many of a sequence of things.
    ///
    /// # Errors
    /// As [`Query::check`].
    pub fn check_at(&self, index: usize) -> Result<(), QueryError> {
        if index.is_multiple_of(CHECK_STEPS) { self.check() } else { Ok(()) }
    }

    /// Counts samples as held until the guard is dropped.
    ///
    /// # Errors
    /// Together with what is held already they are too many.
    pub fn hold(&self, samples: usize) -> Result<Held<'_>, QueryError> {
        self.budget.hold(samples, 0, self.analysis.and_then(|_| probe::current()))
    }

    /// Counts the series of a selection, and holds the label sets that are made for that.
    ///
    /// # Errors
    /// As [`Budget::select_set`].
    pub fn select(&self, set: &dyn SeriesSet) -> Result<Held<'_>, QueryError> {
        let mut held = self.hold(0)?;
        held.absorb(self.budget.select_set(set, |index| self.check_at(index))?);
        Ok(held)
    }

    /// Counts label sets as held until the query ends: most of them are in its answer.
    ///
    /// # Errors
    /// As [`Query::hold`].
    pub fn keep_labels(&self, series: &[Meta]) -> Result<(), QueryError> {
        let mut bytes = 0;
        for (index, meta) in series.iter().enumerate() {
            self.check_at(index)?;
            bytes += size_of::<Meta>() + meta.labels.heap_bytes();
        }
        self.keep_bytes(bytes)
    }

    /// Label sets, made one after the other and counted as [`Query::keep_labels`] does.
    ///
    /// # Errors
    /// As [`Query::hold`].
    pub fn collect_labels(
        &self,
        made: impl Iterator<Item = Meta>,
    ) -> Result<Vec<Meta>, QueryError> {
        let (mut series, mut counted) = (Vec::with_capacity(made.size_hint().0), 0);
        for meta in made {
            if series.len() == counted + CHECK_STEPS {
                self.keep_labels(&series[counted..])?;
                counted = series.len();
            }
            series.push(meta);
        }
        self.keep_labels(&series[counted..])?;
        Ok(series)
    }

    /// Label sets of so many series, made in chunks, several at a time, and counted as [`Query::keep_labels`] does.
    ///
    /// # Errors
    /// As [`Query::hold`], and those of `make`.
    pub fn make_labels(
        &self,
        count: usize,
        make: impl Fn(Range<usize>) -> Result<Vec<Meta>, QueryError> + Sync,
    ) -> Result<Vec<Meta>, QueryError> {
        let mut series = Vec::with_capacity(count);
        self.for_each_chunk(
            count,
            |chunk| make(chunk).and_then(|made| self.keep_labels(&made).map(|()| made)),
            |made| {
                series.extend(made);
                Ok(())
            },
        )?;
        Ok(series)
    }

    /// [`Query::keep_labels`] of so many clones, which share their text with label sets that are held.
    ///
    /// # Errors
    /// As [`Query::hold`].
    pub fn keep_clones(&self, count: usize) -> Result<(), QueryError> {
        self.keep_bytes(count.saturating_mul(size_of::<Meta>()))
    }

    fn keep_bytes(&self, bytes: usize) -> Result<(), QueryError> {
        self.budget.hold(0, bytes, self.analysis.and_then(|_| probe::current())).map(Held::keep)
    }

    /// Counts samples as held until the query ends.
    ///
    /// # Errors
    /// As [`Query::hold`].
    pub fn keep(&self, samples: usize) -> Result<(), QueryError> {
        self.hold(samples).map(Held::keep)
    }

    /// How many samples of a series to read at a stretch.
    pub fn slice_samples(&self) -> usize {
        let samples_max = self.options.memory_max_bytes / SAMPLE_BYTES as u64;
        let samples_max = samples_max.min(self.options.samples_max);
        let share = samples_max / SLICE_BUDGET_SHARE / self.workers.threads() as u64;
        share.clamp(1, SLICE_SAMPLES_MAX) as usize
    }

    /// Counts samples as decoded.
    pub fn count_read(&self, samples: usize) {
        self.tally.add_read(samples);
        if self.analysis.is_some() {
            probe::current().inspect(|probe| probe.read(samples));
        }
    }

    /// The cost of a node, if it is to be measured.
    pub fn probe(&self, expr: &Expr) -> Option<&Arc<Probe>> {
        self.analysis?.probe(unparen(expr).span)
    }

    /// Counts what follows as work on a node, if it is to be measured, until the guard is dropped.
    pub fn enter(&self, expr: &Expr) -> Option<probe::Entered> {
        self.probe(expr).map(probe::enter)
    }

    /// Counts uses of samples in windows.
    pub fn count_used(&self, counting: Counting, samples: u64) {
        self.tally.add_used(counting, samples);
    }

    pub fn warn(&self, span: Span, message: impl Into<String>) {
        self.annotations.lock().warn(span, message.into());
    }

    pub fn info(&self, span: Span, message: impl Into<String>) {
        self.annotations.lock().info(span, message.into());
    }

    /// What a function remarked about samples of the metric `name`.
    pub fn remark(&self, span: Span, name: &str, remarks: &Remarks) {
        if !remarks.is_empty() {
            self.annotations.lock().remark(span, name, remarks);
        }
    }

    /// Warns of values that are no quantiles: of NaN, and of the largest and the smallest.
    pub fn check_quantiles(&self, span: Span, phis: &[f64]) {
        let largest = phis.iter().copied().fold(f64::NAN, f64::max);
        let smallest = phis.iter().copied().fold(f64::NAN, f64::min);
        let nan = phis.iter().copied().find(|phi| phi.is_nan());
        let wrong = [nan, (largest > 1.0).then_some(largest), (smallest < 0.0).then_some(smallest)];
        for phi in wrong.into_iter().flatten() {
            let phi = super::annotations::format_value(phi);
            self.warn(span, format!("quantile value should be between 0 and 1, got {phi}"));
        }
    }

    /// Does two things at a time, if there are threads for it and nobody asks which part of a query costs what.
    pub fn both<A: Send, B: Send>(
        &self,
        one: impl FnOnce() -> A + Send,
        other: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        match self.workers.to_share_with().filter(|_| self.analysis.is_none()) {
            Some(pool) => pool.join(one, other),
            None => (one(), other()),
        }
    }

    /// Does `work` on chunks of `total` things, several at a time, and gives every result to `merge`, in order.
    ///
    /// # Errors
    /// The error of the first chunk that has one.
    pub fn for_each_chunk<T: Send>(
        &self,
        total: usize,
        work: impl Fn(Range<usize>) -> Result<T, QueryError> + Sync,
        merge: impl FnMut(T) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        self.for_each_chunk_held(Chunks::of(total), 0, work, merge)
    }

    /// What `work` makes of each of `total` things, in their order; several chunks at a time.
    ///
    /// # Errors
    /// Nobody waits for the answer any more.
    pub fn map<T: Send>(
        &self,
        total: usize,
        work: impl Fn(usize) -> T + Sync,
    ) -> Result<Vec<T>, QueryError> {
        let mut all = Vec::with_capacity(total);
        self.for_each_chunk(
            total,
            |chunk| Ok(chunk.map(&work).collect::<Vec<T>>()),
            |part| {
                all.extend(part);
                Ok(())
            },
        )?;
        Ok(all)
    }

    /// [`Query::for_each_chunk`] whose results hold up to `result_samples` each until they are merged: only as many
    /// wait as the budget has room for.
    pub fn for_each_chunk_held<T: Send>(
        &self,
        chunks: Chunks,
        result_samples: usize,
        work: impl Fn(Range<usize>) -> Result<T, QueryError> + Sync,
        mut merge: impl FnMut(T) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let node = self.analysis.and_then(|_| probe::current());
        let chunk = |index: usize| {
            self.check()?;
            let _helper = self.analysis.map(|_| probe::resume(node.clone()));
            work(chunks.range(index))
        };
        let mut next = 0;
        while next < chunks.count() {
            let wave = next..chunks.count().min(next + self.wave(result_samples));
            next = wave.end;
            match self.in_parallel(wave.clone(), &chunk) {
                Some(results) => results.into_iter().try_for_each(|result| merge(result?))?,
                None => wave.into_iter().try_for_each(|index| merge(chunk(index)?))?,
            }
        }
        Ok(())
    }

    /// Chunks of one wave.
    fn wave(&self, result_samples: usize) -> usize {
        let room = self.budget.room_samples() / WAVE_BUDGET_SHARE;
        let affordable = room / (result_samples as u64).max(1);
        let most = self.workers.threads() * WAVE_CHUNKS_PER_THREAD;
        usize::try_from(affordable).unwrap_or(most).clamp(1, most)
    }

    /// The results of several chunks. `None`: one at a time must do, since there are no threads, or since together
    /// they are over the budget, which one alone may not be. So no query fails only because it has more threads.
    fn in_parallel<T: Send>(
        &self,
        wave: Range<usize>,
        chunk: &(impl Fn(usize) -> Result<T, QueryError> + Sync),
    ) -> Option<Vec<Result<T, QueryError>>> {
        let pool = self.workers.to_share_with().filter(|_| wave.len() > 1)?;
        let before = (self.tally.snapshot(), self.analysis.map(Analysis::snapshot));
        let results: Vec<_> = pool.install(|| wave.into_par_iter().map(chunk).collect());
        let first_error = results.iter().find_map(|result| result.as_ref().err());
        if first_error.is_some_and(QueryError::is_over_budget) {
            self.tally.restore(before.0);
            self.analysis.zip(before.1).inspect(|(analysis, before)| analysis.restore(before));
            return None;
        }
        Some(results)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_of_the_pool_shares_its_work_with_no_other() {
        let workers = Workers::new(2);
        let pool = workers.to_share_with().expect("threads for others");
        assert!(pool.install(|| workers.to_share_with().is_none()));
        assert!(Workers::new(1).to_share_with().is_none());
    }
}

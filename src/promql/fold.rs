//! Aggregations that hold one accumulator per group and step: sum, avg, min, max, count, group, stddev, stdvar. Input
//! columns pass by; chunks of series are folded apart and merged in order, so that the result does not depend on how
//! many threads there are.

use std::ops::Range;

use hashbrown::HashMap;

use super::aggregate::Groups;
use super::ast::{AggregateOp, Grouping};
use super::column::{Bits, Column};
use super::functions::accumulate::Accumulate;
use super::functions::kahan::{Kahan, Mean, Variance};
use super::operator::{BoxOperator, Materialized, Operator, Scratch};
use super::plan::Plan;
use super::query::{CHUNK_SERIES, Held, column_cost, series_cost};
use super::value::QueryError;

/// # Errors
/// Evaluating the operand failed.
pub fn build<'q>(
    plan: &Plan<'q>,
    op: AggregateOp,
    inner: BoxOperator<'q>,
    grouping: &Grouping,
) -> Result<BoxOperator<'q>, QueryError> {
    let inner = inner.as_ref();
    let groups = Groups::of(inner, grouping);
    let result = match op {
        AggregateOp::Sum => fold::<Kahan>(plan, groups, inner),
        AggregateOp::Avg => fold::<Mean>(plan, groups, inner),
        AggregateOp::Min => fold::<Extreme<false>>(plan, groups, inner),
        AggregateOp::Max => fold::<Extreme<true>>(plan, groups, inner),
        AggregateOp::Count => fold::<Count>(plan, groups, inner),
        AggregateOp::Group => fold::<One>(plan, groups, inner),
        AggregateOp::Stddev => fold::<Deviation>(plan, groups, inner),
        AggregateOp::Stdvar => fold::<Variance>(plan, groups, inner),
        op => return Err(QueryError::Unsupported(format!("the aggregation {op:?}"))),
    }?;
    Ok(Box::new(result))
}

/// The accumulators of one group at all steps.
struct Run<'q, F> {
    states: Vec<F>,
    present: Bits,
    _held: Held<'q>,
}

impl<'q, F: Accumulate> Run<'q, F> {
    /// Without anything.
    fn start(plan: &Plan<'q>) -> Result<Run<'q, F>, QueryError> {
        let count = plan.timeline.count;
        let _held = plan.query.hold(Run::<F>::cost(count))?;
        Ok(Run { states: vec![F::default(); count], present: Bits::new(count), _held })
    }

    fn cost(count: usize) -> usize {
        series_cost(count, size_of::<F>())
    }

    fn add(&mut self, column: &Column) {
        for (step, value) in column.iter() {
            self.states[step].add(value);
        }
        self.present.union(&column.present);
    }

    fn merge(&mut self, other: &Run<'q, F>) {
        for step in other.present.iter() {
            self.states[step].merge(&other.states[step]);
        }
        self.present.union(&other.present);
    }

    fn into_column(self) -> Column {
        let mut column = Column::new(self.states.len());
        self.present.iter().for_each(|step| column.set(step, self.states[step].value()));
        column
    }
}

fn fold<'q, F: Accumulate>(
    plan: &Plan<'q>,
    groups: Groups,
    inner: &dyn Operator,
) -> Result<Materialized<'q>, QueryError> {
    let (query, count) = (plan.query, plan.timeline.count);
    let mut runs: Vec<Option<Run<'q, F>>> = groups.series.iter().map(|_| None).collect();
    query.for_each_chunk_held(
        inner.series_count(),
        Run::<F>::cost(count).saturating_mul(runs.len().min(CHUNK_SERIES)),
        |chunk| fold_chunk(plan, &groups, inner, chunk),
        |found| {
            for (group, run) in found {
                match &mut runs[group] {
                    Some(all) => all.merge(&run),
                    none => *none = Some(run),
                }
            }
            Ok(())
        },
    )?;
    let (mut columns, mut held) = (Vec::with_capacity(runs.len()), query.hold(0)?);
    for run in runs {
        held.absorb(query.hold(column_cost(count))?);
        columns.push(run.map_or_else(|| Column::new(count), Run::into_column));
    }
    Ok(Materialized::holding(groups.series, columns, held))
}

/// The accumulators of the groups that some series belong to.
fn fold_chunk<'q, F: Accumulate>(
    plan: &Plan<'q>,
    groups: &Groups,
    inner: &dyn Operator,
    chunk: Range<usize>,
) -> Result<Vec<(usize, Run<'q, F>)>, QueryError> {
    let (mut scratch, mut column) = (Scratch::default(), Column::default());
    let mut found: Vec<(usize, Run<'q, F>)> = Vec::new();
    let mut position = HashMap::new();
    for index in chunk {
        inner.column(index, &mut scratch, &mut column)?;
        let group = groups.of[index];
        let at = *position.entry(group).or_insert(found.len());
        if at == found.len() {
            found.push((group, Run::start(plan)?));
        }
        found[at].1.add(&column);
    }
    Ok(found)
}

#[derive(Clone, Default)]
struct Deviation(Variance);

impl Accumulate for Deviation {
    fn add(&mut self, value: f64) {
        self.0.add(value);
    }

    fn merge(&mut self, other: &Deviation) {
        self.0.merge(&other.0);
    }

    fn value(&self) -> f64 {
        self.0.value().sqrt()
    }
}

/// The largest value, or the smallest. NaN only if there is nothing else.
#[derive(Clone)]
struct Extreme<const LARGEST: bool>(f64);

impl<const LARGEST: bool> Default for Extreme<LARGEST> {
    fn default() -> Self {
        Extreme(f64::NAN)
    }
}

impl<const LARGEST: bool> Accumulate for Extreme<LARGEST> {
    fn add(&mut self, value: f64) {
        let better = if LARGEST { value > self.0 } else { value < self.0 };
        if better || self.0.is_nan() {
            self.0 = value;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.add(other.0);
    }

    fn value(&self) -> f64 {
        self.0
    }
}

#[derive(Clone, Default)]
struct Count(u64);

impl Accumulate for Count {
    fn add(&mut self, _: f64) {
        self.0 += 1;
    }

    fn merge(&mut self, other: &Count) {
        self.0 += other.0;
    }

    fn value(&self) -> f64 {
        self.0 as f64
    }
}

/// 1 for every group that has anything.
#[derive(Clone, Default)]
struct One;

impl Accumulate for One {
    fn add(&mut self, _: f64) {}

    fn merge(&mut self, _: &One) {}

    fn value(&self) -> f64 {
        1.0
    }
}

//! Aggregations that hold one accumulator per group and step: sum, avg, min, max, count, group, stddev, stdvar. Input
//! columns pass by; chunks of series are folded apart and merged in order, so that the result does not depend on how
//! many threads there are. Histograms are folded beside the floats ([`super::fold_histograms`]).

use std::ops::Range;

use hashbrown::HashMap;

use super::aggregate::Groups;
use super::ast::{Aggregate, AggregateOp};
use super::column::{Bits, Column};
use super::fold_histograms::{HistogramRule, HistogramSums};
use super::functions::accumulate::Accumulate;
use super::functions::kahan::{Kahan, Mean, Variance};
use super::operator::{BoxOperator, Materialized, Operator, Scratch, kept_cost};
use super::plan::Plan;
use super::query::{CHUNK_SERIES, Held, series_cost};
use super::value::QueryError;

/// # Errors
/// Evaluating the operand failed.
pub fn build<'q>(
    plan: &Plan<'q>,
    aggregate: &Aggregate,
    inner: BoxOperator<'q>,
) -> Result<BoxOperator<'q>, QueryError> {
    let inner = inner.as_ref();
    let groups = Groups::of(plan.query, inner, &aggregate.grouping)?;
    let input = Input {
        plan,
        inner,
        groups: &groups.of,
        group_count: groups.series.len(),
        histograms: HistogramRule {
            query: plan.query,
            inner,
            op: aggregate.op,
            span: aggregate.expr.span,
            steps: plan.timeline.count,
        },
    };
    let (columns, held) = match aggregate.op {
        AggregateOp::Sum => fold::<Kahan>(&input),
        AggregateOp::Avg => fold::<Mean>(&input),
        AggregateOp::Min => fold::<Extreme<false>>(&input),
        AggregateOp::Max => fold::<Extreme<true>>(&input),
        AggregateOp::Count => fold::<Count>(&input),
        AggregateOp::Group => fold::<One>(&input),
        AggregateOp::Stddev => fold::<Deviation>(&input),
        AggregateOp::Stdvar => fold::<Variance>(&input),
        op => return Err(QueryError::Unsupported(format!("the aggregation {op:?}"))),
    }?;
    Ok(Box::new(Materialized::holding(groups.series, columns, held)))
}

/// What is folded.
struct Input<'a, 'q> {
    plan: &'a Plan<'q>,
    inner: &'a dyn Operator,
    /// Of every input series, its group.
    groups: &'a [usize],
    group_count: usize,
    histograms: HistogramRule<'a, 'q>,
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
        if column.present.is_full(column.len()) {
            self.states.iter_mut().zip(&column.values).for_each(|(state, value)| state.add(*value));
        } else {
            column.iter().for_each(|(step, value)| self.states[step].add(value));
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

fn fold<'q, F: Accumulate>(input: &Input<'_, 'q>) -> Result<(Vec<Column>, Held<'q>), QueryError> {
    let (query, count) = (input.plan.query, input.plan.timeline.count);
    let mut runs: Vec<Option<Run<'q, F>>> = (0..input.group_count).map(|_| None).collect();
    let mut histograms = input.histograms.start()?;
    query.for_each_chunk_held(
        input.inner.series_count(),
        Run::<F>::cost(count).saturating_mul(runs.len().min(CHUNK_SERIES)),
        |chunk| fold_chunk(input, chunk),
        |(found, found_histograms)| {
            for (group, run) in found {
                query.check()?;
                match &mut runs[group] {
                    Some(all) => all.merge(&run),
                    none => *none = Some(run),
                }
            }
            histograms.merge(found_histograms);
            Ok(())
        },
    )?;
    let (mut columns, mut held) = (Vec::with_capacity(runs.len()), query.hold(0)?);
    for (group, run) in runs.into_iter().enumerate() {
        let mut column = run.map_or_else(|| Column::new(count), Run::into_column);
        histograms.finish(group, &mut column);
        held.absorb(query.hold(kept_cost(&column))?);
        columns.push(column);
    }
    Ok((columns, held))
}

/// The accumulators of the groups that some series belong to.
type Chunk<'a, 'q, F> = (Vec<(usize, Run<'q, F>)>, HistogramSums<'a, 'q>);

fn fold_chunk<'a, 'q, F: Accumulate>(
    input: &Input<'a, 'q>,
    chunk: Range<usize>,
) -> Result<Chunk<'a, 'q, F>, QueryError> {
    let (mut scratch, mut column) = (Scratch::default(), Column::default());
    let mut found: Vec<(usize, Run<'q, F>)> = Vec::new();
    let mut histograms = input.histograms.start()?;
    let mut position = HashMap::new();
    for index in chunk {
        input.plan.query.check_canceled()?;
        input.inner.column(index, &mut scratch, &mut column)?;
        let group = input.groups[index];
        if !column.histograms.is_empty() {
            histograms.take(group, index, &mut column)?;
        }
        let at = *position.entry(group).or_insert(found.len());
        if at == found.len() {
            found.push((group, Run::start(input.plan)?));
        }
        found[at].1.add(&column);
    }
    Ok((found, histograms))
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

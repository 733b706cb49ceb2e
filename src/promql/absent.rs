//! Functions of a vector as a whole: is anything there (`absent`, `absent_over_time`), and is it one thing (`scalar`).
//! They see every column and keep none.

use super::ast::{Expr, ExprKind};
use super::column::{Bits, Column};
use super::operator::{BoxOperator, Materialized, Meta, Operator, Scratch};
use super::plan::{Plan, unparen};
use super::query::Query;
use super::value::QueryError;
use super::window::RangeVector;
use crate::model::{Labels, LabelsBuilder, METRIC_NAME, MatchOp, Matcher};

/// 1 where no series has a value, labelled with what the selector asks for.
pub fn absent<'q>(plan: &Plan<'q>, arg: &Expr) -> Result<BoxOperator<'q>, QueryError> {
    let inner = plan.vector(arg)?;
    let present = presence(plan.query, inner.as_ref(), plan.timeline.count)?;
    inverted(plan, arg, &present)
}

/// 1 where no series has a sample in the window.
pub fn absent_over_time<'q>(plan: &Plan<'q>, arg: &Expr) -> Result<BoxOperator<'q>, QueryError> {
    let range = RangeVector::build(plan, arg)?.plain("absent_over_time")?;
    let mut present = Bits::new(plan.timeline.count);
    plan.query.for_each_chunk(
        range.input.series().len(),
        |chunk| {
            let mut scratch = Scratch::default();
            let mut present = Bits::new(plan.timeline.count);
            for index in chunk {
                range.for_each_window(index, &mut scratch, |step, _| {
                    present.insert(step);
                    Ok(())
                })?;
            }
            Ok(present)
        },
        |chunk| {
            present.union(&chunk);
            Ok(())
        },
    )?;
    inverted(plan, arg, &present)
}

/// The steps at which any series has a value.
pub fn presence(
    query: &Query<'_>,
    operator: &dyn Operator,
    count: usize,
) -> Result<Bits, QueryError> {
    let mut present = Bits::new(count);
    query.for_each_chunk(
        operator.series().len(),
        |chunk| {
            let (mut scratch, mut column) = (Scratch::default(), Column::default());
            let mut present = Bits::new(count);
            for index in chunk {
                query.check()?;
                operator.column(index, &mut scratch, &mut column)?;
                present.union(&column.presence());
            }
            Ok(present)
        },
        |chunk| {
            present.union(&chunk);
            Ok(())
        },
    )?;
    Ok(present)
}

fn inverted<'q>(
    plan: &Plan<'q>,
    arg: &Expr,
    present: &Bits,
) -> Result<BoxOperator<'q>, QueryError> {
    let mut column = Column::new(plan.timeline.count);
    (0..plan.timeline.count).filter(|step| !present.contains(*step)).for_each(|step| {
        column.set(step, 1.0);
    });
    let series = vec![Meta::new(absent_labels(arg))];
    Ok(Box::new(Materialized::new(plan.query, series, vec![column])?))
}

/// The labels that an equality matcher, alone on its label, asks for.
fn absent_labels(arg: &Expr) -> Labels {
    let matchers: &[Matcher] = match &unparen(arg).kind {
        ExprKind::Selector(selector) => &selector.matchers,
        ExprKind::Matrix(matrix) => &matrix.selector.matchers,
        _ => &[],
    };
    let mut labels = LabelsBuilder::default();
    for matcher in matchers.iter().filter(|matcher| matcher.name != METRIC_NAME) {
        let alone = matchers.iter().filter(|other| other.name == matcher.name).count() == 1;
        if alone && matcher.op == MatchOp::Equal {
            labels.set(&matcher.name, &matcher.value);
        }
    }
    labels.build()
}

/// The value of the one series present at each step; NaN if there are none or several.
pub fn scalar(plan: &Plan<'_>, arg: &Expr) -> Result<Vec<f64>, QueryError> {
    let inner = plan.vector(arg)?;
    let count = plan.timeline.count;
    let (mut seen, mut several) = (Column::new(count), Bits::new(count));
    let add = |column: &Column, seen: &mut Column, several: &mut Bits| {
        for (step, value) in column.iter() {
            match seen.present.contains(step) {
                true => several.insert(step),
                false => seen.set(step, value),
            }
        }
    };
    plan.query.for_each_chunk(
        inner.series().len(),
        |chunk| {
            let (mut scratch, mut column) = (Scratch::default(), Column::default());
            let (mut seen, mut several) = (Column::new(count), Bits::new(count));
            for index in chunk {
                plan.query.check()?;
                inner.column(index, &mut scratch, &mut column)?;
                add(&column, &mut seen, &mut several);
            }
            Ok((seen, several))
        },
        |(chunk_seen, chunk_several)| {
            several.union(&chunk_several);
            add(&chunk_seen, &mut seen, &mut several);
            Ok(())
        },
    )?;
    let value = |step| match several.contains(step) {
        true => f64::NAN,
        false => seen.get(step).unwrap_or(f64::NAN),
    };
    Ok((0..count).map(value).collect())
}

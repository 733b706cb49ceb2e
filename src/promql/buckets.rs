//! Classic histograms: `histogram_quantile`, `histogram_quantiles` and `histogram_fraction`. Series that differ in `le`
//! only are the cumulative buckets of one histogram; a result column reads the columns of its buckets.

use hashbrown::HashMap;

use super::annotations::{MonotonicityRun, for_metric};
use super::ast::{Expr, Span};
use super::column::Column;
use super::functions::histogram::{Bucket, bucket_fraction, bucket_quantile};
use super::operator::{
    BoxOperator, Concat, Materialized, Meta, Operator, Relabel, Scratch, drop_names, merge_equal,
};
use super::plan::Plan;
use super::query::{Query, column_cost};
use super::select::CHECK_STEPS;
use super::timeline::Timeline;
use super::value::QueryError;
use crate::model::{Labels, LabelsBuilder};
use crate::sync::Arc;

/// The label of a bucket's upper bound.
const BUCKET_LABEL: &str = "le";

/// `histogram_quantile(phi, buckets)`
pub fn quantile<'q>(
    plan: &Plan<'q>,
    phi: &Expr,
    arg: &Expr,
) -> Result<BoxOperator<'q>, QueryError> {
    let phis = quantile_argument(plan, phi)?;
    let inner = plan.vector(arg)?;
    Ok(drop_names(plan.query, Histograms::boxed(plan, inner, arg.span, Kernel::Quantile(phis))?))
}

/// `histogram_fraction(lower, upper, buckets)`
pub fn fraction<'q>(
    plan: &Plan<'q>,
    lower: &Expr,
    upper: &Expr,
    arg: &Expr,
) -> Result<BoxOperator<'q>, QueryError> {
    let kernel = Kernel::Fraction(plan.scalar(lower)?, plan.scalar(upper)?);
    let inner = plan.vector(arg)?;
    Ok(drop_names(plan.query, Histograms::boxed(plan, inner, arg.span, kernel)?))
}

/// `histogram_quantiles(buckets, label, phi...)`: the quantile is told by a label.
pub fn quantiles<'q>(
    plan: &Plan<'q>,
    arg: &Expr,
    label: &Expr,
    phis: &[Expr],
) -> Result<BoxOperator<'q>, QueryError> {
    let label = plan.text(label)?;
    let buckets = Arc::new(Materialized::of(plan.query, plan.vector(arg)?)?);
    let mut parts: Vec<BoxOperator<'q>> = Vec::with_capacity(phis.len());
    for phi in phis {
        let values = quantile_argument(plan, phi)?;
        let Some(first) = values.first().copied() else { continue };
        if values.iter().any(|value| value.to_bits() != first.to_bits()) {
            let what = "histogram_quantiles with a quantile that changes from step to step";
            return Err(QueryError::Unsupported(what.to_string()));
        }
        let kernel = Kernel::Quantile(values);
        let inner = Histograms::boxed(plan, Box::new(buckets.clone()), arg.span, kernel)?;
        let relabel = |meta: &Meta| {
            let Meta { labels, drop_name } =
                meta.without_name(plan.query.options.delayed_name_removal);
            let text = open_metrics_float(first);
            let labels = LabelsBuilder::from_labels(&labels).set(&label, &text).build();
            Meta { labels, drop_name }
        };
        let series = inner.series().iter().map(relabel).collect();
        parts.push(Box::new(Relabel { inner, series }));
    }
    Ok(merge_equal(Box::new(Concat::new(parts))))
}

/// As OpenMetrics writes a float: with a decimal point even where none is needed.
fn open_metrics_float(value: f64) -> String {
    let text = super::annotations::format_value(value);
    match text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        true => text + ".0",
        false => text,
    }
}

fn quantile_argument(plan: &Plan<'_>, phi: &Expr) -> Result<Vec<f64>, QueryError> {
    let values = plan.scalar(phi)?;
    plan.query.check_quantiles(phi.span, &values);
    Ok(values)
}

/// What is computed from the buckets of one step.
enum Kernel {
    Quantile(Vec<f64>),
    Fraction(Vec<f64>, Vec<f64>),
}

struct Histograms<'q> {
    query: &'q Query<'q>,
    timeline: Timeline,
    inner: BoxOperator<'q>,
    /// Labels without `le`, names kept.
    series: Vec<Meta>,
    /// Of every result series, its buckets by upper bound: that, and the index in `inner`.
    members: Vec<Vec<(f64, usize)>>,
    kernel: Kernel,
    span: Span,
}

impl<'q> Histograms<'q> {
    fn boxed(
        plan: &Plan<'q>,
        inner: BoxOperator<'q>,
        span: Span,
        kernel: Kernel,
    ) -> Result<BoxOperator<'q>, QueryError> {
        let mut position: HashMap<Labels, usize> = HashMap::new();
        let (mut series, mut malformed) = (Vec::new(), Vec::new());
        let mut members: Vec<Vec<(f64, usize)>> = Vec::new();
        for (index, meta) in inner.series().iter().enumerate() {
            let Some(bound) = parse_bound(meta.labels.value(BUCKET_LABEL)) else {
                malformed.push(index);
                continue;
            };
            let labels = meta.labels.filtered(|name| name != BUCKET_LABEL);
            let at = *position.entry(labels.clone()).or_insert(members.len());
            if at == members.len() {
                members.push(Vec::new());
                series.push(Meta { labels, drop_name: meta.drop_name });
            }
            members[at].push((bound, index));
        }
        members.iter_mut().for_each(|buckets| buckets.sort_by(|a, b| a.0.total_cmp(&b.0)));
        warn_malformed(plan.query, inner.as_ref(), &malformed, span)?;
        let (query, timeline) = (plan.query, plan.timeline);
        Ok(Box::new(Histograms { query, timeline, inner, series, members, kernel, span }))
    }

    /// The result of the buckets present at one step.
    fn value(
        &self,
        step: usize,
        buckets: &mut [Bucket],
        repairs: &mut Option<MonotonicityRun>,
    ) -> f64 {
        match &self.kernel {
            Kernel::Quantile(phis) => {
                let quantile = bucket_quantile(phis[step], buckets);
                if let Some(fix) = quantile.forced_monotonic {
                    let one = MonotonicityRun::one(fix, self.timeline.time(step));
                    match repairs {
                        Some(run) => run.merge(&one),
                        None => *repairs = Some(one),
                    }
                }
                quantile.value
            }
            Kernel::Fraction(lower, upper) => bucket_fraction(lower[step], upper[step], buckets),
        }
    }
}

impl Operator for Histograms<'_> {
    fn series(&self) -> &[Meta] {
        &self.series
    }

    fn column(
        &self,
        index: usize,
        scratch: &mut Scratch,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        let (members, count) = (&self.members[index], self.timeline.count);
        let mut held = self.query.hold(0)?;
        let mut columns = Vec::with_capacity(members.len());
        for (_, member) in members {
            held.absorb(self.query.hold(column_cost(count))?);
            let mut column = scratch.take();
            self.inner.column(*member, scratch, &mut column)?;
            columns.push(column);
        }
        out.reset(count);
        let (mut buckets, mut repairs) = (Vec::with_capacity(members.len()), None);
        for step in 0..count {
            if step % CHECK_STEPS == 0 {
                self.query.check()?;
            }
            buckets.clear();
            for ((upper_bound, _), column) in members.iter().zip(&columns) {
                let bucket = |count| Bucket { upper_bound: *upper_bound, count };
                buckets.extend(column.get(step).map(bucket));
            }
            if !buckets.is_empty() {
                out.set(step, self.value(step, &mut buckets, &mut repairs));
            }
        }
        columns.into_iter().for_each(|column| scratch.give(column));
        if let Some(run) = repairs {
            let name = self.series[index].labels.metric_name();
            self.query.annotations.lock().forced_monotonic(self.span, name, run);
        }
        Ok(())
    }
}

/// As Go parses a float: also `Inf`, `+Inf` and `NaN` in any case.
fn parse_bound(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// Warns of series without a usable bound, if they have values.
fn warn_malformed(
    query: &Query<'_>,
    inner: &dyn Operator,
    malformed: &[usize],
    span: Span,
) -> Result<(), QueryError> {
    let (mut scratch, mut column) = (Scratch::default(), Column::default());
    for index in malformed {
        inner.column(*index, &mut scratch, &mut column)?;
        if column.is_empty() {
            continue;
        }
        let labels = &inner.series()[*index].labels;
        let (bound, name) = (labels.value(BUCKET_LABEL), for_metric(labels.metric_name()));
        let message =
            format!("bucket label \"le\" is missing or has a malformed value of {bound:?}{name}");
        query.warn(span, message);
    }
    Ok(())
}

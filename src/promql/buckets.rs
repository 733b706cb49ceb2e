//! `histogram_quantile` and `histogram_fraction`. Series that differ in `le` only are the cumulative
//! buckets of one classic histogram; a series without `le` may hold native histograms. A result column reads the columns
//! of its buckets and that of the native histogram of the same labels; where there are both, neither counts.

use hashbrown::HashMap;

use super::annotations::{MonotonicityRun, for_metric};
use super::ast::{Expr, Span};
use super::column::Column;
use super::functions::histogram::{Bucket, bucket_fraction, bucket_quantile};
use super::operator::{BoxOperator, Meta, Operator, Scratch, drop_names};
use super::plan::Plan;
use super::query::{Query, column_cost};
use super::select::CHECK_STEPS;
use super::timeline::Timeline;
use super::value::QueryError;
use crate::model::histogram::Estimate;
use crate::model::{Histogram, Labels, Timestamp};

/// The label of a bucket's upper bound.
const BUCKET_LABEL: &str = "le";

/// `histogram_quantile(phi, buckets)`
pub fn quantile<'q>(
    plan: &Plan<'q>,
    phi: &Expr,
    arg: &Expr,
) -> Result<BoxOperator<'q>, QueryError> {
    let phis = quantile_argument(plan, phi)?;
    drop_names(plan.query, quantile_with_names(plan, phis, plan.vector(arg)?, arg.span)?)
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
    drop_names(plan.query, Histograms::boxed(plan, inner, arg.span, kernel)?)
}

/// The quantile, of series that have their names still.
pub fn quantile_with_names<'q>(
    plan: &Plan<'q>,
    phis: Vec<f64>,
    inner: BoxOperator<'q>,
    span: Span,
) -> Result<BoxOperator<'q>, QueryError> {
    Histograms::boxed(plan, inner, span, Kernel::Quantile(phis))
}

/// The quantile at every step; a warning if it is none somewhere.
pub fn quantile_argument(plan: &Plan<'_>, phi: &Expr) -> Result<Vec<f64>, QueryError> {
    let values = plan.scalar(phi)?;
    plan.query.check_quantiles(phi.span, &values);
    Ok(values)
}

/// What is computed from the histogram of one step.
enum Kernel {
    Quantile(Vec<f64>),
    Fraction(Vec<f64>, Vec<f64>),
}

impl Kernel {
    fn classic(
        &self,
        step: usize,
        time: Timestamp,
        buckets: &mut [Bucket],
        told: &mut Told,
    ) -> f64 {
        match self {
            Kernel::Quantile(phis) => {
                let quantile = bucket_quantile(phis[step], buckets);
                if let Some(fix) = quantile.forced_monotonic {
                    let one = MonotonicityRun::one(fix, time);
                    match &mut told.repairs {
                        Some(run) => run.merge(&one),
                        none => *none = Some(one),
                    }
                }
                quantile.value
            }
            Kernel::Fraction(lower, upper) => bucket_fraction(lower[step], upper[step], buckets),
        }
    }

    fn native(&self, step: usize, histogram: &Histogram, told: &mut Told) -> f64 {
        match self {
            Kernel::Quantile(phis) => {
                let Estimate { value, has_nan_observations } = histogram.quantile(phis[step]);
                told.nan_result |= has_nan_observations && value.is_nan();
                told.nan_skews |= has_nan_observations && !value.is_nan();
                value
            }
            Kernel::Fraction(lower, upper) => {
                let fraction = histogram.fraction(lower[step], upper[step]);
                told.nan_excluded |= fraction.has_nan_observations;
                fraction.value
            }
        }
    }
}

/// What the user should know about one result series.
#[derive(Default)]
struct Told {
    repairs: Option<MonotonicityRun>,
    /// Classic and native histograms at the same step.
    mixed: bool,
    nan_result: bool,
    nan_skews: bool,
    nan_excluded: bool,
}

/// Where the histogram of a result series comes from.
#[derive(Default)]
struct Members {
    /// By upper bound: that, and the index in `inner`.
    buckets: Vec<(f64, usize)>,
    /// The series without `le`; its floats are no buckets.
    native: Option<usize>,
}

struct Histograms<'q> {
    query: &'q Query<'q>,
    timeline: Timeline,
    inner: BoxOperator<'q>,
    /// Labels without `le`, names kept.
    series: Vec<Meta>,
    members: Vec<Members>,
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
        let mut series = Vec::new();
        let mut members: Vec<Members> = Vec::new();
        for (index, meta) in inner.series().iter().enumerate() {
            plan.query.check_at(index)?;
            let bound = parse_bound(meta.labels.value(BUCKET_LABEL));
            let labels = match bound {
                Some(_) => meta.labels.filtered(|name| name != BUCKET_LABEL),
                None => meta.labels.clone(),
            };
            let mut at = *position.entry(labels.clone()).or_insert(members.len());
            if bound.is_none() && members.get(at).is_some_and(|others| others.native.is_some()) {
                at = members.len();
            }
            if at == members.len() {
                members.push(Members::default());
                series.push(Meta { labels, drop_name: meta.drop_name });
            }
            match bound {
                Some(bound) => members[at].buckets.push((bound, index)),
                None => members[at].native = Some(index),
            }
        }
        members.iter_mut().for_each(|all| all.buckets.sort_by(|a, b| a.0.total_cmp(&b.0)));
        let (query, timeline) = (plan.query, plan.timeline);
        query.keep_labels(&series)?;
        Ok(Box::new(Histograms { query, timeline, inner, series, members, kernel, span }))
    }

    /// Fills in the results from the columns of the buckets and that of the native histograms.
    fn fill(
        &self,
        members: &Members,
        columns: &[Column],
        native: Option<&Column>,
        out: &mut Column,
    ) -> Result<Told, QueryError> {
        let (mut buckets, mut told) = (Vec::with_capacity(columns.len()), Told::default());
        for step in 0..self.timeline.count {
            if step % CHECK_STEPS == 0 {
                self.query.check()?;
            }
            buckets.clear();
            for ((upper_bound, _), column) in members.buckets.iter().zip(columns) {
                let bucket = |count| Bucket { upper_bound: *upper_bound, count };
                buckets.extend(column.get(step).map(bucket));
            }
            let native = native.and_then(|column| column.histograms.get(step));
            match (buckets.is_empty(), native) {
                (true, None) => {}
                (true, Some(histogram)) => {
                    out.set(step, self.kernel.native(step, histogram, &mut told));
                }
                (false, None) => {
                    let time = self.timeline.time(step);
                    out.set(step, self.kernel.classic(step, time, &mut buckets, &mut told));
                }
                (false, Some(_)) => told.mixed = true,
            }
        }
        Ok(told)
    }

    fn tell(&self, index: usize, told: &Told) {
        let name = self.series[index].labels.metric_name();
        let of = for_metric(name);
        if told.mixed {
            let message = "vector contains a mix of classic and native histograms";
            self.query.warn(self.span, format!("{message}{of}"));
        }
        let infos = [
            (told.nan_result, "input to histogram_quantile has NaN observations, result is NaN"),
            (
                told.nan_skews,
                "input to histogram_quantile has NaN observations, result is skewed higher",
            ),
            (
                told.nan_excluded,
                "input to histogram_fraction has NaN observations, which are excluded from all fractions",
            ),
        ];
        for (_, message) in infos.into_iter().filter(|(applies, _)| *applies) {
            self.query.info(self.span, format!("{message}{of}"));
        }
        if let Some(run) = told.repairs {
            self.query.annotations.lock().forced_monotonic(self.span, name, run);
        }
    }

    /// Warns of floats in a series without a usable bound.
    fn tell_malformed(&self, labels: &Labels) {
        let (bound, of) = (labels.value(BUCKET_LABEL), for_metric(labels.metric_name()));
        let message =
            format!("bucket label \"le\" is missing or has a malformed value of {bound:?}{of}");
        self.query.warn(self.span, message);
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
        let mut read = |index: usize| {
            held.absorb(self.query.hold(column_cost(count))?);
            let mut column = scratch.take();
            self.inner.column(index, scratch, &mut column)?;
            Ok::<Column, QueryError>(column)
        };
        let columns = members.buckets.iter().map(|(_, index)| read(*index));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let native = members.native.map(&mut read).transpose()?;
        out.reset(count);
        let told = self.fill(members, &columns, native.as_ref(), out)?;
        self.tell(index, &told);
        if native.as_ref().is_some_and(|column| !column.present.is_empty()) {
            self.tell_malformed(&self.series[index].labels);
        }
        columns.into_iter().chain(native).for_each(|column| scratch.give(column));
        Ok(())
    }
}

/// As Go parses a float: also `Inf`, `+Inf` and `NaN` in any case.
fn parse_bound(text: &str) -> Option<f64> {
    text.parse().ok()
}

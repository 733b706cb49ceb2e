//! Calls: by the name of the function to the operator that computes it. The arithmetic is in `functions`; here are the
//! arguments, the names that are kept or dropped, and the functions of time. Labels, absence, order and classic
//! histograms have files of their own.

use super::ast::{Call, Expr, ExprKind, Span};
use super::column::{Column, Element};
use super::functions::extended::{extended_function, extended_mixed_function};
use super::functions::{
    self, MathFunction, math_function, mixed_function, range_function, uses_start_times,
};
use super::instant::{InstantSelector, Take};
use super::map::{HistogramMap, Map, ValueMap};
use super::operator::{BoxOperator, Materialized, Meta, Scratch, drop_names};
use super::plan::{Node, Plan, unparen};
use super::range_call::{Notes, RangeCall};
use super::value::QueryError;
use super::window::RangeVector;
use super::{absent, buckets, info, order, quantiles, relabel};
use crate::model::{Histogram, Labels};
use crate::sync::Arc;

/// # Errors
/// This version does not evaluate the function, or building an argument failed.
pub fn build<'q>(plan: &Plan<'q>, call: &Call, span: Span) -> Result<Node<'q>, QueryError> {
    let args = call.args.as_slice();
    if let Some(values) = scalar_call(plan, call.function.name, args)? {
        return Ok(Node::Scalar(values));
    }
    Ok(Node::Vector(match (call.function.name, args) {
        ("vector", [arg]) => vector(plan, arg)?,
        ("timestamp", [arg]) => timestamp(plan, arg)?,
        ("start_timestamp", [arg]) => start_timestamp(plan, arg)?,
        ("absent", [arg]) => absent::absent(plan, arg)?,
        ("absent_over_time", [arg]) => absent::absent_over_time(plan, arg)?,
        ("sort", [arg]) => order::sort(plan, arg, span, false)?,
        ("sort_desc", [arg]) => order::sort(plan, arg, span, true)?,
        ("sort_by_label", [arg, names @ ..]) => {
            order::sort_by_label(plan, arg, names, span, false)?
        }
        ("sort_by_label_desc", [arg, names @ ..]) => {
            order::sort_by_label(plan, arg, names, span, true)?
        }
        ("info", [base, wanted @ ..]) => info::build(plan, base, wanted.first())?,
        ("label_replace", args) => relabel::label_replace(plan, args)?,
        ("label_join", args) => relabel::label_join(plan, args)?,
        ("histogram_quantile", [phi, arg]) => buckets::quantile(plan, phi, arg)?,
        ("histogram_quantiles", [arg, label, phis @ ..]) => {
            quantiles::build(plan, arg, label, phis)?
        }
        ("histogram_fraction", [lower, upper, arg]) => buckets::fraction(plan, lower, upper, arg)?,
        (name, [arg]) if let Some(function) = histogram_function(name) => {
            // They look at no buckets; whoever sums for them is warned of resets that storage did not note.
            let whole = !matches!(name, "histogram_stddev" | "histogram_stdvar");
            let plan = plan.detecting_resets(whole || plan.detects_resets);
            histogram_call(&plan, function, arg)?
        }
        (name, args) => table_call(plan, name, args)?,
    }))
}

/// The functions that return scalars.
fn scalar_call(plan: &Plan<'_>, name: &str, args: &[Expr]) -> Result<Option<Vec<f64>>, QueryError> {
    let frame = plan.query.frame;
    Ok(Some(match (name, args) {
        ("time", _) => plan.times(),
        ("pi", _) => plan.constant(std::f64::consts::PI),
        ("start", _) => plan.constant(frame.start as f64 / 1e3),
        ("end", _) => plan.constant(frame.end as f64 / 1e3),
        ("step", _) => plan.constant(frame.step_ms as f64 / 1e3),
        ("range", _) => plan.constant((frame.end - frame.start) as f64 / 1e3),
        ("scalar", [arg]) => absent::scalar(plan, arg)?,
        ("max_of" | "min_of", [a, b]) => {
            let Some(function) = math_function(name) else { return Ok(None) };
            let pairs = plan.scalar(a)?.into_iter().zip(plan.scalar(b)?);
            pairs.map(|(a, b)| function(b, &[a])).collect()
        }
        _ => return Ok(None),
    }))
}

/// The functions that are arithmetic of one window, one value or one date.
fn table_call<'q>(
    plan: &Plan<'q>,
    name: &str,
    args: &[Expr],
) -> Result<BoxOperator<'q>, QueryError> {
    if range_function(name).is_some() {
        return range_call(plan, name, args);
    }
    if let Some(function) = functions::date_function(name) {
        let inner = match args {
            [] => constant_vector(plan, plan.times())?,
            [arg, ..] => plan.vector(arg)?,
        };
        let function: ValueMap<'q> = Box::new(move |_, value| Some(function(value)));
        return mapped(plan, inner, function, None);
    }
    if let ([arg, rest @ ..], Some(function)) = (args, math_function(name)) {
        return math_call(plan, name, function, arg, rest);
    }
    Err(QueryError::Unsupported(format!("the function {name:?}")))
}

fn range_call<'q>(
    plan: &Plan<'q>,
    name: &str,
    args: &[Expr],
) -> Result<BoxOperator<'q>, QueryError> {
    let unsupported = || QueryError::Unsupported(format!("the function {name:?}"));
    let is_matrix =
        |arg: &&Expr| matches!(unparen(arg).kind, ExprKind::Matrix(_) | ExprKind::Subquery(_));
    let matrix = args.iter().find(is_matrix).ok_or_else(unsupported)?;
    let range = RangeVector::build(plan, matrix)?;
    let (function, mixed) = match range.edges {
        Some(edges) => (
            extended_function(edges, name).map_err(QueryError::Execution)?,
            extended_mixed_function(edges, name),
        ),
        None => (range_function(name).ok_or_else(unsupported)?, mixed_function(name)),
    };
    let uses_start_times = range.edges.is_none() && uses_start_times(name);
    let scalars = args.iter().filter(|arg| !is_matrix(arg));
    let scalar_args = scalars.map(|arg| plan.scalar(arg)).collect::<Result<Vec<_>, _>>()?;
    if let ("double_exponential_smoothing", [smoothing, trend]) = (name, scalar_args.as_slice()) {
        check_factors(&range, smoothing, trend)?;
    }
    let notes = match name {
        "rate" | "increase" => Notes::Counter,
        "quantile_over_time" => Notes::Quantile(args[0].span),
        _ => Notes::None,
    };
    let sliding = functions::sliding_function(name).filter(|_| range.edges.is_none());
    let whole = functions::whole::whole_function(name).filter(|_| range.edges.is_none());
    let args = scalar_args;
    let operator = Box::new(RangeCall {
        range,
        function,
        whole,
        sliding,
        mixed,
        uses_start_times,
        args,
        notes,
    });
    Ok(match name {
        "last_over_time" | "first_over_time" => operator,
        _ => drop_names(plan.query, operator)?,
    })
}

/// Are the factors allowed wherever there is something to smooth?
fn check_factors(
    range: &RangeVector<'_>,
    smoothing: &[f64],
    trend: &[f64],
) -> Result<(), QueryError> {
    let problem = |step: usize| functions::factor_problem(smoothing[step], trend[step]);
    if (0..smoothing.len()).all(|step| problem(step).is_none()) {
        return Ok(());
    }
    let mut scratch = Scratch::default();
    for index in 0..range.input.series().len() {
        range.for_each_window(index, &mut scratch, |step, _| match problem(step) {
            Some(message) => Err(QueryError::Execution(message)),
            None => Ok(()),
        })?;
    }
    Ok(())
}

fn math_call<'q>(
    plan: &Plan<'q>,
    name: &str,
    function: MathFunction,
    arg: &Expr,
    rest: &[Expr],
) -> Result<BoxOperator<'q>, QueryError> {
    let inner = plan.vector(arg)?;
    let args = rest.iter().map(|arg| plan.scalar(arg)).collect::<Result<Vec<_>, _>>()?;
    let function: ValueMap<'q> = match args.as_slice() {
        [] => Box::new(move |_, value| Some(function(value, &[]))),
        [a] => {
            let a = a.clone();
            Box::new(move |step, value| Some(function(value, &[a[step]])))
        }
        [min, max] if name == "clamp" => {
            let (min, max) = (min.clone(), max.clone());
            Box::new(move |step, value| {
                let empty = max[step] < min[step];
                (!empty).then(|| function(value, &[min[step], max[step]]))
            })
        }
        _ => return Err(QueryError::Unsupported(format!("the function {name:?}"))),
    };
    mapped(plan, inner, function, None)
}

/// The functions that tell a number of a native histogram.
fn histogram_function(name: &str) -> Option<fn(&Histogram) -> f64> {
    Some(match name {
        "histogram_avg" => Histogram::avg,
        "histogram_count" => |histogram| histogram.count,
        "histogram_stddev" => |histogram| histogram.variance().sqrt(),
        "histogram_stdvar" => Histogram::variance,
        "histogram_sum" => |histogram| histogram.sum,
        _ => return None,
    })
}

/// They pass over floats.
fn histogram_call<'q>(
    plan: &Plan<'q>,
    function: fn(&Histogram) -> f64,
    arg: &Expr,
) -> Result<BoxOperator<'q>, QueryError> {
    let histograms: HistogramMap<'q> =
        Box::new(move |_, histogram| Some(Element::Float(function(histogram))));
    mapped(plan, plan.vector(arg)?, Box::new(|_, _| None), Some(histograms))
}

/// A function of every value, after which the series are other metrics.
fn mapped<'q>(
    plan: &Plan<'q>,
    inner: BoxOperator<'q>,
    function: ValueMap<'q>,
    histograms: Option<HistogramMap<'q>>,
) -> Result<BoxOperator<'q>, QueryError> {
    let map = Map { query: plan.query, inner, function, histograms };
    drop_names(plan.query, Box::new(map))
}

fn vector<'q>(plan: &Plan<'q>, arg: &Expr) -> Result<BoxOperator<'q>, QueryError> {
    constant_vector(plan, plan.scalar(arg)?)
}

/// One series without labels.
fn constant_vector<'q>(plan: &Plan<'q>, values: Vec<f64>) -> Result<BoxOperator<'q>, QueryError> {
    let mut column = Column::new(values.len());
    values.into_iter().enumerate().for_each(|(step, value)| column.set(step, value));
    let series = vec![Meta::new(Labels::empty())];
    Ok(Box::new(Materialized::new(plan.query, series, vec![column])?))
}

/// The time of the sample behind a plain selector, the time of the step behind anything else.
fn timestamp<'q>(plan: &Plan<'q>, arg: &Expr) -> Result<BoxOperator<'q>, QueryError> {
    if let ExprKind::Selector(selector) = &unparen(arg).kind
        && !selector.smoothed
    {
        let selector = InstantSelector::new(plan, selector, Take::Time)?;
        return drop_names(plan.query, Box::new(selector));
    }
    let times = Arc::new(plan.times());
    let histograms = times.clone();
    mapped(
        plan,
        plan.vector(arg)?,
        Box::new(move |step, _| Some(times[step])),
        Some(Box::new(move |step, _| Some(Element::Float(histograms[step])))),
    )
}

/// Since when the sample behind a plain selector counts; nothing behind anything else.
fn start_timestamp<'q>(plan: &Plan<'q>, arg: &Expr) -> Result<BoxOperator<'q>, QueryError> {
    if !plan.query.options.use_start_timestamps {
        let message = "start_timestamp is not enabled: add --enable-feature=use-start-timestamps";
        return Err(QueryError::Execution(message.to_string()));
    }
    if let ExprKind::Selector(selector) = &unparen(arg).kind
        && !selector.smoothed
    {
        let selector = InstantSelector::new(plan, selector, Take::Start)?;
        return drop_names(plan.query, Box::new(selector));
    }
    mapped(plan, plan.vector(arg)?, Box::new(|_, _| None), None)
}

//! `histogram_quantiles(buckets, label, phi...)`: several quantiles of the same histograms, told apart by a label. A quantile
//! may change from step to step: then its columns are computed once and kept, and every series shows them at the steps of
//! its own quantile, so that many different quantiles cost no more than one.

use hashbrown::HashMap;

use super::annotations::format_value;
use super::ast::Expr;
use super::buckets;
use super::column::Column;
use super::operator::{
    BoxOperator, Materialized, Meta, Operator, Relabel, Scratch, SharedOperator,
};
use super::plan::Plan;
use super::query::{Held, series_cost, values_cost};
use super::unique::{Concat, merge_equal};
use super::value::QueryError;
use crate::model::LabelsBuilder;
use crate::sync::Arc;

/// # Errors
/// Evaluating an argument failed.
pub fn build<'q>(
    plan: &Plan<'q>,
    arg: &Expr,
    label: &Expr,
    phis: &[Expr],
) -> Result<BoxOperator<'q>, QueryError> {
    let label = plan.text(label)?;
    let input = Materialized::of(plan.query, plan.vector(arg)?)?;
    let input: SharedOperator<'q> = Arc::new(input);
    let mut parts: Vec<BoxOperator<'q>> = Vec::with_capacity(phis.len());
    for phi in phis {
        let phis = buckets::quantile_argument(plan, phi)?;
        let held = plan.query.hold(values_cost(phis.len()))?;
        let quantiles = distinct(&phis);
        let inner = buckets::quantile_with_names(plan, phis, Box::new(input.clone()), arg.span)?;
        let series = labelled(plan, inner.as_ref(), &label, &quantiles)?;
        parts.push(match quantiles.len() {
            1 => Box::new(Relabel { inner, series }),
            _ => {
                let inner = Materialized::of(plan.query, inner)?;
                Box::new(Changing { inner, series, quantiles, _held: held })
            }
        });
    }
    merge_equal(plan.query, Box::new(Concat::new(plan.query, parts)?))
}

/// A quantile as it is written in labels, and the steps at which it is asked for.
struct Quantile {
    text: String,
    steps: Vec<usize>,
}

fn distinct(phis: &[f64]) -> Vec<Quantile> {
    let mut position: HashMap<u64, usize> = HashMap::new();
    let mut found: Vec<Quantile> = Vec::new();
    for (step, phi) in phis.iter().enumerate() {
        // All NaNs read the same.
        let key = if phi.is_nan() { f64::NAN } else { *phi }.to_bits();
        let at = *position.entry(key).or_insert(found.len());
        if at == found.len() {
            found.push(Quantile { text: open_metrics_float(*phi), steps: Vec::new() });
        }
        found[at].steps.push(step);
    }
    found
}

/// As OpenMetrics writes a float: with a decimal point even where none is needed.
fn open_metrics_float(value: f64) -> String {
    let text = format_value(value);
    match text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        true => text + ".0",
        false => text,
    }
}

/// The series of an operator once for every quantile.
fn labelled(
    plan: &Plan<'_>,
    inner: &dyn Operator,
    label: &str,
    quantiles: &[Quantile],
) -> Result<Vec<Meta>, QueryError> {
    let (query, count) = (plan.query, inner.series().len().saturating_mul(quantiles.len()));
    query.keep(series_cost(0, 0).saturating_mul(count))?;
    let relabel = |(quantile, meta): (&Quantile, &Meta)| {
        let Meta { labels, drop_name } = meta.without_name(query.options.delayed_name_removal);
        let labels = LabelsBuilder::from_labels(&labels).set(label, &quantile.text).build();
        Meta { labels, drop_name }
    };
    let pairs = quantiles
        .iter()
        .flat_map(|quantile| inner.series().iter().map(move |meta| (quantile, meta)));
    query.collect_labels(pairs.map(relabel))
}

/// Columns of a quantile that changes from step to step, each shared out among as many series as there are quantiles.
struct Changing<'q> {
    inner: Materialized<'q>,
    /// Those of `inner` with the first quantile, then with the second, and so on.
    series: Vec<Meta>,
    quantiles: Vec<Quantile>,
    _held: Held<'q>,
}

impl Operator for Changing<'_> {
    fn series(&self) -> &[Meta] {
        &self.series
    }

    fn column(&self, index: usize, _: &mut Scratch, out: &mut Column) -> Result<(), QueryError> {
        let of_one = self.inner.series.len();
        let (column, steps) =
            (&self.inner.columns[index % of_one], &self.quantiles[index / of_one].steps);
        out.reset(column.len());
        for step in steps {
            if let Some(value) = column.get(*step) {
                out.set(*step, value);
            }
        }
        Ok(())
    }
}

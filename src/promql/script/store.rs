//! What a script has loaded: the samples that can be stored, and the names of the series that cannot.

use super::syntax::{Load, Point, Series};
use crate::model::{Labels, METRIC_NAME, Matcher};
use crate::promql::ast::{Expr, ExprKind};
use crate::read::memory::MemorySource;

/// The label of a classic bucket's upper bound.
const BUCKET_LABEL: &str = "le";
const BUCKET_SUFFIX: &str = "_bucket";

#[derive(Default)]
pub struct Store {
    pub source: MemorySource,
    /// Series with native histograms or start timestamps.
    unstorable: Vec<Labels>,
}

impl Store {
    pub fn load(&mut self, load: &Load) {
        for series in &load.series {
            if series.has_start_times || has_histograms(series) {
                self.unstorable.push(series.labels.clone());
                continue;
            }
            for (index, point) in series.points.iter().enumerate() {
                if let Point::Float(value) = point {
                    self.source.add(&series.labels, index as i64 * load.step_ms, *value);
                }
            }
        }
        if load.custom_buckets {
            self.unstorable.extend(load.series.iter().filter_map(|s| native_name(&s.labels)));
        }
    }

    /// Could an answer to this depend on series that are not stored?
    pub fn is_missing_series_of(&self, expr: &Expr) -> bool {
        !self.unstorable.is_empty() && self.is_selected(expr)
    }

    fn is_selected(&self, expr: &Expr) -> bool {
        let matches = |matchers: &[Matcher]| {
            self.unstorable
                .iter()
                .any(|labels| matchers.iter().all(|m| m.matches(labels.value(&m.name))))
        };
        match &expr.kind {
            ExprKind::Selector(selector) => matches(&selector.matchers),
            ExprKind::Matrix(matrix) => matches(&matrix.selector.matchers),
            ExprKind::Subquery(subquery) => self.is_selected(&subquery.expr),
            ExprKind::Call(call) => {
                // `info` selects series that its text does not name.
                call.function.name == "info" || call.args.iter().any(|arg| self.is_selected(arg))
            }
            ExprKind::Aggregate(aggregate) => {
                self.is_selected(&aggregate.expr)
                    || aggregate.param.as_ref().is_some_and(|param| self.is_selected(param))
            }
            ExprKind::Binary(binary) => {
                self.is_selected(&binary.lhs) || self.is_selected(&binary.rhs)
            }
            ExprKind::Unary(unary) => self.is_selected(&unary.expr),
            ExprKind::Paren(inner) => self.is_selected(inner),
            ExprKind::Number(_) | ExprKind::String(_) | ExprKind::NotUtf8(_) => false,
        }
    }
}

/// Is there a native histogram among the points?
pub fn has_histograms(series: &Series) -> bool {
    series.points.iter().any(|point| matches!(point, Point::Histogram(_)))
}

/// The native histogram that a classic bucket becomes part of.
fn native_name(labels: &Labels) -> Option<Labels> {
    let name = labels.metric_name().strip_suffix(BUCKET_SUFFIX)?;
    let bound: f64 = labels.value(BUCKET_LABEL).parse().ok()?;
    if bound.is_nan() {
        return None;
    }
    let others = labels.iter().filter(|(label, _)| *label != METRIC_NAME && *label != BUCKET_LABEL);
    Some(Labels::from_pairs(others.chain([(METRIC_NAME, name)])))
}

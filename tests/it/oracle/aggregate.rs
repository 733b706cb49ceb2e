//! Aggregations: the elements of a group side by side, then one number of them.

use std::collections::BTreeMap;

use silverback::model::histogram::HistogramSum;
use silverback::promql::ast::{Aggregate, AggregateOp, Grouping};

use super::eval::Oracle;
use super::range::{quantile, variance};
use super::value::{Answer, Element, LabelMap, NAME, Result, Value};

impl Oracle<'_> {
    pub fn aggregate(&self, aggregate: &Aggregate, time: i64) -> Result<Answer> {
        let vector = self.vector(&aggregate.expr, time)?;
        let param = match &aggregate.param {
            Some(param) => self.scalar(param, time)?,
            None => f64::NAN,
        };
        let mut groups: BTreeMap<LabelMap, Vec<Value>> = BTreeMap::new();
        for element in vector {
            groups
                .entry(key(&element.labels, &aggregate.grouping))
                .or_default()
                .push(element.value);
        }
        let results = groups.into_iter().filter_map(|(labels, values)| {
            let value = result(aggregate.op, &values, param)?;
            Some(Element { labels, drops_name: false, value })
        });
        Ok(Answer::Vector(results.collect()))
    }
}

/// The labels of the group.
pub fn key(labels: &LabelMap, grouping: &Grouping) -> LabelMap {
    let mut labels = labels.clone();
    labels.retain(|label, _| match grouping.without {
        true => label != NAME && !grouping.labels.contains(label),
        false => grouping.labels.contains(label),
    });
    labels
}

fn result(op: AggregateOp, values: &[Value], param: f64) -> Option<Value> {
    let floats: Vec<f64> = values.iter().filter_map(Value::float).collect();
    let number = match op {
        AggregateOp::Count => values.len() as f64,
        AggregateOp::Group => 1.0,
        AggregateOp::Sum | AggregateOp::Avg if floats.len() < values.len() => {
            return histograms(op, values);
        }
        _ if floats.is_empty() => return None,
        AggregateOp::Sum => floats.iter().sum(),
        AggregateOp::Avg => floats.iter().sum::<f64>() / floats.len() as f64,
        AggregateOp::Min => floats.iter().copied().fold(f64::NAN, f64::min),
        AggregateOp::Max => floats.iter().copied().fold(f64::NAN, f64::max),
        AggregateOp::Stddev => variance(&floats).sqrt(),
        AggregateOp::Stdvar => variance(&floats),
        AggregateOp::Quantile => quantile(param, &floats),
        other => panic!("the oracle does not know {other:?}"),
    };
    Some(Value::Float(number))
}

/// Sum or mean; nothing if floats are among them.
fn histograms(op: AggregateOp, values: &[Value]) -> Option<Value> {
    let mut values = values.iter().map(Value::histogram);
    let mut sum = HistogramSum::new(values.next()??);
    for histogram in values {
        sum.add(histogram?).ok()?;
    }
    Some(Value::Histogram(if op == AggregateOp::Sum { sum.sum() } else { sum.mean() }))
}

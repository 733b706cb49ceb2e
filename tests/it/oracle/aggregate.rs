//! Aggregations: the elements of a group side by side, then one value of them, or some of them.

use std::collections::BTreeMap;

use silverback::model::histogram::HistogramSum;
use silverback::promql::ast::{Aggregate, AggregateOp, Expr, Grouping};

use super::eval::Oracle;
use super::notes::{Limited, general};
use super::range::{note_combined, quantile, variance};
use super::rates::mixed_schemas;
use super::value::{Answer, Element, LabelMap, NAME, Result, Value};

impl Oracle<'_> {
    pub fn aggregate(&self, expr: &Expr, aggregate: &Aggregate, time: i64) -> Result<Answer> {
        use AggregateOp::{Bottomk, CountValues, LimitRatio, Limitk, Quantile, Topk};
        let vector = self.vector(&aggregate.expr, time);
        let param = match &aggregate.param {
            Some(label) if aggregate.op == CountValues => {
                let label = self.text(label, time)?;
                // The way to a variance rounds, be it to a round number.
                let input = aggregate.expr.to_string();
                if ["stdvar", "stddev"].iter().any(|name| input.contains(name)) {
                    self.doubtful.set(true);
                }
                return self.count_values(&label, vector?, &aggregate.grouping);
            }
            Some(param) => self.scalar(param, time)?,
            None => f64::NAN,
        };
        match (aggregate.op, &aggregate.param) {
            (Quantile, Some(place)) => {
                self.parameter(Limited::Quantile, place.span.start, param);
            }
            (LimitRatio, Some(place)) => self.check_ratio(place.span.start, param)?,
            (Topk | Bottomk | Limitk, _) => self.check_number(param)?,
            _ => {}
        }
        let mut groups: BTreeMap<LabelMap, Vec<Element>> = BTreeMap::new();
        for element in vector? {
            groups.entry(key(&element.labels, &aggregate.grouping)).or_default().push(element);
        }
        if matches!(aggregate.op, Topk | Bottomk | Limitk | LimitRatio) {
            let chosen = groups.into_values();
            let chosen = chosen.flat_map(|group| self.chosen(expr, aggregate.op, group, param));
            return Ok(Answer::Vector(chosen.collect()));
        }
        let results = groups.into_iter().filter_map(|(labels, group)| {
            let drops_name = group.iter().any(|element| element.drops_name);
            let value = self.value_of(aggregate, &group, param)?;
            Some(Element { labels, drops_name, value })
        });
        Ok(Answer::Vector(results.collect()))
    }

    fn value_of(&self, aggregate: &Aggregate, group: &[Element], param: f64) -> Option<Value> {
        let floats: Vec<f64> = group.iter().filter_map(|element| element.value.float()).collect();
        let has_histograms = floats.len() < group.len();
        let number = match aggregate.op {
            AggregateOp::Count => group.len() as f64,
            AggregateOp::Group => 1.0,
            AggregateOp::Sum | AggregateOp::Avg if has_histograms => {
                return self.sum_of_histograms(aggregate, group);
            }
            AggregateOp::Sum => floats.iter().sum(),
            AggregateOp::Avg => floats.iter().sum::<f64>() / floats.len() as f64,
            _ => {
                if has_histograms {
                    let op = aggregate.op.as_str();
                    let text = format!("ignored histogram in {op} aggregation");
                    self.notes.borrow_mut().info(aggregate.expr.span.start, text);
                }
                of_floats(aggregate.op, &floats, param)?
            }
        };
        Some(Value::Float(number))
    }

    /// Sum or mean; nothing if floats are among them.
    fn sum_of_histograms(&self, aggregate: &Aggregate, group: &[Element]) -> Option<Value> {
        let place = aggregate.expr.span.start;
        let mut notes = self.notes.borrow_mut();
        let mut sum: Option<HistogramSum> = None;
        let mut is_whole = true;
        for element in group {
            let Some(histogram) = element.value.histogram() else { continue };
            let fits = match &mut sum {
                None => {
                    sum = Some(HistogramSum::new(histogram));
                    true
                }
                Some(sum) => !is_whole || sum.add(histogram).is_ok(),
            };
            if !fits {
                notes.warn(place, mixed_schemas(element.metric()));
                is_whole = false;
            }
        }
        if group.iter().any(|element| !element.value.is_histogram()) {
            notes.warn(place, "encountered a mix of histograms and floats for aggregation");
            return None;
        }
        let sum = sum.filter(|_| is_whole)?;
        note_combined(&mut notes, sum.combined(), place);
        let is_sum = aggregate.op == AggregateOp::Sum;
        Some(Value::Histogram(if is_sum { sum.sum() } else { sum.mean() }))
    }

    /// How often each value occurs.
    fn count_values(
        &self,
        label: &str,
        vector: Vec<Element>,
        grouping: &Grouping,
    ) -> Result<Answer> {
        let mut grouping = grouping.clone();
        if !grouping.without {
            grouping.labels.push(label.to_string());
        }
        let mut counts: BTreeMap<LabelMap, (f64, bool)> = BTreeMap::new();
        for mut element in vector {
            let text = match &element.value {
                Value::Float(value) if value.is_infinite() && *value > 0.0 => "+Inf".to_string(),
                Value::Float(value) if value.is_infinite() => "-Inf".to_string(),
                Value::Float(value) => {
                    self.shown(*value);
                    value.to_string()
                }
                Value::Histogram(histogram) => histogram.to_string(),
            };
            element.labels.insert(label.to_string(), text);
            // A name that was asked for, and is there, is no longer that of the metric.
            let names = label == NAME && !grouping.without;
            let drops_name = element.drops_name && !names;
            let count = counts.entry(key(&element.labels, &grouping)).or_default();
            *count = (count.0 + 1.0, count.1 || drops_name);
        }
        let elements = counts.into_iter().map(|(labels, (count, drops_name))| Element {
            labels,
            drops_name,
            value: Value::Float(count),
        });
        Ok(Answer::Vector(elements.collect()))
    }

    /// The number of elements to choose.
    fn check_number(&self, number: f64) -> Result<()> {
        match number {
            number if number.is_nan() => self.fail("Parameter value is NaN"),
            number if number >= i64::MAX as f64 => {
                self.fail(format!("Scalar value {} overflows int64", general(number)))
            }
            // Wrong only if more than none are to be chosen at another time.
            number if number <= i64::MIN as f64 => {
                self.doubtful.set(true);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn check_ratio(&self, place: u32, ratio: f64) -> Result<()> {
        if ratio.is_nan() {
            return self.fail("Ratio value is NaN");
        }
        self.parameter(Limited::Ratio, place, ratio);
        Ok(())
    }

    /// The elements that `topk` and its like choose of a group.
    fn chosen(
        &self,
        expr: &Expr,
        op: AggregateOp,
        mut group: Vec<Element>,
        param: f64,
    ) -> Vec<Element> {
        match op {
            AggregateOp::LimitRatio if param >= 1.0 || param <= -1.0 => return group,
            AggregateOp::LimitRatio if param == 0.0 => return Vec::new(),
            // By a hash that is nobody's business but the engine's.
            AggregateOp::LimitRatio => {
                self.doubtful.set(true);
                return group;
            }
            _ => {}
        }
        let count = if param < 1.0 { 0 } else { param as usize };
        if op == AggregateOp::Limitk {
            // In the order of their series, which is not what the user sees of nested expressions.
            if count > 0 && count < group.len() {
                self.doubtful.set(true);
            }
            group.truncate(count);
            return group;
        }
        if group.iter().any(|element| element.value.is_histogram()) {
            let text = format!("ignored histogram in {} aggregation", op.as_str());
            let mut notes = self.notes.borrow_mut();
            if count > 0 { notes.info(expr.span.start, text) } else { notes.may_info(text) }
        }
        group.retain(|element| !element.value.is_histogram());
        let rank = |element: &Element| {
            let value = element.value.float().unwrap_or(f64::NAN);
            if op == AggregateOp::Topk { -value } else { value }
        };
        group.sort_by(|a, b| match (rank(a), rank(b)) {
            (a, b) if a.is_nan() || b.is_nan() => a.is_nan().cmp(&b.is_nan()),
            (a, b) => a.total_cmp(&b),
        });
        if count > 0 && count < group.len() {
            let (last, next) = (rank(&group[count - 1]), rank(&group[count]));
            self.compared(last, next);
            if last == next || last.is_nan() {
                // One of equals is chosen, whichever.
                self.doubtful.set(true);
            }
        }
        group.truncate(count);
        group
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

fn of_floats(op: AggregateOp, floats: &[f64], param: f64) -> Option<f64> {
    if floats.is_empty() {
        return None;
    }
    Some(match op {
        AggregateOp::Min => floats.iter().copied().fold(f64::NAN, f64::min),
        AggregateOp::Max => floats.iter().copied().fold(f64::NAN, f64::max),
        AggregateOp::Stddev => variance(floats).sqrt(),
        AggregateOp::Stdvar => variance(floats),
        AggregateOp::Quantile => quantile(param, floats),
        other => panic!("the oracle does not know {other:?}"),
    })
}

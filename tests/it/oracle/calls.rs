//! Functions of instant vectors, scalars and strings.

use silverback::promql::ast::{Call, Expr, ExprKind};

use super::absent;
use super::eval::Oracle;
use super::tree::unwrapped;
use super::value::{Answer, Element, LabelMap, NAME, Result, Value};

/// Beyond this an angle hangs on its last digits.
const TURNS_MAX: f64 = 1e5;

impl Oracle<'_> {
    /// A call without a range vector.
    pub fn call_of_values(&self, expr: &Expr, call: &Call, time: i64) -> Result<Answer> {
        let args = &call.args;
        let scalar = |index: usize| self.scalar(&args[index], time);
        let vector = |index: usize| self.vector(&args[index], time);
        let seconds = |ms: i64| ms as f64 / 1e3;
        Ok(match call.function.name {
            "time" => Answer::Scalar(seconds(time)),
            "start" => Answer::Scalar(seconds(self.start)),
            "end" => Answer::Scalar(seconds(self.end)),
            "step" => Answer::Scalar(seconds(self.step_ms)),
            "range" => Answer::Scalar(seconds(self.end - self.start)),
            "pi" => Answer::Scalar(std::f64::consts::PI),
            "min_of" => Answer::Scalar(lower(scalar(0)?, scalar(1)?)),
            "max_of" => Answer::Scalar(-lower(-scalar(0)?, -scalar(1)?)),
            "scalar" => {
                let vector = vector(0)?;
                let floats: Vec<f64> = vector.iter().filter_map(|e| e.value.float()).collect();
                Answer::Scalar(if let [one] = floats[..] { one } else { f64::NAN })
            }
            "vector" => Answer::Vector(of_scalar(scalar(0)?)),
            "absent" => Answer::Vector(absent::of(vector(0)?.is_empty(), &args[0])),
            "timestamp" => return self.timestamp(&args[0], time),
            "start_timestamp" => return self.start_timestamp(&args[0], time),
            "info" => return self.info(args, time),
            name if name.starts_with("sort") => {
                self.note_order(expr);
                let by_label = name.starts_with("sort_by_label");
                let sorted = vector(0)?.into_iter().filter(|e| by_label || !e.value.is_histogram());
                Answer::Vector(sorted.collect())
            }
            "label_replace" | "label_join" => return self.relabelled(call, time),
            name if is_date(name) => {
                let vector = match args.first() {
                    Some(arg) => self.vector(arg, time)?,
                    None => of_scalar(seconds(time)),
                };
                return self
                    .map(vector, |value| Some(Value::Float(self.date(name, value.float()?))));
            }
            "histogram_quantile" | "histogram_quantiles" | "histogram_fraction" => {
                return self.of_buckets(call, time);
            }
            name if name.starts_with("histogram_") => return self.of_histograms(name, args, time),
            name => {
                let vector = vector(0)?;
                let params = self.scalars(&args[1..], time)?;
                if name == "clamp" && params[1] < params[0] {
                    return Ok(Answer::Vector(Vec::new()));
                }
                return self.map(vector, |value| {
                    Some(Value::Float(self.math(name, value.float()?, &params)))
                });
            }
        })
    }

    fn note_order(&self, expr: &Expr) {
        let text =
            "sort is ineffective for range queries since results are always ordered by labels";
        // Whether the one time of what is pinned is a range is not said.
        let is_pinned = expr.to_string().contains('@') || !self.has_selector(expr);
        let (first, last) = self.times.get();
        let mut notes = self.notes.borrow_mut();
        match (first == last, is_pinned) {
            (true, _) if self.is_range_query => notes.may_warn(text),
            (true, _) => {}
            (false, true) => notes.may_warn(text),
            (false, false) => notes.warn(expr.span.start, text),
        }
    }

    fn timestamp(&self, arg: &Expr, time: i64) -> Result<Answer> {
        let vector = match &unwrapped(arg).kind {
            ExprKind::Selector(selector) if !selector.smoothed => {
                let newest = self.newest(selector, time)?.into_iter();
                newest.map(|(point, element)| (point.time, element)).collect()
            }
            _ => self.vector(arg, time)?.into_iter().map(|element| (time, element)).collect(),
        };
        self.times(vector)
    }

    /// Since when samples count; nothing of what was computed.
    fn start_timestamp(&self, arg: &Expr, time: i64) -> Result<Answer> {
        let vector = self.vector(arg, time);
        match &unwrapped(arg).kind {
            ExprKind::Selector(selector) if !selector.smoothed => {
                let newest = self.newest(selector, time)?.into_iter();
                self.times(newest.map(|(point, element)| (point.start, element)).collect())
            }
            _ => {
                vector?;
                Ok(Answer::Vector(Vec::new()))
            }
        }
    }

    fn times(&self, vector: Vec<(i64, Element)>) -> Result<Answer> {
        let timed = vector.into_iter().map(|(at, element)| {
            self.without_name(Element { value: Value::Float(at as f64 / 1e3), ..element })
        });
        self.checked(timed.collect())
    }

    fn of_histograms(&self, name: &str, args: &[Expr], time: i64) -> Result<Answer> {
        let vector = self.vector(&args[0], time)?;
        self.map(vector, |value| {
            let histogram = value.histogram()?;
            Some(Value::Float(match name {
                "histogram_count" => histogram.count,
                "histogram_sum" => histogram.sum,
                "histogram_avg" => histogram.sum / histogram.count,
                "histogram_stdvar" => histogram.variance(),
                "histogram_stddev" => histogram.variance().sqrt(),
                other => panic!("the oracle does not know {other}"),
            }))
        })
    }

    fn relabelled(&self, call: &Call, time: i64) -> Result<Answer> {
        let mut vector = self.vector(&call.args[0], time)?;
        let texts = call.args[1..].iter().map(|arg| self.text(arg, time));
        let texts = texts.collect::<Result<Vec<String>>>()?;
        for element in &mut vector {
            let value_of = |label: &String| element.labels.get(label).cloned().unwrap_or_default();
            let value = if call.function.name == "label_join" {
                texts[2..].iter().map(value_of).collect::<Vec<_>>().join(&texts[1])
            } else {
                let regex = regex::Regex::new(&format!("^(?s:{})$", texts[3]));
                let regex = regex.or_else(|_| self.fail("invalid regular expression"))?;
                let source = value_of(&texts[2]);
                let Some(captures) = regex.captures(&source) else { continue };
                let mut value = String::new();
                captures.expand(&texts[1], &mut value);
                value
            };
            // A name that was asked for is no longer that of the metric.
            element.drops_name &= texts[0] != NAME;
            match value.is_empty() {
                true => drop(element.labels.remove(&texts[0])),
                false => drop(element.labels.insert(texts[0].clone(), value)),
            }
        }
        Ok(Answer::Vector(self.unique(vector)?))
    }

    fn math(&self, name: &str, value: f64, params: &[f64]) -> f64 {
        let param = |index: usize| params.get(index).copied().unwrap_or(1.0);
        match name {
            "ceil" | "floor" => self.compared(value, value.round()),
            "sgn" => self.compared(value, 0.0),
            "sin" | "cos" | "tan" if value.abs() > TURNS_MAX => self.shown(value),
            "round" => {
                let steps = value / param(0);
                self.compared(steps, steps.floor() + 0.5);
            }
            _ => {}
        }
        match name {
            "abs" => value.abs(),
            "ceil" => value.ceil(),
            "floor" => value.floor(),
            "round" => (value * (1.0 / param(0)) + 0.5).floor() / (1.0 / param(0)),
            "sgn" if value > 0.0 => 1.0,
            "sgn" if value < 0.0 => -1.0,
            "sgn" => value,
            "clamp" => -lower(-param(0), -lower(param(1), value)),
            "clamp_min" => -lower(-param(0), -value),
            "clamp_max" => lower(param(0), value),
            "exp" => value.exp(),
            "sqrt" => value.sqrt(),
            "ln" => value.ln(),
            "log2" => value.log2(),
            "log10" => value.log10(),
            "deg" => value.to_degrees(),
            "rad" => value.to_radians(),
            "sin" => value.sin(),
            "cos" => value.cos(),
            "tan" => value.tan(),
            "asin" => value.asin(),
            "acos" => value.acos(),
            "atan" => value.atan(),
            "sinh" => value.sinh(),
            "cosh" => value.cosh(),
            "tanh" => value.tanh(),
            "asinh" => value.asinh(),
            "acosh" => value.acosh(),
            "atanh" => value.atanh(),
            other => panic!("the oracle does not know {other}"),
        }
    }
}

fn of_scalar(value: f64) -> Vec<Element> {
    vec![Element { labels: LabelMap::new(), drops_name: false, value: Value::Float(value) }]
}

fn is_date(name: &str) -> bool {
    name.starts_with("day") || matches!(name, "year" | "month" | "hour" | "minute")
}

/// NaN if one is, unless the other is below everything; and -0 is below 0, as in Go.
fn lower(a: f64, b: f64) -> f64 {
    let lowest = a == f64::NEG_INFINITY || b == f64::NEG_INFINITY;
    match a.is_nan() || b.is_nan() {
        true if !lowest => f64::NAN,
        false if a == b && a.is_sign_negative() => a,
        false if a == b => b,
        _ => a.min(b),
    }
}

//! Functions of instant vectors, scalars and strings.

use silverback::model::MatchOp;
use silverback::promql::ast::{Call, Expr, ExprKind};

use super::eval::Oracle;
use super::value::{Answer, Element, Failure, LabelMap, NAME, Result, Value};

/// What the oracle knows; it has no `info`, no classic buckets and no start timestamps.
pub const FUNCTIONS: &[&str] = &[
    "abs",
    "absent",
    "absent_over_time",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "avg_over_time",
    "ceil",
    "changes",
    "clamp",
    "clamp_max",
    "clamp_min",
    "cos",
    "cosh",
    "count_over_time",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "deg",
    "delta",
    "deriv",
    "double_exponential_smoothing",
    "end",
    "exp",
    "first_over_time",
    "floor",
    "histogram_avg",
    "histogram_count",
    "histogram_fraction",
    "histogram_quantile",
    "histogram_stddev",
    "histogram_stdvar",
    "histogram_sum",
    "hour",
    "idelta",
    "increase",
    "irate",
    "label_join",
    "label_replace",
    "last_over_time",
    "ln",
    "log10",
    "log2",
    "mad_over_time",
    "max_of",
    "max_over_time",
    "min_of",
    "min_over_time",
    "minute",
    "month",
    "pi",
    "predict_linear",
    "present_over_time",
    "quantile_over_time",
    "rad",
    "range",
    "rate",
    "resets",
    "round",
    "scalar",
    "sgn",
    "sin",
    "sinh",
    "sort",
    "sort_by_label",
    "sort_by_label_desc",
    "sort_desc",
    "sqrt",
    "start",
    "stddev_over_time",
    "stdvar_over_time",
    "step",
    "sum_over_time",
    "tan",
    "tanh",
    "time",
    "timestamp",
    "ts_of_first_over_time",
    "ts_of_last_over_time",
    "ts_of_max_over_time",
    "ts_of_min_over_time",
    "vector",
    "year",
];

impl Oracle<'_> {
    /// A call without a range vector.
    pub fn call_of_values(&self, call: &Call, time: i64) -> Result<Answer> {
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
            "vector" => {
                let value = Value::Float(scalar(0)?);
                Answer::Vector(vec![Element { labels: LabelMap::new(), drops_name: false, value }])
            }
            "absent" => Answer::Vector(absent(vector(0)?.is_empty(), &args[0])),
            "timestamp" => return self.timestamp(&args[0], time),
            "sort" | "sort_desc" => {
                let floats = vector(0)?.into_iter().filter(|e| e.value.float().is_some());
                Answer::Vector(floats.collect())
            }
            "sort_by_label" | "sort_by_label_desc" => Answer::Vector(vector(0)?),
            "label_replace" | "label_join" => return self.relabelled(call, time),
            name if is_date(name) => {
                let now = || vec![(seconds(time), LabelMap::new())];
                let Some(arg) = args.first() else {
                    let results = now().into_iter().map(|(at, labels)| Element {
                        labels,
                        drops_name: false,
                        value: Value::Float(self.date(name, at)),
                    });
                    return Ok(Answer::Vector(results.collect()));
                };
                let vector = self.vector(arg, time)?;
                return self
                    .map(vector, |value| Some(Value::Float(self.date(name, value.float()?))));
            }
            name if name.starts_with("histogram_") => return self.of_histograms(name, args, time),
            name => {
                let vector = vector(0)?;
                let params = args[1..].iter().map(|arg| self.scalar(arg, time));
                let params = params.collect::<Result<Vec<f64>>>()?;
                if name == "clamp" && params[1] < params[0] {
                    return Ok(Answer::Vector(Vec::new()));
                }
                return self.map(vector, |value| {
                    Some(Value::Float(self.math(name, value.float()?, &params)))
                });
            }
        })
    }

    fn timestamp(&self, arg: &Expr, time: i64) -> Result<Answer> {
        let vector = match &unwrapped(arg).kind {
            ExprKind::Selector(selector) => self.newest(selector, time)?,
            _ => self.vector(arg, time)?.into_iter().map(|element| (time, element)).collect(),
        };
        let timed = vector.into_iter().map(|(at, element)| {
            self.without_name(Element { value: Value::Float(at as f64 / 1e3), ..element })
        });
        self.checked(timed.collect())
    }

    fn of_histograms(&self, name: &str, args: &[Expr], time: i64) -> Result<Answer> {
        let (last, others) = args.split_last().ok_or(Failure("no arguments"))?;
        let params = others.iter().map(|arg| self.scalar(arg, time));
        let params = params.collect::<Result<Vec<f64>>>()?;
        let vector = self.vector(last, time)?;
        self.map(vector, |value| {
            let histogram = value.histogram()?;
            Some(Value::Float(match name {
                "histogram_count" => histogram.count,
                "histogram_sum" => histogram.sum,
                "histogram_avg" => histogram.sum / histogram.count,
                "histogram_stdvar" => histogram.variance(),
                "histogram_stddev" => histogram.variance().sqrt(),
                "histogram_quantile" => histogram.quantile(params[0]).value,
                "histogram_fraction" => histogram.fraction(params[0], params[1]).value,
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
                let regex = regex.map_err(|_| Failure("invalid regular expression"))?;
                let source = value_of(&texts[2]);
                let Some(captures) = regex.captures(&source) else { continue };
                let mut value = String::new();
                captures.expand(&texts[1], &mut value);
                value
            };
            match value.is_empty() {
                true => drop(element.labels.remove(&texts[0])),
                false => drop(element.labels.insert(texts[0].clone(), value)),
            }
        }
        Ok(Answer::Vector(super::eval::unique(vector)?))
    }

    fn math(&self, name: &str, value: f64, params: &[f64]) -> f64 {
        let param = |index: usize| params.get(index).copied().unwrap_or(1.0);
        match name {
            "ceil" | "floor" => self.compared(value, value.round()),
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

    /// A part of the date that is so many seconds after 1970 began, by counting days.
    fn date(&self, name: &str, seconds: f64) -> f64 {
        if !(seconds.abs() < 1e10) {
            self.doubtful.set(true);
            return f64::NAN;
        }
        self.compared(seconds, seconds.round());
        let seconds = seconds.trunc() as i64;
        let (days, in_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let len = |year: i64| if is_leap(year) { 366 } else { 365 };
        let (mut year, mut day) = (1970, days);
        while day < 0 {
            year -= 1;
            day += len(year);
        }
        while day >= len(year) {
            day -= len(year);
            year += 1;
        }
        let february = if is_leap(year) { 29 } else { 28 };
        let lens = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let (mut month, mut in_month) = (0, day);
        while in_month >= lens[month] {
            in_month -= lens[month];
            month += 1;
        }
        (match name {
            "year" => year,
            "month" => month as i64 + 1,
            "day_of_month" => in_month + 1,
            "day_of_year" => day + 1,
            "day_of_week" => (days + 4).rem_euclid(7),
            "days_in_month" => lens[month],
            "hour" => in_day / 3_600,
            _ => in_day / 60 % 60,
        }) as f64
    }
}

fn is_date(name: &str) -> bool {
    name.starts_with("day") || matches!(name, "year" | "month" | "hour" | "minute")
}

/// NaN if one is, unless the other is below everything, as in Go.
fn lower(a: f64, b: f64) -> f64 {
    let lowest = a == f64::NEG_INFINITY || b == f64::NEG_INFINITY;
    if (a.is_nan() || b.is_nan()) && !lowest { f64::NAN } else { a.min(b) }
}

fn unwrapped(mut expr: &Expr) -> &Expr {
    while let ExprKind::Paren(inner) = &expr.kind {
        expr = inner;
    }
    expr
}

/// The element that stands for nothing, with the labels that what is not there would have had.
pub fn absent(is_absent: bool, selector: &Expr) -> Vec<Element> {
    if !is_absent {
        return Vec::new();
    }
    let matchers = match &unwrapped(selector).kind {
        ExprKind::Selector(selector) => &selector.matchers[..],
        ExprKind::Matrix(matrix) => &matrix.selector.matchers[..],
        _ => &[],
    };
    let known = matchers.iter().filter(|matcher| {
        let mentions = matchers.iter().filter(|other| other.name == matcher.name).count();
        mentions == 1 && matcher.op == MatchOp::Equal && matcher.name != NAME
    });
    let known = known.filter(|matcher| !matcher.value.is_empty());
    let labels = known.map(|matcher| (matcher.name.clone(), matcher.value.clone())).collect();
    vec![Element { labels, drops_name: false, value: Value::Float(1.0) }]
}

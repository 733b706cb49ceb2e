//! Classic histograms, whose buckets are series with the label `le`, beside native ones: `histogram_quantile`,
//! `histogram_quantiles` and `histogram_fraction`.

use std::collections::BTreeMap;

use silverback::model::Histogram;
use silverback::promql::ast::{Call, Expr};

use super::eval::Oracle;
use super::notes::{Limited, Repair, for_metric, general};
use super::value::{Answer, Element, LabelMap, Result, Value, metric};

const BOUND: &str = "le";
/// Counts that differ by less than this, relative to their sum, are the same.
const SAME_RELATIVE: f64 = 1e-12;

/// The upper bounds and what is counted up to each.
type Counts = Vec<(f64, f64)>;

/// What is asked about histograms.
enum Question {
    Quantile(f64),
    Fraction(f64, f64),
}

/// All that belongs to one histogram.
#[derive(Default)]
struct Parts {
    drops_name: bool,
    counts: Counts,
    native: Option<Histogram>,
}

impl Oracle<'_> {
    pub fn of_buckets(&self, call: &Call, time: i64) -> Result<Answer> {
        let args = &call.args;
        if call.function.name == "histogram_fraction" {
            let vector = self.vector(&args[2], time);
            let question =
                Question::Fraction(self.scalar(&args[0], time)?, self.scalar(&args[1], time)?);
            return self.checked(self.answers(&question, vector?, &args[2], time));
        }
        if call.function.name == "histogram_quantile" {
            let vector = self.vector(&args[1], time);
            let question = Question::Quantile(self.quantile_argument(&args[0], time)?);
            return self.checked(self.answers(&question, vector?, &args[1], time));
        }
        let vector = self.vector(&args[0], time);
        let label = self.text(&args[1], time)?;
        let phis: Result<Vec<f64>> =
            args[2..].iter().map(|phi| self.quantile_argument(phi, time)).collect();
        let (vector, mut all) = (vector?, Vec::new());
        for phi in phis? {
            for mut element in
                self.answers(&Question::Quantile(phi), vector.clone(), &args[0], time)
            {
                element.labels.insert(label.clone(), open_metrics(phi));
                all.push(element);
            }
        }
        Ok(Answer::Vector(self.unique(all)?))
    }

    fn quantile_argument(&self, phi: &Expr, time: i64) -> Result<f64> {
        let value = self.scalar(phi, time)?;
        self.parameter(Limited::Quantile, phi.span.start, value);
        Ok(value)
    }

    fn answers(
        &self,
        question: &Question,
        vector: Vec<Element>,
        arg: &Expr,
        time: i64,
    ) -> Vec<Element> {
        let mut histograms: BTreeMap<LabelMap, Parts> = BTreeMap::new();
        for element in vector {
            let mut labels = element.labels.clone();
            let bound = labels.get(BOUND).cloned().unwrap_or_default();
            match (element.value, bound.parse::<f64>()) {
                (Value::Histogram(native), _) => {
                    let parts = histograms.entry(labels).or_default();
                    parts.drops_name |= element.drops_name;
                    parts.native = Some(native);
                }
                (Value::Float(count), Ok(bound)) => {
                    labels.remove(BOUND);
                    let parts = histograms.entry(labels).or_default();
                    parts.drops_name |= element.drops_name;
                    parts.counts.push((bound, count));
                }
                (Value::Float(_), Err(_)) => {
                    let of = for_metric(metric(&labels));
                    let text = "bucket label \"le\" is missing or has a malformed value of";
                    self.notes.borrow_mut().warn(arg.span.start, format!("{text} {bound:?}{of}"));
                }
            }
        }
        let answers = histograms.into_iter().filter_map(|(labels, parts)| {
            let (place, name) = (arg.span.start, metric(&labels));
            let value = match (parts.native, parts.counts.is_empty()) {
                (Some(_), false) => {
                    let text = "vector contains a mix of classic and native histograms";
                    self.notes.borrow_mut().warn(place, format!("{text}{}", for_metric(name)));
                    return None;
                }
                (Some(native), true) => self.native(question, &native, place, name),
                (None, _) => self.classic(question, parts.counts, (place, name, time)),
            };
            let (drops_name, value) = (parts.drops_name, Value::Float(value));
            Some(self.without_name(Element { labels, drops_name, value }))
        });
        answers.collect()
    }

    fn native(&self, question: &Question, histogram: &Histogram, place: u32, name: &str) -> f64 {
        let (estimate, text) = match question {
            Question::Quantile(phi) => {
                let estimate = histogram.quantile(*phi);
                let text = match estimate.value.is_nan() {
                    true => "input to histogram_quantile has NaN observations, result is NaN",
                    false => {
                        "input to histogram_quantile has NaN observations, result is skewed higher"
                    }
                };
                (estimate, text)
            }
            Question::Fraction(lower, upper) => (
                histogram.fraction(*lower, *upper),
                "input to histogram_fraction has NaN observations, which are excluded from all fractions",
            ),
        };
        if estimate.has_nan_observations {
            self.notes.borrow_mut().info(place, format!("{text}{}", for_metric(name)));
        }
        estimate.value
    }

    fn classic(&self, question: &Question, counts: Counts, at: (u32, &str, i64)) -> f64 {
        let counts = sorted(counts);
        match question {
            Question::Quantile(phi) if phi.is_nan() => f64::NAN,
            Question::Quantile(phi) if *phi < 0.0 => f64::NEG_INFINITY,
            Question::Quantile(phi) if *phi > 1.0 => f64::INFINITY,
            Question::Quantile(_) if !is_complete(&counts) => f64::NAN,
            Question::Quantile(phi) => {
                let raised = self.monotonic(counts, at);
                self.bucket_quantile(*phi, &raised)
            }
            Question::Fraction(lower, upper) => fraction(*lower, *upper, &counts),
        }
    }

    /// Every count raised to those before it.
    fn monotonic(&self, mut counts: Counts, (place, name, time): (u32, &str, i64)) -> Counts {
        let mut repair: Option<Repair> = None;
        for index in 1..counts.len() {
            let (before, (bound, count)) = (counts[index - 1].1, counts[index]);
            let difference = (count - before).abs() / (count.abs() + before.abs());
            let is_noise = count != 0.0 && before != 0.0 && difference < SAME_RELATIVE;
            if is_noise || count < before {
                counts[index].1 = before;
            }
            if count < before && !is_noise {
                let largest_raise = repair.map_or(0.0, |repair| repair.largest_raise);
                repair = Some(Repair {
                    lowest: repair.map_or(bound, |repair| repair.lowest),
                    highest: bound,
                    largest_raise: largest_raise.max(before - count),
                    time,
                });
            }
        }
        if counts.iter().any(|(_, count)| count.is_nan()) {
            // Which count is lower than NaN is not said.
            self.doubtful.set(true);
        }
        if let Some(repair) = repair {
            self.notes.borrow_mut().repair(place, name, repair);
        }
        counts
    }

    fn bucket_quantile(&self, phi: f64, counts: &Counts) -> f64 {
        let newest = counts.len() - 1;
        let all = counts[newest].1;
        if newest == 0 || all == 0.0 || all.is_nan() {
            return f64::NAN;
        }
        let rank = phi * all;
        counts.iter().for_each(|(_, count)| self.compared(rank, *count));
        let found = counts[..newest].iter().position(|(_, count)| *count >= rank);
        match found {
            None => counts[newest - 1].0,
            Some(0) if counts[0].0 <= 0.0 => counts[0].0,
            Some(0) => counts[0].0 * (rank / counts[0].1),
            Some(index) => {
                let ((start, below), (end, up_to)) = (counts[index - 1], counts[index]);
                start + (end - start) * ((rank - below) / (up_to - below))
            }
        }
    }
}

/// By bound; those of one bound count together.
fn sorted(mut counts: Counts) -> Counts {
    counts.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut merged: Counts = Vec::new();
    for (bound, count) in counts {
        match merged.last_mut() {
            Some(last) if last.0 == bound => last.1 += count,
            _ => merged.push((bound, count)),
        }
    }
    merged
}

/// Is there a bucket of everything?
fn is_complete(counts: &Counts) -> bool {
    counts.last().is_some_and(|(bound, _)| *bound == f64::INFINITY)
}

/// The share of the observations between two values.
fn fraction(lower: f64, upper: f64, counts: &Counts) -> f64 {
    let all = counts[counts.len() - 1].1;
    if !is_complete(counts) || all == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    (below(upper, counts).min(all) - below(lower, counts).min(all)) / all
}

/// How many observations are below a value: within a bucket they are spread evenly.
fn below(value: f64, counts: &Counts) -> f64 {
    let zero = if counts[0].0 > 0.0 { 0.0 } else { f64::NEG_INFINITY };
    let starts = [(zero, 0.0)].into_iter().chain(counts.iter().copied());
    for ((start, before), (end, up_to)) in starts.zip(counts) {
        if value <= start {
            return before;
        }
        if value < *end && start == f64::NEG_INFINITY {
            return *up_to;
        }
        if value < *end {
            return before + (up_to - before) * ((value - start) / (end - start));
        }
    }
    counts[counts.len() - 1].1
}

/// As OpenMetrics writes numbers: never without a point or an exponent.
fn open_metrics(value: f64) -> String {
    let text = general(value);
    let is_whole = text.chars().all(|c| c == '-' || c.is_ascii_digit());
    if is_whole { text + ".0" } else { text }
}

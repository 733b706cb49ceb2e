//! What info metrics say about targets, for [`super::info`]. A target is told by the labels `instance` and `job`, as
//! OpenTelemetry maps them. Of the series of one info metric about one target, the one with the newest sample counts.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};

use super::ast::Selector;
use super::column::Bits;
use super::instant::{InstantSelector, Take};
use super::matching::in_braces;
use super::operator::{Materialized, Meta, Operator};
use super::part::Part;
use super::plan::Plan;
use super::query::{Query, series_cost};
use super::select::CHECK_STEPS;
use super::timeline::TimeShift;
use super::value::QueryError;
use crate::model::{Labels, METRIC_NAME, MatchOp, Matcher};

/// The labels that tell targets apart.
const IDENTIFYING_LABELS: [&str; 2] = ["instance", "job"];
/// The info metric looked at when no other is asked for.
const DEFAULT_METRIC: &str = "target_info";
/// The info metrics looked at when it is only said which are not wanted.
const ANY_METRIC: &str = ".+_info";

/// Which info metrics are wanted, and which of their labels.
pub struct Request {
    names: Vec<Matcher>,
    data: Vec<Matcher>,
}

impl Request {
    /// # Errors
    /// None that a user can cause: the expression for any info metric does not compile.
    pub fn new(matchers: &[Matcher]) -> Result<Request, QueryError> {
        let (mut names, data): (Vec<Matcher>, Vec<Matcher>) =
            matchers.iter().cloned().partition(|matcher| matcher.name == METRIC_NAME);
        let is_negative = |m: &Matcher| matches!(m.op, MatchOp::NotEqual | MatchOp::NotRegex);
        if names.is_empty() {
            names.push(Matcher::equal(METRIC_NAME, DEFAULT_METRIC));
        } else if names.iter().all(is_negative) {
            let any = Matcher::new(METRIC_NAME, MatchOp::Regex, ANY_METRIC);
            names.push(any.map_err(|error| QueryError::Execution(error.to_string()))?);
        }
        Ok(Request { names, data })
    }

    /// Are base elements without wanted labels dropped?
    pub fn requires_labels(&self) -> bool {
        self.data.iter().any(|matcher| !matcher.matches_empty())
    }

    /// Is a series one of the info metrics asked for?
    fn names(&self, labels: &Labels) -> bool {
        self.names.iter().all(|matcher| matcher.matches(labels.metric_name()))
    }

    /// Is a label of an info metric wanted?
    fn includes(&self, name: &str) -> bool {
        let is_identifying = IDENTIFYING_LABELS.contains(&name);
        let is_asked = self.data.is_empty() || self.data.iter().any(|m| m.name == name);
        name != METRIC_NAME && !is_identifying && is_asked
    }
}

/// The targets of base series.
pub struct Targets {
    /// Of every base series its target; `None`: info metrics say nothing about it.
    pub of: Vec<Option<usize>>,
    /// The base series that are info metrics themselves.
    info: HashSet<usize>,
    ids: HashMap<Labels, usize>,
}

impl Targets {
    /// # Errors
    /// Nobody waits for the answer any more.
    pub fn of(query: &Query<'_>, base: &[Meta], request: &Request) -> Result<Targets, QueryError> {
        let mut targets = Targets { of: Vec::new(), info: HashSet::new(), ids: HashMap::new() };
        for (index, meta) in base.iter().enumerate() {
            query.check_at(index)?;
            let identity = identity(&meta.labels);
            let is_info = request.names(&meta.labels);
            if is_info {
                targets.info.insert(index);
            }
            let next = targets.ids.len();
            let has_target = !is_info && !identity.is_empty();
            targets.of.push(has_target.then(|| *targets.ids.entry(identity).or_insert(next)));
        }
        Ok(targets)
    }

    /// Does a base series go through as it is?
    pub fn passes(&self, index: usize) -> bool {
        self.info.contains(&index)
    }
}

fn identity(labels: &Labels) -> Labels {
    labels.filtered(|name| IDENTIFYING_LABELS.contains(&name))
}

/// The info series that say something about a target at some steps: at most one of each info metric.
pub struct Choice {
    pub members: Vec<usize>,
    /// The wanted labels of all of them.
    pub labels: Vec<(String, String)>,
    pub steps: Bits,
}

/// The info series about the targets.
struct Candidates<'q> {
    /// The times of their samples.
    times: Materialized<'q>,
    /// Of every target, by metric name.
    of: Vec<BTreeMap<String, Vec<usize>>>,
}

/// What is said about every target: at each step exactly one of its choices holds.
///
/// # Errors
/// Reading fails, an info metric has histograms, or two series of one have samples of the same time.
pub fn choices(
    plan: &Plan<'_>,
    request: &Request,
    shift: TimeShift,
    targets: &Targets,
) -> Result<Vec<Vec<Choice>>, QueryError> {
    let candidates = Candidates::read(plan, request, shift, targets)?;
    let choose = |by_name: &BTreeMap<String, Vec<usize>>| {
        let mut choices = choices_of(plan, &candidates, by_name)?;
        for (index, choice) in choices.iter_mut().enumerate() {
            plan.query.check_at(index)?;
            let labels = choice.members.iter().map(|member| candidates.labels(*member));
            let wanted = labels.flat_map(Labels::iter).filter(|(name, _)| request.includes(name));
            choice.labels = wanted.map(|(name, value)| (name.into(), value.into())).collect();
        }
        Ok(choices)
    };
    candidates.of.iter().map(choose).collect()
}

impl<'q> Candidates<'q> {
    fn read(
        plan: &Plan<'q>,
        request: &Request,
        shift: TimeShift,
        targets: &Targets,
    ) -> Result<Candidates<'q>, QueryError> {
        let mut of: Vec<BTreeMap<String, Vec<usize>>> = vec![BTreeMap::new(); targets.ids.len()];
        if of.is_empty() {
            let times = Materialized::new(plan.query, Vec::new(), Vec::new())?;
            return Ok(Candidates { times, of });
        }
        let matchers = request.names.iter().chain(&request.data).cloned().collect();
        let selector = Selector { matchers, ..Selector::default() };
        let query = plan.query;
        let all = InstantSelector::shifted(plan, &selector, shift, Take::TimeOfFloat)?;
        let mut indices = Vec::new();
        for (index, meta) in all.series().iter().enumerate() {
            query.check_at(index)?;
            let Some(target) = targets.ids.get(&identity(&meta.labels)) else { continue };
            let of_name = of[*target].entry(meta.labels.metric_name().to_string());
            of_name.or_default().push(indices.len());
            indices.push(index);
        }
        let times = Materialized::of(query, Box::new(Part::new(Box::new(all), indices)))?;
        let mut columns = times.columns.iter();
        if let Some(wrong) = columns.position(|column| !column.histograms.is_empty()) {
            let series = in_braces(&times.series[wrong].labels);
            let message = format!("this should be an info metric, with float samples: {series}");
            return Err(QueryError::Execution(message));
        }
        Ok(Candidates { times, of })
    }

    fn labels(&self, member: usize) -> &Labels {
        &self.times.series[member].labels
    }
}

/// Which of the candidates about one target hold, and when.
fn choices_of(
    plan: &Plan<'_>,
    candidates: &Candidates<'_>,
    by_name: &BTreeMap<String, Vec<usize>>,
) -> Result<Vec<Choice>, QueryError> {
    let count = plan.timeline.count;
    let mut position: HashMap<Vec<usize>, usize> = HashMap::new();
    let mut choices: Vec<Choice> = Vec::new();
    let (mut members, mut at) = (Vec::with_capacity(by_name.len()), 0);
    let looked_at = by_name.values().map(Vec::len).sum::<usize>().max(1);
    let steps_per_check = (CHECK_STEPS / looked_at).max(1);
    for step in 0..count {
        if step % steps_per_check == 0 {
            plan.query.check()?;
        }
        members.clear();
        for of_name in by_name.values() {
            members.extend(newest(candidates, of_name, step)?);
        }
        // Mostly it is the same as at the step before.
        if choices.get(at).is_none_or(|choice| choice.members != members) {
            at = *position.entry(members.clone()).or_insert(choices.len());
        }
        if at == choices.len() {
            plan.query.keep(series_cost(count, 0))?;
            let (members, labels) = (members.clone(), Vec::new());
            choices.push(Choice { members, labels, steps: Bits::new(count) });
        }
        choices[at].steps.insert(step);
    }
    Ok(choices)
}

/// The one of several series whose sample is the newest at a step.
fn newest(
    candidates: &Candidates<'_>,
    members: &[usize],
    step: usize,
) -> Result<Option<usize>, QueryError> {
    let mut newest: Option<(usize, f64)> = None;
    for member in members {
        let Some(time) = candidates.times.columns[*member].get(step) else { continue };
        match newest {
            Some((_, before)) if before > time => {}
            Some((before, same)) if same == time => {
                let [old, new] =
                    [before, *member].map(|member| in_braces(candidates.labels(member)));
                let time_ms = (time * 1e3).round() as i64;
                return Err(QueryError::Execution(format!(
                    "found duplicate series for info metric: existing {old} @ {time_ms}, new {new} @ {time_ms}"
                )));
            }
            _ => newest = Some((*member, time)),
        }
    }
    Ok(newest.map(|(member, _)| member))
}

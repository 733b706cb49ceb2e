//! `info`: elements with the labels that info metrics have about the same target.

use std::collections::BTreeMap;

use silverback::model::{MatchOp, Matcher};
use silverback::promql::ast::{Expr, ExprKind};

use super::eval::Oracle;
use super::matching::in_braces;
use super::value::{Answer, Element, LabelMap, NAME, Point, Result, metric};

/// What tells a target.
const IDENTIFYING: [&str; 2] = ["instance", "job"];

impl Oracle<'_> {
    pub fn info(&self, args: &[Expr], time: i64) -> Result<Answer> {
        let base = self.vector(&args[0], time)?;
        let matchers = match args.get(1).map(|arg| &arg.kind) {
            Some(ExprKind::Selector(selector)) => selector.matchers.clone(),
            _ => Vec::new(),
        };
        let (names, data): (Vec<Matcher>, Vec<Matcher>) =
            matchers.into_iter().partition(|matcher| matcher.name == NAME);
        let names = info_names(names);
        let at = self.time_of_first_selector(&args[0], time)?;
        let all: Vec<Matcher> = names.iter().chain(&data).cloned().collect();
        let infos = self.newest_at(&all, at);
        let mut results = Vec::new();
        for element in base {
            let is_info = names.iter().all(|matcher| matcher.matches(element.metric()));
            let target = identity(&element.labels);
            let about =
                if is_info || target.is_empty() { Vec::new() } else { about(&infos, &target) };
            let about = self.newest_of_each(about)?;
            let is_required = data.iter().any(|matcher| !matcher.matches(""));
            if about.is_empty() && is_required && !is_info {
                continue;
            }
            results.push(self.enriched(element, &about, &data)?);
        }
        Ok(Answer::Vector(self.unique(results)?))
    }

    /// Of every info metric the series whose sample is the newest.
    fn newest_of_each<'i>(&self, about: Vec<&'i (Point, Element)>) -> Result<Vec<&'i LabelMap>> {
        let mut newest: BTreeMap<&str, &(Point, Element)> = BTreeMap::new();
        for info in about {
            let labels = &info.1.labels;
            if info.1.value.is_histogram() {
                let text = "this should be an info metric, with float samples:";
                return self.fail(format!("{text} {}", in_braces(labels)));
            }
            match newest.get(metric(labels)) {
                Some(other) if other.0.time == info.0.time => {
                    return self.fail("found duplicate series for info metric");
                }
                Some(other) if other.0.time > info.0.time => {}
                _ => drop(newest.insert(metric(labels), info)),
            }
        }
        Ok(newest.into_values().map(|info| &info.1.labels).collect())
    }

    fn enriched(&self, base: Element, about: &[&LabelMap], data: &[Matcher]) -> Result<Element> {
        let mut labels = base.labels.clone();
        for (name, value) in about.iter().flat_map(|info| info.iter()) {
            let is_asked = data.is_empty() || data.iter().any(|matcher| matcher.name == *name);
            let is_data = name != NAME && !IDENTIFYING.contains(&name.as_str()) && is_asked;
            if !is_data || base.labels.contains_key(name) {
                continue;
            }
            if let Some(other) = labels.insert(name.clone(), value.clone())
                && other != *value
            {
                return self.fail(format!("conflicting label: {name}"));
            }
        }
        Ok(Element { labels, ..base })
    }
}

/// Which metrics are info metrics.
fn info_names(mut names: Vec<Matcher>) -> Vec<Matcher> {
    let is_negative = |m: &Matcher| matches!(m.op, MatchOp::NotEqual | MatchOp::NotRegex);
    if names.is_empty() {
        names.push(Matcher::equal(NAME, "target_info"));
    } else if names.iter().all(is_negative) {
        let any = Matcher::new(NAME, MatchOp::Regex, ".+_info");
        names.push(any.expect("a regular expression"));
    }
    names
}

fn identity(labels: &LabelMap) -> LabelMap {
    let mut labels = labels.clone();
    labels.retain(|name, _| IDENTIFYING.contains(&name.as_str()));
    labels
}

fn about<'i>(infos: &'i [(Point, Element)], target: &LabelMap) -> Vec<&'i (Point, Element)> {
    infos.iter().filter(|(_, info)| identity(&info.labels) == *target).collect()
}

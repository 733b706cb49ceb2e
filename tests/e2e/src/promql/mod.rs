//! Hundreds of generated queries, asked of Silverback and of Debian's Prometheus 2.42 over the same samples: a recording of a
//! real host and series made for what recordings lack. The answers must be equal, or differ by one of the listed
//! rules. Everything is the same in every run.

mod answer;
mod composed;
mod families;
mod imitation;
mod recording;
mod rules;
mod samples;
mod servers;
mod synthetic;
mod template;

use std::collections::BTreeSet;
use std::time::Instant;

use crate::Options;
use crate::report::Report;
use answer::Question;
use rules::{RULES, Remedy};
use servers::Pair;
use template::Family;

/// The comparison must hold at least so many queries.
const QUERIES_MIN: usize = 500;

/// Starts both servers, loads them, asks everything.
pub fn run(options: &Options, report: &mut Report) {
    let begun = Instant::now();
    let result = compare(options, report).map(|()| format!("in {:.0?}", begun.elapsed()));
    report.check("generated queries", result);
}

fn compare(options: &Options, report: &mut Report) -> Result<(), String> {
    let mut pair = Pair::start(options)?;
    let mut all = match recording::read()? {
        Some(series) => series,
        None => {
            report.skip("the recording", "not there (SILVERBACK_SHARED, ../shared): imitated");
            imitation::all()
        }
    };
    all.extend(synthetic::all());
    // Prometheus gives series in the order in which they came, and of equal values the first ones are the top.
    all.sort_by(|a, b| a.labels.cmp(&b.labels));
    println!("{}", pair.load(&all)?);
    let mut counts = Counts::default();
    for family in families::FAMILIES {
        let queries = family.queries();
        ask_family(&mut pair, family, &queries, &mut counts, report)?;
    }
    let composed = composed::queries();
    ask_family(&mut pair, &composed::FAMILY, &composed, &mut counts, report)?;
    counts.report(report);
    Ok(())
}

/// What was asked and what differed.
#[derive(Default)]
struct Counts {
    queries: BTreeSet<String>,
    answers: usize,
    annotated: usize,
    /// By the place of a rule: answers that it made equal, and that it excused.
    by_rule: [(usize, usize); RULES.len()],
}

impl Counts {
    fn report(&self, report: &mut Report) {
        println!(
            "differences between Prometheus 2.42 and 3.x, answers made equal and answers excused:"
        );
        for (rule, (equal, excused)) in RULES.iter().zip(self.by_rule) {
            println!("  {equal:>4} {excused:>4}  {}: {}", rule.name, rule.why);
        }
        println!("  {:>4}    -  infos and warnings, which 2.42 does not have", self.annotated);
        let idle = RULES.iter().zip(self.by_rule).filter(|(_, counts)| *counts == (0, 0));
        let idle: Vec<&str> = idle.map(|(rule, _)| rule.name).collect();
        let used = if idle.is_empty() { Ok(String::new()) } else { Err(format!("not: {idle:?}")) };
        report.check("every rule is needed", used);
        let text = format!("{} queries, {} answers", self.queries.len(), self.answers);
        let enough = if self.queries.len() < QUERIES_MIN { Err(text) } else { Ok(text) };
        report.check("enough queries", enough);
    }
}

/// One line for a family, and one for each of its queries that differs.
fn ask_family(
    pair: &mut Pair,
    family: &Family,
    queries: &[String],
    counts: &mut Counts,
    report: &mut Report,
) -> Result<(), String> {
    let (mut points, mut equal) = (0, 0);
    for query in queries {
        let mut asked = 0;
        let result = Question::all(&family.questions, family.as_range).iter().try_for_each(|way| {
            asked += ask(pair, *way, query, counts)?;
            Ok(())
        });
        counts.queries.insert(query.clone());
        points += asked;
        match result {
            Ok(()) => equal += 1,
            Err(error) => {
                pair.check_running()?;
                report.check(&format!("{}: {query}", family.name), Err(error));
            }
        }
    }
    report.check(family.name, Ok(format!("{equal} of {} queries, {points} points", queries.len())));
    Ok(())
}

/// Asks both. Gives the number of points compared.
fn ask(pair: &mut Pair, way: Question, query: &str, counts: &mut Counts) -> Result<usize, String> {
    let ours = way.ask(&mut pair.ours, query).map_err(|e| format!("silverback: {e}"))?;
    let theirs = way.ask(&mut pair.theirs, query).map_err(|e| format!("prometheus: {e}"))?;
    let is_ordered = way.is_instant() && families::is_ordered(query);
    counts.answers += 1;
    counts.annotated += usize::from(ours.annotations() > 0);
    let difference = match ours.same(&theirs, is_ordered) {
        Ok(points) => return Ok(points),
        Err(difference) => difference,
    };
    let met: Vec<usize> = (0..RULES.len()).filter(|rule| (RULES[*rule].applies)(query)).collect();
    let mut words = query.to_string();
    for rule in &met {
        if let Remedy::OtherWords(change) = RULES[*rule].remedy {
            words = change(&words);
        }
    }
    let mut theirs = way.ask(&mut pair.theirs, &words).map_err(|e| format!("prometheus: {e}"))?;
    for rule in &met {
        if let Remedy::Correction(change) = RULES[*rule].remedy {
            change(theirs.data_mut());
        }
    }
    if let Ok(points) = ours.same(&theirs, is_ordered) {
        met.iter().for_each(|rule| counts.by_rule[*rule].0 += 1);
        return Ok(points);
    }
    match met.iter().find(|rule| matches!(RULES[**rule].remedy, Remedy::Excuse)) {
        Some(rule) => {
            counts.by_rule[*rule].1 += 1;
            Ok(0)
        }
        None => Err(difference),
    }
}

//! The general join: both sides kept, matched at every step on its own. Partners that take turns are fine; two at the
//! same step are an error. Fill modifiers are handled here.

use hashbrown::HashMap;

use super::column::{Column, Element};
use super::join::Sides;
use super::matching::{in_braces, result_meta, signature};
use super::operator::{Materialized, Meta};
use super::plan::Plan;
use super::query::{Held, Query, column_cost};
use super::unique::same_labelset;
use super::value::QueryError;
use crate::model::Labels;

/// No step yet, and no signature.
const NEVER: usize = usize::MAX;

/// # Errors
/// At some step, an element has more partners than the operator allows, or two results have the same labels.
pub fn join<'q>(
    plan: &Plan<'q>,
    sides: &Sides<'q>,
    [many, one]: [&Materialized<'q>; 2],
) -> Result<Materialized<'q>, QueryError> {
    let matching = &sides.rule.matching;
    // As in Prometheus, `fill_left` stands in for the many side with `group_right`, too.
    let (many_fill, one_fill) = (matching.fill_left, matching.fill_right);
    let signatures = sides.signatures;
    let mut join = Join {
        query: plan.query,
        sides,
        many,
        one,
        steps: plan.timeline.count,
        one_at: vec![(NEVER, 0); signatures],
        paired_at: vec![NEVER; signatures],
        met_at: vec![NEVER; signatures],
        results: Results::new(plan.query)?,
    };
    for step in 0..plan.timeline.count {
        plan.query.check()?;
        join.step(step, many_fill, one_fill)?;
    }
    join.results.materialized(plan.query)
}

/// A pair that met: index on the many side, index on the one side; `None` stands for a filled element.
type Pair = (Option<usize>, Option<usize>);

struct Results<'q> {
    series: Vec<Meta>,
    /// Of no length as long as a series has no value: a filter may drop all of them.
    columns: Vec<Column>,
    held: Held<'q>,
    of_pair: HashMap<Pair, usize>,
    of_meta: HashMap<Meta, usize>,
    /// Of each series, the one of the same labels that keeps the name where this one loses it, or the other way round. They take
    /// turns. Itself, if there is none.
    twins: Vec<usize>,
    /// The signature of the first match of each series and the step of the last one, whether a filter kept its value or not.
    matched: Vec<(usize, usize)>,
    /// The same of further signatures of a series: they may differ by labels that arithmetic drops.
    matched_also: HashMap<(usize, usize), usize>,
}

impl<'q> Results<'q> {
    fn new(query: &'q Query<'q>) -> Result<Results<'q>, QueryError> {
        Ok(Results {
            series: Vec::new(),
            columns: Vec::new(),
            held: query.hold(0)?,
            of_pair: HashMap::new(),
            of_meta: HashMap::new(),
            twins: Vec::new(),
            matched: Vec::new(),
            matched_also: HashMap::new(),
        })
    }

    /// Notes a match of a series and a signature; returns the step of the last one.
    fn match_at(&mut self, result: usize, id: usize, step: usize) -> usize {
        let result = result.min(self.twins[result]);
        let (first, last) = &mut self.matched[result];
        if *first == NEVER {
            *first = id;
        }
        let last = if *first == id {
            last
        } else {
            self.matched_also.entry((result, id)).or_insert(NEVER)
        };
        std::mem::replace(last, step)
    }

    fn add(&mut self, meta: Meta) {
        let index = self.series.len();
        let other = Meta { drop_name: !meta.drop_name, labels: meta.labels.clone() };
        let twin = self.of_meta.get(&other).copied();
        if let Some(twin) = twin {
            self.twins[twin] = index;
        }
        self.twins.push(twin.unwrap_or(index));
        self.series.push(meta);
        self.columns.push(Column::default());
        self.matched.push((NEVER, NEVER));
    }

    /// Has a series with these labels a value at this step?
    fn is_taken(&self, result: usize, step: usize) -> bool {
        [result, self.twins[result]].into_iter().any(|index| {
            let column = &self.columns[index];
            !column.values.is_empty() && column.contains(step)
        })
    }

    /// The series that have values.
    fn materialized(self, query: &'q Query<'q>) -> Result<Materialized<'q>, QueryError> {
        let Results { series, columns, held, .. } = self;
        let all = series.into_iter().zip(columns);
        let (series, columns): (Vec<Meta>, _) =
            all.filter(|(_, column)| !column.is_empty()).unzip();
        drop(held);
        query.keep_labels(&series)?;
        Materialized::new(query, series, columns)
    }
}

struct Join<'a, 'q> {
    query: &'q Query<'q>,
    sides: &'a Sides<'q>,
    many: &'a Materialized<'q>,
    one: &'a Materialized<'q>,
    steps: usize,
    /// By signature: the step and index of the one side's element seen last.
    one_at: Vec<(usize, usize)>,
    /// By signature: the step of the last match.
    paired_at: Vec<usize>,
    /// By signature: the step at which the many side last had an element.
    met_at: Vec<usize>,
    results: Results<'q>,
}

impl Join<'_, '_> {
    fn step(
        &mut self,
        step: usize,
        many_fill: Option<f64>,
        one_fill: Option<f64>,
    ) -> Result<(), QueryError> {
        let (many, one) = (self.many, self.one);
        let has_any =
            |side: &Materialized<'_>| side.columns.iter().any(|column| column.contains(step));
        let (any_many, any_one) = (has_any(many), has_any(one));
        let fills = many_fill.is_some() || one_fill.is_some();
        let can_meet = any_many && any_one || fills && (any_many || any_one);
        if !can_meet {
            return Ok(());
        }
        self.collect_ones(step)?;
        for (index, column) in many.columns.iter().enumerate() {
            self.query.check_at(index)?;
            let Some(element) = column.element(step) else { continue };
            let id = self.sides.many_ids[index];
            self.met_at[id] = step;
            match (self.one_at[id], one_fill) {
                ((at, partner), _) if at == step => {
                    if let Some(other) = one.columns[partner].element(step) {
                        self.pair(step, id, (Some(index), Some(partner)), [element, other])?;
                    }
                }
                (_, Some(fill)) => {
                    self.pair(step, id, (Some(index), None), [element, Element::Float(fill)])?;
                }
                (_, None) => {}
            }
        }
        match many_fill {
            Some(fill) => self.fill_many(step, fill),
            None => Ok(()),
        }
    }

    /// Notes the element of each signature on the one side.
    fn collect_ones(&mut self, step: usize) -> Result<(), QueryError> {
        for (index, column) in self.one.columns.iter().enumerate() {
            self.query.check_at(index)?;
            if !column.contains(step) {
                continue;
            }
            let (at, earlier) =
                std::mem::replace(&mut self.one_at[self.sides.one_ids[index]], (step, index));
            if at == step {
                return Err(self.duplicate(earlier, index));
            }
        }
        Ok(())
    }

    /// Lets the elements of the one side without a partner meet the fill value.
    fn fill_many(&mut self, step: usize, fill: f64) -> Result<(), QueryError> {
        let one = self.one;
        for (index, column) in one.columns.iter().enumerate() {
            self.query.check_at(index)?;
            let id = self.sides.one_ids[index];
            match column.element(step) {
                Some(element) if self.met_at[id] != step => {
                    self.pair(step, id, (None, Some(index)), [Element::Float(fill), element])?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Makes a result of an element of the many side and one of the one side.
    fn pair(
        &mut self,
        step: usize,
        id: usize,
        pair: Pair,
        [many, one]: [Element; 2],
    ) -> Result<(), QueryError> {
        // Whether a match is allowed does not depend on what a filter makes of the values.
        if self.sides.rule.is_one_to_one() && self.paired_at[id] == step {
            let message = "multiple matches for labels: many-to-one matching must be explicit \
                           (group_left/group_right)";
            return Err(QueryError::Execution(message.to_string()));
        }
        self.paired_at[id] = step;
        let result = self.result_of(pair);
        if self.results.match_at(result, id, step) == step {
            let message = "multiple matches for labels: grouping labels must ensure unique matches";
            return Err(QueryError::Execution(message.to_string()));
        }
        match self.sides.element(&many, &one) {
            Some(element) => self.set(result, step, element),
            None => Ok(()),
        }
    }

    fn set(&mut self, result: usize, step: usize, element: Element) -> Result<(), QueryError> {
        if self.results.is_taken(result, step) {
            return Err(same_labelset());
        }
        let column = &mut self.results.columns[result];
        if column.values.is_empty() {
            self.results.held.absorb(self.query.hold(column_cost(self.steps))?);
            column.reset(self.steps);
        }
        if let Element::Histogram(histogram) = &element {
            self.results.held.absorb(self.query.hold(histogram.sample_cost())?);
        }
        column.set_element(step, element);
        Ok(())
    }

    /// The result series of a pair, a new one if no pair had these labels before.
    fn result_of(&mut self, pair: Pair) -> usize {
        if let Some(result) = self.results.of_pair.get(&pair) {
            return *result;
        }
        let meta = self.meta_of(pair);
        let results = &mut self.results;
        let next = results.series.len();
        let result = *results.of_meta.entry(meta.clone()).or_insert(next);
        if result == next {
            results.add(meta);
        }
        results.of_pair.insert(pair, result);
        result
    }

    /// A filled element has the labels that had to match.
    fn meta_of(&self, (many, one): Pair) -> Meta {
        let rule = &self.sides.rule;
        let one = one.map(|index| &self.one.series[index].labels);
        let filled =
            |labels: Option<&Labels>| signature(&rule.matching, labels.unwrap_or(&Labels::empty()));
        match (many.map(|index| &self.many.series[index]), one) {
            (Some(many), Some(one)) => result_meta(rule, many, one),
            (Some(many), None) => result_meta(rule, many, &filled(Some(&many.labels))),
            (None, one) => {
                let labels = one.cloned().unwrap_or_default();
                result_meta(rule, &Meta::new(filled(one)), &labels)
            }
        }
    }

    fn duplicate(&self, first: usize, second: usize) -> QueryError {
        let series = &self.one.series;
        let group = in_braces(&signature(&self.sides.rule.matching, &series[first].labels));
        let mut both = [first, second].map(|index| in_braces(&series[index].labels));
        both.sort();
        let side = if self.sides.swapped { "left" } else { "right" };
        QueryError::Execution(format!(
            "found duplicate series for the match group {group} on the {side} hand-side of the operation: [{}, {}]\
             ;many-to-many matching not allowed: matching labels must be unique on one side",
            both[0], both[1]
        ))
    }
}

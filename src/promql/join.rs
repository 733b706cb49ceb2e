//! Arithmetic and comparison of two vectors, matched by signature. When the labels alone show that every signature has one
//! partner at most, columns are made pair by pair; else both sides are kept and matched step by step, as partners may take
//! turns. Series that meet nothing are read only if evaluating them can tell the user something.

use std::collections::BTreeSet;

use super::aggregate::label_groups;
use super::ast::{Binary, Cardinality, VectorMatching};
use super::column::{Column, Element};
use super::guarantees::fills;
use super::join_steps;
use super::matching::{Origin, Rule, SignatureTable, result_meta};
use super::operation::Operation;
use super::operator::{BoxOperator, Materialized, Meta, Operator, Scratch, is_metadata_label};
use super::part::{Part, hear_out};
use super::plan::Plan;
use super::query::Query;
use super::quiet::can_be_left_out;
use super::value::QueryError;
use crate::model::Labels;
use crate::model::groups::{GroupKeys, LabelGroups};
use crate::sync::OnceLock;

/// How the elements of two sides find each other, and what comes of them.
pub struct Sides<'q> {
    pub rule: Rule,
    operation: Operation<'q>,
    /// The left operand is the one side.
    pub swapped: bool,
    pub many_ids: Vec<usize>,
    pub one_ids: Vec<usize>,
    pub signatures: usize,
}

impl Sides<'_> {
    /// The result of an element of the many side and one of the one side.
    pub fn element(&self, many: &Element, one: &Element) -> Option<Element> {
        match self.swapped {
            true => self.operation.elements(one, many),
            false => self.operation.elements(many, one),
        }
    }

    /// Makes the column of results of one of the many side.
    fn combine(&self, many: &mut Column, one: &Column) {
        match self.operation.is_of_floats(&[many, one]) {
            true => self.operation.columns(many, one, self.swapped),
            false => many
                .filter_map_elements(|step, element| self.element(&element, &one.element(step)?)),
        }
    }
}

/// # Errors
/// The vectors do not match as the operator requires.
pub fn build<'q>(
    plan: &Plan<'q>,
    binary: &Binary,
    lhs: BoxOperator<'q>,
    rhs: BoxOperator<'q>,
) -> Result<BoxOperator<'q>, QueryError> {
    let swapped = binary.matching.cardinality == Cardinality::OneToMany;
    let (many, one) = if swapped { (rhs, lhs) } else { (lhs, rhs) };
    let can_be_left_out = |operand| can_be_left_out(operand, plan.query.facts);
    let [many_quiet, one_quiet] = match swapped {
        true => [&binary.rhs, &binary.lhs].map(can_be_left_out),
        false => [&binary.lhs, &binary.rhs].map(can_be_left_out),
    };
    let (query, matching) = (plan.query, &binary.matching);
    // Where somebody sees the order, all labels are made anyway.
    let groups = match matching.on && plan.any_order {
        true => {
            let [one, many] = [&one, &many].map(|side| || groups_of(query, &**side, matching));
            let (one, many) = query.both(one, many);
            Some((one?, many?))
        }
        false => None,
    };
    let (one_groups, many_groups) = groups.as_ref().map(|(one, many)| (one, many)).unzip();
    let mut table = SignatureTable::new(matching);
    let one_ids = signature_ids(query, one.as_ref(), one_groups, &mut table)?;
    let many_ids = signature_ids(query, many.as_ref(), many_groups, &mut table)?;
    let (one, one_ids) = match one_quiet && !fills(&binary.matching) {
        true => needed(one, one_ids, &many_ids, table.len()),
        false => (one, one_ids),
    };
    let sides = Sides {
        rule: Rule {
            op: binary.op,
            return_bool: binary.return_bool,
            matching: binary.matching.clone(),
            delayed: plan.query.options.delayed_name_removal,
        },
        operation: Operation::new(plan.query, binary),
        swapped,
        many_ids,
        one_ids,
        signatures: table.len(),
    };
    let pairs = match members(plan.query, &sides)? {
        Some(members) if keeps_unique(&sides.rule, many.as_ref(), many_groups) => {
            Some(Pairs { members, series: OnceLock::new() })
        }
        Some(members) => unique_pairs(plan.query, &sides.rule, members, [&*many, &*one])?,
        None => None,
    };
    let Some(pairs) = pairs else {
        let (many, one) = (Materialized::of(plan.query, many)?, Materialized::of(plan.query, one)?);
        return Ok(Box::new(join_steps::join(plan, &sides, [&many, &one])?));
    };
    stream(query, sides, pairs, (many, many_quiet), (one, one_quiet))
}

/// The pairs of two sides, of which the series that meet nothing are evaluated if they may have something to tell.
fn stream<'q>(
    query: &'q Query<'q>,
    sides: Sides<'q>,
    mut pairs: Pairs,
    (many, many_quiet): (BoxOperator<'q>, bool),
    (one, one_quiet): (BoxOperator<'q>, bool),
) -> Result<BoxOperator<'q>, QueryError> {
    if !many_quiet {
        let met = pairs.members.iter().map(|(index, _)| *index);
        hear_out(query, many.as_ref(), &others(sides.many_ids.len(), met))?;
    }
    let one: BoxOperator<'q> = match sides.rule.is_one_to_one() {
        true => {
            if !one_quiet {
                let met = pairs.members.iter().map(|(_, partner)| *partner);
                hear_out(query, one.as_ref(), &others(sides.one_ids.len(), met))?;
            }
            one
        }
        // Its columns are asked for more than once.
        false => {
            let kept = Materialized::of(query, one)?;
            // Labels that nobody has needed so far may turn out to be damaged: then there is no such side.
            pairs.members.retain(|(_, partner)| *partner < kept.series.len());
            Box::new(kept)
        }
    };
    Ok(Box::new(Stream { query, sides, many, one, pairs }))
}

/// The groups of the series of a side by what tells signatures, and by what is taken over to the other side.
fn groups_of(
    query: &Query<'_>,
    side: &dyn Operator,
    matching: &VectorMatching,
) -> Result<LabelGroups, QueryError> {
    let names = matching.labels.iter().chain(&matching.include);
    let names: BTreeSet<&str> = names.map(String::as_str).collect();
    label_groups(query, side, &Vec::from_iter(names))
}

/// The numbers of the signatures of all series of a side.
fn signature_ids(
    query: &Query<'_>,
    side: &dyn Operator,
    groups: Option<&LabelGroups>,
    table: &mut SignatureTable<'_>,
) -> Result<Vec<usize>, QueryError> {
    let Some(LabelGroups { of, labels }) = groups else {
        return table.assign(query, side.series());
    };
    let ids = table.assign(query, labels)?;
    Ok(of.iter().map(|group| ids[*group as usize]).collect())
}

/// Has any series of a side, grouped so, a label of one of these names, which are taken over from the other?
fn has_any(side: &dyn Operator, groups: Option<&LabelGroups>, names: &[String]) -> bool {
    let has_any = |labels: &Labels| names.iter().any(|name| labels.get(name).is_some());
    match groups {
        Some(groups) => groups.labels.iter().any(has_any),
        None => side.series().iter().any(|meta| has_any(&meta.labels)),
    }
}

/// Are the label sets of the results as unique as those of what meets, as can be told from the rule and from some facts?
/// What tells label sets apart must be in the results: signatures, of a one-to-one match, or else those of the many side.
fn keeps_unique(rule: &Rule, many: &dyn Operator, groups: Option<&LabelGroups>) -> bool {
    let matching = &rule.matching;
    match rule.is_one_to_one() {
        true if matching.on => !matching.labels.iter().any(|name| is_metadata_label(name)),
        true => many.one_name().is_some(),
        false => many.one_name().is_some() && !has_any(many, groups, &matching.include),
    }
}

/// The series of the one side, and their signatures, that can meet something or are not alone with their signature:
/// which is an error wherever there is anything on the many side.
fn needed<'q>(
    one: BoxOperator<'q>,
    one_ids: Vec<usize>,
    many_ids: &[usize],
    signatures: usize,
) -> (BoxOperator<'q>, Vec<usize>) {
    let (mut met, mut count) = (vec![false; signatures], vec![0; signatures]);
    many_ids.iter().for_each(|id| met[*id] = true);
    one_ids.iter().for_each(|id| count[*id] += 1);
    let is_needed = |index: &usize| met[one_ids[*index]] || count[one_ids[*index]] > 1;
    let indices: Vec<usize> = (0..one_ids.len()).filter(is_needed).collect();
    if indices.len() == one_ids.len() {
        return (one, one_ids);
    }
    let ids = indices.iter().map(|index| one_ids[*index]).collect();
    (Box::new(Part::new(one, indices)), ids)
}

/// The series, of so many in all, that are not among these.
fn others(count: usize, met: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut is_met = vec![false; count];
    met.for_each(|index| is_met[index] = true);
    (0..count).filter(|index| !is_met[*index]).collect()
}

/// The indices of series that meet, on the many side and on the one side, if the labels alone decide that.
fn members(
    query: &Query<'_>,
    sides: &Sides<'_>,
) -> Result<Option<Vec<(usize, usize)>>, QueryError> {
    const NONE: usize = usize::MAX;
    if fills(&sides.rule.matching) {
        return Ok(None);
    }
    let mut ones = vec![NONE; sides.signatures];
    for (index, id) in sides.one_ids.iter().enumerate() {
        if std::mem::replace(&mut ones[*id], index) != NONE {
            return Ok(None);
        }
    }
    let mut taken = vec![false; sides.signatures];
    let mut members = Vec::new();
    for (index, id) in sides.many_ids.iter().enumerate() {
        query.check_at(index)?;
        if ones[*id] == NONE {
            continue;
        }
        if sides.rule.is_one_to_one() && std::mem::replace(&mut taken[*id], true) {
            return Ok(None);
        }
        members.push((index, ones[*id]));
    }
    Ok(Some(members))
}

/// The pairs of series that can meet (indices on the many side and on the one side) and what comes of them.
struct Pairs {
    members: Vec<(usize, usize)>,
    /// Made when they are asked for: an aggregation does not need them.
    series: OnceLock<Vec<Meta>>,
}

impl Pairs {
    /// The series of the results. None if those of a side turn out not to be there: then nothing is.
    fn make_series(
        &self,
        query: &Query<'_>,
        rule: &Rule,
        [many, one]: [&dyn Operator; 2],
    ) -> Result<Vec<Meta>, QueryError> {
        let (many, one) = (many.series(), one.series());
        let mut series = query.make_labels(self.members.len(), |chunk| {
            let made = self.members[chunk].iter().map(|(index, partner)| {
                Some(result_meta(rule, many.get(*index)?, &one.get(*partner)?.labels))
            });
            Ok(made.flatten().collect())
        })?;
        if series.len() < self.members.len() {
            series.clear();
        }
        Ok(series)
    }
}

/// The pairs, unless two of them have the same labels.
fn unique_pairs(
    query: &Query<'_>,
    rule: &Rule,
    members: Vec<(usize, usize)>,
    sides: [&dyn Operator; 2],
) -> Result<Option<Pairs>, QueryError> {
    let pairs = Pairs { members, series: OnceLock::new() };
    let series = pairs.make_series(query, rule, sides)?;
    let mut unique = hashbrown::HashSet::with_capacity(series.len());
    for (index, meta) in series.iter().enumerate() {
        query.check_at(index)?;
        if !unique.insert(&meta.labels) {
            return Ok(None);
        }
    }
    drop(unique);
    pairs.series.get_or_init(|| series);
    Ok(Some(pairs))
}

/// Each result column is made of a column of the many side and one of the one side.
struct Stream<'q> {
    query: &'q Query<'q>,
    sides: Sides<'q>,
    many: BoxOperator<'q>,
    one: BoxOperator<'q>,
    pairs: Pairs,
}

impl Operator for Stream<'_> {
    fn series(&self) -> &[Meta] {
        self.pairs.series.get_or_init(|| {
            let sides = [self.many.as_ref(), self.one.as_ref()];
            let made = self.pairs.make_series(self.query, &self.sides.rule, sides);
            made.unwrap_or_else(|error| {
                self.query.fail(error);
                Vec::new()
            })
        })
    }

    fn series_count(&self) -> usize {
        self.pairs.series.get().map_or(self.pairs.members.len(), Vec::len)
    }

    fn drops_names(&self) -> Option<bool> {
        self.many.drops_names().map(|many| self.sides.rule.drops_name(many))
    }

    fn one_name(&self) -> Option<&str> {
        self.sides.rule.drops_metadata().then_some("")
    }

    /// By the groups of both sides.
    fn group_by(&self, names: &[&str]) -> Option<LabelGroups> {
        let groups_of = |operator: &dyn Operator, origin: Origin| {
            let names = names.iter().filter(|name| self.sides.rule.origin(name) == origin);
            label_groups(self.query, operator, &names.copied().collect::<Vec<_>>()).ok()
        };
        let many = groups_of(self.many.as_ref(), Origin::Many)?;
        let one = groups_of(self.one.as_ref(), Origin::One)?;
        let mut keys = GroupKeys::with_capacity(self.pairs.members.len());
        for (index, partner) in &self.pairs.members {
            keys.push(&[*many.of.get(*index)?, *one.of.get(*partner)?]);
        }
        let labels = keys.keys.iter().map(|key| {
            let (many, one) = (&many.labels[key[0] as usize], &one.labels[key[1] as usize]);
            Labels::from_pairs(many.iter().chain(one.iter()))
        });
        Some(LabelGroups { labels: labels.collect(), of: keys.of })
    }

    fn column(
        &self,
        index: usize,
        scratch: &mut Scratch,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        self.query.check()?;
        let (many, one) = self.pairs.members[index];
        self.many.column(many, scratch, out)?;
        let mut partner = scratch.take();
        self.one.column(one, scratch, &mut partner)?;
        self.sides.combine(out, &partner);
        scratch.give(partner);
        Ok(())
    }
}

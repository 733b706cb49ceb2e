//! Arithmetic and comparison of two vectors. One side is evaluated and kept, keyed by signature. When the labels alone
//! show that every signature has one partner at most, the other side streams past it; else both sides are kept and
//! matched step by step, as partners may take turns. Series that meet nothing are read only if evaluating them can tell
//! the user something.

use super::ast::{Binary, BinaryOp, Cardinality, VectorMatching};
use super::column::{Column, Element};
use super::guarantees::fills;
use super::join_steps;
use super::matching::{SignatureTable, members, result_meta};
use super::operation::Operation;
use super::operator::{BoxOperator, Materialized, Meta, Operator, Scratch};
use super::part::{Part, hear_out};
use super::plan::Plan;
use super::query::Query;
use super::quiet::can_be_left_out;
use super::value::QueryError;

/// How two elements that match become one of the result: their labels.
pub struct Rule {
    pub op: BinaryOp,
    pub return_bool: bool,
    pub matching: VectorMatching,
    /// Metric names are dropped at the end of the query.
    pub delayed: bool,
}

/// The two sides of a join and the signatures of their series.
pub struct Sides<'q> {
    pub rule: Rule,
    operation: Operation<'q>,
    /// The left operand is the one side.
    pub swapped: bool,
    pub many_ids: Vec<usize>,
    pub one: Materialized<'q>,
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

    /// [`Sides::element`] of floats.
    fn float(&self, many: f64, one: f64) -> Option<f64> {
        match self.swapped {
            true => self.operation.floats(one, many),
            false => self.operation.floats(many, one),
        }
    }

    pub fn is_one_to_one(&self) -> bool {
        self.rule.matching.cardinality == Cardinality::OneToOne
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
    let mut table = SignatureTable::default();
    let one_ids = table.assign(plan.query, &binary.matching, one.series())?;
    let many_ids = table.assign(plan.query, &binary.matching, many.series())?;
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
        one: Materialized::of(plan.query, one)?,
        one_ids,
        signatures: table.len(),
    };
    match pairs(plan.query, &sides, many.series())? {
        Some(pairs) => {
            if !many_quiet {
                hear_out(plan.query, many.as_ref(), &pairs.others(many.series().len()))?;
            }
            Ok(Box::new(Stream { query: plan.query, sides, many, pairs }))
        }
        None => {
            let many = Materialized::of(plan.query, many)?;
            Ok(Box::new(join_steps::join(plan, &sides, &many)?))
        }
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

/// The pairs of series that can meet (indices on the many side and on the one side) and what comes of them.
struct Pairs {
    members: Vec<(usize, usize)>,
    series: Vec<Meta>,
}

impl Pairs {
    /// The series of the many side, so many in all, that are in no pair.
    fn others(&self, many: usize) -> Vec<usize> {
        let mut is_paired = vec![false; many];
        self.members.iter().for_each(|(index, _)| is_paired[*index] = true);
        (0..many).filter(|index| !is_paired[*index]).collect()
    }
}

/// The pairs, if the labels alone decide them.
fn pairs(query: &Query<'_>, sides: &Sides<'_>, many: &[Meta]) -> Result<Option<Pairs>, QueryError> {
    let matching = &sides.rule.matching;
    let ones = members(&sides.one_ids, sides.signatures);
    if fills(matching) || ones.iter().any(|of_signature| of_signature.len() > 1) {
        return Ok(None);
    }
    let mut taken = vec![false; sides.signatures];
    let mut members = Vec::new();
    for (index, id) in sides.many_ids.iter().enumerate() {
        query.check_at(index)?;
        let Some(one) = ones[*id].first() else { continue };
        if sides.is_one_to_one() && std::mem::replace(&mut taken[*id], true) {
            return Ok(None);
        }
        members.push((index, *one));
    }
    let series = query.map(members.len(), |pair| {
        let (index, one) = members[pair];
        result_meta(&sides.rule, &many[index], &sides.one.series[one].labels)
    })?;
    let mut unique = hashbrown::HashSet::with_capacity(series.len());
    for (index, meta) in series.iter().enumerate() {
        query.check_at(index)?;
        if !unique.insert(&meta.labels) {
            return Ok(None);
        }
    }
    drop(unique);
    query.keep_labels(&series)?;
    Ok(Some(Pairs { members, series }))
}

/// Each result column reads one column of the many side.
struct Stream<'q> {
    query: &'q Query<'q>,
    sides: Sides<'q>,
    many: BoxOperator<'q>,
    pairs: Pairs,
}

impl Operator for Stream<'_> {
    fn series(&self) -> &[Meta] {
        &self.pairs.series
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
        let one = &self.sides.one.columns[one];
        match self.sides.operation.is_of_floats(&[out, one]) {
            true => out.filter_map(|step, value| self.sides.float(value, one.get(step)?)),
            false => out.filter_map_elements(|step, element| {
                self.sides.element(&element, &one.element(step)?)
            }),
        }
        Ok(())
    }
}

//! The set operators `and`, `or`, `unless`: whether an element stays depends on the presence of elements with the same
//! signature on the other side at the same step, never on their values.

use super::ast::{Binary, BinaryOp};
use super::column::{Bits, Column};
use super::matching::SignatureTable;
use super::operator::{BoxOperator, Materialized, Meta, Operator, Scratch};
use super::part::hear_out;
use super::plan::Plan;
use super::query::{Held, Query, series_cost};
use super::quiet::can_be_left_out;
use super::unique::{Concat, merge_equal};
use super::value::QueryError;

/// # Errors
/// Evaluating the side whose presence decides failed.
pub fn build<'q>(
    plan: &Plan<'q>,
    binary: &Binary,
    lhs: BoxOperator<'q>,
    rhs: BoxOperator<'q>,
) -> Result<BoxOperator<'q>, QueryError> {
    let mut table = SignatureTable::new(&binary.matching);
    let lhs_ids = table.assign(plan.query, lhs.series())?;
    let rhs_ids = table.assign(plan.query, rhs.series())?;
    let count = table.len();
    match binary.op {
        BinaryOp::Or => {
            let shared = shared(&rhs_ids, &lhs_ids, count);
            if !lhs_ids.iter().any(|id| shared[*id]) {
                return concatenated(plan.query, vec![lhs, rhs]);
            }
            let lhs = Materialized::of(plan.query, lhs)?;
            let present = presence(plan, &lhs, &lhs_ids, &shared, false)?;
            let rest = Masked::new(plan.query, rhs, &rhs_ids, present, false)?;
            concatenated(plan.query, vec![Box::new(lhs), Box::new(rest)])
        }
        op => {
            let shared = shared(&lhs_ids, &rhs_ids, count);
            let all = !can_be_left_out(&binary.rhs, plan.query.facts);
            let present = presence(plan, rhs.as_ref(), &rhs_ids, &shared, all)?;
            if op == BinaryOp::And && !can_be_left_out(&binary.lhs, plan.query.facts) {
                let is_absent = |index: &usize| present.of[lhs_ids[*index]].is_none();
                let absent: Vec<usize> = (0..lhs_ids.len()).filter(is_absent).collect();
                hear_out(plan.query, lhs.as_ref(), &absent)?;
            }
            let wants_presence = op == BinaryOp::And;
            Ok(Box::new(Masked::new(plan.query, lhs, &lhs_ids, present, wants_presence)?))
        }
    }
}

fn concatenated<'q>(
    query: &Query<'_>,
    parts: Vec<BoxOperator<'q>>,
) -> Result<BoxOperator<'q>, QueryError> {
    merge_equal(query, Box::new(Concat::new(query, parts)?))
}

/// The signatures of both sides.
fn shared(a: &[usize], b: &[usize], count: usize) -> Vec<bool> {
    let (mut in_a, mut shared) = (vec![false; count], vec![false; count]);
    a.iter().for_each(|id| in_a[*id] = true);
    b.iter().for_each(|id| shared[*id] = in_a[*id]);
    shared
}

/// At which steps each signature has an element, of those that were asked for.
struct Presence<'q> {
    of: Vec<Option<Bits>>,
    _held: Held<'q>,
}

/// The presence of the wanted signatures. `all`: the others are evaluated as well, for what they have to tell.
fn presence<'q>(
    plan: &Plan<'q>,
    operator: &dyn Operator,
    ids: &[usize],
    wanted: &[bool],
    all: bool,
) -> Result<Presence<'q>, QueryError> {
    let mut present: Vec<Option<Bits>> = vec![None; wanted.len()];
    let (mut held, cost) = (plan.query.hold(0)?, series_cost(plan.timeline.count, 0));
    plan.query.for_each_chunk(
        ids.len(),
        |chunk| {
            let (mut scratch, mut column) = (Scratch::default(), Column::default());
            let mut found = Vec::new();
            for index in chunk.filter(|index| all || wanted[ids[*index]]) {
                plan.query.check()?;
                operator.column(index, &mut scratch, &mut column)?;
                if wanted[ids[index]] {
                    found.push((ids[index], column.presence()));
                }
            }
            Ok(found)
        },
        |found| {
            for (id, bits) in found {
                match &mut present[id] {
                    Some(all) => all.union(&bits),
                    none => {
                        held.absorb(plan.query.hold(cost)?);
                        *none = Some(bits);
                    }
                }
            }
            Ok(())
        },
    )?;
    Ok(Presence { of: present, _held: held })
}

/// Elements that stay only where their signature is present (or absent) on the other side.
struct Masked<'q> {
    inner: BoxOperator<'q>,
    series: Vec<Meta>,
    /// Of every result series: its index in `inner` and its signature.
    picks: Vec<(usize, usize)>,
    present: Presence<'q>,
    /// Stay where present; else where absent.
    wants_presence: bool,
}

impl<'q> Masked<'q> {
    fn new(
        query: &Query<'_>,
        inner: BoxOperator<'q>,
        ids: &[usize],
        present: Presence<'q>,
        wants_presence: bool,
    ) -> Result<Masked<'q>, QueryError> {
        let (mut picks, mut series) = (Vec::new(), Vec::new());
        for (index, id) in ids.iter().enumerate() {
            query.check_at(index)?;
            if present.of[*id].is_some() || !wants_presence {
                picks.push((index, *id));
                series.push(inner.series()[index].clone());
            }
        }
        query.keep_clones(series.len())?;
        Ok(Masked { inner, series, picks, present, wants_presence })
    }
}

impl Operator for Masked<'_> {
    fn series(&self) -> &[Meta] {
        &self.series
    }

    fn column(
        &self,
        index: usize,
        scratch: &mut Scratch,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        let (inner, id) = self.picks[index];
        self.inner.column(inner, scratch, out)?;
        match (&self.present.of[id], self.wants_presence) {
            (Some(present), true) => out.keep(present),
            (Some(present), false) => out.drop_at(present),
            (None, _) => {}
        }
        Ok(())
    }
}

//! What `limitk` needs of its operand: of every group the first series, until there are k elements at every step or no
//! series are left. Called by [`super::rank`] if nobody notices that the others are not evaluated.

use super::aggregate::Groups;
use super::operator::{BoxOperator, Materialized, SharedOperator};
use super::part::Part;
use super::query::Query;
use super::value::QueryError;

/// The first series of every group, in their order, and their groups. `ks` are the elements wanted at each step.
///
/// # Errors
/// Evaluating the operand failed.
pub fn first_of_groups<'q>(
    query: &'q Query<'q>,
    inner: BoxOperator<'q>,
    groups: Groups,
    ks: &[usize],
) -> Result<(Materialized<'q>, Groups), QueryError> {
    let (inner, members) = (SharedOperator::from(inner), groups.members());
    let mut taken = Materialized::new(query, Vec::new(), Vec::new())?;
    // Of what is taken its series, and of every group where it is in there.
    let (mut indices, mut places) = (Vec::new(), vec![Vec::new(); members.len()]);
    let mut unsatisfied: Vec<usize> = (0..members.len()).collect();
    // At first as many as are wanted: most series have an element at every step.
    let mut more = ks.iter().copied().max().unwrap_or(0);
    while more > 0 && !unsatisfied.is_empty() {
        let start = indices.len();
        for group in &unsatisfied {
            let places = &mut places[*group];
            for index in members[*group].iter().skip(places.len()).take(more) {
                places.push(indices.len());
                indices.push(*index);
            }
        }
        let part = Part::new(Box::new(inner.clone()), indices[start..].to_vec());
        taken.append(Materialized::of(query, Box::new(part))?);
        unsatisfied.retain(|group| {
            let places = &places[*group];
            places.len() < members[*group].len() && lacks(&taken, places, ks)
        });
        more = more.saturating_mul(2);
    }
    let mut order: Vec<usize> = (0..indices.len()).collect();
    order.sort_unstable_by_key(|place| indices[*place]);
    let of = order.iter().map(|place| groups.of[indices[*place]]).collect();
    Ok((taken.select(&order), Groups { of, ..groups }))
}

/// Have the series at these places fewer elements than wanted at any step?
fn lacks(taken: &Materialized<'_>, places: &[usize], ks: &[usize]) -> bool {
    let mut found = vec![0; ks.len()];
    for place in places {
        taken.columns[*place].presence().iter().for_each(|step| found[step] += 1);
    }
    found.iter().zip(ks).any(|(found, wanted)| found < wanted)
}

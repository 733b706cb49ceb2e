//! Sorting that ends when the query does: runs are sorted and then merged, with a look at the deadline between.

use std::cmp::Ordering;

use super::query::Query;
use super::value::QueryError;

/// What is sorted in one go, and merged between two looks at the deadline.
const RUN_LEN: usize = 1_024;

/// Sorts `items` by a key that `compare` compares; equal ones keep their order.
///
/// # Errors
/// Nobody waits for the answer any more.
pub fn sort<T>(
    query: &Query<'_>,
    items: &mut Vec<T>,
    compare: impl Fn(&T, &T) -> Ordering,
) -> Result<(), QueryError> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    sort_indices(query, &mut order, |a, b| compare(&items[a], &items[b]))?;
    if !order.is_sorted() {
        let mut unsorted: Vec<Option<T>> = items.drain(..).map(Some).collect();
        items.extend(order.into_iter().filter_map(|index| unsorted[index].take()));
    }
    Ok(())
}

/// [`sort`] of the numbers of things.
///
/// # Errors
/// As [`sort`].
pub fn sort_indices(
    query: &Query<'_>,
    order: &mut Vec<usize>,
    compare: impl Fn(usize, usize) -> Ordering,
) -> Result<(), QueryError> {
    for run in order.chunks_mut(RUN_LEN) {
        query.check()?;
        run.sort_by(|a, b| compare(*a, *b));
    }
    let mut merged = Vec::with_capacity(order.len());
    let mut run_len = RUN_LEN;
    while run_len < order.len() {
        merged.clear();
        for pair in order.chunks(2 * run_len) {
            let (left, right) = pair.split_at(run_len.min(pair.len()));
            merge(query, left, right, &compare, &mut merged)?;
        }
        std::mem::swap(order, &mut merged);
        run_len *= 2;
    }
    Ok(())
}

fn merge(
    query: &Query<'_>,
    mut left: &[usize],
    mut right: &[usize],
    compare: &impl Fn(usize, usize) -> Ordering,
    merged: &mut Vec<usize>,
) -> Result<(), QueryError> {
    if let (Some(last), Some(first)) = (left.last(), right.first())
        && compare(*first, *last) != Ordering::Less
    {
        merged.extend_from_slice(left);
        left = &[];
    }
    while let (Some(a), Some(b)) = (left.first(), right.first()) {
        query.check_at(merged.len())?;
        if compare(*b, *a) == Ordering::Less {
            merged.push(*b);
            right = &right[1..];
        } else {
            merged.push(*a);
            left = &left[1..];
        }
    }
    merged.extend_from_slice(left);
    merged.extend_from_slice(right);
    Ok(())
}

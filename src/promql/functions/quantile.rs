//! The quantile of plain values: `quantile_over_time`, `mad_over_time` and the aggregation `quantile`.

use std::cmp::Ordering;

/// The phi-quantile of `values`, interpolated linearly between the two nearest ranks of n-1; reorders the values.
/// NaN of no values or a NaN phi, -Inf for phi < 0, +Inf for phi > 1. NaN values rank lowest.
pub fn quantile(phi: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || phi.is_nan() {
        return f64::NAN;
    }
    if phi < 0.0 {
        return f64::NEG_INFINITY;
    }
    if phi > 1.0 {
        return f64::INFINITY;
    }
    let rank = phi * (values.len() - 1) as f64;
    let weight = rank - rank.floor();
    let (_, lower, above) = values.select_nth_unstable_by(rank.floor() as usize, nan_first);
    let lower = *lower;
    let upper = above.iter().copied().min_by(nan_first).unwrap_or(lower);
    lower * (1.0 - weight) + upper * weight
}

/// [`quantile`] of values in the order of [`nan_first`], at least one.
pub fn quantile_of_sorted(phi: f64, values: &[f64]) -> f64 {
    if values.is_empty() || phi.is_nan() {
        return f64::NAN;
    }
    if phi < 0.0 {
        return f64::NEG_INFINITY;
    }
    if phi > 1.0 {
        return f64::INFINITY;
    }
    let rank = phi * (values.len() - 1) as f64;
    let (lower, weight) = (rank.floor(), rank - rank.floor());
    let upper = values[values.len().min(lower as usize + 2) - 1];
    values[lower as usize] * (1.0 - weight) + upper * weight
}

/// Ascending, NaN before everything.
pub fn nan_first(a: &f64, b: &f64) -> Ordering {
    b.is_nan().cmp(&a.is_nan()).then(a.partial_cmp(b).unwrap_or(Ordering::Equal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranks_are_interpolated() {
        assert_eq!(quantile(0.5, &mut [1.0, 3.0]), 2.0);
        assert_eq!(quantile(0.25, &mut [40.0, 0.0, 20.0, 60.0]), 15.0);
        assert_eq!(quantile(1.0, &mut [3.0, 1.0, 2.0]), 3.0);
        assert_eq!(quantile(0.0, &mut [3.0, 1.0, 2.0]), 1.0);
        assert_eq!(quantile(0.9, &mut [5.0]), 5.0);
    }

    #[test]
    fn strange_phi_and_values() {
        assert_eq!(quantile(-0.1, &mut [1.0]), f64::NEG_INFINITY);
        assert_eq!(quantile(1.1, &mut [1.0]), f64::INFINITY);
        assert!(quantile(f64::NAN, &mut [1.0]).is_nan());
        assert!(quantile(0.5, &mut []).is_nan());
        assert!(quantile(0.0, &mut [2.0, f64::NAN]).is_nan());
        assert_eq!(quantile(1.0, &mut [2.0, f64::NAN, 1.0]), 2.0);
    }

    proptest! {
        #[test]
        fn agrees_with_sorting(
            mut values in proptest::collection::vec(-1e6f64..1e6, 1..40),
            phi in 0.0f64..=1.0,
        ) {
            let got = quantile(phi, &mut values.clone());
            values.sort_by(f64::total_cmp);
            let rank = phi * (values.len() - 1) as f64;
            let lower = values[rank.floor() as usize];
            let upper = values[(rank.floor() as usize + 1).min(values.len() - 1)];
            let weight = rank - rank.floor();
            prop_assert_eq!(got, lower * (1.0 - weight) + upper * weight);
        }
    }
}

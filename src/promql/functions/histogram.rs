//! Quantiles and fractions of classic histograms: cumulative buckets by upper bound (Prometheus docs,
//! `histogram_quantile`, `histogram_fraction`). The engine groups the buckets by their labels without `le`, parses the
//! bounds, and words the annotations from what comes back.

use std::cmp::Ordering;

/// Counts of neighbouring buckets that differ by less than this, relative to their sum, are taken as equal:
/// floating-point noise of the `rate` and `sum` before, not worth telling the user.
const SMALL_DELTA_RELATIVE: f64 = 1e-12;

/// A cumulative bucket: how many observations are at or below the upper bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    pub upper_bound: f64,
    pub count: f64,
}

/// A quantile, and what had to be done to the buckets for it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BucketQuantile {
    pub value: f64,
    /// Set if counts fell from one bucket to the next and were raised: the info annotation.
    pub forced_monotonic: Option<MonotonicityFix>,
}

/// Which buckets were raised (lowest and highest upper bound) and the largest raise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MonotonicityFix {
    pub min_bucket: f64,
    pub max_bucket: f64,
    pub max_diff: f64,
}

/// The phi-quantile of the buckets, which it sorts and makes monotonic in place.
///
/// NaN without a `+Inf` bucket, with fewer than two buckets, without observations and for a NaN phi; -Inf for
/// phi < 0, +Inf for phi > 1. Linear within a bucket; the lowest bucket begins at 0 if its bound is positive,
/// else its bound is the answer; in the highest the second-highest bound is.
pub fn bucket_quantile(phi: f64, buckets: &mut [Bucket]) -> BucketQuantile {
    let plain = |value| BucketQuantile { value, forced_monotonic: None };
    if phi.is_nan() {
        return plain(f64::NAN);
    }
    if phi < 0.0 {
        return plain(f64::NEG_INFINITY);
    }
    if phi > 1.0 {
        return plain(f64::INFINITY);
    }
    let Some(buckets) = prepared(buckets) else { return plain(f64::NAN) };
    let forced_monotonic = make_monotonic(buckets);
    BucketQuantile { value: interpolated_bound(phi, buckets), forced_monotonic }
}

/// The share of the observations between `lower` and `upper`, interpolated linearly as in [`bucket_quantile`]; nothing
/// is taken from within a bucket that is infinitely wide. NaN without a `+Inf` bucket, without observations and for
/// NaN bounds.
pub fn bucket_fraction(lower: f64, upper: f64, buckets: &mut [Bucket]) -> f64 {
    let Some(buckets) = prepared(buckets) else { return f64::NAN };
    let observations = buckets[buckets.len() - 1].count;
    if observations == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let below = |bound| count_below(bound, buckets).min(observations);
    (below(upper) - below(lower)) / observations
}

/// Sorted by bound, equal bounds added up; `None` if there are none or the highest is not `+Inf`.
fn prepared(buckets: &mut [Bucket]) -> Option<&mut [Bucket]> {
    buckets.sort_by(|a, b| a.upper_bound.total_cmp(&b.upper_bound));
    if buckets.last()?.upper_bound != f64::INFINITY {
        return None;
    }
    let mut last = 0;
    for index in 1..buckets.len() {
        if buckets[index].upper_bound == buckets[last].upper_bound {
            buckets[last].count += buckets[index].count;
        } else {
            last += 1;
            buckets[last] = buckets[index];
        }
    }
    Some(&mut buckets[..=last])
}

/// Raises every count to that of the bucket before, and levels differences within the tolerance.
fn make_monotonic(buckets: &mut [Bucket]) -> Option<MonotonicityFix> {
    let mut fix: Option<MonotonicityFix> = None;
    let mut highest = buckets[0].count;
    for bucket in &mut buckets[1..] {
        let Bucket { upper_bound, count } = *bucket;
        if count == highest {
            continue;
        }
        if almost_equal(highest, count, SMALL_DELTA_RELATIVE) {
            bucket.count = highest;
        } else if count < highest {
            let fix = fix.get_or_insert(MonotonicityFix {
                min_bucket: upper_bound,
                max_bucket: upper_bound,
                max_diff: 0.0,
            });
            fix.max_bucket = upper_bound;
            fix.max_diff = fix.max_diff.max(highest - count);
            bucket.count = highest;
        } else {
            highest = count;
        }
    }
    fix
}

/// Do two numbers differ by less than `tolerance`, relative to the sum of their magnitudes? NaN equals NaN.
pub fn almost_equal(a: f64, b: f64, tolerance: f64) -> bool {
    if a == b || (a.is_nan() && b.is_nan()) {
        return true;
    }
    let sum = a.abs() + b.abs();
    let difference = (a - b).abs();
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < tolerance * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < tolerance
}

/// The quantile of sorted, monotonic buckets that end at `+Inf`.
fn interpolated_bound(phi: f64, buckets: &[Bucket]) -> f64 {
    let [.., second_highest, highest] = buckets else { return f64::NAN };
    let observations = highest.count;
    if observations == 0.0 {
        return f64::NAN;
    }
    let rank = phi * observations;
    // A NaN, as count or as rank, is never enough.
    let enough = |bucket: &Bucket| bucket.count.partial_cmp(&rank).is_some_and(Ordering::is_ge);
    let found = buckets[..buckets.len() - 1].partition_point(|bucket| !enough(bucket));
    if found == buckets.len() - 1 {
        return second_highest.upper_bound;
    }
    let bucket = buckets[found];
    if found == 0 {
        if bucket.upper_bound <= 0.0 {
            return bucket.upper_bound;
        }
        return bucket.upper_bound * (rank / bucket.count);
    }
    let before = buckets[found - 1];
    let share = (rank - before.count) / (bucket.count - before.count);
    before.upper_bound + (bucket.upper_bound - before.upper_bound) * share
}

/// How many observations are below `bound`, as far as the buckets tell.
fn count_below(bound: f64, buckets: &[Bucket]) -> f64 {
    let begins_at_zero = buckets.first().is_some_and(|bucket| bucket.upper_bound > 0.0);
    let start = if begins_at_zero { 0.0 } else { f64::NEG_INFINITY };
    let mut before = Bucket { upper_bound: start, count: 0.0 };
    for bucket in buckets {
        if before.upper_bound >= bound {
            break;
        }
        if bucket.upper_bound > bound {
            return if before.upper_bound == f64::NEG_INFINITY {
                bucket.count
            } else {
                let share =
                    (bound - before.upper_bound) / (bucket.upper_bound - before.upper_bound);
                before.count + (bucket.count - before.count) * share
            };
        }
        before = *bucket;
    }
    before.count
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INF: f64 = f64::INFINITY;

    fn buckets(pairs: &[(f64, f64)]) -> Vec<Bucket> {
        pairs
            .iter()
            .map(|(upper_bound, count)| Bucket { upper_bound: *upper_bound, count: *count })
            .collect()
    }

    fn quantile(phi: f64, pairs: &[(f64, f64)]) -> f64 {
        bucket_quantile(phi, &mut buckets(pairs)).value
    }

    const LATENCY: [(f64, f64); 4] = [(0.1, 10.0), (0.5, 30.0), (1.0, 40.0), (INF, 50.0)];

    #[test]
    fn linear_within_a_bucket() {
        assert_eq!(quantile(0.1, &LATENCY), 0.05);
        assert!((quantile(0.4, &LATENCY) - 0.3).abs() < 1e-12);
        assert_eq!(quantile(0.8, &LATENCY), 1.0);
    }

    #[test]
    fn the_top_bucket_answers_the_bound_below_it() {
        assert_eq!(quantile(0.9, &LATENCY), 1.0);
        assert_eq!(quantile(1.0, &LATENCY), 1.0);
    }

    #[test]
    fn the_lowest_bucket_begins_at_zero_only_if_positive() {
        assert_eq!(quantile(0.25, &[(2.0, 4.0), (INF, 8.0)]), 1.0);
        assert_eq!(quantile(0.25, &[(-1.0, 4.0), (INF, 8.0)]), -1.0);
        assert_eq!(quantile(0.0, &[(0.0, 4.0), (INF, 8.0)]), 0.0);
    }

    #[test]
    fn what_has_no_quantile() {
        assert!(quantile(0.5, &[]).is_nan());
        assert!(quantile(0.5, &[(INF, 5.0)]).is_nan());
        assert!(quantile(0.5, &[(1.0, 5.0), (2.0, 6.0)]).is_nan());
        assert!(quantile(0.5, &[(1.0, 0.0), (INF, 0.0)]).is_nan());
        assert!(quantile(f64::NAN, &LATENCY).is_nan());
        assert_eq!(quantile(-0.1, &LATENCY), -INF);
        assert_eq!(quantile(1.1, &LATENCY), INF);
    }

    #[test]
    fn order_does_not_matter_and_equal_bounds_add_up() {
        assert_eq!(quantile(0.5, &[(INF, 10.0), (2.0, 3.0), (1.0, 0.0), (2.0, 7.0)]), 1.5);
    }

    #[test]
    fn falling_counts_are_raised_and_told() {
        let mut some = buckets(&[(1.0, 4.0), (2.0, 1.0), (3.0, 8.0), (4.0, 6.0), (INF, 8.0)]);
        let got = bucket_quantile(0.25, &mut some);
        assert_eq!(got.value, 0.5);
        let fix = MonotonicityFix { min_bucket: 2.0, max_bucket: 4.0, max_diff: 3.0 };
        assert_eq!(got.forced_monotonic, Some(fix));
    }

    #[test]
    fn noise_is_levelled_silently() {
        let mut noisy = buckets(&[(1.0, 4.0), (2.0, 4.0 - 1e-13), (INF, 4.0 + 1e-13)]);
        let got = bucket_quantile(1.0, &mut noisy);
        assert_eq!((got.value, got.forced_monotonic), (1.0, None));
        assert!(noisy.iter().all(|bucket| bucket.count == 4.0), "{noisy:?}");
    }

    #[test]
    fn fractions() {
        let fraction = |lower, upper| bucket_fraction(lower, upper, &mut buckets(&LATENCY));
        assert_eq!(fraction(0.1, 0.5), 0.4);
        assert!((fraction(0.3, 1.0) - 0.4).abs() < 1e-12);
        assert_eq!(fraction(-INF, INF), 1.0);
        assert_eq!(fraction(1.0, INF), 0.2);
        // The lowest bucket begins at 0, as it does for quantiles.
        assert_eq!(fraction(0.05, 0.1), 0.1);
        assert_eq!(fraction(-5.0, 0.1), 0.2);
        assert_eq!(fraction(1.0, 5.0), 0.0);
        assert_eq!(fraction(0.5, 0.5), 0.0);
        assert!(fraction(f64::NAN, 0.5).is_nan());
        assert!(bucket_fraction(0.0, 1.0, &mut []).is_nan());
        assert!(bucket_fraction(0.0, 1.0, &mut buckets(&[(1.0, 3.0)])).is_nan());
    }

    proptest! {
        #[test]
        fn quantiles_grow_with_phi_and_invert_fractions(
            counts in proptest::collection::vec(0.5f64..100.0, 2..10),
            phi in 0.0f64..1.0,
            more in 0.0f64..1.0,
        ) {
            let mut total = 0.0;
            let mut pairs: Vec<(f64, f64)> = Vec::new();
            for (index, count) in counts.iter().enumerate() {
                total += count;
                pairs.push((index as f64, total));
            }
            pairs.push((INF, total));
            let low = quantile(phi.min(more), &pairs);
            prop_assert!(low <= quantile(phi.max(more), &pairs));
            let at = quantile(phi, &pairs);
            if at > 0.0 {
                let fraction = bucket_fraction(-INF, at, &mut buckets(&pairs));
                prop_assert!((fraction - phi).abs() < 1e-9, "{} {}", fraction, phi);
            }
        }
    }
}

//! Compensated sums and means.

use super::*;

fn sum_of(histograms: &[Histogram]) -> HistogramSum {
    let mut sum = HistogramSum::new(&histograms[0]);
    histograms[1..].iter().for_each(|histogram| sum.add(histogram).unwrap());
    sum
}

fn scalars(pairs: &[(f64, f64)]) -> Vec<Histogram> {
    pairs.iter().map(|(count, sum)| exponential(0, *count, *sum, 0, &[])).collect()
}

#[test]
fn small_terms_survive_large_ones() {
    let histograms = scalars(&[
        (1.0, 5.3),
        (2.0, 1e100),
        (3.0, 1.0),
        (4.0, -1e100),
        (5.0, 2.0),
        (6.0, 1e50),
        (7.0, -1e50),
    ]);
    let sum = sum_of(&histograms);
    assert_same(&sum.sum(), &exponential(0, 28.0, 8.3, 0, &[]));
    assert_same(&sum.mean(), &exponential(0, 4.0, 8.3 / 7.0, 0, &[]));
    let mut halves = sum_of(&histograms[..5]);
    halves.merge(&sum_of(&histograms[5..])).unwrap();
    assert_same(&halves.mean(), &sum.mean());
}

#[test]
fn a_mean_survives_the_overflow_of_its_sum() {
    let sum = sum_of(&scalars(&[(f64::MAX, 1.0), (1e308, 1e100), (1e-6, 1.0), (1e-6, -1e100)]));
    assert_eq!((sum.sum().count, sum.sum().sum), (f64::INFINITY, 2.0));
    let mean = sum.mean();
    assert!((mean.count / 6.99423283715579e307 - 1.0).abs() < 1e-12);
    assert_eq!(mean.sum, 0.5);
    let infinite = sum_of(&scalars(&[(1.0, f64::INFINITY), (1.0, 1.0)]));
    assert_eq!((infinite.sum().sum, infinite.mean().sum), (f64::INFINITY, f64::INFINITY));
}

#[test]
fn a_mean_of_one_is_that_one() {
    let one = custom(&[5.0, 10.0], 1.0, &[1.0, 4.0]);
    assert_same(&sum_of(std::slice::from_ref(&one)).mean(), &one);
}

#[test]
fn sums_meet_in_a_common_layout() {
    let low = zero_bucket(exponential(0, 7.0, 3.1, 0, &[1.0, 2.0, 0.0, 3.0]), 0.001, 1.0);
    let high = zero_bucket(exponential(1, 6.0, 1.3, 0, &[2.0, 4.0]), 0.001, 3.0);
    for pair in [[low.clone(), high.clone()], [high.clone(), low.clone()]] {
        let sum = sum_of(&pair);
        let want = exponential(0, 13.0, 3.1 + 1.3, 0, &[3.0, 6.0, 0.0, 3.0]);
        assert_same(&sum.sum(), &zero_bucket(want, 0.001, 4.0));
        assert_eq!(sum.sum().positive.spans.len(), 2, "compacted");
    }
    let mut bounds = HistogramSum::new(&custom(&[2.0, 10.0], 1.0, &[1.0]));
    bounds.add(&custom(&[5.0, 10.0], 1.0, &[1.0])).unwrap();
    assert!(bounds.combined().bounds_reconciled);
    assert_same(&bounds.mean(), &custom(&[10.0], 1.0, &[1.0]));
    assert_eq!(bounds.add(&low), Err(Incompatible));
    assert_same(&bounds.mean(), &custom(&[10.0], 1.0, &[1.0]));
}

#[test]
fn resets_conflict_whatever_lies_between() {
    use ResetHint::{Gauge, NotReset, Reset, Unknown};
    let one = exponential(0, 1.0, 1.0, 0, &[1.0]);
    let sum = |hints: &[ResetHint]| {
        sum_of(&hints.iter().map(|hint| hinted(one.clone(), *hint)).collect::<Vec<_>>())
    };
    for (hints, hint, conflict) in [
        (&[NotReset, NotReset][..], NotReset, false),
        (&[NotReset, Unknown], Unknown, false),
        (&[NotReset, Gauge, Unknown], Gauge, false),
        (&[NotReset, Reset], Unknown, true),
        (&[NotReset, Gauge, Unknown, Reset], Gauge, true),
    ] {
        assert_eq!((sum(hints).sum().hint, sum(hints).combined().reset_conflict), (hint, conflict));
    }
    let mut merged = sum(&[Unknown, NotReset]);
    merged.merge(&sum(&[Reset, Unknown])).unwrap();
    assert!(merged.combined().reset_conflict);
}

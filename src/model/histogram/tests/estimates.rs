//! Quantiles, fractions, variance and trimming: exact values of small histograms.

use super::*;

const INF: f64 = f64::INFINITY;

/// Twelve observations, two of them in the zero bucket.
fn positive() -> Histogram {
    zero_bucket(exponential(0, 12.0, 100.0, 0, &[2.0, 3.0, 0.0, 1.0, 4.0]), 0.001, 2.0)
}

fn mirrored(histogram: Histogram) -> Histogram {
    let Histogram { positive, negative, .. } = histogram;
    Histogram { positive: negative, negative: positive, sum: -histogram.sum, ..histogram }
}

fn both_signs() -> Histogram {
    let mut both = positive();
    both.add(&mirrored(positive())).unwrap();
    both
}

#[track_caller]
fn assert_near(got: f64, want: f64) {
    assert!((got - want).abs() <= 1e-12 * want.abs().max(1e-3), "got {got}, want {want}");
}

fn quantile(histogram: &Histogram, phi: f64) -> f64 {
    let estimate = histogram.quantile(phi);
    assert!(!estimate.has_nan_observations);
    estimate.value
}

#[test]
fn quantiles_of_exponential_buckets_are_logarithmic() {
    for (phi, want) in [
        (1.001, INF),
        (1.0, 16.0),
        (0.99, 15.67072476139083),
        (0.6, 4.594793419988138),
        (0.5, 1.5874010519681994),
        (0.1, 0.0006),
        (0.0, 0.0),
        (-1.0, -INF),
    ] {
        if want.is_infinite() {
            assert_eq!(quantile(&positive(), phi), want);
            continue;
        }
        assert_near(quantile(&positive(), phi), want);
        assert_near(quantile(&mirrored(positive()), 1.0 - phi), -want);
        assert_near(quantile(&both_signs(), 0.5 + phi / 2.0), want);
        assert_near(quantile(&both_signs(), 0.5 - phi / 2.0), -want);
    }
    assert!(quantile(&positive(), f64::NAN).is_nan());
    assert!(quantile(&Histogram::default(), 0.5).is_nan());
}

#[test]
fn a_quantile_between_buckets_is_where_the_next_one_begins() {
    let mut apart = exponential(0, 8.0, 0.0, 0, &[1.0, 2.0, 1.0]);
    apart.negative = apart.positive.clone();
    assert_eq!(quantile(&apart, 0.5), 0.5);
}

#[test]
fn quantiles_of_custom_buckets_are_linear() {
    let histogram = custom(&[5.0, 10.0], 5.0, &[1.0, 2.0, 1.0]);
    assert_eq!(quantile(&histogram, 0.5), 7.5);
    assert_eq!(quantile(&histogram, 0.125), 2.5);
    assert_eq!(quantile(&histogram, 1.0), 10.0);
    assert_eq!(quantile(&custom(&[-5.0, 0.0], 0.0, &[2.0, 1.0, 1.0]), 0.25), -5.0);
    assert_eq!(quantile(&custom(&[-5.0, 0.0], 0.0, &[2.0, 2.0]), 0.75), -2.5);
}

#[test]
fn nan_observations_are_above_all_buckets() {
    let histogram = exponential(0, 15.0, f64::NAN, 0, &[12.0]);
    for (phi, want) in [(0.0, 0.5), (0.4, 0.5_f64.sqrt()), (0.8, 1.0)] {
        let estimate = histogram.quantile(phi);
        assert!(estimate.has_nan_observations);
        assert_near(estimate.value, want);
    }
    assert!(histogram.quantile(0.81).value.is_nan());
    assert_near(histogram.fraction(-INF, INF).value, 0.8);
    assert_near(histogram.fraction(-INF, 0.5_f64.sqrt()).value, 0.4);
    assert!(histogram.fraction(0.0, 1.0).has_nan_observations);
    let nothing_else = exponential(0, 3.0, f64::NAN, 0, &[]);
    assert!(nothing_else.quantile(0.4).value.is_nan());
    assert_eq!(nothing_else.fraction(-INF, INF).value, 0.0);
    // Infinities of both signs have a sum of NaN too.
    let infinities = exponential(0, 12.0, f64::NAN, 0, &[12.0]);
    assert!(!infinities.quantile(0.5).has_nan_observations);
}

#[test]
fn fractions() {
    let fraction = |lower, upper| positive().fraction(lower, upper).value;
    for (lower, upper, want) in [
        (0.0, INF, 1.0),
        (-INF, 0.0, 0.0),
        (-0.001, 0.0, 0.0),
        (0.0, 0.001, 1.0 / 6.0),
        (0.0, 0.0005, 1.0 / 12.0),
        (0.001, INF, 5.0 / 6.0),
        (1.0, 2.0, 0.25),
        (0.0, 1.5, 0.4795739585136224),
        (1.5, 6.0, 0.15250624987980724),
        (-2.0, -1.0, 0.0),
        (42.0, 3.0, 0.0),
        (2.0, 2.0, 0.0),
    ] {
        assert_near(fraction(lower, upper), want);
        assert_near(mirrored(positive()).fraction(-upper, -lower).value, want);
    }
    assert_near(both_signs().fraction(-INF, 0.0005).value, 13.0 / 24.0);
    assert!(fraction(f64::NAN, 1.0).is_nan() && fraction(0.0, f64::NAN).is_nan());
    assert!(Histogram::default().fraction(0.0, 8.0).value.is_nan());
    let custom = custom(&[5.0, 10.0], 5.0, &[1.0, 2.0, 1.0]);
    assert_eq!(custom.fraction(5.0, 10.0).value, 0.5);
    assert_eq!(custom.fraction(2.5, 50.0).value, 0.625);
    assert_eq!(custom.fraction(-INF, INF).value, 1.0);
}

#[test]
fn variances() {
    let spread = exponential(2, 4.0, 10.0, 0, &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
    assert_near(spread.variance(), 1.163807968526718);
    assert_eq!(spread.avg(), 2.5);
    let dense = exponential(8, 10.0, 10.0, 0, &[1.0, 2.0, 3.0, 4.0]);
    assert_near(dense.variance(), 2.3971123370139447e-05);
    let tens = mirrored(exponential(0, 10.0, 100.0, 4, &[10.0]));
    assert_near(tens.variance(), 1.725830020304794);
    let custom = custom(&[-0.25, -0.2, -0.1, 0.3], 8.0, &[0.0, 1.0, 1.0]);
    assert_near(custom.variance(), 17.5365625);
    assert!(Histogram::default().variance().is_nan());
    assert_eq!(exponential(0, 1.0, INF, 0, &[1.0]).variance(), INF);
    assert!(exponential(0, 1.0, f64::NAN, 0, &[1.0]).variance().is_nan());
}

#[track_caller]
fn assert_trimmed(
    got: &Histogram,
    count: f64,
    sum: f64,
    zero: f64,
    negative: &[f64],
    rest: &[f64],
) {
    assert_near(got.count, count);
    assert_near(got.sum, sum);
    assert_near(got.zero_count, zero);
    for (buckets, want) in [(&got.negative, negative), (&got.positive, rest)] {
        assert_eq!(buckets.counts.len(), want.len(), "{got}");
        buckets.counts.iter().zip(want).for_each(|(count, want)| assert_near(*count, *want));
    }
}

/// 34 observations of both signs.
fn mixed() -> Histogram {
    let mut mixed = exponential(0, 34.0, 123.75, 0, &[2.0, 4.0, 8.0, 16.0]);
    mixed.negative = Buckets::contiguous(0, vec![1.0, 2.0]);
    zero_bucket(mixed, 0.001, 1.0)
}

#[test]
fn trimming_exponential_buckets() {
    let root = 2.0_f64.sqrt();
    let negatives = -0.5 * root - 2.0 * root;
    let top = 8.0 * 2.0 * root + 16.0 * 4.0 * root;
    let positives = root + 4.0 * root + top;
    let half = &[2.0, 2.0, 0.0, 0.0];
    let quarter = 2.0_f64.powf(0.25);
    assert_trimmed(
        &mixed().trim_above(2.0),
        10.0,
        5.0 * root + negatives,
        1.0,
        &[1.0, 2.0],
        &[2.0, 4.0, 0.0, 0.0],
    );
    assert_trimmed(&mixed().trim_below(2.0), 24.0, top, 0.0, &[0.0, 0.0], &[0.0, 0.0, 8.0, 16.0]);
    assert_trimmed(
        &mixed().trim_above(root),
        8.0,
        root + 2.0 * quarter + negatives,
        1.0,
        &[1.0, 2.0],
        half,
    );
    assert_trimmed(
        &mixed().trim_below(-1.0),
        32.0,
        positives - root / 2.0,
        1.0,
        &[1.0, 0.0],
        &[2.0, 4.0, 8.0, 16.0],
    );
    assert_trimmed(
        &mixed().trim_below(0.0),
        30.5,
        positives + 0.00025,
        0.5,
        &[0.0; 2],
        &[2.0, 4.0, 8.0, 16.0],
    );
    assert_trimmed(&mixed().trim_below(INF), 0.0, 0.0, 0.0, &[0.0; 2], &[0.0; 4]);
    assert_trimmed(&mixed().trim_above(f64::NAN), 0.0, 0.0, 0.0, &[0.0; 2], &[0.0; 4]);
    assert_same(&mixed().trim_below(-INF), &mixed());
    assert_same(&mixed().trim_above(INF), &mixed());
    assert_eq!(hinted(mixed(), ResetHint::NotReset).trim_above(1.0).hint, ResetHint::NotReset);
}

#[test]
fn trimming_the_zero_bucket() {
    let alone = zero_bucket(exponential(0, 5.0, 0.0, 0, &[]), 0.1, 5.0);
    assert_trimmed(&alone.trim_below(0.05), 1.25, 0.09375, 1.25, &[], &[]);
    assert_trimmed(&alone.trim_above(0.05), 3.75, -0.09375, 3.75, &[], &[]);
    assert_same(&alone.trim_above(0.1), &alone);
    let positive = zero_bucket(exponential(0, 12.0, 8.0, 0, &[10.0]), 0.5, 2.0);
    assert_trimmed(&positive.trim_above(0.1), 0.4, 0.02, 0.4, &[], &[0.0]);
    assert_trimmed(&mirrored(positive.clone()).trim_below(-0.1), 0.4, -0.02, 0.4, &[0.0], &[]);
    assert_same(&positive.trim_below(0.0), &positive);
    assert_trimmed(&positive.trim_above(0.0), 0.0, 0.0, 0.0, &[], &[0.0]);
}

#[test]
fn trimming_custom_buckets() {
    let five = custom(&[5.0, 10.0, 15.0, 20.0], 172.5, &[1.0, 6.0, 4.0, 3.0, 1.0]);
    assert_trimmed(&five.trim_above(13.0), 9.4, 75.1, 0.0, &[], &[1.0, 6.0, 2.4, 0.0, 0.0]);
    assert_trimmed(&five.trim_below(13.0), 5.6, 94.9, 0.0, &[], &[0.0, 0.0, 1.6, 3.0, 1.0]);
    assert_trimmed(&five.trim_above(50.0), 14.0, 150.0, 0.0, &[], &[1.0, 6.0, 4.0, 3.0, 0.0]);
    assert_trimmed(&five.trim_below(50.0), 1.0, 50.0, 0.0, &[], &[0.0, 0.0, 0.0, 0.0, 1.0]);
    assert_same(&five.trim_below(0.0), &five);
    // Open below, ending above 0: nothing is known to lie above a negative bound.
    assert_trimmed(&five.trim_below(-3.0), 14.0, 167.5, 0.0, &[], &[0.0, 6.0, 4.0, 3.0, 1.0]);
    // Open below, ending below 0: all is taken to be at the bound.
    let low = custom(&[-10.0, 5.0], 0.0, &[2.0, 1.0]);
    assert_trimmed(&low.trim_above(2.0), 2.8, -23.2, 0.0, &[], &[2.0, 0.8]);
    assert_trimmed(&low.trim_above(-15.0), 2.0, -30.0, 0.0, &[], &[2.0, 0.0]);
    assert_trimmed(&low.trim_below(-15.0), 1.0, -2.5, 0.0, &[], &[0.0, 1.0]);
    let one = custom(&[], 100.0, &[100.0]);
    for bound in [-10.0, 0.0, 10.0] {
        assert_eq!([one.trim_above(bound).count, one.trim_below(bound).count], [0.0, 0.0]);
    }
    assert_same(&one.trim_above(INF), &one);
    assert_same(&one.trim_below(-INF), &one);
    assert_eq!(one.trim_below(INF).count, 0.0);
}

#[test]
fn classic_buckets_become_custom_ones() {
    let buckets = [(2.0, 8.0), (1.0, 3.0), (INF, 10.0), (0.0, 0.0), (2.0, 9.0), (f64::NAN, 7.0)];
    let histogram = Histogram::from_classic(&buckets, Some(10.0), Some(36.0)).unwrap();
    assert_same(&histogram, &custom(&[0.0, 1.0, 2.0], 36.0, &[0.0, 3.0, 5.0, 2.0]));
    let open = Histogram::from_classic(&buckets[..2], None, None).unwrap();
    assert_same(&open, &custom(&[1.0, 2.0], 0.0, &[3.0, 5.0]));
    let counted = Histogram::from_classic(&buckets[..2], Some(9.0), None).unwrap();
    assert_same(&counted, &custom(&[1.0, 2.0], 0.0, &[3.0, 5.0, 1.0]));
    let convert = |buckets: &[(f64, f64)], count| Histogram::from_classic(buckets, count, None);
    assert_eq!(convert(&[(1.0, 3.0), (2.0, 2.0)], None).unwrap_err(), ClassicError::NotCumulative);
    assert_eq!(convert(&[(1.0, 3.0)], Some(2.0)).unwrap_err(), ClassicError::NotCumulative);
    assert_eq!(convert(&[(INF, 3.0)], Some(2.0)).unwrap_err(), ClassicError::CountMismatch);
}

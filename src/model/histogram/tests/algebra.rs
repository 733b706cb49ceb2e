//! Adding, subtracting, scaling, comparing; counter resets; text.

use super::*;

#[test]
fn bounds_are_powers_of_the_base() {
    assert_eq!(bounds::upper_bound(0, 0), 1.0);
    assert_eq!(bounds::upper_bound(3, 0), 8.0);
    assert_eq!(bounds::upper_bound(-2, 0), 0.25);
    assert_eq!(bounds::upper_bound(1, 1), 2.0_f64.sqrt());
    assert_eq!(bounds::upper_bound(1, -2), 16.0);
    assert_eq!(bounds::upper_bound(1024, 0), f64::MAX);
    assert_eq!(bounds::upper_bound(1025, 0), f64::INFINITY);
    assert_eq!(bounds::upper_bound(-1074, 0), 5e-324);
    assert_eq!(bounds::upper_bound(-1076, 0), 0.0);
    assert_eq!(bounds::upper_bound(2 * 5, 4), bounds::upper_bound(5, 3));
}

#[test]
fn buckets_come_in_the_order_of_the_number_line() {
    let mut histogram = zero_bucket(exponential(0, 20.0, 10.0, 0, &[1.0, 0.0, 2.0]), 0.001, 2.0);
    histogram.negative = Buckets::contiguous(0, vec![1.0, 2.0]);
    assert_eq!(
        histogram.to_string(),
        "{count:20, sum:10, [-2,-1):2, [-1,-0.5):1, [-0.001,0.001]:2, (0.5,1]:1, (2,4]:2}"
    );
    assert_eq!(histogram.buckets().count(), 6);
    let text = custom(&[-5.0, 1e6], f64::INFINITY, &[1.0, 2.5, 0.000025]).to_string();
    assert_eq!(
        text,
        "{count:3.500025, sum:+Inf, [-Inf,-5]:1, (-5,1e+06]:2.5, (1e+06,+Inf]:2.5e-05}"
    );
}

#[test]
fn adding_goes_to_the_lower_schema() {
    let mut low = exponential(-1, 1.0, 4.0, 1, &[1.0]);
    let high = exponential(0, 4.0, 4.0, 1, &[2.0, 2.0]);
    let mut other = high.clone();
    low.add(&high).unwrap();
    assert_same(&low, &exponential(-1, 5.0, 8.0, 1, &[5.0]));
    other.add(&exponential(-1, 1.0, 4.0, 1, &[1.0])).unwrap();
    assert_same(&other, &low);
}

#[test]
fn subtracting_makes_a_gauge() {
    let mut difference = exponential(0, 4.0, 5.0, 0, &[1.0, 2.0, 1.0]);
    difference.sub(&exponential(0, 3.0, 1.0, 1, &[1.0, 0.0, 3.0])).unwrap();
    assert_same(&difference, &exponential(0, 1.0, 4.0, 0, &[1.0, 1.0, 1.0, -3.0]));
    assert_eq!(difference.hint, ResetHint::Gauge);
}

#[test]
fn the_wider_zero_bucket_takes_what_it_covers() {
    // A threshold of 1.5 would cut the populated bucket (1, 2], so it becomes 2.
    let narrow = exponential(0, 6.0, 6.0, 0, &[1.0, 2.0, 3.0]);
    let wide = zero_bucket(exponential(0, 1.0, 0.0, 0, &[]), 1.5, 1.0);
    let want = zero_bucket(exponential(0, 7.0, 6.0, 2, &[3.0]), 2.0, 4.0);
    for (a, b) in [(&narrow, &wide), (&wide, &narrow)] {
        let mut sum = a.clone();
        sum.add(b).unwrap();
        assert_same(&sum, &want);
    }
    // An empty bucket may be cut.
    let mut sum = exponential(0, 6.0, 6.0, 0, &[1.0, 0.0, 3.0]);
    sum.add(&wide).unwrap();
    assert_same(&sum, &zero_bucket(exponential(0, 7.0, 6.0, 2, &[3.0]), 1.5, 2.0));
}

#[test]
fn custom_bounds_are_reconciled_to_those_in_both() {
    let mut later = custom(
        &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
        555.0,
        &[10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0],
    );
    let earlier = custom(&[2.0, 4.0, 6.0], 55.0, &[1.0, 2.0, 5.0, 7.0]);
    let combined = later.sub(&earlier).unwrap();
    assert!(combined.bounds_reconciled && !combined.reset_conflict);
    assert_same(&later, &custom(&[2.0, 4.0, 6.0], 500.0, &[29.0, 68.0, 105.0, 233.0]));
    let mut none_in_common = custom(&[1.0], 3.0, &[3.0]);
    none_in_common.add(&custom(&[5.0, 10.0], 3.0, &[3.0])).unwrap();
    assert_same(&none_in_common, &custom(&[], 6.0, &[6.0]));
    let mut same = custom(&[1.0], 3.0, &[3.0]);
    assert_eq!(same.add(&custom(&[1.0], 3.0, &[3.0])), Ok(Combined::default()));
}

#[test]
fn exponential_and_custom_do_not_combine() {
    let mut histogram = exponential(0, 1.0, 1.0, 0, &[1.0]);
    let before = histogram.clone();
    assert_eq!(histogram.add(&custom(&[1.0], 1.0, &[1.0])), Err(Incompatible));
    assert_same(&histogram, &before);
    assert_eq!(histogram.reduce_schema(CUSTOM_BUCKETS_SCHEMA), Err(Incompatible));
    assert_eq!(histogram.reduce_schema(1), Err(Incompatible));
}

#[test]
fn hints_of_sums() {
    use ResetHint::{Gauge, NotReset, Reset, Unknown};
    let one = exponential(0, 1.0, 1.0, 0, &[1.0]);
    let cases = [
        (NotReset, NotReset, NotReset, false),
        (Reset, Reset, Reset, false),
        (Unknown, NotReset, Unknown, false),
        (Reset, Unknown, Unknown, false),
        (Gauge, Reset, Gauge, false),
        (NotReset, Gauge, Gauge, false),
        (Reset, NotReset, Unknown, true),
        (NotReset, Reset, Unknown, true),
    ];
    for (a, b, want, conflict) in cases {
        let mut sum = hinted(one.clone(), a);
        let combined = sum.add(&hinted(one.clone(), b)).unwrap();
        assert_eq!((sum.hint, combined.reset_conflict), (want, conflict), "{a:?} {b:?}");
    }
}

#[test]
fn scaling_and_dividing() {
    let histogram = zero_bucket(exponential(0, 30.0, 33.0, 0, &[3.0, 0.0, 3.0]), 0.001, 3.0);
    let mut third = histogram.clone();
    third.divide(3.0);
    assert_same(&third, &zero_bucket(exponential(0, 10.0, 11.0, 0, &[1.0, 0.0, 1.0]), 0.001, 1.0));
    assert_eq!(third.hint, ResetHint::Unknown);
    third.scale(-3.0);
    assert_eq!((third.hint, third.count), (ResetHint::Gauge, -30.0));
    let mut infinite = histogram.clone();
    infinite.divide(0.0);
    let inf = f64::INFINITY;
    assert_same(&infinite, &zero_bucket(exponential(0, inf, inf, 0, &[]), 0.001, inf));
    let mut nothing = histogram;
    nothing.scale(0.0);
    nothing.compact();
    assert!(nothing.positive.spans.is_empty() && nothing.positive.counts.is_empty());
}

#[test]
fn equality_ignores_empty_buckets_and_hints() {
    let sparse = Buckets {
        spans: vec![
            Span { offset: 0, len: 1 },
            Span { offset: 0, len: 0 },
            Span { offset: 1, len: 1 },
        ],
        counts: vec![1.0, 2.0],
    };
    let mut histogram = exponential(0, 3.0, f64::NAN, 0, &[1.0, 0.0, 2.0, 0.0]);
    let same = Histogram {
        positive: sparse,
        sum: -f64::NAN,
        ..hinted(histogram.clone(), ResetHint::Gauge)
    };
    assert_same(&histogram, &same);
    histogram.compact();
    assert_eq!(histogram.positive.spans.len(), 2);
    assert_same(&histogram, &same);
    let stale = Histogram { sum: f64::from_bits(crate::model::STALE_NAN_BITS), ..same.clone() };
    assert!(stale.is_stale() && !same.is_stale() && !stale.equals(&same));
    assert!(!custom(&[1.0], 1.0, &[1.0]).equals(&custom(&[2.0], 1.0, &[1.0])));
}

#[test]
fn a_shrinking_bucket_is_a_reset() {
    let before = zero_bucket(exponential(1, 5.0, 5.0, 0, &[1.0, 2.0, 1.0]), 0.01, 1.0);
    let grown = zero_bucket(exponential(1, 8.0, 6.0, 0, &[2.0, 3.0, 1.0]), 0.01, 2.0);
    assert!(!grown.is_reset_after(&before));
    assert!(!before.is_reset_after(&before));
    assert!(before.is_reset_after(&grown));
    let moved = zero_bucket(exponential(1, 8.0, 6.0, 0, &[2.0, 1.0, 3.0]), 0.01, 2.0);
    assert!(moved.is_reset_after(&before));
    let emptier_zero = zero_bucket(exponential(1, 8.0, 6.0, 0, &[2.0, 3.0, 3.0]), 0.01, 0.0);
    assert!(emptier_zero.is_reset_after(&before));
}

#[test]
fn a_counter_only_gets_coarser() {
    let before = exponential(1, 4.0, 5.0, 1, &[2.0, 2.0]);
    assert!(!exponential(0, 4.0, 5.0, 1, &[4.0]).is_reset_after(&before));
    assert!(exponential(0, 5.0, 5.0, 1, &[3.0, 2.0]).is_reset_after(&before));
    assert!(before.is_reset_after(&exponential(0, 4.0, 5.0, 1, &[4.0])));
    // A zero bucket that grows up to a bound takes whole buckets, one that ends within a populated one cannot.
    let wider = |threshold| zero_bucket(exponential(1, 4.0, 5.0, 2, &[2.0]), threshold, 2.0);
    assert!(!wider(2.0_f64.sqrt()).is_reset_after(&before));
    assert!(wider(1.2).is_reset_after(&before));
    assert!(before.is_reset_after(&wider(2.0_f64.sqrt())));
}

#[test]
fn resets_of_custom_buckets_are_looked_for_in_the_bounds_of_both() {
    let before = custom(&[2.0, 4.0, 6.0], 55.0, &[1.0, 2.0, 5.0, 7.0]);
    let split = custom(&[2.0, 3.0, 4.0, 6.0], 56.0, &[1.0, 0.0, 1.0, 5.0, 8.0]);
    assert!(split.is_reset_after(&before));
    let split = custom(&[2.0, 3.0, 4.0, 6.0], 56.0, &[1.0, 1.0, 1.0, 5.0, 8.0]);
    assert!(!split.is_reset_after(&before));
    assert!(!custom(&[5.0, 10.0], 3.0, &[3.0]).is_reset_after(&custom(&[1.0], 3.0, &[3.0])));
    assert!(custom(&[5.0, 10.0], 3.0, &[3.0]).is_reset_after(&exponential(0, 1.0, 1.0, 0, &[])));
}

#[test]
fn hints_decide_about_resets() {
    let more = exponential(0, 2.0, 2.0, 0, &[2.0]);
    let less = exponential(0, 1.0, 1.0, 0, &[1.0]);
    assert!(hinted(more.clone(), ResetHint::Reset).is_reset_after(&less));
    assert!(!hinted(less.clone(), ResetHint::NotReset).is_reset_after(&more));
    assert!(hinted(less, ResetHint::Gauge).is_reset_after(&more));
}

#[test]
fn a_histogram_costs_its_size_in_samples() {
    assert_eq!(Histogram::default().sample_cost(), 11);
    assert_eq!(exponential(0, 1.0, 1.0, 0, &[1.0; 100]).sample_cost(), (176 + 8 + 800) / 16);
}

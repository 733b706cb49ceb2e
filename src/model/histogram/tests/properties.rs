//! Laws that hold for all well-formed histograms. Counts are small integers, so that sums are exact.

use proptest::prelude::*;

use super::*;

fn buckets(first: std::ops::Range<i32>) -> impl Strategy<Value = Buckets> {
    let runs = proptest::collection::vec((0..4_i32, 1..4_usize), 0..4);
    (first, runs, proptest::collection::vec(0..9_u8, 12)).prop_map(|(first, runs, counts)| {
        let mut index = first;
        let mut counts = counts.into_iter();
        let mut pairs = Vec::new();
        for (gap, len) in runs {
            index += gap;
            for count in counts.by_ref().take(len) {
                pairs.push((index, f64::from(count)));
                index += 1;
            }
        }
        pairs.into_iter().collect()
    })
}

fn with_count(mut histogram: Histogram) -> Histogram {
    histogram.count =
        histogram.positive.total() + histogram.zero_count + histogram.negative.total();
    histogram
}

fn exponentials(thresholds: &'static [f64]) -> impl Strategy<Value = Histogram> {
    let scalars = (-1..4_i32, -50..50_i32, proptest::sample::select(thresholds), 0..5_u8);
    (scalars, buckets(-3..6), buckets(-3..6)).prop_map(
        |((schema, sum, zero_threshold, zero), positive, negative)| {
            with_count(Histogram {
                schema,
                sum: f64::from(sum),
                zero_threshold,
                zero_count: f64::from(zero),
                positive,
                negative,
                ..Histogram::default()
            })
        },
    )
}

/// No bucket of the strategy begins below this.
const NARROW: &[f64] = &[0.001];
/// These reach into buckets.
const WIDE: &[f64] = &[0.001, 0.3, 1.0, 1.7];

fn customs() -> impl Strategy<Value = Histogram> {
    let bounds = proptest::sample::subsequence(vec![-4.0, -1.0, 0.0, 1.0, 2.0, 5.0, 9.0], 0..=7);
    (bounds, proptest::collection::vec(0..9_u8, 8), -50..50_i32).prop_map(
        |(bounds, counts, sum)| {
            let counts = counts.into_iter().map(f64::from).take(bounds.len() + 1);
            custom(&bounds, f64::from(sum), &counts.collect::<Vec<f64>>())
        },
    )
}

fn any(thresholds: &'static [f64]) -> impl Strategy<Value = Histogram> {
    prop_oneof![exponentials(thresholds), customs()]
}

fn added(a: &Histogram, b: &Histogram) -> Option<Histogram> {
    let mut sum = a.clone();
    sum.add(b).ok().map(|_| sum)
}

fn total(histogram: &Histogram) -> f64 {
    histogram.buckets().map(|bucket| bucket.count).sum()
}

proptest! {
    #[test]
    fn addition_is_commutative_and_loses_nothing(a in any(WIDE), b in any(WIDE)) {
        let (Some(ab), Some(ba)) = (added(&a, &b), added(&b, &a)) else {
            prop_assert!(a.uses_custom_buckets() != b.uses_custom_buckets());
            return Ok(());
        };
        prop_assert!(ab.equals(&ba), "{ab} {ba}");
        prop_assert_eq!(ab.count, a.count + b.count);
        prop_assert_eq!(total(&ab), ab.count);
    }

    #[test]
    fn subtraction_undoes_addition(a in any(NARROW), b in any(NARROW)) {
        let Some(mut difference) = added(&a, &b) else { return Ok(()) };
        difference.sub(&b).unwrap();
        // In the layout of both.
        let mut nothing = b;
        nothing.scale(0.0);
        prop_assert!(difference.equals(&added(&a, &nothing).unwrap()));
    }

    #[test]
    fn a_coarser_layout_changes_no_count(mut histogram in any(WIDE), by in 0..4_i32) {
        let count = histogram.count;
        prop_assert_eq!(total(&histogram), count);
        let before = histogram.clone();
        histogram.compact();
        prop_assert!(histogram.equals(&before));
        if !histogram.uses_custom_buckets() {
            histogram.reduce_schema(histogram.schema - by).unwrap();
        }
        prop_assert_eq!(total(&histogram), count);
    }

    #[test]
    fn adding_reduces_the_schema_first_or_last(a in exponentials(NARROW), b in exponentials(NARROW)) {
        let schema = a.schema.min(b.schema);
        let (mut low_a, mut low_b) = (a.clone(), b.clone());
        low_a.reduce_schema(schema).unwrap();
        low_b.reduce_schema(schema).unwrap();
        prop_assert!(added(&a, &b).unwrap().equals(&added(&low_a, &low_b).unwrap()));
    }

    #[test]
    fn more_of_everything_is_no_reset(a in any(WIDE), b in any(WIDE)) {
        let Some(sum) = added(&a, &b) else { return Ok(()) };
        prop_assert!(!sum.is_reset_after(&a), "{sum} {a}");
        prop_assert_eq!(a.is_reset_after(&sum), !sum.equals(&a) && a.is_reset_after(&sum));
        prop_assert!(b.count == 0.0 || a.is_reset_after(&sum));
    }

    #[test]
    fn buckets_ascend_without_overlap(histogram in any(NARROW)) {
        let buckets: Vec<Bucket> = histogram.buckets().collect();
        prop_assert!(buckets.iter().all(|bucket| bucket.lower < bucket.upper));
        prop_assert!(buckets.windows(2).all(|pair| pair[0].upper <= pair[1].lower));
    }

    #[test]
    fn quantiles_grow_with_phi(histogram in any(NARROW), a in 0.0..=1.0, b in 0.0..=1.0) {
        prop_assume!(histogram.count > 0.0);
        let [low, high] = [f64::min(a, b), f64::max(a, b)].map(|phi| histogram.quantile(phi).value);
        // From both ends, so up to rounding.
        prop_assert!(low <= high + 1e-9 * high.abs(), "{low} {high}");
    }

    #[test]
    fn fractions_invert_quantiles(histogram in exponentials(NARROW), phi in 0.0..=1.0) {
        prop_assume!(histogram.count > 0.0);
        let value = histogram.quantile(phi).value;
        let fraction = histogram.fraction(f64::NEG_INFINITY, value).value;
        prop_assert!((fraction - phi).abs() < 1e-9, "{phi} {value} {fraction}");
    }

    #[test]
    fn trimming_keeps_the_fraction(histogram in exponentials(NARROW), bound in -20.0..20.0) {
        prop_assume!(histogram.count > 0.0);
        let (below, above) = (histogram.trim_above(bound), histogram.trim_below(bound));
        let fraction = histogram.fraction(f64::NEG_INFINITY, bound).value;
        prop_assert!((below.count - fraction * histogram.count).abs() < 1e-9);
        prop_assert!((below.count + above.count - histogram.count).abs() < 1e-9);
        // What is not cut keeps its sum, which need not fit the buckets here.
        prop_assume!(below.count > 0.0 && above.count > 0.0);
        prop_assert!(below.avg() <= bound);
        prop_assert!(above.avg() >= bound);
    }

    #[test]
    fn sums_do_not_depend_on_the_order(
        all in proptest::collection::vec(exponentials(NARROW), 1..6),
        split in 0..6_usize,
    ) {
        let mut one_by_one = HistogramSum::new(&all[0]);
        let mut plain = all[0].clone();
        for histogram in &all[1..] {
            one_by_one.add(histogram).unwrap();
            plain.add(histogram).unwrap();
        }
        prop_assert!(one_by_one.sum().equals(&plain));
        let mut back = one_by_one.mean();
        back.scale(all.len() as f64);
        prop_assert!((back.count - plain.count).abs() <= 1e-12 * plain.count);
        let split = split.clamp(1, all.len());
        let mut merged = HistogramSum::new(&all[split - 1]);
        all[..split - 1].iter().for_each(|histogram| merged.add(histogram).unwrap());
        if let Some((first, rest)) = all[split..].split_first() {
            let mut other = HistogramSum::new(first);
            rest.iter().for_each(|histogram| other.add(histogram).unwrap());
            merged.merge(&other).unwrap();
        }
        prop_assert!(merged.sum().equals(&plain));
    }
}

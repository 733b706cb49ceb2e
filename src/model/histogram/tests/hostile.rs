//! Histograms that make no sense: whatever the fields hold, every operation ends, within the memory of its operands.

use proptest::prelude::*;

use super::*;

fn number() -> impl Strategy<Value = f64> {
    let special = proptest::sample::select(vec![
        0.0,
        -0.0,
        1.0,
        -3.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        5e-324,
    ]);
    prop_oneof![special, any::<u64>().prop_map(f64::from_bits)]
}

fn buckets() -> impl Strategy<Value = Buckets> {
    let offset = prop_oneof![-3..9_i32, any::<i32>()];
    let len = prop_oneof![0..5_u32, any::<u32>()];
    let span = (offset, len).prop_map(|(offset, len)| Span { offset, len });
    let spans = proptest::collection::vec(span, 0..5);
    let counts = proptest::collection::vec(number(), 0..12);
    (spans, counts).prop_map(|(spans, counts)| Buckets { spans, counts })
}

fn histogram() -> impl Strategy<Value = Histogram> {
    let schema = prop_oneof![Just(CUSTOM_BUCKETS_SCHEMA), -5..9_i32, any::<i32>()];
    let hint =
        proptest::sample::select(vec![ResetHint::Unknown, ResetHint::Reset, ResetHint::Gauge]);
    let scalars = (number(), number(), number(), number());
    let bounds = proptest::collection::vec(number(), 0..6);
    (schema, scalars, buckets(), buckets(), bounds, hint).prop_map(
        |(schema, (count, sum, zero_threshold, zero_count), positive, negative, bounds, hint)| {
            Histogram {
                schema,
                count,
                sum,
                zero_threshold,
                zero_count,
                positive,
                negative,
                custom_bounds: bounds.into(),
                hint,
            }
        },
    )
}

fn size(histogram: &Histogram) -> usize {
    histogram.positive.counts.len() + histogram.negative.counts.len()
}

proptest! {
    #[test]
    fn combinations_end_and_stay_small(a in histogram(), b in histogram()) {
        let size_max = size(&a) + size(&b);
        let mut sum = a.clone();
        let _ = sum.add(&b);
        prop_assert!(size(&sum) <= size_max);
        let mut difference = a.clone();
        let _ = difference.sub(&b);
        prop_assert!(size(&difference) <= size_max);
        let mut many = HistogramSum::new(&a);
        let _ = many.add(&b);
        let _ = many.merge(&HistogramSum::new(&b));
        prop_assert!(size(&many.mean()) <= size_max);
        let _ = a.is_reset_after(&b);
        let _ = a.equals(&b);
        prop_assert!(a.equals(&a));
    }

    #[test]
    fn estimates_end(a in histogram(), x in number(), y in number(), schema: i32) {
        prop_assert!(a.buckets().count() <= size(&a) + 1);
        let _ = (a.to_string(), a.quantile(x), a.fraction(x, y), a.variance(), a.sample_cost());
        let trimmed = (a.trim_above(x), a.trim_below(x));
        prop_assert!(size(&trimmed.0) <= size(&a) && size(&trimmed.1) <= size(&a));
        let mut reduced = a.clone();
        let _ = reduced.reduce_schema(schema);
        reduced.compact();
        prop_assert!(size(&reduced) <= size(&a));
        let mut scaled = a;
        scaled.scale(x);
        scaled.divide(y);
    }

    #[test]
    fn classic_buckets_end(
        buckets in proptest::collection::vec((number(), number()), 0..8),
        count in proptest::option::of(number()),
        sum in proptest::option::of(number()),
    ) {
        let _ = Histogram::from_classic(&buckets, count, sum);
    }
}

//! A range query is its instant queries side by side: random series, a list of expressions, every step compared.

use proptest::prelude::*;

use super::{Fixture, options};
use crate::model::{Labels, STALE_NAN_BITS};
use crate::promql::value::Value;
use crate::read::memory::MemorySource;

const EXPRESSIONS: [&str; 22] = [
    "a",
    "a offset 15s",
    "sum by (i) (a)",
    "avg(a)",
    "stdvar by (j) ({__name__=~'a|b'})",
    "topk by (j) (1, a)",
    "bottomk(2, {__name__=~'a|b'})",
    "quantile(0.7, a)",
    "count_values('v', a)",
    "a + b",
    "a > b",
    "a / on (i, j) b",
    "a and b",
    "a or b",
    "a unless b",
    "a + fill(0) b",
    "sum_over_time(a[40s])",
    "changes(a[1m])",
    "max_over_time(sum by (i) (a)[40s:15s])",
    "absent(a{i='1'})",
    "scalar(a{i='1', j='1'}) + sum(b)",
    "count_over_time((a > 2)[1m:20s])",
];

fn sources() -> impl Strategy<Value = MemorySource> {
    let sample = prop_oneof![
        6 => (0i32..6).prop_map(|value| Some(f64::from(value))),
        1 => Just(Some(f64::NAN)),
        1 => Just(Some(f64::from_bits(STALE_NAN_BITS))),
        2 => Just(None),
    ];
    let series = proptest::collection::vec(sample, 12);
    proptest::collection::vec(series, 8).prop_map(|all| {
        let mut source = MemorySource::new();
        for (index, samples) in all.into_iter().enumerate() {
            let name = ["a", "b"][index / 4];
            let (i, j) = (["1", "2"][index / 2 % 2], ["1", "2"][index % 2]);
            let labels = Labels::from_pairs([("__name__", name), ("i", i), ("j", j)]);
            for (step, value) in samples.into_iter().enumerate() {
                if let Some(value) = value {
                    source.add(&labels, step as i64 * 10_000, value);
                }
            }
        }
        source
    })
}

/// Label set and value at one time, sorted, so that order does not matter.
fn at(value: &Value, time: i64) -> Vec<(Labels, u64)> {
    let mut elements: Vec<(Labels, u64)> = match value {
        Value::Vector(vector) => vector
            .iter()
            .map(|e| (e.labels.clone(), canonical(e.value.float().expect("a float"))))
            .collect(),
        Value::Matrix(matrix) => matrix
            .iter()
            .filter_map(|series| {
                let step = series.points.timestamps.iter().position(|t| *t == time)?;
                Some((series.labels.clone(), canonical(series.points.floats[step])))
            })
            .collect(),
        _ => panic!("neither vector nor matrix"),
    };
    elements.sort();
    elements
}

/// One NaN is as good as another.
fn canonical(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_range_query_is_its_instant_queries(source in sources(), delayed in any::<bool>()) {
        let mut options = options();
        options.lookback_delta_ms = 25_000;
        options.delayed_name_removal = delayed;
        let f = Fixture { source, options };
        for query in EXPRESSIONS {
            let range = f.answer_over([0, 130, 7], query);
            let instants: Vec<_> = (0..=130).step_by(7).map(|t| (t, f.answer_at(t, query))).collect();
            let Ok(range) = range else {
                prop_assert!(instants.iter().any(|(_, answer)| answer.is_err()), "{query}");
                continue;
            };
            for (time, answer) in instants {
                let Ok(answer) = answer else { panic!("{query} fails at {time} only") };
                let (got, want) = (at(&range.value, time * 1000), at(&answer.value, time * 1000));
                prop_assert_eq!(got, want, "{} at {}", query, time);
            }
        }
    }
}

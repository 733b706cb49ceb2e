//! Whatever goes in comes out, bit for bit; whatever else is read is refused or some column, without a panic.

use proptest::prelude::*;

use super::*;
use crate::model::STALE_NAN_BITS;

fn encoded(values: &[f64]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_floats(values, &mut out);
    out
}

fn encoded_timestamps(timestamps: &[Timestamp]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_timestamps(timestamps, &mut out);
    out
}

#[track_caller]
fn assert_round_trip(values: &[f64]) {
    let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    for effort in [Effort::Short, Effort::Quick] {
        let (mut bytes, mut decoded) = (Vec::new(), vec![-1.5]);
        ColumnEncoder::new(effort).floats(values, &mut bytes);
        decode_floats(&bytes, values.len(), &mut decoded).unwrap();
        assert_eq!(bits(&decoded[1..]), bits(values), "{effort:?}");
        assert_eq!(decoded[0], -1.5);
    }
}

#[track_caller]
fn assert_timestamps_round_trip(timestamps: &[Timestamp]) {
    for effort in [Effort::Short, Effort::Quick] {
        let (mut bytes, mut decoded) = (Vec::new(), vec![7]);
        ColumnEncoder::new(effort).timestamps(timestamps, &mut bytes);
        decode_timestamps(&bytes, timestamps.len(), &mut decoded).unwrap();
        assert_eq!((decoded[0], &decoded[1..]), (7, timestamps), "{effort:?}");
    }
}

/// Decodes any bytes as both kinds of column.
fn decode_both(bytes: &[u8], count: usize) {
    let mut values = Vec::new();
    let result = decode_floats(bytes, count, &mut values);
    assert_eq!(values.len(), if result.is_ok() { count } else { 0 });
    let mut timestamps = Vec::new();
    let result = decode_timestamps(bytes, count, &mut timestamps);
    assert_eq!(timestamps.len(), if result.is_ok() { count } else { 0 });
    assert!(values.capacity().max(timestamps.capacity()) <= COLUMN_VALUES_MAX);
}

/// Floats that codecs stumble over.
fn nasty() -> impl Strategy<Value = f64> {
    let special = prop::sample::select(vec![
        0.0,
        -0.0,
        f64::NAN,
        -f64::NAN,
        f64::from_bits(STALE_NAN_BITS),
        f64::from_bits(0x7ff8_dead_beef_0001),
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MIN_POSITIVE,
        f64::MAX,
        f64::MIN,
        5e-324,
        0.1,
        1e-9,
        9_007_199_254_740_993.0,
        1.8e19,
        -9_223_372_036_854_775_808.0,
        4_503_599_627_370_496.0,
        -4_503_599_627_370_497.0,
    ]);
    prop_oneof![3 => special, 1 => any::<u64>().prop_map(f64::from_bits)]
}

/// How the values of a series follow each other.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Constant,
    Counter,
    Steps,
    Gauge,
    Noise,
}

/// A series of numbers of one scale, with nasty ones strewn in.
fn series() -> impl Strategy<Value = Vec<f64>> {
    let shape = prop::sample::select(vec![
        Shape::Constant,
        Shape::Counter,
        Shape::Steps,
        Shape::Gauge,
        Shape::Noise,
    ]);
    let scale =
        prop::sample::select(vec![1.0, 10.0, 100.0, 1e3, 1e6, 1e9, 3.0, 1e-3, 1.0 / 4096.0]);
    let steps = prop::collection::vec(any::<u32>(), 1..600);
    let odd = prop::collection::vec((any::<prop::sample::Index>(), nasty()), 0..4);
    (shape, scale, 1u32..32, steps, odd).prop_map(|(shape, scale, bits, steps, odd)| {
        let mut integer = 1_000i64;
        let mut values: Vec<f64> = steps
            .iter()
            .map(|step| {
                let step_size = i64::from(step >> (32 - bits));
                match shape {
                    Shape::Constant => {}
                    Shape::Counter if step % 101 == 0 => integer = 0,
                    Shape::Counter => integer += step_size,
                    Shape::Steps if step % 23 == 0 => integer += step_size,
                    Shape::Steps => {}
                    Shape::Gauge => integer += step_size - (1 << (bits - 1)),
                    Shape::Noise => integer = step_size,
                }
                integer as f64 / scale
            })
            .collect();
        for (index, value) in odd {
            let index = index.index(values.len());
            values[index] = value;
        }
        values
    })
}

proptest! {
    #[test]
    fn any_bits_round_trip(values in prop::collection::vec(any::<u64>().prop_map(f64::from_bits), 1..300)) {
        assert_round_trip(&values);
    }

    #[test]
    fn nasty_values_round_trip(values in prop::collection::vec(nasty(), 1..300)) {
        assert_round_trip(&values);
    }

    #[test]
    fn series_round_trip(values in series()) {
        assert_round_trip(&values);
    }

    #[test]
    fn any_timestamps_round_trip(timestamps in prop::collection::vec(any::<i64>(), 1..300)) {
        assert_timestamps_round_trip(&timestamps);
    }

    #[test]
    fn scrapes_round_trip(start in 0i64..1 << 42, interval in 1i64..100_000, jitters in prop::collection::vec(0i64..20, 1..600)) {
        let timestamps: Vec<i64> = jitters.iter().enumerate()
            .map(|(i, jitter)| start + i as i64 * interval + jitter.saturating_sub(15))
            .collect();
        assert_timestamps_round_trip(&timestamps);
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), count in 0usize..5000) {
        decode_both(&bytes, count);
    }

    #[test]
    fn changed_columns_are_decoded_or_refused(
        values in series(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        count in 0usize..5000,
    ) {
        let mut bytes = encoded(&values);
        for (index, byte) in changes {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        decode_both(&bytes, values.len());
        decode_both(&bytes, count);
    }

    #[test]
    fn a_column_is_all_of_its_bytes(values in series()) {
        let mut bytes = encoded(&values);
        bytes.push(0);
        prop_assert!(decode_floats(&bytes, values.len(), &mut Vec::new()).is_err());
        bytes.truncate(bytes.len() - 2);
        prop_assert!(decode_floats(&bytes, values.len(), &mut Vec::new()).is_err());
    }

    #[test]
    fn an_encoder_that_was_used_before_writes_the_same(first in series(), second in series()) {
        let mut encoder = ColumnEncoder::default();
        let mut out = Vec::new();
        encoder.floats(&first, &mut out);
        let len = out.len();
        encoder.floats(&second, &mut out);
        prop_assert_eq!(&out[len..], &encoded(&second)[..]);
    }
}

/// Lengths around those of frames and of the pieces in which they are unpacked.
const COUNTS: [usize; 14] =
    [1, 2, 3, 63, 64, 65, 127, 128, 129, 130, 1024, 1025, 4095, COLUMN_VALUES_MAX];

#[test]
fn columns_of_every_length_around_a_frame_round_trip() {
    for count in COUNTS {
        let column = |value: fn(usize) -> f64| (0..count).map(value).collect::<Vec<_>>();
        assert_round_trip(&column(|_| 3.0));
        assert_round_trip(&column(|_| std::f64::consts::PI));
        assert_round_trip(&column(|i| i as f64 * 15.0));
        assert_round_trip(&column(|i| (i * i) as f64 / 100.0));
        assert_round_trip(&column(|i| (i / 50) as f64));
        assert_round_trip(&column(|i| if i % 64 == 63 { f64::NAN } else { i as f64 / 10.0 }));
        assert_round_trip(&column(|i| (i as f64).sqrt()));
        assert_round_trip(&column(|i| {
            f64::from_bits((i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
        }));
        assert_timestamps_round_trip(&(0..count as i64).map(|i| i * 15_000).collect::<Vec<_>>());
        assert_timestamps_round_trip(&(0..count as i64).map(|i| i << 60).collect::<Vec<_>>());
    }
}

#[test]
fn a_column_of_no_values_or_too_many_is_refused() {
    let bytes = encoded(&[1.0]);
    for count in [0, 2 * COLUMN_VALUES_MAX, usize::MAX] {
        assert!(decode_floats(&bytes, count, &mut Vec::new()).is_err());
        assert!(decode_timestamps(&bytes, count, &mut Vec::new()).is_err());
    }
}

#[test]
fn a_staleness_marker_costs_a_few_bytes_and_keeps_the_codec() {
    let stale = f64::from_bits(STALE_NAN_BITS);
    for step in [0, 1, 150] {
        let mut values: Vec<f64> = (0..480).map(|i| f64::from(1000 + i * step) / 10.0).collect();
        let without = encoded(&values).len();
        *values.last_mut().unwrap() = stale;
        assert!(encoded(&values).len() <= without + 9, "step {step}");
        values.push(stale);
        values.push(7.0);
        assert_round_trip(&values);
    }
}

#[test]
fn steady_series_cost_next_to_nothing() {
    let counter: Vec<f64> = (0..COLUMN_VALUES_MAX).map(|i| 5e6 + i as f64 * 150.0).collect();
    assert!(encoded(&counter).len() <= 12);
    let constant = vec![1.0; COLUMN_VALUES_MAX];
    assert_eq!(encoded(&constant).len(), 2);
    let timestamps: Vec<i64> = (0..480).map(|i| 1_700_000_000_000 + i * 15_000).collect();
    assert!(encoded_timestamps(&timestamps).len() <= 14);
}

#[test]
fn a_few_changes_cost_only_themselves() {
    let steps: Vec<f64> = (0..4000).map(|i| f64::from(i / 500 * 3)).collect();
    assert!(encoded(&steps).len() <= 40);
    let silence: Vec<f64> =
        (0..4000).map(|i| if i % 500 < 20 { 0.000_123_456 } else { f64::NAN }).collect();
    assert!(encoded(&silence).len() <= 70);
}

//! Any bytes as a column of any number of values or timestamps: decoded or refused, without a panic and without more memory
//! than values. What is decoded is encoded again and comes back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use silverback::encoding::column::{
    COLUMN_VALUES_MAX, decode_floats, decode_timestamps, encode_floats, encode_timestamps,
};

fuzz_target!(|input: (u16, &[u8])| {
    let (count, bytes) = (usize::from(input.0), input.1);
    let (mut values, mut again, mut column) = (Vec::new(), Vec::new(), Vec::new());
    if decode_floats(bytes, count, &mut values).is_ok() {
        assert_eq!(values.len(), count);
        encode_floats(&values, &mut column);
        decode_floats(&column, count, &mut again).expect("an encoded column decodes");
        assert!(values.iter().zip(&again).all(|(a, b)| a.to_bits() == b.to_bits()));
    }
    let (mut timestamps, mut again, mut column) = (Vec::new(), Vec::new(), Vec::new());
    if decode_timestamps(bytes, count, &mut timestamps).is_ok() {
        assert_eq!(timestamps.len(), count);
        encode_timestamps(&timestamps, &mut column);
        decode_timestamps(&column, count, &mut again).expect("an encoded column decodes");
        assert_eq!(timestamps, again);
    }
    assert!(values.capacity().max(timestamps.capacity()) <= COLUMN_VALUES_MAX);
});

//! Any bytes as a chunk of any number of samples: decoded or refused, without a panic and without more memory than samples.

#![no_main]

use libfuzzer_sys::fuzz_target;
use silverback::encoding::chunk::decode_into;

fuzz_target!(|input: (u8, &[u8])| {
    let (count, bytes) = input;
    let (mut timestamps, mut values) = (Vec::new(), Vec::new());
    if decode_into(bytes, usize::from(count), &mut timestamps, &mut values).is_ok() {
        assert_eq!(timestamps.len(), usize::from(count));
        assert_eq!(values.len(), usize::from(count));
    }
});

//! Any body decompresses and decodes or is refused, without a panic; what decodes has keys and samples within its bounds.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use silverback::ingest::remote_write_v1;
use silverback::ingest::snappy::Buffers;

fuzz_target!(|bytes: &[u8]| {
    let body = Buffers::default()
        .decompress(bytes, 1 << 20)
        .unwrap_or_else(|_| Bytes::copy_from_slice(bytes));
    if let Ok(batch) = remote_write_v1::decode(body) {
        for item in &batch.items {
            assert!(!batch.samples_of(item).is_empty());
            if let Ok(labels) = (batch.decode_labels)(batch.key(item)) {
                assert!(!labels.metric_name().is_empty());
            }
        }
    }
});

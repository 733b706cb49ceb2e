//! Remote write 1.0 bodies, written here independently of the server's own decoder.

/// A series of a request: sorted labels and its samples.
pub struct Series {
    pub labels: Vec<(String, String)>,
    pub samples: Vec<(i64, f64)>,
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn field(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    varint(out, number << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A `prometheus.WriteRequest`, compressed.
pub fn body(series: &[Series]) -> Vec<u8> {
    let mut request = Vec::new();
    for one in series {
        let mut message = Vec::new();
        for (name, value) in &one.labels {
            let mut label = Vec::new();
            field(&mut label, 1, name.as_bytes());
            field(&mut label, 2, value.as_bytes());
            field(&mut message, 1, &label);
        }
        for (timestamp, value) in &one.samples {
            let mut sample = vec![0x09];
            sample.extend_from_slice(&value.to_le_bytes());
            sample.push(0x10);
            varint(&mut sample, *timestamp as u64);
            field(&mut message, 2, &sample);
        }
        field(&mut request, 1, &message);
    }
    match snap::raw::Encoder::new().compress_vec(&request) {
        Ok(packed) => packed,
        Err(error) => unreachable!("a request is far below snappy's limit: {error}"),
    }
}

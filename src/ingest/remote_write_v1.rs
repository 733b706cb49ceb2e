//! Remote write 1.0: `prometheus.WriteRequest` to a [`Batch`], in one pass over the body and without allocation per label or
//! sample. The raw key of a series is the run of its label fields as sent, so that a known series is found by hashing
//! that run. Metadata and exemplars are passed over; native histograms are counted as rejected.
//!
//! Fields (prompb): WriteRequest { timeseries = 1, metadata = 3 }, TimeSeries { labels = 1, samples = 2,
//! exemplars = 3, histograms = 4 }, Label { name = 1, value = 2 }, Sample { value = 1 double, timestamp = 2 int64 }.

use std::fmt;

use bytes::Bytes;

use super::proto::{self, WireType};
use super::series_labels::checked_labels;
use crate::encoding::cursor::Cursor;
use crate::error::Corrupt;
use crate::model::batch::Offender;
use crate::model::{Batch, Item, Labels, Outcome, Reason, Sample};

/// Samples of one request: a stock sender sends 2,000, one that catches up in large requests some 100,000. A sample is two
/// bytes at least in the body and about 80 in memory, so the size of the body alone bounds nothing.
pub const SAMPLES_MAX: usize = 500_000;
/// Series of one request. A stock sender sends at most as many as samples; creating so many takes a tenth of a second.
pub const SERIES_MAX: usize = 100_000;

/// The request cannot be decoded; nothing of it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecodeError {
    /// The body is not a `prometheus.WriteRequest`.
    Malformed(Corrupt),
    /// More samples than one request may carry.
    TooManySamples,
    /// More series than one request may carry.
    TooManySeries,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Malformed(corrupt) => {
                write!(f, "the body is not a prometheus.WriteRequest: {corrupt}")
            }
            DecodeError::TooManySamples => {
                write!(f, "the request has more than {SAMPLES_MAX} samples; send smaller requests")
            }
            DecodeError::TooManySeries => {
                write!(f, "the request has more than {SERIES_MAX} series; send smaller requests")
            }
        }
    }
}

impl std::error::Error for DecodeError {}

impl From<Corrupt> for DecodeError {
    fn from(corrupt: Corrupt) -> DecodeError {
        DecodeError::Malformed(corrupt)
    }
}

/// Decodes an uncompressed body. Labels are not looked at: [`Batch::decode_labels`] does that where needed.
///
/// # Errors
/// The body is not well-formed protobuf of this shape, or has too many samples or series.
pub fn decode(body: Bytes) -> Result<Batch, DecodeError> {
    let mut decoder = Decoder::default();
    let mut cursor = Cursor::new(&body);
    while !cursor.is_empty() {
        match proto::key(&mut cursor)? {
            (1, WireType::Bytes) => {
                let len = cursor.length("time series length")?;
                let start = cursor.position();
                decoder.series(&body, start, cursor.bytes(len, "time series")?)?;
            }
            (_, wire) => proto::skip(&mut cursor, wire)?,
        }
    }
    Ok(decoder.finish(body))
}

/// What one pass collects.
#[derive(Default)]
struct Decoder {
    items: Vec<Item>,
    samples: Vec<Sample>,
    /// Keys whose label fields did not stand together in the body; they are put behind it.
    scattered_keys: Vec<u8>,
    rejected: Outcome,
}

/// Where the label fields of one series lie in its message.
#[derive(Default)]
struct LabelRun {
    start: usize,
    end: usize,
    scattered: bool,
}

impl LabelRun {
    fn add(&mut self, field_start: usize, field_end: usize) {
        if self.end == 0 {
            self.start = field_start;
        } else if self.end != field_start {
            self.scattered = true;
        }
        self.end = field_end;
    }
}

impl Decoder {
    fn series(&mut self, body: &[u8], base: usize, message: &[u8]) -> Result<(), DecodeError> {
        let mut cursor = Cursor::new(message);
        let mut labels = LabelRun::default();
        let sample_start = self.samples.len();
        let mut histograms = 0;
        while !cursor.is_empty() {
            let field_start = cursor.position();
            match proto::key(&mut cursor)? {
                (1, WireType::Bytes) => {
                    proto::delimited(&mut cursor)?;
                    labels.add(field_start, cursor.position());
                }
                (2, WireType::Bytes) => {
                    let sample = decode_sample(proto::delimited(&mut cursor)?)?;
                    if self.samples.len() == SAMPLES_MAX {
                        return Err(DecodeError::TooManySamples);
                    }
                    self.samples.push(sample);
                }
                (4, WireType::Bytes) => {
                    proto::delimited(&mut cursor)?;
                    histograms += 1;
                }
                (_, wire) => proto::skip(&mut cursor, wire)?,
            }
        }
        if histograms > 0 {
            self.reject_histograms(message, histograms);
        }
        if self.samples.len() > sample_start {
            if self.items.len() == SERIES_MAX {
                return Err(DecodeError::TooManySeries);
            }
            let (key_offset, key_len) = self.key(body, base, message, &labels)?;
            let sample_count = (self.samples.len() - sample_start) as u32;
            let sample_start = sample_start as u32;
            self.items.push(Item { key_offset, key_len, sample_start, sample_count });
        }
        Ok(())
    }

    /// Offset and length of a series' key in the body as [`Decoder::finish`] leaves it.
    fn key(
        &mut self,
        body: &[u8],
        base: usize,
        message: &[u8],
        labels: &LabelRun,
    ) -> Result<(u32, u32), Corrupt> {
        if !labels.scattered {
            return Ok(((base + labels.start) as u32, (labels.end - labels.start) as u32));
        }
        let start = self.scattered_keys.len();
        for_each_label_field(message, |field, _| self.scattered_keys.extend_from_slice(field))?;
        Ok(((body.len() + start) as u32, (self.scattered_keys.len() - start) as u32))
    }

    fn reject_histograms(&mut self, message: &[u8], count: u64) {
        self.rejected.reject(Reason::Unsupported, count, || Offender {
            reason: Reason::Unsupported,
            series: decode_labels(message).map_or_else(|e| e, |labels| labels.to_string()),
            timestamp: None,
            detail: "native histograms are not stored by this version".to_string(),
        });
    }

    fn finish(self, body: Bytes) -> Batch {
        let body = if self.scattered_keys.is_empty() {
            body
        } else {
            Bytes::from([&body[..], &self.scattered_keys[..]].concat())
        };
        Batch {
            body,
            items: self.items,
            samples: self.samples,
            decode_labels,
            rejected: self.rejected,
        }
    }
}

#[inline]
fn decode_sample(message: &[u8]) -> Result<Sample, Corrupt> {
    let mut cursor = Cursor::new(message);
    let mut sample = Sample::new(0, 0.0);
    while !cursor.is_empty() {
        match proto::key(&mut cursor)? {
            (1, WireType::Fixed64) => sample.value = f64::from_bits(cursor.u64("sample value")?),
            (2, WireType::Varint) => sample.timestamp = cursor.varint("sample timestamp")? as i64,
            (_, wire) => proto::skip(&mut cursor, wire)?,
        }
    }
    Ok(sample)
}

/// Calls `each` with the whole field and the message of every label of a `TimeSeries`.
fn for_each_label_field<'a>(
    series: &'a [u8],
    mut each: impl FnMut(&'a [u8], &'a [u8]),
) -> Result<(), Corrupt> {
    let mut cursor = Cursor::new(series);
    while !cursor.is_empty() {
        let start = cursor.position();
        match proto::key(&mut cursor)? {
            (1, WireType::Bytes) => {
                let label = proto::delimited(&mut cursor)?;
                each(&series[start..cursor.position()], label);
            }
            (_, wire) => proto::skip(&mut cursor, wire)?,
        }
    }
    Ok(())
}

/// The labels in a run of label fields.
///
/// # Errors
/// What is wrong with them: see [`checked_labels`].
pub fn decode_labels(key: &[u8]) -> Result<Labels, String> {
    let mut messages = Vec::new();
    for_each_label_field(key, |_, label| messages.push(label)).map_err(|e| e.to_string())?;
    let pairs: Result<Vec<_>, String> = messages.into_iter().map(decode_label).collect();
    checked_labels(pairs?)
}

fn decode_label(message: &[u8]) -> Result<(&str, &str), String> {
    let mut cursor = Cursor::new(message);
    let (mut name, mut value): (&[u8], &[u8]) = (b"", b"");
    while !cursor.is_empty() {
        match proto::key(&mut cursor).map_err(|e| e.to_string())? {
            (1, WireType::Bytes) => {
                name = proto::delimited(&mut cursor).map_err(|e| e.to_string())?;
            }
            (2, WireType::Bytes) => {
                value = proto::delimited(&mut cursor).map_err(|e| e.to_string())?;
            }
            (_, wire) => proto::skip(&mut cursor, wire).map_err(|e| e.to_string())?,
        }
    }
    let text = |bytes, what| {
        std::str::from_utf8(bytes)
            .map_err(|_| format!("{what} {:?} is not UTF-8", String::from_utf8_lossy(bytes)))
    };
    Ok((text(name, "label name")?, text(value, "label value")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::cursor::put_varint;
    use proptest::prelude::*;

    fn field(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
        put_varint(out, number << 3 | 2);
        put_varint(out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    }

    fn label(name: &str, value: &str) -> Vec<u8> {
        let mut out = Vec::new();
        field(&mut out, 1, name.as_bytes());
        field(&mut out, 2, value.as_bytes());
        out
    }

    fn sample(timestamp: i64, value: f64) -> Vec<u8> {
        let mut out = vec![0x09];
        out.extend_from_slice(&value.to_le_bytes());
        out.push(0x10);
        put_varint(&mut out, timestamp as u64);
        out
    }

    fn request(series: &[&[(u64, Vec<u8>)]]) -> Bytes {
        let mut out = Vec::new();
        for fields in series {
            let mut message = Vec::new();
            fields.iter().for_each(|(number, bytes)| field(&mut message, *number, bytes));
            field(&mut out, 1, &message);
        }
        Bytes::from(out)
    }

    fn stored(batch: &Batch) -> Vec<(String, Vec<(i64, u64)>)> {
        let item = |item: &Item| {
            let labels = decode_labels(batch.key(item)).map_or_else(|e| e, |l| l.to_string());
            let samples = batch.samples_of(item);
            (labels, samples.iter().map(|s| (s.timestamp, s.value.to_bits())).collect())
        };
        batch.items.iter().map(item).collect()
    }

    #[test]
    fn series_and_samples_come_out() {
        let body = request(&[
            &[(1, label("__name__", "up")), (1, label("job", "a")), (2, sample(-5, -0.0))],
            &[(2, sample(1, 1.0)), (1, label("__name__", "x")), (2, sample(2, 2.0))],
        ]);
        let batch = decode(body).unwrap();
        assert_eq!(
            stored(&batch),
            [
                ("up{job=\"a\"}".to_string(), vec![(-5, (-0.0f64).to_bits())]),
                ("x".to_string(), vec![(1, 1.0f64.to_bits()), (2, 2.0f64.to_bits())]),
            ]
        );
    }

    #[test]
    fn scattered_labels_make_the_same_key() {
        let together: &[(u64, Vec<u8>)] =
            &[(1, label("__name__", "up")), (1, label("job", "a")), (2, sample(1, 1.0))];
        let apart: &[(u64, Vec<u8>)] =
            &[(1, label("__name__", "up")), (2, sample(1, 1.0)), (1, label("job", "a"))];
        let batch = decode(request(&[apart, together])).unwrap();
        assert_eq!(batch.key(&batch.items[0]), batch.key(&batch.items[1]));
        assert_eq!(stored(&batch)[0], stored(&batch)[1]);
    }

    #[test]
    fn metadata_and_exemplars_are_passed_over_and_histograms_counted() {
        let mut out = request(&[&[
            (1, label("__name__", "h")),
            (3, b"".to_vec()),
            (4, b"".to_vec()),
            (4, b"".to_vec()),
        ]])
        .to_vec();
        field(&mut out, 3, b"\x08\x01");
        let batch = decode(Bytes::from(out)).unwrap();
        assert!(batch.items.is_empty());
        assert_eq!(batch.rejected.rejected[Reason::Unsupported as usize], 2);
        assert_eq!(batch.rejected.first_offender.unwrap().series, "h");
    }

    #[test]
    fn samples_over_the_limit_are_refused_where_they_stand() {
        // What follows is no protobuf: a decoder that went on would say so.
        let message = [[0x12, 0x00].repeat(SAMPLES_MAX + 1), vec![0xff]].concat();
        let mut body = Vec::new();
        field(&mut body, 1, &message);
        assert_eq!(decode(Bytes::from(body)).err(), Some(DecodeError::TooManySamples));
    }

    #[test]
    fn series_over_the_limit_are_refused() {
        let one: &[(u64, Vec<u8>)] = &[(1, label("__name__", "up")), (2, sample(1, 1.0))];
        assert_eq!(decode(request(&vec![one; SERIES_MAX])).unwrap().items.len(), SERIES_MAX);
        let error = decode(request(&vec![one; SERIES_MAX + 1])).err();
        assert_eq!(error, Some(DecodeError::TooManySeries));
    }

    #[test]
    fn bad_labels_are_told() {
        let bad =
            |fields: &[(u64, Vec<u8>)]| stored(&decode(request(&[fields])).unwrap())[0].0.clone();
        assert_eq!(bad(&[(2, sample(1, 1.0))]), "the metric name is missing");
        let mut not_utf8 = label("__name__", "up");
        *not_utf8.last_mut().unwrap() = 0xff;
        assert!(bad(&[(1, not_utf8), (2, sample(1, 1.0))]).contains("not UTF-8"));
    }

    proptest! {
        #[test]
        fn any_body_decodes_or_is_refused(bytes: Vec<u8>) {
            if let Ok(batch) = decode(Bytes::from(bytes)) {
                stored(&batch);
            }
        }

        #[test]
        fn a_truncated_body_is_never_more_than_the_whole(cut in 0usize..80) {
            let body = request(&[&[(1, label("__name__", "up")), (2, sample(1, 1.0)), (2, sample(2, 2.0))]]);
            if let Ok(batch) = decode(body.slice(..cut.min(body.len() - 1))) {
                prop_assert!(batch.items.is_empty());
            }
        }
    }
}

//! JSON of the API: numbers, timestamps, strings and label sets exactly as Prometheus writes them, and the envelope around
//! every answer. Written straight from the result into chunks of a bounded total, without a tree of values between.
//! Called by the handlers; knows nothing of HTTP but the body type.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::model::histogram::Bucket;
use crate::model::{Histogram, Labels, Timestamp};
use crate::sync::{Arc, AtomicBool, Ordering};

/// Size of the pieces an answer is built and sent in: compression and the executor handle one at a time.
const CHUNK_BYTES: usize = 64 << 10;
/// Below this (and not zero) and from [`EXPONENT_FROM`] on, numbers are written with an exponent.
const EXPONENT_BELOW: f64 = 1e-6;
const EXPONENT_FROM: f64 = 1e21;
/// Warnings, and infos, of one answer: the rest is counted, as in Prometheus.
const ANNOTATIONS_MAX: usize = 10;

/// Why an answer is not written to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteError {
    TooLarge {
        limit_bytes: usize,
    },
    /// Nobody waits for it any more.
    Canceled,
}

/// Collects the text of one answer.
pub struct JsonWriter {
    chunks: VecDeque<Bytes>,
    current: Vec<u8>,
    full_bytes: usize,
    limit_bytes: usize,
    /// Set by whoever no longer wants the answer.
    canceled: Option<Arc<AtomicBool>>,
    number: String,
}

impl JsonWriter {
    pub fn new(limit_bytes: usize) -> JsonWriter {
        JsonWriter {
            chunks: VecDeque::new(),
            current: Vec::new(),
            full_bytes: 0,
            limit_bytes,
            canceled: None,
            number: String::new(),
        }
    }

    /// Stops at the next [`JsonWriter::check`] once the flag is set.
    pub fn until(mut self, canceled: &Arc<AtomicBool>) -> JsonWriter {
        self.canceled = Some(canceled.clone());
        self
    }

    /// Text that is JSON already.
    pub fn raw(&mut self, text: &str) {
        self.current.extend_from_slice(text.as_bytes());
    }

    /// A comma, except before the first element.
    pub fn separator(&mut self, index: usize) {
        if index > 0 {
            self.current.push(b',');
        }
    }

    pub fn string(&mut self, text: &str) {
        put_string(&mut self.current, text);
    }

    /// `[timestamp,"value"]`
    pub fn point(&mut self, timestamp: Timestamp, value: f64) {
        self.current.push(b'[');
        put_timestamp(&mut self.number, timestamp);
        self.raw_number();
        self.current.push(b',');
        self.value(value);
        self.current.push(b']');
    }

    /// `[timestamp,{"count":...}]`
    pub fn histogram_point(&mut self, timestamp: Timestamp, histogram: &Histogram) {
        self.raw("[");
        self.timestamp(timestamp);
        self.raw(",");
        self.histogram(histogram);
        self.raw("]");
    }

    /// Count, sum and the buckets that are not empty, as an object.
    pub fn histogram(&mut self, histogram: &Histogram) {
        self.raw("{\"count\":");
        self.value(histogram.count);
        self.raw(",\"sum\":");
        self.value(histogram.sum);
        let populated = histogram.buckets().filter(|bucket| bucket.count != 0.0);
        let mut any = false;
        for (index, bucket) in populated.enumerate() {
            self.raw(if index == 0 { ",\"buckets\":[" } else { "," });
            self.bucket(&bucket);
            any = true;
        }
        self.raw(if any { "]}" } else { "}" });
    }

    /// `[boundary rule,"lower","upper","count"]`, the rule being which bounds belong to the bucket.
    fn bucket(&mut self, bucket: &Bucket) {
        self.raw(match (bucket.lower_inclusive, bucket.upper_inclusive) {
            (false, true) => "[0",
            (true, false) => "[1",
            (false, false) => "[2",
            (true, true) => "[3",
        });
        for number in [bucket.lower, bucket.upper, bucket.count] {
            self.raw(",");
            self.value(number);
        }
        self.raw("]");
    }

    /// A number as a string.
    fn value(&mut self, value: f64) {
        self.current.push(b'"');
        put_value(&mut self.number, value);
        self.raw_number();
        self.current.push(b'"');
    }

    /// A point in time in seconds.
    pub fn timestamp(&mut self, timestamp: Timestamp) {
        put_timestamp(&mut self.number, timestamp);
        self.raw_number();
    }

    fn raw_number(&mut self) {
        self.current.extend_from_slice(self.number.as_bytes());
        self.number.clear();
    }

    /// A label set as an object, in its order.
    pub fn labels(&mut self, labels: &Labels) {
        self.current.push(b'{');
        for (index, (name, value)) in labels.iter().enumerate() {
            self.separator(index);
            self.string(name);
            self.current.push(b':');
            self.string(value);
        }
        self.current.push(b'}');
    }

    pub fn strings<'a>(&mut self, items: impl Iterator<Item = &'a str>) -> Result<(), WriteError> {
        self.current.push(b'[');
        for (index, item) in items.enumerate() {
            self.separator(index);
            self.string(item);
            self.check()?;
        }
        self.current.push(b']');
        Ok(())
    }

    /// To be called between the elements of anything long: closes a full chunk.
    ///
    /// # Errors
    /// The answer is over its limit, or nobody waits for it any more.
    pub fn check(&mut self) -> Result<(), WriteError> {
        if self.full_bytes + self.current.len() > self.limit_bytes {
            return Err(WriteError::TooLarge { limit_bytes: self.limit_bytes });
        }
        if self.canceled.as_ref().is_some_and(|canceled| canceled.load(Ordering::Relaxed)) {
            return Err(WriteError::Canceled);
        }
        if self.current.len() >= CHUNK_BYTES {
            self.close_chunk();
        }
        Ok(())
    }

    fn close_chunk(&mut self) {
        self.full_bytes += self.current.len();
        let mut rest = Bytes::from(std::mem::take(&mut self.current));
        while rest.len() > CHUNK_BYTES {
            self.chunks.push_back(rest.split_to(CHUNK_BYTES));
        }
        self.chunks.push_back(rest);
    }

    /// `{"status":"success","data":`; [`JsonWriter::end_success`] closes it.
    pub fn begin_success(&mut self) {
        self.raw("{\"status\":\"success\",\"data\":");
    }

    /// # Errors
    /// The answer is over its limit.
    pub fn end_success(
        mut self,
        warnings: &[String],
        infos: &[String],
    ) -> Result<JsonBody, WriteError> {
        self.annotations("warnings", "warning", warnings);
        self.annotations("infos", "info", infos);
        self.raw("}");
        self.check()?;
        self.close_chunk();
        Ok(JsonBody { remaining_bytes: self.full_bytes as u64, chunks: self.chunks })
    }

    fn annotations(&mut self, key: &str, kind: &str, all: &[String]) {
        if all.is_empty() {
            return;
        }
        self.raw(",\"");
        self.raw(key);
        self.raw("\":[");
        for (index, text) in all.iter().take(ANNOTATIONS_MAX).enumerate() {
            self.separator(index);
            self.string(text);
        }
        if all.len() > ANNOTATIONS_MAX {
            let omitted = all.len() - ANNOTATIONS_MAX;
            self.raw(",");
            self.string(&format!("{omitted} more {kind} annotations omitted"));
        }
        self.raw("]");
    }
}

/// A finished answer: its chunks in order.
#[derive(Debug)]
pub struct JsonBody {
    chunks: VecDeque<Bytes>,
    remaining_bytes: u64,
}

impl Body for JsonBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = self.chunks.pop_front();
        if let Some(chunk) = &chunk {
            self.remaining_bytes -= chunk.len() as u64;
        }
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.chunks.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining_bytes)
    }
}

/// The shortest decimal that reads back as the same bits; `NaN`, `+Inf`, `-Inf`.
pub fn put_value(out: &mut String, value: f64) {
    if value.is_nan() {
        out.push_str("NaN");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    } else if value != 0.0 && (value.abs() < EXPONENT_BELOW || value.abs() >= EXPONENT_FROM) {
        put_with_exponent(out, value);
    } else {
        // Writing to a string cannot fail.
        let _ = write!(out, "{value}");
    }
}

/// `1.5e-07`: a sign and at least two digits in the exponent, as C and Go write it.
fn put_with_exponent(out: &mut String, value: f64) {
    let start = out.len();
    let _ = write!(out, "{value:e}");
    let Some(exponent_index) = out[start..].find('e').map(|index| start + index + 1) else {
        return;
    };
    let exponent = out.split_off(exponent_index);
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent.as_str()),
    };
    let _ = write!(out, "{sign}{digits:0>2}");
}

/// Seconds, with three decimals unless they are zero.
pub fn put_timestamp(out: &mut String, timestamp: Timestamp) {
    if timestamp < 0 {
        out.push('-');
    }
    let ms = timestamp.unsigned_abs();
    let _ = write!(out, "{}", ms / 1000);
    if !ms.is_multiple_of(1000) {
        let _ = write!(out, ".{:03}", ms % 1000);
    }
}

/// A JSON string; `<`, `>` and `&` escaped too, so that the answer is harmless inside HTML.
pub fn put_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut copied = 0;
    for (index, c) in text.char_indices() {
        let escape: &[u8] = match c {
            '"' => b"\\\"",
            '\\' => b"\\\\",
            '\n' => b"\\n",
            '\r' => b"\\r",
            '\t' => b"\\t",
            '<' => b"\\u003c",
            '>' => b"\\u003e",
            '&' => b"\\u0026",
            '\u{2028}' => b"\\u2028",
            '\u{2029}' => b"\\u2029",
            c if c < ' ' => b"",
            _ => continue,
        };
        out.extend_from_slice(&text.as_bytes()[copied..index]);
        if escape.is_empty() {
            out.extend_from_slice(format!("\\u{:04x}", c as u32).as_bytes());
        } else {
            out.extend_from_slice(escape);
        }
        copied = index + c.len_utf8();
    }
    out.extend_from_slice(&text.as_bytes()[copied..]);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::histogram::{Buckets, CUSTOM_BUCKETS_SCHEMA};
    use proptest::prelude::*;

    fn value(v: f64) -> String {
        let mut out = String::new();
        put_value(&mut out, v);
        out
    }

    fn timestamp(t: i64) -> String {
        let mut out = String::new();
        put_timestamp(&mut out, t);
        out
    }

    fn string(text: &str) -> String {
        let mut out = Vec::new();
        put_string(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    fn text(body: JsonBody) -> String {
        String::from_utf8(body.chunks.iter().flat_map(|c| c.to_vec()).collect()).unwrap()
    }

    #[test]
    fn values_are_written_as_prometheus_writes_them() {
        let cases = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (0.1 + 0.2, "0.30000000000000004"),
            (123456789012345680000.0, "123456789012345680000"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-1.5e300, "-1.5e+300"),
            (1e-6, "0.000001"),
            (9.5e-7, "9.5e-07"),
            (5e-324, "5e-324"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ];
        for (number, expected) in cases {
            assert_eq!(value(number), expected);
        }
    }

    #[test]
    fn timestamps_are_seconds_with_padded_milliseconds() {
        let cases = [
            (1435781451781, "1435781451.781"),
            (10_500, "10.500"),
            (1, "0.001"),
            (2000, "2"),
            (0, "0"),
            (-1, "-0.001"),
            (-1500, "-1.500"),
            (i64::MIN, "-9223372036854775.808"),
        ];
        for (ms, expected) in cases {
            assert_eq!(timestamp(ms), expected);
        }
    }

    #[test]
    fn strings_are_escaped_as_go_does() {
        assert_eq!(string("a\"b\\c\n\r\t\u{1}"), r#""a\"b\\c\n\r\t\u0001""#);
        assert_eq!(string("<script>&"), r#""\u003cscript\u003e\u0026""#);
        assert_eq!(string("日\u{2028}本"), "\"日\\u2028本\"");
    }

    fn histogram_point(histogram: &Histogram) -> String {
        let mut writer = JsonWriter::new(1 << 20);
        writer.histogram_point(10_500, histogram);
        String::from_utf8(writer.current).unwrap()
    }

    #[test]
    fn histograms_have_their_populated_buckets() {
        let mut histogram = Histogram {
            count: 20.0,
            sum: -1.5,
            zero_threshold: 0.001,
            zero_count: 2.0,
            positive: Buckets::contiguous(0, vec![1.0, 0.0, 2.25]),
            negative: Buckets::contiguous(0, vec![1.0, 2.0]),
            ..Histogram::default()
        };
        assert_eq!(
            histogram_point(&histogram),
            concat!(
                r#"[10.500,{"count":"20","sum":"-1.5","buckets":[[1,"-2","-1","2"],[1,"-1","-0.5","1"],"#,
                r#"[3,"-0.001","0.001","2"],[0,"0.5","1","1"],[0,"2","4","2.25"]]}]"#
            )
        );
        histogram.scale(0.0);
        assert_eq!(histogram_point(&histogram), r#"[10.500,{"count":"0","sum":"-0"}]"#);
    }

    #[test]
    fn custom_buckets_are_open_at_both_ends() {
        let histogram = Histogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count: 3.0,
            sum: f64::NAN,
            positive: Buckets::contiguous(0, vec![1.0, 1.0, 1.0]),
            custom_bounds: [0.1, 1e21].into(),
            ..Histogram::default()
        };
        assert_eq!(
            histogram_point(&histogram),
            concat!(
                r#"[10.500,{"count":"3","sum":"NaN","buckets":[[3,"-Inf","0.1","1"],"#,
                r#"[0,"0.1","1e+21","1"],[0,"1e+21","+Inf","1"]]}]"#
            )
        );
    }

    #[test]
    fn annotations_beyond_ten_are_counted() {
        let mut writer = JsonWriter::new(1 << 20);
        writer.begin_success();
        writer.raw("[]");
        let warnings: Vec<String> = (0..12).map(|i| format!("w{i}")).collect();
        let body = text(writer.end_success(&warnings, &["i".to_string()]).unwrap());
        assert!(body.starts_with(r#"{"status":"success","data":[],"warnings":["w0","#));
        assert!(body.ends_with(r#""w9","2 more warning annotations omitted"],"infos":["i"]}"#));
    }

    #[test]
    fn long_answers_come_in_chunks_and_stop_at_the_limit() {
        let long = "x".repeat(CHUNK_BYTES / 2 + 1);
        let mut writer = JsonWriter::new(4 * CHUNK_BYTES);
        writer.begin_success();
        writer.strings([long.as_str(); 5].into_iter()).unwrap();
        let body = writer.end_success(&[], &[]).unwrap();
        assert!(body.chunks.len() > 2 && body.chunks.iter().all(|c| c.len() <= CHUNK_BYTES));
        let total: usize = body.chunks.iter().map(Bytes::len).sum();
        assert_eq!(body.size_hint().exact(), Some(total as u64));
        let mut writer = JsonWriter::new(CHUNK_BYTES);
        assert!(writer.strings([long.as_str(); 5].into_iter()).is_err());
    }

    proptest! {
        #[test]
        fn a_written_value_reads_back_bit_for_bit(bits: u64) {
            let number = f64::from_bits(bits);
            prop_assume!(number.is_finite());
            prop_assert_eq!(value(number).parse::<f64>().unwrap().to_bits(), bits);
        }

        #[test]
        fn a_written_string_is_json_of_the_same_text(input: String) {
            prop_assert_eq!(serde_json::from_str::<String>(&string(&input)).unwrap(), input);
        }
    }
}

//! `POST /api/v1/write`, remote write 1.0. Headers are checked before the body is touched, sizes before memory is taken, and the
//! answer is sent when every sample is durable:
//!
//! * 204: everything is stored;
//! * 400: part of it is, the text says what is not and why; or nothing, because the body is not a write request.
//!   A sender must not repeat it;
//! * 403, 413, 415: nothing is stored, and repeating is useless;
//! * 503 with `Retry-After`: nothing is stored for a reason of ours; a stock Prometheus repeats it.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use tokio::sync::oneshot;

use super::Api;
use super::body::{BodyError, discard, read_body};
use super::budget::{NoRoom, Reservation};
use super::calendar::format_rfc3339;
use crate::db::{Overload, SubmitError};
use crate::ingest::remote_write_v1::{self, DecodeError, SAMPLES_MAX, SERIES_MAX};
use crate::ingest::snappy::{self, Buffers};
use crate::model::{Batch, Outcome, Reason};
use crate::wal::layout::PAYLOAD_MAX_BYTES;

/// Decoded bodies up to this are decoded where they arrive, about 2 ms; larger ones would hold up the other connections
/// of the executor's thread.
const INLINE_MAX_BYTES: usize = 1 << 20;
/// The same for requests of many series: if all of them are new, so many take some 10 ms.
const INLINE_SERIES_MAX: usize = 5_000;

/// What a sample takes from its decoding to its answer: 16 bytes in a vector that may be half empty, 24 in the work of the
/// shards, up to 26 in the columns of its record. The finished record counts in the commit queue.
const SAMPLE_COST_BYTES: usize = 2 * 16 + 24 + 26;
/// What a series takes: its item in a vector that may be half empty, 28 bytes to be found; and when it is new 72 to be
/// created and defined, beside its labels, which are as long as in the body and live as long as one call.
const SERIES_COST_BYTES: usize = 2 * 16 + 28 + 72;

/// The most a sample takes in a record of the log: the varints of its ref and its time, and its value.
const RECORD_SAMPLE_MAX_BYTES: usize = 10 + 10 + 8;
/// The most a definition takes in a record beyond its label fields in the body: the varint of its ref, the number of its
/// labels. A label itself takes four bytes less than its field.
const RECORD_SERIES_MAX_BYTES: usize = 10 + 1;
/// The varints of both counts and the first time.
const RECORD_COUNTS_MAX_BYTES: usize = 64;
/// The limit on decoded bodies is at most this, so that the record of a request always fits a frame of the log.
pub const DECODED_LIMIT_MAX_BYTES: usize = PAYLOAD_MAX_BYTES
    - SAMPLES_MAX * RECORD_SAMPLE_MAX_BYTES
    - SERIES_MAX * RECORD_SERIES_MAX_BYTES
    - RECORD_COUNTS_MAX_BYTES;

/// Bounds of `Retry-After`. Random in between, so that senders turned away together do not come back together.
const RETRY_AFTER_SECONDS: std::ops::RangeInclusive<u64> = 1..=5;

/// Why nothing of a request is stored.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    /// Label value of a metric.
    reason: &'static str,
    message: String,
    retry_after: Option<Duration>,
}

impl Refusal {
    fn new(status: StatusCode, reason: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { status, reason, message: message.into(), retry_after: None }
    }

    fn bad(reason: &'static str, message: impl std::fmt::Display) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, reason, message.to_string())
    }

    fn unavailable(reason: &'static str, message: String, retry_after: Duration) -> Refusal {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Refusal { status, reason, message, retry_after: Some(retry_after) }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = plain(self.status, self.message);
        if let Some(retry_after) = self.retry_after {
            let jitter = rand::random_range(RETRY_AFTER_SECONDS);
            let seconds = retry_after.as_secs().max(jitter);
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::REQUEST_TIMEOUT {
            // The rest of the body may still come; it is not a request.
            response.headers_mut().insert(header::CONNECTION, close());
        }
        response
    }
}

fn close() -> axum::http::HeaderValue {
    axum::http::HeaderValue::from_static("close")
}

fn plain(status: StatusCode, message: String) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (status, headers, message + "\n").into_response()
}

pub async fn write(State(api): State<Arc<Api>>, request: Request) -> Response {
    let (parts, mut body) = request.into_parts();
    match store(&api, &parts.headers, &mut body).await {
        Ok(outcome) => answer(&outcome),
        Err(refusal) => {
            if refusal.status != StatusCode::REQUEST_TIMEOUT {
                discard(&mut body).await;
            }
            api.metrics.turned_away(refusal.reason);
            tracing::debug!(reason = refusal.reason, error = refusal.message, "write refused");
            refusal.into_response()
        }
    }
}

async fn store(api: &Api, headers: &HeaderMap, body: &mut Body) -> Result<Outcome, Refusal> {
    check_origin(headers)?;
    check_encoding(headers)?;
    check_content_type(headers)?;
    let mut held = api.write_budget.reservation();
    let compressed = read(api, headers, body, &mut held).await?;
    api.metrics.write_bytes.inc_by(compressed.len() as u64);
    let (batch, held) = decode(api, compressed, held).await?;
    let (sender, receiver) = oneshot::channel();
    let db = api.db().map_err(|_| closed())?.clone();
    let is_large = batch.body.len() > INLINE_MAX_BYTES || batch.items.len() > INLINE_SERIES_MAX;
    let submit = move || {
        db.submit(batch, move |result| {
            // The memory of the batch counts until the database is done with it, also when nobody waits for the answer.
            drop(held);
            let _ = sender.send(result);
        });
    };
    run(is_large, submit).await?;
    let outcome = receiver.await.map_err(|_| closed())?.map_err(submit_refusal)?;
    api.metrics.count_outcome(&outcome);
    Ok(outcome)
}

/// Senders are no web pages. A page on any site could otherwise make its visitor's browser write to a server that
/// listens on the visitor's own machine.
fn check_origin(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.contains_key(header::ORIGIN) {
        let message = "write requests from web pages are refused";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "cross_origin", message));
    }
    Ok(())
}

fn check_encoding(headers: &HeaderMap) -> Result<(), Refusal> {
    match header_text(headers, header::CONTENT_ENCODING)? {
        "" | "snappy" => Ok(()),
        other => Err(unsupported(format!(
            "content encoding {other:?} is not supported; send \"snappy\""
        ))),
    }
}

fn header_text(headers: &HeaderMap, name: HeaderName) -> Result<&str, Refusal> {
    let unreadable = |_| unsupported(format!("the header {name} is not text"));
    headers.get(&name).map_or(Ok(""), |value| value.to_str().map_err(unreadable))
}

fn unsupported(message: String) -> Refusal {
    Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)
}

/// `application/x-protobuf`, of `prometheus.WriteRequest` if a message is named.
fn check_content_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let text = header_text(headers, header::CONTENT_TYPE)?;
    let mut pieces = text.split(';').map(str::trim);
    let media = pieces.next().unwrap_or("");
    if !media.is_empty() && media != "application/x-protobuf" {
        let message =
            format!("content type {media:?} is not supported; send \"application/x-protobuf\"");
        return Err(unsupported(message));
    }
    for parameter in pieces {
        let Some((name, value)) = parameter.split_once('=') else {
            return Err(unsupported(format!("content type parameter {parameter:?} has no value")));
        };
        if name.trim() == "proto" && value.trim() != "prometheus.WriteRequest" {
            let message = format!(
                "message {value:?} is not supported; send remote write 1.0 \
                 (protobuf_message: \"prometheus.WriteRequest\")"
            );
            return Err(unsupported(message));
        }
    }
    Ok(())
}

async fn read(
    api: &Api,
    headers: &HeaderMap,
    body: &mut Body,
    held: &mut Reservation,
) -> Result<Bytes, Refusal> {
    let limit = api.options.write_body_max_bytes;
    let declared = headers.get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
    if declared.is_some_and(|declared| declared > limit as u64) {
        return Err(too_large(limit));
    }
    let body = read_body(body, limit, api.options.read_timeout, Some(held)).await;
    body.map_err(|error| match error {
        BodyError::TooLarge => too_large(limit),
        BodyError::Busy => busy(),
        BodyError::TooSlow(_) => Refusal::new(error.status(), "slow_body", error.to_string()),
        BodyError::Broken(_) => Refusal::new(error.status(), "broken_body", error.to_string()),
    })
}

fn too_large(limit: usize) -> Refusal {
    let message = format!(
        "the compressed body is larger than the limit of {limit} bytes; send smaller requests or \
         raise --storage.remote-write.max-body-bytes"
    );
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
}

fn busy() -> Refusal {
    let message = "too many write requests are in memory; try again".to_string();
    Refusal::unavailable("overloaded", message, Duration::ZERO)
}

fn no_room(error: NoRoom) -> Refusal {
    match error {
        NoRoom::Busy => busy(),
        NoRoom::Never => {
            let message = "the request takes more memory than there is for all; send smaller \
                           requests or raise --storage.remote-write.max-inflight-bytes";
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
        }
    }
}

fn closed() -> Refusal {
    submit_refusal(SubmitError::Closed)
}

fn submit_refusal(error: SubmitError) -> Refusal {
    let (reason, retry_after) = match &error {
        SubmitError::Overloaded { of: Overload::Queue, retry_after } => {
            ("overloaded", *retry_after)
        }
        SubmitError::Overloaded { of: Overload::Budget, retry_after } => {
            ("memory_budget", *retry_after)
        }
        SubmitError::ReadOnly { retry_after, .. } => ("read_only", *retry_after),
        SubmitError::Closed => ("closed", Duration::ZERO),
        SubmitError::TooLarge => {
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            return Refusal::new(status, "too_large", error.to_string());
        }
    };
    Refusal::unavailable(reason, error.to_string(), retry_after)
}

/// Compressed body to batch. What is held grows before memory is taken for the body, and then by what the samples will
/// take.
async fn decode(
    api: &Api,
    compressed: Bytes,
    mut held: Reservation,
) -> Result<(Batch, Reservation), Refusal> {
    let limit = api.options.write_decoded_max_bytes;
    let declared =
        snappy::declared_len(&compressed, limit).map_err(|e| Refusal::bad("snappy", e))?;
    held.grow(declared).await.map_err(no_room)?;
    let buffers = api.write_buffers.clone();
    let work = move || (decode_now(&buffers, &compressed, limit), held);
    let (batch, mut held) = run(declared > INLINE_MAX_BYTES, work).await?;
    let batch = batch?;
    let cost = batch.samples.len() * SAMPLE_COST_BYTES + batch.items.len() * SERIES_COST_BYTES;
    held.grow(cost).await.map_err(no_room)?;
    Ok((batch, held))
}

/// Does some work, aside from the executor's threads if it is large. The work owns its memory's reservation: it goes on
/// when the client leaves.
async fn run<T: Send + 'static>(
    is_large: bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    if !is_large {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        let message = format!("the work on the request ended without a result: {error}");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    })
}

fn decode_now(buffers: &Buffers, compressed: &[u8], limit: usize) -> Result<Batch, Refusal> {
    let body = buffers.decompress(compressed, limit).map_err(|e| Refusal::bad("snappy", e))?;
    remote_write_v1::decode(body).map_err(|error| match error {
        DecodeError::Malformed(_) => Refusal::bad("malformed", error),
        DecodeError::TooManySamples | DecodeError::TooManySeries => {
            Refusal::bad("too_large", error)
        }
    })
}

fn answer(outcome: &Outcome) -> Response {
    if outcome.rejected_total() == 0 {
        return StatusCode::NO_CONTENT.into_response();
    }
    let message = describe_rejections(outcome);
    tracing::debug!(error = message, "part of a write request rejected");
    plain(StatusCode::BAD_REQUEST, message)
}

/// `3 of 2000 samples rejected (duplicate_sample 2, invalid_labels 1), 1997 stored; first: ...`
fn describe_rejections(outcome: &Outcome) -> String {
    let rejected = outcome.rejected_total();
    let stored = outcome.written + outcome.duplicate;
    let counted: Vec<String> = Reason::ALL
        .iter()
        .map(|reason| (reason, outcome.rejected[*reason as usize]))
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| format!("{} {count}", reason.as_str()))
        .collect();
    let mut text = format!(
        "{rejected} of {} samples rejected ({}), {stored} stored",
        rejected + stored,
        counted.join(", ")
    );
    let Some(first) = &outcome.first_offender else { return text };
    // Writing to a string cannot fail.
    let _ = write!(text, "; first: {}: series {}", first.reason.message(), first.series);
    if let Some(timestamp) = first.timestamp {
        let _ = write!(text, ", timestamp {timestamp} ({})", format_rfc3339(timestamp));
    }
    if !first.detail.is_empty() {
        let _ = write!(text, ", {}", first.detail);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::batch::Offender;
    use crate::model::{Labels, Sample, SeriesRef};
    use crate::wal::RecordBuilder;

    fn headers(content_type: &str, encoding: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if !content_type.is_empty() {
            headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        }
        if !encoding.is_empty() {
            headers.insert(header::CONTENT_ENCODING, encoding.parse().unwrap());
        }
        headers
    }

    #[test]
    fn what_a_stock_sender_says_is_taken() {
        for content_type in [
            "",
            "application/x-protobuf",
            "application/x-protobuf;proto=prometheus.WriteRequest",
            "application/x-protobuf; charset=utf-8",
        ] {
            assert!(check_content_type(&headers(content_type, "")).is_ok(), "{content_type}");
        }
        assert!(check_encoding(&headers("", "snappy")).is_ok());
        assert!(check_encoding(&headers("", "")).is_ok());
    }

    #[test]
    fn what_is_not_supported_is_415() {
        for content_type in [
            "application/json",
            "text/plain",
            "application/x-protobuf;proto=io.prometheus.write.v2.Request",
            "application/x-protobuf; proto=io.prometheus.write.v2.Request",
            "application/x-protobuf;proto",
        ] {
            let refusal = check_content_type(&headers(content_type, "")).unwrap_err();
            assert_eq!(refusal.status, 415, "{content_type}");
        }
        for encoding in ["gzip", "zstd", "snappy, gzip"] {
            assert_eq!(check_encoding(&headers("", encoding)).unwrap_err().status, 415);
        }
    }

    #[test]
    fn rejections_are_counted_and_the_first_named() {
        let mut outcome = Outcome { written: 1990, duplicate: 7, ..Outcome::default() };
        outcome.reject(Reason::DuplicateSample, 2, || Offender {
            reason: Reason::DuplicateSample,
            series: "up{job=\"x\"}".to_string(),
            timestamp: Some(1_700_000_000_000),
            detail: "has 1, sent 2".to_string(),
        });
        outcome.rejected[Reason::InvalidLabels as usize] = 1;
        assert_eq!(
            describe_rejections(&outcome),
            "3 of 2000 samples rejected (invalid_labels 1, duplicate_sample 2), 1997 stored; \
             first: duplicate sample for timestamp: series up{job=\"x\"}, \
             timestamp 1700000000000 (2023-11-14T22:13:20.000Z), has 1, sent 2"
        );
    }

    #[test]
    fn our_own_trouble_asks_to_come_back() {
        for error in [
            SubmitError::Overloaded { of: Overload::Queue, retry_after: Duration::from_secs(9) },
            SubmitError::Overloaded { of: Overload::Budget, retry_after: Duration::ZERO },
            SubmitError::ReadOnly { cause: "disk full".to_string(), retry_after: Duration::ZERO },
            SubmitError::Closed,
        ] {
            let response = submit_refusal(error).into_response();
            assert_eq!(response.status(), 503);
            let seconds = response.headers()[header::RETRY_AFTER].to_str().unwrap().to_string();
            assert!((1..=9).contains(&seconds.parse::<u64>().unwrap()));
        }
        let never = submit_refusal(SubmitError::TooLarge).into_response();
        assert_eq!(never.status(), 413);
        assert!(!never.headers().contains_key(header::RETRY_AFTER));
    }

    #[test]
    fn a_record_is_never_larger_than_what_the_limits_are_made_from() {
        let mut record = RecordBuilder::new();
        let mut body_bytes = 0;
        for i in 0..1_000u64 {
            // Refs and times as far apart as they can be, labels as short.
            let series = SeriesRef(if i % 2 == 0 { 1 } else { (1 << 62) - 1 });
            let time = if i % 2 == 0 { i64::MIN } else { i64::MAX };
            record.push(series, Sample::new(time, 1.0));
            record.define(series, &Labels::from_pairs([("__name__", "x")]));
            body_bytes += b"\x0a\x0d\x0a\x08__name__\x12\x01x".len();
        }
        let mut payload = Vec::new();
        record.finish(&mut payload);
        let beside = 1_000 * (RECORD_SAMPLE_MAX_BYTES + RECORD_SERIES_MAX_BYTES);
        assert!(payload.len() <= body_bytes + beside + RECORD_COUNTS_MAX_BYTES);
        const { assert!(DECODED_LIMIT_MAX_BYTES >= 32 << 20) };
    }
}

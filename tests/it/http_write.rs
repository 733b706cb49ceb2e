//! Remote write as senders see it: what is stored, what is refused with which status, and that nothing large is taken in
//! before it is checked.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use silverback::api::ApiOptions;
use silverback::db::{Options, Threads};
use silverback::model::{Matcher, TimeRange};
use silverback::read::{Columns, Source};
use silverback::sync::{Arc, Mutex};
use tower::ServiceExt;

use crate::http_support::{Fixture, field, series, snappy, write_request};

/// Timestamps and value bits of the series with this metric name.
fn stored(fixture: &Fixture, name: &str) -> Vec<(i64, u64)> {
    let view = fixture.db.view();
    let set = view.select(&[Matcher::equal("__name__", name)], TimeRange::ALL).unwrap();
    let (mut columns, mut out) = (Columns::default(), Vec::new());
    for index in 0..set.len() {
        set.read(index, TimeRange::ALL, &mut columns).unwrap();
        let bits = columns.floats.iter().map(|value| value.to_bits());
        out.extend(columns.timestamps.iter().copied().zip(bits));
    }
    out
}

#[tokio::test]
async fn samples_are_stored_before_the_answer() {
    let fixture = Fixture::new();
    let body = series(&[("__name__", "up"), ("job", "a")], &[(1000, 1.5), (2000, f64::NAN)]);
    let answer = fixture.write(&body).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (204, 0));
    assert_eq!(stored(&fixture, "up"), [(1000, 1.5f64.to_bits()), (2000, f64::NAN.to_bits())]);
}

#[tokio::test]
async fn the_same_request_again_changes_nothing_and_succeeds() {
    let fixture = Fixture::new();
    let body = series(&[("__name__", "up")], &[(1000, 1.0)]);
    for _ in 0..2 {
        assert_eq!(fixture.write(&body).await.status, 204);
    }
    assert_eq!(stored(&fixture, "up").len(), 1);
}

#[tokio::test]
async fn requests_without_samples_succeed() {
    let fixture = Fixture::new();
    let mut metadata = Vec::new();
    field(&mut metadata, 3, b"\x08\x01\x12\x02up");
    assert_eq!(fixture.write(&metadata).await.status, 204);
    assert_eq!(fixture.write(b"").await.status, 204);
}

#[tokio::test]
async fn a_bad_series_is_named_and_the_rest_is_stored() {
    let fixture = Fixture::new();
    let mut body = series(&[("__name__", "good")], &[(1, 1.0), (2, 2.0)]);
    body.extend(series(&[("job", "nameless")], &[(1, 1.0)]));
    let answer = fixture.write(&body).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    let expected = "1 of 3 samples rejected (invalid_labels 1), 2 stored";
    assert!(answer.text().starts_with(expected), "{}", answer.text());
    assert_eq!(stored(&fixture, "good").len(), 2);
}

#[tokio::test]
async fn headers_are_checked_before_the_body() {
    let fixture = Fixture::new();
    let cases = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CONTENT_TYPE, "application/x-protobuf;proto=io.prometheus.write.v2.Request"),
        (header::CONTENT_ENCODING, "gzip"),
    ];
    for (name, value) in cases {
        let mut request = write_request().body(Body::from("not snappy")).unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
        let answer = fixture.send(request).await;
        assert_eq!(answer.status, 415, "{value}");
        assert!(answer.text().contains("not supported"), "{}", answer.text());
    }
}

#[tokio::test]
async fn web_pages_do_not_write() {
    let fixture = Fixture::new();
    let body = snappy(&series(&[("__name__", "up")], &[(1, 1.0)]));
    let request = Request::post("/api/v1/write").header(header::ORIGIN, "https://a.example");
    let answer = fixture.send(request.body(Body::from(body)).unwrap()).await;
    assert_eq!(answer.status, 403);
    assert!(stored(&fixture, "up").is_empty());
}

#[tokio::test]
async fn what_is_no_write_request_is_400() {
    let fixture = Fixture::new();
    for body in [b"not snappy at all".to_vec(), Vec::new(), snappy(b"\x0a\xff"), snappy(&[7; 99])] {
        let answer = fixture.send(write_request().body(Body::from(body)).unwrap()).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
    }
}

#[tokio::test]
async fn large_bodies_are_refused_by_what_they_declare() {
    let fixture = Fixture::new();
    let bomb = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0];
    let answer = fixture.send(write_request().body(Body::from(bomb.to_vec())).unwrap()).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("33554432"), "{}", answer.text());

    let declared = write_request().header(header::CONTENT_LENGTH, (8 << 20) + 1);
    let answer = fixture.send(declared.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 413);
    assert!(answer.text().contains("8388608"), "{}", answer.text());
    assert!(answer.text().contains("--storage.remote-write.max-body-bytes"));
}

#[tokio::test]
async fn a_body_that_turns_out_larger_than_the_limit_is_413() {
    let options = ApiOptions { write_body_max_bytes: 1000, ..ApiOptions::default() };
    let answer =
        Fixture::with(options).send(write_request().body(Body::from(vec![0; 1001])).unwrap()).await;
    assert_eq!(answer.status, 413);
}

/// A request of one series.
fn samples(name: &str, count: i64) -> Vec<u8> {
    let samples: Vec<(i64, f64)> = (0..count).map(|i| (i, i as f64)).collect();
    series(&[("__name__", name)], &samples)
}

/// A database whose requests wait for `step`.
fn stepped(options: ApiOptions) -> Fixture {
    Fixture::with_storage(options, Options { threads: Threads::Stepped, ..Options::new("data") })
}

/// Sends a request and lets it come as far as it does by itself.
async fn begin(fixture: &Fixture, body: &[u8]) -> tokio::task::JoinHandle<StatusCode> {
    let request = write_request().body(Body::from(snappy(body))).unwrap();
    let answer = fixture.router.clone().oneshot(request);
    let task = tokio::spawn(async move { answer.await.unwrap().status() });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    task
}

#[tokio::test(start_paused = true)]
async fn without_room_in_memory_a_sender_is_asked_to_come_back() {
    let options = ApiOptions { write_inflight_max_bytes: 3 << 19, ..ApiOptions::default() };
    let fixture = stepped(options);
    let first = begin(&fixture, &samples("up", 10_000)).await;
    let answer = fixture.write(&samples("down", 10_000)).await;
    assert_eq!(answer.status, 503);
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=5).contains(&seconds));
    fixture.db.step();
    assert_eq!(first.await.unwrap(), 204);
    assert!(stored(&fixture, "down").is_empty());
    let again = begin(&fixture, &samples("down", 10_000)).await;
    fixture.db.step();
    assert_eq!(again.await.unwrap(), 204, "what was held is given back");
    assert_eq!(fixture.api.write_inflight_bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_body_becomes_in_memory_counts() {
    let fixture = stepped(ApiOptions::default());
    // Samples without a field: two bytes each.
    let mut message = Vec::new();
    field(&mut message, 1, b"\x0a\x08__name__\x12\x02up");
    message.extend([0x12, 0x00].repeat(100_000));
    let mut body = Vec::new();
    field(&mut body, 1, &message);
    let request = begin(&fixture, &body).await;
    let held = fixture.api.write_inflight_bytes();
    assert!(held >= 100_000 * 40, "{held} bytes for 100,000 samples in two places");
    fixture.db.step();
    assert_eq!(request.await.unwrap(), 204);
}

#[tokio::test]
async fn a_request_that_never_fits_in_memory_is_413() {
    let options = ApiOptions { write_inflight_max_bytes: 256 << 10, ..ApiOptions::default() };
    let answer = Fixture::with(options).write(&samples("up", 10_000)).await;
    assert_eq!(answer.status, 413);
    assert!(answer.text().contains("--storage.remote-write.max-inflight-bytes"));
}

/// A runtime with one thread for large requests, which stays taken until the sender is dropped.
fn busy_runtime() -> (tokio::runtime::Runtime, std::sync::mpsc::Sender<()>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.max_blocking_threads(1).enable_all().build().unwrap();
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    runtime.spawn_blocking(move || receiver.recv());
    (runtime, sender)
}

#[test]
fn what_a_leaving_client_leaves_behind_still_counts() {
    let (runtime, release) = busy_runtime();
    runtime.block_on(async {
        let fixture = Fixture::new();
        let request = begin(&fixture, &samples("big", 100_000)).await;
        let held = fixture.api.write_inflight_bytes();
        assert!(held > 1_000_000);
        request.abort();
        assert!(request.await.unwrap_err().is_cancelled());
        assert_eq!(fixture.api.write_inflight_bytes(), held);
        drop(release);
        while fixture.api.write_inflight_bytes() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
}

#[tokio::test]
async fn large_requests_are_resolved_aside() {
    let clock_threads = Arc::new(Mutex::new(Vec::new()));
    let seen = clock_threads.clone();
    let clock = move || {
        let thread = std::thread::current();
        if thread.name() != Some("maintenance") {
            seen.lock().push(thread.id());
        }
        1_000_000
    };
    let storage = Options { clock: Arc::new(clock), ..Options::new("data") };
    let fixture = Fixture::with_storage(ApiOptions::default(), storage);
    clock_threads.lock().clear();
    assert_eq!(fixture.write(&samples("small", 10)).await.status, 204);
    assert_eq!(fixture.write(&samples("big", 100_000)).await.status, 204);
    let many: Vec<u8> =
        (0..10_000).flat_map(|i| series(&[("__name__", &format!("m{i}"))], &[(1, 1.0)])).collect();
    assert_eq!(fixture.write(&many).await.status, 204);
    let here = std::thread::current().id();
    let aside: Vec<bool> = clock_threads.lock().iter().map(|thread| *thread != here).collect();
    assert_eq!(aside, [false, true, true]);
}

#[tokio::test]
async fn a_closed_database_asks_to_come_back() {
    let fixture = Fixture::new();
    fixture.db.close().unwrap();
    let answer = fixture.write(&series(&[("__name__", "up")], &[(1, 1.0)])).await;
    assert_eq!(answer.status, 503);
    assert!(!answer.header("retry-after").is_empty());
}

#[tokio::test]
async fn a_large_body_is_decoded_aside() {
    let fixture = Fixture::new();
    let samples: Vec<(i64, f64)> = (0..100_000).map(|i| (i, i as f64)).collect();
    assert_eq!(fixture.write(&series(&[("__name__", "big")], &samples)).await.status, 204);
    assert_eq!(stored(&fixture, "big").len(), 100_000);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_408() {
    let options = ApiOptions { read_timeout: Duration::from_secs(30), ..ApiOptions::default() };
    let fixture = Fixture::with(options);
    let request: Request<Body> = write_request().body(Body::new(Never)).unwrap();
    let answer = fixture.send(request).await;
    assert_eq!(answer.status, 408);
    assert_eq!(answer.header("connection"), "close");
}

/// A body that gives nothing and does not end.
struct Never;

impl hyper::body::Body for Never {
    type Data = bytes::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<bytes::Bytes>, std::io::Error>>> {
        std::task::Poll::Pending
    }
}

//! A server for the HTTP tests: the real router over a database in a directory of its own, called in process or over TCP.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use silverback::api::{self, Api, ApiOptions};
use silverback::db::{Db, Options};
use silverback::encoding::cursor::put_varint;
use silverback::fs::sim::SimDisk;
use tower::ServiceExt;

/// A ready API and its database.
pub struct Fixture {
    pub api: Arc<Api>,
    pub db: Arc<Db>,
    pub router: Router,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The `data` of a success.
    pub fn data(&self) -> serde_json::Value {
        assert_eq!(self.status, 200, "{}", self.text());
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/json");
        self.json()["data"].clone()
    }

    /// `errorType` and `error` of a failure.
    pub fn error(&self) -> (String, String) {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/json", "{}", self.text());
        let json = self.json();
        assert_eq!(json["status"], "error");
        let text = |key: &str| json[key].as_str().unwrap().to_string();
        (text("errorType"), text("error"))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Fixture {
    pub fn new() -> Fixture {
        Fixture::with(ApiOptions::default())
    }

    pub fn with(options: ApiOptions) -> Fixture {
        Fixture::with_storage(options, Options::new("data"))
    }

    /// With a database of these options, on a simulated disk.
    pub fn with_storage(options: ApiOptions, storage: Options) -> Fixture {
        let api = Api::new(options);
        let disk = Arc::new(SimDisk::new());
        let db = Db::open(Options { disk, ..storage }).unwrap();
        api.set_db(db.clone());
        api.set_ready();
        Fixture { router: api::router(api.clone()), api, db }
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub async fn post_form(&self, path: &str, form: &str) -> Answer {
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form.to_string()))
            .unwrap();
        self.send(request).await
    }

    /// Sends a remote write request as a stock sender does.
    pub async fn write(&self, body: &[u8]) -> Answer {
        self.send(write_request().body(Body::from(snappy(body))).unwrap()).await
    }
}

/// The head of a stock sender's request.
pub fn write_request() -> axum::http::request::Builder {
    Request::post("/api/v1/write")
        .header(header::CONTENT_TYPE, "application/x-protobuf")
        .header(header::CONTENT_ENCODING, "snappy")
        .header("X-Prometheus-Remote-Write-Version", "0.1.0")
}

pub fn snappy(bytes: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(bytes).unwrap()
}

/// A protobuf field of bytes.
pub fn field(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    put_varint(out, number << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A `prometheus.WriteRequest` of one series.
pub fn series(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> Vec<u8> {
    let mut message = Vec::new();
    for (name, value) in labels {
        let mut label = Vec::new();
        field(&mut label, 1, name.as_bytes());
        field(&mut label, 2, value.as_bytes());
        field(&mut message, 1, &label);
    }
    for (timestamp, value) in samples {
        let mut sample = vec![0x09];
        sample.extend_from_slice(&value.to_bits().to_le_bytes());
        sample.push(0x10);
        put_varint(&mut sample, *timestamp as u64);
        field(&mut message, 2, &sample);
    }
    let mut request = Vec::new();
    field(&mut request, 1, &message);
    request
}

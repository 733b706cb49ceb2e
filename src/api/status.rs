//! Health, readiness, own metrics, and what the server says about itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::calendar::format_rfc3339;
use super::{Api, now};

/// The exposition format of `prometheus-client`.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub async fn healthy() -> &'static str {
    "Silverback is Healthy.\n"
}

/// Behind the gate, which answers 503 before and after.
pub async fn ready() -> &'static str {
    "Silverback is Ready.\n"
}

pub async fn metrics(State(api): State<Arc<Api>>) -> Response {
    let text = api.exposition.get().map_or_else(|| "# EOF\n".to_string(), |write| write());
    ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response()
}

fn answer(json: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], json.to_string()).into_response()
}

/// The success envelope around small data.
pub(super) fn success(data: &Value) -> Response {
    answer(&json!({ "status": "success", "data": data }))
}

/// Prometheus' keys. Grafana reads the version to decide what it may ask for.
fn build() -> Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "revision": "",
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    })
}

pub async fn build_info() -> Response {
    success(&build())
}

pub async fn version() -> Response {
    answer(&build())
}

pub async fn flags(State(api): State<Arc<Api>>) -> Response {
    let flags: BTreeMap<&str, &str> =
        api.options.flags.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    success(&json!(flags))
}

pub async fn runtime_info(State(api): State<Arc<Api>>) -> Response {
    success(&json!({
        "startTime": format_rfc3339(api.started),
        "serverTime": format_rfc3339(now()),
        "CWD": std::env::current_dir().unwrap_or_default(),
        "reloadConfigSuccess": true,
        "lastConfigTime": format_rfc3339(api.started),
        "GOMAXPROCS": std::thread::available_parallelism().map_or(1, usize::from),
        "storageRetention": api.options.retention,
    }))
}

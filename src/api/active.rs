//! The queries that run or wait: `GET /api/v1/status/active_queries` lists them with what they hold, and
//! `POST /api/v1/status/active_queries/<id>/cancel` stops one. `slots` puts every query in and takes it out.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::admin::refusal;
use super::calendar::format_rfc3339;
use super::error::{ApiError, ErrorType};
use super::{Api, now};
use crate::model::Timestamp;
use crate::promql::budget::Budget;
use crate::sync::{AtomicBool, AtomicU64, Mutex, Ordering};

/// What the list shows of a query's text: enough to know it by.
const SHOWN_TEXT_MAX_BYTES: usize = 4 << 10;

/// The address that a request comes from, which `server` puts into its extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub SocketAddr);

/// A request that wants a slot.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Which kind of request, as in its path.
    pub endpoint: &'static str,
    pub text: String,
    pub client: Option<ClientAddress>,
    pub timeout: Duration,
}

/// A query from its arrival to the end of its work.
#[derive(Debug)]
pub struct ActiveQuery {
    id: u64,
    asked: Asked,
    started: Timestamp,
    begun: Instant,
    running: AtomicBool,
    /// Tells its work to stop.
    pub canceled: Arc<AtomicBool>,
    by_request: AtomicBool,
    /// Wakes it when it is canceled before it runs.
    wake: Notify,
    pub budget: Arc<Budget>,
}

impl ActiveQuery {
    pub fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    pub fn timeout(&self) -> Duration {
        self.asked.timeout
    }

    /// When it must have ended.
    pub fn deadline(&self) -> Instant {
        self.begun + self.asked.timeout
    }

    pub fn set_running(&self) {
        self.running.store(true, Ordering::Relaxed);
    }

    /// Was it canceled by a request, not by its client's leaving?
    pub fn is_canceled_by_request(&self) -> bool {
        self.by_request.load(Ordering::Relaxed)
    }

    /// Done once it is canceled by a request.
    pub async fn canceled_by_request(&self) {
        self.wake.notified().await;
    }

    fn cancel(&self) {
        self.by_request.store(true, Ordering::Relaxed);
        self.canceled.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }

    fn json(&self) -> Value {
        json!({
            "id": self.id,
            "endpoint": self.asked.endpoint,
            "query": shown(&self.asked.text, SHOWN_TEXT_MAX_BYTES),
            "state": if self.running.load(Ordering::Relaxed) { "running" } else { "queued" },
            "startTime": format_rfc3339(self.started),
            "ageSeconds": self.age().as_secs_f64(),
            "timeoutSeconds": self.timeout().as_secs_f64(),
            "samplesHeld": self.budget.samples_held(),
            "bytesHeld": self.budget.held_bytes(),
            "client": self.asked.client.map(|ClientAddress(address)| address.to_string()),
        })
    }
}

/// The beginning of a text, with a mark if that is not all.
pub(super) fn shown(text: &str, max_bytes: usize) -> String {
    if text.len() <= max_bytes {
        return text.to_string();
    }
    format!("{}...", &text[..text.floor_char_boundary(max_bytes)])
}

/// All active queries.
#[derive(Debug, Default)]
pub struct ActiveQueries {
    last_id: AtomicU64,
    queries: Mutex<BTreeMap<u64, Arc<ActiveQuery>>>,
}

impl ActiveQueries {
    /// Adds a query; it is listed until what is returned is dropped.
    pub fn begin(self: &Arc<Self>, asked: Asked, budget: Arc<Budget>) -> Listed {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let query = Arc::new(ActiveQuery {
            id,
            asked,
            started: now(),
            begun: Instant::now(),
            running: AtomicBool::new(false),
            canceled: Arc::default(),
            by_request: AtomicBool::new(false),
            wake: Notify::new(),
            budget,
        });
        self.queries.lock().insert(id, query.clone());
        Listed { all: self.clone(), query }
    }

    /// The oldest first.
    fn all(&self) -> Vec<Arc<ActiveQuery>> {
        self.queries.lock().values().cloned().collect()
    }

    fn get(&self, id: u64) -> Option<Arc<ActiveQuery>> {
        self.queries.lock().get(&id).cloned()
    }
}

/// A query in the list.
pub struct Listed {
    all: Arc<ActiveQueries>,
    pub query: Arc<ActiveQuery>,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.all.queries.lock().remove(&self.query.id);
    }
}

pub async fn list(State(api): State<Arc<Api>>) -> Response {
    let all: Vec<Value> = api.active.all().iter().map(|query| query.json()).collect();
    super::status::success(&json!(all))
}

pub async fn cancel(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    id: Result<Path<u64>, PathRejection>,
) -> Response {
    if let Some(refusal) = refusal(&api, &headers) {
        return refusal;
    }
    match id.ok().and_then(|Path(id)| api.active.get(id)) {
        Some(query) => {
            query.cancel();
            StatusCode::NO_CONTENT.into_response()
        }
        None => ApiError::new(ErrorType::NotFound, "no active query has this id").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(shown("short", 5), "short");
        assert_eq!(shown("日本", 4), "日...");
    }

    #[test]
    fn a_query_is_listed_as_long_as_it_is_there() {
        let api = Api::new(crate::api::ApiOptions::default());
        let asked = Asked {
            endpoint: "query",
            text: "up".to_string(),
            client: Some(ClientAddress(([127, 0, 0, 1], 9).into())),
            timeout: Duration::from_secs(7),
        };
        let listed = api.active.begin(asked.clone(), api.engine.budget());
        let second = api.active.begin(Asked { client: None, ..asked }, api.engine.budget());
        listed.query.set_running();
        let budget = listed.query.budget.clone();
        let _held = budget.hold(3, 2, None);
        let all: Vec<Value> = api.active.all().iter().map(|query| query.json()).collect();
        let first = &all[0];
        assert_eq!(
            (&first["id"], &first["query"], &first["state"]),
            (&json!(1), &json!("up"), &json!("running"))
        );
        assert_eq!((&first["samplesHeld"], &first["bytesHeld"]), (&json!(3), &json!(50)));
        assert_eq!(
            (&first["client"], &first["timeoutSeconds"]),
            (&json!("127.0.0.1:9"), &json!(7.0))
        );
        assert_eq!((&all[1]["state"], &all[1]["client"]), (&json!("queued"), &Value::Null));
        drop(listed);
        assert!(api.active.get(1).is_none() && api.active.get(2).is_some());
        drop(second);
        assert!(api.active.all().is_empty());
    }
}

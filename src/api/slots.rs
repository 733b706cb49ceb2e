//! Who may run: a query gets one of a limited number of slots, waits for one among a limited number of others, or is
//! turned away. It ends at its deadline, when its client leaves, and when a request cancels it.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::OwnedSemaphorePermit;

use super::Api;
use super::active::{ActiveQuery, Asked};
use super::error::{ApiError, ErrorType, Limit};
use super::json::JsonBody;
use crate::promql::engine::Limits;
use crate::promql::value::QueryError;
use crate::sync::{AtomicBool, Ordering};

/// Bounds of `Retry-After` for those who find the queue full. Random in between, so that they do not come back together.
const RETRY_AFTER_SECONDS: std::ops::RangeInclusive<u64> = 1..=5;

/// Sets the flag of a query when the future that waits for it is dropped, which is what happens when the client leaves.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `work` on a blocking thread once there is a slot. The slot stays taken until the thread is done, also when
/// nobody waits any more, so that canceled queries count while they still cost.
pub(super) async fn in_slot(
    api: Arc<Api>,
    asked: Asked,
    work: impl FnOnce(&Api, &Limits, Duration) -> Result<JsonBody, ApiError> + Send + 'static,
) -> Result<Response, ApiError> {
    let listed = api.active.begin(asked, api.engine.budget());
    let query = listed.query.clone();
    let _guard = CancelOnDrop(query.canceled.clone());
    let slot = match wait_for_slot(&api, &query).await {
        Ok(slot) => slot,
        Err(error) => return refused(&api, &query, error),
    };
    let (working, runs) = (api.clone(), query.clone());
    let done = tokio::task::spawn_blocking(move || {
        let (_slot, _listed) = (slot, listed);
        let _running = working.metrics.query_running();
        runs.set_running();
        let limits = Limits {
            deadline: Some(runs.deadline()),
            canceled: runs.canceled.clone(),
            budget: Some(runs.budget.clone()),
            ..Limits::default()
        };
        work(&working, &limits, runs.age())
    });
    match done.await {
        Ok(Ok(body)) => {
            let headers = [(header::CONTENT_TYPE, "application/json")];
            Ok((headers, axum::body::Body::new(body)).into_response())
        }
        Ok(Err(error)) => refused(&api, &query, error),
        Err(stopped) => {
            tracing::error!(error = %stopped, "a query stopped without an answer");
            Err(ApiError::new(ErrorType::Internal, "the query stopped without an answer"))
        }
    }
}

async fn wait_for_slot(api: &Api, query: &ActiveQuery) -> Result<OwnedSemaphorePermit, ApiError> {
    if let Ok(slot) = api.query_slots.clone().try_acquire_owned() {
        return Ok(slot);
    }
    let (running_max, queue_max) = (api.options.query_concurrency_max, api.options.query_queue_max);
    let Some(_queued) = api.metrics.query_queued(queue_max) else {
        let message = format!(
            "{running_max} queries run and {queue_max} wait for their turn, which is the limit: come back later, or \
             raise --query.max-concurrency or --query.max-queue"
        );
        return Err(ApiError::new(ErrorType::TooManyRequests, message).over(Limit::Queue));
    };
    let slot = api.query_slots.clone().acquire_owned();
    let slot = tokio::select! {
        slot = tokio::time::timeout(query.timeout(), slot) => slot,
        () = query.canceled_by_request() => return Err(QueryError::Canceled.into()),
    };
    match slot {
        Ok(Ok(slot)) => Ok(slot),
        _ => {
            let error = ApiError::new(ErrorType::Timeout, "query timed out in query queue");
            Err(error.over(Limit::QueueTime))
        }
    }
}

/// Counts an error by the limit it is about, and gives it the status of its occasion.
fn refused(api: &Api, query: &ActiveQuery, error: ApiError) -> Result<Response, ApiError> {
    if let Some(limit) = error.limit {
        api.metrics.query_turned_away(limit);
    }
    match error.kind {
        ErrorType::TooManyRequests => {
            let seconds = rand::random_range(RETRY_AFTER_SECONDS).to_string();
            Ok(([(header::RETRY_AFTER, seconds)], error).into_response())
        }
        // Its client is there to read it, unlike that of other canceled queries.
        ErrorType::Canceled if query.is_canceled_by_request() => {
            Ok(error.with_status(StatusCode::SERVICE_UNAVAILABLE))
        }
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ApiOptions;
    use crate::api::json::JsonWriter;

    fn asked() -> Asked {
        let timeout = Duration::from_secs(60);
        Asked { endpoint: "query", text: String::new(), client: None, timeout }
    }

    fn one_slot() -> Arc<Api> {
        let (query_concurrency_max, query_queue_max) = (1, 1);
        Api::new(ApiOptions { query_concurrency_max, query_queue_max, ..ApiOptions::default() })
    }

    /// Waits until `count` queries run.
    async fn running(api: &Api, count: i64) {
        while api.metrics.queries_running.get() != count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn empty() -> JsonBody {
        let mut out = JsonWriter::new(100);
        out.begin_success();
        out.raw("[]");
        out.end_success(&[], &[]).unwrap()
    }

    /// Takes the slot until it is canceled.
    async fn occupied(api: &Arc<Api>) -> tokio::task::JoinHandle<Result<Response, ApiError>> {
        let request = tokio::spawn(in_slot(api.clone(), asked(), |_, limits, _| {
            while !limits.canceled.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            Ok(empty())
        }));
        running(api, 1).await;
        request
    }

    #[tokio::test]
    async fn a_request_that_is_dropped_cancels_its_query_and_frees_the_slot() {
        let api = one_slot();
        occupied(&api).await.abort();
        running(&api, 0).await;
        assert!(in_slot(api, asked(), |_, _, _| Ok(empty())).await.is_ok());
    }

    #[tokio::test]
    async fn a_query_that_panics_is_an_internal_error_and_frees_its_slot() {
        let api = one_slot();
        for _ in 0..2 {
            let stopped = in_slot(api.clone(), asked(), |_, _, _| panic!("a bug"));
            assert_eq!(stopped.await.unwrap_err().kind, ErrorType::Internal);
        }
        running(&api, 0).await;
    }

    #[tokio::test]
    async fn the_queue_is_bounded() {
        let api = one_slot();
        let first = occupied(&api).await;
        let second = tokio::spawn(in_slot(api.clone(), asked(), |_, _, _| Ok(empty())));
        while api.metrics.queries_queued.get() != 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let third = in_slot(api.clone(), asked(), |_, _, _| Ok(empty())).await.unwrap();
        assert_eq!(third.status(), 429);
        let wait: u64 = third.headers()[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
        assert!(RETRY_AFTER_SECONDS.contains(&wait));
        first.abort();
        assert_eq!(second.await.unwrap().unwrap().status(), 200);
        assert_eq!(api.metrics.queries_queued.get(), 0);
    }
}

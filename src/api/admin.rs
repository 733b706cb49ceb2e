//! `POST /api/v1/admin/tsdb/flush` and `/compact`: what maintenance does by itself, now and to its end. Answered 204 when it is
//! done. Off unless `--web.enable-admin-api`, and then with Prometheus' answer.
//!
//! One request is at work at a time, on a thread of its own; others wait. What has begun goes on when its client leaves.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Api;
use super::error::{ApiError, ErrorType};
use crate::db::{Db, StoreError};
use crate::error::chain;

/// Moves all samples from memory and spills to blocks.
pub async fn flush(State(api): State<Arc<Api>>, headers: HeaderMap) -> Response {
    answer(&api, &headers, |db| db.flush()).await
}

/// Merges blocks as far as that is possible.
pub async fn compact(State(api): State<Arc<Api>>, headers: HeaderMap) -> Response {
    answer(&api, &headers, |db| db.compact()).await
}

async fn answer(
    api: &Api,
    headers: &HeaderMap,
    action: fn(&Db) -> Result<(), StoreError>,
) -> Response {
    if let Some(refusal) = refusal(api, headers) {
        return refusal;
    }
    match run(api, action).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => error.into_response(),
    }
}

/// The answer to a request that only administrators may send, if it is not to be done.
pub(super) fn refusal(api: &Api, headers: &HeaderMap) -> Option<Response> {
    if !api.options.admin_enabled {
        let disabled = ApiError::new(ErrorType::Unavailable, "admin APIs disabled");
        return Some(disabled.into_response());
    }
    // A page on any site could otherwise keep the disk of a server busy that listens on its visitor's machine.
    if headers.contains_key(header::ORIGIN) {
        let refused = ApiError::bad_data("admin requests from web pages are refused");
        return Some(refused.with_status(StatusCode::FORBIDDEN));
    }
    None
}

async fn run(api: &Api, action: fn(&Db) -> Result<(), StoreError>) -> Result<(), ApiError> {
    let turn = api.admin_turn.clone().lock_owned().await;
    let db = api.db()?.clone();
    let work = move || {
        let done = action(&db);
        drop(turn);
        done
    };
    let internal = |text: String| ApiError::new(ErrorType::Internal, text);
    let done = tokio::task::spawn_blocking(work).await;
    let done =
        done.map_err(|error| internal(format!("the work ended without a result: {error}")))?;
    done.map_err(|error| internal(chain(&error)))
}

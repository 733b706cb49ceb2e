//! What happens around every request: counting, panics, readiness, cross-origin headers, compression, and the plain answers to
//! unknown paths and methods.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_http::CompressionLevel;
use tower_http::catch_panic::{CatchPanicLayer, ResponseForPanic};
use tower_http::compression::CompressionLayer;

use super::error::{ApiError, ErrorType};
use super::metrics::{HandlerLabel, RequestLabels};
use super::{Api, Phase};
use crate::model::regex::compile_anchored;

/// Paths that pages of other origins may be allowed to read.
const API_PREFIX: &str = "/api/v1/";
/// Tells a sender whether a 503 means starting (`false`) or shutting down (`true`).
const STOPPING_HEADER: HeaderName = HeaderName::from_static("x-prometheus-stopping");

/// gzip or deflate at the level that costs least: answers are repetitive and shrink well at any.
pub fn compression() -> CompressionLayer {
    CompressionLayer::new().quality(CompressionLevel::Fastest)
}

/// Counts and times every request by its route.
pub async fn observe(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let matched = request.extensions().get::<MatchedPath>();
    let handler = matched.map_or("none", MatchedPath::as_str).to_string();
    let response = next.run(request).await;
    let label = HandlerLabel { handler: handler.clone() };
    let elapsed = begun.elapsed().as_secs_f64();
    api.metrics.request_seconds.get_or_create(&label).observe(elapsed);
    let code = response.status().as_u16();
    api.metrics.requests.get_or_create(&RequestLabels { handler, code }).inc();
    response
}

/// Answers 503 unless the server is ready.
pub async fn gate(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let phase = api.phase();
    if phase == Phase::Ready {
        return next.run(request).await;
    }
    let stopping =
        HeaderValue::from_static(if phase == Phase::Stopping { "true" } else { "false" });
    let headers = [
        (STOPPING_HEADER, stopping),
        (header::RETRY_AFTER, HeaderValue::from_static("1")),
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
    ];
    (StatusCode::SERVICE_UNAVAILABLE, headers, "Service Unavailable").into_response()
}

/// The origins that browsers may read answers from.
#[derive(Debug, Clone)]
pub struct CorsOrigin {
    any: bool,
    regex: regex::Regex,
}

impl CorsOrigin {
    /// From the pattern of a flag, anchored at both ends.
    ///
    /// # Errors
    /// The pattern is not a regular expression.
    pub fn new(pattern: &str) -> Result<CorsOrigin, regex::Error> {
        Ok(CorsOrigin { any: pattern == ".*", regex: compile_anchored(pattern)? })
    }

    /// What to allow in the answer to a request from `origin`.
    fn answer_to(&self, origin: HeaderValue) -> Option<HeaderValue> {
        if self.any {
            return Some(HeaderValue::from_static("*"));
        }
        origin.to_str().is_ok_and(|text| self.regex.is_match(text)).then_some(origin)
    }
}

/// Prometheus' cross-origin headers, and the answer to every `OPTIONS` of the API.
pub async fn cors(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with(API_PREFIX) {
        return next.run(request).await;
    }
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut response = if request.method() == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    let (Some(allowed), Some(origin)) = (&api.options.cors_origin, origin) else {
        return response;
    };
    if let Some(value) = allowed.answer_to(origin) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, value);
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "Accept, Authorization, Content-Type, Origin"),
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"),
            (header::ACCESS_CONTROL_EXPOSE_HEADERS, "Date"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    response
}

/// Browsers must not guess that an answer is a script or a page.
pub async fn nosniff(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let value = HeaderValue::from_static("nosniff");
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, value);
    response
}

/// A handler that panics is a bug: its request gets a 500, and the server goes on.
pub fn catch_panic(api: Arc<Api>) -> CatchPanicLayer<CountPanic> {
    CatchPanicLayer::custom(CountPanic(api))
}

#[derive(Clone)]
pub struct CountPanic(Arc<Api>);

impl ResponseForPanic for CountPanic {
    type ResponseBody = axum::body::Body;

    fn response_for_panic(
        &mut self,
        _payload: Box<dyn Any + Send + 'static>,
    ) -> axum::http::Response<axum::body::Body> {
        self.0.metrics.panics.inc();
        ApiError::new(ErrorType::Internal, "the request met a bug in the server; see its log")
            .into_response()
    }
}

pub async fn not_found() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "404 page not found\n")
}

pub async fn method_not_allowed() -> (StatusCode, &'static str) {
    (StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n")
}

/// `HEAD` is no method of the API, as in Prometheus: it would cost as much as `GET` and tell nothing.
pub async fn no_head(request: Request, next: Next) -> Response {
    match *request.method() {
        Method::HEAD => method_not_allowed().await.into_response(),
        _ => next.run(request).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ApiOptions;
    use axum::routing::get;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    async fn bug() {
        panic!("a bug")
    }

    #[tokio::test]
    async fn a_handler_that_panics_answers_500_and_is_counted() {
        let api = Api::new(ApiOptions::default());
        let router = axum::Router::new().route("/", get(bug)).layer(catch_panic(api.clone()));
        let request = Request::get("/").body(axum::body::Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.status(), 500);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(body.starts_with(b"{\"status\":\"error\",\"errorType\":\"internal\""));
        assert_eq!(api.metrics.panics.get(), 1);
    }
}

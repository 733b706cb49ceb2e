//! The page at `/`: a query box, its result as a table, and how to send data here. Everything comes from this server and is
//! shown by `textContent`, so that it works offline and no label value becomes markup.

use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};

/// Nothing but this server's own files, in nobody's frame.
const SECURITY_HEADERS: [(HeaderName, &str); 3] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
];

fn file(content_type: &'static str, text: &'static str) -> Response {
    (SECURITY_HEADERS, [(header::CONTENT_TYPE, content_type)], text).into_response()
}

pub async fn page() -> Response {
    file("text/html; charset=utf-8", include_str!("page.html"))
}

pub async fn script() -> Response {
    file("text/javascript; charset=utf-8", include_str!("page.js"))
}

pub async fn style() -> Response {
    file("text/css; charset=utf-8", include_str!("page.css"))
}

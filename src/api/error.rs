//! Errors of the API: Prometheus' error types, their statuses, and the JSON they are sent as. Every handler that answers
//! in the JSON envelope fails with [`ApiError`]; write requests have plain-text errors of their own.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::json::{WriteError, put_string};
use crate::promql::budget::OverLimit;
use crate::promql::parser::ParseError;
use crate::promql::value::QueryError;
use crate::read::ReadError;

/// `errorType` of the envelope; what the client should do differs for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorType {
    /// Correct the request.
    BadData,
    /// The query is valid but cannot be answered, or goes over a limit.
    Execution,
    /// Nobody waits for the answer any more.
    Canceled,
    Timeout,
    /// Come back later: others are before it.
    TooManyRequests,
    /// There is no such thing.
    NotFound,
    /// A fault of the server or its storage.
    Internal,
    /// The server is not set up for it.
    Unavailable,
}

impl ErrorType {
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorType::BadData => "bad_data",
            ErrorType::Execution => "execution",
            ErrorType::Canceled => "canceled",
            ErrorType::Timeout => "timeout",
            ErrorType::TooManyRequests => "too_many_requests",
            ErrorType::NotFound => "not_found",
            ErrorType::Internal => "internal",
            ErrorType::Unavailable => "unavailable",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            ErrorType::BadData => StatusCode::BAD_REQUEST,
            ErrorType::Execution => StatusCode::UNPROCESSABLE_ENTITY,
            // 499, which has no name in the standard: what Prometheus sends.
            ErrorType::Canceled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
            ErrorType::Timeout => StatusCode::SERVICE_UNAVAILABLE,
            ErrorType::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            ErrorType::NotFound => StatusCode::NOT_FOUND,
            ErrorType::Internal | ErrorType::Unavailable => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    pub kind: ErrorType,
    pub message: String,
    /// The limit it is about, as the metrics call it.
    pub limit: Option<Limit>,
}

/// A limit of queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Of the queries that wait.
    Queue,
    /// Of the time to wait.
    QueueTime,
    Time,
    Samples,
    Memory,
    /// Of all queries together.
    AllMemory,
    Series,
    /// Of the length, nesting and number of operators of the text, and of its regular expressions.
    Text,
    Response,
    /// None: nobody wanted the answer any more.
    Canceled,
}

impl Limit {
    pub const ALL: [Limit; 10] = [
        Limit::Queue,
        Limit::QueueTime,
        Limit::Time,
        Limit::Samples,
        Limit::Memory,
        Limit::AllMemory,
        Limit::Series,
        Limit::Text,
        Limit::Response,
        Limit::Canceled,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Limit::Queue => "queue_full",
            Limit::QueueTime => "queue_timeout",
            Limit::Time => "timeout",
            Limit::Samples => "samples",
            Limit::Memory => "memory",
            Limit::AllMemory => "memory_budget",
            Limit::Series => "series",
            Limit::Text => "text",
            Limit::Response => "response_bytes",
            Limit::Canceled => "canceled",
        }
    }
}

impl ApiError {
    pub fn new(kind: ErrorType, message: impl Into<String>) -> ApiError {
        ApiError { kind, message: message.into(), limit: None }
    }

    /// The same as being over a limit.
    pub fn over(self, limit: Limit) -> ApiError {
        ApiError { limit: Some(limit), ..self }
    }

    pub fn bad_data(message: impl Into<String>) -> ApiError {
        ApiError::new(ErrorType::BadData, message)
    }

    /// A parameter that cannot be used, in Prometheus' words.
    pub fn parameter(name: &str, why: impl std::fmt::Display) -> ApiError {
        ApiError::bad_data(format!("invalid parameter {name:?}: {why}"))
    }

    /// A text that is wrong is the client's mistake; one that is only too long or too deep is over a limit.
    fn of_text(self, error: &ParseError) -> ApiError {
        match error.over_limit {
            true => ApiError { kind: ErrorType::Execution, ..self }.over(Limit::Text),
            false => self,
        }
    }

    /// The answer with a status that is not that of its type.
    pub fn with_status(self, status: StatusCode) -> Response {
        let mut response = self.into_response();
        *response.status_mut() = status;
        response
    }

    /// The envelope.
    pub fn json(&self) -> Vec<u8> {
        let mut out = b"{\"status\":\"error\",\"errorType\":".to_vec();
        put_string(&mut out, self.kind.as_str());
        out.extend_from_slice(b",\"error\":");
        put_string(&mut out, &self.message);
        out.push(b'}');
        out
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let headers = [(header::CONTENT_TYPE, "application/json")];
        (self.kind.status(), headers, self.json()).into_response()
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> ApiError {
        let (kind, limit) = match &error {
            QueryError::Parse(error) => return ApiError::parameter("query", error).of_text(error),
            QueryError::Expression(why) => return ApiError::parameter("query", why),
            QueryError::Unsupported(_) | QueryError::Execution(_) => (ErrorType::Execution, None),
            QueryError::TooManySamples => (ErrorType::Execution, Some(Limit::Samples)),
            QueryError::OverLimit(OverLimit::Memory { .. }) => {
                (ErrorType::Execution, Some(Limit::Memory))
            }
            QueryError::OverLimit(OverLimit::AllMemory { .. }) => {
                (ErrorType::Execution, Some(Limit::AllMemory))
            }
            QueryError::OverLimit(OverLimit::Series { .. }) => {
                (ErrorType::Execution, Some(Limit::Series))
            }
            QueryError::Timeout => (ErrorType::Timeout, Some(Limit::Time)),
            QueryError::Canceled => (ErrorType::Canceled, Some(Limit::Canceled)),
            QueryError::Storage(_) => (ErrorType::Internal, None),
        };
        ApiError { limit, ..ApiError::new(kind, error.to_string()) }
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> ApiError {
        ApiError::new(ErrorType::Internal, error.to_string())
    }
}

impl From<WriteError> for ApiError {
    fn from(error: WriteError) -> ApiError {
        let WriteError::TooLarge { limit_bytes } = error else {
            return QueryError::Canceled.into();
        };
        let message = format!(
            "the answer is larger than {limit_bytes} bytes; select fewer series, use a larger step or a limit, \
             or raise --web.max-response-bytes"
        );
        ApiError::new(ErrorType::Execution, message).over(Limit::Response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_statuses_are_those_of_prometheus() {
        let table = [
            (ErrorType::BadData, "bad_data", 400),
            (ErrorType::Execution, "execution", 422),
            (ErrorType::Canceled, "canceled", 499),
            (ErrorType::Timeout, "timeout", 503),
            (ErrorType::TooManyRequests, "too_many_requests", 429),
            (ErrorType::NotFound, "not_found", 404),
            (ErrorType::Internal, "internal", 500),
            (ErrorType::Unavailable, "unavailable", 500),
        ];
        for (kind, name, status) in table {
            let response = ApiError::new(kind, "x").into_response();
            assert_eq!((kind.as_str(), response.status().as_u16()), (name, status));
        }
    }

    #[test]
    fn parameter_errors_name_the_parameter() {
        let json = ApiError::parameter("time", "cannot parse \"x\"").json();
        assert_eq!(
            String::from_utf8(json).unwrap(),
            r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"time\": cannot parse \"x\""}"#
        );
    }
}

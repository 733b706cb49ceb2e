//! Reading a request body within a size and a time. Used for forms and write requests.

use std::fmt;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use bytes::Bytes;
use http_body_util::BodyExt;

use super::budget::Reservation;

/// A body that is refused is still read, up to this much: a client that is cut off while it sends does not see the answer,
/// and takes a refusal for a broken connection that is worth another try.
const DISCARD_MAX_BYTES: usize = 64 << 20;
/// The longest that takes.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(5);

/// A body that is not there in full.
#[derive(Debug)]
pub enum BodyError {
    /// Larger than the limit. The caller names the limit and how to raise it.
    TooLarge,
    /// It did not arrive in time.
    TooSlow(Duration),
    /// The bodies of all requests together take what memory there is for them.
    Busy,
    /// The connection failed or the framing is wrong.
    Broken(String),
}

impl BodyError {
    pub fn status(&self) -> StatusCode {
        match self {
            BodyError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            BodyError::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            BodyError::Busy => StatusCode::SERVICE_UNAVAILABLE,
            BodyError::Broken(_) => StatusCode::BAD_REQUEST,
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BodyError::TooLarge => f.write_str("the request body is too large"),
            BodyError::TooSlow(limit) => {
                write!(f, "the request body did not arrive within {limit:?}")
            }
            BodyError::Busy => f.write_str("too many requests are being read; try again"),
            BodyError::Broken(why) => write!(f, "cannot read the request body: {why}"),
        }
    }
}

impl std::error::Error for BodyError {}

/// The whole body, at most `limit_bytes` of it. What arrives is charged to `reservation`, byte by byte as it is held, so
/// that a sender that only announces much takes nothing from the others.
///
/// # Errors
/// It is larger, slower than `timeout`, breaks off, or there is no room for it.
pub async fn read_body(
    body: &mut Body,
    limit_bytes: usize,
    timeout: Duration,
    reservation: Option<&mut Reservation>,
) -> Result<Bytes, BodyError> {
    let read = read_within(body, limit_bytes, reservation);
    tokio::time::timeout(timeout, read).await.unwrap_or(Err(BodyError::TooSlow(timeout)))
}

async fn read_within(
    body: &mut Body,
    limit_bytes: usize,
    mut reservation: Option<&mut Reservation>,
) -> Result<Bytes, BodyError> {
    // A body that arrives in one piece is not copied.
    let mut first = Bytes::new();
    let mut joined = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| BodyError::Broken(error.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len().max(joined.len()) + data.len() > limit_bytes {
            return Err(BodyError::TooLarge);
        }
        if let Some(reservation) = reservation.as_deref_mut() {
            reservation.grow(data.len()).await.map_err(|_| BodyError::Busy)?;
        }
        if first.is_empty() {
            first = data;
            continue;
        }
        if joined.is_empty() {
            joined.extend_from_slice(&first);
        }
        joined.extend_from_slice(&data);
    }
    Ok(if joined.is_empty() { first } else { Bytes::from(joined) })
}

/// Reads on without keeping anything, so that the client gets to see why its request was refused.
pub async fn discard(body: &mut Body) {
    let read = async {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > DISCARD_MAX_BYTES {
                break;
            }
        }
    };
    // Whether it ends or times out, the answer is sent next.
    let _ = tokio::time::timeout(DISCARD_TIMEOUT, read).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;

    async fn read(body: Body, limit_bytes: usize) -> Result<Bytes, BodyError> {
        read_body(&mut { body }, limit_bytes, Duration::from_secs(1), None).await
    }

    /// A body of several frames.
    struct Frames(Vec<Bytes>);

    impl hyper::body::Body for Frames {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _context: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
            let frame = (!self.0.is_empty()).then(|| self.0.remove(0));
            std::task::Poll::Ready(frame.map(|data| Ok(hyper::body::Frame::data(data))))
        }
    }

    #[tokio::test]
    async fn one_frame_is_not_copied_and_several_are_joined() {
        let whole = Bytes::from(vec![7; 1_000]);
        let taken = read(Body::new(Full::new(whole.clone())), 1_000).await.unwrap();
        assert_eq!(taken.as_ptr(), whole.as_ptr());
        let frames = |texts: &[&'static str]| {
            Body::new(Frames(
                texts.iter().map(|text| Bytes::from_static(text.as_bytes())).collect(),
            ))
        };
        assert_eq!(read(frames(&["", "ab", "", "c", "de"]), 5).await.unwrap(), "abcde");
        assert_eq!(read(frames(&[]), 5).await.unwrap(), "");
        assert!(matches!(read(frames(&["abc", "def"]), 5).await, Err(BodyError::TooLarge)));
    }
}

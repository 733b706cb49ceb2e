//! Accepting and serving connections: how many, how long each may take to speak, and their orderly end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt;

use super::stream::{Busy, TimedStream};
use crate::api::active::ClientAddress;

/// A request's line and headers: room for a long query in the address.
const HEAD_MAX_BYTES: usize = 16 << 10;
/// Headers of one request.
const HEADERS_MAX: usize = 64;
/// Read buffer of a connection: a usual write request of 2,000 samples arrives in one read.
const BUFFER_MAX_BYTES: usize = 64 << 10;
/// Wait after a failed accept, most likely for want of file descriptors: without it the loop would spin.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// How connections are served.
#[derive(Debug, Clone)]
pub struct ConnectionOptions {
    /// Connections at once; more wait in the kernel's queue.
    pub connections_max: usize,
    /// From the first byte of a request to the end of its head.
    pub head_timeout: Duration,
    /// Between requests of one connection. Longer than the interval of usual senders and dashboards.
    pub idle_timeout: Duration,
    /// A client that reads nothing of its answer for this long is gone.
    pub stall_timeout: Duration,
}

impl Default for ConnectionOptions {
    fn default() -> ConnectionOptions {
        ConnectionOptions {
            connections_max: 512,
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            stall_timeout: Duration::from_secs(30),
        }
    }
}

/// Serves until `stop` is done, then lets requests that have begun finish for at most `drain`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    options: ConnectionOptions,
    stop: impl Future<Output = ()>,
    drain: Duration,
) {
    let slots = Arc::new(Semaphore::new(options.connections_max));
    let open = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &slots) => accepted,
            () = &mut stop => break,
        };
        let Some((stream, peer, slot)) = accepted else { continue };
        let connection = open.watch(connection(stream, peer, router.clone(), &options));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended early");
            }
            drop(slot);
        });
    }
    drop(listener);
    if tokio::time::timeout(drain, open.shutdown()).await.is_err() {
        tracing::warn!(waited = ?drain, "requests still running at shutdown were cut off");
    }
}

/// The next connection once there is a slot for it.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = slots.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, slot)),
        Err(error) => {
            tracing::warn!(%error, "cannot accept a connection");
            tokio::time::sleep(ACCEPT_RETRY).await;
            None
        }
    }
}

/// One connection as a future that can be told to finish.
fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    options: &ConnectionOptions,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> + use<> {
    // Answers are small and complete: waiting to fill a segment only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let busy = Busy::default();
    let timed = TimedStream::new(stream, busy.clone(), options.head_timeout, options.stall_timeout);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        busy.set(true);
        request.extensions_mut().insert(ClientAddress(peer));
        let answer = router.clone().oneshot(request.map(Body::new));
        let busy = busy.clone();
        async move {
            let answer = answer.await;
            busy.set(false);
            answer as Result<_, Infallible>
        }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(options.idle_timeout)
        .max_header_size(HEAD_MAX_BYTES)
        .max_headers(HEADERS_MAX)
        .max_buf_size(BUFFER_MAX_BYTES)
        .serve_connection(TokioIo::new(timed), service)
}

//! The process around the API: listening, connections and their limits, signals, the order of starting and stopping.
//!
//! Starting: listen, answer 503, open the database, write a first record of the own metrics, be ready. Stopping:
//! no new connections, let begun requests finish, close the database.

pub mod connection;
pub mod stream;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use self::connection::{ConnectionOptions, serve};
use crate::api::{self, Api};
use crate::db::Db;

/// Requests that have begun get this long to finish; then supervisors send SIGKILL soon.
const DRAIN: Duration = Duration::from_secs(10);

/// Why the server cannot run: one line with the remedy.
#[derive(Debug)]
pub struct Fatal(pub String);

impl fmt::Display for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fatal {}

/// Runs the server until SIGTERM or SIGINT.
///
/// `open` gives the database, on a blocking thread; `recorder` starts what writes the own metrics and returns once the
/// first record is stored.
///
/// # Errors
/// The address cannot be listened on, the database cannot be opened or not be closed.
pub async fn run<R: Future<Output = ()>>(
    api: Arc<Api>,
    address: SocketAddr,
    options: ConnectionOptions,
    open: impl FnOnce() -> Result<Arc<Db>, Fatal> + Send + 'static,
    recorder: impl FnOnce(Arc<Db>, SocketAddr) -> R,
) -> Result<(), Fatal> {
    let stopping = stop_signal()?;
    let listener = listen(address).await?;
    let local = listener.local_addr().map_err(|e| Fatal(format!("cannot listen: {e}")))?;
    tracing::debug!(address = %local, "listening");
    let serving = tokio::spawn(serve(
        listener,
        api::router(api.clone()),
        options,
        announce(api.clone(), stopping.clone()),
        DRAIN,
    ));
    let opened = tokio::task::spawn_blocking(open).await;
    let db = opened.map_err(|e| Fatal(format!("opening the database stopped: {e}")))??;
    api.set_db(db.clone());
    recorder(db.clone(), local).await;
    api.set_ready();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), address = %local, "ready");
    serving.await.map_err(|e| Fatal(format!("serving stopped: {e}")))?;
    let closed = tokio::task::spawn_blocking(move || db.close()).await;
    closed
        .map_err(|e| Fatal(format!("closing the database stopped: {e}")))?
        .map_err(|e| Fatal(format!("cannot close the database cleanly: {e}")))?;
    tracing::info!("stopped");
    Ok(())
}

/// Done when the process is asked to stop; the API then answers 503 to what needs the database.
async fn announce(api: Arc<Api>, mut stopping: watch::Receiver<bool>) {
    // An error means that the sender is gone, which only happens when the process ends.
    let _ = stopping.wait_for(|stopping| *stopping).await;
    api.set_stopping();
    tracing::info!("stopping");
}

/// Turns true at SIGTERM or SIGINT.
fn stop_signal() -> Result<watch::Receiver<bool>, Fatal> {
    let listen_for = |kind| signal(kind).map_err(|e| Fatal(format!("cannot handle signals: {e}")));
    let mut terminate = listen_for(SignalKind::terminate())?;
    let mut interrupt = listen_for(SignalKind::interrupt())?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        sender.send_replace(true);
        sender.closed().await;
    });
    Ok(receiver)
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Fatal> {
    TcpListener::bind(address).await.map_err(|error| {
        let remedy = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                "; another process uses the port: stop it or choose another --web.listen-address"
            }
            std::io::ErrorKind::PermissionDenied => "; choose a port above 1023",
            _ => "",
        };
        Fatal(format!("cannot listen on {address}: {error}{remedy}"))
    })
}

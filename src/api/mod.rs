//! The Prometheus HTTP API: routes, parameters, answers. `server` feeds it requests, `telemetry` reads its metrics. Knows
//! the database as [`Db`] and queries as [`Engine`]; nothing of sockets, flags or logs' formats.
//!
//! Reading order: `mod` (state and routes), `params`, `slots`, `query`, `explain`, `parse`, `metadata`, `active`, `write`, `admin`,
//! `status`, `page`; `json`, `stats`, `error`, `body`, `budget` and `calendar` are the tools of those; `layers` is what happens
//! around every request.

pub mod active;
pub mod admin;
pub mod body;
pub mod budget;
pub mod calendar;
pub mod error;
pub mod explain;
pub mod json;
pub mod layers;
pub mod metadata;
pub mod metrics;
pub mod page;
pub mod params;
pub mod parse;
pub mod query;
pub mod slots;
pub mod stats;
pub mod status;
pub mod write;

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use tokio::sync::Semaphore;

use self::active::ActiveQueries;
use self::budget::Budget;
use self::metrics::Metrics;
use crate::db::Db;
use crate::ingest::snappy::Buffers;
use crate::model::Timestamp;
use crate::promql::engine::{Engine, EngineOptions};

/// How long a write waits for room in [`ApiOptions::write_inflight_max_bytes`] before it is turned away.
const WRITE_ROOM_WAIT: Duration = Duration::from_secs(1);

/// What the flags say to the API.
#[derive(Debug, Clone)]
pub struct ApiOptions {
    /// The longest a query may run; a request can only ask for less.
    pub query_timeout: Duration,
    /// Queries that run at once; more wait for their turn.
    pub query_concurrency_max: usize,
    /// Queries that wait; more are turned away.
    pub query_queue_max: usize,
    /// Text of one answer. It is held in full before it is sent, so that an error can still be told.
    pub response_max_bytes: usize,
    /// Compressed body of one write request.
    pub write_body_max_bytes: usize,
    /// Decoded body of one write request: Prometheus' own limit.
    pub write_decoded_max_bytes: usize,
    /// All write requests together: compressed, decoded, and what their samples take until they are stored.
    pub write_inflight_max_bytes: usize,
    /// A request body must have arrived after this.
    pub read_timeout: Duration,
    /// Origins that browsers may read answers from; none if absent.
    pub cors_origin: Option<layers::CorsOrigin>,
    /// Whether requests may force what maintenance does.
    pub admin_enabled: bool,
    /// What the flags say about retention, for the status page.
    pub retention: String,
    /// Every flag and its value, for the status page.
    pub flags: Vec<(String, String)>,
    pub engine: EngineOptions,
}

impl Default for ApiOptions {
    fn default() -> ApiOptions {
        ApiOptions {
            query_timeout: Duration::from_secs(120),
            query_concurrency_max: 20,
            query_queue_max: 100,
            response_max_bytes: 64 << 20,
            write_body_max_bytes: 8 << 20,
            write_decoded_max_bytes: 32 << 20,
            write_inflight_max_bytes: 128 << 20,
            read_timeout: Duration::from_secs(30),
            cors_origin: None,
            admin_enabled: false,
            retention: String::new(),
            flags: Vec::new(),
            engine: EngineOptions::default(),
        }
    }
}

/// Whether requests that need the database are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// The database is being opened.
    Starting,
    Ready,
    /// The server is shutting down: what has begun is finished.
    Stopping,
}

/// What all requests share.
pub struct Api {
    pub options: ApiOptions,
    pub metrics: Metrics,
    pub(crate) engine: Arc<Engine>,
    pub(crate) query_slots: Arc<Semaphore>,
    pub(crate) active: Arc<ActiveQueries>,
    pub(crate) write_budget: Budget,
    pub(crate) write_buffers: Buffers,
    /// Held while an admin request is at work.
    pub(crate) admin_turn: Arc<tokio::sync::Mutex<()>>,
    pub(crate) started: Timestamp,
    db: OnceLock<Arc<Db>>,
    phase: AtomicU8,
    exposition: OnceLock<Box<dyn Fn() -> String + Send + Sync>>,
}

impl Api {
    pub fn new(options: ApiOptions) -> Arc<Api> {
        Arc::new(Api {
            metrics: Metrics::default(),
            engine: Arc::new(Engine::new(options.engine.clone())),
            active: Arc::default(),
            query_slots: Arc::new(Semaphore::new(options.query_concurrency_max)),
            write_budget: Budget::new(options.write_inflight_max_bytes, WRITE_ROOM_WAIT),
            write_buffers: Buffers::default(),
            admin_turn: Arc::default(),
            started: now(),
            db: OnceLock::new(),
            phase: AtomicU8::new(Phase::Starting as u8),
            exposition: OnceLock::new(),
            options,
        })
    }

    /// Gives the database, once; requests use it from [`Phase::Ready`] on.
    pub fn set_db(&self, db: Arc<Db>) {
        assert!(self.db.set(db).is_ok(), "the database is given once");
    }

    /// Gives the function that writes `/metrics`, once.
    pub fn set_exposition(&self, exposition: impl Fn() -> String + Send + Sync + 'static) {
        let set = self.exposition.set(Box::new(exposition));
        assert!(set.is_ok(), "the exposition is given once");
    }

    /// The database is there and answers. Has no effect once the server is stopping.
    pub fn set_ready(&self) {
        let (from, to) = (Phase::Starting as u8, Phase::Ready as u8);
        // It fails when the server is stopping already, and then must.
        let _ = self.phase.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
    }

    /// From now on only what has begun is finished.
    pub fn set_stopping(&self) {
        self.phase.store(Phase::Stopping as u8, Ordering::Release);
    }

    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Ready,
            _ => Phase::Stopping,
        }
    }

    /// The database once it is open.
    pub fn open_db(&self) -> Option<Arc<Db>> {
        self.db.get().cloned()
    }

    /// Bodies of write requests in memory now.
    pub fn write_inflight_bytes(&self) -> usize {
        self.write_budget.used_bytes()
    }

    /// What all queries hold in memory now, or have reserved to hold.
    pub fn query_memory_bytes(&self) -> u64 {
        self.engine.pool().reserved_bytes()
    }

    /// What they may hold.
    pub fn query_memory_budget_bytes(&self) -> u64 {
        self.engine.pool().limit_bytes()
    }

    /// The database; the gate in `layers` lets no request through before there is one.
    pub(crate) fn db(&self) -> Result<&Arc<Db>, crate::read::ReadError> {
        self.db.get().ok_or(crate::read::ReadError::Closed)
    }
}

/// The clock of the API.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// All routes.
pub fn router(api: Arc<Api>) -> Router {
    let queries = Router::new()
        .route("/query", get(query::instant).post(query::instant))
        .route("/query_range", get(query::range).post(query::range))
        .route("/query_explain", get(explain::explain).post(explain::explain))
        .route("/format_query", get(parse::format_query).post(parse::format_query))
        .route("/parse_query", get(parse::parse_query).post(parse::parse_query))
        .route("/series", get(metadata::series).post(metadata::series))
        .route("/labels", get(metadata::label_names).post(metadata::label_names))
        .route("/label/{name}/values", get(metadata::label_values))
        .route("/metadata", get(metadata::metric_metadata))
        .route("/status/active_queries", get(active::list))
        .route("/status/active_queries/{id}/cancel", post(active::cancel).put(active::cancel))
        .route("/status/buildinfo", get(status::build_info))
        .route("/status/flags", get(status::flags))
        .route("/status/runtimeinfo", get(status::runtime_info))
        .layer(layers::compression());
    let versioned = queries
        .route("/write", post(write::write))
        .route("/admin/tsdb/flush", post(admin::flush).put(admin::flush))
        .route("/admin/tsdb/compact", post(admin::compact).put(admin::compact))
        .route_layer(from_fn(layers::no_head))
        .layer(from_fn_with_state(api.clone(), layers::gate));
    Router::new()
        .nest("/api/v1", versioned)
        .route("/-/ready", get(status::ready).layer(from_fn_with_state(api.clone(), layers::gate)))
        .route("/-/healthy", get(status::healthy))
        .route("/metrics", get(status::metrics).layer(layers::compression()))
        .route("/version", get(status::version))
        .route("/", get(page::page))
        .route("/static/page.js", get(page::script))
        .route("/static/page.css", get(page::style))
        .fallback(layers::not_found)
        .method_not_allowed_fallback(layers::method_not_allowed)
        .layer(from_fn_with_state(api.clone(), layers::cors))
        .layer(from_fn(layers::nosniff))
        .layer(layers::catch_panic(api.clone()))
        .layer(from_fn_with_state(api.clone(), layers::observe))
        .with_state(api)
}

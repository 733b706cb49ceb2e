//! What the API counts about itself. `telemetry` registers these under `/metrics`; the handlers count.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::error::Limit;
use crate::model::{Outcome, Reason};

/// From a cached look-up to a query at its deadline.
const DURATION_BUCKETS_SECONDS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 15.0, 60.0, 120.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// The route, not the path: paths are the client's choice and unbounded.
    pub handler: String,
    pub code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct HandlerLabel {
    pub handler: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabel {
    pub reason: &'static str,
}

/// Counters of the API; clones share them.
#[derive(Debug, Clone)]
pub struct Metrics {
    pub requests: Family<RequestLabels, Counter>,
    pub request_seconds: Family<HandlerLabel, Histogram>,
    pub panics: Counter,
    pub samples_written: Counter,
    pub samples_duplicate: Counter,
    pub samples_rejected: Family<ReasonLabel, Counter>,
    pub writes_turned_away: Family<ReasonLabel, Counter>,
    pub write_bytes: Counter,
    pub queries_running: Gauge,
    pub queries_queued: Gauge,
    pub queries_turned_away: Family<ReasonLabel, Counter>,
    pub samples_queried: Counter,
}

impl Default for Metrics {
    fn default() -> Metrics {
        let histogram: fn() -> Histogram = || Histogram::new(DURATION_BUCKETS_SECONDS);
        let metrics = Metrics {
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(histogram),
            panics: Counter::default(),
            samples_written: Counter::default(),
            samples_duplicate: Counter::default(),
            samples_rejected: Family::default(),
            writes_turned_away: Family::default(),
            write_bytes: Counter::default(),
            queries_running: Gauge::default(),
            queries_queued: Gauge::default(),
            queries_turned_away: Family::default(),
            samples_queried: Counter::default(),
        };
        // A series that starts at 0 shows its first increase to `rate`.
        for reason in Reason::ALL {
            let label = ReasonLabel { reason: reason.as_str() };
            metrics.samples_rejected.get_or_create(&label).inc_by(0);
        }
        for limit in Limit::ALL {
            let label = ReasonLabel { reason: limit.as_str() };
            metrics.queries_turned_away.get_or_create(&label).inc_by(0);
        }
        metrics
    }
}

/// Counts a running or waiting query until it is dropped.
pub struct Counted(Gauge);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    pub fn query_running(&self) -> Counted {
        self.queries_running.inc();
        Counted(self.queries_running.clone())
    }

    /// Counts one more waiting query, unless `most` do already.
    pub fn query_queued(&self, most: usize) -> Option<Counted> {
        let before = usize::try_from(self.queries_queued.inc()).unwrap_or(0);
        let counted = Counted(self.queries_queued.clone());
        (before < most).then_some(counted)
    }

    pub fn query_turned_away(&self, limit: Limit) {
        let label = ReasonLabel { reason: limit.as_str() };
        self.queries_turned_away.get_or_create(&label).inc();
    }

    /// Counts what became of the samples of a write request.
    pub fn count_outcome(&self, outcome: &Outcome) {
        self.samples_written.inc_by(outcome.written);
        self.samples_duplicate.inc_by(outcome.duplicate);
        for reason in Reason::ALL {
            let rejected = outcome.rejected[reason as usize];
            if rejected > 0 {
                let label = ReasonLabel { reason: reason.as_str() };
                self.samples_rejected.get_or_create(&label).inc_by(rejected);
            }
        }
    }

    pub fn turned_away(&self, reason: &'static str) {
        self.writes_turned_away.get_or_create(&ReasonLabel { reason }).inc();
    }

    pub fn register(&self, registry: &mut Registry) {
        let http = registry.sub_registry_with_prefix("http");
        http.register("requests", "HTTP requests by route and status", self.requests.clone());
        http.register(
            "request_duration_seconds",
            "Time from the request's head to the answer's head",
            self.request_seconds.clone(),
        );
        http.register("panics", "Requests that met a bug and got a 500", self.panics.clone());
        self.register_writes(registry.sub_registry_with_prefix("remote_write"));
        let query = registry.sub_registry_with_prefix("query");
        query.register("running", "Queries being evaluated", self.queries_running.clone());
        query.register("queued", "Queries that wait for their turn", self.queries_queued.clone());
        query.register(
            "turned_away",
            "Queries that were not answered, by the limit they went over",
            self.queries_turned_away.clone(),
        );
        query.register(
            "samples",
            "Samples in all windows of all steps of all queries",
            self.samples_queried.clone(),
        );
    }

    fn register_writes(&self, registry: &mut Registry) {
        registry.register("samples", "Samples stored", self.samples_written.clone());
        registry.register(
            "samples_duplicate",
            "Samples that were stored already with the same value",
            self.samples_duplicate.clone(),
        );
        registry.register(
            "samples_rejected",
            "Samples not stored, by reason",
            self.samples_rejected.clone(),
        );
        registry.register(
            "turned_away",
            "Write requests of which nothing was stored, by reason",
            self.writes_turned_away.clone(),
        );
        registry.register(
            "received_bytes",
            "Compressed bodies of write requests",
            self.write_bytes.clone(),
        );
    }
}

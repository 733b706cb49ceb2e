//! The registry behind `/metrics`: the API's counters, the database's, the process. Lower layers keep plain atomics; collectors here read
//! them.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::process::Process;
use super::storage::Storage;
use crate::api::Api;

/// Everything that is exposed.
pub fn registry(api: &Arc<Api>) -> Registry {
    let mut registry = Registry::default();
    let own = registry.sub_registry_with_prefix("silverback");
    let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    own.register("build", "What is running", build);
    api.metrics.register(own);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    registry.register_collector(Box::new(Storage { api: Arc::downgrade(api) }));
    registry.register_collector(Box::new(Process { start_time_seconds: now.as_secs_f64() }));
    registry
}

/// The registry in OpenMetrics text.
pub fn exposition(registry: &Registry) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = encode(&mut text, registry);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ApiOptions;
    use crate::db::{Db, Options};
    use crate::fs::sim::SimDisk;

    #[test]
    fn the_exposition_has_the_usual_names() {
        let api = Api::new(ApiOptions::default());
        api.metrics.turned_away("overloaded");
        let registry = registry(&api);
        assert!(!exposition(&registry).contains("silverback_head_series"), "not open yet");
        let disk = Arc::new(SimDisk::new());
        api.set_db(Db::open(Options { disk, ..Options::new("data") }).unwrap());
        let text = exposition(&registry);
        for line in [
            "silverback_build_info{version=\"",
            "silverback_remote_write_samples_total 0",
            "silverback_remote_write_samples_rejected_total{reason=\"duplicate_sample\"} 0",
            "silverback_remote_write_turned_away_total{reason=\"overloaded\"} 1",
            "silverback_query_running 0",
            "silverback_query_queued 0",
            "silverback_query_turned_away_total{reason=\"queue_full\"} 0",
            "silverback_query_memory_bytes 0",
            "silverback_query_memory_budget_bytes ",
            "silverback_remote_write_inflight_bytes 0",
            "silverback_head_series 0",
            "silverback_wal_syncs_total ",
            "silverback_wal_read_only 0",
            "silverback_recovery_damages 0",
            "process_cpu_seconds_total ",
            "process_resident_memory_bytes ",
        ] {
            assert!(text.lines().any(|l| l.starts_with(line)), "{line} is not in {text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}

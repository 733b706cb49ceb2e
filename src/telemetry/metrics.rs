//! The registry behind `/metrics`: the API's counters and the process. Lower layers keep plain atomics; collectors here read
//! them.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::process::Process;
use crate::api::metrics::Metrics;

/// Everything that is exposed.
pub fn registry(api: &Metrics) -> Registry {
    let mut registry = Registry::default();
    let own = registry.sub_registry_with_prefix("silverback");
    let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    own.register("build", "What is running", build);
    api.register(own);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
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

    #[test]
    fn the_exposition_has_the_usual_names() {
        let metrics = Metrics::default();
        metrics.turned_away("overloaded");
        let text = exposition(&registry(&metrics));
        for line in [
            "silverback_build_info{version=\"",
            "silverback_remote_write_samples_total 0",
            "silverback_remote_write_samples_rejected_total{reason=\"duplicate_sample\"} 0",
            "silverback_remote_write_turned_away_total{reason=\"overloaded\"} 1",
            "silverback_query_running 0",
            "process_cpu_seconds_total ",
            "process_resident_memory_bytes ",
        ] {
            assert!(text.lines().any(|l| l.starts_with(line)), "{line} is not in {text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}

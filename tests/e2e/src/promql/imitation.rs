//! Series like those of the recording, where that is not there: the same metrics with the same labels, other values.

use super::samples::{counter, gauge, series};
use crate::remote_write::Series;

const NODE: [(&str, &str); 2] = [("instance", "127.0.0.1:9100"), ("job", "node")];
const TARGETS: [[(&str, &str); 2]; 4] = [
    NODE,
    [("instance", "127.0.0.1:9091"), ("job", "prometheus")],
    [("instance", "127.0.0.1:9092"), ("job", "prometheus")],
    [("instance", "127.0.0.1:9093"), ("job", "alertmanager")],
];
/// Never, as one in so many.
const NEVER: u64 = u64::MAX;

/// All series.
pub fn all() -> Vec<Series> {
    [host(), cpus(), devices(), targets(), histograms()].into_iter().flatten().collect()
}

fn with<'a>(labels: &[(&'a str, &'a str)], more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [labels, more].concat()
}

fn host() -> Vec<Series> {
    let mut all = Vec::new();
    for (name, middle, width) in [
        ("node_load1", 2.0, 2),
        ("node_load5", 2.5, 1),
        ("node_load15", 2.25, 1),
        ("node_memory_MemFree_bytes", 3e9, 1_000_000),
        ("node_memory_MemAvailable_bytes", 8e9, 1_000_000),
    ] {
        all.push(series(name, &NODE, gauge(middle, width)));
    }
    all.push(series("node_memory_MemTotal_bytes", &NODE, |_, _| Some(25e9)));
    all.push(series("node_boot_time_seconds", &NODE, |_, _| Some(1_709_163_966.0)));
    all.push(series("node_context_switches_total", &NODE, counter(1_215_545, 90_000, NEVER)));
    let uname = with(&NODE, &[("nodename", "host"), ("release", "6.1"), ("sysname", "Linux")]);
    all.push(series("node_uname_info", &uname, |_, _| Some(1.0)));
    all
}

fn cpus() -> Vec<Series> {
    let mut all = Vec::new();
    for cpu in ["0", "1"] {
        for (mode, growth) in [
            ("idle", 900),
            ("iowait", 9),
            ("irq", 1),
            ("nice", 1),
            ("softirq", 6),
            ("system", 80),
            ("user", 600),
        ] {
            let labels = with(&NODE, &[("cpu", cpu), ("mode", mode)]);
            let mut hundredths = counter(growth * 75, growth, NEVER);
            all.push(series("node_cpu_seconds_total", &labels, move |scrape, random| {
                hundredths(scrape, random).map(|value| value / 100.0)
            }));
        }
    }
    all
}

fn devices() -> Vec<Series> {
    let mut all = Vec::new();
    for (device, growth) in [("vda", 40_000_000), ("zram0", 1)] {
        let labels = with(&NODE, &[("device", device)]);
        for name in ["node_disk_read_bytes_total", "node_disk_written_bytes_total"] {
            all.push(series(name, &labels, counter(growth * 50, growth, NEVER)));
        }
    }
    for device in ["lo", "eth0", "docker0"] {
        let labels = with(&NODE, &[("device", device)]);
        for name in ["node_network_receive_bytes_total", "node_network_transmit_bytes_total"] {
            all.push(series(name, &labels, counter(9_000_000, 500_000, NEVER)));
        }
    }
    for (device, mountpoint) in [("/dev/vda", "/"), ("tmpfs", "/run"), ("tmpfs", "/tmp")] {
        let labels = with(&NODE, &[("device", device), ("mountpoint", mountpoint)]);
        all.push(series("node_filesystem_avail_bytes", &labels, gauge(2e10, 90_000_000)));
        all.push(series("node_filesystem_size_bytes", &labels, |_, _| Some(2.7e11)));
    }
    all
}

fn targets() -> Vec<Series> {
    let mut all = Vec::new();
    for target in TARGETS {
        all.push(series("up", &target, |_, random| Some(f64::from(random.below(40) > 0))));
        all.push(series("scrape_duration_seconds", &target, gauge(1.0, 1)));
        all.push(series("go_goroutines", &target, |_, random| Some(50.0 + random.below(9) as f64)));
        all.push(series("process_resident_memory_bytes", &target, gauge(1e8, 1_000_000)));
        all.push(series("process_cpu_seconds_total", &target, counter(3, 4, NEVER)));
        all.push(series("go_gc_duration_seconds_count", &target, counter(6, 2, NEVER)));
        all.push(series("go_gc_duration_seconds_sum", &target, counter(1, 3, NEVER)));
        for quantile in ["0", "0.25", "0.5", "0.75", "1"] {
            let labels = with(&target, &[("quantile", quantile)]);
            all.push(series("go_gc_duration_seconds", &labels, gauge(0.5, 1)));
        }
    }
    all
}

fn histograms() -> Vec<Series> {
    let mut all = Vec::new();
    let histograms = [
        (
            "alertmanager_http_request_duration_seconds",
            &TARGETS[3],
            &["0.05", "0.1", "0.25", "1", "+Inf"],
        ),
        (
            "prometheus_remote_storage_sent_batch_duration_seconds",
            &TARGETS[1],
            &["0.005", "0.05", "0.5", "5", "+Inf"],
        ),
        (
            "prometheus_remote_storage_sent_batch_duration_seconds",
            &TARGETS[2],
            &["0.005", "0.05", "0.5", "5", "+Inf"],
        ),
    ];
    for (name, target, bounds) in histograms {
        for (place, bound) in bounds.iter().enumerate() {
            let labels = with(target, &[("le", bound)]);
            all.push(series(&format!("{name}_bucket"), &labels, move |scrape, _| {
                Some((5 + scrape * (place as i64 + 12) + scrape / (7 - place as i64)) as f64)
            }));
        }
        if name.starts_with("alertmanager") {
            all.push(series(&format!("{name}_count"), target, |scrape, _| {
                Some(5.0 + scrape as f64 * 18.0)
            }));
            all.push(series(&format!("{name}_sum"), target, |scrape, _| {
                Some(0.5 + scrape as f64 / 8.0)
            }));
        }
    }
    all
}

//! What the kernel says about this process, under the names all Prometheus clients use.
#![expect(
    clippy::disallowed_methods,
    reason = "/proc is not data: it does not go through the disk"
)]

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Clock ticks per second in `/proc/self/stat`: 100 on every Linux that user space sees.
const TICKS_PER_SECOND: f64 = 100.0;
/// Pages of `/proc/self/statm` on the machines this is built for.
const PAGE_BYTES: f64 = 4096.0;

/// Reads `/proc` at every scrape; what cannot be read is left out.
#[derive(Debug)]
pub struct Process {
    pub start_time_seconds: f64,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        if let Some(seconds) = cpu_seconds() {
            let help = "User and system CPU time.";
            put(&mut encoder, "process_cpu_seconds", help, &ConstCounter::new(seconds))?;
        }
        let gauges = [
            ("process_resident_memory_bytes", "Resident memory.", resident_bytes()),
            ("process_open_fds", "Open file descriptors.", open_fds()),
            ("process_max_fds", "Limit on open file descriptors.", max_fds()),
            ("process_threads", "Threads.", threads()),
            (
                "process_start_time_seconds",
                "Start of the process since the epoch.",
                Some(self.start_time_seconds),
            ),
        ];
        for (name, help, value) in gauges {
            if let Some(value) = value {
                put(&mut encoder, name, help, &ConstGauge::new(value))?;
            }
        }
        Ok(())
    }
}

/// Writes one metric without labels.
pub fn put(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    metric: &impl TypedMetric,
) -> Result<(), std::fmt::Error> {
    let encoder = encoder.encode_descriptor(name, help, None, metric.kind())?;
    metric.encode(encoder)
}

/// A metric whose type can be named without the private trait of the library.
pub trait TypedMetric: EncodeMetric {
    fn kind(&self) -> MetricType;
}

impl TypedMetric for ConstCounter<f64> {
    fn kind(&self) -> MetricType {
        MetricType::Counter
    }
}

impl TypedMetric for ConstGauge<f64> {
    fn kind(&self) -> MetricType {
        MetricType::Gauge
    }
}

/// The fields of `/proc/self/stat` after the command, which may hold spaces; the first is number 3 of the manual.
fn stat_field(number: usize) -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(number - 3)?.parse().ok()
}

fn cpu_seconds() -> Option<f64> {
    Some((stat_field(14)? + stat_field(15)?) / TICKS_PER_SECOND)
}

fn threads() -> Option<f64> {
    stat_field(20)
}

fn resident_bytes() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: f64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * PAGE_BYTES)
}

fn open_fds() -> Option<f64> {
    // Reading the directory opens one more.
    Some((std::fs::read_dir("/proc/self/fd").ok()?.count() as f64 - 1.0).max(0.0))
}

fn max_fds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = text.lines().find(|line| line.starts_with("Max open files"))?;
    line.split_ascii_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells() {
        assert!(resident_bytes().unwrap() > 1e6);
        assert!(cpu_seconds().unwrap() < 1e6);
        assert!(open_fds().unwrap() >= 3.0 && max_fds().unwrap() >= open_fds().unwrap());
        assert!(threads().unwrap() >= 1.0);
    }
}

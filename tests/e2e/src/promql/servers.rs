//! Silverback and Prometheus with the same samples.

use std::path::Path;
use std::time::Instant;

use super::samples::{BEGIN_MS, MINUTE_MS};
use crate::Options;
use crate::client::Client;
use crate::http;
use crate::process::{Process, find, free_address};
use crate::remote_write::{self, Series};

/// One request has the samples of so long a time: Prometheus takes what is at most an hour behind the newest.
const REQUEST_MS: i64 = 10 * MINUTE_MS;
/// The samples are of long ago, and neither server may drop them.
const RETENTION: &str = "--storage.tsdb.retention.time=100y";

/// Both servers, each with a connection.
pub struct Pair {
    processes: [Process; 2],
    addresses: [String; 2],
    pub ours: Client,
    pub theirs: Client,
}

impl Pair {
    pub fn start(options: &Options) -> Result<Pair, String> {
        let scratch = options.scratch.join("promql");
        std::fs::create_dir_all(&scratch).map_err(|e| e.to_string())?;
        let addresses = [free_address()?, free_address()?];
        let mut processes = [
            silverback(&options.binary, &addresses[0], &scratch)?,
            prometheus(&addresses[1], &scratch)?,
        ];
        for (process, address) in processes.iter_mut().zip(&addresses) {
            process.wait_ready(address, "/-/ready")?;
        }
        let [ours, theirs] = [Client::new(&addresses[0]), Client::new(&addresses[1])];
        Ok(Pair { processes, addresses, ours, theirs })
    }

    /// Sends all samples to both, and says how many.
    pub fn load(&mut self, all: &[Series]) -> Result<String, String> {
        let begun = Instant::now();
        let last_ms = all.iter().flat_map(|series| series.samples.last()).map(|(t, _)| *t).max();
        let mut from_ms = BEGIN_MS;
        while last_ms.is_some_and(|last_ms| from_ms <= last_ms) {
            let part = part(all, from_ms, from_ms + REQUEST_MS);
            let body = remote_write::body(&part);
            for address in &self.addresses {
                let answer = http::remote_write(address, &body).map_err(|e| e.to_string())?;
                if !matches!(answer.status, 200..=299) {
                    return Err(format!("{address}: status {}: {}", answer.status, answer.text()));
                }
            }
            from_ms += REQUEST_MS;
        }
        let samples: usize = all.iter().map(|series| series.samples.len()).sum();
        Ok(format!("{} series, {samples} samples, in {:.0?}", all.len(), begun.elapsed()))
    }

    pub fn check_running(&mut self) -> Result<(), String> {
        self.processes.iter_mut().try_for_each(Process::check_running)
    }
}

/// The samples of a time.
fn part(all: &[Series], from_ms: i64, until_ms: i64) -> Vec<Series> {
    let cut = all.iter().map(|series| Series {
        labels: series.labels.clone(),
        samples: series
            .samples
            .iter()
            .filter(|(timestamp_ms, _)| (from_ms..until_ms).contains(timestamp_ms))
            .copied()
            .collect(),
    });
    cut.filter(|series| !series.samples.is_empty()).collect()
}

fn silverback(binary: &Path, address: &str, scratch: &Path) -> Result<Process, String> {
    let args = [
        format!("--storage.tsdb.path={}", scratch.join("silverback").display()),
        format!("--web.listen-address={address}"),
        RETENTION.to_string(),
        "--telemetry.self-record=false".to_string(),
        "--enable-feature=promql-experimental-functions".to_string(),
    ];
    Process::start(binary, &args, &scratch.join("silverback.log"))
}

fn prometheus(address: &str, scratch: &Path) -> Result<Process, String> {
    let config = scratch.join("prometheus.yml");
    std::fs::write(&config, "global: {evaluation_interval: 1m}\n").map_err(|e| e.to_string())?;
    let args = [
        format!("--config.file={}", config.display()),
        format!("--storage.tsdb.path={}", scratch.join("prometheus").display()),
        format!("--web.listen-address={address}"),
        RETENTION.to_string(),
        "--web.enable-remote-write-receiver".to_string(),
    ];
    Process::start(&find(&["prometheus"])?, &args, &scratch.join("prometheus.log"))
}

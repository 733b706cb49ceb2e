//! The servers of the query benchmark: Silverback twice, once with the samples as they came and once with all of them in
//! blocks, and the peers, each with what it keeps of earlier answers turned off.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::Options;
use crate::client::Client;
use crate::http;
use crate::process::{Process, find, free_address, silverback, silverback_in};

/// Longest time the peer's merges may take after loading.
const MERGES_MAX: Duration = Duration::from_secs(300);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Silverback with the samples in memory and, where those are too many, in spills of the open window.
    Head,
    /// Silverback after a flush and a compaction.
    Blocks,
    Prometheus,
    VictoriaMetrics,
}

impl Kind {
    pub fn peer(name: &str) -> Result<Kind, String> {
        match name {
            "prometheus" => Ok(Kind::Prometheus),
            "victoria-metrics" => Ok(Kind::VictoriaMetrics),
            _ => Err(format!("no peer {name:?}: prometheus or victoria-metrics")),
        }
    }

    pub fn is_peer(self) -> bool {
        matches!(self, Kind::Prometheus | Kind::VictoriaMetrics)
    }

    pub fn name(self) -> &'static str {
        match self {
            Kind::Head => "head",
            Kind::Blocks => "blocks",
            Kind::Prometheus => "prometheus",
            Kind::VictoriaMetrics => "victoria-metrics",
        }
    }
}

/// A running server and the connection to it.
pub struct Server {
    pub kind: Kind,
    pub process: Process,
    pub address: String,
    pub client: Client,
}

impl Server {
    /// `window_end_ms` is where the samples will end.
    pub fn start(
        kind: Kind,
        options: &Options,
        window_end_ms: i64,
        scratch: &Path,
    ) -> Result<Server, String> {
        let address = free_address()?;
        let (data, log) = (scratch.join(kind.name()), scratch.join(format!("{}.log", kind.name())));
        let (mut process, ready) = match kind {
            Kind::Head => {
                let environment = stopped_clock(window_end_ms);
                let process = silverback_in(&options.binary, &data, &address, &environment, &log)?;
                (process, "/-/ready")
            }
            Kind::Blocks => (silverback(&options.binary, &data, &address, &log)?, "/-/ready"),
            Kind::Prometheus => (prometheus(scratch, &data, &address, &log)?, "/-/ready"),
            Kind::VictoriaMetrics => (victoria_metrics(&data, &address, &log)?, "/health"),
        };
        process.wait_ready(&address, ready)?;
        println!("{} is process {} at {address}", kind.name(), process.pid());
        let client = Client::new(&address);
        Ok(Server { kind, process, address, client })
    }

    /// After loading: brings the samples to where they are to be measured.
    pub fn settle(&mut self) -> Result<(), String> {
        match self.kind {
            Kind::Head | Kind::Prometheus => Ok(()),
            Kind::Blocks => {
                self.client.post("/api/v1/admin/tsdb/flush", &[])?;
                self.client.post("/api/v1/admin/tsdb/compact", &[]).map(drop)
            }
            Kind::VictoriaMetrics => {
                self.client.post("/internal/force_flush", &[])?;
                self.client.post("/internal/force_merge", &[])?;
                self.wait_for_merges()
            }
        }
    }

    fn wait_for_merges(&self) -> Result<(), String> {
        let begun = Instant::now();
        while begun.elapsed() < MERGES_MAX {
            std::thread::sleep(Duration::from_secs(2));
            let metrics = http::get(&self.address, "/metrics").map_err(|e| e.to_string())?.text();
            let mut active = metrics.lines().filter(|line| line.starts_with("vm_active_merges{"));
            if active.all(|line| line.ends_with(" 0")) {
                return Ok(());
            }
        }
        Err(format!("merges go on after {MERGES_MAX:?}"))
    }
}

/// Where Debian's package `libfaketime` puts it.
const LIBRARIES: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
];

/// The library that can stop a server's clock: `FAKETIME_LIBRARY` if it is set, else where it is installed.
pub fn clock_library() -> Option<PathBuf> {
    let told = std::env::var_os("FAKETIME_LIBRARY").map(PathBuf::from);
    told.or_else(|| LIBRARIES.iter().map(PathBuf::from).find(|path| path.is_file()))
}

/// A window that is over is cut to a block ten minutes later, and samples that come later still are on their way to one. So the
/// clock of the server that is to hold them as the head does stands still, a second before the window ends. Time that is
/// measured in the server goes on.
fn stopped_clock(window_end_ms: i64) -> Vec<(&'static str, String)> {
    let Some(library) = clock_library() else { return Vec::new() };
    vec![
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME_FMT", "%s".to_string()),
        ("FAKETIME", (window_end_ms / 1000 - 1).to_string()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_string()),
    ]
}

fn prometheus(scratch: &Path, data: &Path, address: &str, log: &Path) -> Result<Process, String> {
    let config = scratch.join("prometheus.yml");
    std::fs::write(&config, "global: {}\n").map_err(|e| e.to_string())?;
    let args = [
        format!("--config.file={}", config.display()),
        format!("--storage.tsdb.path={}", data.display()),
        format!("--web.listen-address={address}"),
        "--web.enable-remote-write-receiver".to_string(),
        "--storage.tsdb.retention.time=30d".to_string(),
        "--query.max-samples=2000000000".to_string(),
        "--query.timeout=15m".to_string(),
    ];
    Process::start(&find(&["prometheus"])?, &args, log)
}

fn victoria_metrics(data: &Path, address: &str, log: &Path) -> Result<Process, String> {
    let args = [
        format!("-storageDataPath={}", data.display()),
        format!("-httpListenAddr={address}"),
        "-retentionPeriod=12".to_string(),
        "-search.disableCache".to_string(),
        "-search.latencyOffset=0s".to_string(),
        "-search.maxUniqueTimeseries=10000000".to_string(),
        "-search.maxPointsPerTimeseries=1000000".to_string(),
        "-search.maxQueryDuration=15m".to_string(),
        "-http.connTimeout=12h".to_string(),
        "-http.idleConnTimeout=12h".to_string(),
    ];
    Process::start(&find(&["victoria-metrics", "victoria-metrics-prod"])?, &args, log)
}

//! The real peer: node_exporter, Prometheus (which scrapes both every second, keeps what it scrapes and sends it by remote
//! write) and Silverback. Both are asked the same; then Silverback is killed under load and started again, and must hold
//! exactly the samples Prometheus holds.
//!
//! Prometheus 2.42 includes the left edge of a range, 3.x does not. The times asked lie at millisecond offsets that no
//! sample has, so that no sample ever lies on an edge; nothing else is excused.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Options;
use crate::compare::{identical, same};
use crate::crash::load_until;
use crate::forced::Forced;
use crate::http::api;
use crate::kill::now_ms;
use crate::oracle::Oracle;
use crate::process::{Process, find, free_address, silverback};
use crate::queries::{INSTANT_ONLY, QUERIES};
use crate::report::Report;

/// How far behind now the questions are, so that remote write has delivered.
const DELIVERY_MS: i64 = 8_000;
/// Prometheus begins to scrape this soon.
const FIRST_SCRAPE_MAX: Duration = Duration::from_secs(30);
/// Prometheus must have caught up after the restart this soon.
const CATCH_UP_MAX: Duration = Duration::from_secs(90);
/// The server is away for this long.
const OUTAGE: Duration = Duration::from_secs(4);
/// Resolution of the range queries, in seconds: whole, so that every step has the same millisecond offset.
const RANGE_STEP: &str = "3";
/// Subqueries evaluate at whole seconds: no scrape may be this close to one, or a sample could lie on an edge.
const WHOLE_SECOND_DISTANCE_MS: i64 = 50;
/// The millisecond offset of a scrape follows from the address; other ports are tried until all are far enough.
const START_TRIES: u32 = 10;

/// The three running programs.
struct Peers {
    ours: Process,
    _prometheus: Process,
    _node_exporter: Process,
    address: String,
    prometheus_address: String,
    data: PathBuf,
    log: PathBuf,
}

impl Peers {
    fn start(options: &Options, scratch: &Path) -> Result<Peers, String> {
        std::fs::create_dir_all(scratch).map_err(|e| e.to_string())?;
        let (address, prometheus_address, node) =
            (free_address()?, free_address()?, free_address()?);
        let (data, log) = (scratch.join("silverback"), scratch.join("silverback.log"));
        let mut ours = silverback(&options.binary, &data, &address, &log)?;
        ours.wait_ready(&address, "/-/ready")?;
        let exporter = find(&["prometheus-node-exporter", "node_exporter"])?;
        let listen = format!("--web.listen-address={node}");
        let mut node_exporter = Process::start(&exporter, &[listen], &scratch.join("node.log"))?;
        node_exporter.wait_ready(&node, "/metrics")?;
        let config = scratch.join("prometheus.yml");
        std::fs::write(&config, prometheus_config(&address, &prometheus_address, &node))
            .map_err(|e| e.to_string())?;
        let args = [
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", scratch.join("prometheus").display()),
            format!("--web.listen-address={prometheus_address}"),
        ];
        let program = find(&["prometheus"])?;
        let mut prometheus = Process::start(&program, &args, &scratch.join("prometheus.log"))?;
        prometheus.wait_ready(&prometheus_address, "/-/ready")?;
        Ok(Peers {
            ours,
            _prometheus: prometheus,
            _node_exporter: node_exporter,
            address,
            prometheus_address,
            data,
            log,
        })
    }

    /// The same question to both.
    fn both(&self, path: &str, form: &[(&str, &str)]) -> Result<(Value, Value), String> {
        let ours = api(&self.address, path, form).map_err(|e| format!("silverback: {e}"))?;
        let theirs =
            api(&self.prometheus_address, path, form).map_err(|e| format!("prometheus: {e}"))?;
        Ok((ours, theirs))
    }
}

fn prometheus_config(ours: &str, own: &str, node: &str) -> String {
    format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
         scrape_configs:\n\
         - {{job_name: node, static_configs: [{{targets: ['{node}']}}]}}\n\
         - {{job_name: prometheus, static_configs: [{{targets: ['{own}']}}]}}\n\
         remote_write:\n\
         - url: http://{ours}/api/v1/write\n\
         \x20 queue_config: {{batch_send_deadline: 1s}}\n"
    )
}

fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// The millisecond offsets at which the targets are scraped, sorted.
fn scrape_offsets(prometheus: &str, ms: i64) -> Result<Vec<i64>, String> {
    let form = [("query", "timestamp(up)"), ("time", &*seconds(ms))];
    let data = api(prometheus, "/api/v1/query", &form)?;
    let empty = Vec::new();
    let mut offsets: Vec<i64> = data["result"]
        .as_array()
        .unwrap_or(&empty)
        .iter()
        .filter_map(|e| e["value"][1].as_str()?.parse::<f64>().ok())
        .map(|s| ((s * 1000.0).round() as i64).rem_euclid(1000))
        .collect();
    offsets.sort_unstable();
    Ok(offsets)
}

/// A time near `ms` whose millisecond offset is far from those of all scrapes.
fn between_scrapes(peers: &Peers, ms: i64) -> Result<i64, String> {
    let offsets = scrape_offsets(&peers.prometheus_address, ms)?;
    let first = *offsets.first().ok_or("nothing was scraped")?;
    // The middle of the widest gap on the circle of a second.
    let next = offsets.iter().skip(1).copied().chain([first + 1000]);
    let widest = offsets.iter().copied().zip(next).max_by_key(|(a, b)| b - a);
    let middle = widest.map_or(0, |(a, b)| (a + b) / 2).rem_euclid(1000);
    Ok(ms - ms.rem_euclid(1000) + middle)
}

/// Waits until both targets were scraped: Prometheus takes some seconds to begin.
fn first_scrapes(peers: &Peers) -> Result<Vec<i64>, String> {
    let start = Instant::now();
    while start.elapsed() < FIRST_SCRAPE_MAX {
        let offsets = scrape_offsets(&peers.prometheus_address, now_ms())?;
        if offsets.len() == 2 {
            return Ok(offsets);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Err(format!("Prometheus has not scraped its two targets within {FIRST_SCRAPE_MAX:?}"))
}

/// Starts the peers anew until no target is scraped close to a whole second.
fn start_off_whole_seconds(options: &Options) -> Result<Peers, String> {
    for attempt in 0..START_TRIES {
        let peers = Peers::start(options, &options.scratch.join(format!("peer-{attempt}")))?;
        let near = WHOLE_SECOND_DISTANCE_MS;
        if first_scrapes(&peers)?.iter().all(|o| (near..1000 - near).contains(o)) {
            return Ok(peers);
        }
    }
    Err(format!("after {START_TRIES} starts a target is still scraped at whole seconds"))
}

fn compare_queries(peers: &Peers, report: &mut Report) -> Result<(), String> {
    let at = between_scrapes(peers, now_ms() - DELIVERY_MS)?;
    let time = seconds(at);
    // Away from the steps of the subqueries, too: those are whole seconds.
    let start = seconds(at - 20_000);
    for query in QUERIES.iter().chain(INSTANT_ONLY) {
        let form = [("query", *query), ("time", &*time)];
        let result = peers.both("/api/v1/query", &form).and_then(|(a, b)| same(&a, &b));
        report.check(&format!("instant {query}"), result.map(|n| format!("{n} points")));
    }
    for query in QUERIES {
        let form = [("query", *query), ("start", &*start), ("end", &*time), ("step", RANGE_STEP)];
        let result = peers.both("/api/v1/query_range", &form).and_then(|(a, b)| same(&a, &b));
        report.check(&format!("range {query}"), result.map(|n| format!("{n} points")));
    }
    for (name, path, form) in [
        ("label names", "/api/v1/labels", vec![("start", &*start), ("end", &*time)]),
        ("series", "/api/v1/series", vec![("match[]", "up"), ("start", &*start), ("end", &*time)]),
    ] {
        let result = peers.both(path, &form).and_then(|(ours, theirs)| match ours == theirs {
            true => Ok(String::new()),
            false => Err(format!("{ours} instead of {theirs}")),
        });
        report.check(name, result);
    }
    Ok(())
}

/// Every sample of the last `window_s` seconds before `at`, exactly.
fn compare_samples(peers: &Peers, at: i64, window_s: i64) -> Result<usize, String> {
    let query = format!("{{job=~\".+\"}}[{window_s}s]");
    let form = [("query", &*query), ("time", &*seconds(at))];
    let (ours, theirs) = peers.both("/api/v1/query", &form)?;
    identical(&ours, &theirs)
}

/// kill -9 while Prometheus and the oracle's writers send; start again; wait until Prometheus has delivered.
fn kill_and_compare(peers: &mut Peers, options: &Options) -> Result<String, String> {
    let began = now_ms() - options.seconds as i64 * 1000;
    let oracle = Oracle::new(&options.scratch.join("acknowledged"), now_ms())?;
    let oracle = Mutex::new(oracle);
    let address = peers.address.clone();
    let forced = Forced::new(now_ms() as u64 | 1);
    load_until(&address, &oracle, &forced, |_| {
        std::thread::sleep(Duration::from_secs(2));
        peers.ours.kill();
    })?;
    std::thread::sleep(OUTAGE);
    peers.ours = silverback(&options.binary, &peers.data, &peers.address, &peers.log)?;
    let ready = peers.ours.wait_ready(&peers.address, "/-/ready")?;
    let oracle_samples = crate::kill::verify(&oracle, &peers.address, 1)?;
    let at = between_scrapes(peers, now_ms())?;
    let window_s = (at - began) / 1000;
    let start = Instant::now();
    loop {
        std::thread::sleep(Duration::from_secs(1));
        match compare_samples(peers, at, window_s) {
            Ok(samples) => {
                return Ok(format!(
                    "{samples} samples of {window_s} s identical, {oracle_samples} of the writers, ready after {ready:?}, {}, caught up after {:?}",
                    forced.summary(),
                    start.elapsed()
                ));
            }
            Err(error) if start.elapsed() > CATCH_UP_MAX => return Err(error),
            Err(_) => {}
        }
    }
}

pub fn run(options: &Options, report: &mut Report) {
    let mut peers = match start_off_whole_seconds(options) {
        Ok(peers) => peers,
        Err(error) => return report.check("starting the peers", Err(error)),
    };
    println!("peers run for {} s", options.seconds);
    std::thread::sleep(Duration::from_secs(options.seconds));
    if let Err(error) = compare_queries(&peers, report) {
        report.check("asking both", Err(error));
    }
    let at = between_scrapes(&peers, now_ms() - DELIVERY_MS);
    let exact = at.and_then(|at| compare_samples(&peers, at, options.seconds as i64));
    report.check("samples before the kill", exact.map(|n| format!("{n} identical")));
    let result = kill_and_compare(&mut peers, options);
    report.check("kill -9 under load, samples after catching up", result);
    let stopped = peers.ours.terminate().and_then(|code| match code {
        0 => Ok(String::new()),
        code => Err(format!("exit code {code}")),
    });
    report.check("SIGTERM", stopped);
}

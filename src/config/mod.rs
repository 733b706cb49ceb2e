//! The flags: Prometheus' names where it has them, with units, defaults and reasons in `--help`. Turns them into the options of
//! the parts; used by `main` only. `values` reads those that are not plain words, `memory` asks the kernel what a percentage of
//! memory is.

pub mod memory;
pub mod values;

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, ValueEnum};

use crate::api::ApiOptions;
use crate::api::layers::CorsOrigin;
use crate::api::write::DECODED_LIMIT_MAX_BYTES;
use crate::db::options::{MEMORY_BUDGET_DEFAULT_BYTES, Options, RetentionSize};
use crate::model::time::DAY_MS;
use crate::promql::engine::{self, EngineOptions};
use crate::server::connection::ConnectionOptions;
use values::{SizeOrPercent, duration, duration_or_zero, size, size_or_percent};

/// Features of the language that are off unless named, and one that is always on but accepted by name.
const FEATURES: [&str; 6] = [
    "promql-experimental-functions",
    "promql-delayed-name-removal",
    "promql-extended-range-selectors",
    "promql-binop-fill-modifiers",
    "use-start-timestamps",
    "promql-duration-expr",
];

/// How long samples are kept if nothing is said about time or size. Prometheus' default.
const RETENTION_DEFAULT: &str = "15d";
const RETENTION_DEFAULT_MS: i64 = 15 * DAY_MS;

/// With less the first requests are refused already: an empty database and the buffers of one large request take some.
const MEMORY_BUDGET_MIN_BYTES: usize = 16 << 20;

/// With less, small queries of one dashboard are in each other's way.
const QUERY_BUDGET_MIN_BYTES: u64 = 16 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Logfmt,
    Json,
}

/// Time-series metrics database: Prometheus remote write in, PromQL over the Prometheus HTTP API out.
///
/// Every sample that was acknowledged is on disk. Durations are written like 15d or 1h30m (units y w d h m s ms), sizes
/// like 8MiB (units B KiB MiB GiB TiB PiB EiB; KB, MB and so on mean the same powers of 1024, as in Prometheus).
#[derive(Debug, Clone, Parser)]
#[command(name = "silverback", version, max_term_width = 110)]
pub struct Config {
    /// Directory of the data; created if missing, used by one process at a time
    #[arg(long = "storage.tsdb.path", value_name = "DIR", default_value = "./data")]
    #[arg(help_heading = "Storage")]
    pub path: PathBuf,

    /// How long samples are kept: older ones are deleted, a whole block at a time, and refused when they are written. 0 or
    /// absent: 15d, or for ever if --storage.tsdb.retention.size is given
    #[arg(long = "storage.tsdb.retention.time", value_name = "DURATION")]
    #[arg(help_heading = "Storage", value_parser = duration_or_zero)]
    pub retention_time: Option<Duration>,

    /// How much all files of the database may take together, as a size or like 80% of the size of the file system they
    /// are on: beyond it the oldest blocks are deleted. 0 or absent: no limit
    #[arg(long = "storage.tsdb.retention.size", value_name = "SIZE")]
    #[arg(help_heading = "Storage", value_parser = size_or_percent)]
    pub retention_size: Option<SizeOrPercent>,

    /// How old a sample may be when it is written; older ones get 400. In between samples are taken in any order.
    /// Absent: as old as samples are kept (Prometheus: 0, which takes them in order only)
    #[arg(long = "storage.tsdb.out-of-order-time-window", value_name = "DURATION")]
    #[arg(help_heading = "Storage", value_parser = duration)]
    pub out_of_order_window: Option<Duration>,

    /// Memory for samples and series, as a size or a percentage of what the machine or the control group has, at least
    /// 16MiB. Samples leave memory early when it becomes scarce; if that is not enough, writes get 503 and Retry-After
    #[arg(long = "storage.memory-budget", value_name = "SIZE", default_value = "40%")]
    #[arg(help_heading = "Storage", value_parser = size_or_percent)]
    pub memory_budget: SizeOrPercent,

    /// Largest compressed body of one write request; larger ones get 413. Stock senders stay below 1 MiB
    #[arg(long = "storage.remote-write.max-body-bytes", value_name = "SIZE")]
    #[arg(help_heading = "Storage", default_value = "8MiB", value_parser = size)]
    pub write_body_max: usize,

    /// Largest body of one write request after decompression; larger ones get 400. Prometheus has the same limit. At most
    /// 49MiB, so that a request always fits a record of the log
    #[arg(long = "storage.remote-write.max-decoded-bytes", value_name = "SIZE")]
    #[arg(help_heading = "Storage", default_value = "32MiB", value_parser = size)]
    pub write_decoded_max: usize,

    /// Memory for all write requests together, bodies and what they become; who finds no room within a second gets 503 and
    /// Retry-After, so that senders wait and lose nothing
    #[arg(long = "storage.remote-write.max-inflight-bytes", value_name = "SIZE")]
    #[arg(help_heading = "Storage", default_value = "128MiB", value_parser = size)]
    pub write_inflight_max: usize,

    /// Longest time a query may run; a request can ask for less with `timeout`
    #[arg(long = "query.timeout", value_name = "DURATION", default_value = "2m")]
    #[arg(help_heading = "Queries", value_parser = duration)]
    pub query_timeout: Duration,

    /// Queries that run at once; more wait for their turn until their timeout
    #[arg(long = "query.max-concurrency", value_name = "COUNT", default_value_t = 20)]
    #[arg(help_heading = "Queries", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub query_concurrency: u32,

    /// Queries that wait for their turn; more get 429 and Retry-After. Several dashboards open at once ask for fewer
    #[arg(long = "query.max-queue", value_name = "COUNT", default_value_t = 100)]
    #[arg(help_heading = "Queries", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub query_queue: u32,

    /// Samples one query may hold in memory, 16 bytes each; more is an error that says so (422)
    #[arg(long = "query.max-samples", value_name = "COUNT", default_value_t = 50_000_000)]
    #[arg(help_heading = "Queries", value_parser = clap::value_parser!(u64).range(1..))]
    pub query_samples: u64,

    /// Memory one query may hold: samples, label sets, and what is computed of them. More is an error (422). The default
    /// has room for --query.max-samples and a million label sets
    #[arg(long = "query.max-memory", value_name = "SIZE", default_value = "1GiB")]
    #[arg(help_heading = "Queries", value_parser = size)]
    pub query_memory: usize,

    /// Memory all queries may hold together, as a size or a percentage of what the machine or the control group has;
    /// who needs more when others hold it all gets an error (422). With --storage.memory-budget it should leave
    /// room for answers, files and other programs
    #[arg(long = "query.memory-budget", value_name = "SIZE", default_value = "30%")]
    #[arg(help_heading = "Queries", value_parser = size_or_percent)]
    pub query_memory_budget: SizeOrPercent,

    /// Series one query may select, in all its selectors together. More is an error (422): finding them takes memory
    /// and time before any sample is read
    #[arg(long = "query.max-series", value_name = "COUNT", default_value_t = 10_000_000)]
    #[arg(help_heading = "Queries", value_parser = clap::value_parser!(u64).range(1..))]
    pub query_series: u64,

    /// How far back an instant selector looks for a sample; more than the scrape interval
    #[arg(long = "query.lookback-delta", value_name = "DURATION", default_value = "5m")]
    #[arg(help_heading = "Queries", value_parser = duration)]
    pub lookback_delta: Duration,

    /// Parts of PromQL that are off by default, separated by commas: promql-experimental-functions,
    /// promql-delayed-name-removal, promql-extended-range-selectors, promql-binop-fill-modifiers, use-start-timestamps
    #[arg(long = "enable-feature", value_name = "FEATURE", value_delimiter = ',')]
    #[arg(help_heading = "Queries", value_parser = FEATURES)]
    pub features: Vec<String>,

    /// Address to listen on. Anything but this machine itself also needs --web.allow-unauthenticated
    #[arg(long = "web.listen-address", value_name = "HOST:PORT")]
    #[arg(help_heading = "Web", default_value = "127.0.0.1:9290")]
    pub listen_address: String,

    /// Listen on an address that other machines reach, although everybody who reaches it may read and write everything:
    /// put a proxy or a network policy before it
    #[arg(long = "web.allow-unauthenticated", help_heading = "Web")]
    pub allow_unauthenticated: bool,

    /// Answer POST requests below /api/v1/admin/tsdb (flush moves all samples from memory and spills to blocks,
    /// compact merges blocks as far as possible) and those that cancel queries
    #[arg(long = "web.enable-admin-api", help_heading = "Web")]
    pub enable_admin_api: bool,

    /// Connections at once; more wait in the kernel's queue
    #[arg(long = "web.max-connections", value_name = "COUNT", default_value_t = 512)]
    #[arg(help_heading = "Web", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub connections_max: u32,

    /// Longest time the body of a request may take to arrive. Prometheus allows 5m; shorter here, since a slow sender
    /// holds memory that others wait for
    #[arg(long = "web.read-timeout", value_name = "DURATION", default_value = "30s")]
    #[arg(help_heading = "Web", value_parser = duration)]
    pub read_timeout: Duration,

    /// Largest answer; it is held in memory until it is sent
    #[arg(long = "web.max-response-bytes", value_name = "SIZE")]
    #[arg(help_heading = "Web", default_value = "64MiB", value_parser = size)]
    pub response_max: usize,

    /// Regular expression of the origins whose pages may read answers in a browser, anchored at both ends, `.*` for
    /// all. None by default (Prometheus: all), so that no web page can read the data of a server on your machine
    #[arg(long = "web.cors.origin", value_name = "REGEX", help_heading = "Web")]
    #[arg(value_parser = |text: &str| CorsOrigin::new(text).map_err(|e| e.to_string()))]
    pub cors_origin: Option<CorsOrigin>,

    /// What is logged, to standard error. error: somebody must act; warn: somebody should look; info: starts, stops and
    /// the like; debug: single requests
    #[arg(long = "log.level", value_name = "LEVEL", value_enum, default_value = "info")]
    #[arg(help_heading = "Telemetry")]
    pub log_level: LogLevel,

    /// How log lines are written
    #[arg(long = "log.format", value_name = "FORMAT", value_enum, default_value = "logfmt")]
    #[arg(help_heading = "Telemetry")]
    pub log_format: LogFormat,

    /// Store the server's own metrics (those of /metrics) in itself as job="silverback": every second for the first
    /// minute, then every 15 seconds
    #[arg(long = "telemetry.self-record", value_name = "BOOL", default_value_t = true)]
    #[arg(help_heading = "Telemetry", action = ArgAction::Set)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub self_record: bool,

    /// Every flag and its value, for the status page.
    #[arg(skip)]
    pub flags: Vec<(String, String)>,
}

impl Config {
    /// The flags of this process. `--help`, `--version` and mistakes end it.
    pub fn from_process() -> Config {
        Config::from_args(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// # Errors
    /// A flag is unknown or its value is not what it must be; also `--help` and `--version`.
    pub fn from_args<I, T>(args: I) -> Result<Config, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<std::ffi::OsString> + Clone,
    {
        let command = Config::command();
        let matches = command.clone().try_get_matches_from(args)?;
        let mut config = Config::from_arg_matches(&matches)?;
        config.flags = flag_values(&command, &matches);
        Ok(config)
    }

    /// The address to listen on.
    ///
    /// # Errors
    /// It is no address, or one that needs `--web.allow-unauthenticated`; one line with the remedy.
    pub fn address(&self) -> Result<SocketAddr, String> {
        let text = &self.listen_address;
        // Prometheus' short form for all interfaces.
        let full = if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.clone() };
        let resolved = full.to_socket_addrs().map_err(|error| {
            format!("--web.listen-address {text:?} is not a HOST:PORT to listen on: {error}")
        })?;
        let address = resolved
            .into_iter()
            .next()
            .ok_or_else(|| format!("--web.listen-address {text:?} has no address"))?;
        if !address.ip().is_loopback() && !self.allow_unauthenticated {
            return Err(format!(
                "--web.listen-address {text:?} can be reached from other machines and there is no \
                 authentication: add --web.allow-unauthenticated to accept that"
            ));
        }
        Ok(address)
    }

    /// # Errors
    /// Two flags contradict each other; one line that names them.
    pub fn check(&self) -> Result<(), String> {
        if self.write_decoded_max > DECODED_LIMIT_MAX_BYTES {
            return Err(format!(
                "--storage.remote-write.max-decoded-bytes must be at most {DECODED_LIMIT_MAX_BYTES} \
                 bytes: a record of the log holds no more"
            ));
        }
        if self.write_body_max + self.write_decoded_max > self.write_inflight_max {
            return Err("--storage.remote-write.max-inflight-bytes must be at least \
                        --storage.remote-write.max-body-bytes and \
                        --storage.remote-write.max-decoded-bytes together"
                .to_string());
        }
        let queries_budget = self.query_memory_budget_bytes();
        if queries_budget < QUERY_BUDGET_MIN_BYTES {
            return Err(format!(
                "--query.memory-budget is {queries_budget} bytes and must be at least \
                 {QUERY_BUDGET_MIN_BYTES}"
            ));
        }
        let budget = self.memory_budget_bytes();
        if budget < MEMORY_BUDGET_MIN_BYTES {
            return Err(format!(
                "--storage.memory-budget is {budget} bytes and must be at least \
                 {MEMORY_BUDGET_MIN_BYTES}"
            ));
        }
        Ok(())
    }

    /// What samples and series may take.
    fn memory_budget_bytes(&self) -> usize {
        let bytes = bytes_of(self.memory_budget, MEMORY_BUDGET_DEFAULT_BYTES as u64);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// What all queries may hold.
    fn query_memory_budget_bytes(&self) -> u64 {
        bytes_of(self.query_memory_budget, engine::MEMORY_BUDGET_DEFAULT_BYTES)
    }

    fn retention_size(&self) -> Option<RetentionSize> {
        match self.retention_size? {
            SizeOrPercent::Bytes(0) => None,
            SizeOrPercent::Bytes(bytes) => Some(RetentionSize::Bytes(bytes)),
            SizeOrPercent::Percent(percent) => Some(RetentionSize::PercentOfDisk(percent)),
        }
    }

    /// 15 days unless something else is said about time or size, as in Prometheus.
    fn retention_ms(&self) -> Option<i64> {
        let given = self.retention_time.filter(|time| !time.is_zero()).map(to_ms);
        given.or_else(|| self.retention_size().is_none().then_some(RETENTION_DEFAULT_MS))
    }

    /// Both limits as they were written, in Prometheus' form.
    fn retention_text(&self) -> String {
        let given = self.retention_time.is_some_and(|time| !time.is_zero());
        let time = if given { self.flag("storage.tsdb.retention.time") } else { RETENTION_DEFAULT };
        let time = self.retention_ms().map(|_| time);
        let size = self.retention_size().map(|_| self.flag("storage.tsdb.retention.size"));
        time.into_iter().chain(size).collect::<Vec<_>>().join(" or ")
    }

    /// A flag's value as it was written.
    fn flag(&self, name: &str) -> &str {
        self.flags.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.as_str())
    }

    fn feature(&self, name: &str) -> bool {
        self.features.iter().any(|feature| feature == name)
    }

    pub fn db_options(&self) -> Options {
        Options {
            memory_budget_bytes: self.memory_budget_bytes(),
            retention_ms: self.retention_ms(),
            retention_bytes: self.retention_size(),
            out_of_order_window_ms: self.out_of_order_window.map(to_ms),
            ..Options::new(&self.path)
        }
    }

    pub fn engine_options(&self) -> EngineOptions {
        let mut options = EngineOptions {
            lookback_delta_ms: self.lookback_delta.as_millis() as i64,
            samples_max: self.query_samples,
            memory_max_bytes: self.query_memory as u64,
            memory_budget_bytes: self.query_memory_budget_bytes(),
            series_max: self.query_series,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            delayed_name_removal: self.feature("promql-delayed-name-removal"),
            use_start_timestamps: self.feature("use-start-timestamps"),
            ..EngineOptions::default()
        };
        options.parse.experimental_functions = self.feature("promql-experimental-functions");
        options.parse.extended_range_selectors = self.feature("promql-extended-range-selectors");
        options.parse.binop_fill_modifiers = self.feature("promql-binop-fill-modifiers");
        options
    }

    pub fn api_options(&self) -> ApiOptions {
        ApiOptions {
            query_timeout: self.query_timeout,
            query_concurrency_max: self.query_concurrency as usize,
            query_queue_max: self.query_queue as usize,
            response_max_bytes: self.response_max,
            write_body_max_bytes: self.write_body_max,
            write_decoded_max_bytes: self.write_decoded_max,
            write_inflight_max_bytes: self.write_inflight_max,
            read_timeout: self.read_timeout,
            cors_origin: self.cors_origin.clone(),
            retention: self.retention_text(),
            admin_enabled: self.enable_admin_api,
            flags: self.flags.clone(),
            engine: self.engine_options(),
        }
    }

    pub fn connection_options(&self) -> ConnectionOptions {
        ConnectionOptions {
            connections_max: self.connections_max as usize,
            ..ConnectionOptions::default()
        }
    }
}

/// A size, or a share of the memory that this process may use; `unknown` if nothing tells how much that is.
fn bytes_of(size: SizeOrPercent, unknown: u64) -> u64 {
    match size {
        SizeOrPercent::Bytes(bytes) => bytes,
        SizeOrPercent::Percent(percent) => match memory::available_bytes() {
            Some(available) => (available as f64 * percent / 100.0) as u64,
            None => unknown,
        },
    }
}

fn to_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Name and value of every flag as given or by default, several values joined by commas.
fn flag_values(command: &clap::Command, matches: &clap::ArgMatches) -> Vec<(String, String)> {
    let mut flags = Vec::new();
    for arg in command.get_arguments() {
        let Some(name) = arg.get_long() else { continue };
        let id = arg.get_id().as_str();
        let values: Vec<String> = match matches.try_get_raw(id) {
            Ok(Some(raw)) => raw.map(|value| value.to_string_lossy().into_owned()).collect(),
            _ => Vec::new(),
        };
        flags.push((name.to_string(), values.join(",")));
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(args: &[&str]) -> Result<Config, clap::Error> {
        Config::from_args(["silverback"].iter().chain(args))
    }

    #[test]
    fn the_flags_are_consistent_and_the_defaults_are_those_of_the_parts() {
        Config::command().debug_assert();
        let config = config(&[]).unwrap();
        config.check().unwrap();
        assert_eq!(config.address().unwrap().to_string(), "127.0.0.1:9290");
        let (api, default) = (config.api_options(), ApiOptions::default());
        assert_eq!(api.query_timeout, default.query_timeout);
        assert_eq!(api.read_timeout, default.read_timeout);
        assert_eq!(api.response_max_bytes, default.response_max_bytes);
        assert_eq!(api.write_body_max_bytes, default.write_body_max_bytes);
        assert_eq!(api.write_decoded_max_bytes, default.write_decoded_max_bytes);
        assert_eq!(api.write_inflight_max_bytes, default.write_inflight_max_bytes);
        assert_eq!(api.engine.lookback_delta_ms, default.engine.lookback_delta_ms);
        assert_eq!(api.engine.samples_max, default.engine.samples_max);
        assert_eq!(api.engine.memory_max_bytes, default.engine.memory_max_bytes);
        assert_eq!(api.engine.series_max, default.engine.series_max);
        assert_eq!(api.query_concurrency_max, default.query_concurrency_max);
        assert_eq!(api.query_queue_max, default.query_queue_max);
        let connections = ConnectionOptions::default().connections_max;
        assert_eq!(config.connection_options().connections_max, connections);
    }

    #[test]
    fn other_machines_need_consent() {
        for open in ["0.0.0.0:9290", ":9290", "[::]:9290", "192.0.2.1:9290"] {
            let flag = format!("--web.listen-address={open}");
            let error = config(&[&flag]).unwrap().address().unwrap_err();
            assert!(error.contains("--web.allow-unauthenticated"), "{error}");
            assert!(config(&[&flag, "--web.allow-unauthenticated"]).unwrap().address().is_ok());
        }
        for own in ["127.0.0.1:0", "[::1]:9290", "localhost:9290"] {
            assert!(config(&["--web.listen-address", own]).unwrap().address().is_ok(), "{own}");
        }
        assert!(config(&["--web.listen-address=x"]).unwrap().address().is_err());
    }

    #[test]
    fn values_are_checked() {
        assert_eq!(config(&["--query.timeout=1m30s"]).unwrap().query_timeout.as_secs(), 90);
        assert_eq!(
            config(&["--storage.remote-write.max-body-bytes=1KB"]).unwrap().write_body_max,
            1024
        );
        for bad in [
            "--query.timeout=0s",
            "--query.timeout=x",
            "--storage.remote-write.max-body-bytes=1XB",
            "--storage.remote-write.max-body-bytes=0",
            "--storage.tsdb.retention.time=-1d",
            "--storage.tsdb.retention.size=101%",
            "--storage.tsdb.out-of-order-time-window=0s",
            "--storage.memory-budget=lots",
            "--query.memory-budget=lots",
            "--query.max-memory=0",
            "--query.max-series=0",
            "--web.max-connections=0",
            "--web.cors.origin=(",
            "--enable-feature=x",
            "--nonsense",
        ] {
            assert!(config(&[bad]).is_err(), "{bad}");
        }
        let small = config(&["--storage.remote-write.max-inflight-bytes=1MiB"]).unwrap();
        assert!(small.check().unwrap_err().contains("max-inflight-bytes"));
        let inflight = "--storage.remote-write.max-inflight-bytes=1GiB";
        let decoded = |size| format!("--storage.remote-write.max-decoded-bytes={size}");
        assert!(config(&[inflight, &decoded("48MiB")]).unwrap().check().is_ok());
        let large = config(&[inflight, &decoded("60MiB")]).unwrap();
        assert!(large.check().unwrap_err().contains("max-decoded-bytes"));
    }

    #[test]
    fn retention_is_fifteen_days_unless_something_is_said() {
        let (days, size) = (|days: i64| Some(days * DAY_MS), RetentionSize::Bytes(10 << 30));
        let share = RetentionSize::PercentOfDisk(80.0);
        let (time_flag, size_flag) =
            ("--storage.tsdb.retention.time", "--storage.tsdb.retention.size");
        let table = [
            (vec![], days(15), None, "15d"),
            (vec![(time_flag, "0")], days(15), None, "15d"),
            (vec![(time_flag, "30d")], days(30), None, "30d"),
            (vec![(size_flag, "10GB")], None, Some(size), "10GB"),
            (vec![(size_flag, "0")], days(15), None, "15d"),
            (vec![(time_flag, "2d"), (size_flag, "80%")], days(2), Some(share), "2d or 80%"),
            (vec![(time_flag, "0s"), (size_flag, "80%")], None, Some(share), "80%"),
        ];
        for (flags, time, size, text) in table {
            let flags: Vec<String> = flags.iter().map(|(n, v)| format!("{n}={v}")).collect();
            let config = config(&flags.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
            let options = config.db_options();
            assert_eq!((options.retention_ms, options.retention_bytes), (time, size), "{flags:?}");
            assert_eq!(config.api_options().retention, text, "{flags:?}");
        }
    }

    #[test]
    fn the_memory_budget_is_a_size_or_a_share() {
        let budget = |value: &str| config(&[&format!("--storage.memory-budget={value}")]).unwrap();
        assert_eq!(budget("1GiB").db_options().memory_budget_bytes, 1 << 30);
        let available = memory::available_bytes().unwrap() as f64;
        let share = config(&[]).unwrap().db_options().memory_budget_bytes as f64;
        assert!((share / available - 0.4).abs() < 1e-6);
        budget("16MiB").check().unwrap();
        assert!(budget("15MiB").check().unwrap_err().contains("--storage.memory-budget"));
        let queries = |value| config(&[&format!("--query.memory-budget={value}")]).unwrap();
        assert_eq!(queries("1GiB").engine_options().memory_budget_bytes, 1 << 30);
        let share = queries("30%").engine_options().memory_budget_bytes as f64;
        assert!((share / available - 0.3).abs() < 1e-6);
        assert!(queries("1MiB").check().unwrap_err().contains("--query.memory-budget"));
    }

    #[test]
    fn what_is_off_unless_asked_for() {
        let plain = config(&[]).unwrap();
        assert!(!plain.api_options().admin_enabled);
        assert_eq!(plain.db_options().out_of_order_window_ms, None);
        let flags = ["--web.enable-admin-api", "--storage.tsdb.out-of-order-time-window=30m"];
        let given = config(&flags).unwrap();
        assert!(given.api_options().admin_enabled);
        assert_eq!(given.db_options().out_of_order_window_ms, Some(30 * 60_000));
    }

    #[test]
    fn features_reach_the_engine() {
        let flag = "--enable-feature=promql-experimental-functions,promql-delayed-name-removal";
        let options = config(&[flag]).unwrap().engine_options();
        assert!(options.parse.experimental_functions && options.delayed_name_removal);
        assert!(!options.parse.binop_fill_modifiers && !options.use_start_timestamps);
        let options = config(&["--enable-feature=use-start-timestamps"]).unwrap().engine_options();
        assert!(options.use_start_timestamps);
    }

    #[test]
    fn every_flag_has_its_value_on_the_status_page() {
        let flags = config(&["--query.timeout=7s"]).unwrap().flags;
        let value = |name: &str| flags.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
        assert_eq!(value("query.timeout"), Some("7s"));
        assert_eq!(value("storage.tsdb.path"), Some("./data"));
        assert_eq!(value("web.allow-unauthenticated"), Some("false"));
        assert_eq!(value("web.cors.origin"), Some(""));
    }

    #[test]
    fn self_recording_can_be_switched_off() {
        assert!(config(&[]).unwrap().self_record);
        assert!(config(&["--telemetry.self-record"]).unwrap().self_record);
        assert!(!config(&["--telemetry.self-record=false"]).unwrap().self_record);
    }
}

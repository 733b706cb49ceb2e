//! End-to-end checks of the `silverback` binary: starting and stopping, kills, power cuts, and a real Prometheus. Each
//! prints a line per check and ends with `N passed, N failed, N skipped`.
//!
//! `e2e startup|kill|power-cut|peer|promql|all [--binary target/release/silverback] [--kills 100] [--cuts 20] [--seconds 60]`
//! `e2e queries [--binary ...] [--series 100000] [--hours 2] [--rounds 20] [--peers prometheus,victoria-metrics]
//! [--class-seconds 300] [--only 'part of a query|another one']`

#![allow(clippy::print_stdout, reason = "a check reports on standard output")]
#![allow(clippy::disallowed_methods, reason = "only the engine keeps to its own file layer")]

mod client;
mod compare;
mod crash;
mod forced;
mod http;
mod kill;
mod lanes;
mod oracle;
mod peer;
mod power_cut;
mod process;
mod promql;
mod queries;
mod remote_write;
mod report;
mod speed;
mod startup;

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use report::Report;
use speed::SpeedOptions;

/// What the command line asks for.
pub struct Options {
    /// The server under test.
    pub binary: PathBuf,
    /// Kills of the kill loop.
    pub kills: u32,
    /// Power cuts on the loop device.
    pub cuts: u32,
    /// How long the peers run before they are compared.
    pub seconds: u64,
    /// Where the servers keep their files.
    pub scratch: PathBuf,
    pub speed: SpeedOptions,
}

fn options(args: &[String]) -> Result<Options, String> {
    let mut given = HashMap::new();
    for pair in args.chunks(2) {
        let [name, value] = pair else { return Err(format!("{} needs a value", pair[0])) };
        given.insert(name.as_str(), value.as_str());
    }
    let number = |name: &str, default: u64| {
        given.get(name).map_or(Ok(default), |v| v.parse().map_err(|e| format!("{name}: {e}")))
    };
    let list = |name: &str, default: &str, separator: char| -> Vec<String> {
        let text = given.get(name).copied().unwrap_or(default);
        text.split(separator).filter(|part| !part.is_empty()).map(str::to_string).collect()
    };
    let scratch = std::env::temp_dir().join(format!("silverback-e2e-{}", std::process::id()));
    Ok(Options {
        binary: PathBuf::from(given.get("--binary").unwrap_or(&"target/release/silverback")),
        kills: number("--kills", 100)? as u32,
        cuts: number("--cuts", 20)? as u32,
        seconds: number("--seconds", 60)?,
        scratch,
        speed: SpeedOptions {
            series: number("--series", 100_000)? as usize,
            hours: number("--hours", 2)? as i64,
            rounds: number("--rounds", 20)? as usize,
            class_max: Duration::from_secs(number("--class-seconds", 300)?),
            peers: list("--peers", "prometheus,victoria-metrics", ','),
            only: list("--only", "", '|'),
        },
    })
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let what = args.first().map_or("all", String::as_str).to_string();
    let options = match options(args.get(1..).unwrap_or_default()) {
        Ok(options) => options,
        Err(error) => {
            println!("e2e: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut report = Report::default();
    let run = |name: &str| what == name || what == "all";
    if run("startup") {
        startup::run(&options, &mut report);
    }
    if run("kill") {
        kill::run(&options, &mut report);
    }
    if run("power-cut") {
        power_cut::run(&options, &mut report);
    }
    if run("peer") {
        peer::run(&options, &mut report);
    }
    if run("peer") || what == "promql" {
        promql::run(&options, &mut report);
    }
    match what.as_str() {
        "queries" => speed::run(&options, &mut report),
        "all" => speed::run_short(&options, &mut report),
        _ => {}
    }
    let _ = std::fs::remove_dir_all(&options.scratch);
    report.finish()
}

//! The query benchmark: Silverback beside its peers, all loaded with the same samples and asked the same in turn. `e2e queries`
//! prints a table of medians and whether the required speed is reached; `e2e all` runs a small extent without peers, where
//! what counts is that memory and blocks give the same answers.

mod classes;
mod data;
mod inside;
mod load;
mod measure;
mod servers;
mod table;

use std::time::Duration;

use crate::Options;
use crate::kill::now_ms;
use crate::report::Report;
use classes::Class;
use data::Extent;
use measure::{Effort, Measured};
use servers::{Kind, Server};
use table::Row;

/// Counters of the short run.
const SHORT_SERIES: usize = 2_000;
const SHORT_ROUNDS: usize = 2;

/// What is measured.
pub struct SpeedOptions {
    /// Series of `m`; the other metrics have about half as many together.
    pub series: usize,
    pub hours: i64,
    pub rounds: usize,
    /// No further round of a class begins after this.
    pub class_max: Duration,
    /// `prometheus`, `victoria-metrics` or both.
    pub peers: Vec<String>,
    /// Only classes whose name holds one of these; all if there are none.
    pub only: Vec<String>,
}

impl SpeedOptions {
    fn includes(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| name.contains(part))
    }
}

/// As the command line says.
pub fn run(options: &Options, report: &mut Report) {
    if servers::clock_library().is_none() {
        let why = "libfaketime is not installed: the head's samples come to lie in late spills and blocks";
        report.skip("samples of an open window", why);
    }
    if let Err(error) = benchmark(options, &options.speed, report) {
        report.check("query benchmark", Err(error));
    }
}

/// Small, fast, and without peers.
pub fn run_short(options: &Options, report: &mut Report) {
    let short = SpeedOptions {
        series: SHORT_SERIES,
        hours: 2,
        rounds: SHORT_ROUNDS,
        class_max: Duration::ZERO,
        peers: Vec::new(),
        only: Vec::new(),
    };
    if let Err(error) = benchmark(options, &short, report) {
        report.check("query benchmark", Err(error));
    }
}

/// A time as the API takes it.
fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

fn benchmark(options: &Options, speed: &SpeedOptions, report: &mut Report) -> Result<(), String> {
    let scratch = options.scratch.join("queries");
    std::fs::create_dir_all(&scratch).map_err(|e| e.to_string())?;
    let mut kinds = vec![Kind::Head, Kind::Blocks];
    for name in &speed.peers {
        kinds.push(Kind::peer(name)?);
    }
    let extent = Extent::new(speed.series, speed.hours, now_ms());
    let start = |kind: &Kind| Server::start(*kind, options, extent.end_ms, &scratch);
    let mut servers = kinds.iter().map(start).collect::<Result<Vec<_>, _>>()?;
    println!("{} series, {} samples", extent.series(), extent.samples());
    load::load(&extent, &mut servers)?;
    let inside = inside(&extent, &mut servers, report);
    println!("{inside}");
    let mut classes = classes::classes(&extent);
    classes.retain(|class| speed.includes(&class.name()));
    let effort = Effort { rounds: speed.rounds, class_max: speed.class_max };
    let mut rows = vec![table::head(&kinds)];
    let mut held = Vec::new();
    for class in &classes {
        let measured = measure::measure(class, &extent, &mut servers, effort);
        servers.iter_mut().try_for_each(|server| server.process.check_running())?;
        let row = Row::new(&kinds, class, &measured);
        println!("{}", row.markdown());
        rows.push(row.markdown());
        held.extend(row.holds());
        check_agreement(class, measured, report);
    }
    println!("\n{}\n\n{inside}", rows.join("\n"));
    check_speed(&held, report);
    Ok(())
}

fn check_agreement(class: &Class, measured: Measured, report: &mut Report) {
    report.check(&format!("answers agree: {}", class.name()), measured.agreement);
}

fn check_speed(held: &[bool], report: &mut Report) {
    if held.is_empty() {
        return;
    }
    let count = held.iter().filter(|held| **held).count();
    let text = format!("in {count} of {} classes", held.len());
    let result = if count == held.len() { Ok(text) } else { Err(text) };
    report.check("as fast as required", result);
}

/// Memory of the largest query and the time of a point query inside of the servers, as a list.
fn inside(extent: &Extent, servers: &mut [Server], report: &mut Report) -> String {
    let (all, one) = (classes::rate_of_all(extent), classes::one_series(extent));
    let mut lines = Vec::new();
    for server in servers.iter_mut().filter(|server| server.kind != Kind::VictoriaMetrics) {
        let name = server.kind.name();
        let memory = inside::memory(&all, extent, server);
        let point = inside::point_ms(&one, extent, server);
        match (memory, point) {
            (Ok(memory), Ok(point_ms)) => lines.push(format!(
                "* {name}: `{}` takes {:.0} MiB at its peak, {:.0} MiB more than before; one series answers in {point_ms:.3} ms of server time",
                all.name(),
                memory.peak_mib,
                memory.growth_mib(),
            )),
            (Err(error), _) | (_, Err(error)) => report.check(&format!("inside of {name}"), Err(error)),
        }
    }
    lines.join("\n")
}

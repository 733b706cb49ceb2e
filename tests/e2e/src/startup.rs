//! Starting and stopping as an operator sees it: the first query works at once, what prevents a start is told in one line with
//! its remedy and exit code 1, SIGTERM ends with 0.

use std::path::Path;
use std::process::Command;

use crate::Options;
use crate::http::api;
use crate::process::{Process, free_address};
use crate::report::Report;

pub fn run(options: &Options, report: &mut Report) {
    let scratch = options.scratch.join("startup");
    if let Err(error) = std::fs::create_dir_all(&scratch) {
        return report.check("startup", Err(format!("{}: {error}", scratch.display())));
    }
    match Started::new(options, &scratch) {
        Ok(mut started) => started.checks(options, &scratch, report),
        Err(error) => report.check("start without flags but address and directory", Err(error)),
    }
    let foreign = scratch.join("foreign");
    let made = std::fs::create_dir_all(foreign.join("chunks_head")).map_err(|e| e.to_string());
    let path = format!("--storage.tsdb.path={}", foreign.display());
    let refused = made.and_then(|()| {
        refusal(options, &[&path, "--web.listen-address=127.0.0.1:0"], "--storage.tsdb.path")
    });
    report.check("a foreign data directory is refused", refused);
    let path = format!("--storage.tsdb.path={}", scratch.join("never").display());
    let open = ["--web.listen-address=0.0.0.0:0", path.as_str()];
    let refused = refusal(options, &open, "--web.allow-unauthenticated");
    report.check("an open address without authentication is refused", refused);
}

/// A server with its own metrics on.
struct Started {
    server: Process,
    address: String,
    path: String,
}

impl Started {
    fn new(options: &Options, scratch: &Path) -> Result<Started, String> {
        let address = free_address()?;
        let path = format!("--storage.tsdb.path={}", scratch.join("data").display());
        let listen = format!("--web.listen-address={address}");
        let log = scratch.join("server.log");
        let mut server = Process::start(&options.binary, &[path.clone(), listen], &log)?;
        server.wait_ready(&address, "/-/ready")?;
        Ok(Started { server, address, path })
    }

    fn checks(&mut self, options: &Options, scratch: &Path, report: &mut Report) {
        report.check("the first query finds the server's own metrics", self.first_query());
        let port = format!("--web.listen-address={}", self.address);
        let elsewhere = format!("--storage.tsdb.path={}", scratch.join("elsewhere").display());
        let refused = refusal(options, &[&port, &elsewhere], "--web.listen-address");
        report.check("a used port is refused", refused);
        let other = "--web.listen-address=127.0.0.1:0";
        let refused = refusal(options, &[other, &self.path], "is locked by process");
        report.check("a locked data directory is refused", refused);
        let stopped = self.server.terminate().and_then(|code| match code {
            0 => Ok(String::new()),
            code => Err(format!("exit code {code}")),
        });
        report.check("SIGTERM ends a fresh server", stopped);
    }

    fn first_query(&self) -> Result<String, String> {
        let data = api(&self.address, "/api/v1/query", &[("query", "up{job=\"silverback\"}")])?;
        match data["result"][0]["value"][1].as_str() {
            Some("1") => Ok(String::new()),
            _ => Err(format!("up is not 1: {data}")),
        }
    }
}

/// The program must end by itself with exit code 1 and one line that holds `remedy`.
fn refusal(options: &Options, args: &[&str], remedy: &str) -> Result<String, String> {
    let output = Command::new(&options.binary).args(args).output().map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stderr).trim().to_string();
    match (output.status.code(), text.lines().count(), text.contains(remedy)) {
        (Some(1), 1, true) => Ok(text),
        (code, _, _) => Err(format!("exit code {code:?}, without {remedy:?} in one line: {text}")),
    }
}

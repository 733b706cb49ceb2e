//! What is measured inside of the servers instead of at the client: what one query adds to their memory, by the kernel's
//! high-water mark, and what a query of one series takes them.

use std::time::Duration;

use super::classes::Class;
use super::data::Extent;
use super::measure::{ask_once, median_ms};
use super::seconds;
use super::servers::{Kind, Server};
use crate::http;

/// Go gives back what loading left behind a little at a time.
const SCAVENGE: Duration = Duration::from_secs(5);
/// Point queries of which the median is taken: each is below a millisecond.
const POINT_QUERIES: usize = 200;

/// Resident memory before a query and at its height.
pub struct Memory {
    pub before_mib: f64,
    pub peak_mib: f64,
}

impl Memory {
    pub fn growth_mib(&self) -> f64 {
        (self.peak_mib - self.before_mib).max(0.0)
    }
}

/// Memory of the query `class`.
pub fn memory(class: &Class, extent: &Extent, server: &mut Server) -> Result<Memory, String> {
    if server.kind == Kind::Prometheus {
        http::get(&server.address, "/debug/pprof/heap?gc=1").map_err(|e| e.to_string())?;
        std::thread::sleep(SCAVENGE);
    }
    let pid = server.process.pid();
    // Sets the high-water mark to what is resident now.
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").map_err(|e| e.to_string())?;
    let before_mib = status_mib(pid, "VmRSS:")?;
    ask_once(class, extent, server)?;
    Ok(Memory { before_mib, peak_mib: status_mib(pid, "VmHWM:")? })
}

fn status_mib(pid: u32, field: &str) -> Result<f64, String> {
    let status =
        std::fs::read_to_string(format!("/proc/{pid}/status")).map_err(|e| e.to_string())?;
    let value = status.lines().find_map(|line| line.strip_prefix(field)?.split_whitespace().next());
    let kib: Option<f64> = value.and_then(|kib| kib.parse().ok());
    kib.map(|kib| kib / 1024.0).ok_or(format!("no {field} of process {pid}"))
}

/// The median of what Silverback or Prometheus says a query of one series took, in milliseconds.
pub fn point_ms(class: &Class, extent: &Extent, server: &mut Server) -> Result<f64, String> {
    let time = seconds(extent.question_ms());
    let form = [("query", &*class.query), ("time", &*time), ("stats", "all")];
    let mut times = Vec::new();
    for _ in 0..POINT_QUERIES {
        let data = server.client.post("/api/v1/query", &form)?.data()?;
        let seconds = data["stats"]["timings"]["execTotalTime"].as_f64();
        times.push(Duration::from_secs_f64(seconds.ok_or("no execTotalTime in the answer")?));
    }
    median_ms(times).ok_or("no point query".to_string())
}

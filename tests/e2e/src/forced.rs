//! Forces maintenance at random moments of a load, so that kills and power cuts fall into spills, cuts and compactions.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::crash::{Random, lock};
use crate::http;

/// The longest pause between two requests; one of them is chosen for each load. The longest leaves most loads to the log
/// alone, the shortest keeps the server at it.
const PAUSES_MAX_MS: [u64; 3] = [20, 100, 800];

/// How often maintenance was forced so far.
pub struct Forced {
    random: Mutex<Random>,
    flushes: AtomicU64,
    compactions: AtomicU64,
    interrupted: AtomicU64,
}

impl Forced {
    pub fn new(seed: u64) -> Forced {
        let random = Mutex::new(Random(seed));
        let [flushes, compactions, interrupted] = [0; 3].map(AtomicU64::new);
        Forced { random, flushes, compactions, interrupted }
    }

    fn below(&self, limit: u64) -> u64 {
        lock(&self.random).below(limit)
    }

    /// Flushes and compacts until told to stop or until the server is gone. An error is an answer that a server on a
    /// healthy disk must not give.
    pub fn run_until(
        &self,
        address: &str,
        stop: &AtomicBool,
        power_off: &AtomicBool,
    ) -> Result<(), String> {
        let pause_max_ms = PAUSES_MAX_MS[self.below(PAUSES_MAX_MS.len() as u64) as usize];
        loop {
            if !pause(self.below(pause_max_ms), stop) {
                return Ok(());
            }
            let (action, count) = match self.below(3) {
                0 => ("compact", &self.compactions),
                _ => ("flush", &self.flushes),
            };
            let answer = http::post(address, &format!("/api/v1/admin/tsdb/{action}"));
            let counter = match &answer {
                Ok(answer) if answer.status == 204 => count,
                Ok(answer) if !power_off.load(Ordering::SeqCst) => {
                    return Err(format!(
                        "{action} was answered {}: {}",
                        answer.status,
                        answer.text()
                    ));
                }
                _ => &self.interrupted,
            };
            counter.fetch_add(1, Ordering::Relaxed);
            if answer.is_err() {
                return Ok(());
            }
        }
    }

    /// For the report.
    pub fn summary(&self) -> String {
        let [flushes, compactions, interrupted] =
            [&self.flushes, &self.compactions, &self.interrupted]
                .map(|count| count.load(Ordering::Relaxed));
        format!("{flushes} flushes, {compactions} compactions, {interrupted} interrupted ones")
    }
}

/// False if it is time to stop.
fn pause(ms: u64, stop: &AtomicBool) -> bool {
    let until = Instant::now() + Duration::from_millis(ms);
    while !stop.load(Ordering::Relaxed) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
    !stop.load(Ordering::Relaxed)
}

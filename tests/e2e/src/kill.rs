//! The kill loop: load, kill -9 at a random moment (now and then while it recovers), start, compare every sample that was
//! acknowledged, bit for bit, and look for any that was never sent.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::Options;
use crate::crash::{Random, load_until, resend};
use crate::forced::Forced;
use crate::oracle::Oracle;
use crate::process::{free_address, silverback};
use crate::report::Report;

/// The load lasts at most this long before the kill.
const LOAD_MAX_MS: u64 = 400;
/// Every this many kills one hits the server right after its start.
const EARLY_KILL_EVERY: u32 = 5;
/// A kill in the first milliseconds of a start hits the recovery.
const EARLY_KILL_MAX_MS: u64 = 30;
/// Every this many kills all samples since the beginning are compared, else only recent ones.
const FULL_VERIFY_EVERY: u32 = 20;
/// Sequences before the present ones that are always compared again.
const RECENT_SEQUENCES: u64 = 100;

pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
}

pub fn run(options: &Options, report: &mut Report) {
    let seed = now_ms() as u64 | 1;
    println!("kill loop: {} kills, seed {seed}", options.kills);
    let scratch = options.scratch.join("kill");
    let result = std::fs::create_dir_all(&scratch)
        .map_err(|e| format!("{}: {e}", scratch.display()))
        .and_then(|()| kill_loop(options, &scratch, Random(seed)));
    report.check("kill loop", result);
}

fn kill_loop(options: &Options, scratch: &Path, mut random: Random) -> Result<String, String> {
    let (data, log) = (scratch.join("data"), scratch.join("server.log"));
    let oracle = Oracle::new(&scratch.join("acknowledged"), now_ms())?;
    let oracle = Mutex::new(oracle);
    let forced = Forced::new(random.below(u64::MAX) | 1);
    let address = free_address()?;
    let mut compared = 0;
    let mut slowest = Duration::ZERO;
    for kill in 1..=options.kills {
        if kill.is_multiple_of(EARLY_KILL_EVERY) {
            let mut server = silverback(&options.binary, &data, &address, &log)?;
            std::thread::sleep(Duration::from_millis(random.below(EARLY_KILL_MAX_MS)));
            server.kill();
        }
        let mut server = silverback(&options.binary, &data, &address, &log)?;
        slowest = slowest.max(server.wait_ready(&address, "/-/ready")?);
        let from = match kill.is_multiple_of(FULL_VERIFY_EVERY) || kill == options.kills {
            true => 1,
            false => next_sequence(&oracle).saturating_sub(RECENT_SEQUENCES),
        };
        compared += verify(&oracle, &address, from).map_err(|e| format!("kill {kill}: {e}"))?;
        resend(&address, &oracle, &mut random).map_err(|e| format!("kill {kill}: {e}"))?;
        let load = Duration::from_millis(5 + random.below(LOAD_MAX_MS));
        load_until(&address, &oracle, &forced, |_| {
            std::thread::sleep(load);
            server.kill();
        })
        .map_err(|e| format!("kill {kill}: {e}"))?;
    }
    let total = stop_cleanly(options, &data, &address, &log, &oracle)?;
    Ok(format!(
        "{} kills, {} requests, {total} samples at the end, {compared} compared after kills, {}, slowest start {slowest:?}",
        options.kills,
        locked(&oracle).sent(),
        forced.summary()
    ))
}

/// After the last kill: everything is there, SIGTERM ends the server with 0, and everything is there again.
fn stop_cleanly(
    options: &Options,
    data: &Path,
    address: &str,
    log: &Path,
    oracle: &Mutex<Oracle>,
) -> Result<u64, String> {
    let mut server = silverback(&options.binary, data, address, log)?;
    server.wait_ready(address, "/-/ready")?;
    verify(oracle, address, 1)?;
    let start = Instant::now();
    let code = server.terminate()?;
    if code != 0 {
        return Err(format!("exit code {code} after SIGTERM ({:?})", start.elapsed()));
    }
    let mut server = silverback(&options.binary, data, address, log)?;
    server.wait_ready(address, "/-/ready")?;
    verify(oracle, address, 1)
}

pub fn locked(oracle: &Mutex<Oracle>) -> std::sync::MutexGuard<'_, Oracle> {
    oracle.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn next_sequence(oracle: &Mutex<Oracle>) -> u64 {
    (0..crate::oracle::WRITERS).map(|w| locked(oracle).next(w)).min().unwrap_or(1)
}

pub fn verify(oracle: &Mutex<Oracle>, address: &str, from: u64) -> Result<u64, String> {
    locked(oracle).verify(address, from)
}
